"""Every error names its node, its cause and what to do next; faces show it, the core never prints it."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable, Sequence

UNSEEN = 5
"""The exit code where something could not be seen: how it stands, or whether it was done, is unknown."""


class SparkError(Exception):
    """Something a person can be told: `cause`, `hint` (what to do next) and the `node` it happened on."""

    exit_code = 1

    def __init__(self, cause: str, *, hint: str = "", node: str = "") -> None:
        super().__init__(cause)
        self.cause, self.hint, self.node = cause, hint, node

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        advice = f" — {self.hint}" if self.hint else ""
        return f"{where}{self.cause}{advice}"

    def as_data(self) -> dict[str, str]:
        """The error as JSON gives it."""
        return {"node": self.node, "cause": self.cause, "hint": self.hint, "kind": type(self).__name__}


class WrongUsage(SparkError):
    """The words are not in the grammar, or make no sense together. Nothing ran."""

    exit_code = 2


class WrongConfig(SparkError):
    """A file a person wrote says something that cannot be: file, line and key are in the cause."""

    exit_code = 2


class Unreachable(SparkError):
    """No connection: the node's state is unknown, which is never the same as stopped."""

    exit_code = 3


class UnusableLogin(WrongConfig, Unreachable):
    """ssh's configuration leads to no login on the node: a file is wrong, and the node's state is unknown."""

    exit_code = Unreachable.exit_code


class UnknownHostKey(Unreachable):
    """The node's host key has not been trusted yet."""

    def __init__(self, cause: str, *, fingerprint: str, hint: str = "", node: str = "") -> None:
        super().__init__(cause, hint=hint, node=node)
        self.fingerprint = fingerprint


class ChangedHostKey(Unreachable):
    """The node shows another key than the trusted one; it is never talked to."""


class Absent(SparkError):
    """What is not there, and may well not be: nobody asked for it. A fact, no failure."""


class Refused(SparkError):
    """Nothing was done: read-only, not confirmed, or a check said no."""

    exit_code = 4


_AFTERWARDS = ("error waiting for container", "docker run --help")
"""`docker run` (20.10 to 29) adds to its reason where help is to be had, at times that it stopped waiting."""


def last_reason(stderr: str) -> str:
    """The last line that a command complained with and that says why; empty when it said nothing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reasons = [line for line in lines if not any(mark in line for mark in _AFTERWARDS)]
    return (reasons or lines or [""])[-1]


def in_short(argv: Sequence[str], most: int = 120) -> str:
    """A command in a sentence, on one line, a script of ours by its name; cut between words, as half a secret
    would not be known for one."""
    text = " ".join(shlex.join(_with_name_of_script(argv)).split())
    return f"`{text if len(text) <= most else text[:most].rpartition(' ')[0] or argv[0][:20]}`"


def _with_name_of_script(argv: Sequence[str]) -> Sequence[str]:
    for i in range(len(argv) - 3):
        if tuple(argv[i : i + 2]) == ("sh", "-c") and "\n" in argv[i + 2]:
            return (*argv[:i], *argv[i + 3 :])
    return argv


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class CommandFailed(SparkError):
    """A command ended with a status other than 0; None means that its end was not seen."""

    def __init__(
        self, argv: Sequence[str], status: int | None, stderr: str = "", *, hint: str = "", node: str = ""
    ) -> None:
        self.argv, self.status, self.stderr = tuple(argv), status, stderr
        why = last_reason(stderr)
        if status is not None and status < 0:
            text = f"was killed by {_signal_name(-status)}{why and f': {why}'}"
        else:
            ended = f"status {status}" if status is not None else "an unknown end (the connection was lost)"
            text = f"ended with {ended}: {why or 'it said nothing'}"
        super().__init__(f"{in_short(argv)} {text}", hint=hint, node=node)


class TimedOut(SparkError):
    """A command or a condition took longer than it was allowed to."""


class SilentEngine(TimedOut):
    """The node answers and its Docker engine does not: what is in there is unknown."""

    def __init__(self, node: str, seconds: float) -> None:
        hint = "is the machine out of memory? look there: systemctl status docker"
        super().__init__(f"docker gave no answer for {seconds:g} s", hint=hint, node=node)
        self.seconds = seconds

    @property
    def in_a_row(self) -> str:
        """As it stands in the node's row of a table."""
        return f"engine: no answer for {self.seconds:g} s"


class OddEngine(SparkError):
    """Something answers as no Docker engine does: what is in there is unknown."""


def exit_code_of_look(errors: Iterable[SparkError]) -> int:
    """Of a look at several nodes, by those that did not answer it.

    A node that is not reached counts most, then one that was, and did not say what it was asked.
    """
    codes = {UNSEEN if isinstance(error, TimedOut | OddEngine) else error.exit_code for error in errors}
    return next((code for code in (Unreachable.exit_code, UNSEEN) if code in codes), max(codes, default=0))


class TooMuch(SparkError):
    """A machine said more than an answer may have; the command was ended."""


class Stopped(SparkError):
    """A person ended it on purpose, with another word: no fault."""

    exit_code = 130


class Cancelled(SparkError):
    """A person stopped it."""

    exit_code = 130
