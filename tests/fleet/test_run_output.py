"""Of a run's output its beginning and its end are kept: why it failed stands at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.fleet.journal import run_output
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.journal.journal_list import RunList
from tests.still_clock import StillClock

CUT = run_output.CUT.decode().rstrip()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(run_output, "HEAD_BYTES", 30)
    monkeypatch.setattr(run_output, "TAIL_BYTES", 40)
    return Journal(tmp_path, StillClock())


@pytest.mark.parametrize("count", [0, 1, 3, 4, 8, 9, 13, 14, 15, 100, 1000])
def test_beginning_and_end_are_kept_however_much_there_is(journal: Journal, count: int) -> None:
    run = journal.begin(("image", "build"), "", {})
    printed = [f"line {i:3} ü" for i in range(count)]
    for line in printed:
        journal.append_output(run, line)
    kept = journal.output(run).splitlines()
    if CUT not in kept:
        assert kept == printed
        return
    cut = kept.index(CUT)
    assert kept.count(CUT) == 1
    assert kept[:cut] == printed[:cut]
    assert kept[cut + 1 :] == printed[cut + 1 - len(kept) :]
    assert (cut, 4 <= len(kept) - cut - 1 <= 8) == (3, True)
    assert sum(f.stat().st_size for f in journal.folder.glob("*.log*")) < 30 + 2 * 40 + 3 * 12 + len(CUT) * 2


def test_what_is_cut_is_more_than_fits(journal: Journal) -> None:
    run = journal.begin(("image", "build"), "", {})
    for i in range(11):
        journal.append_output(run, f"line {i:3} ü")
    assert len(journal.output(run).splitlines()) == 11
    for i in range(11, 100):
        journal.append_output(run, f"line {i:3} ü")
    assert CUT in journal.output(run)


def test_a_list_shows_the_end_of_what_is_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    run = journal.begin(("image", "build"), "", {})
    for i in range(100):
        journal.append_output(run, f"line {i:3} ü")
    assert RunList(journal).output(run.id) == journal.output(run).splitlines()
    monkeypatch.setattr("sparkconsole.fleet.journal.journal_list.TAIL_BYTES", 60)
    assert RunList(journal).output(run.id)[-2:] == ["line  98 ü", "line  99 ü"]
    assert RunList(journal).output(run.id)[0] == "… earlier output is in the journal"


def test_nothing_of_a_forgotten_run_stays(journal: Journal) -> None:
    run = journal.begin(("image", "build"), "", {})
    for i in range(100):
        journal.append_output(run, f"line {i:3} ü")
    assert len(list(journal.folder.iterdir())) == 4
    journal.discard(run)
    assert not list(journal.folder.iterdir())


def test_files_are_private_and_a_second_journal_goes_on(journal: Journal, tmp_path: Path) -> None:
    run = journal.begin(("image", "build"), "", {})
    for i in range(50):
        journal.append_output(run, f"line {i:3} ü")
    again = Journal(tmp_path, StillClock())
    again.append_output(again.find(run.id), "the end")
    assert again.output(run).splitlines()[-2:] == ["line  49 ü", "the end"]
    assert {f.stat().st_mode & 0o777 for f in journal.folder.iterdir()} == {0o600}
