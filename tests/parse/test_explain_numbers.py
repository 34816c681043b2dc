"""Numbers are read from where they stand, by the whole table: RDMA, Xid, exit codes, signals, errno, CUDA."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.parse.diagnose.explain import explain
from sparkconsole.parse.known.numbered.fabric import WC_STATUS
from sparkconsole.parse.known.numbered.xids import XIDS


def first(line: str) -> Diagnosis:
    return explain([line])[0]


# --- RDMA

COMPLETION = "h:1:2 [0] NCCL WARN NET/IB : Got completion from peer 10.0.0.2<4> with status="


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (12, "RETRY_EXC_ERR"),
        (13, "RNR_RETRY_EXC_ERR"),
        (14, "LOC_RDD_VIOL_ERR"),
        (16, "REM_ABORT_ERR"),
        (18, "INV_EEC_STATE_ERR"),
        (19, "FATAL_ERR"),
        (20, "RESP_TIMEOUT_ERR"),
        (21, "GENERAL_ERR"),
        (22, "TM_ERR"),
        (23, "TM_RNDV_INCOMPLETE"),
    ],
)
def test_a_completion_is_told_by_the_same_name_in_every_spelling(number: int, name: str) -> None:
    assert WC_STATUS[str(number)] == WC_STATUS[name]
    for line in (
        f"{COMPLETION}{number} opcode=0 len=0 vendor err 129",
        f"{COMPLETION}IBV_WC_{name}({number}) opcode=IBV_WC_SEND(0) vendor_err=129",
        f"{COMPLETION}{name}({number}) opcode=IBV_WC_SEND(0) vendor_err=129",
        f"Failed status {number}: wr_id 0 syndrom 0x81",
    ):
        assert first(line).id == "nccl-qp-error"
        assert name in first(line).text


@pytest.mark.parametrize(
    "line",
    [
        f"{COMPLETION}IBV_WC_WR_FLUSH_ERR(5) opcode=IBV_WC_RECV(128) vendor_err=249",
        f"{COMPLETION}5 opcode=128 vendor_err=249",
        "Failed status 5: wr_id 0 syndrom 0xf9",
        "rdma: Work Request Flushed Error",
    ],
)
def test_what_was_flushed_is_a_victim(line: str) -> None:
    one = first(line)
    assert (one.id, one.kind) == ("nccl-flushed", LineKind.CONSEQUENCE)


def test_a_completion_that_succeeded_is_no_failure() -> None:
    assert explain(["wc.status = IBV_WC_SUCCESS", "opcode=IBV_WC_RECV(128)"]) == ()


# --- Xid


def xid(rest: str) -> Diagnosis:
    return first(f"NVRM: Xid (PCI:000f:01:00): {rest}")


@pytest.mark.parametrize(
    ("rest", "name", "words"),
    [
        ("13, pid=4, Graphics Exception: ESR 0x504648: 79", "Xid 13", "graphics engine exception"),
        (
            "109, pid=4, name=python3, Ch 00000018, errorString CTX SWITCH TIMEOUT",
            "Xid 109",
            "context switch",
        ),
        ("143, pid=4, GPU Initialization Error", "Xid 143", "initialise"),
        ("74, pid=4, NVLink: fatal error detected on link 3", "Xid 74", "NVLink"),
        ("145, RLW_CTRL Nonfatal", "Xid 145", "NVLink"),
        ("140, pid=4, Unrecovered ECC", "Xid 140", "ECC"),
    ],
)
def test_an_xid_is_told_by_its_own_meaning(rest: str, name: str, words: str) -> None:
    one = xid(rest)
    assert name in one.text
    assert words in one.text
    assert "firmware" not in one.text


def test_an_xid_that_our_table_lacks_is_said_to_be_so() -> None:
    assert "Xid 199: not in our table, see NVIDIA's Xid catalogue" in xid("199, pid=4, x").text
    assert "not in our table" in XIDS["200"].text


def test_a_changed_recovery_action_follows_from_another_xid() -> None:
    changed = (
        "NVRM: Xid (PCI:000f:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset)"
    )
    faulted = "NVRM: Xid (PCI:000f:01:00): 31, pid=4242, name=VLLM::Worker, MMU Fault"
    for lines in ((changed, faulted), (faulted, changed)):
        found = explain(lines)
        assert [d.kind for d in found] == [LineKind.CAUSE, LineKind.CONSEQUENCE]
        assert "Xid 31" in found[0].text
    assert first(changed).kind is LineKind.CONSEQUENCE


def test_a_corrected_error_of_the_link_is_a_warning() -> None:
    one = xid("121, pid=4, C2C Link corrected error")
    assert one.severity is Weight.WARNING
    assert "corrected" in one.text


# --- exit codes and signals


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vllm_node exited with code 129", "SIGHUP"),
        ("vllm_node exited with code 131", "SIGQUIT"),
        ("process exited with exit code 133", "SIGTRAP"),
        ("container exit code: 159", "SIGSYS"),
        ("container exit code: 152", "SIGXCPU"),
        ("the command exited with status 255", "ssh"),
        ("Worker exited with code -31", "SIGSYS"),
        ("v.service: Main process exited, code=dumped, status=11/SEGV", "SIGSEGV"),
        ("v.service: Main process exited, code=killed, status=1/HUP", "SIGHUP"),
        ("v.service: Main process exited, code=exited, status=203/EXEC", "EXEC: its program"),
        ("v.service: Control process exited, code=exited, status=217/USER", "USER: its user"),
        ("v.service: Main process exited, code=exited, status=143/n/a", "SIGTERM"),
    ],
)
def test_how_a_process_ended_is_told(line: str, words: str) -> None:
    assert words in first(line).text


def test_systemd_tells_which_signal_killed_a_service() -> None:
    assert "SIGKILL" in first("v.service: Main process exited, code=killed, status=9/KILL").text


@pytest.mark.parametrize(
    "line",
    [
        "early exit: 130 of 256 tokens accepted",
        "early exit: 137 of 256 tokens accepted",
        "layers exited 139 of 400",
    ],
)
def test_not_every_number_behind_exit_is_an_exit_code(line: str) -> None:
    assert explain([line]) == ()


# --- errno, CUDA


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("write failed (errno: 32)", "EPIPE"),
        ("call failed with errno 71", "EPROTO"),
        ("setsockopt failed, errno=95", "EOPNOTSUPP"),
        ("connect failed (errno 103)", "ECONNABORTED"),
        ("ioctl failed, errno: 25", "ENOTTY"),
        ("CUDA error: 304", "operating system"),
        ("CUDA failure 709", "context is destroyed"),
        ("cudaError 4", "shut down"),
        ("cuda error code=600", "not ready"),
        ("CUDA driver error: 377", "not in our table"),
    ],
)
def test_numbers_of_the_system_and_of_cuda_are_told(line: str, words: str) -> None:
    assert words in first(line).text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("h:1:2 [0] NCCL WARN Cuda failure 1 'invalid argument'", "invalid argument"),
        ("h:1:2 [0] NCCL WARN Cuda failure 304 'OS call failed'", "304: a call to the operating system"),
        ("h:1:2 [0] NCCL WARN Cuda failure 'unknown error'", "unknown error"),
    ],
)
def test_a_cuda_call_that_failed_inside_nccl_is_told_by_its_own_name(line: str, words: str) -> None:
    one = first(line)
    assert words in one.text
    assert "memory" not in one.text + one.why + one.remedy
