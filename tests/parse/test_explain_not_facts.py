"""What is only possible, advised, another rank's, or only sounds like a cause is not told as the cause."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import LineKind, Weight, ranked
from sparkconsole.parse.diagnose.explain import explain

POSSIBLE = (
    "Possible causes: CUDA out of memory, No space left on device, address already in use",
    "Common reasons: CUDA out of memory",
    "maybe CUDA out of memory or address already in use?",
    "Perhaps the disk is full: No space left on device",
    "Check that no other process listens there (address already in use)",
    'hint: if you see "CUDA out of memory", lower the share',
    "When you encounter CUDA out of memory, lower --gpu-memory-utilization",
    "this might be an OOM kill (SIGKILL)",
    "it could have been killed by SIGKILL",
    "This usually happens when the GPU is lost or Host key verification failed",
)


@pytest.mark.parametrize("line", POSSIBLE)
def test_a_possibility_is_no_finding(line: str) -> None:
    assert explain([line]) == ()


@pytest.mark.parametrize("bullet", ["- ", "* ", "• ", "1. ", "2) ", "(3) "])
def test_a_list_of_possibilities_is_no_finding(bullet: str) -> None:
    lines = [
        "This can happen when:",
        f"  {bullet}CUDA out of memory",
        "",
        f"  {bullet}No space left on device",
    ]
    assert explain(lines) == ()


def test_what_stands_before_and_behind_a_list_of_possibilities_counts() -> None:
    before = explain(["OSError: [Errno 98] Address already in use. Possible causes: CUDA out of memory"])
    assert [d.id for d in before] == ["port-taken"]
    behind = explain(["Possible reasons:", "- CUDA out of memory", "", "bind: address already in use"])
    assert [d.id for d in behind] == ["port-taken"]


def test_a_list_goes_on_below_its_first_entry() -> None:
    assert explain(["Possible causes: a cable", "- CUDA out of memory"]) == ()


def test_what_calls_itself_an_error_is_told_even_where_it_only_lists_possibilities() -> None:
    [one] = explain(["ERROR 11-24 07:00:00 [x.py:1] Possible causes: CUDA out of memory"])
    assert one.id == "error-unknown"


def test_a_list_that_lists_facts_is_read() -> None:
    assert [d.id for d in explain(["Errors:", "- CUDA out of memory"])] == ["gpu-out-of-memory"]


@pytest.mark.parametrize("who", ["Peer rank 1", "Remote worker 1", "other rank [1]"])
def test_what_another_rank_met_is_not_of_this_node(who: str) -> None:
    [one] = explain([f"{who} failed with CUDA out of memory"], "spark-01")
    assert one.kind is LineKind.CONSEQUENCE
    assert one.rank is None
    assert "rank 1 failed" in one.text
    assert "not about this node" in one.why


def test_the_rank_that_failed_stands_before_who_was_told_of_it() -> None:
    found = ranked(
        [
            *explain(["Peer rank 1 failed with CUDA out of memory"], "spark-01"),
            *explain(["torch.OutOfMemoryError: CUDA out of memory."], "spark-02"),
        ]
    )
    assert [(d.node, d.id) for d in found] == [("spark-02", "gpu-out-of-memory"), ("spark-01", "peer-failed")]


CAUSES = {
    "Error: ENOSPC: System limit for number of file watchers reached, watch '/srv/x'": "inotify-limit",
    "inotify_add_watch: No space left on device": "inotify-limit",
    "OSError: [Errno 28] No space left on device: '/dev/shm/psm_x'": "shm-full",
    "posix_fallocate /dev/shm/torch_12 failed: No space left on device": "shm-full",
    "No space left on device: /dev/shm": "shm-full",
    "OSError: [Errno 28] No space left on device: '/srv/x'": "disk-full",
    "run.sh: line 3: unexpected EOF while looking for matching `\"'": "script-syntax",
    "SyntaxError: unexpected EOF while parsing": "script-syntax",
    "x.sh: line 9: syntax error: unexpected end of file": "script-syntax",
    "tar: Unexpected EOF in archive": "archive-cut-short",
    "FileNotFoundError: [Errno 2] No such file or directory: '/workspace/bench/prompts.json'": "file-missing",
    "FileNotFoundError: [Errno 2] No such file or directory: '/m/config.json'": "model-shard-missing",
    "FileNotFoundError: [Errno 2] No such file or directory: '/m/pytorch_model.bin'": "model-shard-missing",
    "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: http://localhost:8000/v1/x": (
        "http-refused"
    ),
    "pip._vendor.requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://pypi.org/x/": (
        "http-refused"
    ),
    "httpx.HTTPStatusError: Client error '401 Unauthorized' for url 'http://10.0.0.2:8000/v1/models'": (
        "http-refused"
    ),
    "404 Client Error: Not Found for url: https://huggingface.co/api/models/x": "hub-no-such-model",
    "403 Client Error: Forbidden for url: https://cdn-lfs.hf.co/x": "hub-unauthorised",
    "zmq.error.Again: Resource temporarily unavailable": "exception",
    "bash: fork: retry: Resource temporarily unavailable": "limits-of-the-system",
    "exec ./start.sh: exec format error": "exec-format",
    "ImportError: cannot import name 'x' from partially initialized module 'y' (most likely due to a "
    "circular import)": "exception",
    "ImportError: cannot import name 'x' from 'transformers'": "image-lacks-package",
    "RuntimeError: CUDA error: initialization error": "cuda-not-initialised",
    "RuntimeError: CUDA error: invalid device ordinal": "cuda-call-failed",
    "RuntimeError: CUDA error: an illegal instruction was encountered": "gpu-fault",
}


@pytest.mark.parametrize(("line", "known"), CAUSES.items(), ids=CAUSES)
def test_a_cause_is_not_taken_for_another_with_its_words(line: str, known: str) -> None:
    assert explain([line])[0].id == known


def test_a_program_for_another_processor_may_be_a_script_as_well() -> None:
    one = explain(["exec ./start.sh: exec format error"])[0]
    assert "another processor" in one.why
    assert "#!" in one.why


IDLE = """
    Clocks Event Reasons
        Idle                              : Active
        Applications Clocks Setting       : Not Active
        SW Power Cap                      : Not Active
        HW Slowdown                       : Not Active
            HW Thermal Slowdown           : Not Active
            HW Power Brake Slowdown       : Not Active
        Sync Boost                        : Not Active
        SW Thermal Slowdown               : Not Active
    Clocks Event Reasons Counters
        SW Power Capping                  : 123456 us
        SW Thermal Slowdown               : 0 us
        HW Thermal Slowdown               : 0 us
        HW Power Braking                  : 0 us
    Temperature
        GPU Current Temp                  : 41 C
        GPU Slowdown Temp                 : N/A
"""


def test_an_idle_gpu_is_healthy() -> None:
    assert explain(IDLE.splitlines()) == ()


def test_heat_and_a_power_limit_are_told_apart() -> None:
    hot = explain(["  HW Thermal Slowdown           : Active"])[0]
    assert (hot.id, hot.severity) == ("hot", Weight.WARNING)
    for line in ("  SW Power Cap    : Active", "  HW Power Brake Slowdown       : Active"):
        [one] = explain([line])
        assert one.id == "power-capped"
        assert "hot" not in one.text + one.why


@pytest.mark.parametrize(
    "line",
    [
        "nvidia: module verification failed: signature and/or required key missing - tainting kernel",
        "cfg80211: failed to load regulatory.db",
        "ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND",
    ],
)
def test_what_every_boot_says_is_healthy(line: str) -> None:
    assert explain([f"[    1.234567] {line}"]) == ()
