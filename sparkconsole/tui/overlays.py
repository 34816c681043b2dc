"""What stands above the view: the line, answers, work, questions; nothing opens over a line being typed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.notifications import SeverityLevel
from textual.screen import Screen

from sparkconsole.clock import Clock
from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Event, Store
from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.dialogs.dialog import Dialog, Planning
from sparkconsole.tui.draw.frame import where_and_why
from sparkconsole.tui.line.prompt import Prompt, PromptAbove
from sparkconsole.tui.view import View
from sparkconsole.verbs.grammar.execute import FRESH_S
from sparkconsole.verbs.grammar.session import Options, Session

if TYPE_CHECKING:
    from sparkconsole.tui.task import Task


class PendingRequest:
    """Words that are being said, and what stands on the screen while the nodes are looked at for them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.give_up: Callable[[], None] = lambda: None
        """Ends it."""
        self._shown: list[Planning] = []

    def planning(self) -> Planning:
        """A dialog that stands until the next question does, or until `over`."""
        self._shown.append(Planning(self.words, self.give_up))
        return self._shown[-1]

    def over(self) -> None:
        """Nothing is planned any more."""
        for planning in self._shown:
            planning.over()


SAYING: ContextVar[PendingRequest | None] = ContextVar("SAYING", default=None)
"""Of the task that says them."""


class Above(App[SparkError | None]):
    """The console's part that work and views show things with."""

    options: Options
    store: Store
    clock: Clock
    session: Session | None
    models: tuple[str, ...] = ()
    """Those that were seen in the nodes' caches."""
    _later: deque[Callable[[], None]]
    """What opens when the line that is typed now is closed."""

    @property
    def view(self) -> View:
        """The view under whatever dialog is open."""
        return next(s for s in reversed(self.screen_stack) if isinstance(s, View))

    # --- the line

    @property
    def line(self) -> Prompt | None:
        """The command or filter line that is being typed."""
        screen = self.screen
        here = screen.query(Prompt) if isinstance(screen, (View, PromptAbove)) else ()
        return next((line for line in here if line.is_open), None)

    def open_line(self, *, filtering: bool, text: str = "") -> None:
        """In the view; above a question, which stays."""
        if isinstance(self.screen, View):
            self.screen.query_one(Prompt).open(filtering=filtering, text=text)
        elif not isinstance(self.screen, PromptAbove):
            self.push_screen(PromptAbove(filtering=filtering))

    def apply_filter(self, text: str) -> None:
        """A question below the line is searched, and the view below the question stays as it is."""
        below = self._below_the_line
        if isinstance(below, Dialog):
            below.find(text)
        else:
            self.view.apply_filter(text)

    @property
    def filters(self) -> bool:
        """What the line stands above has something to filter or to search."""
        below = self._below_the_line
        if isinstance(below, Dialog):
            return type(below).find is not Dialog.find
        return type(self.view).apply_filter is not View.apply_filter

    @property
    def _below_the_line(self) -> Screen[Any]:
        return self.screen_stack[-2] if isinstance(self.screen, PromptAbove) else self.screen

    def line_closed(self) -> None:
        """What waited for it opens now."""
        if isinstance(self.screen, PromptAbove):
            self.screen.dismiss(None)
        while self._later:
            self._later.popleft()()

    # --- dialogs

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """A toast over a view; a dialog or a line has a place of its own for it, and is never covered."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)
        screen = self.screen if self.screen_stack else None
        if isinstance(screen, Dialog):
            screen.note(message, self.NOTIFICATION_TIMEOUT if timeout is None else timeout)
        elif isinstance(screen, PromptAbove) and self.line is not None:
            self.line.note(message)

    def _say_asking(self, words: Sequence[str]) -> None:
        """A look that takes its time is seen to be under way; a closing console has no screen."""
        if self.screen_stack and not isinstance(self.screen, Dialog):
            self.notify(presentable(f"{' '.join(words)}: asking the nodes …"), timeout=2, markup=False)

    def _open(self, dialog: Screen[Any], answered: Callable[[Any], None] | None = None) -> None:
        """Above everything, but never under the fingers of a person who types a line."""
        if self.line is not None:
            self._later.append(partial(self._open, dialog, answered))
            return
        if isinstance(self.screen, Planning):
            self.screen.over()
        if isinstance(self.screen, Dialog) and self.screen.LOOKS:
            self.screen.dismiss(None)
        self.push_screen(dialog, answered)

    def confirm(
        self, words: Sequence[str], plan: Plan, before: Plan | None = None, *, dry_run: bool = False
    ) -> asyncio.Future[bool]:
        """Shows the plan and asks. `before`: the plan that was agreed to and is another one now."""
        from sparkconsole.tui.dialogs.confirm import Confirm

        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        shown_s, saying = self.clock.monotonic(), SAYING.get()

        def answered(agreed: bool | None) -> None:
            if agreed and saying is not None and self.clock.monotonic() - shown_s > FRESH_S:
                self._open(saying.planning())  # the nodes are looked at again: no key is the view's meanwhile
            if not answer.done():
                answer.set_result(bool(agreed))

        self._open(Confirm(words, plan, before, dry_run=dry_run or self.options.dry_run), answered)
        return answer

    def show_answer(self, words: Sequence[str], answer: Answer) -> None:
        """In a sheet above the view."""
        from sparkconsole.tui.dialogs.answer import AnswerSheet

        self._open(AnswerSheet(" ".join(words), answer))

    def show_task(self, task: Task) -> None:
        """Its steps and output, above the view."""
        from sparkconsole.tui.dialogs.task import TaskScreen

        self._open(TaskScreen(task))

    def show_error(self, error: SparkError) -> None:
        """What went wrong and what to do next, for a while on the screen and for good under the events."""
        sentence = f"{error.cause} {error.hint}".strip()
        self.store.tell(Event(self.clock.now(), "error", error.node or "console", sentence))
        text = presentable(where_and_why(error) + (f"\n→ {error.hint}" if error.hint else ""))
        self.notify(text, severity="error", timeout=12, markup=False)
