"""Errors of CUDA by number: `cudaError` of driver_types.h; 8xx also as cuInit gives them."""

from __future__ import annotations

from sparkconsole.parse.known.known import Meaning

_MEMORY = "lower --gpu-memory-utilization, --max-model-len or --max-num-seqs"
_DRIVER = "the same driver and library: reboot after an update; an image for this driver's CUDA"
_IMAGE = "an image that was built for sm_121: sparkconsole image build"
_KERNEL = "try --enforce-eager or another attention backend; sparkconsole logs kernel shows an Xid with it"
_ROWS = (
    (1, "invalid value", _KERNEL),
    (2, "out of memory", _MEMORY),
    (3, "CUDA did not initialise", _DRIVER),
    (35, "the driver is older than the CUDA of the image", _DRIVER),
    (46, "the GPU is busy or not available", "see who uses it: sparkconsole status"),
    (98, "invalid device function", _IMAGE),
    (100, "no GPU can be seen", "sparkconsole doctor gpu"),
    (101, "no such GPU", "CUDA_VISIBLE_DEVICES must name one that is there"),
    (200, "the kernel image is invalid", _IMAGE),
    (209, "no kernel for this GPU", _IMAGE),
    (218, "invalid PTX", _IMAGE),
    (222, "PTX of a newer CUDA than the driver's", _DRIVER),
    (700, "an illegal memory access", _KERNEL),
    (701, "too many resources requested for a launch", _KERNEL),
    (702, "a kernel ran too long", _KERNEL),
    (710, "an assertion on the device", _KERNEL),
    (715, "an illegal instruction", _KERNEL),
    (716, "a misaligned address", _KERNEL),
    (719, "a kernel failed to run", _KERNEL),
    (720, "too many blocks for a cooperative launch", _KERNEL),
    (801, "not supported by this GPU", _KERNEL),
    (802, "the system is not ready", "wait for nvidia-fabricmanager or the driver, then start again"),
    (803, "driver and library do not fit", _DRIVER),
    (804, "forward compatibility is not for this GPU", _DRIVER),
    (999, "an error that CUDA does not name", "switch the machine off and on when it stays"),
)

CUDA_ERRORS = {str(number): Meaning(str(number), words, remedy=remedy) for number, words, remedy in _ROWS}
