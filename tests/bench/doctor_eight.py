"""How long the doctor takes on eight nodes and how many logins that is, beside a few tools by fresh logins.

On real nodes of the testbed, which share this machine's cores; needs root and Docker.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.table import show
from tests.testbed.fixtures import missing
from tests.testbed.places import Places
from tests.testbed.testbed import Testbed

NODES, BUDGET_S = 8, 10.0
PROGRAM = str(Path(sys.executable).parent / "sparkconsole")
TOOLS = ("nvidia-smi", "docker ps -a", "ip addr", "df -h", "free")


def _seconds(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def _logins(bed: Testbed) -> list[int]:
    return [len(bed.logins(index)) for index in range(1, NODES + 1)]


def _rows(bed: Testbed, environment: dict[str, str]) -> list[tuple[str, str, str]]:
    def say(*words: str) -> str:
        done = bed.operator((PROGRAM, *words), environment, timeout=120)
        if not done.stdout.strip() and done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    for index in range(1, NODES + 1):
        say("node", "add", f"spark{index}", bed.places.address(index), "--user", "spark")
    say("--yes", "node", "trust")
    rows = []
    for words in (("doctor",), ("doctor", "clock"), ("doctor", "mtu-path")):
        before, told = _logins(bed), ""

        def ask(words: tuple[str, ...] = words) -> None:
            nonlocal told
            told = say("--json", *words)

        took = _seconds(ask)
        more = max(now - then for now, then in zip(_logins(bed), before, strict=True))
        said = len(json.loads(told)["findings"])
        rows.append((f"{' '.join(words)} ({said} answers)", f"{took:.1f}", f"{more}"))
    by_hand = _seconds(lambda: [bed.ssh(i, *t.split()) for i in range(1, NODES + 1) for t in TOOLS])
    rows.append((f"{len(TOOLS)} tools on each, by fresh logins", f"{by_hand:.1f}", f"{len(TOOLS)}"))
    return [*rows, ("budget of the whole", f"{BUDGET_S:.0f}", "1")]


def main() -> None:
    """Eight nodes of its own, away afterwards."""
    lacking = missing()
    if lacking:
        print(f"the doctor on eight nodes is not measured here: it needs {', '.join(lacking)}")
        return
    bed = Testbed(Places(os.environ.get("TESTBED_PREFIX", "sparkeight")))
    bed.down()
    try:
        bed.up(NODES)
        with tempfile.TemporaryDirectory() as home:
            rows = _rows(bed, bed.operator_environment(Path(home)))
        show(f"{NODES} nodes", ("what", "seconds", "most logins of a node"), rows)
    finally:
        bed.down()
        bed.clean()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
