"""The serve view over stores filled by hand, and a start on the pretend cluster from the keys alone."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.store import ServerPhase, ServerState, Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.tui.dialogs.choose import Choose
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.serve.view import ServeView
from sparkconsole.tui.widgets.form import Form
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot, scene, screen_text, seen
from tests.tui.held import drawn, held
from tests.tui.stores import HOSTILE, MODEL, filled

LOADING = ServerState(
    ServerPhase.LOADING, MODEL, stage="weights", percent=77.0, detail="24/31", since_s=99_936.0, seen_at_s=1.0
)
CAUSE = "the GPU's memory is full: “CUDA out of memory” (line 812 of its log)"


def stood(count: int, server: ServerState) -> Store:
    store = filled(count) if count else Store(Cluster())
    store.server = server
    return store


async def over(pilot: Pilot[Any], store: Store) -> ServeView:
    view = await held(pilot, "5", store)
    assert isinstance(view, ServeView)
    return view


STATES = {
    "nothing": ServerState(ServerPhase.NONE),
    "unknown": ServerState(ServerPhase.UNKNOWN, detail="spark-01: no answer for 20 s"),
    "loading": LOADING,
    "failed": ServerState(ServerPhase.FAILED, MODEL, stage="weights", detail=CAUSE),
    "wedged": ServerState(ServerPhase.WEDGED, MODEL, detail="no token within 20 s"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_every_size_of_cluster_and_every_state(size: tuple[int, int]) -> None:
    stores = {str(n): filled(n) for n in (1, 2, 4, 8, 64)}
    stores["0"] = stood(0, ServerState(ServerPhase.NONE))
    stores |= {name: stood(2, server) for name, server in STATES.items()}
    async with console(nodes=2, size=size) as pilot:
        await over(pilot, filled(2))
        for name, store in stores.items():
            app_of(pilot).store = store
            same_as_snapshot(f"serve-{name}-{size[0]}x{size[1]}", await drawn(pilot))


async def test_the_form_says_the_verbs_words_and_shows_the_exact_command() -> None:
    async with console(nodes=2, size=(160, 48)) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        view.form.fill({"model": "openai/gpt-oss-120b"})
        await pilot.press("tab", "tab", "tab", *"32768")
        text = await drawn(pilot)
        assert view.query_one(Form).words() == ("serve", "openai/gpt-oss-120b", "--max-model-len", "32768")
        command = "docker exec vllm_node vllm serve openai/gpt-oss-120b --host 0.0.0.0 --port 8888 -tp 2 "
        assert f"{command}--max-model-len 32768" in " ".join(text.replace("│", " ").split())
        assert view.preview().text() == shlex.join(shlex.split(view.preview().text()))


async def test_only_models_that_all_nodes_have_whole_are_offered_and_another_one_is_doubted() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        await pilot.press("tab", "down")
        assert view.form.values["model"] == "openai/gpt-oss-120b"
        view.form.fill({"model": "meta-llama/Llama-3.1-8B-Instruct"})
        assert "not on spark-02: vLLM would download it first" in await drawn(pilot)
        view.form.fill({"model": "nobody/has-this"})
        assert "not cached on any node" in await drawn(pilot)


async def test_what_is_wrong_is_said_instead_of_a_command() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        view.form.fill({"model": "m", "tp": "7"})
        assert "2 are there" in await drawn(pilot)
        view.form.fill({"tp": "many"})
        assert "tp is no whole number" in await drawn(pilot)
        await pilot.press("V")
        assert app_of(pilot).work is not None
        assert app_of(pilot).work.tasks == []  # type: ignore[union-attr]


async def test_an_example_fills_the_form() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        await pilot.press("o")
        await pilot.pause(0.1)
        dialog = app_of(pilot).screen
        assert isinstance(dialog, Choose)
        await pilot.press("o", "s", "s", "enter")
        await pilot.pause(0.1)
        values = view.form.values
        assert (values["model"], values["load_format"], values["offline"]) == (
            "openai/gpt-oss-120b", "fastsafetensors", True,
        )  # fmt: skip
        assert "HF_HUB_OFFLINE=1" in view.preview().text()


async def test_esc_leaves_a_field_so_that_letters_are_keys_again() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        await pilot.press("tab", "5", "V")
        assert view.form.values["model"] == "5V"
        await pilot.press("escape", "6")
        assert app_of(pilot).view.NAME == "bench"


async def test_what_can_be_copied() -> None:
    async with console(nodes=2) as pilot:
        copied: list[str] = []
        app_of(pilot).copy_to_clipboard = copied.append  # type: ignore[method-assign]
        view = await over(pilot, filled(2))
        await pilot.press("c")
        assert copied[-1].startswith("curl http://192.168.177.11:8888/v1/chat/completions")
        await pilot.press("y")
        assert len(copied) == 1, "there is no command without a model"
        view.form.fill({"model": "m"})
        await pilot.press("y")
        assert copied[-1].startswith("docker exec vllm_node vllm serve m ")
        app_of(pilot).store.server = ServerState(ServerPhase.NONE)
        await pilot.press("c")
        assert len(copied) == 2, "nothing answers"


async def test_a_short_screen_shows_what_is_served_and_e_the_form() -> None:
    async with console(nodes=2) as pilot:
        await over(pilot, filled(2))
        assert "─ model ─" not in await drawn(pilot)
        await pilot.press("e")
        assert "─ model ─" in await drawn(pilot)
        await pilot.press("escape")
        assert "─ model ─" not in await drawn(pilot)


async def test_a_start_that_failed_here_says_cause_and_remedy() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        error = SparkError("CUDA out of memory", hint="lower --gpu-memory-utilization", node="spark-01")
        work = app_of(pilot).work
        assert work is not None
        work.tasks.append(Task(("serve", "m"), state=TaskState.FAILED, ended_s=0.0, error=error))
        text = await drawn(pilot)
        assert "✖ failed" in text
        assert "✖ spark-01: CUDA out of memory" in text
        assert "→ lower --gpu-memory-utilization" in text
        work.tasks.append(Task(("serve", "stop"), state=TaskState.DONE, ended_s=0.0))
        assert "nothing is served" in await drawn(pilot)
        assert view.is_mounted


async def test_a_start_whose_end_was_not_seen_is_not_called_failed() -> None:
    """Its node was lost: what the store sees of the server later is what counts."""
    async with console(nodes=2) as pilot:
        store = stood(2, ServerState(ServerPhase.UNKNOWN))
        await over(pilot, store)
        error = Unreachable("no route to it", node="spark-01")
        work = app_of(pilot).work
        assert work is not None
        work.tasks.append(Task(("serve", "m"), state=TaskState.UNKNOWN, ended_s=0.0, error=error))
        text = await drawn(pilot)
        assert "– unknown" in text
        assert "spark-01: no route to it" in text
        assert "failed" not in text
        store.server = ServerState(ServerPhase.NONE)
        assert "nothing is served" in await drawn(pilot)


async def test_read_only_starts_nothing() -> None:
    async with console(nodes=2, read_only=True) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        text = await drawn(pilot)
        assert "V serve" not in text
        assert "read-only" in text
        view.form.fill({"model": "m"})
        await pilot.press("V", "X", "ctrl+j")
        assert app_of(pilot).screen is view


@pytest.mark.parametrize("size", [*SIZES, (60, 16), (20, 5)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_text_of_machines_is_never_markup(size: tuple[int, int]) -> None:
    async with console(nodes=2, size=size) as pilot:
        view = await over(pilot, stood(2, ServerState(ServerPhase.NONE)))
        for phase in ServerPhase:
            server = replace(filled(2).server, phase=phase, model=HOSTILE, stage="weights", detail=HOSTILE)
            app_of(pilot).store.server = server
            view._models = ({"name": HOSTILE, "everywhere": True},)
            app_of(pilot).store.version += 1
            text = await drawn(pilot)
            assert "\x1b" not in text
        await pilot.press("o")
        await pilot.pause(0.1)
        assert app_of(pilot).screen.query(OptionList) or size < (60, 16)


async def test_a_model_is_served_from_the_keys_alone() -> None:
    async with scene("launched") as (pilot, clock):
        await pilot.press("5")
        await seen(pilot, lambda t: "cached on every node" in t)
        await pilot.press("tab", "down", "escape", "V")
        text = await seen(pilot, lambda t: "Serve  ^j" in t)
        assert "how long it takes is unknown" in text
        assert "docker exec" not in text, "commands are folded"
        await pilot.press("tab", "enter")
        await seen(pilot, lambda t: "▶ loading" in t)
        for word in ("✔ engine", "✔ weights", "● ready"):
            for _ in range(60):
                await clock.advance(1)
                app_of(pilot).view.refresh_now()
                await pilot.pause()
                if word in screen_text(pilot):
                    break
            assert word in screen_text(pilot)
        assert "url http://" in screen_text(pilot)
