"""The trials of a run: a line of JSON for each, so that it can be taken up again, and a table at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.draw import Draw
from tests.chaos.judge import Kind, Verdict, judge
from tests.chaos.record import Record

FILE, TABLE = "trials.jsonl", "table.txt"
UNPREPARED = "unprepared"


def kept(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's trials; half a line of a run that was killed is none."""
    path = folder / FILE
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def keep(folder: Path, line: dict[str, Any]) -> None:
    """One more line; what a killed run left of one is cut off first."""
    path = folder / FILE
    text = path.read_text() if path.exists() else ""
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1])
    with path.open("a") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def line_of(draw: Draw, record: Record) -> dict[str, Any]:
    """A trial that was made."""
    return {"key": list(draw.key), "verdict": str(judge(record).kind), "record": record.as_data()}


def unprepared(draw: Draw, why: str) -> dict[str, Any]:
    """A trial whose verb could not be prepared: nothing was tried."""
    return {"key": list(draw.key), "verdict": UNPREPARED, "why": why}


def missing(draws: Iterable[Draw], lines: Iterable[dict[str, Any]]) -> list[Draw]:
    """Those that have not been made yet."""
    made = {tuple(line["key"]) for line in lines if line["verdict"] != UNPREPARED}
    return [draw for draw in draws if draw.key not in made]


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Every trial with its verdict as today's judge gives it, and how many there are of each."""
    rows: list[tuple[str, ...]] = [("#", "seed", "verb", "fault", "at", "took", "exit", "verdict", "")]
    rows += [_row(line) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    shown = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join((*shown, "", _totals(lines)))


def _verdict(line: dict[str, Any]) -> Verdict | None:
    return judge(Record.of_data(line["record"])) if "record" in line else None


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    seed, number, verb, fault = line["key"]
    verdict = _verdict(line)
    if verdict is None:
        return (str(number), str(seed), verb, fault, "", "", "", UNPREPARED, line["why"][:120])
    record = Record.of_data(line["record"])
    moment = "missed" if record.missed else f"{record.moment_s:.1f} s"
    end = record.ending
    figures = (moment, f"{end.took_s:.1f} s", str(end.exit_code))
    return (str(number), str(seed), verb, fault, *figures, str(verdict.kind), "; ".join(verdict.why)[:200])


def _totals(lines: Sequence[dict[str, Any]]) -> str:
    verdicts = [_verdict(line) for line in lines]
    counts = Counter(UNPREPARED if verdict is None else str(verdict.kind) for verdict in verdicts)
    order = (*map(str, reversed(Kind)), UNPREPARED)
    return " · ".join(f"{counts[name]} {name}" for name in order if counts[name])
