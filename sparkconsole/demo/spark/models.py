"""The models of a pretend Spark: two that every node has, one that only the first has, one half there; and
what their safetensors headers say: their true configurations, sizes by part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KIB = {
    "models--RedHatAI--Qwen3-VL-235B-A22B-Instruct-NVFP4": 128_000_000,
    "models--openai--gpt-oss-120b": 63_400_000,
    "models--Qwen--Qwen3-30B-A3B-Instruct-2507": 59_700_000,
    "models--meta-llama--Llama-3.1-8B-Instruct": 15_700_000,
}
_OTHER_KIB = 16_000_000
_FILES, _HALF = 12, 3
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


def folder_of(name: str) -> str:
    """The model's folder in the cache."""
    return f"models--{name.replace('/', '--')}"


def first_models(number: int) -> dict[str, bool]:
    """What a node starts with, and whether it is whole; the first node has everything whole."""
    names = list(_KIB)[: 4 if number == 1 else 3]
    return {name: number == 1 or not name.startswith("models--Qwen-") for name in names}


def cache_listing(models: Mapping[str, bool]) -> str:
    """As the model program's `list` prints it."""
    return "".join(f"{json.dumps(_listed(name, half=not whole))}\n" for name, whole in models.items())


def _commit(folder: str) -> str:
    return f"{sum(map(ord, folder)):040x}"


def _listed(folder: str, *, half: bool) -> dict[str, object]:
    return {
        "model": folder.removeprefix("models--"),
        "snapshot": _commit(folder),
        "dangling": [],
        "missing": _shards()[_HALF:] if half else [],
        "unfinished": 3 if half else 0,
        "config": True,
        "weights": True,
        "size_bytes": _KIB.get(folder, _OTHER_KIB) // (3 if half else 1) * 1024,
    }


def _shards(count: int = _FILES) -> list[str]:
    return [f"model-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]


def bytes_of(name: str) -> int:
    """All files of a model."""
    return _KIB.get(folder_of(name), _OTHER_KIB) * 1024 // _FILES * _FILES


def holding(models: Mapping[str, bool], name: str, home: str, free: int) -> str:
    """As the model program's `look` prints it."""
    folder, hub = folder_of(name), f"{home}/.cache/huggingface/hub"
    values = {"root": hub, "home": home, "free": free, "writable": True, "there": hub}
    values |= {"owner": "spark", "user": "spark"}
    if folder not in models:
        return json.dumps(values)
    commit, shards = _commit(folder), _shards()
    there = shards if models[folder] else shards[:_HALF]
    files = {f"{folder}/blobs/{n:064x}": bytes_of(name) // _FILES for n in range(len(there))}
    links = {f"{folder}/snapshots/{commit}/{shard}": f"../../blobs/{n:064x}" for n, shard in enumerate(there)}
    values |= {"revision": commit, "files": files, "beside": files, "links": links, "tied": links}
    values |= {"refs": {f"{folder}/refs/main": commit}, "missing": [s for s in shards if s not in there]}
    return json.dumps(values | {"hashes": {path: path.rpartition("/")[2] for path in files}})


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
    """As remote.model_program.headers prints it, for a node that has these models."""
    known = _MODELS.get(model)
    data: dict[str, Any] = {"meminfo": meminfo, "gpu": True}
    if known is None or folder_of(model) not in models:
        return json.dumps(data)
    whole = models[folder_of(model)]
    rows, names = _tensors(known), _shards(known.files)
    files = [[name, 4_000_000_000, "" if whole or n < 7 else "missing"] for n, name in enumerate(names)]
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
