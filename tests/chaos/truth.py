"""What the nodes say when they are asked past the console and past SSH."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.record import Leftover
from tests.testbed.testbed import Testbed

PATIENCE_S = 20.0
"""An engine that does not answer in this time cannot be read."""
OURS = re.compile(
    r"docker (?:save|load|build|exec|run|pull|events|logs)|programs send|compile\(|model (?:send|receive)"
    r"|\bjob-|JOB_DIR|/run/chaos/"
)
"""Processes that a verb starts on nodes."""
_HALF = "find /home/spark -name '*.incomplete' -o -name '*.part'; ls -A /var/lib/docker/tmp"


@dataclass(frozen=True)
class NodeTruth:
    """One node at one moment; a node that is off has nothing to say."""

    up: bool
    containers: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    """Images without a name."""
    processes: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    half: frozenset[str] = frozenset()


def look(bed: Testbed, index: int) -> NodeTruth:
    """Everything of a verb that can be on a node."""
    if bed.pid(index) is None:
        return NodeTruth(up=False)
    half = bed.exec(index, "sh", "-c", _HALF, check=False, timeout=PATIENCE_S).split()
    return NodeTruth(
        True,
        frozenset(bed.containers(index)),
        frozenset(name for name in images(bed, index) if name.startswith("<none>")),
        frozenset(running(bed, index)),
        frozenset(bed.listening(index)),
        frozenset(bed.leftovers(index)) - frozenset(half),
        frozenset(half),
    )


def images(bed: Testbed, index: int) -> dict[str, str]:
    """Per name the id of every image; one without a name is called `<none> ID`. RuntimeError: no answer."""
    words = ("docker", "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    lines = bed.exec(index, *words, timeout=PATIENCE_S).splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines]
    return {f"<none> {number}" if "<none>" in name else name: number for name, number in pairs}


def running(bed: Testbed, index: int, pattern: re.Pattern[str] = OURS) -> list[str]:
    """Command lines of what a verb started there and that still runs."""
    return [line.partition(" ")[2][:160] for line in bed.processes(index, pattern.pattern)]


def inside(bed: Testbed, index: int, path: str) -> Path:
    """A path of the node as this machine sees it; nothing is there while the node is off."""
    return Path(f"/proc/{bed.pid(index) or 'none'}/root{path}")


def readable(question: Callable[[], bool]) -> bool | None:
    """The answer; None when a node of it is off or its engine does not answer: not the same as no."""
    try:
        return question()
    except (RuntimeError, subprocess.TimeoutExpired, OSError):
        return None


def in_trouble(bed: Testbed, index: int) -> bool:
    """A person could not log in there, or its engine does not answer."""
    try:
        done = bed.ssh(index, "docker", "version", timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def logs_in(bed: Testbed, index: int) -> bool:
    """A person at the operator's machine can log in there."""
    try:
        return bed.pid(index) is not None and bed.ssh(index, "true", timeout=5).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def left(node: str, before: NodeTruth, after: NodeTruth) -> list[Leftover]:
    """What is there now and was not before."""
    if not after.up:
        return [Leftover(node, "node", "it is off")]
    pairs: Iterable[tuple[str, frozenset[str], frozenset[str]]] = (
        ("process", before.processes, after.processes), ("port", before.ports, after.ports),
        ("container", before.containers, after.containers), ("file", before.files, after.files),
        ("half", before.half, after.half), ("layer", before.layers, after.layers),
    )  # fmt: skip
    return [Leftover(node, kind, what) for kind, old, new in pairs for what in sorted(new - old)]
