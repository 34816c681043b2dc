"""The doctor's grid: nothing is assumed of what was not asked, and what gets worse is told again."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from sparkconsole.model.checks import BY_ID, Finding, Severity
from sparkconsole.tui.views.doctor import show
from sparkconsole.tui.views.doctor.show_findings import CheckRow, Mark, grouped, keys_of
from sparkconsole.tui.views.findings import findings_of
from tests.tui.stores import HOSTILE

OK, WARN, FAIL = Severity.OK, Severity.WARN, Severity.FAIL
THREE = {"spark-01": True, "spark-02": True, "spark-03": False}


def rows(*findings: Finding, nodes: dict[str, bool] | None = None, **how: object) -> dict[str, CheckRow]:
    return {r.check: r for r in grouped(findings, THREE if nodes is None else nodes, **how)}  # type: ignore[arg-type]


def marks(row: CheckRow) -> str:
    return "".join(m.value for m in row.marks.values())


def test_a_node_that_does_not_answer_is_unknown_in_all_else() -> None:
    lost = Finding("reachable", FAIL, "spark-03", "no route to host")
    told = rows(
        *(Finding("reachable", OK, n, "answers") for n in ("spark-01", "spark-02")),
        lost,
        Finding("docker", OK, "spark-01", "docker 29"),
        Finding("docker", OK, "spark-02", "docker 29"),
        Finding("mtu", OK, "", "MTU 9000"),
    )
    assert {check: marks(row) for check, row in told.items()} == {
        "reachable": "✔✔✖",
        "docker": "✔✔·",
        "mtu": "✔✔·",
    }
    assert told["docker"].unasked == ("spark-03",)


def test_what_names_only_the_bad_ones_is_right_on_the_others() -> None:
    told = rows(Finding("image", WARN, "spark-02", "not there"), Finding("ports", OK, "spark-01", "free"))
    assert marks(told["image"]) == "✔!·"
    assert marks(told["ports"]) == "✔–·", "the ports concern the head alone"


def test_what_another_failure_hides_is_unknown() -> None:
    told = rows(Finding("docker", FAIL, "spark-01", "down"), Finding("image", WARN, "spark-02", "not there"))
    assert marks(told["image"]) == "·!·"


def test_the_worse_of_its_own_and_of_all_together_counts() -> None:
    told = rows(
        Finding("gpu", OK, "spark-01", "GB10"),
        Finding("gpu", FAIL, "spark-02", "none"),
        Finding("gpu", WARN, "", "number differs"),
    )
    assert marks(told["gpu"]) == "!✖·"
    assert told["gpu"].worst is FAIL


def test_the_order_is_always_the_same_and_new_checks_stand_last() -> None:
    told = rows(*(Finding(c, OK, "", c) for c in ("zzz", "kernel", "disk", "docker")))
    assert list(told) == ["docker", "kernel", "disk", "zzz"]
    assert show.title("zzz") == "zzz"


def test_what_is_ignored_is_told_again_when_it_gets_worse() -> None:
    low, full = (Finding("disk", s, "spark-01", "9 GB free") for s in (WARN, FAIL))
    ignored = keys_of(rows(low)["disk"])
    assert rows(low, ignored=ignored)["disk"].ignored
    assert not rows(low, ignored=ignored)["disk"].pressing
    assert rows(full, ignored=ignored)["disk"].pressing
    another = Finding("disk", WARN, "spark-02", "1 GB free")
    assert rows(low, another, ignored=ignored)["disk"].pressing


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ((Finding("mtu", OK, "", "MTU 9000"),), "MTU 9000"),
        ((Finding("image", WARN, "spark-02", "not there"),), "02: not there"),
        (tuple(Finding("image", WARN, n, "not there") for n in THREE), "all: not there"),
        (tuple(Finding("disk", WARN, n, n) for n in THREE), "01: spark-01  +2 more"),
        (tuple(Finding("fabric", OK, n, n) for n in THREE), "01: spark-01"),
    ],
)
def test_what_was_found_in_a_line(findings: tuple[Finding, ...], line: str) -> None:
    (row,) = rows(*findings).values()
    assert show.found(row).plain == line


def test_the_evidence_has_problem_remedy_and_what_is_not_known() -> None:
    (row,) = rows(
        Finding("gpu", FAIL, "spark-02", "no GPU is visible", "reboot it"),
        Finding("gpu", OK, "spark-01", "GB10"),
    ).values()
    assert [line.plain for line in show.evidence(row, 60)] == [
        "✖ spark-02: no GPU is visible",
        "→ reboot it",
        "· not checked on spark-03",
        "✔ spark-01: GB10",
    ]
    told = show.explained(row)
    assert BY_ID["gpu"].why in str(told.parts[0])
    assert "reboot it" in show.report([row], "check")
    assert show.verdict([row]) == "1 failed · 0 ok"


@pytest.mark.parametrize("width", [40, 79, 158])
@pytest.mark.parametrize("count", [0, 1, 2, 8, 64])
def test_nodes_stand_in_columns_in_one_column_or_are_counted(count: int, width: int) -> None:
    nodes = {f"spark-{n:02}": True for n in range(1, count + 1)}
    told = rows(Finding("reachable", OK, "", "answers"), nodes=nodes)
    columns = show.columns(tuple(nodes), width)
    row = show.table_row(told["reachable"], columns)
    assert len(row.cells) == len(columns)
    if columns[1].id == "nodes":
        assert cell_len(str(row.cells[1])) <= (columns[1].width or 0) or count > (columns[1].width or 0)
    else:
        assert [c.title for c in columns[1:-1]] == [n[-2:] for n in nodes] or count < 2


def test_hostile_text_is_only_text() -> None:
    data = {"findings": [Finding("gpu", FAIL, HOSTILE, HOSTILE, HOSTILE).as_data()]}
    (row,) = grouped(findings_of(data), {HOSTILE: True})
    shown = "".join(t.plain for t in (*show.evidence(row, 40), show.found(row))) + show.report([row], "x")
    assert "\x1b" not in shown
    assert "[/x]" in shown
    assert Mark.FAIL in row.marks.values()
