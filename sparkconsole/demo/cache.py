"""The models of a pretend Spark: two that every node has, one that only the first has, one half there."""

from __future__ import annotations

_KIB = {
    "models--RedHatAI--Qwen3-VL-235B-A22B-Instruct-NVFP4": 128_000_000,
    "models--openai--gpt-oss-120b": 63_400_000,
    "models--Qwen--Qwen3-30B-A3B-Instruct-2507": 59_700_000,
    "models--meta-llama--Llama-3.1-8B-Instruct": 15_700_000,
}


def cache_listing(number: int) -> str:
    """As remote.models prints it; the first node has everything whole."""
    names = list(_KIB)[: 4 if number == 1 else 3]
    return "".join(_model(name, half=_half(number, name)) for name in names)


def has_model(number: int, name: str, *, whole: bool = False) -> bool:
    """The node with that number has the model; `whole`: all of it."""
    folder = f"models--{name.replace('/', '--')}"
    there = list(_KIB)[: 4 if number == 1 else 3]
    return folder in there and not (whole and _half(number, folder))


def _half(number: int, folder: str) -> bool:
    return number > 1 and folder.startswith("models--Qwen-")


def _model(folder: str, *, half: bool) -> str:
    lines = (
        f"model {folder}",
        f"snapshot {sum(map(ord, folder)):040x}",
        f"unfinished {3 if half else 0}",
        f"kib {_KIB[folder] // (3 if half else 1)}",
        "files 24",
        "dangling 0",
        "config yes",
        "weights yes",
        f"missing {9 if half else 0}",
    )
    return "".join(f"{line}\n" for line in lines)
