"""Keys are handled one after another, each on the screen and with the focus that the one before it left.

Textual gives a key to whatever has the focus when it arrives. Of keys that arrive together (a macro, a paste
without brackets, a lagging link) the ones behind a `:` or a digit would reach the view that was there before.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.message_pump import MessagePump
from textual.screen import Screen

from sparkconsole.tui.dialogs.dialog import Dialog
from sparkconsole.tui.view import View

if TYPE_CHECKING:
    from sparkconsole.tui.overlays import Above

Typed: TypeAlias = Key | Paste

ROUNDS = 3
"""A key is handled, what that posts (a pressed button, a submitted line) too, and what follows of it."""
BURST_S = 0.01
"""Keys that are no further apart came together."""
OPTION_DIGITS = "¡™£¢∞§¶•"
"""What Textual makes of `esc 1` to `esc 8`: a Mac's option key."""
AGREEING = ("ctrl+j", "enter")
ONCE_S = 0.5
"""The same key again within this time is the same stroke: nobody read in between."""
GLUED = re.compile(r"[1-8]?:")
ESC = "\x1b"
ESC_AMONG_OTHERS = "escape_among_others"
"""Another name than `escape`, for which Textual would put a `^`."""
LOOK_S = 0.05
"""So often it is looked whether the one that is waited for is still there."""


class Keystrokes:
    """`take` in order; `give` hands one to the app once all before it have had their effect."""

    def __init__(self, app: Above, give: Callable[[Typed], Awaitable[None]]) -> None:
        self._app, self._give = app, give
        self._waiting: deque[Typed] = deque()
        self._under_way: asyncio.Task[None] | None = None
        self._open = False
        self._agreed: tuple[str, float, Screen[object]] | None = None
        """The last key, when it was one that agrees, its time, and the screen that took it."""

    def open(self) -> None:
        """The first screen is there; what was typed until now goes to it."""
        self._open = True
        self._go_on()

    def take(self, typed: Typed) -> None:
        """Behind everything that was typed before."""
        self._waiting.extend(_apart(typed))
        self._go_on()

    def _go_on(self) -> None:
        if self._open and self._waiting and self._under_way is None:
            self._under_way = asyncio.create_task(self._run(), name="keystrokes")

    async def _run(self) -> None:
        try:
            while self._waiting and self._app.is_running:
                typed = self._waiting.popleft()
                await self._one(await self._meant(typed))
        finally:
            self._under_way = None

    async def _meant(self, typed: Typed) -> Typed:
        """Textual gives an esc that many keys follow at once as `^`; before a `:` it ended a line."""
        if not isinstance(typed, Key) or typed.character != "^" or self._app.line is None:
            return typed
        await asyncio.sleep(BURST_S)
        behind = "".join(t.character or "" for t in islice(self._waiting, 2) if isinstance(t, Key))
        return Key("escape", "\x1b") if GLUED.match(behind) else typed

    def _repeated(self, typed: Typed, screen: Screen[object]) -> bool:
        """A key that agrees, pressed twice or held down, is none for the screen that the first one opened."""
        if not isinstance(typed, Key) or typed.key not in AGREEING:
            self._agreed = None
            return False
        before, self._agreed = self._agreed, (typed.key, typed.time, screen)
        if before is None or before[0] != typed.key or typed.time > before[1] + ONCE_S:
            return False
        self._agreed = typed.key, typed.time, before[2]
        return screen is not before[2]

    async def _one(self, typed: Typed) -> None:
        screen = self._app.screen
        if self._repeated(typed, screen):
            return
        if isinstance(screen, Dialog) and not screen.takes(typed):
            return
        target = self._app.focused or screen
        await self._called_back(self._app, partial(self._app.call_later, self._given, typed))
        if not (isinstance(typed, Key) and target.check_consume_key(typed.key, typed.character)):
            await self._settled(target, screen)

    async def _given(self, typed: Typed, done: Callable[[], None]) -> None:
        await self._give(typed)
        done()

    async def _settled(self, target: DOMNode, before: Screen[object]) -> None:
        """What it set off has happened: all handlers ran, a new screen stands, the focus is where it goes."""
        await self._handled(target)
        while self._app.is_running and ((now := self._app.screen) is not before or not _stands(now)):
            await self._called_back(now, now.call_after_refresh)
            await self._handled(now)
            before = now

    async def _handled(self, target: DOMNode) -> None:
        """Messages go up the tree, each node with a queue of its own: everything in them is over."""
        for _ in range(ROUNDS):
            screen = self._app.screen
            way = (*target.ancestors_with_self, *(self._app.focused or screen).ancestors_with_self)
            for node in dict.fromkeys((*way, self._app)):
                await self._called_back(node, node.call_later)

    async def _called_back(self, node: MessagePump, schedule: Callable[[Callable[[], None]], bool]) -> None:
        """Until the node called back; one that closes meanwhile is waited for no longer."""
        called = asyncio.Event()
        there = schedule(called.set)
        while there and not called.is_set() and self._there(node):
            with suppress(TimeoutError):
                await asyncio.wait_for(called.wait(), LOOK_S)

    def _there(self, node: MessagePump) -> bool:
        return self._app.is_running and (node.is_attached or node is self._app)


@cache
def keep_every_escape() -> None:
    """From now on no esc is lost in front of a key that a terminal sent in the same breath.

    Of `esc enter` or `esc ^j` Textual (8.x) makes enter or `^j` alone, and a question that was refused would
    be agreed to. Of `esc x esc` it makes `^ x esc`. There is no public place to hear of it: a Textual without
    that private one reads keys as it likes, and the console opens all the same.
    """
    with suppress(ImportError, AttributeError):
        from textual._xterm_parser import XTermParser

        read = XTermParser._sequence_to_key_events

        def each_escape(parser: XTermParser, sequence: str, alt: bool = False) -> Iterable[Key]:
            if alt:
                yield Key("escape", ESC)
            yield from (Key(ESC_AMONG_OTHERS, ESC),) if sequence == ESC else read(parser, sequence)

        XTermParser._sequence_to_key_events = each_escape  # type: ignore[method-assign, assignment]


def _apart(typed: Typed) -> tuple[Typed, ...]:
    """A terminal writes alt+x as `esc x`: no key of ours has alt, so that it was esc and then x."""
    if not isinstance(typed, Key) or not typed.character:
        return (typed,)
    if typed.key == ESC_AMONG_OTHERS:
        return (Key("escape", ESC),)
    if typed.character in OPTION_DIGITS:
        digit = str(OPTION_DIGITS.index(typed.character) + 1)
        return Key("escape", "\x1b"), Key(digit, digit)
    if typed.key.startswith("alt+") and typed.is_printable:
        return Key("escape", "\x1b"), Key(typed.key.removeprefix("alt+"), typed.character)
    return (typed,)


def _stands(screen: Screen[object]) -> bool:
    """It is mounted, and a view can be drawn."""
    return screen.is_mounted and (not isinstance(screen, View) or screen.ready)
