"""An image to other nodes: our copy beside the two pipelines that people use, between real engines and sshd.

`python -m tests.bench.copy [--gib 3] [--rounds 5] [--scenes graph,containerd,back,three]
[--cases all,top,same] [--disk]`; needs root and Docker. Engines keep their data in memory, as a stand-in for
the NVMe of a Spark; `--disk`: on this machine's disk. Wall time, bytes on the wire and processor time at both
ends, medians; every ratio is within one run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.bench.table import show
from tests.real.conftest import Operator
from tests.real.package_index import made
from tests.testbed.fixtures import missing
from tests.testbed.places import FABRIC, Places
from tests.testbed.testbed import Testbed

BASE, BIG, TAG, MIB = "copy-base:1", "copy-big:1", "copy-bench:1", 1 << 20
TOP_SHARE = 0.08
"""Of the image that a rebuild changes, as a rebuilt vLLM does."""
SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
SAVED = (
    "docker save -o /tmp/bench.tar {tag} && cat /tmp/bench.tar | {ssh} {to} docker load; rm /tmp/bench.tar"
)
PIPED = "docker save {tag} | {ssh} {to} docker load"
LIMIT_S = 1800
MEGABITS = 200
"""Three receivers share this machine's processors; at this rate the wire is what takes the time, as it is
where each receiver has processors of its own."""


@dataclass(frozen=True)
class Cost:
    """What one copy took: seconds, bytes that the sender sent, processor seconds at the sender and beyond."""

    wall_s: float
    wire_bytes: float
    sender_s: float
    receivers_s: float


@dataclass(frozen=True, eq=False)
class Scene:
    """A sender, receivers, the person who copies, and the size of the image."""

    bed: Testbed
    person: Operator
    receivers: tuple[int, ...]
    mebibytes: int

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
        assert "docker save:" not in done.stdout, done.stdout

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


Way = Callable[[Scene], None]
SEED, USUAL, OURS = (
    "save to a file, cat | ssh docker load",
    "docker save | ssh docker load",
    "sparkconsole image copy",
)
WAYS: Mapping[str, Way] = {
    SEED: lambda scene: scene.shell(SAVED),
    USUAL: lambda scene: scene.shell(PIPED),
    OURS: Scene.ours,
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


# --- what the receivers have beforehand


def _full(scene: Scene) -> None:
    """Nothing of it."""
    for index in scene.receivers:
        scene.bed.exec(index, "docker", "rmi", "--force", TAG, check=False)
    _forget_nameless(scene.bed, scene.receivers)


def _forget_nameless(bed: Testbed, indices: Sequence[int]) -> None:
    """What a new layer took the name from would fill this machine's memory in some rounds."""
    for index in indices:
        bed.exec(index, "docker", "image", "prune", "--force")


def _top(scene: Scene) -> None:
    """All but the last layer, which is new. An image that ends before it holds the others there."""
    _forget_nameless(scene.bed, (1, *scene.receivers))
    for index in scene.receivers:
        if TAG not in scene.bed.exec(index, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}"):
            scene.ours()
        scene.bed.exec(index, "docker", "tag", TAG, "copy-kept:1")
    _layer(scene.bed, TAG, BIG, round(scene.mebibytes * TOP_SHARE))


def _same(scene: Scene) -> None:
    """All of it."""


CASES: dict[str, Callable[[Scene], None]] = {
    "all of it is new": _full, "the top layer is new": _top, "nothing is new": _same,
}  # fmt: skip

CASE_WORDS = dict(zip(("all", "top", "same"), CASES, strict=True))


def _medians(scene: Scene, rounds: Mapping[str, int]) -> Iterator[tuple[str, str, Cost]]:
    """Ways take turns within each case, so that what else the machine does meets all of them."""
    _build(scene.bed, scene.mebibytes)
    for case, prepare in CASES.items():
        costs: dict[str, list[Cost]] = {name: [] for name, most in rounds.items() if most}
        for turn in range(max(rounds.values())):
            for name in (n for n in costs if turn < _most(rounds, n, prepare)):
                prepare(scene)
                costs[name].append(scene.cost(WAYS[name]))
        for name, measured in costs.items():
            yield case, name, _median(measured)
    for index in scene.receivers:
        scene.bed.exec(index, "docker", "rmi", "--force", TAG, "copy-kept:1", check=False)
    _forget_nameless(scene.bed, scene.receivers)


def _most(rounds: Mapping[str, int], name: str, prepare: Callable[[Scene], None]) -> int:
    """Where nothing is new the others send all of it once more, as often as once is enough to see."""
    return rounds[name] if name == OURS or prepare is not _same else min(rounds[name], 1)


def _median(costs: Sequence[Cost]) -> Cost:
    columns = zip(*((c.wall_s, c.wire_bytes, c.sender_s, c.receivers_s) for c in costs), strict=True)
    return Cost(*(statistics.median(column) for column in columns))


def _table(title: str, scene: Scene, rounds: Mapping[str, int]) -> None:
    found = list(_medians(scene, rounds))
    usual = {case: cost for case, name, cost in found if name == USUAL}
    rows = [
        (
            case, name, f"{cost.wall_s:.1f}", f"{usual[case].wall_s / cost.wall_s:.1f}",
            f"{cost.wire_bytes / MIB:.0f}", f"{cost.sender_s:.1f}", f"{cost.receivers_s:.1f}",
        )
        for case, name, cost in found
    ]  # fmt: skip
    told = ", ".join(f"{most} of {name.split()[0]}…" for name, most in rounds.items() if most)
    show(
        f"{title}: {scene.mebibytes} MiB, top layer {round(scene.mebibytes * TOP_SHARE)}; medians ({told})",
        ("case", "way", "wall s", "x faster", "wire MiB", "CPU s sender", "CPU s receivers"), rows,
    )  # fmt: skip


# --- scenes


def _graph(bed: Testbed, person: Operator, mebibytes: int, rounds: Mapping[str, int]) -> None:
    _table("graph driver to graph driver", Scene(bed, person, (2,), mebibytes), rounds)


def _containerd(bed: Testbed, person: Operator, mebibytes: int, rounds: Mapping[str, int]) -> None:
    bed.use_engine(2, "trixie", containerd=True)
    _table(f"graph driver to containerd ({_version(bed, 2)})", Scene(bed, person, (2,), mebibytes), rounds)
    bed.use_engine(2)


def _back(bed: Testbed, person: Operator, mebibytes: int, rounds: Mapping[str, int]) -> None:
    bed.use_engine(1, "trixie", containerd=True)
    _base(bed)
    _table(f"containerd ({_version(bed, 1)}) to graph driver", Scene(bed, person, (2,), mebibytes), rounds)
    bed.use_engine(1)


def _three(bed: Testbed, person: Operator, mebibytes: int, rounds: Mapping[str, int]) -> None:
    """One receiver and three in turn, each at the same rate."""
    one, three = (Scene(bed, person, who, mebibytes) for who in ((2,), (2, 3, 4)))
    for index in (2, 3, 4):
        bed.rate(index, MEGABITS)
    rows = []
    _build(bed, mebibytes)
    for case, prepare in ((c, p) for c, p in CASES.items() if p is not _same):
        costs: dict[Scene, list[Cost]] = {one: [], three: []}
        for _ in range(rounds[OURS] if prepare is _top else 1):
            for scene, measured in costs.items():
                prepare(three)
                measured.append(scene.cost(Scene.ours))
        first, both = _median(costs[one]), _median(costs[three])
        rows.append((
            case, f"{first.wall_s:.1f}", f"{both.wall_s:.1f}", f"{both.wall_s / first.wall_s:.2f}",
            f"{first.sender_s:.1f}", f"{both.sender_s:.1f}",
        ))  # fmt: skip
    show(
        f"three receivers beside one, {MEGABITS} Mbit/s to each",
        ("case", "one, s", "three, s", "three / one", "CPU s sender, one", "three"), rows,
    )  # fmt: skip
    for index in (2, 3, 4):
        bed.rate(index, None)


SCENES = {"graph": _graph, "containerd": _containerd, "back": _back, "three": _three}


def _version(bed: Testbed, index: int) -> str:
    return "Docker " + bed.exec(index, "docker", "version", "--format", "{{.Server.Version}}").strip()


@contextmanager
def _in_memory(folder: Path) -> Iterator[None]:
    """What is kept there is kept in memory meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=80%", "bench", str(folder)), check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True, timeout=60)


@contextmanager
def _bed(count: int, *, disk: bool) -> Iterator[tuple[Testbed, Operator]]:
    bed = Testbed(Places("sparkcopy"))
    bed.down()
    bed.clean()
    kept = nullcontext() if disk else _in_memory(bed.places.disk)
    with kept, _nodes(bed, count) as person:
        yield bed, person


@contextmanager
def _nodes(bed: Testbed, count: int) -> Iterator[Operator]:
    try:
        bed.up(count)
        with tempfile.TemporaryDirectory() as home:
            person = Operator(bed, Path(home))
            for index in range(1, count + 1):
                person.run("node", "add", f"spark{index}", bed.places.address(index), "--user", "spark")
            assert person.run("--yes", "node", "trust").returncode == 0
            yield person
    finally:
        bed.down()


def _base(bed: Testbed) -> None:
    """A base with a python3, as a vLLM image has."""
    bed.exec(1, "docker", "import", "-", BASE, stdin=made("make-base.sh", "base.tar").read_bytes())


def _build(bed: Testbed, mebibytes: int) -> None:
    """A new image: nearly all of the bytes below, the rest on top."""
    _layer(bed, BIG, BASE, round(mebibytes * (1 - TOP_SHARE)))
    _layer(bed, TAG, BIG, round(mebibytes * TOP_SHARE))
    _forget_nameless(bed, (1,))


def main() -> None:
    """One table for each scene."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--gib", type=float, default=3.0, help="between graph drivers; 2 at the most elsewhere"
    )
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seed-rounds", type=int, default=1, help="of the way through a file")
    asked.add_argument("--scenes", default=",".join(SCENES))
    asked.add_argument("--cases", default="all,top,same")
    asked.add_argument("--disk", action="store_true")
    given = asked.parse_args()
    if lacking := missing():
        print(f"how fast images travel is not measured here: it needs {', '.join(lacking)}")
        return
    for word in set(CASE_WORDS) - set(given.cases.split(",")):
        CASES.pop(CASE_WORDS[word])
    scenes = [SCENES[word] for word in given.scenes.split(",")]
    rounds = {SEED: given.seed_rounds, USUAL: given.rounds, OURS: given.rounds}
    with _bed(4 if _three in scenes else 2, disk=given.disk) as (bed, person):
        _base(bed)
        for scene in scenes:
            # Three receivers, or an image beside its blobs, need more of this machine's memory than it has.
            scene(bed, person, round(1024 * (given.gib if scene is _graph else min(given.gib, 2))), rounds)


if __name__ == "__main__":
    main()
