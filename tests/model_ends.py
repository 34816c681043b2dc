"""The two ends of a copy as homes on one machine, with real python3s. A shell stands for ssh: what travels is
the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from sparkconsole.model.checkpoint.files import CheckpointFiles, MissingFiles, shipment
from sparkconsole.model.transfer.ends import Receiver
from sparkconsole.parse.checkpoint.files import MoveLog, parse_holding
from sparkconsole.remote.checkpoint.files import FOLDER, SEND, look_argv, manifest, program
from tests.model_caches import COMMIT

MODEL = "owner/a-model"


def look(
    home: Path, model: str = MODEL, *, hashing: bool = False, beside: bool = False, revision: str = ""
) -> CheckpointFiles:
    """What the program says of a home's model."""
    done = subprocess.run(
        look_argv(model, revision, hashing=hashing, beside=beside), input=program(), env=environment(home),
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    return parse_holding(done.stdout.decode())


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a login there."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], **more}


def job(
    home: Path, ssh: list[str], source: CheckpointFiles, target: CheckpointFiles, what: MissingFiles
) -> Path:
    """The folder of a job, as the steps of the plan fill it."""
    folder = Path(tempfile.mkdtemp(dir=home, prefix="job-"))
    shutil.copytree(FOLDER, folder / "programs")
    text = manifest(Receiver("b", "b"), source, target, what, 3).splitlines()
    head = {**json.loads(text[0]), "ssh": ssh}
    (folder / "manifest").write_text("\n".join([json.dumps(head), *text[1:]]) + "\n")
    return folder


def copy(a: Path, b: Path, ssh: tuple[str, ...] = ("sh", "-c"), model: str = MODEL) -> MoveLog:
    """One copy of what is lacking, and what its log said."""
    source, target = look(a, model, hashing=model != MODEL), look(b, model, hashing=True, beside=True)
    what = shipment(source, target)
    done = subprocess.run(
        SEND, cwd=job(a, list(ssh), source, target, what), env=environment(a), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    log = MoveLog()
    for line in (done.stdout + done.stderr).splitlines():
        log.feed(line)
    assert (done.returncode == 0) == (log.failed == {})
    return log


def content(folder: Path) -> dict[str, bytes]:
    """What a program that opens the snapshot reads."""
    snapshot = folder / "snapshots" / COMMIT
    files = (path for path in snapshot.rglob("*") if path.is_file())
    return {str(path.relative_to(snapshot)): path.read_bytes() for path in files}


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """Of the sender and of the receiver."""
    for name in "ab":
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


def halves(home: Path) -> list[str]:
    """Files under way."""
    return [path.name for path in home.rglob("*.incomplete")]
