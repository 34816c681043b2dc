"""Errors that NVIDIA's driver numbers.

Source: NVIDIA's Xid catalogue, docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html (numbers to 172,
as of October 2025), and for older GPUs the list of docs.nvidia.com/deploy/xid-errors.
"""

from sparkconsole.parse.known.known import NumberMeaning

_PROGRAM = "start the server again; another attention backend or --enforce-eager; a newer image"
_POWER = "switch the machine off and on; update driver and firmware when it comes back"
_STREAM = "the program's or the driver's commands were damaged"
_VIDEO = "a video engine failed"
_COPY = "a copy engine failed"
_DISPLAY = "the display engine failed"
_NVLINK = "an NVLink error"
_NVLINK_PARTS = ("SAW", "RLW", "TLW", "TREX", "NVLPW_CTRL", "NETIR", "MSE")
_DISPLAYED = (
    *((n, _DISPLAY, _POWER) for n in (16, 19, 56, *range(111, 119))),
    *((n, _VIDEO, _PROGRAM) for n in (27, 28, 34, 35, 36, 42, 47, 60, 65, 68, 73, 86, 142)),
    *((n, _VIDEO, _PROGRAM) for n in (*range(82, 85), 88, 89, *range(96, 106), 139)),
    *((n, _COPY, _PROGRAM) for n in (39, 40, 41, 70, 71, 72, 75, 76, 77, 85, *range(126, 136))),
    *((n, _STREAM, _PROGRAM) for n in (1, 2, 3, 4, 6, 11, 25, 32)),
)
_ROWS = (
    *_DISPLAYED,
    (7, "an address of the command stream was wrong", _PROGRAM),
    (8, "the GPU stopped working on a program's commands", _PROGRAM),
    (9, "the driver programmed the GPU wrongly", _POWER),
    (12, "the driver failed while it handled an error of the GPU", _POWER),
    (13, "a kernel of the program failed (graphics engine exception)", _PROGRAM),
    (18, "bus mastering is disabled for the GPU", _POWER),
    (26, "the memory of the GPU did not answer in time", _POWER),
    (30, "a semaphore could not be used", _PROGRAM),
    (31, "a program used memory that it does not have (MMU fault)", _PROGRAM),
    (33, "the GPU's microcontroller failed", _POWER),
    (37, "the driver's firmware failed", _POWER),
    (38, "the driver's firmware failed", _POWER),
    (44, "the graphics engine failed while programs were switched", _PROGRAM),
    (46, "the GPU stopped working on a program's commands", _PROGRAM),
    (48, "an uncorrectable memory error (double-bit ECC)", _POWER),
    (54, "auxiliary power is not connected", "connect it, then switch the machine on"),
    (57, "the interface to the memory could not be programmed", _POWER),
    (58, "the interface to the memory is unstable", _POWER),
    (59, "the GPU's microcontroller failed", _POWER),
    (61, "the GPU's microcontroller stopped", _POWER),
    (62, "the GPU's microcontroller halted", _POWER),
    (63, "a memory page was retired, or a row remapped, and recorded", _POWER),
    (64, "a memory page could not be retired, or a row not remapped", _POWER),
    (66, "the driver used something illegally", _POWER),
    (67, "the driver used something illegally", _POWER),
    (69, "a kernel of the program failed (graphics class error)", _PROGRAM),
    (74, _NVLINK, "reseat or replace the link; switch the machine off and on"),
    (78, "a vGPU could not be started", _POWER),
    (79, "the GPU fell off the bus", _POWER),
    (80, "damaged data was sent to the GPU", _POWER),
    (92, "many single-bit memory errors", _POWER),
    (93, "the InfoROM was written too often", _POWER),
    (94, "a memory error, contained to its program", _POWER),
    (95, "a memory error that was not contained", _POWER),
    (109, "a context switch timed out", _PROGRAM),
    (110, "a security fault", _POWER),
    (119, "the GPU's firmware (GSP) did not answer", _POWER),
    (120, "the GPU's firmware (GSP) failed", _POWER),
    (121, "the chip-to-chip link had a corrected error", _POWER),
    (122, "the firmware's flash could not be read", _POWER),
    (123, "the firmware's flash could not be written", _POWER),
    (124, "the firmware's flash could not be erased", _POWER),
    (125, "the InfoROM's file system failed", _POWER),
    (136, "the training of a link failed", _POWER),
    (137, "an NVLink access without the right to it", _PROGRAM),
    (140, "memory errors that ECC did not recover", _POWER),
    (141, "CUDA's fast path failed", _PROGRAM),
    (143, "the GPU did not initialise", _POWER),
    *((n, f"{_NVLINK} ({part})", _POWER) for n, part in enumerate(_NVLINK_PARTS, 144)),
    (151, "an encryption key could not be renewed", _POWER),
    (152, "the deep learning accelerator used memory that it does not have", _PROGRAM),
    (153, "the deep learning accelerator did not answer in time", _PROGRAM),
    (155, f"{_NVLINK} that software defines", _POWER),
    (156, "a part of the GPU was retired", _POWER),
    (157, "a part of the GPU could not be retired", _POWER),
    (158, "the GPU did not answer in time: fatal", _POWER),
    (159, "the link between CPU and GPU (CHI) had an error", _POWER),
    (160, "a channel was retired", _POWER),
    (161, "a channel could not be retired", _POWER),
    (162, "the circuit that smooths the power works again", _POWER),
    (163, "the circuit that smooths the power is off", _POWER),
    (164, "the circuit that smooths the power is nearly worn out", _POWER),
    (165, "the circuit that smooths the power is worn out", _POWER),
    (166, "encrypted NVLink traffic came before its link was ready", _POWER),
    (167, "PCIe did not answer in time: fatal", _POWER),
    (168, "the GPU has less memory: errors in its protected region", _POWER),
    (169, "the GPU's security microcontroller halted", _POWER),
    (170, "NVLink interrupted in confidential mode", _POWER),
    (171, "an uncorrectable error in DRAM, beside Xid 48", _POWER),
    (172, "an uncorrectable error in SRAM, beside Xid 48", _POWER),
)
_BESIDE = "it follows from another Xid, before or after it, or from the program's end"
_VICTIMS = (
    (43, "the program's work stopped; the GPU is well"),
    (45, "work was removed because of an earlier error or because its program ended"),
    (154, "the driver tells what is needed to recover from another error"),
)
_UNKNOWN = "not in our table, see NVIDIA's Xid catalogue"

XIDS = {
    **{str(n): NumberMeaning(f"Xid {n}", _UNKNOWN) for n in range(1, 1000)},
    **{str(n): NumberMeaning(f"Xid {n}", words, remedy=remedy) for n, words, remedy in _ROWS},
    **{str(n): NumberMeaning(f"Xid {n}", words, victim=True, why=_BESIDE) for n, words in _VICTIMS},
}
