"""The journal as a list: read as far as it is asked for, and what ended only once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.fleet.journal import journal as journals
from sparkconsole.fleet.journal import journal_list as run_list
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.journal.journal_list import RunList
from sparkconsole.model.work.job import ConsoleProcess, Run, RunState

AT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path, RealClock())
    made.folder.mkdir()
    for hour in range(10):
        put(made, hour)
    return made


def put(journal: Journal, hour: int, state: RunState = RunState.DONE) -> Path:
    at = AT + timedelta(hours=hour)
    run = Run(id=f"{at:%Y%m%d-%H%M%S}-launch-{hour:04}", words=("launch",), started=at, ended=at, state=state)
    path = journal.folder / f"{run.id}.json"
    path.write_text(run.model_dump_json())
    return path


def test_the_newest_are_read_first_and_no_more_than_asked(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    usual = journals._read

    def counted(path: Path) -> Run:
        read.append(path)
        return usual(path)

    monkeypatch.setattr(journals, "_read", counted)
    runs = RunList(journal)
    assert [line.id[-4:] for line in runs.look(3)] == ["0009", "0008", "0007"]
    assert (runs.total, len(read)) == (10, 3)
    runs.look(5)
    assert len(read) == 5, "what has ended is read once"
    put(journal, 10, RunState.UNKNOWN)
    runs.look(1)
    runs.look(1)
    assert len(read) == 7, "what has not ended is looked at again"


def test_torn_and_foreign_files_are_named_and_left_alone(journal: Journal) -> None:
    torn = journal.folder / "torn.json"
    torn.write_text("{")
    (journal.folder / "other.json").write_text(json.dumps({"id": 1}))
    runs = RunList(journal)
    assert len(runs.look(100)) == 10
    assert {p.name for p in runs.unreadable} == {"torn.json", "other.json"}
    assert runs.run("torn") is None
    assert torn.read_text() == "{"


def test_what_another_machine_runs_is_unknown_here(journal: Journal) -> None:
    path = put(journal, 11, RunState.RUNNING)
    run = Run.model_validate_json(path.read_text()).model_copy(
        update={"console": ConsoleProcess(host="far", pid=1)}
    )
    path.write_text(run.model_dump_json())
    assert RunList(journal).look(1)[0].state is RunState.UNKNOWN


def test_of_a_long_output_the_end_is_read(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    name = put(journal, 1).stem
    runs = RunList(journal)
    assert runs.output(name) == []
    (journal.folder / f"{name}.log").write_text("".join(f"line {n}\n" for n in range(1000)))
    assert len(runs.output(name)) == 1000
    monkeypatch.setattr(run_list, "TAIL_BYTES", 25)
    assert runs.output(name) == ["… earlier output is in the journal", "line 998", "line 999"]


def test_no_journal_is_an_empty_list(tmp_path: Path) -> None:
    assert RunList(Journal(tmp_path, RealClock())).look(10) == ()
