"""What every view has: title, tabs, body, status, keys. A view is sampled only while it can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual._styles_cache import StylesCache
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import DescendantBlur, DescendantFocus, Paste
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from sparkconsole.model.cluster import Cluster
from sparkconsole.model.text.redact import presentable, redact
from sparkconsole.tui.chrome import KeyLine, OthersBar, Tabs, TitleBar
from sparkconsole.tui.keyboard.focus import offered
from sparkconsole.tui.keyboard.keys import GLOBAL, Key
from sparkconsole.tui.line.prompt import Prompt

if TYPE_CHECKING:
    from sparkconsole.fleet.store import NodeState
    from sparkconsole.model.work.answer import Answer
    from sparkconsole.tui.host import Host
    from sparkconsole.tui.task import Task

LET_GO_S = 10.0


class View(Screen[None]):
    """Subclasses say NAME, KEYS, `compose_body` and `sample`."""

    NAME: ClassVar[str] = ""
    TAB: ClassVar[str] = ""
    """The view whose page this is; empty: it is a view of its own."""
    KEYS: ClassVar[tuple[Key, ...]] = ()
    ready: bool = False
    """Everything in it is mounted: it can be drawn."""
    _drawn: tuple[object, ...] = ()
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (60, "-narrow"), (100, "-wide"), (160, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-short"), (30, "-tall")]  # noqa: RUF012

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.BINDINGS = [*(key.binding() for key in cls.KEYS), *cls.__dict__.get("BINDINGS", ())]
        super().__init_subclass__(**kwargs)

    def compose(self) -> ComposeResult:
        """The chrome around `compose_body`."""
        yield TitleBar()
        yield Tabs(self.TAB or self.NAME)
        yield OthersBar()
        with Container(id="body"):
            yield from self.compose_body()
        yield Prompt()
        yield KeyLine()
        yield Static("sparkconsole needs 60x16; this terminal is smaller", id="too-small", markup=False)

    def compose_body(self) -> ComposeResult:
        """The view's own widgets."""
        yield from ()

    def sample(self) -> None:
        """Draws what changed; called twice a second while the view is on the screen."""

    def sample_logs(self) -> None:
        """Draws new lines; called ten times a second while the view is on the screen."""

    def crumb(self) -> str:
        """What stands behind the cluster's name in the title: `› spark-02`; empty on the top level."""
        return ""

    def selected_nodes(self) -> tuple[str, ...]:
        """The marked nodes, else the one under the cursor; empty where no node can be selected."""
        return ()

    def apply_filter(self, text: str) -> None:
        """Shows only what has that text; the empty text shows everything."""

    def peel(self) -> bool:
        """Takes one layer of the view's own off; False when there was none."""
        return False

    @property
    def console(self) -> Host:
        """The app, as what it is."""
        return cast("Host", self.app)

    @property
    def cluster(self) -> Cluster:
        """The one that is shown; before there is a session, one without nodes."""
        session = self.console.session
        return session.cluster if session else Cluster()

    @property
    def node_states(self) -> tuple[NodeState, ...]:
        """What is known of each node, head first."""
        return tuple(self.console.store.nodes.values())

    @property
    def tasks(self) -> Sequence[Task]:
        """The work of this console, newest last."""
        return self.console.work.tasks if self.console.work else ()

    async def ask(self, *words: str) -> Answer:
        """What a question finds, once there is a session; SparkError says why it finds nothing."""
        await self.console.opened.wait()
        assert self.console.work is not None  # noqa: S101 - it comes before `opened`
        return await self.console.work.answer(words)

    def is_new(self, *drawn: object) -> bool:
        """Something else than these was drawn last; from now on it is these."""
        before, self._drawn = self._drawn, drawn
        return drawn != before

    def warn(self, text: str) -> None:
        """Why a key did nothing, whatever the text came from."""
        self.notify(presentable(text), severity="warning", markup=False)

    def to_clipboard(self, text: str, what: str) -> None:
        """Copies it, and says so."""
        self.app.copy_to_clipboard(redact(text))
        self.notify(f"copied {what}", timeout=3, markup=False)

    def keys_here(self) -> tuple[Key, ...]:
        """Every key that works now: the view's, then the global ones.

        A read-only console changes nothing, and a browser has no terminal to give to a shell.
        """
        return tuple(key for key in (*self.KEYS, *GLOBAL) if self._works(key))

    def own_keys(self) -> dict[str, Key]:
        """Of `keys_here` those that are no verbs, by the word that `:` takes for each."""
        from sparkconsole.verbs.grammar.registry import load

        return {key.id: key for key in self.keys_here() if key.verb not in load()}

    def _works(self, key: Key) -> bool:
        if key.id == "node.shell" and self.app.is_web:
            return False
        return not (key.changes and self.console.options.read_only)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key that does not work here is not there."""
        if any(k.action == action and not self._works(k) for k in self.KEYS):
            return False
        return super().check_action(action, parameters)

    def keys_offered(self) -> tuple[Key, ...]:
        """What the footer offers: of `keys_here` what the focused field leaves, and the field's own."""
        return offered(self, (key for key in self.keys_here() if not self.idle(key.id)))

    def idle(self, key_id: str) -> str:
        """Why that key has nothing to do now, in a sentence; empty: it has something to do."""
        if key_id == "zoom" and self.focused is None and self.maximized is None:
            return "tab chooses a pane, then z gives it the whole screen"
        if key_id == "form.next" and len(self._panes) < 2:
            return "there is no other pane here"
        if key_id == "task" and not (
            (kept := self.console.work) and (kept.tasks or kept.unattended or kept.others)
        ):
            return "no task was started in this console yet; 8 lists earlier runs"
        return ""

    @property
    def _panes(self) -> list[Widget]:
        """What tab goes through."""
        return [widget for widget in self.focus_chain if not isinstance(widget.parent, Prompt)]

    def is_idle(self, key_id: str) -> bool:
        """The same, said to the person who pressed it."""
        if why := self.idle(key_id):
            self.notify(why, timeout=4, markup=False)
        return bool(why)

    @on(DescendantFocus)
    @on(DescendantBlur)
    def _offer(self) -> None:
        """Other keys work now."""
        if self.ready and self.is_mounted:
            self.query_one(KeyLine).sample(self)

    async def action_press(self, key_id: str) -> None:
        """A click on a key in the footer is that key."""
        key = next((k for k in self.keys_offered() if k.id == key_id), None)
        if key is None:
            return
        if key not in self.keys_here():
            self.app.simulate_key(key.keys.split(",")[0])
        else:
            await self.run_action(key.action)

    def on_paste(self, event: Paste) -> None:
        """What is pasted onto a view is no row of keys; one that begins with `:` or `/` is a line."""
        line = next(iter(event.text.splitlines()), "")
        if line[:1] in {":", "/"}:
            self.query_one(Prompt).open(filtering=line[0] == "/", text=line[1:])

    def on_mount(self) -> None:
        """Draws at once what is known."""
        self.set_interval(LET_GO_S, self._let_go)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Widgets within widgets are there now; before that there is nothing to draw into."""
        self.ready = True
        self.refresh_now()

    def on_screen_resume(self) -> None:
        """Draws at once what happened meanwhile."""
        self.call_after_refresh(self.refresh_now)

    async def on_screen_suspend(self) -> None:
        """A hidden view keeps no picture of itself: those of eight views are most of the console's memory."""
        self._let_go()

    def _let_go(self) -> None:
        """Textual keeps every cut that was ever made of a line, as long as the line stays as it is.

        Toasts and tables cut the same lines differently for ever, so all are drawn anew once in a while. And
        a cache over one of its methods (8.x) holds the pictures of up to a thousand widgets that are gone.
        """
        StylesCache.get_inner_outer.cache_clear()
        for widget in self.walk_children():
            widget.refresh()

    def refresh_now(self) -> None:
        """One sample of everything, chrome included; a page that was left before it stood has none."""
        if not (self.ready and self.is_mounted and self.is_current):
            return
        self.sample_chrome()
        self.sample()
        self.sample_logs()

    def sample_chrome(self) -> None:
        """The title's and the key line's part of a sample."""
        self.query_one(TitleBar).sample(self)
        self.query_one(OthersBar).sample(self)
        self.query_one(KeyLine).sample(self)
