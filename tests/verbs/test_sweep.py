"""Who changes nodes sweeps them of what ended consoles left, says so, and is never held up by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkconsole.demo.answers import tools
from sparkconsole.model.work.job import ConsoleProcess, Job, JobKind, RunState
from sparkconsole.model.work.news import Remark
from tests.verbs.operated import Operated, pair

__all__ = ["pair"]

NODES = ["spark-01", "spark-02"]
Answers = tuple[int, str, str]


class Sweeps:
    """What the machines were asked to sweep, and what they answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.answers: dict[str, Answers] = {}

    def __call__(self, machine: Any, words: tuple[str, ...]) -> Answers:
        self.asked.append((machine.name, words))
        return self.answers.get(machine.name, (0, "0 0 0 0 0\n", ""))

    @property
    def nodes(self) -> list[str]:
        return [node for node, _ in self.asked]


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    made = Sweeps()
    monkeypatch.setitem(tools._SCRIPTS, "sweep", made)
    return made


def remarks(pair: Operated) -> list[tuple[str, str, str]]:
    return [(n.node, n.text, n.level) for n in pair.news if isinstance(n, Remark) and "swe" in n.text]


async def test_each_node_says_in_a_line_what_was_swept(pair: Operated, sweeps: Sweeps) -> None:
    sweeps.answers["spark-02"] = 0, "3 0 0 0 1\n", ""
    await pair.says("launch")
    assert sweeps.nodes == NODES
    what = "swept 3 job folders and one carrier of layers that ended consoles left"
    assert remarks(pair) == [("spark-02", what, "info")]


@pytest.mark.parametrize(
    "answer", [(1, "", "rm: cannot remove x: Read-only file system"), (127, "", "sh: ?")]
)
async def test_a_sweep_that_fails_is_a_warning(pair: Operated, sweeps: Sweeps, answer: Answers) -> None:
    sweeps.answers["spark-01"] = answer
    await pair.says("launch")
    [(node, text, level)] = remarks(pair)
    assert (node, level) == ("spark-01", "warning")
    assert text.startswith("not swept of what ended consoles left: ")


async def test_who_only_looks_or_plans_sweeps_nothing(pair: Operated, sweeps: Sweeps) -> None:
    for line in ("status", "check", "doctor", "runs list", "image list", "serve status"):
        await pair.answer_or_error(line)
    await pair.planned("launch")
    assert sweeps.asked == []


async def test_a_read_only_session_sweeps_nothing(pair: Operated, sweeps: Sweeps) -> None:
    await pair.says("launch")
    sweeps.asked.clear()
    pair.session.options = replace(pair.session.options, read_only=True)
    await pair.answer_or_error("runs attach x")
    await pair.answer_or_error("node exec -- true")
    assert sweeps.asked == []


async def test_what_runs_attach_may_need_is_kept(pair: Operated, sweeps: Sweeps) -> None:
    journal = pair.session.journal
    served = {"served": JobKind.SERVE, "ended": JobKind.SERVE}
    kinds = {"open": JobKind.COPY, "over": JobKind.COPY, **served}
    jobs = [Job(id=f"copy-{n}-1", node="spark-01", kind=kind, argv=("true",)) for n, kind in kinds.items()]
    runs = [journal.add_jobs(journal.begin(("image", "copy"), "lab", {}), [job]) for job in jobs]
    for run in runs[1:]:
        journal.end(run, RunState.DONE, 0)
    journal.ends(runs[3], {"run": "20260131-120000-serve-stop-1", "verb": "serve stop"})
    gone = runs[0].model_copy(update={"console": ConsoleProcess(host="elsewhere", pid=1)})
    (journal.folder / f"{gone.id}.json").write_text(gone.model_dump_json())
    await pair.says("launch")
    words = sweeps.asked[0][1]
    keep, over = words[words.index("keep") + 1 : words.index("over")], words[words.index("over") + 1 :]
    assert {gone.id, "copy-open-1"} <= {*keep}
    assert {"copy-over-1", "copy-ended-1"} <= {*over}, "what was ended on purpose is not read later"
    assert not {"copy-served-1", "copy-open-1"} & {*over}


async def test_what_an_end_left_that_nobody_saw_is_swept_by_who_sees_it(
    pair: Operated, sweeps: Sweeps
) -> None:
    await pair.says("launch")
    await pair.says("serve Qwen/Qwen3-0.6B")
    server = next(pair.session.journal.newest()).jobs[0]
    await pair.says("serve stop")
    run = next(pair.session.journal.newest())
    cut = {"state": RunState.RUNNING, "ended": None, "console": ConsoleProcess(host="elsewhere", pid=1)}
    (pair.session.journal.folder / f"{run.id}.json").write_text(run.model_copy(update=cut).model_dump_json())
    sweeps.asked.clear()
    pair.session.options = replace(pair.session.options, read_only=True)
    await pair.answer_or_error(f"runs attach {run.id}")
    assert sweeps.asked == []
    pair.session.options = replace(pair.session.options, read_only=False)
    (pair.session.journal.folder / f"{run.id}.json").write_text(run.model_copy(update=cut).model_dump_json())
    assert (await pair.says(f"runs attach {run.id}")).exit_code == 0
    [words] = {words for node, words in sweeps.asked if node == "spark-01"}
    assert server.id in words[words.index("over") :]


async def test_a_run_with_jobs_sweeps_at_its_end_too(pair: Operated, sweeps: Sweeps) -> None:
    await pair.says("launch")
    sweeps.asked.clear()
    await pair.says("serve Qwen/Qwen3-0.6B")
    assert sweeps.nodes == ["spark-01", "spark-01"], "once before it and once after"
    own = next(pair.session.journal.newest())
    assert own.id in sweeps.asked[0][1]


async def test_a_lost_node_is_not_swept(pair: Operated, sweeps: Sweeps) -> None:
    await pair.says("launch")
    sweeps.asked.clear()
    pair.pretend.machines["spark-02"].faults["lost"] = 0.0
    await pair.answer_or_error("stop")
    assert sweeps.nodes == ["spark-01"]
    assert remarks(pair) == []
