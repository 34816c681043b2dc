"""`status --watch` as a person types it: rows of every node, JSON lines, a file of one's own, and its end."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sparkconsole import cli
from sparkconsole.model.work.answer import Row
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.status.watch import _with_worst_exit

QUICK = ("status", "--watch", "--every", "0.1")


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_demo_state", lambda _: tmp_path / "state")
    monkeypatch.setenv("COLUMNS", "200")


def test_so_many_rows_of_each_node_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo", *QUICK, "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [sum(f" {name} " in line for line in lines) for name in ("spark-01", "spark-02")] == [2, 2]
    assert all("gpu 0 %" in line and "rdma 2/4 up" in line for line in lines)


def test_json_lines_have_all_readings_and_the_file_has_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "series.jsonl"
    kept.write_text('{"node":"earlier"}\n')
    kept.chmod(0o644)
    assert cli.run(["--demo", "--json", *QUICK, "--count", "2", "--series", str(kept)]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    filed = [json.loads(line) for line in kept.read_text().splitlines()]
    assert filed == [{"node": "earlier"}, *said]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for row in said:
        assert row["state"] == "reachable"
        assert {"gpus", "memory", "rails", "nets", "buses", "pressures", "kernel", "oom_kills"} <= set(row)
        assert row["rails"]["rocep1s0f1"]["up"] is True


def test_a_device_keeps_its_mode(capsys: pytest.CaptureFixture[str]) -> None:
    """`--series /dev/full` as root closed that device to every other program of the machine."""
    ours, others = os.openpty()
    try:
        os.fchmod(others, 0o622)
        assert cli.run(["--demo", *QUICK, "--count", "1", "--series", os.ttyname(others)]) == 0
        assert stat.S_IMODE(os.fstat(others).st_mode) == 0o622
    finally:
        os.close(ours)
        os.close(others)


def test_a_lost_node_is_a_row_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "lost.spark"
    script.write_text(f"demo fault spark-02 lost\n{' '.join(QUICK)} --count 1\n")
    cli.run(["--demo", "--yes", "--json", "--script", str(script)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_node = {row["node"]: row for row in rows if "state" in row and "time" in row}
    assert by_node["spark-01"]["state"] == "reachable"
    assert by_node["spark-02"]["state"] == "unknown"
    assert by_node["spark-02"]["error"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("status", "--count", "2"), "--watch"),
        ((*QUICK, "--count", "0"), "--count"),
        (("status", "--watch", "--every", "0"), "--every"),
        ((*QUICK, "--count", "1", "--series", "/"), "--series /"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--demo", *words]) == 2
    assert why in capsys.readouterr().err


def test_the_exit_code_is_how_the_nodes_stand_at_the_end() -> None:
    stands: dict[str, int] = {}
    rows = [("a", {"exit": 1}), ("b", {}), ("a", {}), ("b", {"exit": 3}), ("a", {}), ("b", {})]
    said = [_with_worst_exit(Row(data, "", node), node, stands).data.get("exit") for node, data in rows]
    assert said == [1, 1, 0, 3, 3, 0]
