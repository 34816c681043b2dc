"""A benchmark of a served model: what is asked of `vllm bench serve`, and what it measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SECRETS = ("VLLM_API_KEY", "HF_TOKEN")
"""What the benchmark gets from the console's environment, unseen: the server's key, the hub's token."""
OURS = ("--num-prompts", "--save-result", "--append-result", "--result-dir", "--result-filename")
"""What the console has to know to judge and keep a result."""


class BenchSpec(BaseModel):
    """One benchmark; None: vLLM's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The name the server answers to."""
    tokenizer: str | None = None
    """Where the tokenizer is, when the served name does not lead to it."""
    port: int = Field(8888, ge=1, le=65535)
    backend: Literal["vllm", "openai", "openai-chat"] = "vllm"
    endpoint: str | None = None
    dataset_name: str = "random"
    dataset_path: str | None = None
    input_len: int | None = Field(None, ge=1)
    output_len: int | None = Field(None, ge=1)
    num_prompts: int = Field(100, ge=1)
    max_concurrency: int | None = Field(None, ge=1)
    request_rate: float | None = Field(None, gt=0)
    seed: int = 0
    extra: tuple[str, ...] = ()

    @field_validator("extra")
    @classmethod
    def _said_to_us(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if word.partition("=")[0] in OURS:
                raise ValueError(
                    f"{word.partition('=')[0]} is the console's: say --num-prompts in front of the --"
                )
        return value

    @property
    def path(self) -> str:
        """The endpoint that goes with the backend."""
        chat = "/v1/chat/completions" if self.backend == "openai-chat" else "/v1/completions"
        return self.endpoint or chat


# The result is printed behind the report and its folder removed, also when it is cancelled: nothing stays.
# A benchmark's clients read their key from OPENAI_API_KEY.
RESULT_MARK = "sparkconsole-bench-result"
_RUN = (
    '[ -z "$VLLM_API_KEY" ] || export OPENAI_API_KEY="${OPENAI_API_KEY:-$VLLM_API_KEY}"; '
    "d=$(mktemp -d) || exit 1; trap 'rm -rf \"$d\"' EXIT; trap 'exit 143' HUP INT TERM; "
    '"$@" --save-result --result-dir "$d" --result-filename r.json; r=$?; '
    f'printf "\\n{RESULT_MARK} "; cat "$d/r.json" 2>/dev/null; exit $r'
)


def bench_argv(spec: BenchSpec) -> tuple[str, ...]:
    """The command in the head's container, with the result as JSON on its last line."""
    random = spec.dataset_name == "random"
    valued = {
        "--tokenizer": spec.tokenizer,
        "--dataset-path": spec.dataset_path,
        "--random-input-len" if random else "--input-len": spec.input_len,
        "--random-output-len" if random else "--output-len": spec.output_len,
        "--max-concurrency": spec.max_concurrency,
        "--request-rate": spec.request_rate,
    }
    given = (word for flag, value in valued.items() if value is not None for word in (flag, str(value)))
    words = (
        "vllm", "bench", "serve", "--backend", spec.backend, "--base-url", f"http://127.0.0.1:{spec.port}",
        "--endpoint", spec.path, "--model", spec.model, "--dataset-name", spec.dataset_name,
        "--num-prompts", str(spec.num_prompts), "--seed", str(spec.seed), *given, *spec.extra,
    )  # fmt: skip
    return ("sh", "-c", _RUN, "bench", *words)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What came out; None where this vLLM did not say. Latencies in ms, by statistic and kind."""

    completed: int
    failed: int | None = None
    duration_s: float | None = None
    requests_per_s: float | None = None
    output_tokens_per_s: float | None = None
    total_tokens_per_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latencies: Mapping[str, float] = field(default_factory=dict)
    """`mean_ttft`, `median_tpot`, `p99_itl`, …"""

    def shortfall(self, asked: int) -> int:
        """Requests that did not succeed; vLLM exits 0 even when all of them failed."""
        return max(self.failed or 0, asked - self.completed)

    def as_data(self) -> dict[str, Any]:
        """As the journal keeps it."""
        named = {name: getattr(self, name) for name in self.__slots__ if name != "latencies"}
        return {**named, "latencies": dict(self.latencies)}
