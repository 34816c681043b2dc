"""The journal's verbs: what was done is shown, done again, and minded to its true end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.export import export_script, verb_line
from sparkconsole.model.work.job import ConsoleProcess, Job, JobKind, Run, RunState
from sparkconsole.model.work.news import Report, nobody
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote import jobs as remote
from sparkconsole.remote.shell import Shell
from sparkconsole.script.lines import read_script
from sparkconsole.verbs.grammar import registry
from sparkconsole.verbs.grammar.registry import Verb
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.runs import runs
from tests.line_shell import LineShell

GONE = ConsoleProcess(host="elsewhere", pid=1)


class Machine(LineShell):
    """A node with jobs: answers the job scripts the way a node does."""

    def __init__(self, node: str, running: Iterable[str] = (), ended: Iterable[str] = ()) -> None:
        super().__init__(node)
        self.running, self.ended = set(running), set(ended)

    def answer(self, argv: tuple[str, ...]) -> str:
        name, job = argv[3], argv[4]
        if name == "job-state":
            return "running - 0" if job in self.running else "ended 0 9" if job in self.ended else "unknown"
        if name == "job-cancel" and job in self.running:
            self.running.remove(job)
            self.ended.add(job)
        if name == "job-forget":
            self.ended.discard(job)
        return ""


def session_with(folder: Path, *machines: Machine) -> Session:
    cluster = Cluster(name="lab", nodes=tuple(Node(name=m.node, address=m.node) for m in machines))

    async def connect(node: Node) -> Shell:
        machine = next(m for m in machines if m.node == node.name)
        if machine.cut:
            raise Unreachable("no route to host")
        return machine

    journal = Journal(folder, RealClock())
    inventory = Inventory(default="lab", clusters={"lab": cluster})
    return Session(Options(), inventory, cluster, Fleet(cluster, connect), journal)


def job(node: str, kind: JobKind = JobKind.BUILD, *, container: str = "") -> Job:
    return Job(id=f"{kind}-{node}", node=node, kind=kind, argv=("work",), container=container)


def left_behind(
    session: Session, *jobs: Job, words: Sequence[str] = ("image", "build"), nodes: Sequence[str] = ()
) -> Run:
    """A run whose console is gone."""
    plan = {"steps": [{"node": node, "sentence": "write it"} for node in nodes]}
    run = session.journal.add_jobs(session.journal.begin(words, "lab", plan), jobs)
    path = session.journal.folder / f"{run.id}.json"
    path.write_text(run.model_copy(update={"console": GONE}).model_dump_json())
    return session.journal.find(run.id)


@pytest.fixture(autouse=True)
def _verbs_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small grammar and followers of the test's own; the real verbs have tests of their own."""

    async def followed(session: Session, run: Run, job: Job, report: Report) -> Answer:
        await remote.forget(await session.fleet.shell(job.node), job)
        return Answer({"followed": job.id}, (f"{job.id} ended well",))

    async def nothing(_: Session) -> Answer:
        return Answer()

    verbs = {
        words: Verb(words, nothing, changes, Tier(changes))
        for words, changes in ((("image", "build"), True), (("exec",), True), (("status",), False))
    }
    monkeypatch.setattr(registry, "load", lambda: verbs)
    monkeypatch.setattr(registry, "FOLLOWERS", dict.fromkeys(JobKind, followed))


async def action(result: Answer | PlannedAction) -> PlannedAction:
    assert isinstance(result, PlannedAction)
    return result


async def test_the_list_says_when_a_console_is_gone(tmp_path: Path) -> None:
    session = session_with(tmp_path, Machine("spark1"))
    left_behind(session, job("spark1"))
    session.journal.end(session.journal.begin(("launch",), "lab", {}), RunState.FAILED, 3)
    session.journal.begin(("serve", "m"), "lab", {})
    (session.journal.folder / "torn.json").write_text("{")
    answer = await runs.list_(session)
    states = {row[-1]: row[2] for row in answer.parts[0].rows}  # type: ignore[union-attr]
    assert states == {"image build": "console gone: attach", "launch": "failed (3)", "serve m": "started"}
    assert "torn.json" in str(answer.parts[-1])
    assert len((await runs.list_(session, limit=1)).data["runs"]) == 1


async def test_a_run_is_shown_with_plan_result_and_output(tmp_path: Path) -> None:
    session = session_with(tmp_path)
    plan = {"steps": [{"node": "spark1", "sentence": "build it"}]}
    run = session.journal.begin(("image", "build"), "lab", plan)
    session.journal.append_output(run, "step 1/9")
    session.journal.end(run, RunState.FAILED, 1, error={"cause": "no space", "node": "spark1"})
    answer = await runs.show(session, run.id, output=True)
    text = str(answer.parts)
    assert "build it" in text
    assert "no space" in text
    assert answer.parts[-1] == answer.data["output"].strip() == "step 1/9"
    assert "output" not in (await runs.show(session, run.id)).data


async def test_a_failed_run_says_what_its_output_shows(tmp_path: Path) -> None:
    session = session_with(tmp_path)
    run = session.journal.begin(("serve", "tiny"), "lab", {})
    session.journal.append_output(run, "(EngineCore pid=7) ERROR 11-23 07:22:58 [x.py:9] CUDA out of memory.")
    session.journal.end(run, RunState.FAILED, 1)
    answer = await runs.show(session, run.id)
    assert [d["id"] for d in answer.data["findings"]] == ["gpu-out-of-memory"]
    assert "unified memory" in str(answer.parts)


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "--", "python3", "-c", "import sys; print(sys.argv[1:])", "a b", '{"x": "$y"}', "ü", ""),
        ("exec", "--", "echo", "${HOME} $HOME $${HOME} $(date) `date`", "it's", "# no comment", "*"),
        ("exec", "--", "sh", "-c", "echo a \\\n  b\necho c"),
    ],
)
def test_an_exported_line_gives_the_same_words_back(words: tuple[str, ...]) -> None:
    (line,) = read_script(verb_line(words), {"HOME": "wrong"})
    assert line.words == words


def test_hidden_secrets_become_variables() -> None:
    words = ("serve", "m", "--api-key", "***", "-e", "HF_TOKEN=***", "--hf-token=***")
    (line,) = read_script(verb_line(words), {"API_KEY": "k y", "HF_TOKEN": "t"})
    assert line.words == ("serve", "m", "--api-key", "k y", "-e", "HF_TOKEN=t", "--hf-token=t")


def test_a_script_says_when_and_how_each_run_ended() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    late = Run(id="b", words=("launch",), started=at.replace(hour=9), state=RunState.FAILED, exit_code=3)
    early = Run(id="a", words=("exec", "--api-key", "***"), cluster="lab", started=at, state=RunState.DONE)
    assert export_script([late, early]).splitlines() == [
        "# cluster: lab",
        "# API_KEY comes from the environment, or --set API_KEY=…",
        "# 2026-01-02 03:04:05 UTC: done (a)",
        "exec --api-key '${API_KEY}'",
        "# 2026-01-02 09:04:05 UTC: failed, exit 3 (b)",
        "launch",
    ]


async def test_reading_verbs_are_not_exported(tmp_path: Path) -> None:
    session = session_with(tmp_path)
    build = session.journal.begin(("image", "build"), "lab", {})
    status = session.journal.begin(("status",), "lab", {})
    answer = await runs.export(session, status.id, build.id)
    assert answer.data["runs"] == [build.id]
    assert "status" not in answer.data["script"]
    with pytest.raises(WrongUsage, match="none of these"):
        await runs.export(session, status.id)
    with pytest.raises(WrongUsage, match="which runs"):
        await runs.export(session)


async def test_attaching_follows_every_job_and_takes_the_runs_place(tmp_path: Path) -> None:
    session = session_with(
        tmp_path, Machine("spark1", ["build-spark1"]), Machine("spark2", [], ["build-spark2"])
    )
    run = left_behind(session, job("spark1"), job("spark2"))
    attachment = await action(await runs.attach(session, run.id))
    assert attachment.plan.tier is Tier.LOOK
    session.run = session.journal.begin(("runs", "attach", run.id), "lab", {})
    answer = await attachment.execute(nobody)
    assert answer.exit_code == 0
    assert set(answer.data["jobs"]) == {"build-spark1", "build-spark2"}
    assert session.run.id == run.id
    assert [(r.id, r.state) for r in session.journal.runs()] == [(run.id, RunState.RUNNING)]


async def test_an_unreachable_node_leaves_the_run_open(tmp_path: Path) -> None:
    far = Machine("spark2")
    far.cut = True
    session = session_with(tmp_path, Machine("spark1", ["build-spark1"]), far)
    run = left_behind(session, job("spark1"), job("spark2"))
    with pytest.raises(Unreachable):
        await (await action(await runs.attach(session, run.id))).execute(nobody)
    assert session.journal.find(run.id).ended is None


async def test_a_job_without_a_trace_is_no_success(tmp_path: Path) -> None:
    session = session_with(tmp_path, Machine("spark1"))
    run = left_behind(session, job("spark1"))
    answer = await (await action(await runs.attach(session, run.id))).execute(nobody)
    assert answer.exit_code == 1
    assert "no trace" in str(answer.parts[0])


async def test_what_cannot_be_attached_says_why(tmp_path: Path) -> None:
    session = session_with(tmp_path, Machine("spark1"))
    ended = session.journal.end(session.journal.begin(("stop",), "", {}), RunState.DONE, 0)
    assert isinstance(await runs.attach(session, ended.id), Answer)
    with pytest.raises(SparkError, match="what it left when its console ended is unknown"):
        await runs.attach(session, left_behind(session).id)
    with pytest.raises(Refused, match="this console is following"):
        await runs.attach(session, session.journal.begin(("launch",), "", {}).id)
    with pytest.raises(WrongUsage, match="which this cluster does not have") as caught:
        await runs.attach(session, left_behind(session, job("stranger")).id)
    assert "--cluster lab" in caught.value.hint


async def test_stopping_what_has_no_job_says_what_it_is(tmp_path: Path) -> None:
    session = session_with(tmp_path, Machine("spark1"))
    ended = session.journal.end(session.journal.begin(("stop",), "", {}), RunState.DONE, 0)
    answer = await runs.stop(session, ended.id)
    assert isinstance(answer, Answer)
    assert answer.parts == (f"{ended.id} had no job, and ended already: done",)
    with pytest.raises(Refused, match="this console is following"):
        await runs.stop(session, session.journal.begin(("launch",), "", {}).id)
    run = left_behind(session, nodes=("console",))
    plan = await action(await runs.stop(session, run.id))
    assert plan.plan.tier is Tier.LOOK
    assert "nothing of it is on any node" in str((await plan.execute(nobody)).parts)
    assert session.journal.find(run.id).state is RunState.CANCELLED


async def test_stopping_ends_what_runs_and_the_run(tmp_path: Path) -> None:
    near = Machine("spark1", ["build-spark1"], ["bench-spark1"])
    session = session_with(tmp_path, near)
    run = left_behind(session, job("spark1"), job("spark1", JobKind.BENCH))
    plan = await action(await runs.stop(session, run.id))
    assert (plan.plan.tier, [s.id for s in plan.plan.steps]) == (Tier.RECOVERABLE, ["build-spark1"])
    assert near.running == {"build-spark1"}
    answer = await plan.execute(nobody)
    assert answer.data["stopped"] == ["build-spark1"]
    assert near.running == set()
    assert session.journal.find(run.id).state is RunState.CANCELLED
    assert session.journal.end(run, RunState.FAILED, 1).state is RunState.CANCELLED


async def test_stopping_a_server_wants_its_word_and_shows_both_commands(tmp_path: Path) -> None:
    session = session_with(tmp_path, Machine("spark1", ["serve-spark1"]))
    run = left_behind(session, job("spark1", JobKind.SERVE, container="vllm_node"))
    plan = (await action(await runs.stop(session, run.id))).plan
    assert (plan.tier, plan.word) == (Tier.COSTLY, "stop")
    assert [step.argv[:3] for step in plan.steps] == [
        ("docker", "exec", "vllm_node"),
        ("sh", "-c", remote.CANCEL),
    ]


async def test_stopping_what_ended_or_cannot_be_asked(tmp_path: Path) -> None:
    near, far = Machine("spark1", [], ["build-spark1"]), Machine("spark2")
    session = session_with(tmp_path, near, far)
    answer = await runs.stop(session, left_behind(session, job("spark1")).id)
    assert isinstance(answer, Answer)
    assert "attach" in str(answer.parts)
    far.cut = True
    run = left_behind(session, job("spark1"), job("spark2"))
    with pytest.raises(Unreachable):
        await runs.stop(session, run.id)
    near.running.add("build-spark1")
    plan = await action(await runs.stop(session, run.id))
    assert "may still be running" in plan.plan.notes[0]
    with pytest.raises(Unreachable):
        await plan.execute(nobody)
    assert near.running == set()
    assert session.journal.find(run.id).state is RunState.UNKNOWN
