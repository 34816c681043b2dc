"""A pretend cluster that lasts: each line a process of its own, as a person types them."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo import saved_cluster
from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.cluster import pretend
from sparkconsole.demo.faults import KINDS, inject
from sparkconsole.errors import Refused
from sparkconsole.verbs.grammar.open_session import demo_folder, open_session
from tests.conftest import ROOT

pytestmark = pytest.mark.programs


class Typed:
    """Types lines; the home is this test's own."""

    def __init__(self, home: Path) -> None:
        self.home, self.state = home, home / ".local/state/sparkconsole/demo"
        self.env = {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "200"}

    def line(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            (sys.executable, "-m", "sparkconsole", *words), cwd=ROOT, env=self.env,
            capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def data(self, *words: str) -> dict[str, object]:
        return json.loads(self.line("--json", *words).splitlines()[0])  # type: ignore[no-any-return]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path)


def test_what_was_broken_is_broken_in_the_next_command_and_mended_in_the_one_after(typed: Typed) -> None:
    typed.line("--demo=lab", "demo", "fault", "spark-02", "lost")
    assert "no route to host" in typed.line("--demo=lab", "status", code=3)
    assert "no route to host" not in typed.line("--demo=other", "status"), "another name is another cluster"
    assert "no route to host" not in typed.line("--demo", "status"), "without a name nothing lasts"
    typed.line("status", "--demo=lab", "--json", code=3)
    typed.line("--demo=lab", "demo", "clear", "spark-02")
    assert "no route to host" not in typed.line("--demo=lab", "status")


def test_the_main_job_a_process_a_line(typed: Typed) -> None:
    lab = ("--demo=lab", "--yes")
    typed.line(*lab, "image", "build")
    typed.line(*lab, "image", "copy", "--to", "all")
    typed.line(*lab, "launch")
    typed.line(*lab, "serve", "Qwen/Qwen3-0.6B", "--max-model-len", "4096")
    assert typed.data(*lab, "serve", "status")["model"] == "Qwen/Qwen3-0.6B"
    assert "24 completed, 0 failed" in typed.line(*lab, "bench", "run", "--num-prompts", "24")
    assert "spark-02" in typed.line(*lab, "logs", "--tail", "20")
    typed.line(*lab, "serve", "stop")
    typed.line(*lab, "stop")
    runs = typed.data("--demo=lab", "runs", "list")["runs"]
    assert [" ".join(run["words"][:2]) for run in runs][::-1] == [  # type: ignore[attr-defined]
        "image build", "image copy", "launch", "serve Qwen/Qwen3-0.6B", "bench run", "serve stop", "stop",
    ]  # fmt: skip


def test_the_number_of_machines_is_kept_and_another_one_refused(typed: Typed) -> None:
    typed.line("--demo=four:4", "status")
    nodes = typed.data("--demo=four", "status")["nodes"]
    assert len(nodes) == 4  # type: ignore[arg-type]
    assert "four has 4 machines, not 3" in typed.line("--demo=four:3", "status", code=2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is damaged"),
        ("{}", "it is damaged"),
        ("[" * 100_000, "it is damaged"),
        ('{"shape": "of another time"}', "another version of sparkconsole wrote it"),
        (None, "it is damaged"),
    ],
    ids=["empty", "no state", "too deep", "another version", "cut off"],
)
def test_a_file_that_cannot_be_taken_is_a_sentence_and_a_new_cluster(
    typed: Typed, text: str | None, why: str
) -> None:
    typed.line("--demo=lab", "demo", "fault", "spark-02", "lost")
    path = typed.state / "lab" / saved_cluster.STATE
    if text is None:
        state = json.loads(path.read_text())
        text = json.dumps({**state, "machines": state["machines"][:-40]})
    path.write_text(text)
    told = typed.line("--demo=lab", "status")
    assert f"the pretend cluster lab begins anew: {path}: {why}" in told
    assert "no route to host" not in told
    assert "begins anew" not in typed.line("--demo=lab", "status"), "said once"


@pytest.mark.parametrize("harm", ["os.system", "builtins.eval", "sparkconsole.demo.spark.machine.json"])
def test_no_other_class_than_ours_is_made_of_the_file(harm: str, tmp_path: Path) -> None:
    module, _, name = harm.rpartition(".")
    stream = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    stream += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    import io

    with pytest.raises(pickle.UnpicklingError, match="no part of a pretend cluster"):
        saved_cluster._MachinesReader(io.BytesIO(stream), DemoClock()).load()


@pytest.mark.parametrize("kind", KINDS)
async def test_every_fault_lasts(kind: str, tmp_path: Path) -> None:
    async with saved_cluster.lasting(tmp_path / "lab", None, DemoClock()) as kept:
        inject(kept.pretend.machines["spark-02"], kind)
        notes = list(kept.pretend.machines["spark-02"].kernel)
    async with saved_cluster.lasting(tmp_path / "lab", None, clock := DemoClock()) as kept:
        machine = kept.pretend.machines["spark-02"]
        assert kind in machine.faults
        assert not kept.remark
        assert machine.kernel == notes
        assert machine.clock is clock
        assert machine.cluster is kept.pretend.machines


async def test_time_goes_on_and_never_back(tmp_path: Path) -> None:
    async with saved_cluster.lasting(tmp_path / "lab", None, clock := DemoClock(speed=1e6)):
        now, passed = clock.now(), clock.monotonic()
    async with saved_cluster.lasting(tmp_path / "lab", None, clock := DemoClock(speed=1.0)):
        assert clock.now() >= now
        assert clock.monotonic() >= passed


async def test_two_commands_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_cluster, "WAIT_S", 0.3)
    async with saved_cluster.lasting(tmp_path / "lab", None, DemoClock()):
        with pytest.raises(Refused, match=rf"in use by another sparkconsole \(process {os.getpid()}\)"):
            async with saved_cluster.lasting(tmp_path / "lab", None, DemoClock()):
                pass
    async with saved_cluster.lasting(tmp_path / "lab", None, DemoClock()) as kept:
        assert not kept.remark


async def test_what_fails_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    options = Options(demo=2, demo_name="lab")

    async def fails() -> None:
        async with open_session(options) as session:
            assert session.pretend is not None
            inject(session.pretend.machines["spark-01"], "hot")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with open_session(options) as session:
        assert session.pretend is not None
        assert "hot" in session.pretend.machines["spark-01"].faults
    assert demo_folder("lab").is_relative_to(tmp_path)


def test_the_shape_tells_versions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved_cluster.shape()
    assert before == saved_cluster.shape()
    monkeypatch.setattr(saved_cluster, "__version__", "0.0.1")
    assert saved_cluster.shape() != before


def test_a_new_pretend_cluster_needs_no_file() -> None:
    assert len(pretend(3).machines) == 3
