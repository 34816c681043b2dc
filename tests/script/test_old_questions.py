"""A question that stood in a real terminal for minutes: its plan is made anew, and asked where it differs.

The terminal is a pseudo-terminal and the person types into it; the cluster and its clock are pretend.
"""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo.faults import inject
from sparkconsole.errors import Refused, SparkError
from sparkconsole.script.report import Printer
from sparkconsole.script.run import TerminalPresenter
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import execute
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.session import Session
from tests.still_clock import StillClock

QUESTION = "Type y to continue: "


class Terminal:
    """What the person types, and all that was written to them."""

    def __init__(self, keyboard: int, program: int) -> None:
        self._keyboard, self.text = keyboard, ""
        self._reading = os.fdopen(os.dup(program), "r", encoding="utf-8")
        self._writing = os.fdopen(program, "w", encoding="utf-8", buffering=1)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The program's streams are this terminal: pytest gives each phase of a test others."""
        before = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = self._reading, self._writing, self._writing
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before

    def close(self) -> None:
        os.close(self._keyboard)
        self._reading.close()
        self._writing.close()

    def read(self) -> None:
        with suppress(BlockingIOError, OSError):
            while data := os.read(self._keyboard, 65536):
                self.text += data.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def asked(self) -> int:
        """How many questions stood there so far."""
        self.read()
        return self.text.count(QUESTION)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    keyboard, program = pty.openpty()
    os.set_blocking(keyboard, False)
    made = Terminal(keyboard, program)
    yield made
    made.close()


@asynccontextmanager
async def asking(
    terminal: Terminal, line: str, clock: StillClock, *untrusted: str
) -> AsyncIterator[tuple[Session, asyncio.Task[int]]]:
    """The line is being carried out on two pretend machines, of which some show a key that nobody trusts."""
    with terminal.attached():
        async with open_session(Options(demo=2), time=clock) as session:
            for name in untrusted:
                show_key(session, name, "SHA256:first")
            carried = execute(session, understand(line.split()), TerminalPresenter(Printer()), yes=None)
            going = asyncio.create_task(carried)
            yield session, going
            going.cancel()
            with suppress(asyncio.CancelledError, SparkError):
                await going


async def until_asked(terminal: Terminal, count: int, going: asyncio.Task[int], clock: StillClock) -> None:
    """So many questions stand there; only now and then the clock goes on, as far as planning needs."""
    for _ in range(2000):
        if terminal.asked() >= count:
            return
        assert not going.done(), going.exception() or terminal.text
        await clock.advance(0.2)
        await asyncio.sleep(0.002)
    raise AssertionError(terminal.text)


def show_key(session: Session, name: str, fingerprint: str) -> None:
    """That machine shows a host key that nobody trusts yet."""
    assert session.pretend is not None
    inject(session.pretend.machines[name], "key")
    session.pretend.keys[name] = fingerprint


def untrusted(session: Session, name: str) -> bool:
    assert session.pretend is not None
    return bool(session.pretend.unknown_key(name))


async def ended(going: asyncio.Task[int], clock: StillClock) -> int:
    for _ in range(2000):
        if going.done():
            return going.result()
        await clock.advance(0.2)
        await asyncio.sleep(0.002)
    raise AssertionError("it never ended")


async def test_a_key_that_was_looked_at_for_minutes_is_trusted_when_it_is_still_shown(
    terminal: Terminal,
) -> None:
    clock = StillClock()
    async with asking(terminal, "node trust", clock, "spark-02") as (session, going):
        await until_asked(terminal, 1, going, clock)
        await clock.advance(28 * 60)
        terminal.type("y\n")
        assert await ended(going, clock) == 0
        assert terminal.asked() == 1, "nobody is asked twice for the same"
        assert not untrusted(session, "spark-02")


async def test_another_key_by_then_is_asked_for_and_neither_is_trusted_by_what_was_typed_before(
    terminal: Terminal,
) -> None:
    clock = StillClock()
    async with asking(terminal, "node trust", clock, "spark-02") as (session, going):
        await until_asked(terminal, 1, going, clock)
        await clock.advance(28 * 60)
        show_key(session, "spark-02", "SHA256:second")
        terminal.type("y\ny\ny\n")
        await until_asked(terminal, 2, going, clock)
        assert "What differs" in terminal.text
        assert "SHA256:second" in terminal.text.partition("What differs")[2]
        assert untrusted(session, "spark-02")
        assert not going.done(), "the other y was typed before this question stood there"
        terminal.type("n\n")
        with pytest.raises(Refused, match="nothing was done"):
            await ended(going, clock)
        assert untrusted(session, "spark-02")


async def test_a_key_that_changes_within_the_minute_is_not_trusted_either(terminal: Terminal) -> None:
    clock = StillClock()
    async with asking(terminal, "node trust", clock, "spark-02") as (session, going):
        await until_asked(terminal, 1, going, clock)
        show_key(session, "spark-02", "SHA256:second")
        terminal.type("y\n")
        with pytest.raises(SparkError, match="another host key than the one that was agreed to"):
            await ended(going, clock)
        assert untrusted(session, "spark-02")


async def test_when_one_more_machine_waits_by_then_the_new_plan_is_what_runs(terminal: Terminal) -> None:
    clock = StillClock()
    async with asking(terminal, "node trust", clock, "spark-02") as (session, going):
        await until_asked(terminal, 1, going, clock)
        await clock.advance(61)
        show_key(session, "spark-01", "SHA256:first")
        terminal.type("y\n")
        await until_asked(terminal, 2, going, clock)
        terminal.type("y\n")
        assert await ended(going, clock) == 0
        assert not untrusted(session, "spark-01")
        assert not untrusted(session, "spark-02")


async def test_when_nothing_is_left_to_do_that_is_said(terminal: Terminal) -> None:
    clock = StillClock()
    async with asking(terminal, "node trust", clock, "spark-02") as (session, going):
        await until_asked(terminal, 1, going, clock)
        await clock.advance(61)
        assert session.pretend is not None
        session.pretend.trust("spark-02", "SHA256:first")
        terminal.type("y\n")
        with pytest.raises(Refused, match="nothing is left to do"):
            await ended(going, clock)
