"""Does a model fit: weights, KV cache and what vLLM itself takes, against the memory of every node.

A Spark's memory is shared by everything on it. vLLM takes `--gpu-memory-utilization` of ALL of it for itself
and refuses to start unless so much is free just then; what does not go into weights and work is KV cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from sparkconsole.model.checkpoint.kv_cache import CacheLayout, cache_width, lay_out
from sparkconsole.model.checkpoint.shape import ModelShape
from sparkconsole.model.checkpoint.weights import Checkpoint, Split, rank_bytes, stages
from sparkconsole.model.facts import Memory
from sparkconsole.model.text.units import vllm_gib

GIB = 1 << 30
SYSTEM_BYTES = 8 * GIB
"""Left for the system, Ray and vLLM's own processes; with less a Spark stalls before anything is killed."""
CONTEXT_BYTES = round(2.1 * GIB)
GRAPH_BYTES = round(1.1 * GIB)
ENCODER_BYTES = round(3.0 * GIB)
"""Measured on GB10 as `utilization x total - weights - KV cache` of starts of vLLM 0.19 and 0.20: CUDA's
context, libraries and workspaces; CUDA graphs as vLLM estimates them; an encoder of images at its most."""
PEERS_BYTES = round(0.5 * GIB)
"""NCCL's buffers when there are several ranks: assumed, not measured."""
WORK_FACTOR = 16
"""Hidden states alive at once in a step, as many as the measured peaks ask for."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the server; None: the most that goes."""

    max_model_len: int | None = None
    concurrency: int = 1
    utilization: float | None = None
    cache_type: str = "auto"
    batched: int = 2048
    """`--max-num-batched-tokens`."""
    drafts: int = 0
    """Speculative tokens by the model's own draft layers."""
    eager: bool = False
    text_only: bool = False


@dataclass(frozen=True, slots=True)
class RankNeed:
    """What one rank keeps besides its KV cache."""

    weights: int
    overhead: int
    layout: CacheLayout | None

    @property
    def fixed(self) -> int:
        """Bytes that are gone before the first token."""
        return self.weights + self.overhead

    def cache(self, tokens: int, concurrency: int) -> int:
        """Bytes for so many requests of so many tokens."""
        return concurrency * self.layout.request_bytes(tokens) if self.layout else 0

    def longest(self, budget: int, concurrency: int, bound: int) -> int:
        """The most tokens, up to `bound`, of which so many requests fit into that budget."""
        room = max(0, budget - self.fixed)
        return self.layout.longest(room, concurrency, bound) if self.layout else bound * bool(room)


@dataclass(frozen=True, slots=True)
class Fit:
    """The verdict for one way of sharing the model."""

    split: Split
    needs: tuple[RankNeed, ...]
    """Of a rank of every pipeline stage."""
    length: int
    """The length that was judged."""
    limit: int | None
    """The longest that the model was made for."""
    concurrency: int
    utilization: float
    """The one that was judged."""
    accepted: float
    """The largest that vLLM starts with right now."""
    advised: float
    """The largest that leaves the system its part."""
    least: float
    """The smallest that holds what was asked."""
    longest: int
    """The most tokens a request may have, at that utilization."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    total: int = 0
    """Of the smallest node."""
    available: int = 0

    @property
    def fits(self) -> bool:
        """Nothing speaks against it."""
        return not self.problems

    @property
    def tightest(self) -> RankNeed:
        """The rank that decides."""
        return max(self.needs, key=lambda need: need.fixed + need.cache(self.length, self.concurrency))

    @property
    def budget(self) -> int:
        """What vLLM takes of the smallest node."""
        return int(self.utilization * self.total)

    @property
    def cache_bytes(self) -> int:
        """What is left for the KV cache there: vLLM's `Available KV cache memory`."""
        return max(0, self.budget - self.tightest.fixed)

    @property
    def at_once(self) -> float | None:
        """Requests of the judged length that fit at once: vLLM's `Maximum concurrency`."""
        layout = self.tightest.layout
        return layout.concurrency(self.cache_bytes, self.length) if layout else None


def _overhead(shape: ModelShape, ask: Ask, split: Split) -> int:
    """What vLLM takes beside weights and cache, by what was measured of its starts."""
    work = ask.batched * shape.hidden * shape.width * WORK_FACTOR // split.tensor
    graphs = 0 if ask.eager else GRAPH_BYTES
    encoder = ENCODER_BYTES if shape.multimodal and not ask.text_only else 0
    return CONTEXT_BYTES + work + graphs + encoder + (PEERS_BYTES if split.ranks > 1 else 0)


def rank_needs(checkpoint: Checkpoint, shape: ModelShape, split: Split, ask: Ask) -> tuple[RankNeed, ...]:
    """What a rank of each pipeline stage keeps."""
    weights = rank_bytes(checkpoint, shape, split, draft=ask.drafts > 0, tower=not ask.text_only)
    width = cache_width(ask.cache_type, shape.width, shape.cache_type)
    spans = stages(len(shape.layers), split.pipeline)
    kept = [[cache for layer in span for cache in shape.layers[layer]] for span in spans]
    kept[-1] += shape.draft if ask.drafts else ()
    layouts = (lay_out(k, width, split.tensor, batched=ask.batched, drafts=ask.drafts) for k in kept)
    overhead = _overhead(shape, ask, split)
    return tuple(RankNeed(own, overhead, layout) for own, layout in zip(weights, layouts, strict=True))


def judge(
    checkpoint: Checkpoint, shape: ModelShape, split: Split, ask: Ask, memory: Mapping[str, Memory]
) -> Fit:
    """The verdict, for the nodes in the order in which they become ranks."""
    needs = rank_needs(checkpoint, shape, split, ask)
    used = dict(list(memory.items())[: split.ranks])
    total = min((m.total for m in used.values()), default=0)
    available = min((m.available for m in used.values()), default=0)
    accepted = min((_down(m.available / m.total) for m in used.values()), default=0.0)
    advised = min((_down((m.available - SYSTEM_BYTES) / m.total) for m in used.values()), default=0.0)
    utilization = advised if ask.utilization is None else ask.utilization
    limit = shape.longest
    bound = limit or 1 << 24
    longest = min(n.longest(int(utilization * total), ask.concurrency, bound) for n in needs)
    length = ask.max_model_len or limit or longest
    wanted = max(need.fixed + need.cache(length, ask.concurrency) for need in needs)
    fit = Fit(
        split, needs, length, limit, ask.concurrency, utilization, accepted, advised,
        least=ceil(100 * wanted / total) / 100 if total else 0.0,
        longest=longest, total=total, available=available,
    )  # fmt: skip
    problems = tuple(_problems(fit, shape, ask, used, len(memory)))
    return replace(fit, problems=problems, warnings=tuple(_warnings(fit)))


def _problems(fit: Fit, shape: ModelShape, ask: Ask, used: Mapping[str, Memory], nodes: int) -> Iterator[str]:
    split = fit.split
    if split.ranks > nodes:
        yield f"{split.words} needs {split.ranks} nodes, one GPU each, and {nodes} answered"
    if shape.heads and shape.heads % split.tensor:
        yield f"{shape.heads} attention heads cannot be shared by tp {split.tensor}"
    # vLLM looks at what is free before it loads anything.
    for node, m in used.items():
        if (wanted := fit.utilization * m.total) > m.available:
            share = f"{fit.utilization:g} of {vllm_gib(m.total)} is {vllm_gib(int(wanted))}"
            yield f"{node}: vLLM would refuse to start: {share}, and {vllm_gib(m.available)} are free"
    yield from _too_big(fit)
    if ask.max_model_len and fit.limit and ask.max_model_len > fit.limit:
        yield f"the model was made for {fit.limit:,} tokens: vLLM refuses {ask.max_model_len:,}"


def _too_big(fit: Fit) -> Iterator[str]:
    need, budget = fit.tightest, fit.budget
    cache = need.cache(fit.length, fit.concurrency)
    if need.fixed >= budget:
        yield f"weights and overhead alone take {vllm_gib(need.fixed)} of a budget of {vllm_gib(budget)}"
    elif need.fixed + cache > budget:
        many = f"{fit.concurrency} requests" if fit.concurrency > 1 else "one request"
        left = f"{vllm_gib(fit.cache_bytes)} are left"
        yield f"the KV cache of {many} of {fit.length:,} tokens takes {vllm_gib(cache)}, and {left}"


def _warnings(fit: Fit) -> Iterator[str]:
    if fit.advised < fit.utilization <= fit.accepted:
        left = f"{vllm_gib(fit.available - fit.budget)} would be left for the system"
        yield f"{left}: a Spark stalls when it runs out; stay at or under {max(0.0, fit.advised):.2f}"


def splits(nodes: int, shape: ModelShape) -> tuple[Split, ...]:
    """The ways worth trying on so many nodes, fewest nodes first."""
    powers = [2**n for n in range(nodes.bit_length()) if 2**n <= nodes]
    even = [Split(tensor=n) for n in powers if not shape.heads or shape.heads % n == 0]
    staged = [Split(pipeline=nodes)] if nodes not in powers and nodes > 1 else []
    return tuple([*even, *staged] or [Split()])


def best(fits: Sequence[Fit]) -> Fit:
    """The first that fits, else the one with the longest requests, else the last."""
    return next((fit for fit in fits if fit.fits), max(fits, key=lambda fit: (fit.longest, fit.split.ranks)))


def _down(share: float) -> float:
    return floor(max(0.0, share) * 100) / 100
