"""What is wrong with a cluster before anything is started: pure judgements over one look at each node."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from sparkconsole.errors import SparkError
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.docker import ImageIdentity, difference
from sparkconsole.model.fabric import NodeNetwork, choose_network, interface_at
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.site import Site
from sparkconsole.model.text import size

LEAST_DISK = 1_000_000_000
ENOUGH_DISK = 40_000_000_000
"""An image is 20 to 35 GB, and its build needs more."""
LEAST_MEMORY = 0.2
MOST_SKEW_S = 2.0
HEAD_PORTS = {6379: "launch --ray-port", 8265: "launch --dashboard-port"}
LATER_PORTS = {29501: "launch --master-port", 8888: "serve --port"}
CPU_LABEL = "org.sparkconsole.accelerator"


class Severity(StrEnum):
    """How bad it is: `fail` stops a launch, `warn` hurts later."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement. `node` is empty for what concerns all of them."""

    check: str
    severity: Severity
    node: str
    sentence: str
    remedy: str = ""

    def as_data(self) -> dict[str, str]:
        """As `--json` gives it."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "node": self.node,
            "sentence": self.sentence,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Look:
    """What one node showed. The errors are sentences; what could not be asked is unknown."""

    facts: NodeFacts
    site: Site | None = None
    """None: docker could not be asked."""
    image: ImageIdentity | None = None
    docker_error: SparkError | None = None
    clock_ahead_s: float | None = None
    """Its clock less the console's, at the same moment."""


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything that is judged together. `looks` has every node, head first."""

    cluster: Cluster
    image: str
    container: str
    looks: Mapping[str, Look | SparkError]
    networks: Mapping[str, NodeNetwork | SparkError] = field(default_factory=dict)

    @property
    def seen(self) -> dict[str, Look]:
        """The nodes that answered."""
        return {n: a for n, a in self.looks.items() if isinstance(a, Look)}

    @property
    def joined(self) -> bool:
        """More than one node: they need the fast link."""
        return len(self.looks) > 1


def networks(
    cluster: Cluster, looks: Mapping[str, Look | SparkError], *, eth_if: str | None, ib_if: tuple[str, ...]
) -> dict[str, NodeNetwork | SparkError]:
    """What each node that answered would use; what was said now beats the node's and the cluster's word."""
    facts = {n: look.facts for n, look in looks.items() if isinstance(look, Look)}
    chosen: dict[str, NodeNetwork | SparkError] = {}
    for node in (cluster.effective(n) for n in cluster.nodes if n.name in facts):
        fabric = facts[node.name].fabric
        try:
            chosen[node.name] = choose_network(
                fabric,
                eth_if=eth_if or node.eth_if or interface_at(fabric, node.fabric_address),
                ib_if=ib_if or node.ib_if,
                peers=tuple(f.fabric for n, f in facts.items() if n != node.name),
            )
        except SparkError as error:
            chosen[node.name] = error
    return chosen


def judge(examined: Examined) -> tuple[Finding, ...]:
    """Every finding: node by node, then what concerns all of them together."""
    found: list[Finding] = []
    for node, look in examined.looks.items():
        if isinstance(look, SparkError):
            found.append(Finding("reachable", Severity.FAIL, node, look.cause, look.hint))
            continue
        found.append(Finding("reachable", Severity.OK, node, "answers"))
        for check in _EACH:
            found.extend(check(examined, node, look))
    for together in _TOGETHER:
        found.extend(together(examined))
    return tuple(found)


def _docker(_: Examined, node: str, look: Look) -> Iterator[Finding]:
    docker, user = look.facts.docker, look.facts.user or "this user"
    bad: tuple[str, str] | None = None
    if not docker.installed:
        bad = ("docker is not installed", "DGX OS has it: sudo apt install docker.io")
    elif docker.running and not docker.permitted:
        bad = (f"docker may not be used by {user}", f"sudo usermod -aG docker {user}, then log in again")
    elif not docker.running:
        bad = ("docker does not run", "sudo systemctl start docker")
    elif look.docker_error is not None:
        bad = (look.docker_error.cause, look.docker_error.hint)
    if bad:
        yield Finding("docker", Severity.FAIL, node, *bad)
    else:
        yield Finding("docker", Severity.OK, node, f"docker {docker.version} ({docker.driver})")


def _gpu(_: Examined, node: str, look: Look) -> Iterator[Finding]:
    if look.facts.gpus:
        names, trouble = ", ".join(g.name for g in look.facts.gpus), look.facts.gpu_error
        told = f"{names}: nvidia-smi says {trouble}" if trouble else names
        bad = Severity.FAIL if trouble else Severity.OK
        remedy = "stop what runs there and boot it: sparkconsole node reboot" if trouble else ""
        yield Finding("gpu", bad, node, told, remedy)
        return
    for_cpu = look.image is not None and look.image.labels.get(CPU_LABEL) == "cpu"
    yield Finding(
        "gpu",
        Severity.OK if for_cpu else Severity.FAIL,
        node,
        f"no GPU is visible: {look.facts.gpu_error or 'nvidia-smi is not there'}"
        + (" (the image needs none)" if for_cpu else ""),
        "" if for_cpu else "nvidia-smi must work on the node; a reboot after a driver update helps",
    )


def _fabric(examined: Examined, node: str, look: Look) -> Iterator[Finding]:
    if not examined.joined:
        return
    for line in look.facts.unparsed:
        yield Finding("fabric", Severity.WARN, node, f"what a tool said is not understood: {line}")
    network = examined.networks[node]
    if isinstance(network, SparkError):
        yield Finding("fabric", Severity.FAIL, node, network.cause, network.hint)
        return
    for warning in network.warnings:
        yield Finding("fabric", Severity.WARN, node, warning)
    if not network.warnings:
        yield Finding("fabric", Severity.OK, node, f"{network.eth_if} {network.address}")


def _ports(examined: Examined, node: str, look: Look) -> Iterator[Finding]:
    """Only the head listens on ports that are told beforehand."""
    if node != next(iter(examined.looks)) or (look.site is not None and look.site.running):
        return
    taken = sorted(look.facts.listening & {*HEAD_PORTS, *LATER_PORTS})
    for port in taken:
        needed = port in HEAD_PORTS and examined.joined
        yield Finding(
            "ports",
            Severity.FAIL if needed else Severity.WARN,
            node,
            f"port {port} is in use by something else",
            f"see who listens there: ss -ltnp; or choose another: {(HEAD_PORTS | LATER_PORTS)[port]}",
        )
    if not taken:
        yield Finding("ports", Severity.OK, node, "the ports of Ray and vLLM are free")


def _disk(_: Examined, node: str, look: Look) -> Iterator[Finding]:
    free = look.facts.free.get("docker", look.facts.free.get("home"))
    if free is None:
        yield Finding("disk", Severity.WARN, node, "nobody said how much disk is free")
        return
    bad = Severity.FAIL if free < LEAST_DISK else Severity.WARN
    enough = free >= ENOUGH_DISK
    told = f"{size(free)} free where docker keeps its data"
    remedy = "" if enough else "docker system df shows what could go; an image needs up to 35 GB"
    yield Finding("disk", Severity.OK if enough else bad, node, told, remedy)


def _memory(_: Examined, node: str, look: Look) -> Iterator[Finding]:
    memory = look.facts.memory
    if memory is None:
        yield Finding("memory", Severity.WARN, node, "nobody said how much memory is available")
        return
    told = f"{size(memory.available)} of {size(memory.total)} available"
    if memory.available >= LEAST_MEMORY * memory.total:
        yield Finding("memory", Severity.OK, node, told)
        return
    running = look.site is not None and look.site.running
    remedy = (
        "what is served takes it: sparkconsole serve stop"
        if running
        else "see who holds it: ps aux --sort=-rss"
    )
    yield Finding("memory", Severity.WARN, node, told, remedy)


def _cache(_: Examined, node: str, look: Look) -> Iterator[Finding]:
    owner, user = look.facts.cache_owner, look.facts.user
    if owner in ("", user):
        yield Finding(
            "cache", Severity.OK, node, "the model cache is the user's" if owner else "no cache yet"
        )
        return
    yield Finding(
        "cache",
        Severity.WARN,
        node,
        f"~/.cache/huggingface belongs to {owner}, not to {user}: downloads will fail",
        f"sudo chown -R {user} ~/.cache/huggingface",
    )


def _subnet(examined: Examined) -> Iterator[Finding]:
    """Every node's chosen address is inside the head's subnet."""
    chosen = _chosen(examined)
    if not examined.joined or len(chosen) < 2:
        return
    first, *others = chosen
    netdev = examined.seen[first].facts.fabric.netdev(chosen[first].eth_if)
    subnets = netdev.networks if netdev else ()
    away = [
        n for n in others if not any(ipaddress.IPv4Address(chosen[n].address) in subnet for subnet in subnets)
    ]
    for node in away:
        yield Finding(
            "subnet",
            Severity.FAIL,
            node,
            f"{chosen[node].address} is not in the subnet of {first} ({', '.join(map(str, subnets))})",
            "give both ends of the cable addresses in one subnet, or choose with --eth-if",
        )
    if not away:
        yield Finding("subnet", Severity.OK, "", "one subnet")


def _links(examined: Examined) -> Iterator[Finding]:
    """NCCL pairs the nodes' RDMA devices by their place in the list: one too many waits for nobody."""
    if examined.joined:
        chosen = _chosen(examined)
        told = {n: network.mtu for n, network in chosen.items()}
        yield from _equal("mtu", "MTU", told, "set the same MTU (9000) in /etc/netplan on every node")
        counts = {n: len(network.hcas) for n, network in chosen.items()}
        remedy = "look at the cable of the node with fewer, or name the devices with --ib-if"
        yield from _equal("fabric", "number of RDMA devices", counts, remedy)


def _clock(examined: Examined) -> Iterator[Finding]:
    """Against the median, so that one wrong clock, or the console's own, blames nobody else."""
    for node, look in examined.seen.items():
        if examined.joined and look.facts.clock_synced is False:
            told = "nothing keeps its clock right (NTP is not synchronised)"
            yield Finding("clock", Severity.WARN, node, told, "sudo timedatectl set-ntp true")
    ahead = {n: s for n, look in examined.seen.items() if (s := look.clock_ahead_s) is not None}
    if len(ahead) < 2:
        return
    middle = median(ahead.values())
    off = {n: s - middle for n, s in ahead.items() if abs(s - middle) > MOST_SKEW_S}
    for node, seconds in off.items():
        way = "ahead of" if seconds > 0 else "behind"
        told = f"its clock is {abs(seconds):.0f} s {way} the others"
        yield Finding("clock", Severity.WARN, node, told, "sudo timedatectl set-ntp true")
    if not off:
        yield Finding("clock", Severity.OK, "", "the clocks agree")


def _versions(examined: Examined) -> Iterator[Finding]:
    facts = {n: look.facts for n, look in examined.seen.items()}
    update = "bring every node to the same release: sudo apt full-upgrade"
    yield from _equal("kernel", "kernel", {n: f.kernel or None for n, f in facts.items()}, update)
    drivers = {n: next((g.driver for g in f.gpus if g.driver), None) for n, f in facts.items()}
    yield from _equal("driver", "GPU driver", drivers, update)
    counts = {n: len(f.gpus) or None for n, f in facts.items()}
    yield from _equal("gpu", "number of GPUs", counts, "one rank runs per GPU: use nodes of one kind")


def _image(examined: Examined) -> Iterator[Finding]:
    """A missing or an old image is a warning: building and copying come after checking."""
    asked = {n: look for n, look in examined.seen.items() if look.site is not None}
    have = {n: look.image for n, look in asked.items() if look.image is not None}
    missing = [n for n in asked if n not in have]
    tag = examined.image
    for node in missing:
        verb = "copy" if have else "build"
        remedy = f"sparkconsole image {verb} -t {tag}"
        yield Finding("image", Severity.WARN, node, f"the image {tag} is not there", remedy)
    if not have:
        return
    first, *others = have
    differing = {n: why for n in others if (why := difference(have[first], have[n]))}
    for node, why in differing.items():
        told = f"the image {tag} is another one than on {first}: {why}"
        yield Finding("image", Severity.WARN, node, told, f"sparkconsole image copy -t {tag}")
    if not missing and not differing:
        yield Finding("image", Severity.OK, "", f"{tag} {have[first].short}, the same on every node asked")


def _equal(check: str, what: str, told: Mapping[str, object], remedy: str) -> Iterator[Finding]:
    """The same value everywhere; unknown ones do not count."""
    known = {n: v for n, v in told.items() if v is not None}
    if len(known) < 2:
        return
    if len(set(known.values())) == 1:
        yield Finding(check, Severity.OK, "", f"{what} {next(iter(known.values()))}")
        return
    values = ", ".join(f"{n} {v}" for n, v in known.items())
    yield Finding(check, Severity.WARN, "", f"{what} differs: {values}", remedy)


def _chosen(examined: Examined) -> dict[str, NodeNetwork]:
    return {n: w for n, w in examined.networks.items() if isinstance(w, NodeNetwork)}


_EACH: tuple[Callable[[Examined, str, Look], Iterable[Finding]], ...] = (
    _docker,
    _gpu,
    _fabric,
    _ports,
    _disk,
    _memory,
    _cache,
)
_TOGETHER: tuple[Callable[[Examined], Iterable[Finding]], ...] = (_subnet, _links, _clock, _versions, _image)
