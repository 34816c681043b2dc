"""What nobody expected becomes one sentence; its traceback lies in a file, never on a screen."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from sparkconsole.errors import Cancelled, SparkError

SHOWN = "SPARKCONSOLE_TRACEBACK"
"""Set to 1 in the environment: tracebacks are printed too."""
MOST_KEPT = 20
_ENVIRONMENT = {
    errno.ENOSPC: "free some space", errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit: ulimit -f",
    errno.EROFS: "name a place that can be written", errno.EACCES: "let your login read and write it",
    errno.EPERM: "let your login read and write it", errno.ENOENT: "make it, or name another",
    errno.ENOTDIR: "a file is where a folder should be: move it away",
    errno.EISDIR: "a folder is where a file should be: move it away", errno.ELOOP: "its links go in a circle",
    errno.EMFILE: "raise the limit: ulimit -n", errno.ENFILE: "the system has too many open files",
    errno.ENOMEM: "free some memory", errno.EAGAIN: "the system has no room for one more process: ulimit -u",
    errno.EIO: "look at the disk: dmesg", errno.ENAMETOOLONG: "name a shorter path",
    errno.ESTALE: "mount that folder again", errno.EADDRINUSE: "another program has it: name another port",
    errno.EADDRNOTAVAIL: "name an address of this machine",
}  # fmt: skip
"""What the machine around us can lack, and what to do then."""
background: list[str] = []
"""What failed where nobody waited for it, to be told at the end."""
_numbers = itertools.count()


class Defect(SparkError):
    """Our own mistake."""


def as_error(error: BaseException) -> SparkError:
    """The error as a person is told; the traceback of what is our mistake is kept."""
    if isinstance(error, SparkError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    return _of_environment(error) or _defect(error)


def _of_environment(error: BaseException) -> SparkError | None:
    """What is nobody's mistake in the program; None for what is."""
    if type(error).__name__ == "CancelledError":
        return Cancelled("cancelled")
    if isinstance(error, OSError) and (error.errno in _ENVIRONMENT or _of_no_file(error)):
        return of_file(error)
    if isinstance(error, MemoryError):
        return SparkError("the memory of this machine is used up", hint="end something here, then try again")
    if isinstance(error, ImportError) and not (error.name or "sparkconsole").startswith("sparkconsole"):
        hint = "install sparkconsole again, in an environment of its own"
        return SparkError(f"the installation is not complete: {error}", hint=hint)
    return None


def _of_no_file(error: OSError) -> bool:
    """A device, a folder or a pipe was named where a file has to be."""
    return error.errno in (errno.EINVAL, errno.ETIMEDOUT) and error.filename is not None


def of_file(error: OSError) -> SparkError:
    """A fault of a file of ours or of this machine: which, why, and what to do."""
    where = f"{error.filename}: " if error.filename is not None else ""
    hint = _ENVIRONMENT.get(error.errno or 0, "name a plain file" if _of_no_file(error) else "")
    return SparkError(f"{where}{error.strerror or error}", hint=hint)


def _of_group(error: BaseExceptionGroup[BaseException]) -> SparkError:
    leaves = list(_leaves(error))
    fault = next((e for e in leaves if isinstance(e, SparkError)), None)
    return fault or as_error(leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _defect(error: BaseException) -> Defect:
    return defect(f"{type(error).__name__}: {error}".strip().rstrip(":"), _formatted(error))


def defect(what: str, text: str) -> Defect:
    """Our own mistake as an error; its traceback is kept, and printed where the environment asks for it."""
    path = keep(text)
    if os.environ.get(SHOWN) == "1":
        with contextlib.suppress(OSError, AttributeError):
            sys.stderr.write(_redacted(text))
    shown = " ".join(_redacted(what).split())[:300]
    hint = f"please report it; its traceback is in {path}" if path else f"{SHOWN}=1 shows its traceback"
    return Defect(f"a defect of sparkconsole: {shown}", hint=hint)


def keep(text: str) -> Path | None:
    """Writes a traceback down, for its owner only; None where it cannot be."""
    from sparkconsole.config.paths import state_folder, write_private
    from sparkconsole.model.text.redact import command_line

    folder = state_folder() / "defects"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_numbers)}.txt"
    try:
        write_private(
            path, _redacted(f"sparkconsole {command_line(sys.argv[1:])}\nPython {sys.version}\n\n{text}")
        )
        for old in sorted(folder.glob("*.txt"))[:-MOST_KEPT]:  # it has just answered
            old.unlink(missing_ok=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return path


def _redacted(text: str) -> str:
    from sparkconsole.model.text.redact import learn_environment, redact

    learn_environment(os.environ)
    return redact(text.encode("utf-8", "backslashreplace").decode())


def _aside(error: BaseException, message: str = "") -> None:
    """A failure beside what was asked for: kept, and told at the end."""
    if sys.is_finalizing():
        return
    what, path = f"{type(error).__name__}: {error}", keep(message + _formatted(error))
    background.append(f"{' '.join(_redacted(what).split())[:200]}" + (f" ({path})" if path else ""))


class _QuietLog(logging.Handler):
    """What libraries would print at any moment, into whatever is on the screen."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            _aside(record.exc_info[1], f"{record.getMessage()}\n")


def install_hooks() -> None:
    """No library, thread, task or destructor prints a traceback any more."""
    logging.getLogger().addHandler(_QuietLog(logging.ERROR))

    def unraisable(hooked: Any) -> None:
        if hooked.exc_value is not None and not isinstance(hooked.exc_value, KeyboardInterrupt | OSError):
            _aside(hooked.exc_value)

    def in_thread(hooked: Any) -> None:
        if isinstance(hooked.exc_value, OSError) and hooked.exc_value.errno == errno.EIO and _terminal_gone():
            return  # a window was closed under the console: its writer has nowhere to write, and nobody erred
        if hooked.exc_value is not None and not isinstance(hooked.exc_value, SystemExit | BrokenPipeError):
            _aside(hooked.exc_value)

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, KeyboardInterrupt):
            with contextlib.suppress(OSError, AttributeError):
                sys.stderr.write(_redacted(f"{as_error(error)}\n"))

    sys.unraisablehook, threading.excepthook, sys.excepthook = unraisable, in_thread, uncaught


def _terminal_gone() -> bool:
    """A terminal that hung up is none any more."""
    return not any(os.isatty(number) for number in range(3))


def _formatted(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
