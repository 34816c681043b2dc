"""The journal: whole files, no secrets, and no run called ended that nobody saw end."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkconsole.errors import WrongUsage
from sparkconsole.fleet.journal.journal import Journal, alive, this_console
from sparkconsole.model.work.job import ConsoleProcess, Job, JobKind, RunState


class Ticking:
    """A clock that moves a second at every look."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state", Ticking())


def job(job_id: str = "build-x-1", node: str = "spark1", **details: object) -> Job:
    return Job(id=job_id, node=node, kind=JobKind.BUILD, argv=("docker", "build", "."), details=details)


def everything_in(journal: Journal) -> str:
    return "".join(path.read_text() for path in journal.folder.iterdir())


def test_a_run_is_read_back_as_it_was_written(journal: Journal) -> None:
    run = journal.begin(("image", "build", "--tag", "ü"), "lab", {"title": "Build", "steps": []})
    journal.add_jobs(run, (job(),))
    journal.end(run, RunState.FAILED, 1, outcome={"tag": "x"}, error={"cause": "no space"})
    again = journal.find(run.id)
    assert again.words == ("image", "build", "--tag", "ü")
    assert (again.cluster, again.state, again.exit_code) == ("lab", RunState.FAILED, 1)
    assert again.jobs == (job(),)
    assert again.error == {"cause": "no space"}
    assert again.ended is not None
    assert again.ended > again.started


def test_ids_say_when_and_what_and_sort_by_time(journal: Journal) -> None:
    runs = [
        journal.begin(words, "", {}) for words in (("image", "build"), ("serve", "Qwen/Qwen3 0.6"), ("stop",))
    ]
    assert runs[0].id.startswith("20260102-030406-image-build-")
    assert "-serve-qwen-qwen3-0-6-" in runs[1].id
    assert [r.id for r in journal.runs()] == sorted((r.id for r in runs), reverse=True)


def test_files_and_folders_are_private(journal: Journal) -> None:
    run = journal.begin(("stop",), "", {})
    journal.append_output(run, "a line")
    assert {stat.S_IMODE(p.stat().st_mode) for p in journal.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert sorted(p.suffix for p in journal.folder.iterdir()) == [".json", ".log"]


def test_no_secret_reaches_the_disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_REGISTRY_PASSWORD", "correct horse battery")
    journal = Journal(journal.folder.parent, Ticking())
    words = ("serve", "m", "--api-key", "sesame", "-e", "HF_TOKEN=hf token with spaces")
    plan = {"steps": [{"argv": ["vllm", "serve", "--api-key=sesame"], "stdin": "export HF_TOKEN=sesame"}]}
    run = journal.begin(words, "", plan)
    journal.add_jobs(run, (job(note="Authorization: Bearer sesame-sesame", api_key="sesame"),))
    journal.append_output(run, "login with correct horse battery and hf_A1b2C3d4E5f6")
    journal.end(run, RunState.FAILED, 1, outcome={"hf_token": "sesame"}, error={"cause": "password=sesame"})
    kept = everything_in(journal)
    for secret in ("sesame", "hf token", "horse", "hf_A1b2"):
        assert secret not in kept
    assert journal.find(run.id).words == ("serve", "m", "--api-key", "***", "-e", "HF_TOKEN=***")


def test_jobs_added_by_another_hand_survive_a_stale_run(journal: Journal) -> None:
    stale = journal.begin(("image", "copy"), "", {})
    journal.add_jobs(stale, (job("copy-1"),))
    journal.add_jobs(stale, (job("copy-2"),))
    assert [j.id for j in journal.end(stale, RunState.DONE, 0).jobs] == ["copy-1", "copy-2"]


def test_torn_and_foreign_files_are_named_and_left_alone(journal: Journal) -> None:
    run = journal.begin(("stop",), "", {})
    torn = journal.folder / "20260101-000000-torn-0000.json"
    torn.write_text('{"id": "2026')
    foreign = journal.folder / "note.json"
    foreign.write_bytes(b"\xff\xfe\x00")
    assert [r.id for r in journal.runs()] == [run.id]
    assert set(journal.unreadable) == {torn, foreign}
    assert torn.read_text() == '{"id": "2026'


def test_a_run_whose_console_died_is_unknown_never_ended(journal: Journal) -> None:
    child = "\n".join(
        (
            "import sys; from pathlib import Path; from sparkconsole.clock import RealClock",
            "from sparkconsole.fleet.journal.journal import Journal",
            "print(Journal(Path(sys.argv[1]), RealClock()).begin(('image', 'build'), '', {}).id)",
        )
    )
    died = subprocess.run(
        [sys.executable, "-c", child, str(journal.folder.parent)], capture_output=True, text=True, check=True
    )
    run = journal.find(died.stdout.strip())
    assert (run.state, run.ended, run.exit_code) == (RunState.UNKNOWN, None, None)
    assert journal.adopt(run).console == this_console()
    assert journal.find(run.id).state is RunState.RUNNING


def test_a_process_id_used_again_is_not_the_console() -> None:
    mine = this_console()
    assert alive(mine)
    assert not alive(mine.model_copy(update={"born": "another boot/1"}))
    assert not alive(ConsoleProcess(host="elsewhere", pid=os.getpid(), born=mine.born))


def test_ending_as_unknown_leaves_the_run_open(journal: Journal) -> None:
    run = journal.end(
        journal.begin(("serve", "m"), "", {}), RunState.UNKNOWN, 3, error={"cause": "no connection"}
    )
    assert (run.state, run.ended) == (RunState.UNKNOWN, None)
    assert journal.find(run.id).state is RunState.UNKNOWN
    assert journal.find(run.id).error == {"cause": "no connection"}


def test_runs_are_found_by_beginning_or_last_letters(journal: Journal) -> None:
    first, second = journal.begin(("stop",), "", {}), journal.begin(("launch",), "", {})
    assert journal.find(first.id[:20]).id == first.id
    assert journal.find(second.id.rpartition("-")[2]).id == second.id


@pytest.mark.parametrize(
    ("asked", "said"), [("2026", "could be 2 runs"), ("", "names no run"), ("zzz", "no run is called 'zzz'")]
)
def test_an_id_that_is_no_run_is_answered_with_what_to_do(journal: Journal, asked: str, said: str) -> None:
    journal.begin(("stop",), "", {})
    journal.begin(("launch",), "", {})
    with pytest.raises(WrongUsage, match=said) as caught:
        journal.find(asked)
    assert caught.value.hint


def test_a_mistyped_id_is_answered_with_the_nearest(journal: Journal) -> None:
    run = journal.begin(("stop",), "", {})
    with pytest.raises(WrongUsage) as caught:
        journal.find(run.id[:-4] + "zzzz")
    assert run.id in caught.value.hint


def test_output_is_kept_in_order(journal: Journal) -> None:
    run = journal.begin(("image", "build"), "", {})
    assert journal.output(run) == ""
    for i in range(3):
        journal.append_output(run, f"line {i} ü")
    assert journal.output(run).splitlines() == ["line 0 ü", "line 1 ü", "line 2 ü"]


def test_bytes_that_are_no_text_do_not_break_the_journal(journal: Journal) -> None:
    run = journal.begin(("exec", "--", os.fsdecode(b"\xff\xfe")), "", {})
    journal.append_output(run, os.fsdecode(b"\xff"))
    assert journal.find(run.id).words[:2] == ("exec", "--")


def test_a_long_journal_is_read_only_as_far_as_it_is_asked_for(journal: Journal) -> None:
    old, new = (journal.begin(("stop",), "", {}) for _ in range(2))
    (journal.folder / f"{old.id}.json").write_text("torn")
    newest = journal.newest()
    assert next(newest).id == new.id
    assert journal.unreadable == (), "the older file was not opened"
    assert list(newest) == []
    assert [path.stem for path in journal.unreadable] == [old.id]
    assert journal.count() == 2


def test_runs_of_one_second_stand_in_the_order_they_began(journal: Journal, tmp_path: Path) -> None:
    clock = Ticking()
    hasty = Journal(tmp_path / "hasty", clock)
    ids = []
    for micro in (900, 100, 500):
        clock.at = datetime(2026, 1, 2, 3, 4, 4, micro, tzinfo=UTC)
        ids.append(hasty.begin(("stop",), "", {}).id)
    assert [run.id for run in hasty.newest()] == [ids[0], ids[2], ids[1]]
