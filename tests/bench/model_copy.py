"""A model to another node: `model copy` beside the rsync and scp that people use, between real nodes.

`python -m tests.bench.model_copy [--gib 2] [--rounds 3] [--megabits N]`; needs root and rsync. Eight shards
in the hub's cache. Wall time, bytes on the wire and processor time at both ends, medians; ratios in one run.
Ours ends when the bytes are on the disk and their hashes are right: its peer is `rsync --fsync; sha256sum`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.bench.table import show
from tests.real.conftest import Operator
from tests.testbed.fixtures import missing
from tests.testbed.places import FABRIC, Places
from tests.testbed.testbed import Testbed

MIB, SHARDS, LIMIT_S = 1 << 20, 8, 1800
HUB, MODEL, FOLDER = "/home/spark/.cache/huggingface/hub", "lab/eight", "models--lab--eight"
COMMIT = "c" * 40
KNOWN = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
FAST = f"{KNOWN} -c aes128-gcm@openssh.com"
TO = f"spark@{FABRIC}.12"
MAKE_SHARD = """
set -e; cd {hub}/{folder}
head -c {size} /dev/urandom >blobs/new
h=$(sha256sum blobs/new | cut -d ' ' -f 1); mv blobs/new "blobs/$h"
s=snapshots/{commit}/model-0000{number}-of-0000{shards}.safetensors
old=$(readlink "$s" || :); ln -sfn "../../blobs/$h" "$s"
[ -z "$old" ] || rm "snapshots/{commit}/$old"
"""


@dataclass(frozen=True)
class Cost:
    """What one copy took: seconds, bytes that the sender sent, processor seconds at both ends."""

    wall_s: float
    wire_bytes: float
    sender_s: float
    receiver_s: float


Way = Callable[["Scene"], None]


@dataclass(frozen=True)
class Scene:
    """A sender, a receiver, and the person who copies."""

    bed: Testbed
    person: Operator
    shard_bytes: int

    def shell(self, line: str) -> None:
        """A command of the sender's user."""
        told = f"cd {HUB} && {line} {FOLDER} {TO}:{HUB}/"
        done = self.bed.ssh(1, "sh", "-c", told, timeout=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def proved(self, line: str) -> None:
        """The same, and what arrived is read and compared with the names of the blobs, as ours does."""
        self.shell(line)
        sums = f'cd {HUB}/{FOLDER}/blobs && for b in *; do echo "$b  $b"; done | sha256sum --quiet -c'
        done = self.bed.ssh(2, "sh", "-c", sums, timeout=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def ours(self) -> None:
        """`model copy`, from its start to the proved end."""
        done = self.person.run("--yes", "model", "copy", MODEL, "--to", "spark2", timeout=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def shard(self, number: int) -> None:
        """A shard of new bytes on the sender."""
        told = MAKE_SHARD.format(
            hub=HUB, folder=FOLDER, commit=COMMIT, size=self.shard_bytes, number=number, shards=SHARDS
        )
        self.bed.exec(1, "bash", "-c", told, user="spark")

    def cost(self, way: Way) -> Cost:
        """One copy, measured; what is dirty in memory of the one before is written first."""
        os.sync()
        sent, began, cpu = _sent(self.bed), time.monotonic(), [self.bed.cpu_seconds(i) for i in (1, 2)]
        way(self)
        wall = time.monotonic() - began
        used = [self.bed.cpu_seconds(i) - before for i, before in zip((1, 2), cpu, strict=True)]
        return Cost(wall, _sent(self.bed) - sent, *used)

    def same(self) -> None:
        """Both ends have the same bytes under the same names."""
        sums = f"cd {HUB}/{FOLDER}/snapshots/{COMMIT} && cat -- * | sha256sum"
        ends = {self.bed.exec(index, "sh", "-c", sums) for index in (1, 2)}
        assert len(ends) == 1, "the copy is not what was copied"


USUAL = "rsync -a"
WAYS: Mapping[str, Way] = {
    "scp -r": lambda scene: scene.shell(f"scp -rq {KNOWN}"),
    USUAL: lambda scene: scene.shell(f"rsync -a -e 'ssh {KNOWN}'"),
    "rsync -a, aes128-gcm": lambda scene: scene.shell(f"rsync -a -e 'ssh {FAST}'"),
    "rsync -a --fsync, aes128-gcm; sha256sum": lambda scene: scene.proved(
        f"rsync -a --fsync -e 'ssh {FAST}'"
    ),
    "sparkconsole model copy": Scene.ours,
}


def _sent(bed: Testbed) -> int:
    """Bytes that the sender's own ports have sent."""
    lines = bed.read(1, "/proc/net/dev").splitlines()[2:]
    return sum(int(line.split()[9]) for line in lines if line.strip().startswith("en"))


def _full(scene: Scene) -> None:
    """The receiver has nothing of it."""
    scene.bed.exec(2, "rm", "-rf", f"{HUB}/{FOLDER}")


def _one(scene: Scene) -> None:
    """The receiver has all but one shard, which is new."""
    scene.shard(3)


def _none(scene: Scene) -> None:
    """The receiver has all of it."""


CASES = {"all of it is new": _full, "one shard is new": _one, "nothing is new": _none}


def _medians(scene: Scene, rounds: int) -> Iterator[tuple[str, str, Cost]]:
    """Ways take turns, so that what else the machine does meets all; each finds what it left itself."""
    costs: dict[tuple[str, str], list[Cost]] = {(case, name): [] for case in CASES for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            for case, prepare in CASES.items():
                prepare(scene)
                costs[case, name].append(scene.cost(way))
                scene.same()
    for (case, name), measured in costs.items():
        yield case, name, _median(measured)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))


def _table(scene: Scene, rounds: int) -> None:
    found = list(_medians(scene, rounds))
    usual = {case: cost for case, name, cost in found if name == USUAL}
    rows = [
        (
            case if name == next(iter(WAYS)) else "",
            name,
            f"{cost.wall_s:.1f}",
            f"{usual[case].wall_s / cost.wall_s:.2f}",
            f"{cost.wire_bytes / MIB:.0f}",
            f"{cost.sender_s:.1f}",
            f"{cost.receiver_s:.1f}",
        )
        for case, name, cost in found
    ]
    show(
        f"{scene.shard_bytes * SHARDS // MIB} MiB in {SHARDS} shards, medians of {rounds}",
        ("case", "way", "wall s", "x faster", "wire MiB", "CPU s sender", "CPU s receiver"), rows,
    )  # fmt: skip


@contextmanager
def _scene(gib: float, megabits: int | None) -> Iterator[Scene]:
    bed = Testbed(Places(os.environ.get("TESTBED_PREFIX", "sparkmodel")))
    bed.down()
    try:
        bed.up(2)
        with tempfile.TemporaryDirectory() as home:
            person = Operator(bed, Path(home))
            for index in (1, 2):
                person.run("node", "add", f"spark{index}", bed.places.address(index), "--user", "spark")
                bed.rate(index, megabits)
            assert person.run("--yes", "node", "trust").returncode == 0
            yield _laid(Scene(bed, person, round(gib * 1024 * MIB / SHARDS)))
    finally:
        bed.down()
        bed.clean()


def _laid(scene: Scene) -> Scene:
    """The sender has the model; the receiver has the folder that it goes to."""
    snapshot = f"{HUB}/{FOLDER}/snapshots/{COMMIT}"
    made = f"mkdir -p {snapshot} {HUB}/{FOLDER}/blobs {HUB}/{FOLDER}/refs"
    said = f"printf {COMMIT} >{HUB}/{FOLDER}/refs/main; echo '{{}}' >{snapshot}/config.json"
    scene.bed.exec(1, "sh", "-c", f"{made}; {said}", user="spark")
    scene.bed.exec(2, "mkdir", "-p", HUB, user="spark")
    for number in range(1, SHARDS + 1):
        scene.shard(number)
    return scene


def main() -> None:
    """One table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gib", type=float, default=2.0)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--megabits", type=int)
    given = asked.parse_args()
    if lacking := missing() + [tool for tool in ("rsync", "scp") if not shutil.which(tool)]:
        print(f"how fast models travel is not measured here: it needs {', '.join(lacking)}")
        return
    with _scene(given.gib, given.megabits) as scene:
        _table(scene, given.rounds)


if __name__ == "__main__":
    main()
