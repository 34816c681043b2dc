"""Flags of `vllm serve`, read as its own parser reads them.

`_` for `-`, `--flag=value`, short names, and beginnings of a name: vllm/utils/argparse_utils.py
(`FlexibleArgumentParser`, vLLM 0.11 to 0.32) turns underscores of a flag into dashes, and argparse below it
takes any beginning that is no flag by itself. The last one said counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest

SHORT: Mapping[str, str] = {
    "-tp": "--tensor-parallel-size", "-pp": "--pipeline-parallel-size", "-dp": "--data-parallel-size",
    "-dpn": "--data-parallel-rank", "-dpr": "--data-parallel-start-rank",
    "-dpl": "--data-parallel-size-local", "-dpa": "--data-parallel-address",
    "-dpp": "--data-parallel-rpc-port", "-dpb": "--data-parallel-backend",
    "-dph": "--data-parallel-hybrid-lb", "-dpe": "--data-parallel-external-lb", "-n": "--nnodes",
    "-r": "--node-rank", "-ep": "--enable-expert-parallel", "-q": "--quantization",
    "-sc": "--speculative-config",
}  # fmt: skip
"""As vllm/engine/arg_utils.py names them."""
OTHER_ARITHMETIC = frozenset((
    "--quantization", "--cpu-offload-gb", "--hf-overrides", "--config", "--num-gpu-blocks-override",
    "--kv-cache-memory-bytes", "--speculative-config",
))  # fmt: skip
"""Words that change how much memory a model takes: whether it fits is then not judged."""
KNOWN = frozenset(SHORT.values()) | OTHER_ARITHMETIC | {
    "--api-key", "--hf-token", "--distributed-executor-backend", "--dtype", "--enforce-eager",
    "--gpu-memory-utilization", "--headless", "--host", "--kv-cache-dtype", "--language-model-only",
    "--load-format", "--master-addr", "--master-port", "--max-model-len", "--max-num-batched-tokens",
    "--max-num-seqs", "--model", "--port", "--served-model-name", "--tokenizer", "--trust-remote-code",
}  # fmt: skip
"""The flags that matter here; what vLLM has beside them is handed on unread."""
_SHORTEST = 5
"""`--por` is `--port`; what is shorter stands for several flags, and vLLM refuses it."""
_NUMBER = re.compile(r"([-+]?\d{1,15}(?:\.\d{1,6})?)([kKmMgGtT]?)")
_STEPS: Mapping[str, int] = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Mapping[str, int] = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def flag_of(word: str, known: Collection[str] = KNOWN) -> str:
    """The flag of `known` that `word` means, by its full name; empty for a value, and for flags beside them.

    `--speculative-config.method` is a part of that flag.
    """
    if not word.startswith("--"):
        return SHORT.get(word.partition("=")[0], "")
    spelled = word.partition("=")[0].partition(".")[0].replace("_", "-")
    if spelled in known:
        return spelled
    meant = [flag for flag in known if flag.startswith(spelled)] if len(spelled) >= _SHORTEST else []
    return meant[0] if len(meant) == 1 else ""


def values(words: Sequence[str], flag: str) -> Iterator[str]:
    """Every value that `words` give the flag; empty where none stands behind it."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if flag_of(word) == flag:
            yield word.partition("=")[2] if "=" in word else following


def value(words: Sequence[str], flag: str) -> str | None:
    """The value that counts; None: the flag is not among the words."""
    given = tuple(values(words, flag))
    return given[-1] if given else None


def names(words: Sequence[str], flag: str) -> bool:
    """The flag is among the words, however it is spelled."""
    return any(flag_of(word) == flag for word in words)


def without(words: Sequence[str], flag: str) -> tuple[str, ...]:
    """The words without a flag that takes a value."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if flag_of(word) != flag:
            kept.append(word)
        elif "=" not in word:
            del rest[:1]
    return tuple(kept)


def whole(text: str | None) -> int | None:
    """A whole number as vLLM takes one (`32k` is 32,000, `32K` is 32,768); None for anything else."""
    if (found := _NUMBER.fullmatch(text or "")) is None:
        return None
    number = Decimal(found[1]) * {**_STEPS, **_BINARY}.get(found[2], 1)
    return int(number) if number == int(number) else None
