"""Errors that NVIDIA's driver numbers: the Xid catalogue of docs.nvidia.com/deploy/xid-errors."""

from __future__ import annotations

from sparkconsole.parse.known.known import Meaning

_PROGRAM = "start the server again; another attention backend or --enforce-eager; a newer image"
_POWER = "switch the machine off and on; update driver and firmware when it comes back"
_ROWS = (
    (13, "a kernel of the program failed (graphics engine exception)", False, _PROGRAM),
    (31, "a program used memory that it does not have (MMU fault)", False, _PROGRAM),
    (32, "invalid commands came from the program or over the bus", False, _PROGRAM),
    (38, "the driver's firmware failed", False, _POWER),
    (43, "the program's work stopped; the GPU is well", True, ""),
    (45, "work was removed because of an earlier error or because its program ended", True, ""),
    (48, "an uncorrectable memory error", False, _POWER),
    (61, "the GPU's microcontroller stopped", False, _POWER),
    (62, "the GPU's microcontroller halted", False, _POWER),
    (63, "a memory row was remapped", False, _POWER),
    (64, "a memory row could not be remapped", False, _POWER),
    (68, "the video processor failed", False, _PROGRAM),
    (69, "a kernel of the program failed (graphics class error)", False, _PROGRAM),
    (79, "the GPU fell off the bus", False, _POWER),
    (92, "many single-bit memory errors", False, _POWER),
    (94, "a memory error, contained to its program", False, _POWER),
    (95, "a memory error that was not contained", False, _POWER),
    (109, "a context switch timed out", False, _POWER),
    (119, "the GPU's firmware (GSP) did not answer", False, _POWER),
    (120, "the GPU's firmware (GSP) failed", False, _POWER),
    (121, "the chip-to-chip link had a corrected error", False, _POWER),
    (140, "memory errors that ECC did not recover", False, _POWER),
    (143, "the GPU did not initialise", False, _POWER),
    (145, "an NVLink error", False, _POWER),
    (149, "an NVLink error", False, _POWER),
    (154, "the driver changed what is needed to recover", True, _POWER),
)

XIDS = {
    str(number): Meaning(f"Xid {number}", words, victim, remedy) for number, words, victim, remedy in _ROWS
}
