"""One gate: ends, paths and rates together, what is wrong, and a line per pair and rail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.fabric.ends import judge_ends
from sparkconsole.model.fabric.links import Fabric, NodeNetwork
from sparkconsole.model.fabric.paths import Path, Paths, judge_paths
from sparkconsole.model.fabric.rates import Rate, Unmeasured, earlier, judge_rate, judge_unmeasured
from sparkconsole.model.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class PairLine:
    """Two nodes and one rail: both directions' paths, and what was measured one way."""

    there: Path
    back: Path | None
    rate: Rate | None = None
    before: float | None = None
    """The median of earlier gates, Gb/s."""
    unmeasured: Unmeasured | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The directions that were looked at."""
        return (self.there,) if self.back is None else (self.there, self.back)

    @property
    def interface(self) -> str:
        """Both ends', where they differ."""
        here, far = self.there.way.rail.interface, self.there.way.far.interface
        return here if here == far else f"{here}/{far}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """About this line alone."""
        rates = (judge_rate(self.rate, self.before),) if self.rate else ()
        why = (judge_unmeasured(self.unmeasured),) if self.unmeasured else ()
        return (*judge_paths(Paths(self.paths)), *rates, *why)

    @property
    def verdict(self) -> Severity:
        """The worst of them."""
        return worst(self.findings)

    @property
    def answers(self) -> str:
        """What the small pings say."""
        times = [p.small.rtt_ms for p in self.paths if p.small.rtt_ms is not None]
        if all(p.open for p in self.paths):
            return f"{max(times):.2f} ms" if times else "yes"
        tried = any(p.tried for p in self.paths)
        return "unknown" if not tried else "one way" if any(p.open for p in self.paths) else "none"

    @property
    def frames(self) -> str:
        """The MTU of each end, and whether such frames arrive."""
        sizes = list(dict.fromkeys(str(p.way.rail.mtu or "?") for p in self.paths))
        cut = any(p.small.came_back and not p.large.came_back for p in self.paths)
        return "/".join(sizes) + (" cut" if cut else "")

    @property
    def route(self) -> str:
        """The interface that it really goes over."""
        off = (p for p in self.paths if p.route.interface != p.way.rail.interface)
        stray = next((p.route for p in off if p.route.interface or p.route.trouble), None)
        if stray is None:
            return "direct" if any(p.route.interface for p in self.paths) else "unknown"
        return f"over {stray.interface}" if stray.interface else "none"

    def as_data(self) -> dict[str, Any]:
        """As `--json` gives it."""
        way = self.there.way
        return {
            "nodes": [way.node, way.peer],
            "interface": self.interface,
            "addresses": [way.rail.address, way.far.address],
            "devices": [way.rail.device or None, way.far.device or None],
            "mtu": [way.rail.mtu, way.far.mtu],
            "answers": [p.open for p in self.paths],
            "whole_frames": [p.large.came_back for p in self.paths],
            "rtt_ms": [p.small.rtt_ms for p in self.paths],
            "routes": [p.route.interface or None for p in self.paths],
            "gbit": self.rate.gbit if self.rate else None,
            "tool": self.rate.tool if self.rate else None,
            "earlier_gbit": self.before,
            "verdict": self.verdict.value,
        }


@dataclass(frozen=True, slots=True)
class FabricTest:
    """Everything one gate saw."""

    networks: Mapping[str, NodeNetwork | SparkError]
    fabrics: Mapping[str, Fabric]
    paths: Paths
    measured: tuple[Rate | Unmeasured, ...] = ()
    kept: tuple[Rate, ...] = ()
    """Of earlier gates, oldest first."""
    notes: tuple[str, ...] = field(default=())

    @property
    def rates(self) -> tuple[Rate, ...]:
        """What was measured."""
        return tuple(r for r in self.measured if isinstance(r, Rate))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of it judged."""
        ends = judge_ends(self.networks, self.fabrics)
        rates = (
            judge_rate(m, earlier(m, self.kept)) if isinstance(m, Rate) else judge_unmeasured(m)
            for m in self.measured
        )
        return (*ends, *judge_paths(self.paths), *rates)

    @property
    def red(self) -> tuple[Finding, ...]:
        """What should keep a cluster from being started."""
        return tuple(f for f in self.findings if f.severity is Severity.FAIL)

    def lines(self) -> tuple[PairLine, ...]:
        """A line per pair and rail, in the nodes' order."""
        paths = ((p.way, p) for p in self.paths.paths)
        ways = {((w.node, w.rail.address), (w.peer, w.far.address)): path for w, path in paths}
        first = {frozenset(ends): ends for ends in reversed(ways)}
        shown = [ends for ends in ways if first[frozenset(ends)] == ends]
        return tuple(self._line(ways[ends], ways.get((ends[1], ends[0]))) for ends in shown)

    def _line(self, path: Path, back: Path | None) -> PairLine:
        ways = {path.way, *((back.way,) if back else ())}
        ends = {(w.node, w.peer, w.rail.interface) for w in ways}
        rate = next((r for r in self.rates if (r.node, r.peer, r.interface) in ends), None)
        missing = (m for m in self.measured if isinstance(m, Unmeasured) and m.way in ways)
        before = earlier(rate, self.kept) if rate else None
        return PairLine(path, back, rate, before, next(missing, None))


def worst(findings: Iterable[Finding]) -> Severity:
    """The worst severity of several findings; OK when there are none."""
    return max((f.severity for f in findings), key=list(Severity).index, default=Severity.OK)
