"""Detached jobs, and what they print: this project's own runs on real nodes, at a pretend pace."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from sparkconsole.model.bench import RESULT_MARK
from sparkconsole.model.serve.engine import LiveRank, vllm_words
from sparkconsole.model.serve.vllm_flags import value, whole
from sparkconsole.parse.serve.vllm_bench import parse_report

BUILD_S, COPY_S, LOAD_S, SERVE_S, BENCH_S = 40.0, 20.0, 6.0, 30.0, 12.0
LAYER_BYTES = (300_000_000, 2_100_000_000, 8_400_000_000, 6_900_000_000, 1_500_000_000)
"""Of the image that the recipe builds: the base first, vLLM last."""
IMAGE_BYTES = sum(LAYER_BYTES)
COPY_STEP_S = 1.0
BEAT_S = 10.0


@dataclass(slots=True)
class Activity:
    """Something that keeps a machine busy, from `began` to `ended`, which may lie ahead."""

    kind: str
    began: float
    ended: float = math.inf
    weight: float = 1.0
    """How much memory a server takes, beside the usual share."""

    def runs(self, now: float) -> bool:
        """It is under way."""
        return self.began <= now < self.ended

    def stop(self, now: float) -> None:
        """It ends now, if it has not ended before."""
        self.ended = min(self.ended, now)


@dataclass(frozen=True, slots=True)
class Story:
    """Lines with the second at which each is printed; `ends_s` None: it goes on until it is ended."""

    lines: tuple[tuple[float, str], ...]
    ends_s: float | None = None
    status: int = 0
    ready_s: float | None = None
    """When a server answers."""
    goes_on: Callable[[int], str] | None = None
    """What a server prints every BEAT_S seconds once it is ready, by the number of the beat."""

    def printed_by(self, seconds: float) -> bytes:
        """All that was printed by then."""
        lines = [line for at, line in self.lines if at <= seconds]
        if self.goes_on is not None and self.ready_s is not None:
            lines += [self.goes_on(n) for n in range(int(max(0.0, seconds - self.ready_s) / BEAT_S))]
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a server prints every BEAT_S seconds."""

    began: datetime

    def __call__(self, beat: int) -> str:
        at = self.began + timedelta(seconds=SERVE_S + BEAT_S * beat)
        made, asked = 38.2 + 3.5 * (beat * 7 % 5), 790 + 37.0 * (beat * 3 % 7)
        return (
            f"(APIServer pid=430) INFO {at:%m-%d %H:%M:%S} [loggers.py:257] Engine 000: "
            f"Avg prompt throughput: {asked:.1f} tokens/s, Avg generation throughput: {made:.1f} tokens/s, "
            f"Running: {2 + beat % 3} reqs, Waiting: 0 reqs, GPU KV cache usage: {11.4 + beat % 9:.1f}%, "
            f"Prefix cache hit rate: 21.7%"
        )


def _journaled(name: str) -> list[str]:
    return (files("sparkconsole.demo") / "captures" / name).read_text(encoding="utf-8").splitlines()


def _spread(lines: Sequence[str], seconds: float) -> tuple[tuple[float, str], ...]:
    return tuple((seconds * i / len(lines), line) for i, line in enumerate(lines))


def build_story() -> Story:
    """A BuildKit build in plain progress."""
    return Story(_spread(_journaled("build.log"), BUILD_S), BUILD_S)


def copying_s(total: int) -> float:
    """How long so many bytes of an image take."""
    return max(COPY_S * total / IMAGE_BYTES, COPY_STEP_S)


def copy_story(total: int) -> Story:
    """A copy's log: dd's progress, then what the receiving engine said."""
    lasts = copying_s(total)
    steps = int(lasts / COPY_STEP_S)
    lines = [(i * COPY_STEP_S, _dd(total * i // steps, i * COPY_STEP_S)) for i in range(1, steps + 1)]
    end = lasts + LOAD_S
    ends = (
        (lasts, f"{total // 1048576}+1 records out"),
        (end, "load: Loaded image: vllm-node:latest"),
        (end, "copy ended: save=0 stream=0 load=0"),
    )
    return Story((*lines, *ends), end)


def layers_story(layers: Sequence[int]) -> Story:
    """A copy of the last so many layers, as the program of both ends tells it."""
    total, count = sum(layers), len(LAYER_BYTES)
    lasts, lines = copying_s(total), list[tuple[float, str]]()
    begins = [sum(layers[:place]) for place in range(len(layers))]
    for step in range(1, int(lasts / COPY_STEP_S) + 1 if layers else 1):
        sent, at = int(total * step * COPY_STEP_S / lasts), step * COPY_STEP_S
        place = max(bisect_left(begins, sent) - 1, 0)
        values = {"layer": count - len(layers) + place + 1, "of": count, "size": layers[place]}
        values |= {"done": min(sent - begins[place], layers[place]), "sent": sent, "total": total}
        lines.append((at, json.dumps({**values, "phase": "receiving", "seconds": at})))
    size = layers[-1] if layers else 0
    done = {"layer": count, "of": count, "phase": "registering", "size": size, "done": size, "sent": total}
    done |= {"total": total, "seconds": lasts}
    ends = ((lasts, json.dumps(done)), (lasts + LOAD_S, json.dumps({"end": True, "sent": total})))
    return Story((*lines, *ends), lasts + LOAD_S)


def model_story(total: int) -> Story:
    """A model's copy or download: how far it is, and its end."""
    steps = int(COPY_S / COPY_STEP_S)
    moments = [(s * COPY_STEP_S, total * s // steps) for s in range(1, steps + 1)]
    lines = [(at, json.dumps({"done": done, "total": total, "seconds": at})) for at, done in moments]
    return Story((*lines, (COPY_S, json.dumps({"end": True, "failed": {}}))), COPY_S)


def broken_model_story(why: str) -> Story:
    """One that never gets anywhere."""
    return Story(((2.0, json.dumps({"end": True, "failed": {"": why}})),), 2.0, status=1)


def _dd(done: int, seconds: float) -> str:
    many = f"{done} bytes ({done / 1e9:.1f} GB, {done / 2**30:.1f} GiB)"
    return f"{many} copied, {seconds:.0f} s, {done / seconds / 1e6:.0f} MB/s"


def broken_copy_story(why: str) -> Story:
    """A copy that never gets anywhere."""
    return Story(((2.0, f"load: {why}"), (2.0, _CUT)), 2.0, status=1)


def why_not_received(receiver: str, *, on: bool, full: bool) -> str:
    """What the receiving side says when it cannot take an image; empty: it can."""
    if not on:
        return f"ssh: connect to host {receiver} port 22: No route to host"
    return "write /var/lib/docker/tmp/import/layer.tar: no space left on device" if full else ""


_CUT = "copy ended: save=141 stream=141 load=255"
CUT_COPY = f"load: client_loop: send disconnect: Broken pipe\n{_CUT}\n"
"""The end of a copy whose receiver went away."""
DEAD_RANK = (
    "(EngineCore pid=453) ERROR ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing "
    "this task. (DEMO)\n(APIServer pid=430) ERROR vllm.v1.engine.exceptions.EngineDeadError: EngineCore "
    "encountered an issue. See stack trace (above) for the root cause.\n"
)
"""The end of a server one of whose ranks went away."""


def gpus_of(argv: Sequence[str]) -> int:
    """How many GPUs, and so machines, a `vllm serve` wants."""
    sizes = ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size")
    return math.prod(whole(value(argv, flag)) or 1 for flag in sizes)


def serve_story(
    argv: Sequence[str], addresses: Sequence[str] = (), *, now: datetime = datetime(2026, 1, 31, tzinfo=UTC)
) -> Story:
    """A start of `vllm serve` over these machines, what their NCCL says; it goes on with a line of statistics

    every ten seconds. The start is a recording, NCCL and statistics are invented in their style.
    """
    model, port, name = served_of(argv)
    words = {"@MODEL@": model, "@PORT@": str(port), "@NAME@": name}
    text = [re.sub("@[A-Z]+@", lambda m: words[m[0]], line) for line in _journaled("serve.log")]
    at = next((i for i, line in enumerate(text) if "Starting to load model" in line), len(text) // 3)
    nccl = [line for address in addresses if len(addresses) > 1 for line in _nccl(address, len(addresses))]
    lines = _spread([*text[:at], *nccl, *text[at:]], SERVE_S)
    return Story(lines, None, ready_s=SERVE_S, goes_on=Statistics(now))


def _nccl(address: str, ranks: int) -> list[str]:
    rank = int(address.rpartition(".")[2]) - 11
    pid = 311 + rank
    tag = f"(RayWorkerWrapper pid={pid}, ip={address}) spark-{rank + 1:02}:{pid}:402 [0] NCCL INFO"
    devices = "[0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; OOB enp1s0f1np1"
    return [
        f"{tag} NCCL version 2.28.3+cuda13.0",
        f"{tag} NET/IB : Using {devices}:{address}<0>",
        f"{tag} Using network IB",
        f"{tag} comm 0xdemo rank {rank} nranks {ranks} cudaDev 0 nvmlDev 0 busId f01000 - Init COMPLETE",
        f"{tag} Connected all rings, use ring PXN 0 GDR 0",
    ]


def served_of(argv: Sequence[str]) -> tuple[str, int, str]:
    """Model, port and served name of a `vllm serve` command."""
    rank = LiveRank("", 0, vllm_words(argv))
    return rank.model, rank.port, rank.name


def bench_story(argv: Sequence[str]) -> Story:
    """A benchmark of as many requests as were asked for; the numbers are the recording's."""
    asked = int(argv[argv.index("--num-prompts") + 1]) if "--num-prompts" in argv else 1000
    recorded, ours = r"^(Successful requests: +)\d+", rf"\g<1>{asked}"
    report = [re.sub(recorded, ours, line) for line in _journaled("bench.log")]
    tenths = [(BENCH_S * i / 10, asked * i // 10) for i in range(1, 11)]
    bars = [(at, f"{100 * n // asked}%|####| {n}/{asked} [00:01<00:00, 3.4it/s]") for at, n in tenths]
    return Story((*bars, *((BENCH_S, line) for line in (*report, _result(report, argv)))), BENCH_S)


def _spread_out(latencies: Mapping[str, float], kind: str, count: int = 100) -> list[float]:
    """Pretend requests with the recording's median and 99th percentile, most of them near the median."""
    median, high = latencies[f"median_{kind}"], latencies[f"p99_{kind}"]
    shares = [i / (count - 1) * 2 - 1 for i in range(count)]
    ways = (s**3 * 0.8 + s * 0.2 if s > 0 else (s**3 + s) / 6 for s in shares)
    return [round(median + (high - median) * way, 2) for way in ways]


def _result(report: Sequence[str], argv: Sequence[str]) -> str:
    measured = parse_report(report)
    if measured is None:
        raise ValueError("the recording of a benchmark has no report")
    data = {
        "backend": "vllm",
        "model_id": value(argv, "--model"),
        "completed": measured.completed,
        "failed": 0,
        "duration": measured.duration_s,
        "request_throughput": measured.requests_per_s,
        "output_throughput": measured.output_tokens_per_s,
        "total_token_throughput": measured.total_tokens_per_s,
        **{f"{name}_ms": value for name, value in measured.latencies.items()},
        "details": {kind: _spread_out(measured.latencies, kind) for kind in ("ttft", "tpot", "itl")},
    }
    return f"{RESULT_MARK} {json.dumps(data)}"


@dataclass
class PretendJob:
    """A detached job: where its story stands is a matter of time."""

    argv: tuple[str, ...]
    story: Story
    began: float
    container: str = ""
    ended: Callable[[], None] | None = None
    status: int | None = None
    stopped: float | None = None
    spells: tuple[Activity, ...] = ()
    """What it keeps machines busy with."""
    needs: tuple[str, ...] = ()
    """Machines without which it fails."""
    dies_with: str = ""
    """What it prints when it fails for one of them."""
    last_words: str = ""
    dead: bool = False
    """Its engine died: what answers gives no token any more."""

    def end(self, status: int, now: float, last_words: str = "") -> None:
        """It ends before its story does."""
        self.status, self.stopped, self.last_words = status, now, last_words
        for spell in self.spells:
            spell.stop(now)
