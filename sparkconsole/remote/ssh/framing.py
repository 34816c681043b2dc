"""What a login shell is given so that every one of them runs it, and where the command's own output begins.

bash, zsh, dash, fish and tcsh read a word in single quotes alike as long as it has no quotes, no `!`, no line
breaks, and no backslash but before a digit: everything else is written as octal numbers, which `printf` of
the sh behind them reads. Whatever startup files print comes before the mark, and is no answer.
"""

from __future__ import annotations

import asyncio
import re
import secrets as random
import shlex
from collections.abc import Mapping, Sequence

from sparkconsole.errors import Unreachable
from sparkconsole.remote.shell import exports_from_input

MOST_GREETING_BYTES = 1 << 20
"""A login shell that prints more than that before a command will never come to it."""
OUTPUT, ERRORS = "o", "e"
"""Each output has a mark of its own."""
_KEPT_GREETING = 4096
_BOOT = 'eval "$(printf %b "$1")"'
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"'\\!")


def new_mark() -> str:
    """What no machine says by itself."""
    return f"sparkconsole-{random.token_hex(8)}"


def framed_line(
    argv: Sequence[str], mark: str, secrets: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> str:
    """The one string that a login shell is given: the mark and the process number on both outputs, then argv.

    The command replaces every shell before it, so that number is its own and leads the session's group. The
    values of `secrets` are read from standard input, a line each; it and what it starts have `environment`
    beside the login's own.
    """
    known = "".join(f"export {name}={shlex.quote(value)}; " for name, value in (environment or {}).items())
    # Errors first: where a startup file made one of both outputs, the mark of standard output comes last.
    text = f'echo "{mark}{ERRORS} $$" >&2; echo "{mark}{OUTPUT} $$"; '
    script = f"{text}{known}{exports_from_input(secrets)}exec {shlex.join(argv)}"
    return f"exec /bin/sh -c '{_BOOT}' sparkconsole '{plain_word(script)}'"


def plain_word(text: str) -> str:
    """`text` for `printf %b`, in characters that every shell reads alike between single quotes."""
    encoded = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"\\0{byte:03o}" for byte in encoded)


class Frame:
    """One output of a command: what came before its mark is set aside, what follows is the command's own."""

    def __init__(self, mark: str, which: str, pid: asyncio.Future[int]) -> None:
        self._pid = pid
        """The command's process number, by whichever output says it first."""
        self._line = re.compile(rb"%s%s (\d+)\n" % (mark.encode(), which.encode()))
        self._before = b""
        self.foreign = 0
        """Bytes that were not the command's."""
        self.begun = False
        """The mark was seen."""

    def feed(self, chunk: bytes) -> bytes:
        """What of the chunk is the command's own."""
        if self.begun:
            return chunk
        seen = self._before + chunk
        found = self._line.search(seen)
        if found is None:
            self.foreign += len(chunk)
            self._before = seen[-_KEPT_GREETING:]
            return b""
        if not self._pid.done():
            self._pid.set_result(int(found[1]))
        self.begun, self._before = True, seen[: found.start()][-_KEPT_GREETING:]
        return seen[found.end() :]

    @property
    def last_words(self) -> str:
        """The last line before the mark, as text."""
        lines = self._before.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:200] if lines else ""


def never_ran(node: str, status: int | None, text: str) -> Unreachable:
    """The login shell came to an end without the command."""
    ended = "" if status is None else f" with status {status}"
    words = f": {text!r}" if text else ""
    return Unreachable(
        f"its login shell ends{ended} before any command is run{words}",
        hint="look there for `exit` or `exec` in the shell's startup files (~/.bashrc, ~/.zshenv, "
        "config.fish, ~/.cshrc) and for a ForceCommand of sshd: both must let a command through",
        node=node,
    )


def endless_greeting(node: str) -> Unreachable:
    """The login shell prints and prints."""
    return Unreachable(
        f"its login shell says too much: more than {MOST_GREETING_BYTES >> 20} MiB before any command",
        hint="look there at the shell's startup files: ~/.bashrc, ~/.zshenv, config.fish, ~/.cshrc",
        node=node,
    )
