"""Kinds of failures that public reports tell in many spellings: each kind by lines of our own.

What these lines do not show: the hundreds of lines of a traceback around them.
"""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import LineKind, Weight, ranked, verdict
from sparkconsole.parse.diagnose.explain import examine, explain
from tests.parse.public_kinds import KINDS

READY = "INFO:     Application startup complete."


@pytest.mark.parametrize(
    ("line", "expected"), [(line, name) for name, lines in KINDS.items() for line in lines], ids=str
)
def test_every_spelling_of_a_kind_is_found_as_it(line: str, expected: str) -> None:
    found = explain([line])
    assert (found[0].id, found[0].severity) == (expected, Weight.ERROR)


# --- who it is about


TOLD = {
    "Rank 3 reported CUDA out of memory": "rank 3 failed",
    "Received an exception from rank 3: CUDA out of memory": "rank 3 failed",
    "Rank 3 encountered an error: CUDA out of memory": "rank 3 failed",
    "Worker node spark-02 reported: No space left on device": "spark-02 failed",
    "Error on node spark-02: CUDA out of memory": "node spark-02 failed",
    "[Rank 0]: Rank 3 failed to pass monitoredBarrier in 1800000 ms": "rank 3 failed",
}


@pytest.mark.parametrize(("line", "whose"), TOLD.items(), ids=TOLD)
def test_what_another_one_is_said_to_have_met_is_not_this_nodes_own(line: str, whose: str) -> None:
    [one] = explain([f"(Worker_TP0 pid=2) ERROR 11-24 07:00:00 [x.py:1] {line}"], "spark-01")
    assert (one.id, one.kind) == ("peer-failed", LineKind.CONSEQUENCE)
    assert whose in one.text


def test_a_rank_that_speaks_of_itself_is_the_one_that_failed() -> None:
    [one] = explain(["(Worker_TP3 pid=2) ERROR 11-24 07:00:00 [x.py:1] Rank 3 reported CUDA out of memory"])
    assert (one.id, one.rank) == ("gpu-out-of-memory", 3)


def test_what_ray_repeats_of_another_node_is_that_nodes() -> None:
    lines = [
        "Traceback (most recent call last):",
        "ray.exceptions.RayTaskError(OutOfMemoryError): ray::RayWorkerWrapper.execute_method() (pid=401, "
        "ip=10.0.0.2, actor_id=ab)",
        '  File "/x/worker.py", line 1, in execute_method',
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "OSError: [Errno 28] No space left on device",
    ]
    found = {d.id: d.node for d in explain(lines, "10.0.0.1")}
    assert (found["gpu-out-of-memory"], found["disk-full"]) == ("10.0.0.2", "10.0.0.1")


# --- GPUs' numbers


def test_two_errors_of_a_gpu_are_two_findings() -> None:
    found = explain(
        [
            "NVRM: Xid (PCI:000f:01:00): 13, pid=4, name=python3, Graphics SM Warp Exception",
            "NVRM: Xid (PCI:000f:01:00): 13, pid=4, name=python3, Graphics SM Global Exception",
            "NVRM: Xid (PCI:000f:01:00): 109, pid=4, name=python3, Ch 8, errorString CTX SWITCH TIMEOUT",
        ]
    )
    assert [(d.count, d.text.partition("Xid ")[2][:20]) for d in found] == [
        (2, "13: a kernel of the "),
        (1, "109: a context switc"),
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [(145, "NVLink error (RLW)"), (149, "NVLink error (NETIR)"), (128, "copy engine"), (171, "in DRAM"),
     (172, "in SRAM"), (167, "PCIe"), (169, "microcontroller halted"), (161, "could not be retired")],
)  # fmt: skip
def test_the_newer_numbers_are_named_by_nvidias_catalogue(number: int, words: str) -> None:
    [one] = explain([f"NVRM: Xid (PCI:000f:01:00): {number}, pid=4, x"])
    assert f"Xid {number}" in one.text
    assert words in one.text


def test_a_number_that_follows_from_another_names_that_one() -> None:
    found = explain(
        [
            "NVRM: Xid (PCI:000f:01:00): 45, pid=4, name=python3, Ch 1 caused by previous Xid 149",
            "NVRM: Xid (PCI:000f:01:00): 45, pid=4, name=python3, Ch 1 caused by previous Xid 13",
        ]
    )
    assert [("Xid 149" in d.text, "Xid 13" in d.text) for d in found] == [(True, False), (False, True)]
    assert all(d.kind is LineKind.CAUSE and "Xid 45 follows" in d.why for d in found)


def test_a_test_message_of_the_bus_is_nothing() -> None:
    assert explain(["NVRM: Xid (PCI:000f:01:00): 107, SMBPBI Test Message Silent"]) == ()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("oom-kill", "memory ran out"),
        ("timeout", "in time"),
        ("start-limit-hit", "gave up"),
        ("odd", "flux.service"),
    ],
)
def test_how_a_service_ended_is_told_in_words(result: str, words: str) -> None:
    [one] = explain([f"systemd[1]: flux.service: Failed with result '{result}'."])
    assert words in one.text
    assert not one.text.endswith(",")


def test_an_exception_whose_class_begins_small_is_one() -> None:
    assert explain(["flux._bindings.ringBackendError: no pole"])[0].severity is Weight.ERROR


# --- the order of what is said


def test_the_watchdog_stands_before_the_abort_that_follows_from_it() -> None:
    lines = [
        "[rank1]:[E1122 07:22:58.1 401 ProcessGroupNCCL.cpp:685] [Rank 1] Watchdog caught collective "
        "operation timeout: WorkNCCL(SeqNum=4, OpType=ALLREDUCE)",
        "terminate called after throwing an instance of 'c10::DistBackendError'",
        "*** SIGABRT received at time=1763796179 on cpu 3 ***",
    ]
    assert explain(lines)[0].id == "nccl-watchdog"


def test_a_compiler_that_failed_stands_before_what_it_was_started_for() -> None:
    lines = [
        "ERROR 11-24 07:00:00 [x.py:1] RuntimeError: Error building extension 'flux'",
        "ERROR 11-24 07:00:00 [x.py:1] nvcc fatal   : Unsupported gpu architecture 'compute_121a'",
    ]
    assert explain(lines)[0].id == "toolkit-too-old"


# --- a request


REQUESTS = {
    "template": [
        "(APIServer pid=1) ERROR 11-24 07:00:00 [serving_chat.py:250] Traceback (most recent call last):",
        "(APIServer pid=1) ERROR 11-24 07:00:00 [serving_chat.py:250] TypeError: no pole in the ring.",
    ],
    "parser": [
        "ERROR 11-24 07:00:00 [hermes_tool_parser.py:370] Traceback (most recent call last):",
        "ERROR 11-24 07:00:00 [hermes_tool_parser.py:370] flux.MalformedRing: no pole",
    ],
    "old": ["ERROR 11-24 07:00:00 serving_chat.py:158] flux.RingError: no pole"],
    "web server": [
        "ERROR:    Exception in ASGI application",
        "Traceback (most recent call last):",
        "flux.RingError: no pole",
    ],
}


@pytest.mark.parametrize("lines", REQUESTS.values(), ids=REQUESTS)
def test_what_one_request_met_is_a_warning(lines: list[str]) -> None:
    found = examine([READY, *lines]).found
    assert {d.severity for d in found} == {Weight.WARNING}


def test_a_cause_that_one_request_met_is_named_and_only_warned_of() -> None:
    line = (
        "ERROR 11-24 07:00:00 [serving_chat.py:2] x.ClientError: Cannot connect to host flux.example:443 "
        "ssl:default [Name or service not known]"
    )
    [one] = explain([READY, line])
    assert (one.id, one.severity) == ("name-not-resolved", Weight.WARNING)


def test_a_request_with_too_many_pictures_is_no_fault_of_the_server() -> None:
    [one] = explain(["ValueError: At most 1 image(s) may be provided in one prompt."])
    assert (one.id, one.severity) == ("request-too-many-items", Weight.INFO)


def test_an_engine_that_dies_while_it_answers_is_an_error() -> None:
    lines = [
        READY,
        "ERROR 11-24 07:00:00 [serving_chat.py:250] vllm.v1.engine.exceptions.EngineDeadError: it ended",
    ]
    assert ranked(examine(lines).found)[0].severity is Weight.ERROR


# --- what is well


WELL = {
    "usage": ["WARNING 11-24 07:00:00 [usage_lib.py:1] Failed to send usage data to server: "
              "Max retries exceeded (Failed to resolve 'stats.vllm.ai')"],
    "ray's usage": ["Failed to report usage stats: https://usage-stats.ray.io timed out"],
    "instead": ["WARNING 11-24 07:00:00 [x.py:1] FlashInfer ring is not supported on this GPU; disabled"],
    "rdma": ["h:1:2 [0] NCCL INFO Call to ibv_modify_qp failed with 110 Connection timed out, retrying 1/2",
             "h:1:2 [0] NCCL INFO ncclCommInitRank comm 0xa rank 0 nranks 2 - Init COMPLETE"],
    "slow": ["INFO 11-24 07:00:00 [shm.py:1] No available shared memory broadcast block found in 60 seconds.",
             "INFO 11-24 07:03:00 [core.py:1] init engine (profile, create kv cache) took 225.99 seconds"],
    "python's own": ["/x/ring.py:12: FutureWarning: `pole` was not set, it will be removed"],
    "cmake's own": ["CMake Warning: Manually-specified variables were not used by the project:"],
    "ended by hand": ["WARNING 11-24 07:00:00 [x.py:1] Process did not exit gracefully, sending SIGKILL"],
    "attention version": ["ERROR 11-24 07:00:00 [fa_utils.py:57] Cannot use FA version 3 is not supported "
                          "due to FA3 is only supported on devices with compute capability 9"],
    "not safetensors": ["ERROR 11-24 07:00:00 [config.py:130] Error retrieving safetensors: 'x' is not a "
                        "safetensors repo."],
    "default": ["WARNING 11-24 07:00:00 [x.py:1] FlashInfer ring is not supported here; using default"],
    "placement": ["INFO 11-24 07:00:00 [x.py:1] Waiting for creating a placement group of specs for 10 "
                  "seconds.", "INFO 11-24 07:00:30 [x.py:1] Starting to load model x..."],
}  # fmt: skip


@pytest.mark.parametrize("lines", WELL.values(), ids=WELL)
def test_what_was_got_over_is_no_finding(lines: list[str]) -> None:
    read = examine([*lines, READY])
    assert [d.id for d in read.found if d.severity is not Weight.INFO] == []
    assert verdict(read.found, [read.ending]) == "healthy"


@pytest.mark.parametrize("name", ["rdma", "slow", "placement"])
def test_what_was_not_got_over_stays_one(name: str) -> None:
    assert [d for d in examine(WELL[name][:1]).found if d.severity is not Weight.INFO] != []


def test_an_answer_that_only_began_does_not_show_that_a_silent_rank_is_back() -> None:
    lines = [*WELL["slow"][:1], 'INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 200 OK']
    assert ranked(examine([READY, *lines]).found)[0].severity is Weight.ERROR
