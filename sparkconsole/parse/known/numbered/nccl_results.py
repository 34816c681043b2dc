"""What NCCL's calls return: `ncclResult_t` of nccl.h, by number and name."""

from __future__ import annotations

from sparkconsole.parse.known.known import NumberMeaning

_ROWS = (
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
    for number, name, words, victim in _ROWS
    for key in (str(number), name.upper())
}
