"""Why a container whose first process is `ray start` ended: its first real cause, not its last line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sparkconsole.model.launching import Why

_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b?\[(?:\d{1,3}m)")
_MISMATCH = re.compile(
    r"Version mismatch: The cluster was started with:\s+Ray: (\S+)\s+Python: (\S+)"
    r".*?was started with:\s+Ray: (\S+)\s+Python: (\S+)",
    re.DOTALL,
)
_RAISED = re.compile(r"^(?:[\w.]+\.)?((?:\w+(?:Error|Exception|Exit)|Exception): .{1,300})", re.MULTILINE)
"""The end of a Python traceback."""
_KNOWN: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"is trying to use a port number (\d+) that is used",
        "port {0} is in use, or in the range Ray gives its workers",
        "stop what listens there, or choose another: --ray-port",
        False,
    ),
    (
        r"(?:already in use|Address already in use)[^\n]*|but is already running at (\S+)",
        "a port that Ray needs is in use",
        "another Ray may run here: ss -ltnp shows who listens",
        False,
    ),
    (
        r"Failed to connect to GCS|GCS to become available|[Tt]he node with address .* cannot connect",
        "it could not reach Ray on the head",
        "can this node reach the head's fast-link address and port? sparkconsole check",
        True,
    ),
    (r"(?:ray: (?:command )?not found|No module named '?ray)", "the image has no Ray",
     "build an image with ray[default], or launch without it: --backend none", False),
    (r"No such option:? (\S+)|unrecognized arguments: (\S+)", "this version of Ray does not know {0}",
     "see `ray start --help` in the image", False),
    (r"No space left on device", "the disk is full", "see what docker holds: docker system df", False),
    (r"Cannot include dashboard with missing packages", "the image's Ray has no dashboard",
     "build the image with ray[default]", False),
)  # fmt: skip


def why_ended(lines: Iterable[str], exit_code: int | None) -> Why:
    """The cause in the container's last lines; what the exit status says where they name none."""
    text = _COLOUR.sub("", "\n".join(lines))
    mismatch = _MISMATCH.search(text)
    if mismatch:
        return _mismatch(*mismatch.groups())
    for pattern, cause, hint, follows in _KNOWN:
        found = re.search(pattern, text)
        if found:
            return Why(cause.format(*(g for g in found.groups() if g)), hint, follows)
    raised = _RAISED.findall(text)
    if raised:
        return Why(raised[-1])
    return Why(f"the container {_ended(exit_code)}{_last(text)}")


def _mismatch(head_ray: str, head_python: str, ray: str, python: str) -> Why:
    cause = f"Ray {ray} with Python {python} cannot join Ray {head_ray} with Python {head_python} of the head"
    return Why(cause, "bring the same image to every node: sparkconsole image copy")


def _ended(code: int | None) -> str:
    meanings = {
        None: "is gone",
        0: "ended by itself",
        137: "was killed (137: out of memory, or by hand)",
        143: "was told to end (143)",
    }
    return meanings.get(code, f"ended with status {code}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""
