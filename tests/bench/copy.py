"""An image to other nodes: our copy beside the two pipelines that people use, between real engines over sshd.

`python -m tests.bench.copy [--gib 2] [--rounds 5] [--receivers 1,3] [--megabits N]`; needs root and Docker.
Wall time, bytes on the wire and processor time at both ends, medians; every ratio is within one run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.table import show
from tests.real.conftest import CACHE, RECIPE, Operator
from tests.testbed.fixtures import missing
from tests.testbed.places import FABRIC, Places
from tests.testbed.testbed import Testbed

BASE, TAG, MIB = "copy-base:1", "copy-bench:1", 1 << 20
TOP_SHARE = 0.08
"""Of the image that a rebuild changes, as a rebuilt vLLM does."""
SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
SAVED = (
    "docker save -o /tmp/bench.tar {tag} && cat /tmp/bench.tar | {ssh} {to} docker load; rm /tmp/bench.tar"
)
PIPED = "docker save {tag} | {ssh} {to} docker load"
LIMIT_S = 1800


@dataclass(frozen=True)
class Cost:
    """What one copy took: seconds, bytes that the sender sent, processor seconds at the sender and beyond."""

    wall_s: float
    wire_bytes: float
    sender_s: float
    receivers_s: float


Way = Callable[["Scene"], None]


@dataclass(frozen=True)
class Scene:
    """A sender, receivers, and the person who copies."""

    bed: Testbed
    person: Operator
    receivers: tuple[int, ...]

    def shell(self, line: str) -> None:
        """A pipeline of the sender's user, to one receiver after the other."""
        for index in self.receivers:
            told = line.format(tag=TAG, ssh=SSH, to=f"spark@{FABRIC}.{10 + index}")
            self.bed.exec(1, "sh", "-c", told, user="spark", timeout=LIMIT_S)

    def ours(self) -> None:
        """`image copy`, to all of them at the same time."""
        names = ",".join(f"spark{index}" for index in self.receivers)
        done = self.person.run("--yes", "image", "copy", TAG, "--to", names, "--parallel", timeout=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def cost(self, way: Way) -> Cost:
        """One copy, measured."""
        sent, began = _sent(self.bed), time.monotonic()
        sender, others = self.bed.cpu_seconds(1), self._others_s()
        way(self)
        return Cost(
            time.monotonic() - began,
            _sent(self.bed) - sent,
            self.bed.cpu_seconds(1) - sender,
            self._others_s() - others,
        )

    def _others_s(self) -> float:
        return sum(self.bed.cpu_seconds(index) for index in self.receivers)


WAYS: Mapping[str, Way] = {
    "save to a file, cat | ssh docker load": lambda scene: scene.shell(SAVED),
    "docker save | ssh docker load": lambda scene: scene.shell(PIPED),
    "sparkconsole image copy": Scene.ours,
}


def _sent(bed: Testbed) -> int:
    """Bytes that the sender's own ports have sent."""
    lines = bed.read(1, "/proc/net/dev").splitlines()[2:]
    return sum(int(line.split()[9]) for line in lines if line.strip().startswith("en"))


def _layer(bed: Testbed, name: str, below: str, mebibytes: int) -> None:
    """An image on the sender with one layer more, of bytes that nothing makes smaller."""
    make = f"head -c {mebibytes * MIB} /dev/urandom >$(mktemp /layer-XXXXXXXX)"
    bed.exec(1, "docker", "run", "--network", "none", "--name", "layering", below, "sh", "-c", make)
    bed.exec(1, "docker", "commit", "layering", name)
    bed.exec(1, "docker", "rm", "layering")


def _forget(bed: Testbed, receivers: Sequence[int], *tags: str) -> None:
    for index in receivers:
        bed.exec(index, "docker", "rmi", "--force", *tags, check=False)
        bed.exec(index, "docker", "image", "prune", "--force")


def _full(scene: Scene, mebibytes: int) -> None:
    """The receivers have nothing of it."""
    _forget(scene.bed, scene.receivers, TAG, "copy-big:1")


def _top(scene: Scene, mebibytes: int) -> None:
    """The receivers have all but the last layer, which is new."""
    _layer(scene.bed, TAG, "copy-big:1", round(mebibytes * TOP_SHARE))


def _same(scene: Scene, mebibytes: int) -> None:
    """The receivers have all of it."""


CASES = {"all of it is new": _full, "the top layer is new": _top, "nothing is new": _same}


def _medians(scene: Scene, mebibytes: int, rounds: int) -> Iterator[tuple[str, str, Cost]]:
    """Ways take turns within each case, so that what else the machine does meets all of them."""
    for case, prepare in CASES.items():
        costs: dict[str, list[Cost]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, way in WAYS.items():
                prepare(scene, mebibytes)
                costs[name].append(scene.cost(way))
        for name, measured in costs.items():
            yield case, name, _median(measured)


def _median(costs: Sequence[Cost]) -> Cost:
    columns = zip(*((c.wall_s, c.wire_bytes, c.sender_s, c.receivers_s) for c in costs), strict=True)
    return Cost(*(statistics.median(column) for column in columns))


def _table(scene: Scene, mebibytes: int, rounds: int) -> None:
    found = list(_medians(scene, mebibytes, rounds))
    usual = {case: cost for case, name, cost in found if name == "docker save | ssh docker load"}
    rows = [
        (
            case if name == next(iter(WAYS)) else "",
            name,
            f"{cost.wall_s:.1f}",
            f"{usual[case].wall_s / cost.wall_s:.1f}",
            f"{cost.wire_bytes / MIB:.0f}",
            f"{cost.sender_s:.1f}",
            f"{cost.receivers_s:.1f}",
        )
        for case, name, cost in found
    ]
    count = len(scene.receivers)
    show(
        f"{mebibytes} MiB to {count} receiver{'s' * (count != 1)}, medians of {rounds}",
        ("case", "way", "wall s", "x faster", "wire MiB", "CPU s sender", "CPU s receivers"), rows,
    )  # fmt: skip


@contextmanager
def _bed(count: int, megabits: int | None) -> Iterator[tuple[Testbed, Operator]]:
    bed = Testbed(Places("sparkcopy"))
    bed.down()
    try:
        bed.up(count)
        with tempfile.TemporaryDirectory() as home:
            person = Operator(bed, Path(home))
            for index in range(1, count + 1):
                person.run("node", "add", f"spark{index}", bed.places.address(index), "--user", "spark")
                bed.rate(index, megabits)
            assert person.run("--yes", "node", "trust").returncode == 0
            yield bed, person
    finally:
        bed.down()
        bed.clean()


def _base(bed: Testbed, mebibytes: int) -> None:
    """A base with a python3, as a vLLM image has, and nearly all of the bytes on it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run((str(RECIPE / "make-base.sh"), str(CACHE / "base.tar")), check=True, timeout=900)
    bed.exec(1, "docker", "import", "-", BASE, stdin=(CACHE / "base.tar").read_bytes())
    _layer(bed, "copy-big:1", BASE, round(mebibytes * (1 - TOP_SHARE)))
    _layer(bed, TAG, "copy-big:1", round(mebibytes * TOP_SHARE))


def main() -> None:
    """One table for each number of receivers."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gib", type=float, default=2.0)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--receivers", default="1,3")
    asked.add_argument("--megabits", type=int)
    given = asked.parse_args()
    if lacking := missing():
        print(f"how fast images travel is not measured here: it needs {', '.join(lacking)}")
        return
    counts = [int(word) for word in given.receivers.split(",")]
    mebibytes = round(given.gib * 1024)
    with _bed(max(counts) + 1, given.megabits) as (bed, person):
        _base(bed, mebibytes)
        for count in counts:
            scene = Scene(bed, person, tuple(range(2, count + 2)))
            _forget(bed, scene.receivers, TAG, "copy-big:1")
            _table(scene, mebibytes, given.rounds)


if __name__ == "__main__":
    main()
