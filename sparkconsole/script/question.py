"""A question on the terminal, which Ctrl-C ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import threading


async def answer_to(question: str, *, anew: bool = False) -> str:
    """The line that a person types; empty at the end of input, or for what is no text.

    The thread that waits for it never keeps the program alive: Ctrl-C ends the question. `anew`: another
    question than the one before; what was typed behind that answer is no answer to this one.
    """
    if anew:
        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def deliver(line: str) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        try:
            line = input(question)
        except (EOFError, OSError, ValueError):
            line = ""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, line)

    threading.Thread(target=read, daemon=True).start()
    return (await answer).strip()
