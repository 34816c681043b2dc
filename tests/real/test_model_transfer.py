"""Models between real nodes: both layouts, damage, gaps, cuts, stops; nothing half is called whole.

SPARKCONSOLE_MODEL_MB says how large the model of eight shards is; a real look takes 2000.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_caches import blob_name, hub_cache, shards
from tests.real.conftest import Operator, damage
from tests.testbed.testbed import Testbed, until

MEGABYTES = int(os.environ.get("SPARKCONSOLE_MODEL_MB", "160"))
MODEL, HUB = "lab/eight", "/home/spark/.cache/huggingface/hub"
FOLDER = f"{HUB}/models--lab--eight"
SHARDS = 8
FILES = shards(SHARDS, MEGABYTES * 1_000_000 // SHARDS)
THIRD = next(name for name in FILES if name.startswith("model-00003"))
THIRD_BLOB = f"{FOLDER}/blobs/{blob_name(THIRD, FILES[THIRD])}"
SUMS = f"cd {FOLDER}/snapshots/* && sha256sum -- *"


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed, operator: Operator) -> Iterator[None]:
    yield
    for index in (1, 2):
        bed.boot(index)
        bed.heal(index)
        bed.rate(index, None)
        bed.exec(
            index,
            "sh",
            "-c",
            f"umount {HUB} 2>/dev/null; rm -rf /home/spark/.cache /home/spark/.local /home/spark/m",
        )


def give(bed: Testbed, home: Path, *, shared: bool = False) -> None:
    """Node 1 has the model, as the hub's client would have left it."""
    hub_cache(home, MODEL, FILES, shared=shared)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(home / ".cache", ".cache")
    bed.exec(1, "tar", "-xC", "/home/spark", "--no-same-owner", stdin=packed.getvalue(), user="spark")


def sent(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def left(bed: Testbed, index: int) -> tuple[list[str], list[str], list[str]]:
    """Processes, half files and job folders."""
    half = bed.exec(index, "find", "/home/spark", "-name", "*.incomplete", check=False).split()
    return bed.processes(index, "programs send|model receive"), half, bed.leftovers(index)


@pytest.mark.parametrize("shared", [False, True], ids=["blobs of the model", "blobs of all models"])
def test_copied_proved_damaged_and_mended(
    shared: bool, bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    give(bed, tmp_path, shared=shared)
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)
    assert bed.exec(2, "find", HUB, "!", "-user", "spark") == ""
    links = f"cd {FOLDER} && find . -type l -printf '%p %l\\n' | sort"
    assert bed.exec(1, "sh", "-c", links) == bed.exec(2, "sh", "-c", links)
    listed = operator.ask("model", "list")["models"]
    assert [(m["name"], m["everywhere"]) for m in listed] == [(MODEL, True)]

    blob = bed.exec(2, "readlink", "-f", THIRD_BLOB).strip()
    damage(bed, 2, blob)
    done = operator.run("--json", "model", "verify", MODEL)
    assert done.returncode == 1
    assert blob.rpartition("/")[2] in done.stdout
    before = bed.exec(2, "sh", "-c", f"ls -Li --time-style=full-iso {FOLDER}/snapshots/*")
    done = operator.run("--yes", "--json", "model", "copy", MODEL, "--verify")
    assert done.returncode == 0, sent(done)
    assert f'"bytes": {len(FILES[THIRD])}' in done.stdout, "only the damaged file travelled"
    after = bed.exec(2, "sh", "-c", f"ls -Li --time-style=full-iso {FOLDER}/snapshots/*")
    assert len(set(before.splitlines()) ^ set(after.splitlines())) == 2
    assert operator.run("model", "verify", MODEL).returncode == 0
    assert [left(bed, index) for index in (1, 2)] == [([], [], [])] * 2


def test_gaps_are_named_and_only_they_are_filled(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    assert operator.run("--yes", "model", "copy", MODEL).returncode == 0
    bed.exec(2, "rm", THIRD_BLOB)
    found = operator.ask("model", "list")["models"][0]
    assert "spark2" in found["incomplete"]
    done = operator.run("--yes", "--json", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert f'"bytes": {len(FILES[THIRD])}' in done.stdout
    bed.exec(1, "rm", THIRD_BLOB)
    done = operator.run("--yes", "model", "copy", MODEL, "--from", "spark1")
    assert done.returncode == 1
    assert THIRD in sent(done)
    assert "model download" in sent(done)
    assert operator.run("--yes", "model", "copy", MODEL).returncode == 0, "the other node has it whole"
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)


def test_a_cache_of_roots_and_a_full_disk_are_refused(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    give(bed, tmp_path)
    bed.exec(2, "mkdir", "-p", HUB)
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 4
    assert "belongs to root and spark may not write there" in sent(done)
    assert "sudo chown -R spark" in sent(done)
    bed.exec(2, "chown", "-R", "spark:spark", "/home/spark/.cache")
    bed.exec(2, "mount", "-t", "tmpfs", "-o", "size=64m,uid=1000", "full", HUB)
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 4
    assert "are needed" in sent(done)
    assert bed.exec(2, "find", HUB, "-type", "f") == ""


def test_a_cable_pulled_in_the_middle_and_then_the_rest(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    give(bed, tmp_path)
    bed.rate(2, 200)
    copying = operator.start("--yes", "model", "copy", MODEL)
    until(lambda: _arrived(bed) > 10_000_000, "bytes arrive", 60)
    bed.cut(2, "fab", "fab2")
    assert copying.wait(180) == 1
    kept = _arrived(bed)
    assert kept > 10_000_000
    assert bed.exec(2, "find", FOLDER, "-type", "l") == "", "nothing half is called a model"
    bed.heal(2)
    bed.rate(2, None)
    done = operator.run("--yes", "--json", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)
    assert [left(bed, index) for index in (1, 2)] == [([], [], [])] * 2


def test_a_killed_console_is_picked_up_and_a_stop_leaves_no_half_file(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    give(bed, tmp_path)
    bed.rate(2, 60)  # it is to last until it is stopped, on a busy machine too
    console = operator.start("--yes", "model", "copy", MODEL)
    until(lambda: _arrived(bed) > 1_000_000, "bytes arrive", 60)
    console.kill()
    console.wait(10)
    run = operator.runs("model copy")[0]
    assert run["state"] == "unknown"
    stopped = operator.run("--yes", "runs", "stop", run["id"])
    assert stopped.returncode in (0, 130), sent(stopped)
    until(lambda: left(bed, 2)[:2] == ([], []), "nothing half stays", 30)
    assert bed.processes(1, "programs send") == []
    console = operator.start("--yes", "model", "copy", MODEL)
    until(lambda: bool(bed.processes(2, "model receive")), "it goes on", 60)
    console.kill()
    console.wait(10)
    bed.rate(2, None)
    done = operator.run("runs", "attach", operator.runs("model copy")[0]["id"], timeout=300)
    assert done.returncode == 0, sent(done)
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)
    assert [left(bed, index) for index in (1, 2)] == [([], [], [])] * 2


def test_a_folder_outside_of_the_cache(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    bed.exec(
        1, "sh", "-c", f"mkdir /home/spark/m && cp -L {FOLDER}/snapshots/*/* /home/spark/m", user="spark"
    )
    done = operator.run("--yes", "model", "copy", "/home/spark/m")
    assert done.returncode == 0, sent(done)
    sums = "cd /home/spark/m && sha256sum -- *"
    assert bed.exec(1, "sh", "-c", sums) == bed.exec(2, "sh", "-c", sums)
    fit = operator.ask("model", "fit", "/home/spark/m")
    assert fit["stored_bytes"] == MEGABYTES * 1_000_000 // SHARDS * SHARDS


def _arrived(bed: Testbed) -> int:
    """Bytes of the model on node 2, whole files or not."""
    told = bed.exec(2, "sh", "-c", f"find {HUB} -type f -printf '%s\\n' 2>/dev/null", check=False)
    return sum(map(int, told.split()))
