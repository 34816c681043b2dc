"""The log of `vllm serve` is read line by line: how far it is, and why it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.serve.spec import ServeProgress, StartPhase
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.serve.serve_log import ServeLogReader
from sparkconsole.parse.serve.vllm_serve import first_cause, read_line


def followed(lines: list[str]) -> ServeProgress:
    return ServeLogReader(lines).progress


# --- prefixes

MESSAGE = "Loading weights took 0.02 seconds"


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "(APIServer pid=417) ",
        "(EngineCore pid=1) INFO 11-23 07:39:30 [default_loader.py:384] ",
        "(EngineCore_DP0 pid=34) WARNING 03-30 14:11:45 [ray_utils.py:352] ",
        "INFO 11-23 07:39:30 [default_loader.py:384] ",
        "(EngineCore pid=2490) (RayWorkerProc pid=471, ip=10.0.14.41) (Worker_TP1 pid=471) ",
        "\x1b[36m(RayWorkerProc pid=1, ip=10.0.0.12)\x1b[0m (Worker_TP1 pid=1) INFO 11-23 07:39:30 [x.py:1] ",
        "(Worker_TP0_EP0 pid=9) (RayWorkerWrapper pid=10, ip=fe80::1) ",
    ],
)
@pytest.mark.parametrize(
    "suffix", ["", " [repeated 3x across cluster]", " [repeated 15x across cluster] (Ray dedups)"]
)
def test_tags_colours_and_repetitions_are_taken_off(prefix: str, suffix: str) -> None:
    assert framed(prefix + MESSAGE + suffix).text == MESSAGE
    assert read_line(prefix + MESSAGE + suffix).phase is StartPhase.WEIGHTS


def test_what_only_looks_like_a_tag_stays() -> None:
    assert framed("(1) first").text == "(1) first"


# --- phases


@pytest.mark.parametrize(
    ("line", "percent", "detail"),
    [
        ("Loading safetensors checkpoint shards:   0% Completed | 0/1 [00:00<?, ?it/s]", 0, "0/1"),
        (
            "Loading safetensors checkpoint shards: 100% Completed | 26/26 [01:03<00:00,  2.4s/it]",
            100,
            "26/26",
        ),
        ("Loading pt checkpoint shards:  50% Completed | 1/2 [00:01<00:01]", 50, "1/2"),
        ("Loading safetensors using Fastsafetensor loader:  33% Completed | 1/3 [00:01<00:02]", 33, "1/3"),
        (
            "Loading safetensors using Runai Model Streamer:   7% Completed | 30/400 [00:01<00:20]",
            7,
            "30/400",
        ),
        ("Multi-thread loading shards:  75% Completed | 3/4 [00:01<00:00]", 75, "3/4"),
    ],
)
def test_every_loader_tells_its_percent(line: str, percent: float, detail: str) -> None:
    assert read_line(f"(EngineCore pid=1) {line}") == ServeProgress(StartPhase.WEIGHTS, percent, detail)


def test_the_kv_cache_in_one_line_and_in_two() -> None:
    size, room = (
        "GPU KV cache size: 649,728 tokens",
        "Maximum concurrency for 1,024 tokens per request: 634.50x",
    )
    told = [followed(lines).detail for lines in ([f"{size}, {room}"], [size], [size, room])]
    fits = "634.50 requests of 1,024 tokens"
    assert told == [f"649,728 tokens, {fits}", "649,728 tokens", fits]
    assert followed(["Available KV cache memory: 69.4 GiB"]) == ServeProgress(
        StartPhase.CACHE, None, "69.4 GiB"
    )


def test_usage_in_the_running_statistics_is_no_phase() -> None:
    line = "Engine 000: Avg prompt throughput: 0.0 tokens/s, Running: 0 reqs, GPU KV cache usage: 0.0%"
    assert read_line(line) is None


def test_graphs_tell_their_percent() -> None:
    event = read_line(
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  40%|####  | 2/5 [00:01<00:01]"
    )
    assert event == ServeProgress(StartPhase.GRAPHS, 40)


def test_phases_only_go_forward() -> None:
    lines = ["Application startup complete.", "Loading weights took 3.0 seconds"]
    assert followed(lines).phase is StartPhase.SERVER


def test_a_second_line_of_a_phase_keeps_what_the_first_told() -> None:
    shards = "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01]"
    assert followed([shards, "Model loading took 3 GiB"]) == ServeProgress(StartPhase.WEIGHTS, 50, "1/2")


# --- causes


def test_a_cause_is_told_with_its_line_and_what_to_do() -> None:
    found = first_cause(
        ["INFO fine", "(EngineCore pid=7) ERROR 11-23 07:22:58 [core.py:9] CUDA out of memory."]
    )
    assert found is not None
    assert (found.line, found.known) == (2, True)
    assert "unified memory" in found.why
    assert "--gpu-memory-utilization" in found.remedy


@pytest.mark.parametrize(
    "line",
    [
        "Ignored error while writing hash: [Errno 13] Permission denied: '/root/.cache/huggingface/hub'",
        "Could not cache non-existence of file. Will ignore error and continue. Error: [Errno 30] "
        "Read-only file system: '/root/.cache/huggingface/hub/x'",
        "Found ulimit of 1024 and failed to increase. This can cause errors like `OSError: [Errno 24] Too",
        "DEBUG 11-23 07:22:58 [__init__.py:9] ROCm is not available because: No module named 'amdsmi'",
        "WARNING 11-23 07:22:58 [x.py:9] Failed: ModuleNotFoundError(\"No module named 'deep_gemm'\")",
        "WARNING 03-30 14:11:45 [ray_utils.py:352] Tensor parallel size (2) exceeds available GPUs (1).",
        "Traceback (most recent call last):",
    ],
)
def test_lines_that_look_bad_and_are_not(line: str) -> None:
    assert first_cause([line]) is None


def test_what_follows_from_a_cause_is_none() -> None:
    lines = [
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
    ]
    assert first_cause(lines) is None
    found = first_cause(["torch.OutOfMemoryError: CUDA out of memory.", *lines])
    assert found is not None
    assert found.line == 1


def test_a_named_cause_wins_over_an_unknown_exception_before_it() -> None:
    found = first_cause(["ValueError: something", "OSError: [Errno 98] Address already in use"])
    assert found is not None
    assert found.line == 2


def test_what_was_thrown_wins_over_the_death_that_came_of_it() -> None:
    death = "(EngineCore pid=1) ERROR 11-23 07:22:58 [x.py:9] Worker proc VllmWorker-0 died unexpectedly"
    found = first_cause(["KeyError: 'x'", death])
    assert found is not None
    assert (found.text, found.known) == ("KeyError: 'x'", False)
    found = first_cause([death, "KeyError: 'x'"])
    assert found is not None
    assert (found.line, found.known) == (1, False)


def test_an_unknown_exception_is_better_than_nothing() -> None:
    found = first_cause(["INFO all is well", "(EngineCore pid=1) KeyError: 'cmpl-1'"])
    assert found is not None
    assert (found.text, found.line) == ("KeyError: 'cmpl-1'", 2)


# --- whole logs of others: how far they came, and what is blamed

HEALTHY = ""
LOGS = [
    ("vllm/serve.single.cpu.log", StartPhase.SERVER, HEALTHY),
    ("vllm/serve.single.recipe-flags.cpu.log", StartPhase.SERVER, HEALTHY),
    ("vllm/serve.ray.tp2.ok.log", StartPhase.SERVER, HEALTHY),
    ("vllm/serve.mp-nnodes2.rank0.ok.log", StartPhase.SERVER, HEALTHY),
    ("vllm/serve.mp-nnodes2.rank1.log", StartPhase.WEIGHTS, HEALTHY),
    ("vllm/serve.sigterm-shutdown.log", StartPhase.SERVER, HEALTHY),
    ("vllm/serve.engine-crash-on-first-request.log", StartPhase.SERVER, "Worker proc VllmWorker-0 died"),
    ("vllm/serve.ray.tp2.crash-on-first-request.log", StartPhase.SERVER, "InvalidCxxCompiler: No working"),
    ("vllm/serve.ray.pp2.crash-on-first-request.log", StartPhase.SERVER, "KeyError: 'cmpl-"),
    ("vllm/serve.ray.tp2.worker-power-cut.log", StartPhase.SERVER, "has been marked dead"),
    ("vllm/serve.ray.tp2.worker-fabric-cut-idle.log", StartPhase.SERVER, "has been marked dead"),
    ("vllm/serve.error.bad-model-path.log", StartPhase.ENGINE, "Repo id must be in the form"),
    ("vllm/serve.error.fastsafetensors-missing.log", StartPhase.WEIGHTS, "No module named 'fastsafetensors'"),
    ("vllm/serve.error.hub-model-offline.log", StartPhase.ENGINE, "LocalEntryNotFoundError"),
    ("vllm/serve.error.max-model-len-too-big.log", StartPhase.ENGINE, "max_model_len (999999) is greater"),
    ("vllm/serve.error.port-in-use.log", StartPhase.ENGINE, "Address already in use"),
    ("vllm/serve.error.unknown-flag.log", StartPhase.CONTAINER, "unrecognized arguments: --no-such-flag"),
    ("vllm-serve/boot-gemma4-26b-bf16-tqdm-shards-and-graphs.txt", StartPhase.SERVER, HEALTHY),
    ("vllm-serve/boot-nemotron3-super-120b-nvfp4-v0.19.2.txt", StartPhase.SERVER, HEALTHY),
    ("vllm-serve/boot-qwen36-35b-bf16-with-stats.txt", StartPhase.SERVER, HEALTHY),
    ("vllm-serve/crash-hf-cache-read-only.txt", StartPhase.CONTAINER, HEALTHY),
    ("vllm-serve/crash-max-tokens-per-mm-item.txt", StartPhase.ENGINE, "max_tokens_per_mm_item (2496)"),
    ("vllm-serve/crash-no-kernel-image.txt", StartPhase.COMPILE, "no kernel image is available"),
    ("vllm-serve/crash-no-scaledmm-kernel.txt", StartPhase.WEIGHTS, "ScaledMM linear layer"),
    ("vllm-serve/prefix-chain-ray-worker.txt", StartPhase.CONTAINER, "double free or corruption"),
    ("vllm-errors/free-memory-advice-line.txt", StartPhase.CACHE, HEALTHY),
    ("vllm-errors/free-memory-on-device.txt", StartPhase.CONTAINER, "Free memory on device cuda:0"),
    ("vllm-errors/hf-cache-permission-denied.txt", StartPhase.CONTAINER, HEALTHY),
    ("vllm-errors/hf-gated-401-no-login.txt", StartPhase.CONTAINER, "You are trying to access a gated repo"),
    ("vllm-errors/ray-pack-anchored-to-wrong-nic.txt", StartPhase.CONTAINER, HEALTHY),
    ("vllm-errors/ray-tp-exceeds-gpus-warning.txt", StartPhase.CONTAINER, HEALTHY),
]
"""The two of an unwritable cache hold only lines whose writer goes on: they are no cause."""


def lines_of(folder: Path, name: str) -> list[str]:
    text = (folder / name).read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if not line.startswith("# source:")]


@pytest.mark.parametrize(("name", "phase", "blamed"), LOGS, ids=[name for name, _, _ in LOGS])
def test_a_whole_log(captures_of_others: Path, name: str, phase: StartPhase, blamed: str) -> None:
    lines = lines_of(captures_of_others, name)
    assert followed(lines).phase is phase
    found = first_cause(lines)
    if blamed:
        assert found is not None
        assert blamed in found.text
        assert found.text in framed(lines[found.line - 1]).text
        assert found.remedy
    else:
        assert found is None


def test_every_log_there_is_has_its_row(captures_of_others: Path) -> None:
    patterns = ("vllm/serve*", "vllm-serve/*", "vllm-errors/*")
    there = {str(p.relative_to(captures_of_others)) for g in patterns for p in captures_of_others.glob(g)}
    assert there == {name for name, _, _ in LOGS}
