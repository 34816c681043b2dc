"""What the looks of all nodes together mean: each one's network, and what the checks found. Asked again only
when a look changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.tui.draw.node_state import DrawContext

if TYPE_CHECKING:  # the checks are many, and the first frame has nothing to judge yet
    from sparkconsole.model.checks import Look
    from sparkconsole.tui.host import Host

QUIET = {"reachable", "memory", "swap", "disk", "gpu", "container", "ray", "ports"}
"""The newest reading says these better."""
FEW, PAUSE_S = 8, 15.0


class Assessment:
    """`networks` and `warnings` by node."""

    def __init__(self) -> None:
        self.networks: Mapping[str, NodeNetwork | SparkError] = {}
        self.warnings: Mapping[str, tuple[str, ...]] = {}
        self._of: tuple[object, ...] = ()
        self._judged_s = 0.0

    def context(self, console: Host, tried: Mapping[str, str] | None = None) -> DrawContext:
        """Time and meaning of everything shown now; `tried`: what fabric tests measured, by node."""
        cluster = console.session.cluster if console.session else Cluster()
        store, now_s = console.store, console.clock.monotonic()
        self.sample(cluster, store.nodes, now_s)
        return DrawContext(
            now_s, console.clock.now(), container=cluster.container, image=cluster.image,
            alone=len(store.nodes) == 1, networks=self.networks, warnings=self.warnings,
            histories=store.histories, tried=tried or {},
        )  # fmt: skip

    def sample(self, cluster: Cluster, nodes: Mapping[str, NodeState], now_s: float) -> None:
        """Judges again when another look is there; with many nodes not more often than every few seconds."""
        looks = {name: state.look for name, state in nodes.items() if state.look is not None}
        now = (id(cluster), *((name, id(look)) for name, look in looks.items()))
        soon = len(now) == len(self._of) and len(looks) > FEW and now_s - self._judged_s < PAUSE_S
        if now == self._of or soon:
            return
        self._judged_s = now_s
        self._of, self._kept = now, (cluster, tuple(looks.values()))
        self.networks, self.warnings = {}, {}
        if looks:
            self._judge(cluster, looks, nodes)

    def _judge(self, cluster: Cluster, looks: Mapping[str, Look], nodes: Mapping[str, NodeState]) -> None:
        from sparkconsole.model.checks import ClusterEvidence, Severity, judge, networks

        self.networks = networks(cluster, looks, eth_if=None, ib_if=())
        evidence = ClusterEvidence(cluster, cluster.image, cluster.container, dict(looks), self.networks)
        values: dict[str, list[str]] = {}
        for finding in judge(evidence):
            bad = finding.severity is not Severity.OK and finding.check not in QUIET
            if bad and finding.node and nodes[finding.node].reach is Reachability.UP:
                values.setdefault(finding.node, []).append(finding.sentence)
        self.warnings = {name: tuple(sentences) for name, sentences in values.items()}
