"""Judgements of what runs in the containers: their variables, the servers' words, what Ray still holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sparkconsole.model.checks.evidence import ClusterEvidence, Look
from sparkconsole.model.fabric.links import Hca, NodeNetwork
from sparkconsole.model.finding import Finding, fail, ok, warn
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.vllm_flags import flag_of, value
from sparkconsole.model.text.alike import groups
from sparkconsole.model.text.redact import secret_flag

AGAIN = "sparkconsole stop, then launch: it sets what suits each node"
PLACED = ("--node-rank", "--headless", "--host", "--port")
"""What only one rank is told."""


@dataclass(frozen=True, slots=True)
class _Set:
    """The variables of one node's container or image, and what they are held against."""

    node: str
    look: Look
    values: Mapping[str, str]
    network: NodeNetwork | None

    @property
    def devices(self) -> list[Hca]:
        """The RDMA devices that this node uses."""
        used = self.network.hcas if self.network else ()
        return [h for h in self.look.facts.fabric.hcas if h.device in used]


def settings(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Of the container where one runs, else of the image that a launch would start."""
    for node, look in evidence.seen.items():
        if look.launched is not None and look.launched.backend is Backend.SOLO:
            continue  # It finds nobody, and is not meant to.
        found = look.site.found if look.site and look.running else None
        values = found.environment if found else look.image.settings if look.image else {}
        holding = _Set(node, look, values, evidence.chosen.get(node))
        wrong = [f for ask in _VARIABLES for f in ask(holding)]
        yield from wrong
        if not wrong and (found or look.image):
            where, pinned = "container" if found else "image", values.get("NCCL_IB_GID_INDEX")
            kept = f"; NCCL_IB_GID_INDEX={pinned} is pinned, and right today" if pinned else ""
            yield ok("settings", node, f"the {where}'s variables suit it{kept}")


def _pinned(held: _Set) -> Iterator[Finding]:
    """A slot that is empty or of another kind: NCCL takes it all the same."""
    index = held.values.get("NCCL_IB_GID_INDEX", "")
    if not index.isdecimal():
        return
    for device in (d for d in held.devices if d.gids):
        kind = next((g.kind for g in device.gids if g.index == int(index)), "")
        if kind != "RoCE v2":
            slot = f"GID {index} of {device.device} is {kind or 'empty'}"
            text = f"NCCL_IB_GID_INDEX={index} is pinned, and {slot}"
            remedy = "leave NCCL_IB_GID_INDEX out: NCCL finds it itself"
            yield fail("settings", held.node, f"{text}: NCCL ends with errno 61", remedy)


def _without_rdma(held: _Set) -> Iterator[Finding]:
    if held.values.get("NCCL_IB_DISABLE") == "1" and held.devices:
        text = "NCCL_IB_DISABLE=1 keeps NCCL off RDMA, ten times slower, and there are devices with a link"
        yield warn("settings", held.node, text, AGAIN)


def _half(held: _Set) -> Iterator[Finding]:
    """Devices that nobody uses. What was asked for with --ib-if is meant."""
    named = held.values.get("NCCL_IB_HCA", "")
    asked = held.look.launched.ib_if if held.look.launched else ()
    if not named or named[0] in "^=" or asked:
        return
    names = [n.partition(":")[0] for n in named.split(",") if n]
    unused = [d.device for d in held.devices if not any(d.device.startswith(n) for n in names)]
    if unused and len(unused) < len(held.devices):
        text = f"NCCL_IB_HCA leaves out {', '.join(unused)}: part of the bandwidth"
        yield warn("settings", held.node, text, AGAIN)


def _gone(held: _Set) -> Iterator[Finding]:
    """Addresses and interfaces that the node does not have (any more)."""
    netdevs = held.look.facts.fabric.netdevs
    have = {str(host) for netdev in netdevs for host in netdev.hosts}
    address = held.values.get("VLLM_HOST_IP", "")
    if address and have and address not in have:
        text = f"VLLM_HOST_IP={address}, and no interface here has that address"
        yield fail("settings", held.node, text, AGAIN)
    names = {n.name for n in netdevs}
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        interface = held.values.get(variable, "")
        plain = interface.isalnum()
        if plain and names and not any(n.startswith(interface) for n in names):
            text = f"{variable}={interface}, and there is no such interface"
            yield fail("settings", held.node, text, AGAIN)
        elif plain and interface.startswith("wl"):
            text = f"{variable}={interface} is Wi-Fi: every step waits for it"
            yield warn("settings", held.node, text, AGAIN)


def _watchdog(held: _Set) -> Iterator[Finding]:
    """Ray's: on unified memory it takes the GPU's for the programs', and kills the engine."""
    period = held.values.get("RAY_memory_monitor_refresh_ms", "0")
    if period != "0":
        text = f"RAY_memory_monitor_refresh_ms={period}: Ray will kill vLLM for the memory that the GPU uses"
        yield warn("settings", held.node, text, AGAIN)


_VARIABLES: tuple[Callable[[_Set], Iterator[Finding]], ...] = (
    _pinned, _without_rdma, _half, _gone, _watchdog,
)  # fmt: skip


# --- the servers


def engine(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Every rank was started with the same words, and with those that were asked for."""
    ranks = [r for found in evidence.ranks.values() for r in found]
    wrong = [*_unlike(ranks), *_missing(ranks), *_reverted(evidence, ranks)]
    yield from wrong
    if ranks and not wrong:
        models = ", ".join(dict.fromkeys(r.name for r in ranks))
        yield ok("engine", "", f"{models}: every rank has the words that were meant")


def _parties(ranks: list[LiveRank]) -> Iterator[list[LiveRank]]:
    """Ranks of one start without Ray, the leading one first."""
    led = (r for r in ranks if value(r.words, "--nnodes"))
    where = ("--master-addr", "--master-port")
    for party in groups(led, lambda r: tuple(value(r.words, flag) for flag in where)):
        yield sorted(party, key=lambda r: r.rank)


def _unlike(ranks: list[LiveRank]) -> Iterator[Finding]:
    for first, *others in _parties(ranks):
        for rank in others:
            if differs := flag_differences(rank.words, first.words, PLACED):
                sentence = f"rank {rank.rank} was started with other words than rank {first.rank}: {differs}"
                remedy = "sparkconsole serve stop, then serve: every rank gets the same words"
                yield fail("engine", rank.node, f"{sentence}; it hangs", remedy)


def _missing(ranks: list[LiveRank]) -> Iterator[Finding]:
    for party in _parties(ranks):
        count = value(party[0].words, "--nnodes") or ""
        absent = sorted(set(range(int(count))) - {r.rank for r in party}) if count.isdecimal() else []
        if absent:
            text = f"rank {', '.join(map(str, absent))} of {count} does not run: the others wait for it"
            remedy = "sparkconsole serve stop, then serve again; sparkconsole logs says why it ended"
            yield fail("engine", "", text, remedy)


def _reverted(evidence: ClusterEvidence, ranks: list[LiveRank]) -> Iterator[Finding]:
    """Somebody started the same model by hand, or something did it with older words."""
    for rank in (r for r in ranks if r.rank == 0 and not r.job):
        recorded = evidence.last_known.get(rank.model, ())
        if differs := flag_differences(rank.words, recorded, ()) if recorded else "":
            sentence = f"{rank.model} runs with other words than it was last served with here: {differs}"
            remedy = "if that is not meant: sparkconsole serve stop, then runs again for that serve"
            yield warn("engine", rank.node, sentence, remedy)


def flag_differences(one: tuple[str, ...], other: tuple[str, ...], but: tuple[str, ...]) -> str:
    """Flags of `vllm serve` that differ: what one says, and the other in brackets; empty for none."""
    mine, theirs = _flags(one), _flags(other)
    names = [n for n in dict.fromkeys((*mine, *theirs)) if n not in but and mine.get(n) != theirs.get(n)]
    return ", ".join(f"{_quoted(n, mine.get(n))} ({_quoted(n, theirs.get(n))})" for n in names[:4])


def _flags(words: tuple[str, ...]) -> dict[str, str]:
    """`--flag VALUE…`, `--flag=VALUE` and `--flag` by the flag's long name; vLLM takes _ for - too."""
    found: dict[str, str] = {}
    name = "model"
    for word in words[2:]:
        if word.startswith("-") and not word[1:2].isdigit():
            head, _, value = word.partition("=")
            name = flag_of(head) or head.replace("_", "-")
            found[name] = value
        else:
            found[name] = f"{found.get(name, '')} {word}".strip()
    return found


def _quoted(name: str, value: str | None) -> str:
    """A key in a command is a secret, though everybody there may read it."""
    if value is not None and secret_flag(name):
        return f"{name} ***"
    return f"no {name}" if value is None else f"{name} {value}".strip()


# --- Ray


def held(evidence: ClusterEvidence) -> Iterator[Finding]:
    """GPUs that Ray keeps for a server which is gone: the next one waits for them for ever."""
    backends = {s.backend for look in evidence.seen.values() if (s := look.launched) is not None}
    busy = any(look.facts.gpu_processes for look in evidence.seen.values())
    if evidence.placements and Backend.RAY in backends and not (busy or any(evidence.ranks.values())):
        text = f"Ray keeps {evidence.placements} placement group(s) and nothing is served"
        remedy = "sparkconsole stop, then launch: the groups go with Ray"
        yield warn("ray", evidence.head, f"{text}: its GPUs are not free", remedy)
