"""What a language model keeps in memory while it serves, layer by layer, as its configuration says it."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_TOKENS = 16
"""vLLM's block of the KV cache, where nothing makes it larger."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The KV cache of one attention layer: so many bytes for every token of every request."""

    kv_heads: int
    head_dim: int
    window: int | None = None
    """Only so many of the newest tokens are kept; None: all."""
    chunked: bool = False
    """`window` counts from the start of a chunk (Llama 4)."""
    latent: int = 0
    """MLA: one vector of so many values a token for all heads; every rank keeps all of it."""
    index_bytes: int = 0
    """What a sparse-attention indexer keeps beside it for a token, whatever the cache's type."""

    def token_bytes(self, width: float, tensor: int) -> int:
        """Bytes for one token on one of `tensor` ranks, a value taking `width` bytes."""
        if self.latent:
            return round(self.latent * width) + self.index_bytes
        return round(2 * max(1, self.kv_heads // tensor) * self.head_dim * width) + self.index_bytes


@dataclass(frozen=True, slots=True)
class RecurrentState:
    """The state of one Mamba or linear-attention layer: the same bytes for every request, however long."""

    values: int
    channels: int = 0
    """Of the convolution before it."""
    kernel: int = 1
    width: int = 4
    conv_width: int = 2

    def request_bytes(self, tensor: int, drafts: int = 0) -> int:
        """Bytes of one state on one of `tensor` ranks; drafted tokens lengthen its convolution."""
        conv = (self.kernel - 1 + drafts) * self.channels * self.conv_width if self.channels else 0
        return (self.values * self.width + conv) // tensor


Cache = Attention | RecurrentState


@dataclass(frozen=True, slots=True)
class ModelShape:
    """As much of a model's config.json as decides its memory."""

    architecture: str
    layers: tuple[tuple[Cache, ...], ...]
    """What each layer keeps; nothing for a layer without attention or state."""
    heads: int = 0
    hidden: int = 0
    width: int = 2
    """Bytes of a value that is computed with."""
    longest: int | None = None
    """The most tokens that it was made for."""
    draft: tuple[Cache, ...] = ()
    """What its own draft layers keep, when they are used."""
    quantized: str = ""
    """How its weights are stored, as it says: `fp8`, `mxfp4`, `modelopt`, …"""
    cache_type: str = ""
    """The type of KV cache that it was calibrated for; empty: none."""
    multimodal: bool = False
    tied: bool = False
    """Its head is its embedding, which is kept once."""
