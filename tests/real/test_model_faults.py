"""Copies of a model that go wrong between real nodes: told clearly, the others finish, nothing half stays."""

from __future__ import annotations

from pathlib import Path

from tests.real.conftest import Operator
from tests.real.test_model_transfer import (
    FILES,
    FOLDER,
    HUB,
    MODEL,
    SUMS,
    THIRD,
    THIRD_BLOB,
    _arrived,
    _tidy,
    give,
    left,
    sent,
)
from tests.testbed.testbed import Testbed, until

__all__ = ["_tidy"]
CLEAN = ([], [], [])
SIZE = sum(map(len, FILES.values()))


def test_a_receiver_that_dies_stops_no_other(
    bed: Testbed, operator: Operator, third: int, tmp_path: Path
) -> None:
    give(bed, tmp_path)
    bed.rate(third, 100)
    copying = operator.start("--yes", "model", "copy", MODEL)
    until(lambda: bool(bed.processes(third, "model receive")), "the third receives", 60)
    bed.kill(third)
    assert copying.wait(180) == 1
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)
    hosts = operator.ask("runs", "show", operator.runs("model copy")[0]["id"])["outcome"]["hosts"]
    assert [(host["host"], host["state"]) for host in hosts] == [("spark2", "copied"), ("spark3", "failed")]
    assert "connection lost" in hosts[1]["detail"]
    assert "it goes on where it was" in hosts[1]["detail"]
    assert [left(bed, index) for index in (1, 2)] == [CLEAN, CLEAN]
    bed.boot(third)
    bed.rate(third, None)
    assert bed.exec(third, "find", HUB, "-type", "l", check=False) == "", "nothing half is called a model"
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(third, "sh", "-c", SUMS)


def test_a_disk_that_fills_up_while_bytes_arrive(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    bed.exec(2, "mkdir", "-p", HUB, user="spark")
    room = SIZE + 300_000_000
    bed.exec(2, "mount", "-t", "tmpfs", "-o", f"size={room},uid=1000", "full", HUB)
    bed.rate(2, 200)
    copying = operator.start("--yes", "model", "copy", MODEL)
    until(lambda: _arrived(bed) > 5_000_000, "bytes arrive", 60)
    bed.exec(2, "sh", "-c", f"cat /dev/zero >{HUB}/filler", check=False)
    assert copying.wait(180) == 1
    shown = str(operator.ask("runs", "show", operator.runs("model copy")[0]["id"]))
    assert "No space left on device → make room on spark2" in shown
    assert "model-0000" in shown
    assert bed.exec(2, "find", HUB, "-type", "l") == ""
    until(lambda: left(bed, 2) == CLEAN, "nothing half stays", 30)
    bed.exec(2, "rm", f"{HUB}/filler")
    bed.rate(2, None)
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)


def test_another_machine_at_the_receivers_address(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    node = ("node", "add", "spark2", bed.places.address(2), "--user", "spark")
    assert operator.run("--yes", "node", "remove", "spark2").returncode == 0
    assert operator.run(*node, "--fabric", bed.places.address(1, "fab")).returncode == 0
    try:
        done = operator.run("--yes", "model", "copy", MODEL)
        assert done.returncode == 1
        assert "Host key verification failed" in sent(done)
        assert "another machine answers at 192.168.177.11" in sent(done)
        assert _arrived(bed) == 0
        assert [left(bed, index) for index in (1, 2)] == [CLEAN, CLEAN]
    finally:
        operator.run("--yes", "node", "remove", "spark2")
        operator.run(*node)


def test_a_receiver_whose_key_changed_is_never_talked_to(
    bed: Testbed, operator: Operator, tmp_path: Path
) -> None:
    give(bed, tmp_path)
    bed.rekey(2)
    try:
        done = operator.run("--yes", "model", "copy", MODEL)
        assert done.returncode == 3
        assert "another host key" in sent(done)
    finally:
        bed.rekey(2, original=True)
    assert _arrived(bed) == 0
    assert left(bed, 1) == CLEAN


def test_two_consoles_at_once_both_end_well(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    bed.rate(2, 400)
    both = [operator.start("--yes", "model", "copy", MODEL) for _ in range(2)]
    assert [one.wait(300) for one in both] == [0, 0]
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)
    assert [left(bed, index) for index in (1, 2)] == [CLEAN, CLEAN]


def test_files_of_somebody_else_in_a_fine_cache(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    assert operator.run("--yes", "model", "copy", MODEL).returncode == 0
    bed.exec(2, "sh", "-c", f"chown root {THIRD_BLOB} && chmod 600 {THIRD_BLOB}")
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 4
    assert f"{THIRD} may not be read by spark" in sent(done)
    assert "sudo chown -R spark" in sent(done)
    bed.exec(2, "mv", THIRD_BLOB, f"{THIRD_BLOB}.incomplete")
    done = operator.run("--yes", "model", "copy", MODEL)
    assert done.returncode == 4
    assert ".incomplete belongs to root" in sent(done)
    bed.exec(2, "chown", "spark:spark", f"{THIRD_BLOB}.incomplete")
    bed.exec(2, "chmod", "644", f"{THIRD_BLOB}.incomplete")
    done = operator.run("--yes", "--json", "model", "copy", MODEL)
    assert done.returncode == 0, sent(done)
    assert bed.exec(2, "find", FOLDER, "!", "-user", "spark") == ""
    assert bed.exec(1, "sh", "-c", SUMS) == bed.exec(2, "sh", "-c", SUMS)


def test_a_folder_where_the_login_may_not_make_one(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    give(bed, tmp_path)
    # One shard is enough: a node's root file system is small.
    from_cache = (
        f"cp -L {FOLDER}/snapshots/*/{THIRD} model.safetensors; cp -L {FOLDER}/snapshots/*/config.json ."
    )
    bed.exec(1, "sh", "-ec", f"mkdir -p '/opt/m x'; cd '/opt/m x'; {from_cache}")
    try:
        done = operator.run("--yes", "model", "copy", "/opt/m x/")
        assert done.returncode == 4
        assert "on spark2: sudo install -d -o spark '/opt/m x'" in sent(done)
        bed.exec(2, "install", "-d", "-o", "spark", "/opt/m x")
        done = operator.run("--yes", "model", "copy", "/opt/m x/")
        assert done.returncode == 0, sent(done)
        sums = "cd '/opt/m x' && sha256sum -- *"
        assert bed.exec(1, "sh", "-c", sums) == bed.exec(2, "sh", "-c", sums)
    finally:
        for index in (1, 2):
            bed.exec(index, "rm", "-rf", "/opt/m x")
