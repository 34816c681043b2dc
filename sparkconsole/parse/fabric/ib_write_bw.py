"""What `ib_write_bw --report_gbits` prints (perftest 4.5 to 24.x), and what the client of a pair says."""

from __future__ import annotations

import re

from sparkconsole.parse.machine.numbers import json_object, number

_HEAD = re.compile(r"^\s*#bytes\b.*\bBW average\[Gb/sec\]")
_TROUBLE = re.compile(r"couldn't|failed|unable|error|not found|unexpected|cannot|invalid", re.I)


def parse_ib_write_bw(text: str) -> float | None:
    """The average in Gb/s, the last one where it was printed again and again; None: there is none."""
    found, table = None, False
    for line in text.splitlines():
        table = table or bool(_HEAD.match(line))
        cells = line.split()
        if table and len(cells) >= 5 and cells[0].isdigit() and (value := number(cells[3])) is not None:
            found = value
    return found


def parse_iperf3(text: str) -> float | None:
    """What arrived, in Gb/s, of `iperf3 -J`; None when it measured nothing."""
    try:
        rate = (json_object(text) or {})["end"]["sum_received"]["bits_per_second"]
    except (KeyError, TypeError):
        return None
    return rate / 1e9 if isinstance(rate, int | float) and rate > 0 else None


def trouble_of(text: str) -> str:
    """The line that says why nothing was measured; the last one where none stands out."""
    if isinstance(error := (json_object(text) or {}).get("error"), str):
        return error[:200]
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    return next((line for line in lines if _TROUBLE.search(line)), lines[-1] if lines else "")[:200]
