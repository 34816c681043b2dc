"""What stands around every view: the title bar, the tabs and the line of keys. All of it takes the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from sparkconsole.fleet.store import Reachability, Store
from sparkconsole.model.text.redact import presentable
from sparkconsole.tui.keyboard.keys import VIEWS, Key

if TYPE_CHECKING:
    from sparkconsole.fleet.marks import WorkOfOthers
    from sparkconsole.tui.host import Host, ShownView


class Bar(Static):
    """One line, drawn again when another text stands in it."""

    _text: Text | None = None

    def show(self, text: Text) -> None:
        """This text from now on."""
        if text != self._text:
            self._text = text
            self.update(text)


class TitleBar(Bar):
    """Where we are on the left, how the cluster stands on the right; work under way in between."""

    def sample(self, view: ShownView) -> None:
        """As things stand."""
        self.show(title_text(view, self.size.width or 80))


class Tabs(Bar):
    """The eight views; the current one stands in brackets, so that colour is not needed to see it."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current

    def on_resize(self) -> None:
        """Short names where there is no room for whole ones."""
        self.show(tabs_text(self._current, self.size.width))


class KeyLine(Bar):
    """The keys of the view that work right now."""

    LAST: ClassVar[tuple[str, ...]] = ("command", "help")

    def sample(self, view: ShownView) -> None:
        """As the focus is."""
        self.show(keys_text(view.keys_offered(), self.size.width or 80))


class OthersBar(Bar):
    """What other consoles do on the nodes, as far as the view is about it; no line where they do nothing."""

    DEFAULT_CSS = "OthersBar { height: 1; display: none; }"

    def sample(self, view: ShownView) -> None:
        """As it was looked for last."""
        found = work_of_view(view.NAME, view.console.work.others if view.console.work else ())
        self.display = bool(found)
        more = f" (+{len(found) - 1})" if len(found) > 1 else ""
        text = Text(presentable(f" ▶ {found[0].sentence}{more}") if found else "", no_wrap=True)
        text.truncate(max(self.size.width or 80, 20), overflow="ellipsis")
        self.show(text)


_SUBJECTS = {"images": ("image",), "launch": ("launch", "stop"), "serve": ("serve",), "bench": ("bench",)}
"""First words of what each of these views is about; the others are about everything."""


def work_of_view(view: str, others: Sequence[WorkOfOthers]) -> tuple[WorkOfOthers, ...]:
    """What of it a person at that view has to know."""
    if view in ("runs", "run"):  # which list those of this account
        return tuple(o for o in others if not o.is_ours)
    words = _SUBJECTS.get(view)
    return tuple(o for o in others if words is None or o.verb.partition(" ")[0] in words)


def title_text(view: ShownView, width: int) -> Text:
    """`sparkconsole · lab › spark-02     2/2 up · ray 2/2 · 10:42`."""
    console = view.console
    left = Text(" sparkconsole", style="bold")
    if console.options.demo:
        left.append(" DEMO ", style="reverse bold")
    if console.options.read_only:
        left.append(" read-only ", style="reverse")
    cluster = console.session.cluster.name if console.session else "…"
    left.append(f" · {presentable(cluster)}{view.crumb()}")
    right = presentable(" · ".join((*_counts(console.store), f"{console.local_time():%H:%M}")))
    room = max(width - cell_len(left.plain) - 2, 0)
    text = Text(presentable(_work(console)))
    text.truncate(max(room - cell_len(right) - len(" · "), 0), overflow="ellipsis")
    text.append(" · " if text.plain else "").append(right)
    text.truncate(room, overflow="ellipsis")
    left.append(" " * max(1, width - cell_len(left.plain) - cell_len(text.plain) - 1))
    return left.append_text(text)


def _work(console: Host) -> str:
    """One line of progress of the newest work under way, else of what no console minds."""
    running, left = (console.work.running, console.work.unattended) if console.work else ((), ())
    count = len(running or left)
    more = f" +{count - 1}" if count > 1 else ""
    if not running:
        return f"unattended: {left[0].verb}{more}" if left else _of_others(console)
    task = running[-1]
    return f"{f'▶ {_verb(task.words)} {task.progress}'.strip()}{more}"


def _verb(words: Sequence[str]) -> str:
    """`image copy`, `launch`: what is done, without what it is done to."""
    from sparkconsole.verbs.grammar.registry import VERBS

    both = tuple(words[:2])
    return " ".join(both if both in VERBS else words[:1])


def _of_others(console: Host) -> str:
    others = [o for o in console.work.others if o.by] if console.work else []
    more = f" +{len(others) - 1}" if len(others) > 1 else ""
    return f"▶ {others[0].verb} by {others[0].by}{more}" if others else ""


def _counts(store: Store) -> tuple[str, ...]:
    if not store.nodes:
        return ("no nodes",)
    parts = [f"{len(store.up())}/{len(store.nodes)} up"]
    asked = [n for n in store.nodes.values() if n.ray_alive is not None]
    if asked:
        unseen = sum(n.reach is Reachability.LOST for n in asked)
        members = sum(bool(n.in_ray) for n in asked)
        parts.append(f"ray {members}/{len(store.nodes)}{f', {unseen} unknown' if unseen else ''}")
    return tuple(parts)


def tabs_text(current: str, width: int) -> Text:
    """`[1 Cluster]  2 Logs  …`, each a click away; too narrow for that, `[1 Cluster] 2 Log 3 Ima …`."""
    for form in (" {} {} ", "{} {:.3} "):
        text = Text(" ")
        for number, name in enumerate(VIEWS, 1):
            here = name == current
            label = ("[{} {}] " if here else form).format(number, name.title())
            text.append(label, Style(bold=here, meta={"@click": f"app.view({name!r})"}))
        text.rstrip()
        if text.cell_len <= width:
            break
    return text


def keys_text(keys: tuple[Key, ...], width: int) -> Text:
    """As many of the shown keys as there is room for; the command line and the help always.

    What changes the cluster has its place before what only looks.
    """
    shown = [k for k in keys if k.shown]
    last = [k for k in shown if k.id in KeyLine.LAST]
    room = width - 2 - sum(_width(k) for k in last)
    placed = set(last)
    for key in sorted((k for k in shown if k not in placed), key=lambda k: not k.changes):
        room -= _width(key)
        if room < 0:
            break
        placed.add(key)
    text = Text(" ")
    for key in (*(k for k in shown if k in placed and k not in last), *last):
        meta = {"@click": f"screen.press({key.id!r})"}
        text.append(key.written, style=Style(bold=True, meta=meta))
        text.append(f" {key.label}", style=Style(meta=meta)).append("  ")
    return text


def _width(key: Key) -> int:
    return len(key.written) + len(key.label) + 3
