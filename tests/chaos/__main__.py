"""`python -m tests.chaos`: the long run, over two nodes of its own (root, Docker, sshd, debootstrap).

`--seed N` makes the same trials again; started with the same `--out` it goes on where it was.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.catalogue import VERBS
from tests.chaos.draw import Draw, drawn, named
from tests.chaos.faults import FAULTS
from tests.chaos.judge import Kind, judge
from tests.chaos.nodes import scene_on
from tests.chaos.record import Record
from tests.chaos.scene import Scene
from tests.chaos.trial import tried
from tests.chaos.verb import NEEDS
from tests.testbed.fixtures import missing

MOST_LINES = 40
"""Of what a console said that are printed; all of them are in the folder."""


def main(words: list[str]) -> int:
    """The exit code: 0 when every trial was right."""
    asked = _parser().parse_args(words)
    if asked.list:
        print("\n".join(f"{verb.name}: {', '.join(verb.under)}" for verb in VERBS.values()))
        return 0
    seed = random.SystemRandom().randrange(1, 100_000) if asked.seed is None else asked.seed
    folder = asked.out or Path(f"chaos-{seed}")
    folder.mkdir(parents=True, exist_ok=True)
    draws = named(seed, [_pair(text) for text in asked.pairs]) or _drawn(seed, asked.most)
    print(f"seed {seed}, {len(draws)} trials, in {folder}", flush=True)
    wanted = [draw for draw in draws if not asked.only or draw.number in asked.only]
    if ahead := report.missing(wanted, report.kept(folder)):
        if lacking := missing():
            sys.exit(f"real nodes need {', '.join(lacking)}")
        with scene_on("chaos", folder / "home", containerd=asked.containerd) as scene:
            for draw in sorted(ahead, key=_order):
                _make(scene, draw, folder)
    return _ended(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("pairs", nargs="*", metavar="VERB:FAULT", help="these instead of drawn ones")
    parser.add_argument("--seed", type=int, help="without it another one each time")
    parser.add_argument("--most", type=int, default=100, help="how many trials are drawn")
    parser.add_argument("--only", type=int, nargs="*", metavar="NUMBER", help="of these only those numbers")
    parser.add_argument("--out", type=Path, help="where trials and table go; chaos-SEED without it")
    parser.add_argument("--containerd", action="store_true", help="node 2 keeps images as containerd does")
    parser.add_argument("--list", action="store_true", help="verbs and the faults of each")
    return parser


def _pair(text: str) -> tuple[str, str]:
    verb, _, fault = text.rpartition(":")
    if verb not in VERBS or fault not in FAULTS:
        sys.exit(f"{text}: not VERB:FAULT of --list")
    return verb, fault


def _drawn(seed: int, count: int) -> list[Draw]:
    return drawn(seed, count, {verb.name: verb.under for verb in VERBS.values()})


def _order(draw: Draw) -> tuple[int, str, int]:
    """Those that need the same one after the other, what ends a server last."""
    verb = VERBS[draw.verb]
    return NEEDS.index(verb.needs), verb.name.rpartition(": ")[2], draw.number


def _make(scene: Scene, draw: Draw, folder: Path) -> None:
    began = time.monotonic()
    print(f"{draw} …", flush=True)
    try:
        record = tried(scene, draw)
    except Exception as error:  # noqa: BLE001 - a trial that cannot be made is written down, and the next one is
        report.keep(folder, report.unprepared(draw, f"{type(error).__name__}: {error}"))
        print(f"    {report.UNPREPARED}: {error}", flush=True)
    else:
        report.keep(folder, report.line_of(draw, record))
        _show(record)
    print(f"    {time.monotonic() - began:.0f} s with its preparation", flush=True)


def _show(record: Record) -> None:
    verdict = judge(record)
    print(f"    {verdict}", flush=True)
    if verdict.kind is not Kind.RIGHT:
        lines = record.ending.lines[-MOST_LINES:]
        print("\n".join(f"      {line.at:6.1f}  {line.text}" for line in lines), flush=True)


def _ended(folder: Path) -> int:
    lines = report.kept(folder)
    shown = report.table(lines)
    (folder / report.TABLE).write_text(f"{shown}\n")
    print(f"\n{shown}")
    return 0 if all(line["verdict"] == Kind.RIGHT for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
