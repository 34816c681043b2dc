"""Completion statuses of RDMA verbs: `enum ibv_wc_status` of rdma-core's verbs.h, by number and name.

Vendor errors are ConnectX's own syndromes, as far as NCCL's public issues name them.
"""

from __future__ import annotations

from sparkconsole.parse.known.known import Meaning

_PEER = "sparkconsole fabric test; the kernel log of the node at the other end: mlx5 lines"
_ROWS = (
    (1, "LOC_LEN_ERR", "a message had another length than the receiver expected", False, ""),
    (2, "LOC_QP_OP_ERR", "the queue pair refused an operation", False, ""),
    (3, "LOC_EEC_OP_ERR", "an end-to-end context refused an operation", False, ""),
    (4, "LOC_PROT_ERR", "memory that was not registered was used", False, ""),
    (5, "WR_FLUSH_ERR", "the request was flushed because its connection had failed before", True, ""),
    (6, "MW_BIND_ERR", "a memory window could not be bound", False, ""),
    (7, "BAD_RESP_ERR", "the other end answered with something unexpected", False, ""),
    (8, "LOC_ACCESS_ERR", "memory was used without the right to it", False, ""),
    (9, "REM_INV_REQ_ERR", "the other end does not accept the request", False, ""),
    (10, "REM_ACCESS_ERR", "the other end's memory may not be used: its process may have ended", False, ""),
    (11, "REM_OP_ERR", "the other end could not do it", False, ""),
    (12, "RETRY_EXC_ERR", "the other end did not acknowledge", False, _PEER),
    (13, "RNR_RETRY_EXC_ERR", "the other end was never ready to receive", False, _PEER),
    (19, "RESP_TIMEOUT_ERR", "the other end answered too late", False, _PEER),
    (20, "FATAL_ERR", "the RDMA device failed", False, "look at the kernel log: mlx5 lines"),
    (21, "GENERAL_ERR", "the transport failed", False, ""),
)

WC_STATUS = {
    key: Meaning(name, words, victim, remedy, "nccl-flushed" if victim else "")
    for number, name, words, victim, remedy in _ROWS
    for key in (str(number), name)
}

VENDOR = {
    "129": Meaning("0x81", "retries used up"),
    "130": Meaning("0x82", "receiver-not-ready retries used up"),
    "136": Meaning("0x88", "no right to the other end's memory"),
    "249": Meaning("0xf9", "flushed", victim=True, id="nccl-flushed"),
}
