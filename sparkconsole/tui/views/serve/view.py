"""The serve view: the model to serve, how far a start is, what the served model does, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.fleet.store import ServerPhase
from sparkconsole.model.serve.spec import PRESETS, SEED_PORT
from sparkconsole.model.text.units import token_rate
from sparkconsole.tui.dialogs.choose import Choose
from sparkconsole.tui.draw.charts import area
from sparkconsole.tui.draw.frame import folded
from sparkconsole.tui.draw.preview import CommandPreview, preview_lines
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views import show_logs
from sparkconsole.tui.views.form_view import NEXT_FIELD, FormView
from sparkconsole.tui.views.serve import form as filling
from sparkconsole.tui.views.serve import show
from sparkconsole.tui.views.serve.start import newest_start, start_of
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText
from sparkconsole.verbs.logs.sources import server_sources

SERVING = (ServerPhase.LOADING, ServerPhase.READY, ServerPhase.WEDGED)
BY_HAND = "log · not recorded: the server was started outside this console"
AGAIN_S = 60.0
"""The caches are looked at again when the view is shown after this long."""


class ServeView(FormView):
    """While something is served, a short screen shows that instead of the form; `e` brings the form back."""

    NAME = "serve"
    AUTO_FOCUS = ""
    KEYS = (
        Key("model.next", "down", "model", "Choose the next model; up: the one before.", display="↑↓"),
        Key("model.previous", "up", "model", "Choose the model before.", shown=False, display="↑"),
        NEXT_FIELD,
        Key("serve.pick", "o", "recent", "Fill the form from presets, recent starts or cached models."),
        Key("serve.copy", "y", "copy cmd", "Copy the exact command of every rank.", act="copy_command"),
        Key("serve.logs", "l", "logs", "Show the server's log in the logs view."),
        Key("serve", "V,ctrl+j", "serve…", changes=True, display="V"),
        Key("serve.stop", "X", "stop…", changes=True),
        Key("serve.curl", "c", "curl", "Copy a curl example of the served model."),
        Key("serve.form", "e", "form", "Show the form or the server, where only one fits."),
    )
    DEFAULT_CSS = """
    ServeView .pane { height: auto; }
    ServeView #serve-spec Form { grid-size: 3; height: auto; }
    ServeView #serve-spec FormLine.-long { column-span: 3; }
    ServeView #serve-preview { height: auto; max-height: 2; }
    ServeView.-tall #serve-preview { max-height: 6; margin-top: 1; }
    ServeView #serve-log { height: 1fr; min-height: 3; }
    ServeView #serve-rates { display: none; height: 10; }
    ServeView #serve-rates .pane { width: 1fr; height: 100%; }
    ServeView.-tall.-ready #serve-rates { display: block; }
    ServeView.-short.-serving #serve-spec { display: none; }
    ServeView.-short.-editing #serve-spec { display: block; }
    ServeView.-short.-editing #serve-log { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._models: tuple[Mapping[str, Any], ...] = ()
        self._models_note = "checking the model caches …"
        self._asked_s: float | None = None
        self._remedy: tuple[str, str] = ("", "")
        self._logged: object = ()

    # --- parts

    def compose_body(self) -> ComposeResult:
        """Form with its commands, how the server is, its rates, its log."""
        with Vertical(id="serve-spec", classes="pane") as panel:
            panel.border_title = "model"
            yield filling.form()
            yield StyledText(id="serve-preview")
        yield StyledText(id="serve-status", classes="pane")
        with Horizontal(id="serve-rates"):
            yield StyledText(id="serve-generated", classes="pane")
            yield StyledText(id="serve-prompt", classes="pane")
        with LogView(LineRing(), id="serve-log", classes="pane") as log:
            log.set_reactive(LogView.wrap, True)

    def on_screen_resume(self) -> None:
        """What the nodes have may be something else by now."""
        super().on_screen_resume()
        if (feed := self.query_one(LogView).feed) is not None:
            feed.begin()
        now = self.console.clock.monotonic()
        if self._asked_s is None or now - self._asked_s > AGAIN_S:
            self._ask_models()

    async def on_screen_suspend(self) -> None:
        """Nobody reads what nobody sees."""
        await self.query_one(LogView).rest()

    @property
    def address(self) -> str:
        """Where clients reach the head."""
        return next((n.address for n in self.console.store.nodes.values() if n.head), "")

    # --- what is known

    @work(group="models", exclusive=True, exit_on_error=False)
    async def _ask_models(self) -> None:
        """Which models can be chosen; a node that cannot be asked is said."""
        await self.console.opened.wait()
        self._asked_s = self.console.clock.monotonic()
        try:
            answer = await self.ask("model", "list")
        except SparkError as error:
            self._models_note = f"cannot read the model caches: {error.cause}"
            return
        self._models = tuple(answer.data["models"])
        self.console.models = tuple(str(m["name"]) for m in self._models)
        whole = [m["name"] for m in self._models if m["everywhere"]]
        self._models_note = filling.models_note(self._models, tuple(answer.data["unknown"]))
        self.form.offer("model", (*whole, *PRESETS))
        self._drawn = ()

    def status(self) -> show.ServeStatus:
        """How the served model stands right now."""
        task, server = newest_start(self.tasks), self.console.store.server
        remedy = self._remedy[1] if self._remedy[0] == server.detail else ""
        now_s = self.console.clock.monotonic()
        return show.serve_status(server, start_of(task) if task else None, now_s=now_s, remedy=remedy)

    def commands(self) -> CommandPreview:
        """What V would run, by rank."""
        return filling.commands(self.form.words(), self.console.store, self.cluster.container)

    # --- drawing

    def sample(self) -> None:
        """Draws what changed; a second that passes is a change while something loads or is served."""
        now, task = self.status(), newest_start(self.tasks)
        if self.is_new(
            self.console.store.version,
            task.version if task else -1,
            replace(now, elapsed_s=int(now.elapsed_s or 0)),
            self._models_note,
            self.size,
            tuple(self.form.values.items()),
        ):
            self.set_class(now.phase in SERVING, "-serving")
            self.set_class(now.phase is ServerPhase.READY, "-ready")
            self._draw_preview()
            self._draw_status(now)
            self._draw_rates()
            self._follow(task, now)
            self._ask_remedy(now)

    def _draw_preview(self) -> None:
        width = max(20, self.query_one("#serve-spec").size.width)
        lines = [Text("pick a model to see the command", "$muted")]
        if chosen := str(self.form.values.get("model") or ""):
            preview, height = self.preview(), 5 if self.has_class("-tall") else 2
            doubts = filling.doubts(chosen, self._models)
            lines = preview_lines(preview, width, height, (*doubts, *preview.notes))
        self.query_one("#serve-preview", StyledText).show(lines)

    def _draw_rates(self) -> None:
        """A value per reading of /metrics, newest on the right."""
        store, server = self.console.store, self.console.store.server
        for kind, series, rate in (
            ("generated", store.generated, server.generated_per_s),
            ("prompt", store.prompted, server.prompt_per_s),
        ):
            pane = self.query_one(f"#serve-{kind}", StyledText)
            pane.border_title = f"{kind} · {token_rate(rate)}"
            pane.draw(partial(area, tuple(series)))

    def _draw_status(self, now: show.ServeStatus) -> None:
        pane = self.query_one("#serve-status", StyledText)
        pane.border_title = show.title(now)
        width = max(20, pane.size.width or self.size.width - 4)
        store = self.console.store
        if now.phase is ServerPhase.READY:
            lines = show.ready_lines(
                store.server, width, generated=store.generated, prompted=store.prompted, address=self.address
            )
        elif now.phase is ServerPhase.LOADING:
            lines = show.loading_lines(now, width)
        elif now.phase is ServerPhase.NONE:
            lines = self._nothing(width)
        else:
            lines = show.wrong_lines(now, width)
        pane.show(lines)

    def _nothing(self, width: int) -> list[Text]:
        """The empty state says what to press."""
        read_only = self.console.options.read_only
        how = filling.how(self.console.store, self.cluster.container, read_only=read_only)
        parts = (*folded(how, width), *folded(self._models_note, width))
        return [Text(line) for line in parts]

    def _follow(self, task: Task | None, now: show.ServeStatus) -> None:
        """While a start of this console runs, what it says; else the server's own log, whoever started it."""
        serving, unknown = now.phase in SERVING, now.phase is ServerPhase.UNKNOWN
        ours = task is not None and (task.running or now.phase is ServerPhase.FAILED)
        wanted = task if ours else (serving, unknown, now.model, task)
        if wanted == self._logged:
            return
        self._logged = wanted
        log = self.query_one(LogView)
        log.let_go()
        if isinstance(wanted, Task):
            log.show_ring(wanted.output)
            log.border_title = "log of this start"
        elif serving:
            session = self.console.session
            sources = server_sources(session, session.fleet.names) if session else []
            if session and sources:
                log.read_from(Feed(session.fleet, sources))
            else:
                log.show_ring(LineRing())
            log.border_title = "log of the server" if log.feed else BY_HAND
        elif unknown:
            log.border_title = "log · server state unknown"
        elif task is None:
            log.border_title = "log · no server is running"

    def _ask_remedy(self, now: show.ServeStatus) -> None:
        """Once for each thing that is wrong and that this console did not see happen."""
        detail = self.console.store.server.detail
        wrong = now.phase in (ServerPhase.FAILED, ServerPhase.WEDGED)
        if wrong and not now.remedy and self._remedy[0] != detail:
            self._remedy = (detail, "")
            self._ask_status(detail)

    @work(group="remedy", exclusive=True, exit_on_error=False)
    async def _ask_status(self, detail: str) -> None:
        with suppress(SparkError):
            answer = await self.ask("serve", "status", "--port", str(self.console.store.server.port))
            self._remedy = (detail, str(answer.data.get("remedy", "")))
        self._drawn = ()

    # --- doing

    def _works(self, key: Key) -> bool:
        """A model is chosen where it can be seen."""
        there = not key.id.startswith("model.") or self.query_one("#serve-spec").display
        return there and super()._works(key)

    def idle(self, key_id: str) -> str:
        """Where nothing is served there is nothing to stop or to ask."""
        phase, start = self.console.store.server.phase, newest_start(self.tasks)
        if key_id == "serve.curl" and phase is not ServerPhase.READY:
            return "no server answers yet"
        if key_id == "serve.stop" and phase is ServerPhase.NONE and not (start and start.running):
            return "no server is running"
        if key_id == "serve.form" and not (self.has_class("-short") and self.has_class("-serving")):
            return "the form is already shown"
        return super().idle(key_id)

    def action_serve(self) -> None:
        """`V`"""
        try:
            words = self.form.words()
        except WrongUsage as error:
            self.warn(f"{error.cause}: ↑ ↓ pick one")
            self.add_class("-editing")
            return
        self.remove_class("-editing")
        self.set_focus(None)
        self.console.say(words)

    def action_serve_form(self) -> None:
        """`e`"""
        if not self.is_idle("serve.form"):
            self.toggle_class("-editing")

    def action_model_next(self) -> None:
        """`down`, without going to the field first, so that `V` is still a key."""
        self.form.walk("model", 1)

    def action_model_previous(self) -> None:
        """`up`"""
        self.form.walk("model", -1)

    def action_serve_stop(self) -> None:
        """`X`"""
        if not self.is_idle("serve.stop"):
            port = self.console.store.server.port
            self.console.say(("serve", "stop", *(() if port == SEED_PORT else ("--port", str(port)))))

    def action_serve_curl(self) -> None:
        """`c`"""
        if not self.is_idle("serve.curl"):
            self.to_clipboard(show.curl(self.address, self.console.store.server), "the curl example")

    async def action_serve_logs(self) -> None:
        """`l`"""
        await show_logs(self, (), "serve")

    @work(group="pick", exclusive=True, exit_on_error=False)
    async def action_serve_pick(self) -> None:
        """`o`"""
        offers = (*filling.presets(), *await self._recent(), *filling.cached(self._models))
        rows = [(offer.kind, offer.title, offer.detail) for offer in offers]
        chosen = await self.app.push_screen_wait(Choose("fill the form with", rows, "nothing yet"))
        if chosen is not None:
            self.add_class("-editing")
            self.form.fill(offers[chosen].values)
            self.sample()

    async def _recent(self) -> tuple[filling.Offer, ...]:
        try:
            answer = await self.ask("runs", "list", "--limit", "0")
        except SparkError:
            return ()
        return filling.recent(answer.data["runs"])
