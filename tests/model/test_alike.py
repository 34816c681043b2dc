"""What is said of many nodes is said once, and says no more than each of them did."""

from __future__ import annotations

import pytest

from sparkconsole.model.checks import Finding, Severity, joined_findings
from sparkconsole.model.text.alike import form, groups, together, whose
from sparkconsole.verbs.diagnose.check import findings_sheet, verdict


@pytest.mark.parametrize(
    ("sentences", "one"),
    [
        (["image missing (v)", "image missing (v)"], "image missing (v)"),
        (["its clock is 9 s behind the others", "its clock is 3 s behind the others"],
         "its clock is 3 to 9 s behind the others"),
        (["only 2.5 GiB memory left: it may freeze", "only 0.4 GiB memory left: it may freeze"],
         "only 0.4 to 2.5 GiB memory left: it may freeze"),
        (["rail: 3 new errors", "rail: 3 new errors", "rail: 12 new errors"], "rail: 3 to 12 new errors"),
        (["says nothing since 48s", "says nothing since 9s"], "says nothing since 9 to 48s"),
    ],
)  # fmt: skip
def test_what_differs_by_a_number_is_one_sentence(sentences: list[str], one: str) -> None:
    assert len(groups(sentences, form)) == 1
    assert together(sentences) == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rocep1s0f0 has no link", "rocep1s0f1 has no link"),
        ("192.168.177.11 is taken", "192.168.177.12 is taken"),
        ("exit status 1", "exit status 137"),
        ("port 8888 is in use", "port 8265 is in use"),
        ("kernel 6.11.0-1016", "kernel 6.11.0-1018"),
        ("its clock is 3 s behind", "its clock is 3 s ahead"),
    ],
)
def test_names_that_have_digits_are_not_put_together(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_all_are_counted_and_some_are_counted_of_all() -> None:
    assert whose(["a"], 64) == "a"
    assert whose([], 64) == ""
    assert whose([f"n{i}" for i in range(64)], 64) == "64 nodes"
    assert whose(["a", "b", "c"], 64) == "3 of 64 nodes"


def missing(nodes: int, every: int) -> tuple[Finding, ...]:
    names = [f"n{i}" for i in range(every)]
    there = [Finding("reachable", Severity.OK, n, "answers") for n in names]
    return (
        *there,
        *(Finding("image", Severity.WARN, n, "image missing (v)", "build it") for n in names[:nodes]),
    )


@pytest.mark.parametrize(
    ("nodes", "every", "where"),
    [(2, 2, "all"), (8, 8, "all"), (64, 64, "all"), (3, 64, "n0, n1, n2"), (63, 64, "63 of 64 nodes")],
)
def test_a_check_says_a_thing_once_and_counts_it_once(nodes: int, every: int, where: str) -> None:
    findings = missing(nodes, every)
    sheet = findings_sheet(findings)
    assert [row[1:4] for row in sheet.rows] == [
        ("image", where, "image missing (v)"),
        ("reachable", "all", "answers"),
    ]
    assert verdict(findings) == "0 failed, 1 warning, 1 ok"


def test_another_remedy_is_another_thing() -> None:
    first, second = (Finding("image", Severity.WARN, n, "missing", f"pull on {n}") for n in ("a", "b"))
    assert [s.nodes for s in joined_findings([first, second])] == [("a",), ("b",)]
