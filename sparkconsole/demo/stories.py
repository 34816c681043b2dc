"""What jobs print, and when: recordings of this project's own runs on real nodes, told at a pretend pace."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from sparkconsole.model.bench import RESULT_MARK
from sparkconsole.parse.vllm_bench import parse_report

BUILD_S, COPY_S, LOAD_S, SERVE_S, BENCH_S = 40.0, 20.0, 6.0, 30.0, 12.0
IMAGE_BYTES = 19_200_000_000
COPY_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class Story:
    """Lines with the second at which each is printed; `ends_s` None: it goes on until it is ended."""

    lines: tuple[tuple[float, str], ...]
    ends_s: float | None = None
    status: int = 0
    ready_s: float | None = None
    """When a server answers."""

    def told(self, seconds: float) -> bytes:
        """All that was printed by then."""
        return "".join(f"{line}\n" for at, line in self.lines if at <= seconds).encode()


def _recorded(name: str) -> list[str]:
    return (files("sparkconsole.demo") / "captures" / name).read_text(encoding="utf-8").splitlines()


def _spread(lines: Sequence[str], seconds: float) -> tuple[tuple[float, str], ...]:
    return tuple((seconds * i / len(lines), line) for i, line in enumerate(lines))


def build_story() -> Story:
    """A BuildKit build in plain progress."""
    return Story(_spread(_recorded("build.log"), BUILD_S), BUILD_S)


def copy_story() -> Story:
    """A copy's log: dd's progress, then what the receiving engine said."""
    steps = int(COPY_S / COPY_STEP_S)
    lines = [(i * COPY_STEP_S, _dd(IMAGE_BYTES * i // steps, i * COPY_STEP_S)) for i in range(1, steps + 1)]
    end = COPY_S + LOAD_S
    said = (
        (COPY_S, f"{IMAGE_BYTES // 1048576}+1 records out"),
        (end, "load: Loaded image: vllm-node:latest"),
        (end, "copy ended: save=0 stream=0 load=0"),
    )
    return Story((*lines, *said), end)


def _dd(done: int, seconds: float) -> str:
    rate = done / seconds / 1e6
    return (
        f"{done} bytes ({done / 1e9:.1f} GB, {done / 2**30:.1f} GiB) copied, {seconds:.0f} s, {rate:.0f} MB/s"
    )


def serve_story(argv: Sequence[str]) -> Story:
    """A start of `vllm serve` over two nodes; it goes on."""
    model, port, name = served_of(argv)
    words = {"@MODEL@": model, "@PORT@": str(port), "@NAME@": name}
    text = [re.sub("@[A-Z]+@", lambda m: words[m[0]], line) for line in _recorded("serve.log")]
    return Story(_spread(text, SERVE_S), None, ready_s=SERVE_S)


def served_of(argv: Sequence[str]) -> tuple[str, int, str]:
    """Model, port and served name of a `vllm serve` command."""
    words = list(argv)
    model = words[words.index("serve") + 1]
    port = int(_after(words, "--port") or 8000)
    return model, port, _after(words, "--served-model-name") or model


def _after(words: Sequence[str], flag: str) -> str:
    return words[words.index(flag) + 1] if flag in words else ""


def bench_story(argv: Sequence[str]) -> Story:
    """A benchmark of as many requests as were asked for; the numbers are the recording's."""
    asked = int(_after(argv, "--num-prompts") or 1000)
    report = [
        re.sub(r"^(Successful requests: +)\d+", rf"\g<1>{asked}", line) for line in _recorded("bench.log")
    ]
    bars = [(BENCH_S * i / 10, _bar(asked * i // 10, asked)) for i in range(1, 11)]
    return Story((*bars, *((BENCH_S, line) for line in (*report, _result(report, argv)))), BENCH_S)


def _bar(done: int, asked: int) -> str:
    return f"{100 * done // asked}%|####| {done}/{asked} [00:01<00:00, 3.4it/s]"


def _result(report: Sequence[str], argv: Sequence[str]) -> str:
    measured = parse_report(report)
    if measured is None:
        raise ValueError("the recording of a benchmark has no report")
    data = {
        "backend": "vllm",
        "model_id": _after(argv, "--model"),
        "completed": measured.completed,
        "failed": 0,
        "duration": measured.duration_s,
        "request_throughput": measured.requests_per_s,
        "output_throughput": measured.output_tokens_per_s,
        "total_token_throughput": measured.total_tokens_per_s,
        **{f"{name}_ms": value for name, value in measured.latencies.items()},
    }
    return f"{RESULT_MARK} {json.dumps(data)}"
