"""What a rail carried, and whether that is enough: against what GB10 measures, and against earlier gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sparkconsole.model.fabric.paths import RailWay
from sparkconsole.model.finding import Finding, Severity, fail, ok, warn

SECONDS = 2.0
MOST_BYTES = 64_000_000_000
"""Of plain TCP in one measurement: 2 s at 256 Gb/s."""
SLOWER = 0.8
"""Of the median of earlier gates: less is a warning."""
COMPARED = 20
"""How many earlier ones."""
FAST_MBIT = 100_000
"""A link that says less is none of GB10's fast ones, and only compared with itself."""


@dataclass(frozen=True, slots=True)
class RateBound:
    """Below `gbit` it is `severity`, for a known reason."""

    gbit: float
    severity: Severity
    why: str
    remedy: str


_HALF = "each half of the cable carries 92 to 112 Gb/s of RDMA"
_TEN_GBIT = "this is what the 10G port does"
_WHERE = "see where it goes: ip route get; and whether the link fell back: ethtool"
BOUNDS: Mapping[str, tuple[RateBound, ...]] = {
    "ib_write_bw": (
        RateBound(
            16.0, Severity.FAIL, f"{_HALF}; about 13 is a card whose slot was given too little power",
            "shut both machines down, plug the cable in, start them; see /etc/nvidia/cx7-hotplug-enabled"),
        RateBound(
            85.0, Severity.WARN, _HALF,
            "compare MTU (9000), NIC firmware and ethtool's speed on both; is anything else on the link?"),
    ),
    "iperf3": (RateBound(10.0, Severity.WARN, f"TCP reaches 96 to 111 Gb/s on a half: {_TEN_GBIT}", _WHERE),),
    "tcp": (RateBound(10.0, Severity.WARN, _TEN_GBIT, _WHERE),),
}  # fmt: skip
"""Per tool, the worst first. Sources: NVIDIA's guide for two (92.57 and 97.28 Gb/s, together 189.85), and

operators' notes (13 Gb/s after a hot-plug without slot power; iperf3 96 to 111 Gb/s per half).
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """One measurement, from `node` to `peer`."""

    node: str
    peer: str
    interface: str
    tool: str
    gbit: float
    device: str = ""
    mtu: int | None = None
    at: str = ""
    """When, ISO 8601."""
    cluster: str = ""
    speed_mbit: int | None = None

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What can be compared with each other: the same rail between the same two, by the same tool."""
        first, second = sorted((self.node, self.peer))
        return self.cluster, first, second, self.interface, self.tool

    def as_data(self) -> dict[str, Any]:
        """As it is kept, and as `--json` gives it."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "speed_mbit"}


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Why there is no rate for a way."""

    way: RailWay
    tool: str
    why: str


def earlier(rate: Rate, kept: Iterable[Rate]) -> float | None:
    """The median of the last earlier gates of that rail; None: this is the first."""
    same = [r.gbit for r in kept if r.key == rate.key and r.at < rate.at][-COMPARED:]
    return median(same) if same else None


def judge_rate(rate: Rate, before: float | None = None) -> Finding:
    """Whether it is enough. Bounds are for links that are fast by their own word, or say nothing."""
    text = f"{rate.gbit:.1f} Gb/s to {rate.peer} over {rate.interface} ({rate.tool})"
    fast = (rate.speed_mbit or FAST_MBIT) >= FAST_MBIT
    bound = next((b for b in BOUNDS.get(rate.tool, ()) if fast and rate.gbit < b.gbit), None)
    if bound is not None:
        return Finding("rate", bound.severity, rate.node, f"{text}: {bound.why}", bound.remedy)
    if before is not None and rate.gbit < SLOWER * before:
        sentence = f"{text}: it was {before:.1f} before"
        return warn("rate", rate.node, sentence, "what changed since? sparkconsole fabric history")
    return ok("rate", rate.node, text)


def judge_unmeasured(missing: Unmeasured) -> Finding:
    """RDMA that does not run is a failure; what could not be measured by TCP is unknown."""
    bad = fail if missing.tool == "ib_write_bw" else warn
    text = f"{missing.tool} did not measure {missing.way.rail.interface} to {missing.way.peer}: {missing.why}"
    return bad("rate", missing.way.node, text, "run it by hand as `--dry-run` shows it")


def rounds(nodes: Sequence[str]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Neighbours in a ring, in rounds in which no node measures twice: two rounds, three for an odd ring."""
    if len(nodes) < 3:
        return ((tuple(nodes),),) if len(nodes) == 2 else ()  # type: ignore[return-value]
    pairs = list(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    odd = (pairs.pop(),) if len(nodes) % 2 else ()
    return tuple(r for r in (tuple(pairs[::2]), tuple(pairs[1::2]), odd) if r)
