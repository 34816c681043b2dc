"""`python -m tests.flood [--seconds N] [WORD …]`: the ways whose names have one of the words, one by one.

Prints a table; ends with status 1 when a bound of memory, age or sentence was broken. CPU is only printed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from tests.bench.table import show
from tests.flood.measure import Figures, measured
from tests.flood.ways import WAYS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    rows, broken = [], False
    # Whoever ends it ends what it started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for way in (w for w in WAYS if not given.words or any(word in w.name for word in given.words)):
        with tempfile.TemporaryDirectory(prefix="f-") as folder:
            found = asyncio.run(measured(Path(folder), way, given.seconds))
        broken |= bool(found.broken)
        rows.append(row(way.name, found))
        sys.stdout.write(f"{way.name}\n  {' | '.join(rows[-1][1:])}\n")
        for text in list(dict.fromkeys((*found.events[-6:], *found.said[-4:]))):
            sys.stdout.write(f"    {text[:220]!r}\n")
        sys.stdout.flush()
    show(
        "one node of four floods",
        ("way", "MB", "% of a core", "oldest, s", "line, s", "line, MB", "kept, MB", "broken"),
        rows,
    )
    sys.exit(broken)


def row(name: str, found: Figures) -> tuple[str, ...]:
    figures = (found.memory_mb, found.cpu, found.age_s, found.line_s, found.line_mb, found.kept_mb)
    return (name, *(f"{f:.1f}" if f < 10 else f"{f:.0f}" for f in figures), ", ".join(found.broken) or "–")


if __name__ == "__main__":
    main()
