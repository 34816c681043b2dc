"""`fabric test`, `fabric history` and `launch --gate` as a person asks for them, on the pretend cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole import cli


def script(
    capsys: pytest.CaptureFixture[str], folder: Path, nodes: int, *lines: str
) -> tuple[int, list[Any]]:
    """The exit code and every answer of a script."""
    path = folder / "script"
    path.write_text("\n".join(lines))
    code = cli.run([f"--demo={nodes}", "--json", "--yes", "--keep-going", "--script", str(path)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return code, rows


def answers_of(rows: list[Any]) -> list[Any]:
    return [a for row in rows for a in (row, row.get("answer") or {}, row.get("data") or {}) if "pairs" in a]


def wrong(answer: Any) -> set[tuple[str, str, str]]:
    return {(f["check"], f["severity"], f["node"]) for f in answer["findings"] if f["severity"] != "ok"}


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_a_healthy_cluster_is_all_green(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nodes: int
) -> None:
    code, rows = script(capsys, tmp_path, nodes, "fabric test")
    (answer,) = answers_of(rows)
    assert (code, answer["verdict"], wrong(answer)) == (0, "ok", set())
    assert len(answer["pairs"]) == nodes * (nodes - 1)
    measured = [p["gbit"] for p in answer["pairs"] if p["gbit"]]
    assert len(measured) == 2 * (1 if nodes == 2 else nodes), "neighbours in a ring, both halves"
    assert all(90 < gbit < 100 for gbit in measured)


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        ("mtu", 0, {("mtu path", "warn", "spark-02"), ("rate", "warn", "spark-01")}),
        ("link-down", 0, {("link", "warn", "spark-02")}),
        ("lost", 3, {("reachable", "fail", "spark-02")}),
    ],
)
def test_a_fault_is_named(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    fault: str,
    code: int,
    expected: set[tuple[str, str, str]],
) -> None:
    ended, rows = script(capsys, tmp_path, 2, f"demo fault spark-02 {fault}", "fabric test")
    assert ended == code
    assert wrong(answers_of(rows)[-1]) == expected


def test_what_was_measured_is_compared_with_later(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, rows = script(
        capsys, tmp_path, 2, "fabric test", "fabric test --quick", "fabric test", "fabric history"
    )
    first, quick, again = answers_of(rows)
    assert [p["earlier_gbit"] for p in first["pairs"]] == [None, None]
    assert [p["gbit"] for p in quick["pairs"]] == [None, None]
    assert [p["earlier_gbit"] for p in again["pairs"]] == [p["gbit"] for p in first["pairs"]]
    kept = next(a for row in rows for a in (row, row.get("answer") or {}) if "rates" in a)["rates"]
    assert [r["gbit"] for r in kept] == [p["gbit"] for p in (*again["pairs"][::-1], *first["pairs"][::-1])]


def test_a_dry_run_says_what_each_node_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo=2", "--json", "--dry-run", "fabric", "test"]) == 0
    said = json.loads(capsys.readouterr().out)["commands"]
    assert {c["node"] for c in said} == {"spark-01", "spark-02"}
    assert any(c["command"].startswith("ping ") and "-s 8972" in c["command"] for c in said)
    assert sum(c["command"].startswith("ib_write_bw ") for c in said) == 4


def test_one_node_has_no_fabric(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo=1", "fabric", "test"]) == 2
    assert cli.run(["--demo=1", "fabric", "history", "--last", "0"]) == 2


READY = ("image build", "image copy --to all")


def test_a_launch_goes_through_a_green_gate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, rows = script(capsys, tmp_path, 2, *READY, "launch --gate")
    assert code == 0
    assert any("ready" in a for row in rows for a in (row, row.get("answer") or {}))


def test_a_launch_is_refused_at_a_red_gate_and_nothing_was_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkconsole.demo.spark.fabric.RDMA_GBIT", (97.0, 13.0))
    code, rows = script(capsys, tmp_path, 2, *READY, "launch --gate", "status")
    assert code == 4
    told = json.dumps(rows)
    assert "fabric gate: 12." in told or "fabric gate: 13." in told
    assert "nothing was started" in told
    assert '"running": true' not in told
