"""Which changes of a node a person would care about, each told once: links, errors, memory, GPU, container.

No input or output; times are the fleet clock's seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sparkconsole.clock import Allowance
from sparkconsole.model.docker import Container
from sparkconsole.model.logs.kernel import death
from sparkconsole.model.serve.memory_guard import Alarm, MemoryPoint, MemoryWatch
from sparkconsole.model.telemetry import LinkTraffic, Reading, is_stuck
from sparkconsole.model.text.units import size

Change = tuple[str, str]
"""Level and sentence."""
CALM_S, FLAPPING_S = 5.0, 60.0
"""A link is told of at most that often: one that changed once, one that keeps changing."""
ERRORS_S = 600.0
KERNEL_S = 60.0
"""One kind of death is told of at most that often."""
LOSSY = 100
"""Lost or late packets a second that RDMA no longer takes lightly."""
STUCK_READINGS = 30
MOST_CHANGES, CHANGES_S = 30, 0.1
"""What a node's readings may bring at once, and a second: other nodes have news too."""
MOST_TIMES = 500
"""Names that wait until they may be told again."""


@dataclass(slots=True)
class _Link:
    up: bool
    changes: int = 0
    next_s: float = 0.0


class ChangeDetector:
    """Fed with a node's readings in their order."""

    def __init__(self) -> None:
        self._left = Allowance(MOST_CHANGES, CHANGES_S)
        self._links: dict[str, _Link] = {}
        self._next: dict[str, float] = {}
        self.memory = MemoryWatch()
        self._gpu_error: str | None = None
        self._rails: dict[str, bool | None] = {}
        self._narrow: set[str] = set()
        self._stuck = 0

    def feed(self, now: Reading, at_s: float, netdevs: Mapping[str, str]) -> tuple[Change, ...]:
        """What this reading brought; `netdevs`: the RDMA device of an interface: both are one link."""
        links = dict(now.rails) | {
            n: f for n, f in now.nets.items() if n not in netdevs and not twin_of(n, now)
        }
        self._links = {name: link for name, link in self._links.items() if name in links}
        self._next = {what: then for what, then in self._next.items() if then > at_s}
        changes = (
            *self._link_changes(links, at_s),
            *self._new_errors(now.rails, at_s),
            *self._memory(now, at_s),
            *self._gpu(now),
            *self._kernel(now, at_s),
            *self._cards(now),
            *self._held(now),
        )
        few = tuple(change for change in changes if self._left.takes(1, at_s))
        if len(few) == len(changes) or not self._again("too much", at_s, ERRORS_S):
            return few
        return *few, ("warning", f"says too much: more than {MOST_CHANGES} changes; the rest is left out")

    def _link_changes(self, flows: Mapping[str, LinkTraffic], at_s: float) -> Iterator[Change]:
        """What changes together is told together."""
        due = [name for name, flow in flows.items() if flow.up is not None and self._due(name, flow.up, at_s)]
        for up in (False, True):
            names = [name for name in due if self._links[name].up is up]
            once = [n for n in names if self._links[n].changes == 1]
            if once:
                yield ("info" if up else "warning"), f"link {'up' if up else 'down'}: {', '.join(once)}"
            for name in (n for n in names if n not in once):
                count = self._links[name].changes
                yield "warning", f"link {name} changed {count} times, it is {'up' if up else 'down'} now"
        for name in due:
            link = self._links[name]
            link.next_s = at_s + (CALM_S if link.changes == 1 else FLAPPING_S)
            link.changes = 0

    def _due(self, name: str, up: bool, at_s: float) -> bool:
        link = self._links.setdefault(name, _Link(up))
        if link.up is not up:
            link.up, link.changes = up, link.changes + 1
        return link.changes > 0 and at_s >= link.next_s

    def _new_errors(self, rails: Mapping[str, LinkTraffic], at_s: float) -> Iterator[Change]:
        for name, flow in rails.items():
            if flow.errors and self._again(name, at_s, ERRORS_S):
                yield "warning", f"{name}: {flow.errors} new errors{_named(flow)}"
            elif flow.losses >= LOSSY and self._again(f"{name} loses", at_s, ERRORS_S):
                yield "warning", f"{name} loses packets: {flow.losses} in a second{_named(flow)}"

    def _kernel(self, now: Reading, at_s: float) -> Iterator[Change]:
        """Deaths; where the log may not be read, at least what the kernel counts."""
        if now.kernel is None and now.oom_kills:
            yield "error", f"out of memory: the kernel killed {now.oom_kills} processes"
        for line in now.kernel or ():
            found = death(line)
            if found and self._again(f"kernel {found.id}", at_s, KERNEL_S):
                yield found.level, f"kernel: {found.meaning}: {line[:160]}"

    def _again(self, what: str, at_s: float, pause: float) -> bool:
        """True at most once in `pause`."""
        due = at_s >= self._next.get(what, at_s)
        if due and len(self._next) < MOST_TIMES:
            self._next[what] = at_s + pause
        return due

    def _cards(self, now: Reading) -> Iterator[Change]:
        """Devices that are no longer there, and those that came up on fewer lanes than they have."""
        gone = [name for name in self._rails if name not in now.rails]
        if gone:
            had_link = any(self._rails[name] for name in gone)
            yield ("warning" if had_link else "info"), f"no longer there: {', '.join(gone)}"
        for name, flow in now.rails.items():
            if flow.up is not None or name not in self._rails:
                self._rails[name] = flow.up
        self._rails = {name: up for name, up in self._rails.items() if name in now.rails}
        narrow = {name for name, bus in now.buses.items() if bus.narrow}
        for name in sorted(narrow - self._narrow):
            bus = now.buses[name]
            yield "warning", f"{name} has PCIe {bus}, not {bus.most_speed:g} GT/s x{bus.most_width:g}"
        self._narrow = narrow

    def _held(self, now: Reading) -> Iterator[Change]:
        """Told once the state has lasted, until it ends."""
        self._stuck = self._stuck + 1 if any(is_stuck(gpu) for gpu in now.gpus) else 0
        if self._stuck == STUCK_READINGS:
            yield "warning", "the GPU is stuck at low power: pull the power cord for a minute, then boot"

    def _memory(self, now: Reading, at_s: float) -> Iterator[Change]:
        """Each step towards the freeze line, and the way back."""
        if now.memory is None or not now.memory.total:
            return
        seen, before = now.memory, self.memory.verdict.alarm
        swapped, stalled = seen.swap_total - seen.swap_free, now.pressures.get("memory full")
        found = self.memory.add(MemoryPoint(at_s, seen.available, swapped, stalled), seen.total)
        if found.alarm > before:
            yield ("error" if found.alarm is Alarm.LINE else "warning"), found.sentence
        elif found.alarm is Alarm.CALM and before:
            yield "info", f"memory is free again: {size(seen.available)}"

    def _gpu(self, now: Reading) -> Iterator[Change]:
        """A machine without a GPU says so from the start, which is no news."""
        if not now.gpus and not now.gpu_error:
            return
        before, self._gpu_error = self._gpu_error, now.gpu_error
        if before is None or before == now.gpu_error:
            return
        yield ("warning", f"GPU: {now.gpu_error}") if now.gpu_error else ("info", "the GPU answers again")


def _named(flow: LinkTraffic) -> str:
    """` (link_downed 1)`"""
    text = ", ".join(f"{name} {count}" for name, count in flow.counts.items())
    return f" ({text})" if text else ""


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
