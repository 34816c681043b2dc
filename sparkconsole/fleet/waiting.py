"""Nobody waits in silence: what is waited for is said, and again every quarter of a minute."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from sparkconsole.model.text.units import minutes_or_seconds
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.model.work.plan import Step

AGAIN_S = 15.0
"""Between two times that the same is said."""
ANSWER_S = 8.0
"""So long may a node take for an answer before anything is said of it."""
Tell = Callable[[str, str], None]
"""Says a sentence of a node."""
Sentences = Callable[[float], Iterator[tuple[str, str]]]
"""What there is to say, by the seconds of the wait: node and sentence."""

_tell: ContextVar[Tell | None] = ContextVar("tell", default=None)


@contextmanager
def waits_reported_to(tell: Tell) -> Iterator[None]:
    """What is waited for inside, also in tasks that begin there, is said to `tell`.

    What two questions wait for at once is said once.
    """
    last_s: dict[tuple[str, str], float] = {}

    def once(node: str, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - last_s.get((node, text), -AGAIN_S) >= AGAIN_S / 2:
            last_s[node, text] = now_s
            tell(node, text)

    before = _tell.set(once)
    try:
        yield
    finally:
        _tell.reset(before)


class Wait:
    """A wait under way; `heard` begins it anew."""

    def __init__(self) -> None:
        self.heard()

    def heard(self) -> None:
        """What is waited for gave a sign."""
        self._since = asyncio.get_running_loop().time()

    @property
    def seconds(self) -> float:
        """Since it gave the last sign."""
        return asyncio.get_running_loop().time() - self._since

    async def remind(self, sentences: Sentences, first_s: float, tell: Tell | None) -> None:
        """Says them, by the seconds of the wait, for as long as nobody ends it."""
        tell, due = tell or _tell.get(), first_s
        while tell is not None:
            await asyncio.sleep(max(due - self.seconds, 0.0))
            if self.seconds < due - AGAIN_S:
                due = first_s
            if self.seconds >= due:
                for node, text in sentences(self.seconds):
                    tell(node, text)
                due = self.seconds + AGAIN_S


@asynccontextmanager
async def waiting(
    sentences: Sentences, first_s: float = ANSWER_S, tell: Tell | None = None
) -> AsyncIterator[Wait]:
    """Says (node, sentence) of what is waited for inside: after `first_s` seconds, and every AGAIN_S then.

    To `tell`, or to whom waits are reported to.
    """
    wait = Wait()
    reminding = asyncio.create_task(wait.remind(sentences, first_s, tell))
    try:
        yield wait
    finally:
        reminding.cancel()


def under_way(step: Step, report: Report) -> AbstractAsyncContextManager[Wait]:
    """Says of a step that takes long that it is under way."""

    def still(seconds: float) -> Iterator[tuple[str, str]]:
        yield step.node, f"{step.sentence}: under way for {minutes_or_seconds(seconds)}"

    return waiting(still, AGAIN_S, lambda node, text: report(Remark(text, node)))


def until(seconds: float) -> str:
    """`15:04:12`, when that many seconds have passed on this computer's clock."""
    return f"{datetime.now() + timedelta(seconds=seconds):%H:%M:%S}"
