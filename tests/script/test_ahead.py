"""A dry run of a script: every line is planned on the state that the lines before it would leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole import cli
from sparkconsole.demo import stories
from sparkconsole.fleet.clock import RealClock
from sparkconsole.fleet.journal import Journal
from sparkconsole.verbs import opening
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


class Ahead:
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
def ahead(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ahead:
    monkeypatch.setattr(opening, "_demo_state", lambda _: tmp_path / "state")
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    return Ahead(tmp_path, capsys)


SCRIPTS = [
    *(pytest.param(path.read_text(), id=path.stem) for path in EXAMPLES),
    pytest.param(ANOTHER, id="another"),
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_every_line_of_a_script_has_its_plan_and_nothing_is_done(ahead: Ahead, text: str) -> None:
    shown = ahead.plans(text)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    assert [document["line"] for document in shown] == lines
    assert all({"plan", "answer", "look"} & set(document) for document in shown)
    assert ahead.runs() == []


@pytest.mark.parametrize("text", SCRIPTS)
def test_what_runs_is_what_was_shown_with_its_blanks_filled_in(ahead: Ahead, text: str) -> None:
    shown = ahead.plans(text)
    assert ahead.run(text) == 0, ahead.err
    assert differences(shown, ahead.runs()) == []
