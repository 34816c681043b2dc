"""What a console that was killed left is shown by the next one: in the title bar, and by `b`."""

from __future__ import annotations

import json

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.demo.answers import tools
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.marks import OWN_CONSOLE, WorkOfOthers
from sparkconsole.model.work.job import ConsoleProcess, Job, JobKind, Run, RunState
from sparkconsole.tui.chrome import work_of_view
from sparkconsole.verbs.grammar.open_session import demo_folder
from tests.tui.harness import app_of, console, seen

SINCE = "2026-11-30T10:00:00+00:00"
GONE = ConsoleProcess(host="elsewhere", pid=1)


def left_build() -> Run:
    """A run of an earlier console, which is gone."""
    journal = Journal(demo_folder("left"), RealClock())
    job = Job(id="build-1", node="spark-01", kind=JobKind.BUILD, argv=("build",))
    run = journal.add_jobs(journal.begin(("image", "build"), "demo", {}), [job])
    kept = run.model_copy(update={"console": GONE})
    (journal.folder / f"{run.id}.json").write_text(kept.model_dump_json())
    return run


async def test_what_is_left_stands_in_the_title_bar_and_b_leads_to_it() -> None:
    run = left_build()
    async with console(demo_name="left", size=(120, 40)) as pilot:
        title = (await seen(pilot, lambda text: "unattended" in text)).splitlines()[0]
        assert "unattended: image build" in title
        (event,) = [e for e in app_of(pilot).store.events if "left by its console" in e.text]
        assert (event.source, event.text.partition(" of ")[0]) == ("spark-01", "your `image build`")
        await pilot.press("b")
        await seen(pilot, lambda text: "[8 Runs]" in text and "image build" in text)
        app = app_of(pilot)
        assert app.session is not None
        assert app.work is not None
        app.session.journal.end(run, RunState.DONE, 0)
        await app.work.look_back()
        assert "unattended" not in await seen(pilot)


async def test_where_nothing_is_left_nothing_is_said_of_it() -> None:
    async with console(size=(120, 40)) as pilot:
        await app_of(pilot).opened.wait()
        await pilot.press("b")
        assert "unattended" not in await seen(pilot)


@pytest.mark.parametrize("verb", ["image build", "image copy"])
async def test_what_another_operator_does_is_shown_where_one_looks(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its mark on the node says: in the title bar, the view it is about, and by `b`; until it is gone."""
    line = {"gone": False, "run": "20261130-1", "verb": verb, "who": "anna@laptop", "since": SINCE}
    there = {"spark-02": json.dumps(line) + "\n"}
    monkeypatch.setitem(tools._SCRIPTS, "marks", lambda machine, _: (0, there.get(machine.name, ""), ""))
    async with console(size=(120, 40)) as pilot:
        title = (await seen(pilot, lambda text: "anna@laptop" in text)).splitlines()[0]
        assert f"▶ {verb} by anna@laptop" in title
        sentence = f"spark-02: anna@laptop has been running `{verb}` since"
        await pilot.press("3")
        assert sentence in await seen(pilot, lambda text: "[3 Images]" in text)
        await pilot.press("4")
        assert sentence not in await seen(pilot, lambda text: "[4 Launch]" in text)
        await pilot.press("b")
        await seen(pilot, lambda text: sentence in text)
        await pilot.press("escape")
        there.clear()
        work = app_of(pilot).work
        assert work is not None
        await work.look_back(("spark-01", "spark-02"))
        await seen(pilot, lambda text: "anna@laptop" not in text)


def test_a_view_says_what_it_is_about_and_runs_what_its_list_lacks() -> None:
    def work(verb: str, by: str = "anna@laptop") -> WorkOfOthers:
        return WorkOfOthers(verb, ("spark-01",), by, verb)

    every = (work("image copy"), work("serve stop"), work("launch", by=OWN_CONSOLE), work("launch", by=""))
    shown = {
        view: [o.verb for o in work_of_view(view, every)] for view in ("cluster", "images", "serve", "runs")
    }
    assert shown == {
        "cluster": ["image copy", "serve stop", "launch", "launch"],
        "images": ["image copy"],
        "serve": ["serve stop"],
        "runs": ["image copy", "serve stop"],
    }
