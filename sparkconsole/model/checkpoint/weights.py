"""A model's weights as its files say them, and how many bytes of them each rank keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from sparkconsole.model.checkpoint.shape import ModelShape
from sparkconsole.model.facts import Memory

_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d{1,9})\.")
_EXPERT = re.compile(r"\.(?:experts?|local_experts)\.(?!shared)")
_TOWER = re.compile(r"(?:^|\.)(?=\w+\.)\w*?(?:vision|visual|audio|image|multi_modal|mm_|vit|aligner)", re.I)
_DRAFT = re.compile(r"(?:^|\.)mtp\.")
_EMBEDDING = re.compile(r"(?:embed_tokens|word_embeddings|wte|tok_embeddings|\bembeddings?)\.weight$")
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|output|embed_out)\.weight$")


class TensorPart(StrEnum):
    """What a tensor belongs to."""

    LAYER = "layer"
    EXPERTS = "experts"
    EMBEDDING = "embedding"
    HEAD = "head"
    TOWER = "tower"
    DRAFT = "draft"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Tensors:
    """Tensors of one name (experts of a layer count as one) and one type, with the bytes that are stored."""

    name: str
    dtype: str
    stored: int


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One weight file; `problem` empty: its header is whole and so is its length."""

    name: str
    size: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on one node, as its folder says it without a weight being read."""

    folder: str = ""
    revision: str = ""
    config: dict[str, object] = field(default_factory=dict)
    files: tuple[WeightFile, ...] = ()
    other: tuple[WeightFile, ...] = ()
    """Weights in formats without a readable header."""
    tensors: tuple[Tensors, ...] = ()
    index_bytes: int | None = None
    """All weights, as the index says."""
    memory: Memory | None = None
    """Of the node, at that moment."""
    gpu: bool = True
    error: str = ""

    @property
    def there(self) -> bool:
        """The node has at least its configuration."""
        return bool(self.folder)

    @property
    def broken(self) -> tuple[WeightFile, ...]:
        """Files that are missing, cut off or unreadable."""
        return tuple(file for file in self.files if file.problem)

    @property
    def read_bytes(self) -> int:
        """What the headers account for."""
        return sum(t.stored for t in self.tensors)

    @property
    def unread_bytes(self) -> int:
        """What no header could be read of: by the index, else by the sizes of files in other formats."""
        if self.index_bytes is not None and self.broken:
            return max(0, self.index_bytes - self.read_bytes)
        return 0 if self.files else sum(file.size for file in self.other)

    @property
    def source(self) -> str:
        """Where the figure for the weights comes from."""
        if not self.files:
            return f"the sizes of {len(self.other)} files (no safetensors)"
        if self.broken:
            known = "the index for the others" if self.index_bytes is not None else "nothing for the others"
            return f"{len(self.files) - len(self.broken)} of {len(self.files)} headers, {known}"
        return "the headers of " + ("1 file" if len(self.files) == 1 else f"{len(self.files)} files")


@dataclass(frozen=True, slots=True)
class Split:
    """How ranks share a model."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def ranks(self) -> int:
        """One GPU, and so one Spark, each."""
        return self.tensor * self.pipeline * self.data

    @property
    def words(self) -> str:
        """`tp 2`, `tp 2 pp 2`, …"""
        parts = (("tp", self.tensor), ("pp", self.pipeline), ("dp", self.data))
        return " ".join(f"{name} {n}" for name, n in parts if n > 1) or "one node"


def stages(layers: int, pipeline: int) -> tuple[range, ...]:
    """The layers of each stage, as vLLM shares them out: what is left over goes to the stages before the
    last, backwards."""
    sizes = [layers // pipeline] * pipeline
    for n in range(layers % pipeline):
        sizes[-(n + 2) if pipeline > 1 else -1] += 1
    starts = [sum(sizes[:n]) for n in range(pipeline)]
    return tuple(range(start, start + length) for start, length in zip(starts, sizes, strict=True))


def part_of(tensors: Tensors, shape: ModelShape) -> tuple[TensorPart, int]:
    """What the tensors belong to, and their layer (-1: none)."""
    name = tensors.name
    if _DRAFT.search(name):
        return TensorPart.DRAFT, -1
    if _TOWER.search(name):
        return TensorPart.TOWER, -1
    found = _LAYER.search(name)
    if found:
        number = int(found[1])
        if shape.layers and number >= len(shape.layers):
            return TensorPart.DRAFT, number
        return (TensorPart.EXPERTS if _EXPERT.search(name) else TensorPart.LAYER), number
    if _EMBEDDING.search(name):
        return TensorPart.EMBEDDING, -1
    return (TensorPart.HEAD, -1) if _HEAD.search(name) else (TensorPart.REST, -1)


def kept_bytes(tensors: Tensors, shape: ModelShape) -> int:
    """As they are in memory: stored bytes, but a plain model stored with 32 bits is computed with 16."""
    halved = tensors.dtype in ("F32", "F64") and not shape.quantized and shape.width < 4
    return tensors.stored * shape.width // (8 if tensors.dtype == "F64" else 4) if halved else tensors.stored


def rank_bytes(
    checkpoint: Checkpoint, shape: ModelShape, split: Split, *, draft: bool = False, tower: bool = True
) -> tuple[int, ...]:
    """Bytes of weights on each rank of every pipeline stage, first stage first; plain layers always count."""
    spans = stages(len(shape.layers), split.pipeline)
    last = len(spans) - 1
    whole = checkpoint.unread_bytes / max(1, len(shape.layers))
    bytes_of = [whole * len(span) / split.tensor for span in spans]
    for tensors in checkpoint.tensors:
        part, layer = part_of(tensors, shape)
        inside = [n for n, span in enumerate(spans) if layer in span]
        where = {
            TensorPart.LAYER: inside,
            TensorPart.EXPERTS: inside,
            TensorPart.EMBEDDING: list({0, last}) if shape.tied else [0],
            TensorPart.HEAD: [] if shape.tied else [last],
            TensorPart.TOWER: [0] if tower else [],
            TensorPart.DRAFT: [last] if draft else [],
            TensorPart.REST: [last],
        }[part]
        # vLLM spreads experts over the ranks of data parallelism too; everything else is copied there.
        among = split.tensor * (split.data if part is TensorPart.EXPERTS else 1)
        for stage in where:
            bytes_of[stage] += kept_bytes(tensors, shape) / among
    return tuple(map(round, bytes_of))
