"""What was said after `:`, kept over sessions: bounded, private, and without secrets."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.locked import locked
from sparkconsole.config.paths import state_folder, write_private
from sparkconsole.model.text.redact import command_line, learn_environment

MOST = 200


def history_file() -> Path:
    """Where it is kept."""
    return state_folder() / "history"


def remembered(lines: Sequence[str], line: str) -> list[str]:
    """The history with one more line at its end; a line is kept once."""
    return [*(s for s in lines if s != line), line][-MOST:]


def load_history() -> list[str]:
    """Lines of earlier sessions, oldest first; none where there is no file that can be read."""
    try:
        kept = bounded_bytes(history_file(), regular=True)
        return kept.decode("utf-8", "replace").splitlines()[-MOST:]
    except OSError:
        return []


def keep_in_history(line: str) -> None:
    """Keeps a line beside those of other consoles; secrets become `***`.

    A folder that cannot be written, or that another console holds, costs the history only: keys do not wait.
    """
    with contextlib.suppress(OSError), locked(history_file(), patience_s=0.1):
        lines = remembered(load_history(), _safe(line))
        write_private(history_file(), "".join(f"{line}\n" for line in lines))


def _safe(line: str) -> str:
    """The line as it may lie on a disk; one that is no words is left out whole."""
    try:
        words = shlex.split(line)
    except ValueError:
        return ""
    learn_environment(os.environ)
    return command_line(words).replace("\n", " ")
