"""Every dialog: what its frame and its buttons offer happens, wherever in it the focus is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input
from textual.widgets._toast import Toast

from sparkconsole.model.logs.line import log_line
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Advance
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.tier import Tier
from sparkconsole.tui.dialogs.answer import AnswerSheet
from sparkconsole.tui.dialogs.choose import Choose
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.dialogs.dialog import Dialog, Note, Planning
from sparkconsole.tui.dialogs.help import Help
from sparkconsole.tui.dialogs.question import Leave, Question
from sparkconsole.tui.dialogs.task import TaskScreen
from sparkconsole.tui.line.prompt import PromptAbove
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.node.view import NodeView
from sparkconsole.tui.views.runs.run_page import RunView
from tests.tui.harness import app_of, console, scene, screen_text, seen, soon

STEPS = (Step("a", "spark-01", "stop it", ("sh", "-c", "set -eu\n" + "echo one\n" * 60)),)
PLAN = Plan("stop", STEPS)
SHORT = Plan("stop", (Step("a", "spark-01", "stop it", ("docker", "stop", "vllm_node")),))
COSTLY = Plan("prune", STEPS, tier=Tier.COSTLY, word="prune")
ROWS = [("preset", f"model-{n}", "") for n in range(3)]


def task(pilot: Pilot[Any], state: TaskState) -> Task:
    """Work that prints a line; while it runs it waits for ever."""
    made = Task(("launch",), PLAN, state=state)
    made.output.append(log_line("started"))
    work = app_of(pilot).work
    if state is TaskState.RUNNING and work is not None:
        work.start(made, lambda _: asyncio.Event().wait())
    return made


DIALOGS: dict[str, Callable[[Pilot[Any]], Dialog[Any]]] = {
    "answer": lambda _: AnswerSheet("status", Answer({}, ("all is well",))),
    "empty answer": lambda _: AnswerSheet("status", Answer({}, ())),
    "choose": lambda _: Choose("fill the form with", ROWS, "nothing yet"),
    "question": lambda _: Confirm(("stop",), PLAN),
    "question without scripts": lambda _: Confirm(("stop",), SHORT),
    "costly question": lambda _: Confirm(("image", "prune"), COSTLY),
    "dry run": lambda _: Confirm(("stop",), PLAN, dry_run=True),
    "another plan": lambda _: Confirm(("stop",), PLAN, Plan("stop")),
    "help": lambda pilot: Help(app_of(pilot).view),
    "leave": lambda pilot: Leave([task(pilot, TaskState.RUNNING)]),
    "planning": lambda _: Planning(("stop",), lambda: None),
    "work": lambda pilot: TaskScreen(task(pilot, TaskState.RUNNING)),
    "work that ended": lambda pilot: TaskScreen(task(pilot, TaskState.DONE)),
}
KEYS = {"esc": "escape", "^j": "ctrl+j", "↑↓": "down"}
OFFER = re.compile(r"(esc|tab|enter|↑↓|\^j|\b[A-Za-z]\b) ([a-z][a-z ,]*)")


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_every_dialog_is_here() -> None:
    """Those that a module of the folder has, but for what they are made of."""
    assert {c.__name__ for c in _subclasses(Dialog) if c is not Question} == {
        "AnswerSheet", "Choose", "Confirm", "Help", "Leave", "Planning", "TaskScreen",
    }  # fmt: skip


def _subclasses(of: type) -> list[type]:
    return [c for sub in of.__subclasses__() for c in (sub, *_subclasses(sub))]


async def shown(pilot: Pilot[Any], name: str, at: int) -> Dialog[Any]:
    """The dialog, painted, with the focus on the widget of that number."""
    app = app_of(pilot)
    while app.screen is not app.view:
        app.pop_screen()
        await pilot.pause()
    app.clear_notifications()
    app.copy_to_clipboard("")
    dialog = DIALOGS[name](pilot)
    app.push_screen(dialog)
    await pilot.pause()
    if isinstance(dialog, Question):
        await soon(lambda: dialog._painted, "it stands")
    if dialog.focus_chain:
        dialog.focus_chain[at].focus()
    await pilot.pause()
    return dialog


def offers(dialog: Dialog[Any]) -> list[tuple[str, str]]:
    """Keys and what the frame and the buttons say that they do."""
    frame = str(dialog.query_one(".dialog").border_subtitle or "")
    told = [OFFER.fullmatch(part.strip()) for part in frame.split(" · ") if part]
    assert all(told), frame
    buttons = [re.fullmatch(r"(.+)  (\S+)", str(b.label)) for b in dialog.query(Button) if not b.disabled]
    assert all(buttons)
    return [(m[1], m[2]) for m in told if m] + [(m[2], m[1]) for m in buttons if m]


ABOVE: dict[str, Callable[[Pilot[Any]], Screen[Any]]] = {
    **DIALOGS,
    "line": lambda _: PromptAbove(filtering=True),
    "node": lambda _: NodeView("spark-02"),
    "run": lambda _: RunView("none"),
}


@pytest.mark.parametrize("name", ABOVE)
async def test_what_is_closed_before_it_stood_harms_nothing(name: str) -> None:
    """An esc that was typed ahead, or an answer that came at once."""
    async with console() as pilot:
        app = app_of(pilot)
        await app.opened.wait()
        for turns in range(8):
            screen = ABOVE[name](pilot)
            app.push_screen(screen)
            for _ in range(turns):
                await asyncio.sleep(0)
            if app.screen is screen:
                app.pop_screen()
            await pilot.resize_terminal(80 + turns % 2, 24)
            await pilot.pause()
            assert app.screen is not screen


def noticed(pilot: Pilot[Any]) -> tuple[object, ...]:
    app = app_of(pilot)
    told = tuple(str(n.message) for n in app._notifications)
    scrolls = tuple(w.scroll_offset for w in app.screen.query("*"))
    return screen_text(pilot), app.screen, app.focused, app.clipboard, told, scrolls


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
@pytest.mark.parametrize("name", DIALOGS)
async def test_what_a_dialog_offers_happens(name: str, size: tuple[int, int]) -> None:
    async with console(size=size) as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        count = max(1, len((await shown(pilot, name, 0)).focus_chain))
        for at in range(count):
            told = offers(await shown(pilot, name, at))
            assert told or name == "costly question", "a way out is offered"
            for key, what in told:
                dialog = await shown(pilot, name, at)
                field = dialog.focused.value if isinstance(dialog.focused, Input) else None
                before = noticed(pilot)
                await pilot.press(KEYS.get(key, key))
                await pilot.pause()
                await soon(lambda b=before: noticed(pilot) != b, f"{key} {what}, {dialog.focused}")  # type: ignore[misc]
                if isinstance(dialog.focused, Input) and app_of(pilot).screen is dialog:
                    assert dialog.focused.value == field, f"{key} was typed into the field"
                if key == "y" and name != "empty answer":
                    assert app_of(pilot).clipboard, "it was copied"
                if key == "esc":
                    assert app_of(pilot).screen is not dialog


async def test_the_title_keeps_how_the_cluster_stands_while_work_goes_on() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        made = task(pilot, TaskState.RUNNING)
        made.hear(Advance("spark-01", "copy an image with a long name", 2.9e9, 19.2e9, "B", 960e6, 17.0))
        title = (await seen(pilot, lambda text: "▶ launch" in text)).splitlines()[0]
        assert "2/2 up" in title
        assert re.search(r"\d\d:\d\d$", title)


async def test_where_a_word_is_typed_letters_are_not_offered_and_tab_leads_to_those_that_are() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        dialog = await shown(pilot, "costly question", 0)
        dialog.query_one("#word", Input).focus()
        await pilot.pause()
        assert [key for key, _ in offers(dialog)] == ["tab", "esc"]
        await pilot.press("y", "e", "question_mark")
        assert dialog.query_one("#word", Input).value == "ye?"
        await pilot.press("tab")
        assert {"y", "e", "esc"} <= {key for key, _ in offers(dialog)}


async def test_the_word_agrees_by_enter_and_by_ctrl_j_and_nothing_else_does() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        for ends in ("enter", "ctrl+j"):
            said: list[bool | None] = []
            dialog = Confirm(("image", "prune"), COSTLY)
            app_of(pilot).push_screen(dialog, said.append)
            await soon(lambda dialog=dialog: dialog._painted, "it stands")  # type: ignore[misc]
            await pilot.press(ends)
            assert said == []
            await pilot.press(*"prune", ends)
            await pilot.pause()
            assert said == [True]


LONG = "no container vllm_node that this program launched is on any node\n→ start one: sparkconsole launch"
TOAST = re.compile("no container|start one|second")


async def test_a_toast_reaches_the_last_cell() -> None:
    """Else a letter of the line below it stands alone beside it."""
    async with scene(size=(80, 24)) as (pilot, _):
        app_of(pilot).notify(LONG, timeout=60, markup=False)
        await pilot.pause()
        toast = app_of(pilot).screen.query_one(Toast)
        assert toast.region.right == 80, toast.region


@pytest.mark.parametrize("size", [(60, 16), (80, 24)])
@pytest.mark.parametrize("name", DIALOGS)
async def test_no_message_covers_a_dialog_and_every_one_is_read(name: str, size: tuple[int, int]) -> None:
    async with scene(size=size) as (pilot, _):
        app = app_of(pilot)
        app.notify(LONG, timeout=60, markup=False)
        await pilot.pause()
        assert "no container vllm_node" in screen_text(pilot), "a view is told by a toast"
        app.push_screen(again := DIALOGS[name](pilot))
        if isinstance(again, Question):
            await soon(lambda: again._painted, "it stands")
        await pilot.pause()
        assert not TOAST.search(within(pilot, again)), "what was said before waits behind it"
        app.notify("the second message", timeout=60, markup=False)
        app.notify(LONG.replace("\n", " "), timeout=60, markup=False)
        await pilot.pause()
        text = screen_text(pilot)
        assert "→ start one" in text
        assert "the second" not in text, "the newest counts"
        assert not TOAST.search(within(pilot, again))
        for widget in (again.query_one(".dialog"), *again.query("Button")):
            assert widget.region in again.query_one(".dialog").region
            assert widget.region.bottom <= again.query_one(Note).region.y
        again.dismiss(None)
        await pilot.pause()
        assert "→ start one" in screen_text(pilot), "what was said above a dialog is not lost with it"


def within(pilot: Pilot[Any], dialog: Dialog[Any]) -> str:
    """What stands where the dialog is."""
    x, y, width, height = dialog.query_one(".dialog").region
    return "\n".join(line[x : x + width] for line in screen_text(pilot).splitlines()[y : y + height])


async def test_a_message_does_not_cover_the_line_that_is_typed() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await soon(app.opened.is_set, "the session is open")
        line = "node exec spark-01 -- sh -c 'echo one two three four five six seven'"
        app.notify(LONG, timeout=60, markup=False)
        await pilot.press("colon", *line)
        await pilot.pause()
        assert line in screen_text(pilot)
        assert "start one" in screen_text(pilot)


async def test_a_sheet_that_has_to_scroll_keeps_its_columns_side_by_side() -> None:
    columns = ("node", "state", "memory", "GPU", "fabric", "container", "image", "Ray")
    rows = tuple((f"spark-{n:02}", "reachable", "6.1 GB / 128.5 GB", "NVIDIA GB10 0 % 45 °C 15 W", "2/4 up",
                  "vllm_node absent", "none", "alive") for n in range(12))  # fmt: skip
    async with console() as pilot:
        app_of(pilot).push_screen(AnswerSheet("status", Answer({}, (Sheet(columns, rows),))))
        await soon(lambda: "spark-00" in screen_text(pilot), "it stands")
        lines = screen_text(pilot).splitlines()
        head = next(line for line in lines if "container" in line)
        assert head.index("Ray") == next(line for line in lines if "spark-00" in line).index("alive")
