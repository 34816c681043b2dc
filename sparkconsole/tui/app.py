"""The console: opens the session, watches the cluster, draws it twice a second, says what the person says."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.binding import Binding
from textual.command import Provider
from textual.events import Event as Happening
from textual.events import InputEvent, Paste
from textual.events import Key as KeyPress

from sparkconsole.clock import Clock, RealClock, cancelled
from sparkconsole.config.globals import Origin
from sparkconsole.config.settings import Settings
from sparkconsole.demo.clock import PERSON_SPEED, DemoClock
from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Event, Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.text.alike import did_you_mean, suggestion
from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.answer import Answer
from sparkconsole.tui.keyboard.keys import GLOBAL, VIEWS, Key, keymap_of, written
from sparkconsole.tui.keystrokes import Keystrokes, keep_every_escape
from sparkconsole.tui.line.history import keep_in_history, load_history, remembered
from sparkconsole.tui.others import keep_looking
from sparkconsole.tui.overlays import SAYING, Above, PendingRequest
from sparkconsole.tui.process import leave_on_signals, open_shell, tasks_wait_their_turn, tell_terminal
from sparkconsole.tui.theme import load_themes, variable_defaults
from sparkconsole.tui.view import View
from sparkconsole.tui.views import contexts, make
from sparkconsole.verbs.grammar.session import Options, Session

if TYPE_CHECKING:
    from sparkconsole.fleet.watch.watch import Watch
    from sparkconsole.tui.task import Task
from sparkconsole.tui.work import Work

SAMPLE_S, LOGS_S = 0.5, 0.1
SLOW_S = 0.4
"""An answer that takes longer is announced."""


def palette() -> type[Provider]:
    """Loaded when it is first opened."""
    from sparkconsole.tui.line.palette import Palette

    return Palette


class Console(Above):
    """`sparkconsole` without a verb.

    `time`: the pretend cluster's. `still`: samples only when told to, for tests and pictures.
    """

    TITLE = "sparkconsole"
    CSS_PATH = Path(__file__).with_name("console.tcss")
    BINDINGS = [  # noqa: RUF012
        *(key.binding() for key in GLOBAL),
        Binding("ctrl+q", "quit_at_once", show=False, priority=True),
    ]
    MODES = {name: partial(make, name) for name in VIEWS}  # noqa: RUF012
    DEFAULT_MODE = "cluster"
    COMMANDS = {palette}  # noqa: RUF012 - as Textual takes them

    def __init__(
        self,
        options: Options,
        settings: Settings | None = None,
        *,
        time: Clock | None = None,
        still: bool = False,
    ) -> None:
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.options, self.settings = options, settings or Settings()
        self._time, self._still = time or DemoClock(PERSON_SPEED), still
        self.store = Store(Cluster())
        self.clock: Clock = RealClock()
        self.session: Session | None = None
        self.watching: Watch | None = None
        self.work: Work | None = None
        self.command_lines: list[str] = [] if options.demo else load_history()
        """Command lines, oldest first; what is said to a pretend cluster is not kept."""
        self.opened = asyncio.Event()
        self._leaving = asyncio.Event()
        self._later = deque()
        self._keystrokes = Keystrokes(self, super().on_event)
        self._life: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    # --- life

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """So that any theme of Textual's works too."""
        return variable_defaults(self.current_theme)

    def on_load(self) -> None:
        """Before anything is mounted or read."""
        tasks_wait_their_turn(self)
        keep_every_escape()

    def on_mount(self) -> None:
        """Paints first, connects then."""
        self.animation_level = "none"
        if not self.is_headless:
            leave_on_signals(lambda code: self.exit(return_code=code))
        self._choose_theme()
        if self.settings.keys:
            keymap, wrong = keymap_of(self.settings.keys, contexts())
            self.set_keymap(keymap)
            self._complain(wrong)
        self.call_after_refresh(self._begin)
        if not self._still:
            self.set_interval(SAMPLE_S, self._sample)
            self.set_interval(LOGS_S, self._sample_logs)

    async def on_event(self, event: Happening) -> None:
        """What is typed waits until everything typed before it had its effect; a console that closes has no
        screen that could take it."""
        if isinstance(event, (KeyPress, Paste)) and not event.is_forwarded:
            self._keystrokes.take(event)
        elif self.screen_stack or not isinstance(event, (InputEvent, Paste)):
            await super().on_event(event)

    def _begin(self) -> None:
        """Connecting loads libraries that the first frame does not need."""
        self._keystrokes.open()
        self._life = asyncio.create_task(self._live(), name="session")
        self._life.add_done_callback(self._life_ended)

    async def _live(self) -> None:
        """Session, watch and work live exactly as long as the console."""
        from sparkconsole.fleet.watch.own_actions import OwnActions
        from sparkconsole.fleet.watch.watch import Watch
        from sparkconsole.verbs.grammar.open_session import open_session

        try:
            async with open_session(self.options, time=self._time) as session:
                self._take(session)
                fleet, cluster = session.fleet, session.cluster
                own = OwnActions(session.journal, fleet.clock)
                async with Watch(
                    fleet, self.store, container=cluster.container, image=cluster.image, own_actions=own
                ) as self.watching:
                    self.opened.set()
                    await self._leaving.wait()
                    await cancelled((self._looking,) if self._looking else ())
                    if self.work is not None:
                        await self.work.aclose(None if self.is_headless else tell_terminal)
        except SparkError as error:
            self.exit(error)

    def _life_ended(self, life: asyncio.Task[None]) -> None:
        """Without its session the console cannot go on; `on_unmount` raises what ended it."""
        if not life.cancelled() and life.exception() is not None:
            self.exit()

    def _take(self, session: Session) -> None:
        self.session, self.clock = session, session.fleet.clock
        self.store.regroup(session.cluster)
        from sparkconsole.tui.work import Work

        self.work = Work(session, self)
        self._looking = asyncio.create_task(keep_looking(self.work, self.store), name="others")
        self.view.refresh_now()

    async def on_unmount(self) -> None:
        """Quitting stops nothing: connections are closed, detached jobs go on."""
        self._leaving.set()
        if self._life is not None:
            await self._life

    # --- drawing

    def local_time(self) -> datetime:
        """The wall clock as the person reads it."""
        return self.clock.now().astimezone()

    @property
    def _drawn(self) -> View | None:
        """The view that can be seen right now, below a dialog too; none while the console closes."""
        if not self.is_running:
            return None
        view = self.view
        return view if view.ready and view.is_current else None

    def _sample(self) -> None:
        if (view := self._drawn) is not None:
            view.sample_chrome()
            view.sample()

    def _sample_logs(self) -> None:
        if (view := self._drawn) is not None:
            view.sample_logs()

    def _choose_theme(self) -> None:
        themes, wrong = load_themes()
        for theme in themes:
            self.register_theme(theme)
        wanted = self.options.theme or self.settings.theme or "spark-dark"
        if wanted not in self.available_themes:
            known = sorted(t.name for t in themes)
            there = suggestion(wanted, known, f"there are {', '.join(known)}")
            wrong = (*wrong, f"there is no theme {wanted!r}; {there}")
            wanted = "spark-dark"
        self.theme = wanted
        self._complain(wrong)

    def _complain(self, sentences: Iterable[str]) -> None:
        """What a file of the person's says wrongly is said once and kept under the events."""
        for sentence in sentences:
            self.store.tell(Event(self.clock.now(), "warning", "config", sentence))
            self.notify(presentable(sentence), severity="warning", timeout=10, markup=False)

    # --- words

    def command_words(self) -> tuple[str, ...]:
        """The console's own words that can be said here."""
        return (*self.view.own_keys(), *(f"theme {name}" for name in sorted(self.available_themes)))

    def written(self, key: Key) -> str:
        """How the key is written that does this now, the user's keymap included."""
        found = [b for b in self.view._bindings.key_to_bindings.items() if any(x.id == key.id for x in b[1])]
        return key.display or ", ".join(written(name) for name, _ in found) or key.written

    def command(self, line: str) -> str:
        """Does what a `:` line says; a sentence when it is not in the grammar, and then nothing is done."""
        try:
            words = shlex.split(line)
        except ValueError:
            return "a quote is not closed"
        wrong = self._do(words, line.strip())
        if not wrong:
            self.command_lines = remembered(self.command_lines, line)
            if not self.options.demo:
                keep_in_history(line)
        return wrong

    def _do(self, words: Sequence[str], line: str) -> str:
        from sparkconsole.verbs.grammar.dispatch import understand

        if len(words) == 2 and words[0] == "theme":
            if words[1] not in self.available_themes:
                return f"there is no theme {words[1]}{did_you_mean(words[1], self.available_themes)}"
            self.theme = words[1]
        elif (key := self.view.own_keys().get(line)) is not None:
            self.call_later(self.view.run_action, key.action)
        else:
            try:
                understand(words, Origin.CONSOLE)
            except SparkError as error:
                return f"{error.cause}{' — ' + error.hint if error.hint else ''}"
            self.say(words)
        return ""

    def say(self, words: Sequence[str], *, shown: bool = False, asking: bool = False) -> None:
        """Says words on the person's behalf: looks answer, deeds ask first and then run in the background.

        `asking`: it is asked first, whatever it is.
        """
        saying = PendingRequest(words)
        saying.give_up = self._say(saying, shown, asking).cancel
        if self._asks(words):
            self._open(saying.planning())

    def _asks(self, words: Sequence[str]) -> bool:
        """The words change something: a question comes, and keys are its own already."""
        from sparkconsole.verbs.grammar.dispatch import understand

        try:
            return understand(words, Origin.CONSOLE).verb.changes
        except SparkError:
            return False

    @work(group="words", exit_on_error=True)
    async def _say(self, saying: PendingRequest, shown: bool, asking: bool) -> None:
        SAYING.set(saying)
        words = saying.words
        slow = self.set_timer(SLOW_S, partial(self._say_asking, words))
        try:
            await self.opened.wait()
            if words[:2] == ("node", "shell"):
                await open_shell(self, words)
            elif self.work is not None:
                await self.work.say(words, shown=shown, asking=asking)
        finally:
            slow.stop()
            saying.over()

    # --- the face of work

    async def ended(self, task: Task) -> None:
        """Says how a piece of work ended; the cluster may be another one now."""
        if self._leaving.is_set() or self.session is None or self.watching is None:
            return
        if tuple(self.store.nodes) != self.session.fleet.names:
            self.store.regroup(self.session.cluster)
            await self.watching.regroup(self.session.cluster)
        from sparkconsole.tui.task import verdict

        level, text = verdict(task)
        self.store.tell(Event(self.clock.now(), level, task.words[0], text))
        severity = level if level in ("error", "warning") else "information"
        self.notify(presentable(text), severity=severity, timeout=8, markup=False)  # type: ignore[arg-type]
        self.watching.refresh()

    # --- keys that hold everywhere

    async def action_view(self, name: str) -> None:
        """`1` to `8`"""
        await self.switch_mode(name)

    def action_command(self) -> None:
        """`:`"""
        self.open_line(filtering=False)

    def action_filter(self) -> None:
        """`/`"""
        self.open_line(filtering=True)

    async def action_back(self) -> None:
        """`esc`: the open line, the zoom, the view's own layer, then the page before."""
        view = self.view
        if view.maximized is not None:
            view.minimize()
        elif not view.peel() and len(self.screen_stack) > 1:
            self.pop_screen()

    def action_refresh(self) -> None:
        """`r`"""
        if self.watching is not None and self.store.nodes:
            self.watching.refresh()
            self.notify("refreshing all nodes", timeout=2)
        self.view.refresh_now()

    def action_zoom(self) -> None:
        """`z`"""
        view = self.view
        if view.is_idle("zoom"):
            return
        if view.maximized is not None:
            view.minimize()
        elif view.focused is not None:
            view.maximize(view.focused)

    async def action_task(self) -> None:
        """`b`: what is under way here, else what no console minds, among the runs."""
        if self.view.is_idle("task") or self.work is None:
            return
        if self.work.unattended and not self.work.running:
            await self.action_view("runs")
        elif self.work.tasks:
            self.show_task((self.work.running or self.work.tasks)[-1])
        else:
            self.show_answer(("under way",), Answer({}, tuple(o.sentence for o in self.work.others)))

    def action_help(self) -> None:
        """`?`"""
        from sparkconsole.tui.dialogs.help import Help

        self.push_screen(Help(self.view))

    def action_help_quit(self) -> None:
        """`^c`, where no text is selected that it could copy."""
        key = self.written(next(key for key in GLOBAL if key.id == "quit"))
        text = f"{key} quits, ctrl+q without asking; what runs on the cluster keeps running"
        self.notify(text, timeout=4, markup=False)

    async def action_quit(self) -> None:
        """`q` leaves a page, and on the top level the console; it asks while work is attached."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.work is not None and self.work.running:
            from sparkconsole.tui.dialogs.question import Leave

            self.push_screen(Leave(self.work.running), lambda sure: self.exit() if sure else None)
        else:
            self.exit()

    def action_quit_at_once(self) -> None:
        """`^q`, from wherever one is; Textual's own means the same as `q`."""
        self.exit()
