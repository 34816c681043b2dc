"""A model's config.json → ModelShape. What is not understood is refused by name, never guessed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.shape import Attention, Cache, ModelShape, RecurrentState

Config = Mapping[str, Any]
_INNER = ("text_config", "llm_config", "language_config", "thinker_config", "text_model_config")
_TOWERS = ("vision_config", "visual_config", "audio_config", "vision_tower", "mm_vision_tower", "vit_config")
_WIDTHS = {"float32": 4, "float": 4, "bfloat16": 2, "float16": 2, "half": 2}
_LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length",
    "max_sequence_length", "max_seq_length", "seq_len",
)  # fmt: skip
_KINDS = {
    "full_attention": "full", "attention": "full", "full": "full", "*": "full",
    "sliding_attention": "sliding", "sliding": "sliding", "chunked_attention": "chunked",
    "linear_attention": "state", "mamba": "state", "mamba2": "state", "conv": "state", "M": "state",
    "hybrid": "both", "E": "none", "-": "none", "moe": "none", "mlp": "none",
}  # fmt: skip
"""Words and letters that configurations have for a layer, and what the layer keeps."""
_PATTERNS = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6, "cohere2": 4}
"""Every so many layers one sees everything, where the configuration leaves that to the code."""
_ONLY_WEIGHTS = "only weights can be told of such a model"
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_nextn_predict_layers",
           "mtp_num_hidden_layers")  # fmt: skip
_MOST_LAYERS = 10_000
"""A tenth of it is more than any model has; each costs memory here."""


def model_shape(config: Config) -> ModelShape:
    """SparkError when the number of layers, heads or the kind of a layer cannot be told."""
    with _understood():
        return _shape(config, _text(config))


@contextmanager
def _understood() -> Iterator[None]:
    """A key that is not there, and a value of another kind than its key wants, are said as such."""
    try:
        yield
    except KeyError as error:
        raise SparkError(f"its config.json does not say {error.args[0]}", hint=_ONLY_WEIGHTS) from error
    except (ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        cause = "its config.json has a value of another kind than its key wants"
        raise SparkError(cause, hint=_ONLY_WEIGHTS) from error


def _shape(config: Config, inner: Config) -> ModelShape:
    kinds = layer_kinds(inner)
    whole = [_caches(inner, kind, n) for n, kind in enumerate(kinds)]
    shared = len(whole) - int(inner.get("num_kv_shared_layers") or 0)
    quantized = inner.get("quantization_config") or {}
    return ModelShape(
        architecture=str((config.get("architectures") or [inner.get("model_type", "unknown")])[0]),
        layers=tuple(caches if n < shared else () for n, caches in enumerate(whole)),
        heads=_heads(inner),
        hidden=_whole(inner, "hidden_size", "n_embd", "d_model", "dim"),
        width=_width(inner.get("dtype") or inner.get("torch_dtype")),
        longest=_longest(inner),
        draft=_draft(inner),
        quantized=str(quantized.get("quant_method") or quantized.get("quant_algo") or ""),
        cache_type="fp8" if "8" in str(quantized.get("kv_cache_quant_algo") or "") else "",
        multimodal=any(config.get(key) for key in _TOWERS),
        tied=bool(inner.get("tie_word_embeddings", _tied_by_code(inner))),
    )


def _tied_by_code(config: Config) -> bool:
    """Gemma's configuration does not say that its head is its embedding; transformers' code does."""
    return str(config.get("model_type", "")).startswith("gemma")


def _text(config: Config) -> Config:
    """The language model's part, over what is said for the whole."""
    found = next((config[key] for key in _INNER if isinstance(config.get(key), Mapping)), None)
    if found is None:
        return config
    return ChainMap(dict(_text(found)), dict(config))


def _whole(config: Config, *names: str, default: int | None = None) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    if default is None:
        cause = f"its config.json does not say {names[0]}"
        raise SparkError(cause, hint=_ONLY_WEIGHTS)
    return default


def _heads(config: Config) -> int:
    return _whole(config, "num_attention_heads", "n_head", "n_heads", "num_heads", default=0)


def _width(name: Any) -> int:
    """vLLM computes with 16 bits what was stored with 32."""
    return min(2, _WIDTHS.get(str(name).removeprefix("torch."), 2))


def _longest(config: Config) -> int | None:
    lengths = [config[key] for key in _LENGTHS if isinstance(config.get(key), int)]
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    factor = rope.get("factor")
    kind = rope.get("rope_type") or rope.get("type")
    if isinstance(factor, (int, float)) and kind == "yarn" and rope.get("original_max_position_embeddings"):
        return int(rope["original_max_position_embeddings"] * factor)
    if isinstance(factor, (int, float)) and kind in ("linear", "dynamic") and lengths:
        return int(min(lengths) * factor)
    return min(lengths, default=None)


# --- which layer keeps what


def layer_kinds(config: Config) -> tuple[str, ...]:
    """`full`, `sliding`, `chunked`, `state`, `both` or `none` for every layer, first one first."""
    with _understood():
        if (many := _too_many(config)) is not None:
            raise SparkError(f"its config.json says {many}: no model has so many layers", hint=_ONLY_WEIGHTS)
        for rule in _RULES:
            found = rule(config)
            if found is not None:
                return tuple(found)
        return (_only_kind(config),) * _layers(config)


def _too_many(config: Config) -> str | None:
    """What is said of the number of layers, where that cannot be."""
    counts = ((name, config.get(name)) for name in _COUNTS)
    return next((f"{n} {v}" for n, v in counts if isinstance(v, int) and not 0 <= v <= _MOST_LAYERS), None)


def _layers(config: Config) -> int:
    return _whole(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers")


def _only_kind(config: Config) -> str:
    kind = str(config.get("model_type", ""))
    if kind == "falcon_h1":
        return "both"
    if kind in ("mamba", "mamba2", "falcon_mamba"):
        return "state"
    slides = config.get("sliding_window") and config.get("use_sliding_window", True)
    return "sliding" if slides else "full"


def _named(config: Config) -> Sequence[str] | None:
    """A word or a letter a layer."""
    names = ("hybrid_override_pattern", "layers_block_type", "layer_types")
    pattern = next((config[name] for name in names if config.get(name)), None)
    if not pattern:
        return None
    unknown = sorted({str(word) for word in pattern if str(word) not in _KINDS})
    if unknown:
        raise SparkError(
            f"it has layers of a kind that is not known here: {', '.join(unknown)}",
            hint="let vLLM say it: its start prints the size of the KV cache",
        )
    slides = config.get("sliding_window") and config.get("use_sliding_window", True)
    kinds = [_KINDS[str(word)] for word in pattern]
    return [("full" if kind == "sliding" and not slides else kind) for kind in kinds]


def _by_index(config: Config) -> Sequence[str] | None:
    """The attention layers are named by number (Bamba, Kimi-Linear), by period (Jamba), or flagged."""
    count, linear = range(_whole(config, "num_hidden_layers", default=0)), config.get("linear_attn_config")
    if linear and linear.get("full_attn_layers"):
        return ["full" if n + 1 in linear["full_attn_layers"] else "state" for n in count]
    if config.get("attn_layer_indices"):
        return ["full" if n in config["attn_layer_indices"] else "state" for n in count]
    if config.get("attn_type_list"):
        return ["full" if word else "state" for word in config["attn_type_list"]]
    if config.get("attn_layer_period"):
        period, offset = config["attn_layer_period"], config.get("attn_layer_offset", 0)
        return ["full" if n % period == offset else "state" for n in count]
    return None


def _by_interval(config: Config) -> Sequence[str] | None:
    """Every so many layers one sees everything: the others slide, or are linear (Qwen3-Next)."""
    count = range(_whole(config, "num_hidden_layers", default=0))
    every = config.get("full_attention_interval")
    if every:
        return ["full" if (n + 1) % every == 0 else "state" for n in count]
    default = _PATTERNS.get(str(config.get("model_type")))
    pattern = config.get("sliding_window_pattern") or default
    if isinstance(pattern, int) and pattern > 1 and config.get("sliding_window"):
        return ["full" if (n + 1) % pattern == 0 else "sliding" for n in count]
    return None


def _by_chunk(config: Config) -> Sequence[str] | None:
    """Llama 4: the layers with rotary positions attend within chunks."""
    if not config.get("attention_chunk_size"):
        return None
    rope = config.get("no_rope_layers") or [0 if (n + 1) % 4 == 0 else 1 for n in range(_layers(config))]
    return ["chunked" if chunked else "full" for chunked in rope]


def _by_block(config: Config) -> Sequence[str] | None:
    """Nemotron-NAS: some layers have no attention at all."""
    blocks = config.get("block_configs")
    if not blocks:
        return None
    return ["none" if (b.get("attention") or {}).get("no_op") else "full" for b in blocks]


_RULES: tuple[Callable[[Config], Sequence[str] | None], ...] = (
    _named, _by_index, _by_interval, _by_chunk, _by_block,
)  # fmt: skip


# --- what a layer of a kind keeps


def _caches(config: Config, kind: str, number: int) -> tuple[Cache, ...]:
    if kind == "none":
        return ()
    if kind == "state":
        return (_state(config),)
    attention = _attention(config, kind, number)
    return (attention, _state(config)) if kind == "both" else (attention,)


def _attention(config: Config, kind: str, number: int = 0) -> Attention:
    windows = {"sliding": config.get("sliding_window"), "chunked": config.get("attention_chunk_size")}
    window = windows.get(kind)
    if config.get("kv_lora_rank"):
        latent = int(config["kv_lora_rank"]) + int(config.get("qk_rope_head_dim") or 0)
        index = int(config.get("index_head_dim") or 0)
        return Attention(1, latent, window, latent=latent, index_bytes=index + index // 128 * 4)
    heads, dim = _kv_heads(config, number), _head_dim(config)
    if kind != "sliding" and config.get("global_head_dim"):
        dim = int(config["global_head_dim"])
        heads = int(config.get("num_global_key_value_heads") or heads)
    return Attention(heads, dim, window, chunked=kind == "chunked")


def _head_dim(config: Config) -> int:
    size = _whole(config, "head_dim", "attention_head_dim", "v_head_dim", default=0)
    return size or _whole(config, "hidden_size", "n_embd", "d_model", "dim") // max(1, _heads(config))


def _kv_heads(config: Config, number: int) -> int:
    blocks = config.get("block_configs")
    if blocks:
        return _heads(config) // int((blocks[number].get("attention") or {}).get("n_heads_in_group") or 1)
    if config.get("multi_query") and not config.get("new_decoder_architecture"):
        return 1
    names = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "num_query_groups")
    return _whole(config, *names, default=_heads(config))


def _state(config: Config) -> RecurrentState:
    for key, build in _STATES.items():
        if config.get(key):
            return build(config)
    raise SparkError(
        "it has Mamba or linear-attention layers whose state its config.json does not describe",
        hint="let vLLM say it: its start prints the size of the KV cache",
    )


def _state_width(config: Config, default: int) -> int:
    name = config.get("mamba_ssm_cache_dtype") or config.get("mamba_ssm_dtype")
    return _WIDTHS.get(str(name), default)


def _delta_net(config: Config) -> RecurrentState:
    values, keys = config["linear_num_value_heads"], config["linear_num_key_heads"]
    value_dim, key_dim = config["linear_value_head_dim"], config["linear_key_head_dim"]
    channels = 2 * keys * key_dim + values * value_dim
    width = _state_width(config, 2)
    return RecurrentState(values * key_dim * value_dim, channels, config["linear_conv_kernel_dim"], width)


def _nemotron(config: Config) -> RecurrentState:
    inner, size = config["mamba_num_heads"] * config["mamba_head_dim"], config["ssm_state_size"]
    channels = inner + 2 * config["n_groups"] * size
    return RecurrentState(inner * size, channels, config["conv_kernel"], _state_width(config, 4))


def _mamba2(config: Config) -> RecurrentState:
    inner = config["mamba_n_heads"] * _mamba_head(config)
    channels = inner + 2 * config.get("mamba_n_groups", 1) * config["mamba_d_state"]
    width = _state_width(config, 2)
    return RecurrentState(inner * config["mamba_d_state"], channels, config["mamba_d_conv"], width)


def _mamba_head(config: Config) -> int:
    size = config.get("mamba_d_head")
    if isinstance(size, int):
        return size
    return int(config.get("mamba_expand", 2) * config["hidden_size"] // config["mamba_n_heads"])


def _mamba1(config: Config) -> RecurrentState:
    inner = int(config.get("mamba_expand", config.get("expand", 2)) * config["hidden_size"])
    size = _whole(config, "mamba_d_state", "state_size")
    kernel = _whole(config, "mamba_d_conv", "conv_kernel")
    return RecurrentState(inner * size, inner, kernel, _state_width(config, 2))


def _kimi(config: Config) -> RecurrentState:
    linear = config["linear_attn_config"]
    inner, kernel = linear["num_heads"] * linear["head_dim"], linear["short_conv_kernel_size"]
    return RecurrentState(inner * linear["head_dim"], 3 * inner, kernel, _state_width(config, 4))


def _lightning(config: Config) -> RecurrentState:
    return RecurrentState(_heads(config) * _head_dim(config) ** 2, width=4)


def _short_conv(config: Config) -> RecurrentState:
    return RecurrentState(0, config["hidden_size"], config["conv_L_cache"])


_STATES: Mapping[str, Callable[[Config], RecurrentState]] = {
    "linear_num_value_heads": _delta_net, "mamba_num_heads": _nemotron, "mamba_n_heads": _mamba2,
    "linear_attn_config": _kimi, "attn_type_list": _lightning, "conv_L_cache": _short_conv,
    "mamba_d_state": _mamba1, "state_size": _mamba1,
}  # fmt: skip
"""The key that tells whose state it is."""


def _draft(config: Config) -> tuple[Cache, ...]:
    """The caches of its own multi-token-prediction layers."""
    names = ("num_nextn_predict_layers", "mtp_num_hidden_layers")
    count = _whole(config, *names, default=0)
    return (_attention(config, "full"),) * count if count else ()
