"""What the bench form says, and the command that comes of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sparkconsole.model.bench import BenchSpec, bench_argv
from sparkconsole.tui.draw.preview import CommandPreview
from sparkconsole.tui.widgets.form import Form
from sparkconsole.verbs.grammar.bounds import checked_spec
from sparkconsole.verbs.grammar.dispatch import understand

FIELDS = (
    "num_prompts", "max_concurrency", "request_rate", "input_len", "output_len", "seed", "dataset_name",
    "backend", "port", "dataset_path", "extra",
)  # fmt: skip
LONG = ("dataset_path", "extra")
LABELS = {
    "num_prompts": "prompts", "max_concurrency": "concurrency", "request_rate": "rate req/s",
    "input_len": "tokens in", "output_len": "tokens out", "dataset_name": "dataset",
    "dataset_path": "dataset file", "extra": "extra flags",
}  # fmt: skip
HINTS = {
    "max_concurrency": "unlimited",
    "request_rate": "unlimited",
    "input_len": "default",
    "output_len": "default",
    "dataset_path": "a path in the container, for sharegpt and custom",
    "extra": "vllm bench serve flags, passed unchanged: --goodput ttft:500",
}
CHOICES = {
    "num_prompts": ("16", "64", "100", "256", "1000"),
    "max_concurrency": ("1", "2", "4", "8", "16", "32", "64"),
    "input_len": ("128", "1024", "8192", "32768"),
    "output_len": ("128", "256", "1024"),
    "dataset_name": ("random", "sharegpt", "sonnet", "custom", "hf"),
}


def form() -> Form:
    """The benchmark's fields."""
    return Form("bench run", FIELDS, labels=LABELS, hints=HINTS, choices=CHOICES, long=LONG)


def commands(words: Sequence[str], model: str, container: str) -> CommandPreview:
    """vLLM's command without what keeps its result; SparkError where it cannot be.

    The tokenizer that the server tells is left out: it is asked when the benchmark begins.
    """
    request = understand(words)
    data = {k: v for k, v in request.kwargs.items() if k != "name"}
    named = data.pop("model", None) or model or "MODEL"
    spec = checked_spec(BenchSpec, ("bench", "run"), {**data, "model": named, "extra": request.args})
    within = request.kwargs.get("name") or container
    return CommandPreview(commands=(("", shlex.join(("docker", "exec", within, *bench_argv(spec)[4:]))),))
