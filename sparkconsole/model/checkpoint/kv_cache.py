"""The KV cache as vLLM lays it out: pages of one size for all kinds of layer, shared by groups of layers.

The rules are vLLM's (v1/core/kv_cache_utils.py, 0.19 to 0.26), proved against the figures of its own starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sparkconsole.errors import WrongUsage
from sparkconsole.model.checkpoint.shape import BLOCK_TOKENS, Attention, Cache, RecurrentState

WIDTHS: Mapping[str, float] = {
    "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_inc": 1, "fp8_ds_mla": 656 / 576, "bfloat16": 2,
    "float16": 2, "half": 2, "float32": 4,
}  # fmt: skip
"""Bytes of a cached value by `--kv-cache-dtype`; `auto` is the model's own."""
_EVEN = 1.25
"""Kinds whose numbers of layers differ by less share a group size, and the fewer are padded."""


@dataclass(frozen=True, slots=True)
class Group:
    """Layers of one kind that share their pages; `count` such groups."""

    block: int
    """Tokens in a page; 0 for a state, of which a request keeps a fixed number."""
    count: int = 1
    window: int | None = None
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class CacheLayout:
    """The cache of one rank: every page is `page_bytes` in each of `stacked` layers."""

    page_bytes: int
    stacked: int
    groups: tuple[Group, ...]
    batched: int
    states: int = 1
    """Of a layer, for one request."""

    @property
    def unit_bytes(self) -> int:
        """What one block of the pool takes."""
        return self.page_bytes * self.stacked

    def blocks(self, tokens: int) -> int:
        """Blocks that one request of so many tokens needs at most."""
        return sum(group.count * self._of(group, tokens) for group in self.groups)

    def _of(self, group: Group, tokens: int) -> int:
        if not group.block:
            return self.states
        if group.window is None:
            return ceil(tokens / group.block)
        if group.chunked:
            return ceil(min(group.window + self.batched, tokens) / group.block)
        return ceil(min(group.window - 1 + self.batched, tokens) / group.block) + 1

    def request_bytes(self, tokens: int) -> int:
        """Bytes that one request of so many tokens needs at most."""
        return self.blocks(tokens) * self.unit_bytes

    def concurrency(self, available: int, tokens: int) -> float:
        """How many requests of so many tokens fit at once."""
        return (available // self.unit_bytes) / max(1, self.blocks(tokens))

    def longest(self, available: int, concurrency: int, limit: int) -> int:
        """The most tokens, up to `limit`, of which `concurrency` requests fit; 0: not even one."""
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            fits = concurrency * self.request_bytes(middle) <= available
            low, high = (middle, high) if fits else (low, middle - 1)
        return low


def cache_width(kind: str, model_width: int, calibrated: str = "") -> float:
    """Bytes of a cached value; WrongUsage for a type that nobody knows."""
    if kind == "auto":
        return WIDTHS.get(calibrated, model_width)
    if kind not in WIDTHS:
        raise WrongUsage(f"no KV cache type is called {kind}", hint=f"auto, {', '.join(WIDTHS)}")
    return WIDTHS[kind]


def lay_out(
    caches: Sequence[Cache], width: float, tensor: int, *, batched: int, drafts: int = 0
) -> CacheLayout | None:
    """The layout of the layers of one rank; None when they keep nothing."""
    if not caches:
        return None
    attention = [cache for cache in caches if isinstance(cache, Attention)]
    kinds = {(cache.window, cache.chunked) for cache in attention}
    if len(kinds) == 1 and len(attention) == len(caches):
        # One kind of attention: a block is a slice through all layers, whatever their sizes.
        page = BLOCK_TOKENS * sum(cache.token_bytes(width, tensor) for cache in attention)
        return CacheLayout(page, 1, (Group(BLOCK_TOKENS, 1, *kinds.pop()),), batched)
    counts = Counter(caches)
    page = _page_bytes(counts, width, tensor, drafts)
    fewest, most = min(counts.values()), max(counts.values())
    stacked = most if most < fewest * _EVEN else fewest
    groups = (_group(cache, n, stacked, page, width, tensor) for cache, n in counts.items())
    return CacheLayout(page, stacked, tuple(groups), batched, 1 + drafts)


def _page_bytes(caches: Collection[Cache], width: float, tensor: int, drafts: int) -> int:
    """The largest page of 16 tokens; a state makes attention's blocks so long that they hold it."""
    state = max((c.request_bytes(tensor, drafts) for c in caches if isinstance(c, RecurrentState)), default=0)
    token = max((c.token_bytes(width, tensor) for c in caches if isinstance(c, Attention)), default=0)
    if not token:
        return state
    return max(1, ceil(state / (BLOCK_TOKENS * token))) * BLOCK_TOKENS * token


def _group(cache: Cache, layers: int, stacked: int, page: int, width: float, tensor: int) -> Group:
    count = ceil(layers / stacked)
    if isinstance(cache, RecurrentState):
        return Group(0, count)
    return Group(page // cache.token_bytes(width, tensor), count, cache.window, cache.chunked)
