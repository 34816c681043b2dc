"""`python -m tests.testbed up 2`, and what else one does to nodes by hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.testbed.places import Places
from tests.testbed.testbed import Testbed

USAGE = """usage: python -m tests.testbed WORD …
  up N | down | clean | status | golden
  kill I | boot I | freeze I | thaw I | rekey I
  cut I [fab|fab2|mgmt …] | heal I [fab|fab2|mgmt …] | rate I MBIT|off
  exec I CMD… | operator CMD… | shell
"""


def main(words: list[str]) -> None:
    """One word for one deed; `operator` and `shell` run in the operator's network and home."""
    bed = Testbed(Places())
    match words:
        case ["up", count]:
            bed.up(int(count))
            _status(bed)
        case ["down" | "clean" as word]:
            getattr(bed, word)()
        case ["golden"]:
            bed.keep_golden()
        case ["status"]:
            _status(bed)
        case ["kill" | "boot" | "freeze" | "thaw" | "rekey" as word, index]:
            getattr(bed, word)(int(index))
        case ["cut" | "heal" as word, index, *networks]:
            getattr(bed, word)(int(index), *networks)
        case ["rate", index, megabits]:
            bed.rate(int(index), None if megabits == "off" else int(megabits))
        case ["exec", index, *argv]:
            sys.stdout.write(bed.exec(int(index), *argv))
        case ["operator", *argv]:
            _operate(bed, argv)
        case ["shell"]:
            _operate(bed, ["bash", "--norc"])
        case _:
            sys.exit(USAGE)


def _status(bed: Testbed) -> None:
    for index in bed.indices():
        pid = bed.pid(index)
        where = f"{bed.places.address(index)}  fabric {bed.places.address(index, 'fab')}"
        print(f"{bed.places.node(index)}  {where}  {f'up, pid {pid}' if pid else 'down'}")


def _operate(bed: Testbed, argv: list[str]) -> None:
    home = Path(bed.places.state / "operator-home")
    home.mkdir(parents=True, exist_ok=True)
    environment = {**bed.operator_environment(home), "TERM": os.environ.get("TERM", "dumb")}
    os.execvpe("nsenter", bed.operator_argv(*argv), environment)


main(sys.argv[1:])
