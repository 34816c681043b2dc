"""What the servers that run already leave to one more, and which memory they hold.

vLLM takes its share of ALL memory and refuses to start unless so much is free just then
(vllm/v1/worker/utils.py, `request_memory`): a second server with the usual 0.9 never starts beside a first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import floor, prod

from sparkconsole.model.checkpoint.fit import SYSTEM_BYTES, Ask
from sparkconsole.model.facts import Memory
from sparkconsole.model.launch.spec import Backend, LaunchSpec
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.memory_guard import USUAL_SHARE
from sparkconsole.model.serve.spec import PARALLEL, ServeSpec
from sparkconsole.model.serve.vllm_flags import OTHER_ARITHMETIC, flag_of, names, value, whole


def share_left(memory: Iterable[Memory]) -> float:
    """The largest share of the memory that one more server may take on every node, the system's part kept."""
    left = (max(0, m.available - SYSTEM_BYTES) / m.total for m in memory if m.total)
    return floor(100 * min(left, default=0.0)) / 100


def share_of(rank: LiveRank) -> float:
    """The share of the memory that a running server was given."""
    try:
        return float(value(rank.words, "--gpu-memory-utilization") or USUAL_SHARE)
    except ValueError:
        return USUAL_SHARE


def freed(memory: Mapping[str, Memory], servers: Iterable[LiveRank]) -> dict[str, Memory]:
    """The memory as it would be after those servers ended, by the share that each was given."""
    found = dict(memory)
    for rank in servers:
        for node in _held(rank, tuple(memory)):
            now = found[node]
            back = min(now.total, now.available + int(share_of(rank) * now.total))
            found[node] = replace(now, available=back)
    return found


def _held(rank: LiveRank, nodes: Sequence[str]) -> tuple[str, ...]:
    """Where it holds memory: its own node; with Ray, where one process leads all, as many as it spans."""
    spans = prod(whole(value(rank.words, flag)) or 1 for flag in PARALLEL)
    others = [n for n in nodes if n != rank.node] if not names(rank.words, "--nnodes") else []
    return tuple(n for n in (rank.node, *others[: spans - 1]) if n in nodes)


def crowded(launch: LaunchSpec, head: str, servers: Iterable[LiveRank]) -> bool:
    """Ray has no GPU left on the head, where it puts rank 0 of every server: one more would wait for ever."""
    ports = {r.port for r in servers if r.node == head}
    return launch.backend is Backend.RAY and len(ports) >= (launch.ray_num_gpus or 1)


def listed(servers: Iterable[LiveRank]) -> str:
    """`Qwen/Qwen3-0.6B on port 8888`, each server once."""
    return ", ".join(dict.fromkeys(f"{r.name} on port {r.port}" for r in servers))


def ask_of(spec: ServeSpec) -> Ask:
    """What a start of this spec asks of the memory: vLLM's own share where none was said."""
    return Ask(
        max_model_len=spec.longest,
        utilization=USUAL_SHARE if spec.utilization is None else spec.utilization,
        cache_type=value(spec.extra, "--kv-cache-dtype") or "auto",
        batched=whole(value(spec.extra, "--max-num-batched-tokens")) or Ask().batched,
        eager=spec.enforce_eager or names(spec.extra, "--enforce-eager"),
        text_only=names(spec.extra, "--language-model-only"),
    )


def unjudged(spec: ServeSpec) -> str:
    """The first word that makes the arithmetic another one; empty: there is none."""
    return next((flag for word in spec.extra if (flag := flag_of(word)) in OTHER_ARITHMETIC), "")
