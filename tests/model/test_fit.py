"""`model fit` against what vLLM itself said at the start of real servers on Sparks.

The configurations below are written down from public knowledge of these models (no file of theirs is here),
and so are the shapes of their tensors. The figures are read from the captures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.model.checkpoint.fit import GIB, Ask, Fit, best, judge, rank_needs, splits
from sparkconsole.model.checkpoint.kv_cache import CacheLayout, cache_width, lay_out
from sparkconsole.model.checkpoint.shape import Attention, ModelShape
from sparkconsole.model.checkpoint.weights import (
    Checkpoint,
    Split,
    Tensors,
    WeightFile,
    rank_bytes,
    stages,
)
from sparkconsole.model.facts import Memory
from sparkconsole.parse.checkpoint.config import model_shape

SPARK = Memory(round(121.69 * GIB), round(117.9 * GIB))
OLDER = Memory(round(119.7 * GIB), round(116.0 * GIB))

QWEN36 = {
    "architectures": ["Qwen3_5MoeForConditionalGeneration"],
    "vision_config": {"depth": 27},
    "text_config": {
        "num_hidden_layers": 40,
        "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 10,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "head_dim": 256,
        "hidden_size": 2048,
        "linear_num_value_heads": 32,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
        "mamba_ssm_dtype": "float32",
        "num_experts": 256,
        "mtp_num_hidden_layers": 1,
        "max_position_embeddings": 262144,
        "dtype": "bfloat16",
    },
}
GEMMA4 = {
    "architectures": ["Gemma4ForConditionalGeneration"],
    "vision_config": {"hidden_size": 1152},
    "text_config": {
        "model_type": "gemma4_text",
        "num_hidden_layers": 30,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 5,
        "sliding_window": 1024,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 256,
        "global_head_dim": 512,
        "num_global_key_value_heads": 2,
        "hidden_size": 2816,
        "num_experts": 128,
        "max_position_embeddings": 262144,
        "tie_word_embeddings": True,
    },
}
NEMOTRON = {
    "architectures": ["NemotronHForCausalLM"],
    "model_type": "nemotron_h",
    "num_hidden_layers": 88,
    "hybrid_override_pattern": (
        "MEMEMEM*EMEMEMEM*EMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEM*EMEMEMEME"
    ),
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "hidden_size": 4096,
    "mamba_num_heads": 128,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "conv_kernel": 4,
    "num_nextn_predict_layers": 1,
    "max_position_embeddings": 262144,
    "quantization_config": {"quant_method": "modelopt"},
}
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 1024,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}


def tensors(rows: Mapping[str, tuple[str, tuple[int, ...]]], layers: int) -> tuple[Tensors, ...]:
    """Names with `{}` stand for every layer; the type is its bytes by name."""
    width = {"BF16": 2.0, "F32": 4.0, "F8": 1.0, "FP4": 0.5 + 1 / 16}
    return tuple(
        Tensors(name.format(n), dtype, round(prod(shape) * width[dtype]))
        for name, (dtype, shape) in rows.items()
        for n in range(layers if "{}" in name else 1)
    )


def qwen36_tensors() -> tuple[Tensors, ...]:
    layer = {
        "model.language_model.layers.{}.mlp.experts.gate_up_proj": ("BF16", (256, 2 * 512, 2048)),
        "model.language_model.layers.{}.mlp.experts.down_proj": ("BF16", (256, 2048, 512)),
        "model.language_model.layers.{}.mlp.shared_expert.weight": ("BF16", (3, 2048, 512)),
        "model.language_model.layers.{}.mlp.gate.weight": ("BF16", (256, 2048)),
        "model.language_model.layers.{}.linear_attn.in_out.weight": ("BF16", (2048, 8192 + 4096 + 4096)),
        "model.language_model.embed_tokens.weight": ("BF16", (248320, 2048)),
        "lm_head.weight": ("BF16", (248320, 2048)),
        "model.visual.blocks.weight": ("BF16", (446_000_000,)),
        "mtp.layers.0.mlp.experts.weight": ("BF16", (256, 3 * 512, 2048)),
        "mtp.fc.weight": ("BF16", (4096, 2048)),
    }
    return tensors(layer, 40)


def gemma4_tensors() -> tuple[Tensors, ...]:
    layer = {
        "model.language_model.layers.{}.experts.gate_up_proj": ("BF16", (128, 2 * 704, 2816)),
        "model.language_model.layers.{}.experts.down_proj": ("BF16", (128, 2816, 704)),
        "model.language_model.layers.{}.mlp.weight": ("BF16", (3, 2816, 2112)),
        "model.language_model.layers.{}.self_attn.q_o.weight": ("BF16", (2, 2816, 16 * 256)),
        "model.language_model.layers.{}.self_attn.k_v.weight": ("BF16", (2, 2816, 8 * 256)),
        "model.language_model.embed_tokens.weight": ("BF16", (262144, 2816)),
        "model.vision_tower.weight": ("BF16", (550_000_000,)),
    }
    return tensors(layer, 30)


def nemotron_tensors() -> tuple[Tensors, ...]:
    """40 layers of 512 experts in a latent of 1024, 4 bits with scales; Mamba and shared experts with 8 bits;
    the draft layer's experts with 16."""
    moe = {
        "backbone.layers.{}.mixer.experts.*.weight": ("FP4", (512, 2, 2688, 1024)),
        "backbone.layers.{}.mixer.latent.weight": ("BF16", (2, 4096, 1024)),
        "backbone.layers.{}.mixer.shared_experts.weight": ("F8", (2, 4096, 5376)),
        "backbone.layers.{}.mixer.in_out.weight": ("F8", (4096, 8192 + 10240 + 128 + 8192)),
    }
    ends = {
        "backbone.layers.7.mixer.q_k_v_o.weight": ("BF16", (8, 4096, 2 * 4096 + 2 * 256)),
        "backbone.embeddings.weight": ("BF16", (131072, 4096)),
        "lm_head.weight": ("BF16", (131072, 4096)),
        "mtp.layers.0.mixer.experts.*.weight": ("BF16", (512, 2, 2688, 1024)),
    }
    return (*tensors(moe, 40), *tensors(ends, 0))


def qwen3_tensors() -> tuple[Tensors, ...]:
    layer = {
        "model.layers.{}.mlp.weight": ("BF16", (3, 1024, 3072)),
        "model.layers.{}.self_attn.weight": ("BF16", (1024, 2 * 2048 + 2 * 1024)),
        "model.embed_tokens.weight": ("BF16", (151936, 1024)),
        "lm_head.weight": ("BF16", (151936, 1024)),
    }
    return tensors(layer, 28)


@dataclass(frozen=True)
class Boot:
    """A capture of a start and what was asked there."""

    capture: str
    config: Mapping[str, Any]
    tensors: tuple[Tensors, ...]
    memory: Memory
    ask: Ask


BOOTS = (
    Boot(
        "boot-qwen36-35b-bf16-with-stats.txt",
        QWEN36,
        qwen36_tensors(),
        SPARK,
        Ask(131072, utilization=0.95, text_only=True),
    ),
    Boot(
        "boot-gemma4-26b-bf16-tqdm-shards-and-graphs.txt",
        GEMMA4,
        gemma4_tensors(),
        OLDER,
        Ask(8192, utilization=0.8, batched=4096),
    ),
    Boot(
        "boot-nemotron3-super-120b-nvfp4-v0.19.2.txt",
        NEMOTRON,
        nemotron_tensors(),
        SPARK,
        Ask(131072, utilization=0.95, cache_type="fp8", drafts=3),
    ),
)
SAID = {
    "weights": r"Model loading took ([\d.]+) GiB",
    "cache": r"Available KV cache memory: ([\d.]+) GiB",
    "tokens": r"GPU KV cache size: ([\d,]+) tokens",
    "at_once": r"Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x",
}


def said(folder: Path, boot: Boot) -> dict[str, float]:
    text = (folder / "vllm-serve" / boot.capture).read_text()
    found = {key: re.search(pattern, text) for key, pattern in SAID.items()}
    return {key: float(m[1].replace(",", "")) for key, m in found.items() if m}


def reported_tokens(layout: CacheLayout, available: int) -> int:
    """`GPU KV cache size: N tokens`, as vLLM prints it; with several kinds of layer more fit in truth."""
    blocks = [group.block for group in layout.groups if group.block]
    count = sum(group.count for group in layout.groups)
    return available // layout.unit_bytes // count * min(blocks, default=0)


def judged(boot: Boot, *, utilization: float | None = None) -> Fit:
    ask = boot.ask if utilization is None else replace(boot.ask, utilization=utilization)
    return judge(Checkpoint(tensors=boot.tensors), model_shape(boot.config), Split(), ask, {"a": boot.memory})


@pytest.mark.parametrize("boot", BOOTS, ids=lambda boot: boot.capture)
def test_the_figures_of_real_starts(boot: Boot, captures_of_others: Path) -> None:
    """Weights and cache within ten percent; given the memory, the tokens are vLLM's to the last block."""
    figures, fit = said(captures_of_others, boot), judged(boot)
    assert fit.tightest.weights / GIB == pytest.approx(figures["weights"], rel=0.1)
    assert fit.cache_bytes / GIB == pytest.approx(figures["cache"], rel=0.1)
    layout = fit.tightest.layout
    assert layout is not None
    available = int((figures["cache"] + 0.005) * GIB)
    assert reported_tokens(layout, available) == pytest.approx(figures["tokens"], rel=0.0005)
    assert layout.concurrency(available, fit.length) == pytest.approx(figures["at_once"], abs=0.011)
    assert reported_tokens(layout, fit.cache_bytes) == pytest.approx(figures["tokens"], rel=0.1)


def test_a_small_dense_model(captures_of_others: Path) -> None:
    text = (captures_of_others / "vllm-errors/free-memory-advice-line.txt").read_text()
    tokens = int(re.findall(SAID["tokens"], text)[0].replace(",", ""))
    boot = Boot("", QWEN3, qwen3_tensors(), SPARK, Ask(40960, utilization=0.6))
    fit = judged(boot)
    layout = fit.tightest.layout
    assert layout is not None
    assert reported_tokens(layout, round(69.4 * GIB)) == pytest.approx(tokens, rel=0.001)
    assert reported_tokens(layout, fit.cache_bytes) == pytest.approx(tokens, rel=0.1)


# --- the arithmetic


LLAMA = ModelShape("LlamaForCausalLM", ((Attention(8, 128),),) * 32, heads=32, hidden=4096, longest=131072)
EIGHT_B = Checkpoint(
    tensors=(
        *(Tensors(f"model.layers.{n}.all.weight", "BF16", 436_000_000) for n in range(32)),
        Tensors("model.embed_tokens.weight", "BF16", 1_050_000_000),
        Tensors("lm_head.weight", "BF16", 1_050_000_000),
    )
)
TWO = {"a": SPARK, "b": SPARK}
ONE = Split()


def fits(memory: Mapping[str, Memory] = TWO, split: Split = ONE, **words: Any) -> Fit:
    return judge(EIGHT_B, LLAMA, split, Ask(**words), memory)


def test_what_is_advised_fits_and_a_token_more_does_not() -> None:
    found = fits(concurrency=10)
    assert not found.fits
    assert 1000 < found.longest < 131072
    assert fits(concurrency=10, max_model_len=found.longest).fits
    assert not fits(concurrency=10, max_model_len=found.longest + 16).fits


def test_the_least_utilization_is_enough_and_a_hundredth_less_is_not() -> None:
    least = fits(max_model_len=65536).least
    assert fits(max_model_len=65536, utilization=least).fits
    assert not fits(max_model_len=65536, utilization=round(least - 0.01, 2)).fits


def test_vllm_starts_only_when_its_share_is_free() -> None:
    busy = {"a": SPARK, "b": replace(SPARK, available=60 * GIB)}
    found = fits(busy, Split(tensor=2), utilization=0.8)
    assert [text.split(":")[0] for text in found.problems] == ["b"]
    assert "would refuse to start" in found.problems[0]
    assert found.accepted == 0.49
    assert fits(busy, Split(tensor=2)).fits


def test_a_share_that_leaves_nothing_to_the_system_is_warned_of() -> None:
    found = fits(utilization=0.95)
    assert found.fits
    assert "a Spark stalls" in found.warnings[0]
    assert fits(utilization=found.advised).warnings == ()


def test_ranks_share_layers_heads_and_cache() -> None:
    one, two = (rank_needs(EIGHT_B, LLAMA, Split(tensor=n), Ask())[0] for n in (1, 2))
    assert two.weights == pytest.approx(one.weights / 2)
    assert two.cache(1000, 1) == one.cache(1000, 1) / 2
    many = rank_needs(EIGHT_B, LLAMA, Split(tensor=16), Ask())[0]
    assert many.cache(1600, 1) == one.cache(1600, 1) / 8, "a KV head is on two ranks"


def test_stages_share_layers_and_keep_an_end_each() -> None:
    assert [len(span) for span in stages(32, 3)] == [11, 11, 10]
    assert [len(span) for span in stages(35, 4)] == [9, 9, 9, 8]
    first, last = rank_bytes(EIGHT_B, LLAMA, Split(pipeline=2))
    assert first == last == 16 * 436_000_000 + 1_050_000_000
    cache = [need.cache(1600, 1) for need in rank_needs(EIGHT_B, LLAMA, Split(pipeline=3), Ask())]
    assert cache[0] > cache[2]


def test_data_parallel_copies_all_but_experts() -> None:
    mixed = Checkpoint(
        tensors=(
            Tensors("model.layers.0.mlp.experts.*.up_proj.weight", "U8", 800),
            Tensors("model.layers.0.self_attn.weight", "BF16", 100),
        )
    )
    shape = replace(LLAMA, layers=LLAMA.layers[:1])
    assert rank_bytes(mixed, shape, Split(data=2)) == (500,)
    assert rank_bytes(mixed, shape, Split(tensor=2)) == (450,)


def test_what_is_stored_is_what_is_kept_but_for_plain_floats() -> None:
    rows = (
        Tensors("a.weight", "F32", 400),
        Tensors("b.weight", "U8", 100),
        Tensors("lm_head.weight", "F32", 4),
    )
    plain = replace(LLAMA, tied=True)
    assert rank_bytes(Checkpoint(tensors=rows), plain, Split()) == (300,)
    packed = replace(plain, quantized="awq")
    assert rank_bytes(Checkpoint(tensors=rows), packed, Split()) == (500,)


def test_missing_shards_are_told_by_the_index() -> None:
    some = replace(EIGHT_B, files=(WeightFile("1", 1), WeightFile("2", 0, "missing")), index_bytes=17 * 10**9)
    assert some.unread_bytes == 17 * 10**9 - some.read_bytes
    assert "the index for the others" in some.source
    assert rank_bytes(some, LLAMA, Split()) == (17 * 10**9,)


def test_ways_that_cannot_be_are_not_proposed() -> None:
    assert splits(4, LLAMA) == (Split(), Split(tensor=2), Split(tensor=4))
    assert splits(3, LLAMA)[-1] == Split(pipeline=3)
    assert splits(2, replace(LLAMA, heads=25)) == (Split(),)
    asked = fits(split=Split(tensor=3))
    assert [text.split(" ")[0] for text in asked.problems] == ["tp", "32"]
    assert best([asked, fits()]).fits


def test_longer_than_the_model_was_made_for() -> None:
    assert "made for 131,072 tokens" in fits(max_model_len=200_000).problems[-1]


# --- configurations


def kept(config: Mapping[str, Any], tokens: int = 100_000, kind: str = "auto") -> int:
    shape = model_shape(config)
    caches = [cache for layer in shape.layers for cache in layer]
    layout = lay_out(caches, cache_width(kind, shape.width, shape.cache_type), 1, batched=2048)
    return layout.request_bytes(tokens) // tokens if layout else 0


DEEPSEEK = {
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "hidden_size": 7168,
    "max_position_embeddings": 163840,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "num_nextn_predict_layers": 1,
}
BYTES_A_TOKEN = {
    "one KV head for all": ({**QWEN3, "num_key_value_heads": 1}, 28 * 2 * 128 * 2),
    "a KV head for every head": ({**QWEN3, "num_key_value_heads": None}, 28 * 2 * 16 * 128 * 2),
    "a head's size by division": ({**QWEN3, "head_dim": None}, 28 * 2 * 8 * 64 * 2),
    "MLA": (DEEPSEEK, 61 * 576 * 2),
    "MLA with an indexer": ({**DEEPSEEK, "index_head_dim": 128}, 61 * (576 * 2 + 132)),
    "an unused window": ({**QWEN3, "sliding_window": 4096, "use_sliding_window": False}, 28 * 4096),
    "GPT-2's names": ({"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024}, 12 * 2 * 768 * 2),
    "a calibrated cache": (
        {**QWEN3, "quantization_config": {"kv_cache_quant_algo": "FP8"}},
        28 * 2 * 8 * 128,
    ),
}


@pytest.mark.parametrize(("config", "expected"), BYTES_A_TOKEN.values(), ids=BYTES_A_TOKEN)
def test_bytes_for_a_token(config: Mapping[str, Any], expected: int) -> None:
    assert kept({k: v for k, v in config.items() if v is not None}) == expected


def test_an_eight_bit_cache_is_half() -> None:
    assert kept(QWEN3, kind="fp8") * 2 == kept(QWEN3)
    with pytest.raises(WrongUsage, match="int3"):
        kept(QWEN3, kind="int3")


WINDOWS = {
    "by type": {"layer_types": ["sliding_attention", "full_attention"] * 14},
    "by pattern": {"sliding_window_pattern": 2},
    "by the code": {"model_type": "gemma2"},
}


@pytest.mark.parametrize("words", WINDOWS.values(), ids=WINDOWS)
def test_windows_keep_only_the_newest_tokens(words: Mapping[str, Any]) -> None:
    config = {**QWEN3, "sliding_window": 128, **words}
    assert kept(QWEN3) * 0.5 < kept(config) < kept(QWEN3) * 0.53


def test_a_layer_that_shares_its_cache_keeps_none() -> None:
    assert kept({**QWEN3, "num_kv_shared_layers": 14}) * 2 == kept(QWEN3)


def test_layers_by_number_by_period_and_in_chunks() -> None:
    mamba = {"mamba_n_heads": 64, "mamba_d_head": 64, "mamba_d_state": 128, "mamba_d_conv": 4}
    for words in ({"attn_layer_indices": [6, 13, 20, 27]}, {"attn_layer_period": 7, "attn_layer_offset": 6}):
        shape = model_shape({**QWEN3, **mamba, **words})
        attention = [n for n, layer in enumerate(shape.layers) if isinstance(layer[0], Attention)]
        assert attention == [6, 13, 20, 27]
    chunked = model_shape({**QWEN3, "attention_chunk_size": 8192})
    assert sum(layer[0].chunked for layer in chunked.layers if isinstance(layer[0], Attention)) == 21


def test_the_longest_request_is_what_the_positions_allow() -> None:
    assert model_shape(DEEPSEEK).longest == 163840
    assert model_shape({**QWEN3, "rope_scaling": {"rope_type": "llama3", "factor": 8}}).longest == 40960


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(SparkError, match="time_travel"):
        model_shape({**QWEN3, "layer_types": ["time_travel"] * 28})
    with pytest.raises(SparkError, match="num_hidden_layers"):
        model_shape({"model_type": "strange"})
