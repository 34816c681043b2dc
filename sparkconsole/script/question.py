"""A question on the terminal, which Ctrl-C ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading


async def answer_to(question: str) -> str:
    """The line that a person types; empty at the end of input, or for what is no text.

    The thread that waits for it never keeps the program alive: Ctrl-C ends the question.
    """
    loop = asyncio.get_running_loop()
    said: asyncio.Future[str] = loop.create_future()

    def tell(line: str) -> None:
        if not said.done():
            said.set_result(line)

    def read() -> None:
        try:
            line = input(question)
        except (EOFError, OSError, ValueError):
            line = ""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, line)

    threading.Thread(target=read, daemon=True).start()
    return (await said).strip()
