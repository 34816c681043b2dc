"""Which changes of a node a person would care about, each told once: links, errors, memory, GPU, container.

No input or output; times are the fleet clock's seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sparkconsole.model.docker import Container
from sparkconsole.model.telemetry import Flow, Reading
from sparkconsole.model.text import size

Change = tuple[str, str]
"""Level and sentence."""
CALM_S, FLAPPING_S = 5.0, 60.0
"""A link is told of at most that often: one that changed once, one that keeps changing."""
ERRORS_S = 600.0
TIGHT, ROOMY = 0.03, 0.06
"""Of the memory: below the first it is nearly full, above the second it is fine again."""


@dataclass(slots=True)
class _Link:
    up: bool
    told_up: bool
    changes: int = 0
    next_s: float = 0.0


class Changes:
    """Fed with a node's readings in their order."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}
        self._errors: dict[str, float] = {}
        self._tight = False
        self._gpu_error: str | None = None

    def of(self, now: Reading, at_s: float, netdevs: Mapping[str, str]) -> tuple[Change, ...]:
        """What this reading brought; `netdevs`: the RDMA device of an interface: both are one link."""
        links = dict(now.rails) | {
            n: f for n, f in now.nets.items() if n not in netdevs and not twin_of(n, now)
        }
        return (
            *self._link_changes(links, at_s),
            *self._new_errors(now.rails, at_s),
            *self._memory(now),
            *self._gpu(now),
        )

    def _link_changes(self, flows: Mapping[str, Flow], at_s: float) -> Iterator[Change]:
        """What changes together is told together."""
        due = [name for name, flow in flows.items() if flow.up is not None and self._due(name, flow.up, at_s)]
        for up in (False, True):
            told = [name for name in due if self._links[name].up is up]
            once = [n for n in told if self._links[n].changes == 1]
            if once:
                yield ("info" if up else "warning"), f"link {'up' if up else 'down'}: {', '.join(once)}"
            for name in (n for n in told if n not in once):
                count = self._links[name].changes
                yield "warning", f"link {name} changed {count} times, it is {'up' if up else 'down'} now"
        for name in due:
            link = self._links[name]
            link.next_s = at_s + (CALM_S if link.changes == 1 else FLAPPING_S)
            link.told_up, link.changes = link.up, 0

    def _due(self, name: str, up: bool, at_s: float) -> bool:
        link = self._links.setdefault(name, _Link(up, up))
        if link.up is not up:
            link.up, link.changes = up, link.changes + 1
        return link.changes > 0 and at_s >= link.next_s

    def _new_errors(self, rails: Mapping[str, Flow], at_s: float) -> Iterator[Change]:
        for name, flow in rails.items():
            if flow.errors and at_s >= self._errors.get(name, at_s):
                self._errors[name] = at_s + ERRORS_S
                yield "warning", f"{name}: {flow.errors} new errors"

    def _memory(self, now: Reading) -> Iterator[Change]:
        if now.memory is None or not now.memory.total:
            return
        share = now.memory.available / now.memory.total
        if not self._tight and share < TIGHT:
            self._tight = True
            yield "warning", f"memory nearly full: {size(now.memory.available)} left"
        elif self._tight and share > ROOMY:
            self._tight = False
            yield "info", f"memory is free again: {size(now.memory.available)}"

    def _gpu(self, now: Reading) -> Iterator[Change]:
        """A machine without a GPU says so from the start, which is no news."""
        if not now.gpus and not now.gpu_error:
            return
        before, self._gpu_error = self._gpu_error, now.gpu_error
        if before is None or before == now.gpu_error:
            return
        yield ("warning", f"GPU: {now.gpu_error}") if now.gpu_error else ("info", "the GPU answers again")


def twin_of(interface: str, now: Reading) -> bool:
    """The kernel calls both after the same slot: `rocep1s0f1` and `enp1s0f1np1`."""
    return any(interface.startswith(f"en{rail.removeprefix('roce')}") for rail in now.rails if "roce" in rail)


def container_change(
    name: str, before: Iterable[Container] | None, now: Iterable[Container]
) -> Change | None:
    """What became of the cluster's container; None: nothing, or nobody knew it before."""
    if before is None:
        return None
    old = next((c for c in before if c.name == name), None)
    new = next((c for c in now if c.name == name), None)
    if new is None:
        return ("info", f"container {name} is gone") if old else None
    if old is not None and (old.id, old.state, old.started_at) == (new.id, new.state, new.started_at):
        return None
    if new.running:
        return "info", f"container {name} {'was started again' if old and old.running else 'runs'}"
    if new.state in ("exited", "dead"):
        why = ", out of memory" if new.oom_killed else ""
        level = "info" if new.exit_code == 0 else "warning"
        return level, f"container {name} ended with {new.exit_code}{why}"
    return "info", f"container {name} is {new.state}"
