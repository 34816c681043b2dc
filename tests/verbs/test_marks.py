"""What a killed console left is looked for on the nodes; who changes one leaves a mark, or is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkconsole.demo.answers import tools
from sparkconsole.errors import Refused
from sparkconsole.fleet.marks import remove_marks_later
from sparkconsole.model.work.job import ConsoleProcess, NodeMark, Run, RunState
from sparkconsole.model.work.news import Remark
from sparkconsole.remote.node import marks
from sparkconsole.verbs.runs.without_jobs import nodes_to_ask
from tests.verbs.operated import Operated, lines, pair

__all__ = ["pair"]

GONE = ConsoleProcess(host="elsewhere", pid=1)
NODES = ("spark-01", "spark-02")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The pretend machines take marks; which they were given."""
    seen: dict[str, list[str]] = {"mark-put": [], "mark-remove": []}

    def taken(name: str) -> Any:
        def take(machine: Any, args: tuple[str, ...]) -> tuple[int, str, str]:
            seen[name].append(f"{machine.name} {args[0]}")
            return 0, "", ""

        return take

    for name in seen:
        monkeypatch.setitem(tools._SCRIPTS, name, taken(name))
    return seen


def lost_with_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second machine goes as soon as it has its mark."""

    def take(machine: Any, _: tuple[str, ...]) -> tuple[int, str, str]:
        if machine.name == "spark-02":
            machine.faults["lost"] = 0.0
        return 0, "", ""

    monkeypatch.setitem(tools._SCRIPTS, "mark-put", take)


async def killed(pair: Operated, line: str) -> Run:
    """A run whose console went right after it began."""
    action = await pair.planned(line)
    journal = pair.session.journal
    run = journal.begin(line.split(), pair.session.cluster.name, action.plan.as_data())
    path = journal.folder / f"{run.id}.json"
    path.write_text(run.model_copy(update={"console": GONE}).model_dump_json())
    return journal.find(run.id)


async def test_a_killed_launch_of_which_half_stands(pair: Operated) -> None:
    run = await killed(pair, "launch")
    await pair.says("launch")
    pair.pretend.machines["spark-02"].remove(pair.session.cluster.container)
    answer = await pair.says(f"runs attach {run.id}")
    assert answer.exit_code == 1
    said = "\n".join(lines(answer))
    assert "half-running" in said
    assert "launch --repair" in said
    shown = "\n".join(lines(await pair.says(f"runs show {run.id}")))
    assert "failed" in shown
    assert "half-running" in shown, "what was seen is kept"


async def test_a_killed_launch_that_came_to_its_end(pair: Operated) -> None:
    run = await killed(pair, "launch")
    await pair.says("launch")
    answer = await pair.says(f"runs attach {run.id}")
    assert answer.exit_code == 0
    assert "all that it was for stands" in lines(answer)
    assert pair.session.journal.find(run.id).state is RunState.DONE


async def test_a_killed_end_of_a_server_that_is_gone(pair: Operated) -> None:
    """There is a plan still, for what a server may have left: its proofs say that nothing is."""
    await pair.says("launch")
    assert (await pair.says("serve demo/tiny")).exit_code == 0
    run = await killed(pair, "serve stop")
    assert (await pair.says(f"runs attach {run.id}")).exit_code == 1
    run = await killed(pair, "serve stop")
    await pair.says("serve stop")
    assert "all that it was for stands" in lines(await pair.says(f"runs attach {run.id}"))
    assert pair.session.journal.find(run.id).state is RunState.DONE


async def test_whether_a_killed_restart_came_to_its_end_is_not_guessed(pair: Operated) -> None:
    """A container runs before it and after it; only between is it seen that something is missing."""
    await pair.says("launch")
    run = await killed(pair, "node restart spark-02")
    answer = await pair.says(f"runs attach {run.id}")
    assert (answer.exit_code, "what it did cannot be seen" in lines(answer)) == (5, True)
    pair.pretend.machines["spark-02"].remove(pair.session.cluster.container)
    run = await killed(pair, "node restart spark-02")
    answer = await pair.says(f"runs attach {run.id}")
    assert answer.exit_code == 1
    assert any("spark-02: not done: start" in line for line in lines(answer)), lines(answer)


async def test_a_killed_launch_of_which_nothing_stands(pair: Operated) -> None:
    run = await killed(pair, "launch")
    said = lines(await pair.says(f"runs attach {run.id}"))
    assert all(any(line.startswith(f"{node}: not done: start") for line in said) for node in NODES)
    assert said[-1] == f"to do it again: sparkconsole runs again {run.id}"
    assert pair.session.journal.find(run.id).state is RunState.FAILED


async def test_a_killed_stop_is_over_where_nothing_runs_any_more(pair: Operated) -> None:
    await pair.says("launch")
    run = await killed(pair, "stop")
    said = lines(await pair.says(f"runs attach {run.id}"))
    assert any(line.startswith("spark-01: not done: ") for line in said)
    assert pair.session.journal.find(run.id).state is RunState.FAILED
    run = await killed(pair, "stop")
    await pair.says("stop")
    assert "all that it was for stands" in lines(await pair.says(f"runs attach {run.id}"))
    assert pair.session.journal.find(run.id).state is RunState.DONE


async def test_stopping_a_killed_launch_of_which_nothing_stands_closes_it(pair: Operated) -> None:
    run = await killed(pair, "launch")
    answer = await pair.says(f"runs stop {run.id}")
    assert answer.exit_code == 0
    closed = f"nothing of it is on spark-01, spark-02: {run.id} is closed as cancelled"
    assert lines(answer) == ["`launch` was not seen to end", closed]
    assert pair.session.journal.find(run.id).state is RunState.CANCELLED
    again = lines(await pair.says(f"runs stop {run.id}"))
    assert again == [f"{run.id} had no job, and ended already: cancelled (130)"]


async def test_stopping_a_killed_launch_that_stands_says_so(pair: Operated) -> None:
    """Whole it is done, and `stop` takes it back; of half of it nobody can say that it is over."""
    half, whole = await killed(pair, "launch"), await killed(pair, "launch")
    await pair.says("launch")
    assert lines(await pair.says(f"runs stop {whole.id}"))[-1] == (
        f"all that it was for stands: {whole.id} is closed as done"
    )
    assert pair.session.journal.find(whole.id).state is RunState.DONE
    pair.pretend.machines["spark-02"].remove(pair.session.cluster.container)
    answer = await pair.says(f"runs stop {half.id}")
    assert answer.exit_code == 1
    assert "half-running" in "\n".join(lines(answer))
    assert pair.session.journal.find(half.id).state is RunState.UNKNOWN


async def test_stopping_looks_for_what_a_killed_command_left(
    pair: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ["77 sleep 99"]
    monkeypatch.setitem(tools._SCRIPTS, "commands", lambda *_: (0, "\n".join(left), ""))
    run = await killed(pair, "node exec -- sleep 99")
    answer = await pair.says(f"runs stop {run.id}")
    assert answer.exit_code == 5
    kill = "spark-01: still runs: sleep 99 (to end it: sparkconsole node exec --node spark-01 -- kill 77)"
    assert kill in lines(answer)
    assert pair.session.journal.find(run.id).state is RunState.UNKNOWN
    left.clear()
    assert (await pair.says(f"runs stop {run.id}")).exit_code == 0
    assert pair.session.journal.find(run.id).state is RunState.CANCELLED


async def test_stopping_asks_every_node_before_it_says_that_nothing_is_left(pair: Operated) -> None:
    run = await killed(pair, "node exec -- sleep 99")
    pair.pretend.machines["spark-02"].faults["lost"] = 0.0
    answer = await pair.answer_or_error(f"runs stop {run.id}")
    assert answer.exit_code == 3
    assert "spark-02" in "\n".join(lines(answer))
    assert pair.session.journal.find(run.id).state is RunState.UNKNOWN


@pytest.mark.parametrize("line", ["stop", "serve stop"])
async def test_a_node_that_the_plan_left_out_keeps_the_end_unknown(pair: Operated, line: str) -> None:
    """It could not be asked when it was planned, and cannot be asked now: nobody knows what is there."""
    await pair.says("launch")
    await pair.says("serve demo/tiny")
    lost = pair.pretend.machines["spark-02"].faults
    lost["lost"] = 0.0
    await pair.answer_or_error(line)
    run = next(pair.session.journal.newest())
    assert run.state is RunState.UNKNOWN
    answer = await pair.answer_or_error(f"runs attach {run.id}")
    assert answer.exit_code == 3
    assert "spark-02" in "\n".join(lines(answer))
    assert pair.session.journal.find(run.id).state is RunState.UNKNOWN
    text = "\n".join(lines(await pair.answer_or_error("status")))
    assert f"how your `{line}` of" in text
    assert "left by its console" not in text


async def test_letters_of_a_verb_name_no_node(pair: Operated) -> None:
    """The other node is called `o`, which stands in `stop`: it keeps the end unknown all the same."""
    await pair.says("launch")
    run = (await killed(pair, "stop")).model_copy(update={"plan": {"marked": ["spark-01"]}})
    session = pair.session
    head, other = session.cluster.nodes
    session.cluster = session.cluster.model_copy(
        update={"nodes": (head, other.model_copy(update={"name": "o"}))}
    )
    await session.fleet.regroup(session.cluster)
    assert "o" in nodes_to_ask(session, run)


@pytest.mark.parametrize(
    "line", ["node drop-caches spark-01", "node drop-caches 10.77.0.11", "node exec --node=spark-01 -- true"]
)
async def test_what_concerns_one_node_does_not_wait_for_another(pair: Operated, line: str) -> None:
    line = line.replace("10.77.0.11", pair.session.cluster.nodes[0].address)
    run = await killed(pair, line)
    pair.pretend.machines["spark-02"].faults["lost"] = 0.0
    assert (await pair.answer_or_error(f"runs attach {run.id}")).exit_code != 3


async def test_a_read_only_session_looks_too_and_writes_nothing(
    pair: Operated, scripts: dict[str, list[str]]
) -> None:
    run = await killed(pair, "launch")
    pair.session.options = replace(pair.session.options, read_only=True)
    said = lines(await pair.says(f"runs attach {run.id}"))
    assert any(line.startswith("spark-01: not done: start") for line in said)
    assert scripts == {"mark-put": [], "mark-remove": []}


async def test_a_node_that_cannot_be_asked_leaves_the_run_open(pair: Operated) -> None:
    run = await killed(pair, "launch")
    pair.pretend.machines["spark-02"].faults["lost"] = 0.0
    answer = await pair.answer_or_error(f"runs attach {run.id}")
    assert answer.exit_code == 3
    assert "spark-02" in "\n".join(lines(answer))
    assert pair.session.journal.find(run.id).state is RunState.UNKNOWN


async def test_the_next_plan_and_status_tell_what_has_no_console(pair: Operated) -> None:
    run = await killed(pair, "launch")
    told = f"see what stands: sparkconsole runs attach {run.id}; take it back: sparkconsole stop; or leave it"
    notes = (await pair.planned("node drop-caches spark-02")).plan.notes
    assert any("spark-01, spark-02: your `launch` of" in n and told in n for n in notes)
    assert any(told in line for line in lines(await pair.says("status")))
    assert "console gone: attach" in "\n".join(lines(await pair.says("runs list")))
    await pair.says(f"runs attach {run.id}")
    assert not any(told in line for line in lines(await pair.says("status")))


async def test_marks_are_left_before_and_removed_after(pair: Operated, scripts: dict[str, list[str]]) -> None:
    await pair.says("launch")
    run = next(pair.session.journal.newest())
    assert scripts["mark-put"] == scripts["mark-remove"] == [f"{node} {run.id}" for node in NODES]


async def test_a_lost_node_keeps_no_mark_on_the_others(pair: Operated, scripts: dict[str, list[str]]) -> None:
    """The run stays open, for nobody saw what became of that node; but nobody is at work any more."""
    await pair.says("launch")
    pair.pretend.machines["spark-02"].faults["lost"] = 0.0
    assert (await pair.answer_or_error("stop")).exit_code == 3
    run = next(pair.session.journal.newest())
    assert run.state is RunState.UNKNOWN
    assert f"spark-01 {run.id}" in scripts["mark-put"]
    assert f"spark-01 {run.id}" in scripts["mark-remove"]


async def test_a_mark_that_stays_on_a_lost_node_is_named(
    pair: Operated, scripts: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_with_its_mark(monkeypatch)
    assert (await pair.answer_or_error("launch")).exit_code
    run = next(pair.session.journal.newest())
    assert f"spark-01 {run.id}" in scripts["mark-remove"]
    stays = [n for n in pair.news if isinstance(n, Remark) and f"sparkconsole-mark-{run.id}" in n.text]
    assert [(n.node, n.level) for n in stays] == [("spark-02", "info")]
    assert pair.session.marked == ("spark-02",)
    pair.pretend.machines["spark-02"].faults.clear()
    await remove_marks_later(pair.session.fleet, run, pair.session.marked)
    assert scripts["mark-remove"][-1] == f"spark-02 {run.id}"


async def test_looks_and_dry_runs_leave_none(pair: Operated, scripts: dict[str, list[str]]) -> None:
    for line in ("status", "check", "doctor", "runs list", "image list", "serve status"):
        await pair.answer_or_error(line)
    await pair.planned("launch")
    assert scripts == {"mark-put": [], "mark-remove": []}


async def test_where_no_mark_can_be_left_nothing_begins_and_everything_ends(
    pair: Operated, scripts: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair.says("launch")
    full = marks.NO_MARK, "", "sh: 9: cannot create /tmp/sparkconsole-mark-x: No space left on device"

    def take(machine: Any, _: tuple[str, ...]) -> tuple[int, str, str]:
        return full if machine.name == "spark-02" else (0, "", "")

    monkeypatch.setitem(tools._SCRIPTS, "mark-put", take)
    await pair.says("stop")
    warned = [n for n in pair.news if isinstance(n, Remark) and n.level == "warning"]
    assert [(n.node, "No space left on device" in n.text) for n in warned] == [("spark-02", True)]
    assert not any(m.containers for m in pair.pretend.machines.values())
    with pytest.raises(
        Refused, match=r"takes no mark .*No space left on device.*nothing was started"
    ) as caught:
        await pair.says("launch")
    assert caught.value.node == "spark-02"
    assert not any(m.containers for m in pair.pretend.machines.values())
    run = next(pair.session.journal.newest())
    assert (run.state, scripts["mark-remove"][-2:]) == (RunState.FAILED, [f"{n} {run.id}" for n in NODES])


async def test_who_else_is_at_work_stands_in_the_plan(
    pair: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = pair.session.fleet.clock.now()
    mark = NodeMark(run="20261130-140200-launch-00ff", verb="launch", who="anna@laptop", since=began)
    text = mark.model_dump_json(exclude={"node"})
    look = {"spark-01": f"{text}\n", "spark-02": f"{text}\nnonsense\n"}
    monkeypatch.setitem(tools._SCRIPTS, "marks", lambda machine, _: (0, look[machine.name], ""))
    told = f"spark-01, spark-02: anna@laptop has been running `launch` since {began.astimezone():%a %H:%M}"
    assert told in (await pair.planned("launch")).plan.notes
    assert told in lines(await pair.says("status"))


@pytest.mark.parametrize("line", ["node exec -- true", "node exec --node spark-02 -- sh -c 'echo 1 >/tmp/x'"])
async def test_what_a_command_did_is_not_guessed(pair: Operated, line: str) -> None:
    """Its plan is the same whether it ran to its end or never began: only a person can tell."""
    run = await killed(pair, line)
    answer = await pair.says(f"runs attach {run.id}")
    assert answer.exit_code == 5
    assert lines(answer)[-3:] == [
        "what it did cannot be seen",
        f"to do it again: sparkconsole runs again {run.id}",
        f"to close it: sparkconsole runs stop {run.id}",
    ]
    assert pair.session.journal.find(run.id).state is RunState.UNKNOWN
    assert (await pair.says(f"runs stop {run.id}")).exit_code == 0
    assert pair.session.journal.find(run.id).state is RunState.CANCELLED
