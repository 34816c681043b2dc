"""What the tools of a fabric test print, errors included: `ping` of iputils (20190709 to 20240905);
`ip -o route get … from …`; `ib_write_bw --report_gbits` (perftest 4.5 to 24.x); `iperf3 -J`."""

from __future__ import annotations

import re
from itertools import pairwise

from sparkconsole.model.fabric.paths import Echo, Route
from sparkconsole.parse.values import as_number, json_object, number, whole

_COUNTS = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.M | re.A)
_RTT = re.compile(r"^rtt min/avg/max/mdev = [\d.]+/([\d.]+)/", re.M | re.A)
_LIMIT = re.compile(r"[Mm]essage too long,? mtu ?= ?(\d+)|Frag needed and DF set \(mtu = (\d+)\)", re.A)
_TROUBLE = re.compile(r"^(?:\S*/)?ping: (?!local error)(?:(?:bind|connect|sendmsg|socket): )?(.+)$", re.M)
_HEAD = re.compile(r"^\s*#bytes\b.*\bBW average\[Gb/sec\]")
_UNMEASURED = re.compile(r"couldn't|failed|unable|error|not found|unexpected|cannot|invalid", re.I)


def parse_ping(text: str, status: int | None = 0) -> Echo:
    """What came back. Status 127: there is no ping; None: it was ended because it took too long."""
    counts, limit, rtt = _COUNTS.search(text), _LIMIT.search(text), _RTT.search(text)
    sent, received = (whole(counts[1]) or 0, whole(counts[2]) or 0) if counts else (0, 0)
    return Echo(
        sent=sent,
        received=received,
        limit=whole(limit[1] or limit[2]) if limit else None,
        rtt_ms=number(rtt[1]) if rtt else None,
        trouble="" if received else _trouble(text, status, sent),
    )


def _trouble(text: str, status: int | None, sent: int) -> str:
    if troubles := _TROUBLE.findall(text):
        return str(troubles[-1]).strip(" =>")
    if status == 127:
        return "ping is not there"
    if status is None:
        return "ping did not end"
    return "" if sent else (text.strip().splitlines() or ["it said nothing"])[-1][:120]


def parse_route(text: str, status: int | None = 0) -> Route:
    """The interface and the gateway; without an interface what the kernel said instead."""
    words = text.split("cache", 1)[0].replace("\\", " ").split()
    values = {word: after for word, after in pairwise(words) if word in ("dev", "via")}
    if status == 0 and "dev" in values:
        return Route(values["dev"].partition("@")[0], values.get("via", ""))
    if status == 127:
        return Route()
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "nobody said")
    return Route(trouble=last.removeprefix("RTNETLINK answers: ").strip()[:120])


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
    known = as_number(rate)
    return known / 1e9 if known is not None and known > 0 else None


def trouble_of(text: str) -> str:
    """The line that says why nothing was measured; the last one where none stands out."""
    if isinstance(error := (json_object(text) or {}).get("error"), str):
        return error[:200]
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    return next((line for line in lines if _UNMEASURED.search(line)), lines[-1] if lines else "")[:200]
