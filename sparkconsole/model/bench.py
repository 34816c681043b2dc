"""A benchmark of a served model: what is asked of `vllm bench serve`, and what it measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sparkconsole.model.serve.vllm_flags import flag_of

SECRETS = ("VLLM_API_KEY", "HF_TOKEN")
"""What the benchmark gets from the console's environment, unseen: the server's key, the hub's token."""
OURS = (
    "--num-prompts", "--save-result", "--save-detailed", "--append-result", "--result-dir",
    "--result-filename",
)  # fmt: skip
"""What the console has to know to judge and keep a result."""


class BenchSpec(BaseModel):
    """One benchmark; None: vLLM's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

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
    def _ours_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if flag := flag_of(word, OURS):
                raise ValueError(f"{flag} is the console's: say --num-prompts in front of the --")
        return value

    @property
    def path(self) -> str:
        """The endpoint that goes with the backend."""
        chat = "/v1/chat/completions" if self.backend == "openai-chat" else "/v1/completions"
        return self.endpoint or chat


KEPT_POINTS = 400
"""Of a distribution: the least, the greatest, and between them values at even ranks."""
# What vLLM saves per request is cut down where it is, as a gap per token and the texts are many megabytes.
# A request that failed has no tokens; time per output token is vLLM's own: all gaps over all tokens but one.
_CUT = f"""
import json, sys
d = json.load(open(sys.argv[1]))
def cut(v):
    v = sorted(round(x * 1e3, 3) for x in v); n = len(v)
    return v if n <= {KEPT_POINTS} else [v[i * (n - 1) // {KEPT_POINTS - 1}] for i in range({KEPT_POINTS})]
d.pop("generated_texts", None)
t, g, o = (d.pop(k, None) or [] for k in ("ttfts", "itls", "output_lens"))
d.pop("input_lens", None)
r = [x for x in zip(t, g, o) if x[2]]
if r:
    d["details"] = dict(
        ttft=cut(a for a, _, _ in r), tpot=cut(sum(b) / (c - 1) for _, b, c in r if c > 1),
        itl=cut(x for _, b, _ in r for x in b))
if "errors" in d:
    d["errors"] = sorted(set(filter(None, d["errors"])))[:20]
print(json.dumps(d))
"""
# The result is printed behind the report and its folder removed, also when it is cancelled: nothing stays.
# A benchmark's clients read their key from OPENAI_API_KEY.
RESULT_MARK = "sparkconsole-bench-result"
_RUN = (
    '[ -z "$VLLM_API_KEY" ] || export OPENAI_API_KEY="${OPENAI_API_KEY:-$VLLM_API_KEY}"; '
    "d=$(mktemp -d) || exit 1; trap 'rm -rf \"$d\"' EXIT; trap 'exit 143' HUP INT TERM; "
    '"$@" --save-result --save-detailed --result-dir "$d" --result-filename r.json; r=$?; '
    f'printf "\\n{RESULT_MARK} "; '
    f'python3 -c \'{_CUT}\' "$d/r.json" 2>/dev/null || cat "$d/r.json" 2>/dev/null; exit $r'
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
    distributions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """`ttft`, `tpot`, `itl` in ms, ascending, at even ranks; empty where this vLLM did not say."""

    def shortfall(self, asked: int) -> int:
        """Requests that did not succeed; vLLM exits 0 even when all of them failed."""
        return max(self.failed or 0, asked - self.completed)

    def as_data(self) -> dict[str, Any]:
        """As the journal keeps it."""
        spread = {kind: list(values) for kind, values in self.distributions.items()}
        latencies = dict(self.latencies) if self.completed else {}  # of no request vLLM says 0.0 ms
        return {**asdict(self), "latencies": latencies, "distributions": spread}


_OPTIONAL = tuple(f.name for f in fields(BenchResult) if f.default is None)


def kept_result(data: object) -> dict[str, Any] | None:
    """A result as `as_data` gave it, whole: what is missing is None; None for what is no result."""
    if not isinstance(data, Mapping) or not _is_number(data.get("completed")):
        return None
    latencies = data.get("latencies") or {}
    numbers = {name: data.get(name) for name in _OPTIONAL}
    if not isinstance(latencies, Mapping):
        return None
    if not all(value is None or _is_number(value) for value in (*numbers.values(), *latencies.values())):
        return None
    return {**data, **numbers, "latencies": dict(latencies) if data["completed"] else {}}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of two results."""

    name: str
    one: float | None
    other: float | None
    more_is_better: bool | None = None
    """None: it is neither."""

    @property
    def difference(self) -> float | None:
        """Other less one; None where one of them is not known."""
        return None if self.one is None or self.other is None else self.other - self.one

    @property
    def ratio(self) -> float | None:
        """Other over one."""
        return self.other / self.one if self.one and self.other is not None else None

    @property
    def better(self) -> str:
        """`one`, `other`, or empty where nobody is."""
        if not self.difference or self.more_is_better is None:
            return ""
        return "other" if (self.difference > 0) is self.more_is_better else "one"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two kept results beside each other."""

    settings: tuple[tuple[str, Any, Any], ...]
    """What was asked differently: the name, the one's and the other's value."""
    numbers: tuple[Compared, ...]


_NUMBERS = {
    "completed": ("requests completed", None), "failed": ("requests failed", False),
    "duration_s": ("duration s", None), "requests_per_s": ("requests/s", True),
    "output_tokens_per_s": ("output tok/s", True), "total_tokens_per_s": ("total tok/s", True),
}  # fmt: skip
KINDS = ("ttft", "tpot", "itl", "e2el")
STATISTICS = ("mean", "median", "p99")


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Two outcomes of the journal; only numbers that at least one of them has."""
    mine, theirs = one["result"], other["result"]
    pairs = [(label, mine.get(key), theirs.get(key), good) for key, (label, good) in _NUMBERS.items()]
    first, second = mine.get("latencies", {}), theirs.get("latencies", {})
    pairs += [
        (f"{kind.upper()} {stat} ms", first.get(f"{stat}_{kind}"), second.get(f"{stat}_{kind}"), False)
        for kind in KINDS
        for stat in STATISTICS
    ]
    numbers = tuple(Compared(*pair) for pair in pairs if pair[1] is not None or pair[2] is not None)
    return Comparison(tuple(_settings(one, other)), numbers)


def _settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """In the order in which they are said; what each server was belongs to it."""
    for part, prefix in (("spec", ""), ("server", "server's ")):
        first, second = one.get(part) or {}, other.get(part) or {}
        for name in dict.fromkeys((*first, *second)):
            if (mine := first.get(name)) != (theirs := second.get(name)):
                yield f"{prefix}{name}", mine, theirs
