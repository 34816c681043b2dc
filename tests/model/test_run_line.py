"""Runs as lines, and two of them beside each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparkconsole.model.work.job import Job, JobKind, Run, RunState
from sparkconsole.model.work.run_difference import differences, leaves
from sparkconsole.model.work.run_line import gist, run_line

AT = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)


def run(words: str = "launch", **changes: Any) -> Run:
    told = {"ended": AT + timedelta(seconds=60), "state": RunState.DONE, "exit_code": 0, **changes}
    return Run(id="a", words=tuple(words.split()), started=AT, **told)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({"result": {"output_tokens_per_s": 109.89}}, "109.9 tok/s"),
        ({"hosts": [{"host": "a", "bytes": 2e9}, {"host": "b", "bytes": 1e9}]}, "copied 3.0 GB"),
        ({"ready": True, "nodes": [{}, {}]}, "2 nodes ready"),
        ({"tag": "vllm-node", "size_bytes": 19_200_000_000}, "19.2 GB"),
        ({"state": "ready"}, "ready"),
        ({"result": {"output_tokens_per_s": None}, "hosts": ["x"], "nodes": 3, "state": 4}, ""),
        ({}, ""),
    ],
)
def test_what_came_of_it_in_a_few_words(outcome: dict[str, Any], told: str) -> None:
    assert gist(outcome) == told
    assert run_line(run(outcome=outcome)).gist == told


def test_a_line_has_nodes_steps_jobs_and_why_it_failed() -> None:
    steps = [{"node": n, "sentence": "x"} for n in ("b", "a", "b")]
    job = Job(id="serve-1", node="a", kind=JobKind.SERVE, argv=("x",))
    line = run_line(
        run(
            state=RunState.FAILED,
            plan={"title": "launch it", "steps": steps},
            jobs=(job,),
            error={"node": "b", "cause": "no space", "hint": "make some"},
        )
    )
    assert (line.nodes, line.steps, line.jobs, line.title) == (("b", "a"), 3, 1, "launch it")
    assert (line.cause, line.hint, line.over) == ("b: no space", "make some", True)
    assert not run_line(run(state=RunState.UNKNOWN)).over


def test_only_what_differs_is_told_numbers_with_their_change() -> None:
    one = run("bench run --num-prompts 64", outcome={"result": {"rate": 40.0, "same": 1}, "model": "m"})
    other = run(
        "bench run --num-prompts 128 --seed 1",
        ended=AT + timedelta(seconds=90),
        outcome={"result": {"rate": 50.0, "same": 1}, "model": "n"},
    )
    assert differences(one, other) == (
        ("words --num-prompts", "64", "128 --seed 1", ""),
        ("took", "00:01:00", "00:01:30", "+50.0 %"),
        ("result.rate", "40", "50", "+25.0 %"),
        ("model", "m", "n", ""),
    )
    assert differences(one, one) == ()


def test_how_they_ended_and_where_differs_too() -> None:
    failed = run(state=RunState.FAILED, exit_code=1, ended=None, error={"cause": "no route"}, cluster="lab")
    told = {what: (a, b) for what, a, b, _ in differences(run(), failed)}
    assert told["state"] == ("done", "failed")
    assert told["took"] == ("00:01:00", "–")
    assert told["error"] == ("–", "no route")


def test_what_differs_at_its_far_end_is_shown_to_its_end() -> None:
    one, other = ({"steps": [{"node": f"spark-{i:02}"} for i in range(n)]} for n in (40, 39))
    causes = [{"cause": "x" * 250 + end} for end in ("a", "b")]
    found = differences(run(plan=one, error=causes[0]), run(plan=other, error=causes[1]))
    assert {name for name, was, now, _ in found if was != now} == {"nodes", "error"}


def test_items_go_by_their_node_and_long_samples_are_left_out() -> None:
    data = {"hosts": [{"host": "a", "n": 1}], "few": [5], "many": list(range(100)), "no": None}
    assert dict(leaves(data)) == {"hosts[a].host": "a", "hosts[a].n": 1, "few[0]": 5}
