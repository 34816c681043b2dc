"""`explain` on logs of real clusters, on every known line's own example, and on logs made up to fool it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight, ranked
from sparkconsole.parse.diagnose.explain import explain, read
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.known import KNOWN, KnownCause

BROKEN = {
    "nccl/qp-110-timeout-ring-wrong-port.txt": "nccl-unreachable-gid",
    "nccl/qp-61-nodata-pinned-gid-on-twin.txt": "nccl-empty-gid",
    "nccl/ring-subnet-aware-override-collapse.txt": "nccl-rails-collapsed",
    "nccl/single-half-only.txt": "nccl-one-half",
    "vllm/bench-result.server-down.json": "bench-all-failed",
    "vllm/bench-serve.server-down.txt": "server-not-reached",
    "vllm/serve.engine-crash-on-first-request.log": "worker-illegal-instruction",
    "vllm/serve.error.bad-model-path.log": "model-no-such-path",
    "vllm/serve.error.fastsafetensors-missing.log": "image-lacks-package",
    "vllm/serve.error.hub-model-offline.log": "model-not-cached",
    "vllm/serve.error.max-model-len-too-big.log": "length-over-model",
    "vllm/serve.error.port-in-use.log": "port-taken",
    "vllm/serve.error.unknown-flag.log": "argument-unknown",
    "vllm/serve.ray.pp2.crash-on-first-request.log": "exception",
    "vllm/serve.ray.tp2.crash-on-first-request.log": "no-compiler",
    "vllm/serve.ray.tp2.worker-fabric-cut-idle.log": "ray-node-dead",
    "vllm/serve.ray.tp2.worker-power-cut.log": "ray-node-dead",
    "vllm-serve/crash-hf-cache-read-only.txt": "cache-not-written",
    "vllm-serve/crash-max-tokens-per-mm-item.txt": "multimodal-budget",
    "vllm-serve/crash-no-kernel-image.txt": "no-kernel-for-gpu",
    "vllm-serve/crash-no-scaledmm-kernel.txt": "no-quantised-kernel",
    "vllm-serve/prefix-chain-ray-worker.txt": "native-crash",
    "vllm-errors/free-memory-on-device.txt": "memory-not-free",
    "vllm-errors/hf-cache-permission-denied.txt": "cache-not-written",
    "vllm-errors/hf-gated-401-no-login.txt": "hub-gated",
    "vllm-errors/ray-pack-anchored-to-wrong-nic.txt": "ray-placement-pending",
    "ray/api_v0_nodes.several-dead.json": "ray-node-dead",
    "ray/api_v0_nodes.worker-dead.json": "ray-node-dead",
    "ray/nodes_view_summary.worker-dead.json": "ray-node-dead",
    "ray/rest-api-v0-nodes-dead-detected.txt": "ray-node-dead",
    "ray/connect-no-gcs.txt": "ray-head-not-reached",
    "ray/oom-kill-driver-message.txt": "ray-oom",
    "ray/oom-kill-raylet-out.txt": "ray-oom",
    "ray/ray-start-worker.after-partition.log": "raylet-ended",
    "ray/rest-placement_groups-pending.txt": "ray-placement-pending",
    "ray/start-head-port-in-worker-range.txt": "ray-port-clash",
    "ray/version-mismatch-ray-start.txt": "ray-versions-differ",
    "ray/waiting-for-placement-group-and-ray-status.txt": "placement-waiting",
    "docker/image-mismatch-overlay2-vs-containerd.txt": "image-differs",
    "host/dmesg-oom-nvrm-and-oom-killer.txt": "driver-no-memory",
    "h200x2/nccl-badif.log": "nccl-no-interface",
    "h200x2/nccl-socket.log": "nccl-sockets",
}
"""The first finding of each capture that has one; every other capture is healthy."""
FOLDERS = ("nccl", "vllm", "vllm-serve", "vllm-errors", "ray", "docker", "host", "h200x2")


def lines_of(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines(keepends=True)


@pytest.mark.parametrize(("capture", "expected"), BROKEN.items(), ids=BROKEN)
def test_the_root_cause_of_a_broken_cluster_stands_first(
    captures_of_others: Path, capture: str, expected: str
) -> None:
    assert explain(lines_of(captures_of_others / capture))[0].id == expected


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_healthy_log_has_nothing_wrong(captures_of_others: Path, folder: str) -> None:
    files = [p for p in sorted((captures_of_others / folder).iterdir()) if f"{folder}/{p.name}" not in BROKEN]
    wrong = {p.name: [d for d in explain(lines_of(p)) if d.severity is not Weight.INFO] for p in files}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_a_worker_on_another_node_is_named(captures_of_others: Path) -> None:
    found = explain(lines_of(captures_of_others / "vllm/serve.ray.tp2.crash-on-first-request.log"))
    assert (found[0].node, found[0].rank) == ("192.168.177.12", 1)


# --- the data


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.id)
def test_every_example_is_found_as_what_it_is(known: KnownCause) -> None:
    found = [d.id for d in explain([known.example])]
    assert found == ([] if known.kind is LineKind.HARMLESS else [known.id])


def test_no_two_entries_have_one_name() -> None:
    assert len({k.id for k in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize("known", [k for k in KNOWN if k.kind is not LineKind.HARMLESS], ids=lambda k: k.id)
def test_a_finding_says_what_why_and_what_to_do(known: KnownCause) -> None:
    [found] = explain([known.example])
    assert all((found.text, found.why, found.remedy, found.line))
    assert "{" not in found.text + found.why + found.remedy


# --- what is around a message

HEADS = {
    "": ("", None),
    "(EngineCore_DP0 pid=2301) (RayWorkerWrapper pid=2981, ip=10.0.0.7) ": ("10.0.0.7", None),
    "\x1b[36m(RayWorkerProc pid=112, ip=10.0.0.7)\x1b[0m (Worker_TP1 pid=112) ERROR 11-23 07:37:39 [x:1] ": (
        "10.0.0.7",
        1,
    ),
    "2026-11-23T07:37:39.123456789Z (VllmWorker-3 pid=9) ": ("", 3),
    "Nov 23 07:37:39 spark-02 kernel: [  123.456789] ": ("spark-02", None),
    "[rank2]: ": ("", 2),
    "spark-02:597:612 [0] ": ("", None),
}


@pytest.mark.parametrize(("head", "place"), HEADS.items(), ids=range(len(HEADS)))
def test_the_same_line_behind_any_head(head: str, place: tuple[str, int | None]) -> None:
    [found] = explain([f"{head}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"])
    assert (found.id, found.node, found.rank) == ("gpu-out-of-memory", *place)


def test_what_nccl_says_of_itself_names_the_machine() -> None:
    [found] = explain(["spark-02:5:6 [0] bootstrap.cc:114 NCCL WARN Bootstrap : no socket interface found"])
    assert found.node == "spark-02"


def test_what_ray_folded_counts_as_often_as_it_was_said() -> None:
    [found] = explain(["(Worker pid=1) CUDA out of memory [repeated 7x across cluster]"])
    assert found.count == 7


def test_a_bar_of_progress_is_not_in_the_way() -> None:
    bar = "Loading:  33%|███   | 1/3\rLoading:  66%|██████| 2/3\r"
    assert [d.id for d in explain([f"{bar}OSError: [Errno 28] No space left on device\n"])] == ["disk-full"]


def test_times_of_all_kinds_can_be_compared() -> None:
    early = framed("2026-11-23T07:00:00Z x").at
    late = framed("(EngineCore pid=1) ERROR 11-23 07:00:01 [core.py:1] x").at
    assert early is not None
    assert late is not None
    assert late - early == 1


def test_a_name_that_is_not_resolved_is_named_and_is_no_node() -> None:
    [found] = explain(["Error: getaddrinfo ENOTFOUND flux.example"], "spark-01")
    assert (found.text, found.node) == ("a name was not resolved: flux.example", "spark-01")


# --- ranking


def test_what_follows_is_no_error_beside_its_cause() -> None:
    found = explain(
        [
            "RuntimeError: [pair.cc:553] Connection reset by peer",
            "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=91)",
            "CUDA out of memory",
            "RuntimeError: Engine core initialization failed.",
        ]
    )
    assert [(d.id, d.severity) for d in found] == [
        ("gpu-out-of-memory", Weight.ERROR),
        ("nccl-peer-gone", Weight.INFO),
        ("nccl-watchdog", Weight.INFO),
        ("engine-ended", Weight.INFO),
    ]


def test_what_only_follows_is_an_error_when_nothing_else_is_known() -> None:
    [found] = explain(["RuntimeError: [pair.cc:553] Connection reset by peer"])
    assert found.severity is Weight.ERROR


def test_the_first_rank_that_failed_is_first_over_all_nodes() -> None:
    head = read(["(Worker_TP0 pid=1) ERROR 11-23 07:00:09 [x.py:1] CUDA out of memory"], "spark-01")
    worker = read(["(Worker_TP1 pid=1) ERROR 11-23 07:00:02 [x.py:1] No space left on device"], "spark-02")
    assert [(d.node, d.rank) for d in ranked((*head, *worker))] == [("spark-02", 1), ("spark-01", 0)]


def test_a_named_cause_stands_before_an_earlier_exception() -> None:
    found = explain(["KeyError: 'x'", "OSError: [Errno 98] Address already in use"])
    assert [d.id for d in found] == ["port-taken", "exception"]


# --- false alarms


@pytest.mark.parametrize(
    "line",
    [
        "DEBUG 11-23 07:22:58 [__init__.py:9] ROCm is not available because: No module named 'amdsmi'",
        "WARNING 11-23 07:22:58 [x.py:9] Failed: ModuleNotFoundError(\"No module named 'deep_gemm'\")",
        "INFO 11-23 07:22:58 [kv_cache.py:1] GPU out of memory is avoided: cache of 12 GiB",
        "INFO 11-23 07:22:58 [cuda.py:1] Using FlashInfer backend; FLASH_ATTN is not supported on sm_121",
        "Traceback (most recent call last):",
        '    raise HFValidationError(f"Repo id must be in the form {x}")',
        "spark-01:1:2 [0] NCCL INFO NCCL_IB_DISABLE set by environment to 0.",
        "spark-01:1:2 [0] NCCL INFO NET/Plugin: Failed to find ncclNetPlugin_v9 symbol.",
        'INFO:     10.0.0.1:5 - "GET /health HTTP/1.1" 200 OK',
        "(raylet) Spilled 2048 MiB, 2 objects, write throughput 500 MiB/s.",
        "Nov 23 07:00:00 spark-01 kernel: NVRM: loading NVIDIA UNIX Open Kernel Module  580.95.05",
        "Nov 23 07:00:00 spark-01 kernel: pcieport 0000:00:00.0: AER: Corrected error received: 0000:01:00.0",
        "Nov 23 07:00:00 spark-01 kernel: EXT4-fs (nvme0n1p2): re-mounted. Opts: errors=remount-ro.",
        "Unable to find image 'vllm-node:latest' locally",
        "(A pid=1) ERROR 06-01 10:00:00 [x:1] ValueError: This model's maximum context length is 9 tokens",
        "ImportError: sys.meta_path is None, Python is likely shutting down",
        "KeyboardInterrupt",
        "Error retrieving file list: 404 Client Error.",
        "bash: ip: command not found",
        "# source: a forum post about CUDA out of memory",
    ],
)
def test_lines_that_look_bad_and_are_not(line: str) -> None:
    assert [d for d in explain([line]) if d.severity is not Weight.INFO] == []


def test_what_the_logger_only_warns_of_ends_nothing() -> None:
    [found] = explain(
        ["(Worker pid=1) WARNING 11-23 07:22:58 [x.py:9] CUDA out of memory, trying a smaller batch"]
    )
    assert (found.severity, found.kind) == (Weight.WARNING, LineKind.FACT)


# --- NCCL as a whole


def nccl(*lines: str, host: str = "spark-01") -> tuple[Diagnosis, ...]:
    return explain(f"{host}:1:2 [0] NCCL INFO {line}" for line in lines)


def test_both_halves_over_roce_are_told_and_nothing_is_wrong() -> None:
    [found] = nccl(
        "NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; OOB enp1s0f1np1:10.0.0.1<0>"
    )
    assert (found.severity, found.text) == (Weight.INFO, "NCCL uses RDMA over rocep1s0f1, roceP2p1s0f1")


def test_sockets_are_a_warning_where_data_goes_over_them() -> None:
    [found] = nccl(
        "NET/IB : No device found.",
        "Using network Socket",
        "Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0",
    )
    assert (found.id, found.severity) == ("nccl-sockets", Weight.WARNING)


def test_sockets_that_carry_nothing_are_none() -> None:
    assert nccl("Using network Socket", "Channel 00 : 0[0] -> 1[1] via P2P/CUMEM") == ()


# --- bad input


def test_garbage_is_no_finding_and_no_harm() -> None:
    assert explain(["\x00\x01\x1b[31m\xff\ufffd", "", "\r\r\r", "Error" * 100_000, "(" * 5000]) == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nacme.WidgetBroken: x',
            "acme.",
        ),
        ('starting\nTraceback (most recent call last):\n  File "a.py", line 1\nStopAll: now', "StopAll"),
        ("fine\nError: sprocket 7 fell off", "Error: sprocket"),
        ("fatal: not a git repository", "fatal: not"),
        ("(A pid=1) ERROR 11-24 07:00:00 [core.py:1] the flux is gone", "the flux"),
    ],
)
def test_a_failure_that_nobody_knows_is_never_called_healthy(text: str, line: str) -> None:
    first = explain(text.splitlines())[0]
    assert (first.severity, first.id in ("exception", "error-unknown")) == (Weight.ERROR, True)
    assert first.line.startswith(line)


def test_a_known_cause_stands_before_an_error_that_nobody_knows() -> None:
    lines = ("ERROR 11-24 07:00:00 [a.py:1] it is odd", "ERROR 11-24 07:00:01 [a.py:1] CUDA out of memory")
    assert explain(lines)[0].id == "gpu-out-of-memory"


def test_colons_outside_of_a_traceback_are_no_exception() -> None:
    assert explain(("Step 3: copy", "Foo.Bar: baz", "INFO 11-24 07:00:00 [a.py:1] Done: yes")) == ()


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('"GET /v2/ HTTP/1.1" 502 no space left on device', "disk-full"),
        (
            '"POST /v1/x HTTP/1.1" 500 torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB',
            "gpu-out-of-memory",
        ),
        ('unauthorized: authentication required "GET /v2/x HTTP/1.1" 500', "registry-refused"),
        ('INFO:     10.0.0.1:5 - "POST /v1/x HTTP/1.1" 500 Internal Server Error', "request-failed"),
    ],
)
def test_a_failed_request_that_says_why_is_explained_by_that(line: str, cause: str) -> None:
    [found] = explain([line])
    assert found.id == cause
