"""Files as they are found in the field: devices, folders, binaries, torn, too deep, too large; full disks.

In one process through the command line's own entry, but for what only the system can do to a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from sparkconsole import cli, defect
from sparkconsole.clock import RealClock
from sparkconsole.errors import SparkError
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.bench import kept_result
from sparkconsole.model.work.job import RunState
from sparkconsole.verbs.grammar import open_session as opening

pytestmark = pytest.mark.programs

HERE = '[clusters.a]\nnodes = [{ name = "here", address = "127.0.0.1", user = "nobody-asks" }]\n'


class Typed:
    """Runs words; nothing may ever look like a traceback or a defect."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.config = folder / "cluster.toml"
        self.config.write_text(HERE)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = cli.run(words)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        assert "defect" not in err, err
        return code, out, err

    def at_home(self, *words: str) -> tuple[int, str, str]:
        return self("--config", str(self.config), "--yes", *words)


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(tmp_path, capsys)


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    """Every kind of file that is none."""
    made = {
        "deep lists": "a = " + "[" * 50_000,
        "deep tables": "[clusters.a]\nnodes = [" + "{a=" * 5_000,
        "a NUL": 'a = "\0"',
        "NULs": "\0" * 100_000,
    }
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin").write_bytes(b"# gr\xfcn\nx")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 400)
    (tmp_path / "large").write_bytes(b"# \n" * 2_000_000)
    paths = {name: tmp_path / name for name in (*made, "latin", "binary", "large")}
    return {**paths, "zero": Path("/dev/zero"), "full": Path("/dev/full"), "folder": tmp_path}


def test_an_inventory_that_is_none_is_one_sentence_that_names_it(typed: Typed, odd: dict[str, Path]) -> None:
    for name, path in odd.items():
        code, _, err = typed("--config", str(path), "status")
        assert code == 2, name
        assert str(path) in err, name
        assert len(err) < 1000, name


def test_a_script_that_is_none_is_one_sentence_that_names_it(typed: Typed, odd: dict[str, Path]) -> None:
    for name, path in odd.items():
        code, _, err = typed("--demo", "--script", str(path))
        assert code == 2, name
        assert path.name in err, name
        assert len(err) < 10_000, name


def test_settings_rules_and_history_that_are_none_are_sentences(
    typed: Typed, odd: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(typed.folder / "etc"))
    folder = typed.folder / "etc" / "sparkconsole"
    folder.mkdir(parents=True)
    for name in ("deep lists", "binary", "folder", "zero"):
        for file, words in (("config.toml", ("config", "show")), ("rules.toml", ("doctor",))):
            (folder / file).symlink_to(odd[name])
            code, _, err = typed.at_home(*words)
            (folder / file).unlink()
            assert code == 2, (name, file)
            assert file in err, (name, file)


def test_an_identity_file_of_nobody_is_not_there(typed: Typed) -> None:
    for file in ("~nosuchuser/x", "/" + "x" * 5000, "~/no/such"):
        typed.config.write_text(
            HERE.replace("127.0.0.1", "192.0.2.9").replace(" }]", f', identity_file = "{file}" }}]')
        )
        code, out, err = typed.at_home("node", "exec", "--", "id")
        assert code in (1, 3)
        assert "is not there" in out + err


# --- the state folder


@pytest.fixture(params=["a file", "a link in a circle", "no folder can be made"])
def no_state(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    if request.param == "a file":
        folder.write_text("")
    elif request.param == "a link in a circle":
        folder.symlink_to(folder)
    else:
        folder = Path("/proc/nothing")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def test_a_deed_goes_on_without_a_record(typed: Typed, no_state: Path) -> None:
    code, out, err = typed.at_home("node", "exec", "--", "echo", "was done")
    assert (code, out) == (0, "was done\n")
    assert err.count("the journal cannot be written") == 1
    assert str(no_state) in err


def test_the_exit_code_is_that_of_the_deed(typed: Typed, no_state: Path) -> None:
    assert typed.at_home("node", "exec", "--", "sh", "-c", "exit 7")[0] in (1, 7)
    assert typed.at_home("stop")[0] in (0, 1)
    assert typed.at_home("serve", "stop")[0] in (0, 1, 4)
    assert typed.at_home("status")[0] == 0


def test_an_inventory_is_edited_without_a_record_too(typed: Typed, no_state: Path) -> None:
    code, _, err = typed.at_home("node", "add", "other", "127.0.0.2")
    assert code == 0, err
    assert "127.0.0.2" in typed.config.read_text()


def test_a_journal_that_cannot_be_looked_at_is_not_an_empty_one(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    for words in (("list",), ("show", "x"), ("export", "x"), ("again", "x"), ("attach", "x")):
        code, out, err = typed.at_home("runs", *words)
        assert (code, out) == (1, "")
        assert "cannot be read: Not a directory" in err


def test_a_demo_without_room_for_its_journal_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with ExitStack() as stack:
        journal = Journal(opening._demo_state(stack), RealClock())
    run = journal.begin(("stop",), "demo", {})
    journal.end(run, RunState.DONE, 0)
    assert [kept.state for kept in journal.runs()] == [RunState.DONE]
    assert "cannot be written" in journal.fault()


def test_a_full_disk_is_said_once_and_the_deed_is_done(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(HERE)
    us = f"{sys.executable} -m sparkconsole --config {tmp_path}/c.toml"
    lines = f"ulimit -f 0; {us} --yes node exec -- echo hi; echo $?; {us} node add m 127.0.0.3; echo $?"
    done = subprocess.run(
        ["bash", "-c", lines],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "hi\n0\n2\n"
    assert "File too large; continuing without a record" in done.stderr
    assert f"{tmp_path}/c.toml cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr


# --- entries of the journal


@pytest.fixture
def runs(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """The journal's folder with one good run, and that run's id."""
    monkeypatch.setenv("XDG_STATE_HOME", str(typed.folder / "state"))
    journal = Journal(typed.folder / "state" / "sparkconsole", RealClock())
    run = journal.begin(("stop",), "a", {"title": "stop", "steps": []})
    journal.end(run, RunState.DONE, 0)
    return journal.folder, run.id


def test_damaged_entries_cost_themselves_alone(typed: Typed, runs: tuple[Path, str]) -> None:
    folder, good = runs
    text = (folder / f"{good}.json").read_text()
    entry = json.loads(text)
    bad = {
        "cut": text[: len(text) // 2],
        "deep": "[" * 100_000,
        "null": "null",
        "words": json.dumps({**entry, "id": "words", "words": 5}),
        "steps": json.dumps({**entry, "id": "steps", "plan": {"steps": 5}}),
        "step": json.dumps({**entry, "id": "step", "plan": {"steps": [[]]}}),
        "when": json.dumps({**entry, "id": "when", "started": "2026-01-01T00:00:00"}),
        "began": json.dumps({**entry, "id": "began", "started": "0001-01-01T00:00:00+14:00"}),
        "over": json.dumps({**entry, "id": "over", "ended": "9999-12-31T23:59:59-14:00"}),
        "other": json.dumps({**entry, "id": "../../elsewhere"}),
    }
    for name, said in bad.items():
        (folder / f"{name}.json").write_text(said)
    (folder / "folder.json").mkdir()
    (folder / "zero.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.json")
    (folder / "bytes.json").write_bytes(b"\xff\xfe")
    code, out, _ = typed.at_home("runs", "list")
    assert code == 0
    assert good in out
    assert out.count("could not be read, and was left alone") == len(bad) + 4
    for words in ("show", "export", "again", "attach"):
        for name in (*bad, "folder", "zero", "pipe", "bytes"):
            code, _, err = typed.at_home("runs", words, name)
            assert code == 2, (words, name)
            assert f"{name}.json cannot be read" in err
    assert typed.at_home("runs", "show", good, "--output")[0] == 0
    assert typed.at_home("status")[0] == 0


def test_a_machine_that_says_half_a_character_does_not_break_the_record(runs: tuple[Path, str]) -> None:
    journal = Journal(runs[0].parent, RealClock())
    run = journal.begin(("status",), "a", {})
    journal.end(run, RunState.DONE, 0, outcome={"label": json.loads('"\\ud800"')})
    assert journal.find(run.id).outcome == {"label": "?"}


@pytest.mark.parametrize(
    "wrong", [5, {"completed": "x"}, {"completed": 1, "failed": []}, {"completed": 1, "latencies": 5}]
)
def test_a_result_of_another_shape_is_none(wrong: object) -> None:
    assert kept_result(wrong) is None
    assert kept_result({"completed": 3}) == {
        **dict.fromkeys(kept_result({"completed": 3}) or {}),
        "completed": 3,
        "latencies": {},
    }


# --- what nobody expected


def test_our_own_mistake_is_a_sentence_and_a_private_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_face", lambda *_: {}["HF_TOKEN=hf_abcdefghijklmnopqrst"])
    assert cli.run(["--json", "status"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == "Defect"
    assert err.startswith("✖ a defect of sparkconsole: KeyError")
    (kept,) = (Path.home() / ".local/state/sparkconsole/defects").iterdir()
    assert str(kept) in err.replace("\n", "")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "Traceback (most recent call last)" in kept.read_text()
    assert "hf_abcdefghijklmnopqrst" not in kept.read_text() + err + out
    monkeypatch.setenv(defect.SHOWN, "1")
    cli.run(["status"])
    assert "Traceback" in capsys.readouterr().err


def test_a_group_of_errors_is_told_by_what_a_person_can_be_told() -> None:
    told = SparkError("no room", node="n")
    assert defect.as_error(BaseExceptionGroup("g", [ValueError(), BaseExceptionGroup("h", [told])])) is told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "/x/y"), "/x/y: No space left on device — free some space"),
        (OSError(24, "Too many open files"), "Too many open files — raise the limit: ulimit -n"),
        (MemoryError(), "the memory of this machine is used up"),
        (ModuleNotFoundError("No module named 'rich'", name="rich"), "the installation is not complete"),
    ],
)
def test_faults_of_the_machine_are_no_mistake_of_ours(error: BaseException, words: str) -> None:
    assert words in str(defect.as_error(error))


def test_ctrl_c_while_it_loads_says_nothing() -> None:
    code = (
        "import sys\nfrom sparkconsole import cli\nimport builtins\nusual = builtins.__import__\n"
        "def late(name, *a, **k):\n    if name.startswith('asyncio'):\n        raise KeyboardInterrupt\n"
        "    return usual(name, *a, **k)\nbuiltins.__import__ = late\ncli.main(['--demo', 'status'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
