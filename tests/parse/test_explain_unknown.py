"""Errors that nobody taught `explain`, in every spelling that programs have: none of them is a healthy log.

What these lines do not show: programs that fail in words which sound like nothing at all.
"""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import Weight, paragraphs, verdict
from sparkconsole.model.logs.line import Level, level_of
from sparkconsole.parse.diagnose.explain import LogFindings, examine

LOUD = {
    "vllm": "(EngineCore_DP0 pid=311) ERROR 11-24 07:00:00 [flux.py:12] the flux ring is gone",
    "vllm bare": "ERROR 11-24 07:00:00 [flux.py:12] the flux ring is gone",
    "vllm json": '{"timestamp": "2026-11-24T07:00:00", "level": "ERROR", "message": "the flux ring is gone"}',
    "nccl": "spark-01:410:533 [0] misc/flux.cc:88 NCCL WARN flux ring has 3 poles, wants 2",
    "nccl in vllm": "(Worker_TP1 pid=3) spark-01:410:533 [0] NCCL WARN the flux ring is gone",
    "glog E": "E1124 07:00:00.123456  4242 flux_ring.cc:88] ring lost its pole",
    "glog F": "F1124 07:00:00.123456 4242 flux_ring.cc:88] Check failed: pole != nullptr",
    "c10d E": "[E1124 07:00:00.123456789 FluxRing.cpp:88] [c10d] ring lost its pole",
    "c10d W": "[W1124 07:00:00.123456789 FluxRing.cpp:88] [c10d] ring lost its pole",
    "c10d rank": (
        "[rank0]:[E1124 07:00:00.123456789 FluxRing.cpp:88] [PG ID 0 PG GUID 0 Rank 0] ring lost "
        "its pole"
    ),
    "c10d old": "[E FluxRing.cpp:475] ring lost its pole",
    "ray core": "[2026-11-24 07:00:00,123 E 13261 13261] flux_ring.cc:228: ring lost its pole",
    "ray raylet": (
        "(raylet) [2026-11-24 07:00:00,123 E 13261 13261] (raylet) flux_ring.cc:228: ring lost "
        "its pole"
    ),
    "ray python": "2026-11-24 07:00:00,123\tERROR flux.py:228 -- the flux ring is gone",
    "kernel nvrm": "Nov 24 07:00:00 spark-01 kernel: NVRM: fluxRingArm_IMPL: arming the ring failed!",
    "kernel dmesg": "[  123.456789] fluxring 0000:01:00.0: probe of ring failed with error -71",
    "kernel bug": "[  123.456789] BUG: unable to handle page fault for address: ffff000012345678",
    "buildkit": "#12 0.243 error: flux ring `pole` has no north",
    "buildkit bare": "0.243 error: flux ring `pole` has no north",
    "buildkit end": 'ERROR: process "/bin/flux" did not complete: rpc error: code = Unknown desc = flux',
    "curl": "curl: (88) flux ring error",
    "systemd": (
        "Nov 24 07:00:00 spark-01 systemd[1]: flux.service: Control process exited, code=exited, "
        "status=3/NOTIMPLEMENTED"
    ),
    "systemd state": "Nov 24 07:00:00 spark-01 systemd[1]: Failed to start flux.service - The Flux Ring.",
    "python": (
        "Traceback (most recent call last):\n  File \"f.py\", line 1, in <module>\n    "
        "ring()\nflux.RingGone: north"
    ),
    "python chained": (
        "Traceback (most recent call last):\n  File \"f.py\", line 1\nKeyPole: 'n'\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n  File \"f.py\", line 9\nRingError: gone"
    ),
    "python cut": "Traceback (most recent call last):\n  File \"f.py\", line 1, in <module>\n    ring()",
    "rust": "thread 'main' panicked at src/flux.rs:88:5:\nring lost its pole",
    "rust named": "thread 'tokio-runtime-worker' (4242) panicked at src/flux.rs:88:5:",
    "c++": "terminate called after throwing an instance of 'flux::ring_gone'\n  what():  north",
    "docker errorDetail": '{"errorDetail":{"code":1,"message":"flux ring"},"error":"flux ring"}',
    "docker message": '{"message":"flux ring has no pole"}',
    "docker daemon": "Error response from daemon: flux ring has no pole",
    "go logrus": 'time="2026-11-24T07:00:00Z" level=error msg="flux ring has no pole"',
    "go slog": "time=2026-11-24T07:00:00Z level=ERROR msg=\"flux ring has no pole\" ring=3",
    "go panic": "panic: flux: ring has no pole\n\ngoroutine 1 [running]:",
    "git": "fatal: flux ring has no pole",
    "segv": "Segmented ring: *** SIGSEGV received at time=1732431600 on cpu 3 ***",
    "segv shell": "/usr/bin/flux: line 3:  4242 Segmentation fault      (core dumped) ./ring",
    "apt": "E: Flux ring pole could not be configured",
    "pip": "ERROR: Flux ring wheel has no pole",
    "uv": "  × Flux ring has no pole",
    "uv error": "error: flux ring has no pole",
    "ninja": "FAILED: [code=1] flux/ring.o",
    "gcc": "ring.cu(88): error: identifier \"pole\" is undefined",
    "http": "flux_hub.errors.HubHTTPError: 418 Client Error: I'm a teapot for url: https://flux.example/ring",
    "js": "Uncaught FluxError: ring has no pole",
    "loguru": "2026-11-24 07:00:00.123 | ERROR    | flux.ring:arm:88 - ring has no pole",
    "python logging": "2026-11-24 07:00:00,123 - flux.ring - ERROR - ring has no pole",
    "root logger": "ERROR:root:ring has no pole",
    "bracketed": "[2026-11-24 07:00:00] [ERROR] ring has no pole",
    "rust tracing": "2026-11-24T07:00:00.123456Z ERROR flux_ring: ring has no pole",
    "k8s": (
        "2026-11-24T07:00:00.123456789Z stderr F E1124 07:00:00.123456       1 flux.go:88] ring has no "
        "pole"
    ),
    "compose": "vllm-1  | ERROR 11-24 07:00:00 [flux.py:12] the flux ring is gone",
    "docker json": (
        '{"log":"ERROR 11-24 07:00:00 [flux.py:12] the flux ring is '
        'gone\\n","stream":"stderr","time":"2026-11-24T07:00:00Z"}'
    ),
    "journald iso": "2026-11-24T07:00:00+01:00 spark-01 flux[4242]: fatal: ring has no pole",
    "colours": (
        "\x1b[36m(RayWorkerProc pid=112, ip=10.0.0.7)\x1b[0m \x1b[31mERROR\x1b[0m 11-24 07:00:00 "
        "[flux.py:12] gone"
    ),
    "crlf": "error: flux ring has no pole\r\n",
    "status": "flux exited with code 7",
    "make": "make: *** [Makefile:12: ring] Error 7",
    "permission": "/opt/flux/ring: Permission denied",
}  # fmt: skip


def of(text: str) -> LogFindings:
    return examine(text.split("\n"))


@pytest.mark.parametrize("text", LOUD.values(), ids=LOUD)
def test_what_is_loud_and_unknown_is_told_with_its_line(text: str) -> None:
    read = of(text)
    assert verdict(read.found, [read.ending]) in ("wrong", "warning")
    worst = next(d for d in read.found if d.severity is not Weight.INFO)
    assert worst.line
    assert "no known problem" not in "\n".join(paragraphs(read.found, [read.ending]))


@pytest.mark.parametrize("text", LOUD.values(), ids=LOUD)
def test_it_is_told_below_hundred_lines_that_say_nothing(text: str) -> None:
    calm = [f"the ring turns, round {i}" for i in range(100)]
    read = examine([*calm, *text.split("\n")])
    assert verdict(read.found, [read.ending]) in ("wrong", "warning")


NATIVE = ("glog E", "c10d E", "ray core", "kernel nvrm", "buildkit", "docker daemon", "go logrus", "rust")


@pytest.mark.parametrize("spelling", NATIVE)
def test_the_log_view_marks_the_same_lines(spelling: str) -> None:
    assert level_of(LOUD[spelling].split("\n")[0]) is Level.ERROR


def test_a_letter_of_a_native_logger_is_read_as_it_is_meant() -> None:
    levels = [level_of(f"[2026-11-24 07:00:00,1 {letter} 1 1] x.cc:1: all is said") for letter in "DIWE"]
    assert levels == [Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR]


# --- signs of life


def test_a_log_that_ends_in_the_middle_says_where() -> None:
    lines = (
        "INFO 11-24 07:00:00 [x.py:1] Starting to load model x/y...",
        "Loading safetensors: the first file",
    )
    read = examine(lines)
    assert verdict(read.found, [read.ending]) == "unknown"
    [said] = paragraphs(read.found, [read.ending])
    assert "the log ends while loading weights: Loading safetensors: the first file" in said


@pytest.mark.parametrize(
    "proof",
    [
        "INFO:     Application startup complete.",
        'INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 200 OK',
        "INFO 11-24 07:00:00 [loggers.py:1] Engine 000: Avg prompt throughput: 0.0 tokens/s",
        "#21 naming to docker.io/library/vllm-node:latest done",
        "Loaded image: vllm-node:latest",
        "Successful requests:                     20        ",
        "worker exited with code 0",
    ],
)
def test_only_proof_makes_a_log_healthy(proof: str) -> None:
    before, after = examine(["it goes on"]), examine(["it goes on", proof])
    assert verdict(before.found, [before.ending]) == "unknown"
    assert verdict(after.found, [after.ending]) == "healthy"
    assert "✔ no known problem found" in tuple(paragraphs(after.found, [after.ending]))


def test_an_empty_log_is_not_healthy() -> None:
    read = examine([])
    assert verdict(read.found, [read.ending]) == "unknown"


def test_one_log_of_two_without_proof_is_enough_for_doubt() -> None:
    good, none = examine(["Application startup complete."], "a"), examine(["hm"], "b")
    assert verdict((), [good.ending, none.ending]) == "unknown"


def test_a_warning_after_which_work_went_on_is_no_finding() -> None:
    warned = "[W1124 07:00:00.1 FluxRing.cpp:88] [c10d] ring lost its pole"
    assert [d.severity for d in of(f"{warned}\nINFO:     Application startup complete.").found] == []
    assert [d.severity for d in of(f"INFO:     Application startup complete.\n{warned}").found] == [
        Weight.INFO
    ]


def test_an_error_that_says_so_stays_one_whatever_follows() -> None:
    read = of(f"{LOUD['vllm']}\nINFO:     Application startup complete.")
    assert verdict(read.found, [read.ending]) == "wrong"


# --- stalls


def test_one_line_again_and_again_is_a_stall_that_names_what_moved_last() -> None:
    waits = [f"2026-11-24 07:0{i}:00 Waiting for the ring to close ({i} of 9)" for i in range(6)]
    [found] = examine(["2026-11-24 07:00:00 pole 3 armed", *waits]).found
    assert (found.id, found.severity, found.count) == ("stalled", Weight.ERROR, 6)
    assert "pole 3 armed" in found.why


def test_lines_that_take_turns_are_a_stall_too() -> None:
    turns = [line for i in range(5) for line in (f"ring {i} not ready", f"retrying in {i} s")]
    assert [d.id for d in examine(["pole 3 armed", *turns]).found if d.severity is Weight.ERROR] == [
        "stalled"
    ]


def test_a_stall_that_ended_is_none() -> None:
    waits = ["Waiting for the ring to close"] * 6
    assert [d.id for d in examine([*waits, "ring closed", "all poles armed"]).found] == []


def test_a_bar_that_moves_and_a_server_that_answers_are_no_stall() -> None:
    bar = [
        f"Loading safetensors checkpoint shards:  {i}% Completed | {i}/100 [00:01<00:01]" for i in range(50)
    ]
    asked = ['INFO:     10.0.0.1:5 - "GET /health HTTP/1.1" 200 OK'] * 50
    assert (examine(bar).found, examine(asked).found) == ((), ())


@pytest.mark.parametrize("what", ["/metrics", "/health", "/metrics?name[]=vllm", "/ping"])
def test_polls_neither_prove_a_server_nor_hide_that_it_stands_still(what: str) -> None:
    start = "(APIServer pid=1) INFO 11-24 07:00:00 [api.py:1] Starting vLLM API server on http://0.0.0.0:8888"
    poll = f'(APIServer pid=1) INFO:     127.0.0.1:5 - "GET {what} HTTP/1.1" 200 OK'
    wait = "(EngineCore pid=9) INFO 11-24 07:00:01 [s.py:1] Waiting for the ring to close"
    assert not examine([start, *[poll] * 60]).ending.alive
    with_polls = examine([start, *([wait, *[poll] * 5] * 6)]).found
    without = examine([start, *[wait] * 6]).found
    assert [(d.id, d.why) for d in with_polls] == [(d.id, d.why) for d in without] != []
    ill = '(APIServer pid=1) INFO:     127.0.0.1:5 - "GET /health HTTP/1.1" 503 Service Unavailable'
    assert examine([start, ill, *[poll] * 3]).found or what == "/health", "only its own answer makes it well"
    asked = poll.replace(what, "/v1/models")
    assert examine([start, asked]).ending.alive


def test_a_server_that_hangs_at_its_start_at_info_is_found() -> None:
    start = "(EngineCore pid=1) INFO 11-24 07:00:00 [gpu_model_runner.py:1] Starting to load model x/y..."
    hangs = [
        f"(EngineCore pid=1) INFO 11-24 07:0{i}:00 [shm_broadcast.py:1] No available shared memory "
        f"broadcast block "
        "found in 60 seconds. This typically happens when some processes are hanging"
        for i in range(1, 5)
    ]
    first = examine([start, *hangs]).found[0]
    assert (first.id, first.severity) == ("rank-silent", Weight.ERROR)
    assert "Starting to load model" in first.why
