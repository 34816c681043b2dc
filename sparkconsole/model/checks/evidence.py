"""What is judged: one look at each node, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.model.checks.rules import Rule
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.fabric.links import NodeNetwork, choose_network, interface_at
from sparkconsole.model.facts import DeepProbe, NodeFacts
from sparkconsole.model.finding import CONSOLE, Finding, Fix, ok, warn
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import LaunchSpec
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.engine import LiveRank

CPU_LABEL = "org.sparkconsole.accelerator"


@dataclass(frozen=True, slots=True)
class Look:
    """What one node showed. The errors are sentences; what could not be asked is unknown."""

    facts: NodeFacts
    site: Site | None = None
    """None: docker could not be asked."""
    image: ImageIdentity | None = None
    docker_error: SparkError | None = None
    clock_ahead_s: float | None = None
    """Its clock less the console's, when it was asked."""
    checkpoint: Checkpoint | None = None
    """The model that was asked for; None: none was, or the node could not say."""
    clock_doubt_s: float = 0.0
    """How long its answer took: so much later it may have looked at its clock."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that the node has."""
        return (*self.facts.addresses, *(self.site.addresses if self.site else ()))

    @property
    def for_cpu(self) -> bool:
        """The image needs no GPU, and says so."""
        return self.image is not None and self.image.labels.get(CPU_LABEL) == "cpu"

    @property
    def running(self) -> bool:
        """Its container runs."""
        return self.site is not None and self.site.running

    @property
    def launched(self) -> LaunchSpec | None:
        """The launch that the container tells of, while it runs."""
        return self.site.launch if self.site and self.site.running else None


Looks = Mapping[str, Look | SparkError]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast tokens came in one kept benchmark."""

    run: str
    asked: str
    """Everything that was asked and what served it: only the same can be compared."""
    token_ms: float
    """Median time from one token to the next."""


@dataclass(frozen=True, slots=True)
class ClusterEvidence:
    """Everything that is judged together. `looks` has every node, head first."""

    cluster: Cluster
    image: str
    container: str
    looks: Looks
    networks: Mapping[str, NodeNetwork | SparkError] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What is in each image, by its `short` name: vllm, ray, torch, nccl, python, cuda."""
    members: tuple[RayMember, ...] | None = None
    """Ray's own list; None: it was not asked, or did not say."""
    ray_asked: bool = False
    """Its head was asked for that list."""
    model: str = ""
    """The model that every node should have."""
    ranks: Mapping[str, tuple[LiveRank, ...]] = field(default_factory=dict)
    """The servers in each running container that could be asked."""
    placements: int | None = None
    """How many placement groups Ray keeps; None: nobody said."""
    last_known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model the words with which this console served it last, from `vllm` on."""
    paces: tuple[Pace, ...] = ()
    """Of the benchmarks that were kept, newest first."""
    rules: tuple[Rule, ...] = ()
    others: tuple[Finding, ...] = ()
    """What was judged elsewhere, such as the paths between nodes."""

    @property
    def seen(self) -> dict[str, Look]:
        """The nodes that answered."""
        return {n: a for n, a in self.looks.items() if isinstance(a, Look)}

    @property
    def joined(self) -> bool:
        """More than one node: they need the fast link."""
        return len(self.looks) > 1

    @property
    def head(self) -> str:
        """The first node; empty without any."""
        return next(iter(self.looks), "")

    @property
    def chosen(self) -> dict[str, NodeNetwork]:
        """The network of each node that has one."""
        return {n: w for n, w in self.networks.items() if isinstance(w, NodeNetwork)}

    @property
    def deep(self) -> dict[str, tuple[Look, DeepProbe]]:
        """The nodes that were looked at thoroughly."""
        return {n: (look, t) for n, look in self.seen.items() if (t := look.facts.deep_probe) is not None}

    def contents(self, node: str) -> Mapping[str, str]:
        """What is in a node's image; nothing where it is not known."""
        look = self.seen.get(node)
        return self.versions.get(look.image.short, {}) if look and look.image else {}


Judgement = Callable[[ClusterEvidence], Iterable[Finding]]
OnNode = Callable[[ClusterEvidence, str, Look], Iterable[Finding]]


def each(judge: OnNode) -> Judgement:
    """A judgement of one node as one of all."""

    def judged(evidence: ClusterEvidence) -> Iterator[Finding]:
        for node, look in evidence.seen.items():
            yield from judge(evidence, node, look)

    return judged


def equal(check: str, what: str, by_node: Mapping[str, object], remedy: str) -> Iterator[Finding]:
    """The same value everywhere; unknown ones do not count."""
    known = {n: v for n, v in by_node.items() if v is not None}
    if len(set(known.values())) > 1:
        values = ", ".join(f"{n} {v}" for n, v in known.items())
        yield warn(check, "", f"{what} differs: {values}", remedy)
    elif len(known) > 1:
        yield ok(check, "", f"{what} {next(iter(known.values()))}")


def copied(what: str, name: str, source: str, node: str) -> Fix:
    """What another node has is copied from there, by the verb for it."""
    words = (CONSOLE, what, "copy", name, "--from", source, "--to", node)
    return Fix(f"copy the {what} {name} from {source}", words)


def as_root(look: Look, *argv: str) -> tuple[str, ...]:
    """The command with the rights it needs: `sudo -n` never asks, it refuses."""
    return argv if look.facts.found.uid == 0 else ("sudo", "-n", *argv)


def networks(
    cluster: Cluster, looks: Looks, *, eth_if: str | None = None, ib_if: Sequence[str] = ()
) -> dict[str, NodeNetwork | SparkError]:
    """What each node that answered would use; what was said now beats the node's and the cluster's word."""
    facts = {n: look.facts for n, look in looks.items() if isinstance(look, Look)}
    chosen: dict[str, NodeNetwork | SparkError] = {}
    for node in (cluster.effective(n) for n in cluster.nodes if n.name in facts):
        fabric = facts[node.name].fabric
        peers = tuple(f.fabric for n, f in facts.items() if n != node.name)
        try:
            wanted = eth_if or node.eth_if or interface_at(fabric, node.fabric_address)
            chosen[node.name] = choose_network(fabric, eth_if=wanted, ib_if=ib_if or node.ib_if, peers=peers)
        except SparkError as error:
            chosen[node.name] = error
    return chosen
