"""What the fabric's libraries number: completion statuses of RDMA verbs (`enum ibv_wc_status` of rdma-core's
verbs.h) by number, name and words, and NCCL's results.

The words are those of `ibv_wc_status_str`. Vendor errors are ConnectX's own syndromes, as far as NCCL's
public issues name them.
"""

from sparkconsole.parse.known.known import NumberMeaning

_PEER = "sparkconsole fabric test; the kernel log of the node at the other end: mlx5 lines"
_DEVICE = "sparkconsole logs kernel: mlx5 lines; switch the machine off and on when it stays"
_NOT_READY = "the other end was never ready to receive"
_FLUSHED = 5
_ROWS = (
    (1, "LOC_LEN_ERR", "local length error", "a message had another length than was expected", ""),
    (2, "LOC_QP_OP_ERR", "local QP operation error", "the queue pair refused an operation", ""),
    (3, "LOC_EEC_OP_ERR", "local EE context operation error", "an end-to-end context refused it", ""),
    (4, "LOC_PROT_ERR", "local protection error", "memory that was not registered was used", ""),
    (5, "WR_FLUSH_ERR", "Work Request Flushed Error", "flushed because its connection had failed before", ""),
    (6, "MW_BIND_ERR", "memory management operation error", "a memory window could not be bound", ""),
    (7, "BAD_RESP_ERR", "bad response error", "the other end answered with something unexpected", ""),
    (8, "LOC_ACCESS_ERR", "local access error", "memory was used without the right to it", ""),
    (9, "REM_INV_REQ_ERR", "remote invalid request error", "the other end does not accept the request", ""),
    (10, "REM_ACCESS_ERR", "remote access error", "the other end's memory may not be used", ""),
    (11, "REM_OP_ERR", "remote operation error", "the other end could not do it", ""),
    (12, "RETRY_EXC_ERR", "transport retry counter exceeded", "the other end did not acknowledge", _PEER),
    (13, "RNR_RETRY_EXC_ERR", "RNR retry counter exceeded", _NOT_READY, _PEER),
    (14, "LOC_RDD_VIOL_ERR", "local RDD violation error", "a reliable datagram's domain did not fit", ""),
    (15, "REM_INV_RD_REQ_ERR", "remote invalid RD request", "the other end refused a reliable datagram", ""),
    (16, "REM_ABORT_ERR", "aborted error", "the other end broke the operation off", _PEER),
    (17, "INV_EECN_ERR", "invalid EE context number", "there is no such end-to-end context", ""),
    (18, "INV_EEC_STATE_ERR", "invalid EE context state", "an end-to-end context was not ready", ""),
    (19, "FATAL_ERR", "fatal error", "the RDMA device failed", _DEVICE),
    (20, "RESP_TIMEOUT_ERR", "response timeout error", "the other end answered too late", _PEER),
    (21, "GENERAL_ERR", "general error", "the transport failed", ""),
    (22, "TM_ERR", "TM error", "tag matching failed", ""),
    (23, "TM_RNDV_INCOMPLETE", "TM software rendezvous", "a tag-matched transfer was not completed", ""),
)

WC_STATUS = {
    key.upper(): NumberMeaning(
        name, meaning, number == _FLUSHED, remedy, "nccl-flushed" if number == _FLUSHED else ""
    )
    for number, name, words, meaning, remedy in _ROWS
    for key in (str(number), name, words)
}
WC_WORDS = "|".join(words for _, _, words, _, _ in _ROWS if words != "fatal error")
"""A pattern for what `ibv_wc_status_str` says."""

_VENDOR = (
    (0x81, "retries used up", False),
    (0x82, "receiver-not-ready retries used up", False),
    (0x88, "no right to the other end's memory", False),
    (0xF9, "flushed", True),
)
VENDOR = {
    key.upper(): NumberMeaning(hex(number), words, victim, id="nccl-flushed" if victim else "")
    for number, words, victim in _VENDOR
    for key in (str(number), hex(number))
}

_NCCL = (
    (1, "ncclUnhandledCudaError", "a CUDA call failed", False),
    (2, "ncclSystemError", "a call to the system failed: a socket, memory or a device", False),
    (3, "ncclInternalError", "NCCL met what it does not expect", False),
    (4, "ncclInvalidArgument", "an argument was wrong", False),
    (5, "ncclInvalidUsage", "the ranks do not fit together", False),
    (6, "ncclRemoteError", "the other end ended, or the network between broke", True),
    (7, "ncclInProgress", "it still goes on", False),
)

NCCL_RESULTS = {
    key: NumberMeaning(name, words, victim)
    for number, name, words, victim in _NCCL
    for key in (str(number), name.upper())
}
"""What NCCL's calls return: `ncclResult_t` of nccl.h, by number and name."""
