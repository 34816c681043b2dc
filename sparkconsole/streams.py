"""The three standard streams as a user hands them over: closed, full, broken, or without our signs."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, TextIO, cast

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.model.text.printable import plain_sign

_HANDLER = "sparkconsole-signs"
_ONE_CELL = "sparkconsole-cells"


class Undelivered(SparkError):
    """What was to be printed could not be: what had run has run."""


_LENGTH = re.compile(r"0{0,9}[1-9][0-9]{0,3}")
_TAKEN = (
    ("COLUMNS", "80", _LENGTH), ("LINES", "24", _LENGTH),
    ("TEXTUAL_COLOR_SYSTEM", "auto", re.compile("auto|standard|256|truecolor|windows")),
)  # fmt: skip
"""Variables with what Rich and Textual take; over anything else they fall, or print nothing (`COLUMNS=0`)."""


def prepare() -> None:
    """From now on no text of ours fails to encode, and what we open never becomes a standard stream."""
    _open_closed()
    for name, usual, taken in _TAKEN:
        if not taken.fullmatch(os.environ.get(name, usual)):
            del os.environ[name]
    for name, narrow in ((_HANDLER, False), (_ONE_CELL, True)):
        codecs.register_error(name, partial(_instead, narrow=narrow))
    for stream in (sys.stdout, sys.stderr):
        reconfigure(stream, _HANDLER)


def prepare_screen() -> None:
    """For a full screen: every sign stays as wide as it is, and the terminal says how large it is.

    A shell or a script that exports COLUMNS once would be believed for ever, whatever the terminal becomes.
    """
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        reconfigure(stream, _ONE_CELL)


def reconfigure(stream: Any, errors: str) -> None:
    """Where the stream is one that can be."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=errors)


def _instead(error: UnicodeError, *, narrow: bool) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(plain_sign(sign, narrow=narrow) for sign in signs), error.end


def _open_closed() -> None:
    """A stream that was closed (`>&-`) is one that nobody wants: /dev/null takes its number.

    Otherwise the next file or socket would get it, and be printed into.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            _null_as(number)
        if getattr(sys, name) is None:
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _null_as(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, number, inheritable=True)
    if null != number:
        os.close(null)


@contextlib.contextmanager
def delivering() -> Iterator[None]:
    """What is printed inside goes to standard output; Undelivered when that cannot take it.

    A reader that went away (`| head`) stays a BrokenPipeError: that is no error of anybody.
    """
    try:
        yield
        sys.stdout.flush()
    except SystemExit as error:  # rich ends the program when a pipe breaks
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        _null_as(1)
        raise Undelivered(
            f"standard output cannot be written: {error.strerror}", hint="make room, or print it elsewhere"
        ) from error


class _Forgiving:
    """Standard error: losing it never stops what is under way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def errors_stream() -> IO[str]:
    """Standard error as it is now, whose reader may go away."""
    return cast("IO[str]", _Forgiving(sys.stderr))


def close_output(code: int) -> int:
    """Hands out what is still buffered; the exit code, 1 where the end of an answer was lost."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _null_as(1)
    except (OSError, ValueError) as error:
        _null_as(1)
        errors_stream().write(f"standard output cannot be written: {getattr(error, 'strerror', error)}\n")
        code = code or 1
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _null_as(2)
    return code


def text_of(word: str) -> str:
    """A word of the command line as text; WrongUsage for bytes that are none.

    In a locale of ASCII alone Python hands UTF-8 over in pieces: they are put together again.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(word).decode()
        except UnicodeError:
            shown = "".join(c if ord(c) < 0x80 else plain_sign(c) for c in word)
            raise WrongUsage(f"the word {shown[:200]} is not UTF-8 text", hint="write it in UTF-8") from None
    return word
