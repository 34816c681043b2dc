"""A dry run of a script: every line is planned on the state that the lines before it would leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole import cli
from sparkconsole.clock import RealClock
from sparkconsole.demo import stories
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.script.ahead import Ahead
from sparkconsole.script.lines import ScriptLine
from sparkconsole.script.report import Printer
from sparkconsole.script.run import TerminalPresenter
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import execute
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.session import Options
from tests.conftest import ROOT
from tests.planned import differences

EXAMPLES = [ROOT / "examples" / name for name in ("first-run.spark", "nightly-rebuild.spark")]
MODEL = ("--set", "MODEL=openai/gpt-oss-120b")
ANOTHER = """
image build --copy-to all
launch --backend none
serve org/m --served-model-name tiny -tp 2
bench run --num-prompts 8
serve stop
node restart spark-01
serve org/m --port 8889
wait-for server --port 8889
stop
image build --rebuild-deps -t other
image prune --keep 1
launch
launch --repair
serve org/other
serve stop
node drop-caches
node restart
stop
"""


class Typed:
    """Runs one script on the demo, planned or for real; its journal is kept from run to run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.out, self.err = folder, capsys, "", ""

    def run(self, text: str, *words: str) -> int:
        path = self.folder / "typed.spark"
        path.write_text(text)
        code = cli.run(["--demo", "--yes=prune", *words, *MODEL, "--script", str(path)])
        self.out, self.err = self.capsys.readouterr()
        return code

    def plans(self, text: str, *, code: int = 0) -> list[dict[str, Any]]:
        """What every line says in a dry run."""
        assert self.run(text, "--dry-run", "--json") == code, self.err
        return [json.loads(line) for line in self.out.splitlines()]

    def runs(self) -> list[dict[str, Any]]:
        """What the journal has, the oldest first."""
        runs = reversed(Journal(self.folder / "state", RealClock()).runs())
        return [run.model_dump(mode="json") for run in runs]


@pytest.fixture
def ahead(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setattr(opening, "_demo_state", lambda _: tmp_path / "state")
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    return Typed(tmp_path, capsys)


SCRIPTS = [
    *(pytest.param(path.read_text(), id=path.stem) for path in EXAMPLES),
    pytest.param(ANOTHER, id="another"),
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_every_line_of_a_script_has_its_plan_and_nothing_is_done(ahead: Typed, text: str) -> None:
    shown = ahead.plans(text)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    assert [document["line"] for document in shown] == lines
    assert all({"plan", "answer", "look"} & set(document) for document in shown)
    assert ahead.runs() == []


@pytest.mark.parametrize("text", SCRIPTS)
def test_what_runs_is_what_was_shown_with_its_blanks_filled_in(ahead: Typed, text: str) -> None:
    shown = ahead.plans(text)
    assert ahead.run(text) == 0, ahead.err
    assert differences(shown, ahead.runs()) == []


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("image build -c all\nserve m", 2, "no container vllm_node runs"),
        ("image build\nlaunch", 2, "the image vllm-node is not on spark-02"),
        ("image build -c all\nlaunch\nserve m\nserve n", 4, "port 8888 is taken"),
        ("image build -c all\nlaunch\nserve m\nstop\nbench run", 5, "no model answers on port 8888"),
        (
            "image build -c all\nlaunch\nimage build\nimage copy\nlaunch",
            5,
            "runs already, from another image",
        ),
        ("image build -c all\nlaunch\nserve m\nnode restart spark-02\nbench run", 5, "no model answers"),
        ("image copy", 1, "there is no image vllm-node to copy"),
        ("image build -c all\nlaunch\nstop\nexec -- true", 4, "no container vllm_node runs here"),
        ("image build\nimage rollback", 2, "no build of vllm-node is older"),
        ("model copy org/m", 1, "org/m is not on spark-01, spark-02"),
        ("image build -c all\nlaunch\nnode reboot spark-01\nserve m", 4, "no container vllm_node runs"),
        ("image build -c all\nlaunch\nnode reboot spark-02\nlaunch", 4, "the cluster is half-running"),
    ],
)
def test_a_line_that_would_be_refused_then_is_an_error_with_its_place(
    ahead: Typed, text: str, line: int, cause: str
) -> None:
    code = ahead.run(text, "--dry-run")
    assert code in (1, 4)
    assert f"✖ {ahead.folder}/typed.spark:{line}: " in ahead.err
    assert cause in ahead.err
    assert f"stopped at line {line}" in ahead.err
    *_, last = ahead.plans(text, code=code)
    assert (last["line"], last["words"]) == (line, text.splitlines()[line - 1].split())
    assert cause in last["error"]["cause"]


def test_what_is_planned_is_what_lines_say_of_the_state_then(ahead: Typed) -> None:
    """A stopped cluster is stopped once; a running one is launched once; a served model is served once."""
    lines = ("image build -c all", "launch", "launch", "serve m", "serve m", "stop", "stop", "image copy")
    shown = ahead.plans("\n".join(lines))
    assert [next(k for k in ("plan", "answer", "look") if k in d) for d in shown] == [
        "plan", "plan", "answer", "plan", "answer", "plan", "answer", "answer",
    ]  # fmt: skip


def test_looks_are_made_while_nothing_is_changed_and_named_afterwards(ahead: Typed) -> None:
    shown = ahead.plans("status\nlogs\nimage build\nstatus\nruns list\nlogs -f\nwait-for image")
    said = [next(k for k in ("plan", "answer", "look") if k in d) for d in shown]
    assert said == ["answer", "look", "plan", "look", "look", "look", "answer"]
    assert shown[3]["look"].startswith("looks at what line 3 leaves: ")
    assert shown[6]["answer"]["missing"] == ["spark-02 does not have vllm-node"]


def test_a_benchmark_that_is_to_come_is_not_missing_from_the_kept_ones(ahead: Typed) -> None:
    *_, kept = ahead.plans("image build -c all\nlaunch\nserve m\nbench run\nbench list")
    assert kept["look"].startswith("looks at what line 4 leaves: ")


def test_wait_for_says_whether_the_lines_before_lead_there(ahead: Typed) -> None:
    text = "image build -c all\nlaunch\nwait-for ray\nwait-for server\nserve m\nwait-for server --timeout 5"
    assert ahead.run(text, "--dry-run") == 0
    assert "would wait for ray (all are members, with a GPU each), 300 s at most: ready after" in ahead.out
    assert "nothing answers on 127.0.0.1:8888" in ahead.out
    waits = "would wait for server (it completed a token), 5 s at most"
    assert f"{waits}: ready after the lines before" in ahead.out


def test_what_cannot_be_known_is_a_note(ahead: Typed) -> None:
    (shown,) = ahead.plans("node exec -- reboot-later")
    (note,) = shown["plan"]["notes"]
    assert note.startswith("what reboot-later changes on spark-01, spark-02 is not known before; later lines")


def test_a_model_that_comes_first_is_copied_then(ahead: Typed) -> None:
    text = "model download org/m\nmodel copy org/m --to all\nmodel copy org/m --to all"
    download, copy, again = ahead.plans(text)
    assert "plan" in download
    assert [s["node"] for s in copy["plan"]["steps"]] == ["spark-01"] * len(copy["plan"]["steps"])
    assert "answer" in again


async def test_a_rebuild_over_a_server_that_runs_is_done_as_it_was_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there now is neither what later lines find nor in their way."""
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    before = ("image build -c all", "launch", "serve org/old")
    nightly = (
        "image build --rebuild-vllm -t other",
        "image copy other --to all",
        "stop",
        "launch -t other",
        "serve org/new --served-model-name new",
        "bench run --num-prompts 4",
        "serve stop",
        "node restart",
        "stop",
    )
    async with open_session(Options(demo=2, yes="")) as session:
        printer = Printer(as_json=True)
        for text in before:
            presenter = TerminalPresenter(printer)
            assert await execute(session, understand(text.split()), presenter, yes=session.options.yes) == 0
        journal, forecast, fresh = session.journal, session.fleet.forecast, session.fleet.fresh
        ahead, done = Ahead.of(session), journal.count()
        capsys.readouterr()
        for number, text in enumerate(nightly, 1):
            line = ScriptLine(number, tuple(text.split()))
            assert await ahead.line(session, line, understand(line.words), printer) == 0
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        session.journal, session.fleet.forecast, session.fleet.fresh = journal, forecast, fresh
        for text in nightly:
            presenter = TerminalPresenter(printer)
            assert await execute(session, understand(text.split()), presenter, yes=session.options.yes) == 0
        runs = [run.model_dump(mode="json") for run in reversed(journal.runs())]
    assert len(shown) == len(nightly)
    assert differences(shown, runs[done:]) == []
