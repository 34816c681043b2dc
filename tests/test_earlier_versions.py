"""What an earlier version wrote is still read: journal, bench results, configuration, jobs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import cancel_job, follow_job, job_state
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.job import Job
from sparkconsole.remote.local import LocalShell
from tests.conftest import ROOT

pytestmark = pytest.mark.programs

KEPT = sorted(path for path in (ROOT / "tests" / "kept").iterdir() if path.is_dir())


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A home where that version left its files."""
    version: Path = request.param
    shutil.copytree(version / "state", tmp_path / ".local" / "state" / "sparkconsole")
    shutil.copytree(version / "config", tmp_path / ".config" / "sparkconsole")
    return tmp_path


def said(home: Path, *words: str) -> Any:
    """What `--json` answers in that home; nothing may be said to be unreadable."""
    done = subprocess.run(
        (sys.executable, "-m", "sparkconsole", "--json", *words),
        env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])


def test_every_run_of_its_journal_is_listed_shown_and_exported(kept: Path) -> None:
    written = [
        json.loads(path.read_text()) for path in (kept / ".local/state/sparkconsole/runs").glob("*.json")
    ]
    listed = {run["id"]: run for run in said(kept, "runs", "list")["runs"]}
    assert {run["id"]: (run["words"], run["state"]) for run in written} == {
        key: (run["words"], run["state"]) for key, run in listed.items()
    }
    for run in written:
        shown = said(kept, "runs", "show", run["id"])
        assert [step["argv"] for step in shown["plan"]["steps"]] == [s["argv"] for s in run["plan"]["steps"]]
        assert [job["id"] for job in shown["jobs"]] == [job["id"] for job in run["jobs"]]
        assert said(kept, "runs", "export", run["id"])


def test_its_bench_results_and_rates_of_the_fabric_are_listed(kept: Path) -> None:
    assert [bench["model"] for bench in said(kept, "bench", "list")["benches"]] == ["Qwen/Qwen3-0.6B"]
    assert len(said(kept, "fabric", "history")["rates"]) == 2


def test_its_configuration_means_what_it_meant(kept: Path) -> None:
    nodes = said(kept, "node", "list")["nodes"]
    assert [(node["name"], node["address"]) for node in nodes] == [
        ("spark-01", "192.168.177.11"),
        ("spark-02", "192.168.177.12"),
    ]
    assert "spark-light" in json.dumps(said(kept, "config", "show"))


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async def connect(node: Node) -> LocalShell:
        return LocalShell(node.name)

    async with Fleet(Cluster(nodes=(Node(name="spark-01", address="127.0.0.1"),)), connect) as fleet:
        yield fleet


@pytest.mark.parametrize("version", KEPT, ids=lambda path: path.name)
@pytest.mark.parametrize("ends", ["by itself", "cancelled"])
async def test_a_job_that_it_started_is_followed_and_ended(fleet: Fleet, version: Path, ends: str) -> None:
    argv = json.loads((version / "job-start.json").read_text())
    (await (await fleet.shell("spark-01")).run(argv)).checked()
    started = next(word for word in argv if word.startswith("serve-kept"))
    job = Job.model_validate(_a_job(version) | {"id": started, "node": "spark-01", "container": ""})
    assert (await job_state(fleet, job)).running
    if ends == "cancelled":
        await cancel_job(fleet, job)
    else:
        (Path.home() / ".local/state/sparkconsole/jobs" / started / "gate").touch()
        async with asyncio.timeout(20):
            assert [line async for line in follow_job(fleet, job)] == ["first", "last"]
    now = await job_state(fleet, job)
    assert (now.running, now.status) == (False, 143 if ends == "cancelled" else 7)


def _a_job(version: Path) -> dict[str, Any]:
    """A job as that version's journal has it."""
    runs = [json.loads(path.read_text()) for path in (version / "state" / "runs").glob("*-serve-qwen*.json")]
    found: dict[str, Any] = runs[0]["jobs"][0]
    return found
