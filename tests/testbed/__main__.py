"""`python -m tests.testbed up 2`, and what else one does to nodes by hand."""

from __future__ import annotations

import os
import sys

from tests.testbed import groups
from tests.testbed.places import Places
from tests.testbed.testbed import Testbed

USAGE = """usage: python -m tests.testbed WORD …
  up N [GOLDEN] | down | clean | status | golden NAME [I]
  kill I | boot I | stop I | freeze I | thaw I | rekey I [original]
  cut I [fab|fab2|mgmt|all …] | heal I [fab|fab2|mgmt|all …] | rate I MBIT|off | memory I MIB|off
  exec I CMD… | ssh I CMD… | operator CMD… | shell
TESTBED_PREFIX names another testbed beside this one, TESTBED_GOLDEN the images that new nodes start with.
"""


def main(words: list[str]) -> None:
    """One word for one deed; `ssh`, `operator` and `shell` run in the operator's network."""
    bed = Testbed(Places())
    match words:
        case ["exec", index, *argv]:
            sys.stdout.write(bed.exec(int(index), *argv))
        case ["ssh", index, *argv]:
            os.execvp("nsenter", (*bed.ssh_argv(int(index)), *argv))  # as plain ssh: one shell line
        case ["operator", *argv]:
            _operate(bed, argv)
        case ["shell"]:
            _operate(bed, ["bash", "--norc"])
        case ["status"]:
            _status(bed)
        case _:
            _change(bed, words)


def _change(bed: Testbed, words: list[str]) -> None:
    match words:
        case ["up", count, *golden]:
            bed.up(int(count), *golden)
            _status(bed)
        case ["down" | "clean" as word]:
            getattr(bed, word)()
        case ["golden", name, *index]:
            print(bed.keep_golden(name, *map(int, index)))
        case ["kill" | "boot" | "stop" | "freeze" | "thaw" | "rekey" as word, index]:
            getattr(bed, word)(int(index))
        case ["rekey", index, "original"]:
            bed.rekey(int(index), original=True)
        case _:
            _limit(bed, words)


def _limit(bed: Testbed, words: list[str]) -> None:
    match words:
        case ["cut" | "heal" as word, index, *networks]:
            getattr(bed, word)(int(index), *(n for n in networks if n != "all"))
        case ["rate", index, megabits]:
            bed.rate(int(index), None if megabits == "off" else int(megabits))
        case ["memory", index, mebibytes]:
            bed.limit_memory(int(index), None if mebibytes == "off" else int(mebibytes))
        case _:
            sys.exit(USAGE)


def _status(bed: Testbed) -> None:
    for index in bed.indices():
        where = f"{bed.places.address(index)}  fabric {bed.places.address(index, 'fab')}"
        print(f"{bed.places.node(index)}  {where}  {_condition(bed, index)}")


def _condition(bed: Testbed, index: int) -> str:
    pid, used = bed.pid(index), groups.memory(bed.places, index)
    return f"up, pid {pid}, {used >> 20 if used else '?'} MiB" if pid else "down"


def _operate(bed: Testbed, argv: list[str]) -> None:
    home = bed.places.disk / "operator" / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = {**bed.operator_environment(home), "TERM": os.environ.get("TERM", "dumb")}
    os.execvpe("nsenter", bed.operator_argv(*argv), environment)


main(sys.argv[1:])
