"""Which `vllm serve` runs on which node: one rank a GPU, one GPU a node.

Data parallel over nodes is planned as vllm/engine/arg_utils.py (0.32) infers it: with `--nnodes` and
`--node-rank`, `--data-parallel-size` times tp times pp ranks are counted through node by node. With Ray, each
copy of the model stays on one node (VLLM_RAY_DP_PACK_STRATEGY=strict).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.checkpoint.weights import Split
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.spec import PARALLEL, ServeSpec
from sparkconsole.model.serve.vllm_flags import names, value, whole, without

MASTER_PORT = 29501
RPC_PORT = 29550
"""Where ranks meet, and where copies of the model report, unless they are told (vllm/config/parallel.py)."""
_BETWEEN_PORTS = RPC_PORT - MASTER_PORT - 1


@dataclass(frozen=True, slots=True)
class Rank:
    """One `vllm serve` process: rank 0 answers requests."""

    node: str
    rank: int
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meeting:
    """The ports of the head on which the ranks of one server find each other."""

    master: int = MASTER_PORT
    rpc: int = RPC_PORT


USUAL = Meeting()
Nodes = Sequence[str]


def split_of(spec: ServeSpec, nodes: int) -> Split:
    """How the ranks share the model: as asked, else tensor parallel over all nodes.

    WrongUsage when it takes more GPUs than there are nodes.
    """
    tensor = spec.tensor or max(1, nodes // (spec.pipeline * spec.data))
    split = Split(tensor, spec.pipeline, spec.data)
    if split.ranks > nodes:
        there = f"{nodes} {'is' if nodes == 1 else 'are'} there"
        hint = f"ranks for {nodes} at most, one GPU each; or launch on more nodes"
        raise WrongUsage(f"{split.words} needs {split.ranks} GPUs, and {there}", hint=hint)
    return split


def free_meeting(master_port: int, servers: Iterable[LiveRank], listening: Collection[int]) -> Meeting:
    """Ports of its own for one more server: from the launch's on, past every other server's and listener."""
    taken = {*listening}
    for rank in servers:
        if (whole(value(rank.words, "--nnodes")) or 1) > 1:
            taken.add(whole(value(rank.words, "--master-port")) or master_port)
        if (whole(value(rank.words, "--data-parallel-size")) or 1) > 1:
            taken.add(whole(value(rank.words, "--data-parallel-rpc-port")) or RPC_PORT)
    for step in range(_BETWEEN_PORTS):
        found = Meeting(master_port + step, RPC_PORT + step)
        if not taken & {found.master, found.rpc}:
            return found
    raise Refused(f"no port from {master_port} on is free for the ranks to meet", hint="launch --master-port")


def serve_ranks(
    spec: ServeSpec, backend: Backend, nodes: Nodes, addresses: Mapping[str, str], meeting: Meeting = USUAL
) -> tuple[Rank, ...]:
    """The command of every rank, workers first, rank 0 last.

    With Ray one process on the head is enough. Without, each node runs its own rank and knows the head;
    an executor that the person named is dropped there, as it cannot be another one.
    """
    split = split_of(spec, len(nodes))
    if backend is Backend.RAY:
        return (Rank(nodes[0], 0, _argv(spec, split, _on_ray(spec, split, meeting))),)
    extra = without(spec.extra, "--distributed-executor-backend")
    if backend is Backend.SOLO or split.ranks == 1:
        return (Rank(nodes[0], 0, _argv(spec, split, extra)),)
    rest, head = (*_rpc(split, meeting), *extra), addresses[nodes[0]]
    ranks = []
    for rank, node in enumerate(nodes[: split.ranks]):
        place = ["--nnodes", str(split.ranks), "--node-rank", str(rank), "--master-addr", head]
        place += ["--master-port", str(meeting.master), *(["--headless"] if rank else [])]
        ranks.append(Rank(node, rank, _argv(spec, split, (*place, *rest))))
    return tuple(reversed(ranks))


def _on_ray(spec: ServeSpec, split: Split, meeting: Meeting) -> tuple[str, ...]:
    """What Ray has to be told; WrongUsage for copies that would each take several nodes."""
    named = names(spec.extra, "--distributed-executor-backend")
    executor = () if named else ("--distributed-executor-backend", "ray")
    if split.data == 1:
        return (*executor, *spec.extra)
    if split.tensor * split.pipeline > 1:
        raise WrongUsage(
            f"{split.words}: with Ray, vLLM keeps each copy of the model on one node, and a node has one GPU",
            hint="launch --backend none, where ranks are placed node by node; or -tp 1",
        )
    spread = ("--data-parallel-backend", "ray", "--data-parallel-size-local", "1")
    return (*executor, *spread, *_rpc(split, meeting), *spec.extra)


def _argv(spec: ServeSpec, split: Split, rest: Sequence[str]) -> tuple[str, ...]:
    """Sizes that the person said behind `--` are not said twice."""
    environment = ("env", "HF_HUB_OFFLINE=1") if spec.offline else ()
    sizes = zip(("-tp", "-pp", "-dp"), PARALLEL, (split.tensor, split.pipeline, split.data), strict=True)
    asked = ((short, n) for short, flag, n in sizes if n > 1 and not names(spec.extra, flag))
    words = (word for short, count in asked for word in (short, str(count)))
    where = ("--host", spec.host, "--port", str(spec.port))
    return (*environment, "vllm", "serve", spec.model, *where, *words, *spec.flags(), *rest)


def _rpc(split: Split, meeting: Meeting) -> tuple[str, ...]:
    """Said where it is not vLLM's own: a second server's copies must not report to the first one's."""
    if split.data == 1 or meeting.rpc == RPC_PORT:
        return ()
    return ("--data-parallel-rpc-port", str(meeting.rpc))
