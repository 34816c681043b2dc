"""What the safetensors headers of a pretend Spark's models say: their true configurations, sizes by part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkconsole.demo.spark.cache import folder_of

GPT_OSS = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "num_hidden_layers": 36,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
    "sliding_window": 128,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "hidden_size": 2880,
    "max_position_embeddings": 131072,
    "num_local_experts": 128,
    "quantization_config": {"quant_method": "mxfp4"},
}
QWEN_VL = {
    "architectures": ["Qwen3VLMoeForConditionalGeneration"],
    "vision_config": {"depth": 27},
    "quantization_config": {"quant_method": "compressed-tensors"},
    "text_config": {
        "num_hidden_layers": 94, "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 128,
        "hidden_size": 4096, "max_position_embeddings": 262144, "num_experts": 128,
    },
}  # fmt: skip
QWEN = {
    "architectures": ["Qwen3MoeForCausalLM"], "num_hidden_layers": 48, "num_attention_heads": 32,
    "num_key_value_heads": 4, "head_dim": 128, "hidden_size": 2048, "max_position_embeddings": 262144,
    "num_experts": 128, "torch_dtype": "bfloat16",
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "hidden_size": 4096, "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Model:
    """A configuration, the number of files, and bytes: of a layer, its experts, each end, the tower."""

    config: dict[str, Any]
    files: int
    layer: int
    experts: int
    end: int
    tower: int = 0


_MODELS = {
    "openai/gpt-oss-120b": _Model(GPT_OSS, 15, 57_000_000, 1_690_000_000, 1_158_000_000),
    "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4": _Model(
        QWEN_VL, 27, 82_000_000, 1_280_000_000, 1_244_000_000, 1_150_000_000
    ),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": _Model(QWEN, 16, 38_000_000, 1_208_000_000, 622_000_000),
    "meta-llama/Llama-3.1-8B-Instruct": _Model(LLAMA, 4, 436_000_000, 0, 1_050_000_000),
}


def headers(models: Mapping[str, bool], model: str, meminfo: str) -> str:
    """As remote.checkpoint.headers_program prints it, for a node that has these models."""
    known = _MODELS.get(model)
    data: dict[str, Any] = {"meminfo": meminfo, "gpu": True}
    if known is None or folder_of(model) not in models:
        return json.dumps(data)
    whole = models[folder_of(model)]
    names = [f"model-{n:05d}-of-{known.files:05d}.safetensors" for n in range(1, known.files + 1)]
    files = [[name, 4_000_000_000, "" if whole or n < 7 else "missing"] for n, name in enumerate(names)]
    rows = _tensors(known)
    data |= {
        "folder": "/home/spark/.cache/huggingface/hub",
        "revision": "demo",
        "config": known.config,
        "files": files,
        "other": [],
        "index_bytes": sum(row[2] for row in rows),
        "tensors": rows if whole else rows[: len(rows) // 3],
    }
    return json.dumps(data)


def _tensors(model: _Model) -> list[tuple[str, str, int]]:
    text = model.config.get("text_config") or model.config
    rows = [("model.embed_tokens.weight", "BF16", model.end), ("lm_head.weight", "BF16", model.end)]
    for layer in range(text["num_hidden_layers"]):
        rows.append((f"model.layers.{layer}.self_attn.qkv.weight", "BF16", model.layer))
        if model.experts:
            rows.append((f"model.layers.{layer}.mlp.experts.*.weight", "U8", model.experts))
    return [*rows, ("visual.blocks.weight", "BF16", model.tower)] if model.tower else rows
