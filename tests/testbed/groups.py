"""A node's control groups hold all its processes: it can be frozen, starved of memory, and ended whole.

Version 1 (a tree per controller) is what this is tested with; the version 2 paths are written from the
kernel's documentation and have not been run yet.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from tests.testbed.places import Places
from tests.testbed.waiting import until

CGROUPS = Path("/sys/fs/cgroup")
_V1 = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
_CPUSET_KNOBS = ("cpuset.cpus", "cpuset.mems")


def unified() -> bool:
    """Whether the machine has version 2 only."""
    return (CGROUPS / "cgroup.controllers").exists()


def parent(places: Places, index: int) -> str:
    """What the node's engine puts its containers under."""
    return f"/{places.prefix}-tb/{places.node(index)}"


def make(places: Places, index: int) -> list[Path]:
    """The node's groups; returns those that its first process joins."""
    groups = [tree / places.node(index) for tree in _trees(places)]
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
        if "cpuset" in group.parts:
            _fill_cpuset(group)
    return [_leaf_beside_containers(group) for group in groups] if unified() else groups


def freeze(places: Places, index: int, *, frozen: bool) -> None:
    """Stops every process of the node where it stands, or lets all go on."""
    for tree in _trees(places):
        old, new = (tree / places.node(index) / knob for knob in ("freezer.state", "cgroup.freeze"))
        if old.exists():
            state = "FROZEN" if frozen else "THAWED"
            old.write_text(state)
            until(lambda knob=old, state=state: knob.read_text().strip() == state, state)  # type: ignore[misc]
        elif new.exists():
            new.write_text(str(int(frozen)))


def limit_memory(places: Places, index: int, mebibytes: int | None) -> None:
    """All the node may use together; past it the kernel kills. None lifts the limit."""
    for tree in _trees(places):
        old, new = (tree / places.node(index) / knob for knob in ("memory.limit_in_bytes", "memory.max"))
        if old.exists():
            old.write_text("-1" if mebibytes is None else str(mebibytes << 20))
        elif new.exists():
            new.write_text("max" if mebibytes is None else str(mebibytes << 20))


def memory(places: Places, index: int) -> int | None:
    """Bytes the node uses now; None when nobody counts."""
    for tree in _trees(places):
        for knob in ("memory.usage_in_bytes", "memory.current"):
            with contextlib.suppress(OSError, ValueError):
                return int((tree / places.node(index) / knob).read_text())
    return None


def held(places: Places, index: int) -> int:
    """Bytes of it that the kernel cannot take back: not the cache of files."""
    names = {"anon", "shmem"} if unified() else {"total_rss", "total_shmem"}
    for tree in _trees(places):
        with contextlib.suppress(OSError):
            stat = (tree / places.node(index) / "memory.stat").read_text().split()
            return sum(int(v) for k, v in zip(stat[::2], stat[1::2], strict=True) if k in names)
    raise OSError(f"nobody counts the memory of {places.node(index)}")


def cpu_seconds(places: Places, index: int) -> float:
    """Processor time that the node has used since it was made, all its processes together."""
    if unified():
        return int((_trees(places)[0] / places.node(index) / "cpu.stat").read_text().split()[1]) / 1e6
    group = CGROUPS / "cpuacct" / f"{places.prefix}-tb" / places.node(index)
    return int((group / "cpuacct.usage").read_text()) / 1e9


def known(places: Places) -> set[int]:
    """The nodes that have groups."""
    names = {path.name for tree in _trees(places) if tree.is_dir() for path in tree.iterdir()}
    return {index for name in names if (index := places.index(name))}


def members(places: Places, index: int) -> set[int]:
    """Every process of the node, containers included, by the machine's numbers."""
    found: set[int] = set()
    for listing in (_trees(places)[0] / places.node(index)).rglob("cgroup.procs"):
        with contextlib.suppress(OSError):  # the group of a container that ends right now
            found |= {int(word) for word in listing.read_text().split()}
    return found - {0}


def end(places: Places, index: int) -> None:
    """Kills every process of the node and takes its groups away."""
    freeze(places, index, frozen=False)  # what is frozen does not die
    until(lambda: not _kill_all(places, index), f"{places.node(index)} ends", 30)
    for tree in _trees_with_runc(places):
        until(lambda tree=tree: _removed(tree / places.node(index)), "its groups go", 30)  # type: ignore[misc]


def remove(places: Places) -> None:
    """What is left of the testbed's trees."""
    for tree in _trees_with_runc(places):
        until(lambda tree=tree: _removed(tree), "the testbed's groups go", 30)  # type: ignore[misc]


def _trees(places: Places) -> list[Path]:
    roots = [CGROUPS] if unified() else [CGROUPS / name for name in _V1 if (CGROUPS / name).is_dir()]
    return [root / f"{places.prefix}-tb" for root in roots]


def _trees_with_runc(places: Places) -> list[Path]:
    """With both versions mounted, runc puts containers into the second one's tree too."""
    return [*_trees(places), CGROUPS / "unified" / f"{places.prefix}-tb"]


def _fill_cpuset(group: Path) -> None:
    """Version 1: a cpuset is unusable until it was told its processors."""
    for folder in (group.parent, group):
        for knob in _CPUSET_KNOBS:
            (folder / knob).write_text((CGROUPS / "cpuset" / knob).read_text())


def _leaf_beside_containers(group: Path) -> Path:
    """Version 2: processes live in leaves only, so the node's own get one beside those of its containers."""
    for folder in (CGROUPS, group.parent, group):
        for controller in (folder / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # one that may not be handed on is not missed
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
    leaf = group / "init"
    leaf.mkdir(exist_ok=True)
    return leaf


def _kill_all(places: Places, index: int) -> set[int]:
    left = members(places, index)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def _removed(group: Path) -> bool:
    """A group goes when its last process was buried, which may be a moment after its death."""
    for folder in sorted((g for g in group.rglob("*") if g.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
