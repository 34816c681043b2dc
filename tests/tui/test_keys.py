"""Keys are data: each says a verb or a word of the console's own, capitals change, and the help has all."""

from __future__ import annotations

from inspect import signature

import pytest
from textual.binding import Binding

from sparkconsole.config.settings import Settings
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.help import help_text
from sparkconsole.tui.keyboard.keys import GLOBAL, RESERVED, VIEWS, Key, keymap_of, summary
from sparkconsole.tui.line.complete import Here, completions
from sparkconsole.tui.line.palette import entries
from sparkconsole.tui.line.prompt import Prompt
from sparkconsole.tui.view import View
from sparkconsole.tui.views import PAGES, contexts, view_class
from sparkconsole.verbs.grammar.registry import load
from tests.tui.harness import app_of, console, scene, screen_text, seen, soon

EVERY = [(page, key) for page, keys in contexts().items() for key in keys]
FORM_KEYS = {"ctrl+j": "changes, like a capital: it says what the form says"}


def ids(found: list[tuple[str, Key]]) -> list[str]:
    return [f"{page or 'everywhere'}:{key.id}" for page, key in found]


@pytest.mark.parametrize(("page", "key"), EVERY, ids=ids(EVERY))
def test_a_key_is_a_verb_or_a_word_of_the_console(page: str, key: Key) -> None:
    assert key.id
    if key.verb not in load():
        assert key.help, f"{key.id} is no verb, so it has to say itself what it does"
        begins = [key.verb[:n] for n in range(1, len(key.verb)) if key.verb[:n] in load()]
        can_change = [
            v for v in begins if load()[v].changes or "fix" in signature(load()[v].function).parameters
        ]
        assert not key.changes or can_change, "what changes is a verb"
    assert summary(key)


@pytest.mark.parametrize(("page", "key"), EVERY, ids=ids(EVERY))
def test_a_capital_changes_and_lower_case_looks(page: str, key: Key) -> None:
    keys = key.keys.split(",")
    if key.verb in load() and key.id != "node.shell":
        assert key.changes == load()[key.verb].changes or key.id == "bench.run"
    if key.id == "logs.end":
        assert keys == ["G"], "the one capital that looks, for hands used to vi"
    elif key.changes:
        assert all(k.isupper() or k in FORM_KEYS for k in keys)
        asks = key.verb not in load() or load()[key.verb].changes
        assert key.label.endswith("…") == asks, "what asks first says so"
    else:
        assert not any(len(k) == 1 and k.isupper() for k in keys)


@pytest.mark.parametrize("page", list(PAGES))
def test_no_key_has_two_meanings_in_a_view(page: str) -> None:
    together = (*contexts()[page], *(k for k in GLOBAL))
    taken: dict[str, str] = {}
    for key in together:
        for name in key.keys.split(","):
            if name in taken and taken[name] != key.id:
                assert taken[name] in {k.id for k in contexts()[page]}
                assert overrides(page, key), f"{name}: {taken[name]} and {key.id}"
            taken.setdefault(name, key.id)


def overrides(page: str, key: Key) -> bool:
    """A view may do a global key its own way, under the same action."""
    return key.action in view_class(page).__dict__ or f"action_{key.action}" in view_class(page).__dict__


@pytest.mark.parametrize("page", list(PAGES))
def test_every_key_has_something_that_does_it(page: str) -> None:
    cls: type[View] = view_class(page)
    for key in contexts()[page]:
        name = f"action_{key.action.split('(')[0].rpartition('.')[2]}"
        assert hasattr(cls, name) or hasattr(Console, name), f"{page}: nothing does {key.id}"
    for binding in cls.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.id, f"{page}: {binding.key} has no id, so nobody can give it another key"


@pytest.mark.parametrize("name", VIEWS)
async def test_the_help_lists_every_key_and_read_only_takes_the_changes_away(name: str) -> None:
    for read_only in (False, True):
        async with console(read_only=read_only) as pilot:
            app = app_of(pilot)
            await pilot.press(str(VIEWS.index(name) + 1))
            await soon(lambda a=app: name == a.view.NAME, f"the view {name}")  # type: ignore[misc]
            told = help_text(app.view.keys_here(), app.written).plain
            for key in (*view_class(name).KEYS, *GLOBAL):
                assert (f" {key.id:<16} " in told) == (not (key.changes and read_only)), key.id
            changing = [k for k in view_class(name).KEYS if k.changes]
            assert all(app.view.check_action(k.action, ()) is (not read_only) for k in changing)


async def test_every_verb_is_in_the_palette_and_after_the_colon() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await seen(pilot, lambda t: "demo" in t)
        offered = {entry.words.removesuffix(" …") for entry in entries(app)}
        grammar = app.view.query_one(Prompt).grammar
        for words in load():
            line = " ".join(words)
            assert line in offered
            begun = line[:-1]
            assert line in completions(begun, *grammar), begun
        assert "node restart spark-02" in offered
        assert "theme spark-light" in offered
        assert "logs.follow" not in offered, "it holds in another view"
        assert "view.logs" in offered


def test_completion_knows_flags_values_and_nodes() -> None:
    def after(line: str) -> tuple[str, ...]:
        return completions(line, ("help",), Here(("spark-01", "spark-02")))

    assert "serve qwen --max-model-len" in after("serve qwen --max-m")
    assert "launch --backend solo" in after("launch --backend s")
    assert after("node restart s") == ("node restart spark-01", "node restart spark-02")
    assert after("node restart spark-01 s") == ("node restart spark-01 spark-02",)
    assert after("nonsense x") == ()


@pytest.mark.parametrize(
    ("line", "finished"),
    [
        ("serve o", "serve org/m"),
        ("model fit o", "model fit org/m"),
        ("image copy v", "image copy vllm-a"),
        ("launch -t v", "launch -t vllm-a"),
        ("image copy --to s", "image copy --to spark-01"),
        ("runs show 2", "runs show 20260101-1-a"),
        ("demo fault spark-01 lo", "demo fault spark-01 lost"),
        ("logs k", "logs kernel"),
        ("wait-for s", "wait-for server"),
    ],
)
def test_the_line_completes_names_of_the_same_table_as_a_shell(line: str, finished: str) -> None:
    known = Here(("spark-01",), ("vllm-a",), ("org/m",), ("20260101-1-a",))
    assert finished in completions(line, (), known)


async def test_the_line_knows_the_images_and_models_that_the_console_has_seen() -> None:
    async with scene("serving") as (pilot, _):
        app = app_of(pilot)
        await pilot.press(":")
        known = app.view.query_one(Prompt).grammar[1]
        assert "vllm-node" in " ".join(known.images)
        assert "openai/gpt-oss-120b" in known.models
        assert known.runs
        await pilot.press(*"serve opena", "tab")
        assert "serve openai/gpt-oss-120b" in screen_text(pilot)


KNOWN = {
    "": GLOBAL,
    "one": (Key("node.restart", "R", "restart…", changes=True), Key("a.look", "x", "look", "h")),
}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"node.restrat": "f9"}, "did you mean node.restart?"),
        ({"zzz": "f9"}, "there is no such key"),
        ({"a.look": "ctrl+q"}, RESERVED["ctrl+q"]),
        ({"a.look": "X"}, "a capital letter changes the cluster"),
        ({"node.restart": "r"}, "what changes the cluster is a capital letter"),
        ({"a.look": "r"}, "refresh has that key already"),
        ({"help": "x"}, "a.look has that key already"),
        ({"help": "f9", "a.look": "f9"}, "help has that key already"),
        ({"help": " , "}, "it names no key"),
    ],
)
def test_a_keymap_that_cannot_hold_is_said_and_left_out(wanted: dict[str, str], why: str) -> None:
    kept, wrong = keymap_of(wanted, KNOWN)
    assert len(wrong) == 1
    assert why in wrong[0]
    assert len(kept) == len(wanted) - 1


def test_a_keymap_that_can_hold_is_taken() -> None:
    assert keymap_of({"node.restart": "R,f9", "help": "f8"}, KNOWN) == (
        {"node.restart": "R,f9", "help": "f8"},
        (),
    )


async def test_a_key_of_the_persons_own_works() -> None:
    async with console(settings=Settings(keys={"view.logs": "f6"})) as pilot:
        await pilot.press("f6")
        assert "[2 Logs]" in await seen(pilot, lambda t: "[2 Logs]" in t)
