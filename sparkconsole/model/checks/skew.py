"""What should be equal across nodes, in one table: the majority, and who differs from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkconsole.model.checks.evidence import ClusterEvidence, Look
from sparkconsole.model.checks.software import known_versions


@dataclass(frozen=True, slots=True)
class SkewRow:
    """One thing that should be equal; a node that did not say it is not in `values`."""

    what: str
    values: Mapping[str, str]

    @property
    def majority(self) -> str:
        """What most nodes say; of equally many, what the first of them says."""
        return Counter(self.values.values()).most_common(1)[0][0] if self.values else ""

    @property
    def differing(self) -> dict[str, str]:
        """Who says something else."""
        return {n: value for n, value in self.values.items() if value != self.majority}

    def as_data(self) -> dict[str, Any]:
        """As `--json` gives it."""
        data = {"what": self.what, "majority": self.majority, "differs": self.differing}
        return {**data, "nodes": dict(self.values)}


def skew(evidence: ClusterEvidence) -> tuple[SkewRow, ...]:
    """Every row of which somebody said something."""
    rows = []
    for what, ask in _ROWS.items():
        values = {n: str(v) for n, look in evidence.seen.items() if (v := ask(evidence, n, look))}
        rows += [SkewRow(what, values)] if values else []
    return tuple(rows)


def _version(name: str) -> Callable[[ClusterEvidence, str, Look], object]:
    return lambda evidence, node, _: known_versions(evidence, node).get(name)


def _network(name: str) -> Callable[[ClusterEvidence, str, Look], object]:
    return lambda evidence, node, _: getattr(evidence.chosen.get(node), name, None)


def _speed(evidence: ClusterEvidence, node: str, look: Look) -> object:
    chosen = evidence.chosen.get(node)
    netdev = look.facts.fabric.netdev(chosen.eth_if) if chosen else None
    return f"{netdev.speed_mbit} Mbit/s" if netdev and netdev.speed_mbit else None


_ROWS: Mapping[str, Callable[[ClusterEvidence, str, Look], object]] = {
    "release": lambda _, __, look: look.facts.release,
    "machine": lambda _, __, look: look.facts.machine,
    "kernel": _version("kernel"),
    "GPU": lambda _, __, look: ", ".join(g.name for g in look.facts.gpus),
    "GPU driver": _version("driver"),
    "NIC firmware": _version("firmware"),
    "docker": _version("docker"),
    "image store": lambda _, __, look: look.facts.docker.driver,
    "image": lambda _, __, look: look.image.short if look.image else None,
    **{name: _version(name) for name in ("vllm", "ray", "torch", "nccl", "python", "cuda")},
    "user": lambda _, __, look: look.facts.user,
    "interface": _network("eth_if"),
    "RDMA devices": lambda e, node, _: ", ".join(e.chosen[node].hcas) if node in e.chosen else None,
    "MTU": _network("mtu"),
    "GID index": _network("gid_index"),
    "link speed": _speed,
    "model": lambda _, __, look: look.checkpoint.revision[:12] if look.checkpoint else None,
}
