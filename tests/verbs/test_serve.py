"""`serve`, `serve status` and `serve stop` as a person asks for them, over pretend machines."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.serve.memory_guards import Fired, fired
from sparkconsole.fleet.serve.start import ServeFailed, follow_start
from sparkconsole.fleet.waiting import waits_reported_to
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.news import Advance, News, Remark, StepBegan, StepEnded, nobody
from sparkconsole.remote.serve.processes import live_ranks
from sparkconsole.remote.shell import Completed
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.serve.start import serve, status, stop
from tests.fleet.watched_sparks import QuickClock
from tests.pretend_nodes import PretendCluster, PretendNode, PretendShell

LABEL = "org.sparkconsole.launch"
JOBS = dict.fromkeys(("job-cancel", "job-forget"), (0, "", "")) | {"job-state": (0, "unknown", "")}


def up(pretend: PretendCluster, backend: str = "ray") -> None:
    nodes = [pretend.nodes["a"]] if backend == "solo" else list(pretend.nodes.values())
    for node in nodes:
        labels = {LABEL: f'{{"backend":"{backend}"}}', "org.sparkconsole.address": node.address}
        node.start(**labels)
        node.extra = dict(JOBS)


@pytest.fixture
async def pair() -> PretendCluster:
    return PretendCluster("a", "b")


@pytest.fixture
async def session(pair: PretendCluster, tmp_path: Path) -> AsyncIterator[Session]:
    async with pair.fleet() as fleet:
        journal = Journal(tmp_path / "state", RealClock())
        run = journal.begin(("serve",), "c", {})
        yield Session(Options(), Inventory(), pair.cluster, fleet, journal, run=run)


def planned(result: Any) -> PlannedAction:
    assert isinstance(result, PlannedAction)
    return result


def changed(node: PretendNode) -> list[tuple[str, ...]]:
    """What was run there that is no look."""
    looks = ("launch-site", "serve-look", "serve-gone", "job-state", "headers")
    return [a for a in node.ran if a[:1] != ("sh",) and "test" not in a and not set(looks) & set(a)]


# --- serve


async def test_with_ray_the_head_serves_for_all(session: Session, pair: PretendCluster) -> None:
    up(pair)
    action = planned(await serve(session, "org/m", "--foo", '{"a b": "$x"}'))
    (step,) = action.plan.steps
    assert (step.node, step.argv[:5]) == ("a", ("docker", "exec", "vllm_node", "vllm", "serve"))
    assert step.argv[-2:] == ("--foo", '{"a b": "$x"}')
    assert step.job is not None
    assert step.job.argv == step.argv[3:], "what runs is what was shown"
    assert changed(pair.nodes["a"]) == changed(pair.nodes["b"]) == [], "planning starts nothing"


async def test_without_ray_the_workers_start_first(session: Session, pair: PretendCluster) -> None:
    up(pair, "none")
    worker, lead = planned(await serve(session, "org/m")).plan.steps
    assert (worker.node, lead.node) == ("b", "a")
    assert lead.needs == (worker.id,)
    assert "--headless" in worker.argv
    assert lead.argv[lead.argv.index("--master-addr") + 1] == "192.168.177.11"


async def test_alone_the_other_node_is_not_needed(session: Session, pair: PretendCluster) -> None:
    up(pair, "solo")
    pair.nodes["b"].lost = True
    (step,) = planned(await serve(session, "org/m")).plan.steps
    assert step.node == "a"
    assert "-tp" not in step.argv


async def test_tokens_go_along_unseen(session: Session, pair: PretendCluster) -> None:
    up(pair)
    (step,) = planned(await serve(session, "org/m")).plan.steps
    assert set(step.secrets) == {"HF_TOKEN", "VLLM_API_KEY"}
    with pytest.raises(WrongUsage, match="VLLM_API_KEY"):
        await serve(session, "org/m", "--api-key", "secret")


async def test_what_newer_versions_refuse_is_noted_and_passed_on(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    plan = planned(await serve(session, "org/m", "--swap-space", "16")).plan
    assert plan.steps[0].argv[-2:] == ("--swap-space", "16")
    assert any("--swap-space" in note for note in plan.notes)


async def test_without_a_cluster_it_is_refused(session: Session) -> None:
    with pytest.raises(Refused, match="no container vllm_node runs") as caught:
        await serve(session, "org/m")
    assert "launch" in caught.value.hint


async def test_a_path_has_to_be_on_every_node(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].paths = {"/models/m/config.json"}
    with pytest.raises(Refused, match=r"/models/m has no config\.json") as caught:
        await serve(session, "/models/m")
    assert caught.value.node == "b"
    pair.nodes["b"].paths = {"/models/m/config.json"}
    assert planned(await serve(session, "/models/m")).plan.steps


async def test_a_port_that_something_else_has_is_refused(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].listening = {8888}
    with pytest.raises(Refused, match="who listens there is no model server"):
        await serve(session, "org/m")
    assert planned(await serve(session, "org/m", port=8889)).plan.steps


async def test_a_start_under_way_is_followed_whoever_began_it(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888", job="serve-m-1")
    action = planned(await serve(session, "org/m"))
    assert action.plan.steps == ()
    assert "serve-m-1" in action.plan.title


@pytest.mark.parametrize(("model", "job"), [("org/other", "serve-x-1"), ("org/m", "")])
async def test_another_start_and_one_by_hand_keep_their_port(
    session: Session, pair: PretendCluster, model: str, job: str
) -> None:
    up(pair)
    pair.nodes["a"].serve(model, "--port", "8888", job=job)
    with pytest.raises(Refused, match=f"port 8888 is taken; a server of {model} starts there"):
        await serve(session, "org/m")


# --- serve status, with a journal that knows nothing


async def test_a_start_of_another_console_is_seen_loading(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888", job="serve-m-1")
    log = "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01]\n"
    pair.nodes["a"].extra["job-read"] = (0, log, "")
    found = await status(session)
    assert (found.data["state"], found.data["detail"], found.data["model"]) == (
        "loading",
        "weights 50 % 1/2",
        "org/m",
    )
    assert found.exit_code == 1


async def test_a_server_that_came_up_and_died_failed_though_its_process_ends_slowly(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888", job="serve-m-1")
    log = "Application startup complete.\ntorch.OutOfMemoryError: CUDA out of memory.\n"
    pair.nodes["a"].extra["job-read"] = (0, log, "")
    found = await status(session)
    assert found.data["state"] == "failed"
    assert "unified memory" in found.data["detail"]


async def test_a_start_by_hand_is_seen_too(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888")
    found = await status(session)
    assert found.data["state"] == "loading"
    assert "by hand" in found.data["detail"]
    assert (await status(session, port=8889)).data["state"] == "not running"


# --- serve stop


async def done(result: Any) -> Answer:
    return await planned(result).execute(nobody)


async def test_only_the_server_of_that_port_ends(session: Session, pair: PretendCluster) -> None:
    up(pair, "solo")
    head = pair.nodes["a"]
    head.serve("org/m", "--port", "8888", group=40, job="serve-m-1")
    head.serve("org/n", "--port", "8889", group=50)
    action = planned(await stop(session))
    assert action.plan.steps[0].argv[-2:] == ("these", "40")
    answer = await action.execute(nobody)
    assert (answer.exit_code, answer.data["nodes"]) == (0, {"a": "ended"})
    assert [group for group, _, _ in head.serving] == [50]


async def test_the_last_server_takes_along_what_it_left(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888")
    steps = {s.node: s for s in planned(await stop(session)).plan.steps}
    assert steps["a"].argv[-2:] == ("all", "40")
    assert steps["b"].argv[-1:] == ("all",)


async def test_a_lost_node_is_unknown_and_holds_up_nothing(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888")
    pair.nodes["b"].lost = True
    answer = await done(await stop(session))
    assert answer.exit_code == 3
    assert answer.data["nodes"] == {"a": "ended", "b": "unknown: no route to it"}
    assert answer.data["stopped"] is False
    assert pair.nodes["a"].serving == []


@pytest.mark.parametrize("back", [True, False], ids=["comes back", "stays away"])
@pytest.mark.parametrize("cut", ["before it ran", "while it ran"])
async def test_a_link_that_breaks_while_a_server_ends_is_unknown_until_somebody_looked(
    session: Session, pair: PretendCluster, back: bool, cut: str
) -> None:
    up(pair, "solo")
    head = pair.nodes["a"]
    head.serve("org/m", "--port", "8888")
    head.ends_unseen = "serve-stop"
    head.serving = [] if cut == "while it ran" else head.serving
    action = planned(await stop(session))

    def hear(news: News) -> None:
        head.lost = head.lost or (isinstance(news, StepEnded) and not back)

    answer = await action.execute(hear)
    if not back:
        assert (answer.exit_code, answer.data["nodes"]) == (3, {"a": "unknown: no route to it"})
    elif cut == "while it ran":
        assert (answer.exit_code, answer.data["nodes"]) == (0, {"a": "ended"})
    else:
        assert answer.exit_code == 1
        assert "no process of it is left: not so" in answer.data["nodes"]["a"]


async def test_a_server_that_stays_is_said_so(session: Session, pair: PretendCluster) -> None:
    up(pair, "solo")
    pair.nodes["a"].serve("org/m", "--port", "8888")
    pair.nodes["a"].extra["serve-stop"] = (0, "", "")
    answer = await done(await stop(session))
    assert answer.exit_code == 1
    assert "no process of it is left: not so" in answer.data["nodes"]["a"]


@pytest.mark.parametrize(
    ("now", "code", "text"),
    [
        ("it stays", 1, "status 255"),
        ("it is gone", 0, "ended"),
        ("its container is", 0, "ended with its container"),
    ],
)
async def test_where_ending_it_failed_what_is_there_decides(
    session: Session, pair: PretendCluster, now: str, code: int, text: str
) -> None:
    """`docker exec` ends with 255 where its engine went, and may come back without the container."""
    up(pair, "solo")
    head = pair.nodes["a"]
    head.serve("org/m", "--port", "8888")
    action = planned(await stop(session))
    head.extra["serve-stop"] = (255, "", "")
    if now == "it is gone":
        head.serving = []
    if now == "its container is":
        head.extra["serve-gone"] = (1, "", "Error response from daemon: container c1 is not running")
        head.containers["vllm_node"]["running"] = False
    answer = await action.execute(lambda _: None)
    assert answer.exit_code == code
    assert answer.data["nodes"]["a"] == text or (code and text in answer.data["nodes"]["a"])


@pytest.mark.parametrize(
    "answer", ["No such container: vllm_node", "container c1 is not running", "Container c1 is not running"]
)
async def test_a_container_that_ended_meanwhile_is_no_shell_command(
    session: Session, pair: PretendCluster, answer: str
) -> None:
    up(pair, "solo")
    pair.nodes["a"].extra["serve-look"] = (1, "", f"Error response from daemon: {answer}")
    with pytest.raises(SparkError) as caught:
        await live_ranks(await session.fleet.shell("a"), "vllm_node")
    assert (caught.value.cause, caught.value.node) == ("no container vllm_node runs", "a")


async def test_a_port_that_stays_taken_is_said_so(session: Session, pair: PretendCluster) -> None:
    up(pair, "solo")
    pair.nodes["a"].serve("org/m", "--port", "8888")
    pair.nodes["a"].listening = {8888}
    answer = await done(await stop(session))
    assert (answer.exit_code, answer.data["nodes"]) == (1, {"a": "port 8888 is still in use"})


async def test_a_container_that_is_the_server_is_not_shot_from_within(
    session: Session, pair: PretendCluster
) -> None:
    up(pair, "solo")
    pair.nodes["a"].serve("org/m", "--port", "8888", group=1)
    with pytest.raises(Refused, match="was started for") as caught:
        await stop(session)
    assert "sparkconsole stop" in caught.value.hint


async def test_nothing_to_stop(session: Session, pair: PretendCluster) -> None:
    with pytest.raises(Refused, match="no container vllm_node runs"):
        await stop(session)
    up(pair)
    pair.nodes["a"].lost = True
    with pytest.raises(Unreachable):
        await stop(session)


# --- looked at first


def headers(*files: tuple[str, int, str]) -> str:
    """What python3 prints of a model whose files are these."""
    told = {"folder": "/c/x", "revision": "abc", "config": {}, "files": files, "other": [],
            "index_bytes": None, "tensors": [], "meminfo": "", "gpu": True}  # fmt: skip
    return json.dumps(told if files else {"meminfo": ""}) + "\n"


async def test_a_model_that_a_worker_lacks_is_refused_unless_forced(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    whole = ("model.safetensors", 9, "")
    pair.nodes["a"].models, pair.nodes["b"].models = headers(whole), headers()
    with pytest.raises(Refused, match="org/m is not there") as caught:
        await serve(session, "org/m")
    assert caught.value.node == "b"
    assert "model copy org/m" in caught.value.hint
    assert "--force" in caught.value.hint
    forced = planned(await serve(session, "org/m", force=True))
    assert any("forced past model: b: org/m is not there" in note for note in forced.plan.notes)
    pair.nodes["a"].models = headers()
    planned(await serve(session, "org/m"))  # nowhere: vLLM downloads it, as it always did


async def test_a_model_cut_off_is_refused(session: Session, pair: PretendCluster) -> None:
    up(pair)
    pair.nodes["a"].models = headers(("model.safetensors", 9, ""))
    pair.nodes["b"].models = headers(("model.safetensors", 5, "cut off"))
    with pytest.raises(Refused, match=r"model\.safetensors \(cut off\)"):
        await serve(session, "org/m")


async def test_a_path_inside_the_image_is_nobodys_to_judge(session: Session, pair: PretendCluster) -> None:
    up(pair)
    for node in pair.nodes.values():
        node.paths, node.models = {"/models/x/config.json"}, headers()
    planned(await serve(session, "/models/x"))


async def test_a_start_that_would_freeze_a_machine_is_refused(session: Session, pair: PretendCluster) -> None:
    up(pair)
    site = pair.nodes["b"]._site
    pair.nodes["b"]._site = lambda name: site(name).replace(f"available {90 << 30}", f"available {3 << 30}")  # type: ignore[method-assign]
    pair.nodes["b"].frees = [3 << 20]
    session.fleet.clock = QuickClock()
    with pytest.raises(Refused, match=r"3\.2 GB of memory is available") as caught:
        await serve(session, "org/m")
    assert caught.value.node == "b"


async def test_memory_that_still_comes_back_is_waited_for_and_said(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    session.fleet.clock = QuickClock()
    session.fleet.clock.speed = 10.0  # a look a second, also on a machine that has much else to do
    site = pair.nodes["b"]._site
    pair.nodes["b"]._site = lambda name: site(name).replace(f"available {90 << 30}", f"available {3 << 30}")  # type: ignore[method-assign]
    pair.nodes["b"].frees = [(3 + n) << 20 for n in range(0, 117, 6)]
    action = planned(await serve(session, "org/m"))
    news: list[object] = []
    starts = asyncio.Event()

    def tell(said: object) -> None:
        news.append(said)
        if isinstance(said, StepBegan):
            starts.set()

    carried = asyncio.create_task(action.execute(tell))
    waiting = asyncio.create_task(starts.wait())
    await asyncio.wait((carried, waiting), return_when=asyncio.FIRST_COMPLETED)
    carried.cancel()  # nothing answers on these nodes afterwards
    with contextlib.suppress(asyncio.CancelledError):
        await carried
    said = [n.text for n in news if isinstance(n, Remark) and n.node == "b"]
    assert said[0].startswith("waits for the memory of the earlier server: ")
    assert said[1].startswith("its memory came back in ")
    began = next(i for i, n in enumerate(news) if isinstance(n, StepBegan))
    assert all(not isinstance(n, Advance) for n in news[began:]), "nothing starts before"


# --- the memory guard


async def test_a_guard_stands_beside_the_server_on_every_node(session: Session, pair: PretendCluster) -> None:
    up(pair)
    plan = planned(await serve(session, "org/m", guard=True, guard_at=8)).plan
    lead, *watchers = plan.steps
    assert [w.node for w in watchers] == ["a", "b"], "with Ray the worker has none but this"
    jobs = [w.job for w in watchers]
    assert all(j is not None and j.kind is JobKind.GUARD and j.container == "vllm_node" for j in jobs)
    assert lead.job is not None
    assert [j.argv[-2:] for j in jobs if j] == [(str(8 << 20), lead.job.id), (str(8 << 20), "")]
    assert "below 8 GiB" in watchers[0].sentence


async def test_without_ray_each_guard_minds_its_own_rank(session: Session, pair: PretendCluster) -> None:
    up(pair, "none")
    steps = planned(await serve(session, "org/m", guard=True)).plan.steps
    ranks = {s.node: s.job.id for s in steps if s.job and s.job.kind is JobKind.SERVE}
    minded = {s.node: s.job.argv[-1] for s in steps if s.job and s.job.kind is JobKind.GUARD}
    assert minded == ranks


async def test_a_cluster_may_always_guard_and_a_start_do_without(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    session.cluster = session.cluster.model_copy(update={"guard": True})
    assert len(planned(await serve(session, "org/m")).plan.steps) == 3
    assert len(planned(await serve(session, "org/m", guard=False)).plan.steps) == 1


def test_a_guard_at_nothing_is_refused() -> None:
    with pytest.raises(WrongUsage, match="--guard-at takes more than 0"):
        understand(("serve", "org/m", "--guard", "--guard-at", "0"))


async def test_the_guard_that_ended_a_server_is_found_by_its_name(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    lead = planned(await serve(session, "org/m")).plan.steps[0].job
    assert lead is not None
    assert await fired(session.fleet, lead, ("a", "b")) is None
    why = "sparkconsole guard: MemAvailable is 3 kB, the line is 4 kB: the server is ended"
    pair.nodes["b"].extra |= {"job-state": (0, "ended 3 80", ""), "job-read": (0, f"{why}\n", "")}
    assert await fired(session.fleet, lead, ("a", "b")) == Fired("b", why)


async def test_a_port_without_a_server_is_refused_where_another_has_one(
    session: Session, pair: PretendCluster
) -> None:
    up(pair)
    pair.nodes["a"].serve("org/m", "--port", "8888")
    with pytest.raises(Refused, match="no server on port 9999; one is on 8888") as caught:
        await stop(session, port=9999)
    assert "serve stop --port 8888" in caught.value.hint
    pair.nodes["a"].serve("org/n", "--port", "8889", group=50)
    with pytest.raises(Refused, match="no server on port 9999; there are some on 8888, 8889"):
        await stop(session, port=9999)
    assert changed(pair.nodes["a"]) == changed(pair.nodes["b"]) == []


async def test_what_is_left_of_a_start_is_cleared_beside_another_server(
    session: Session, pair: PretendCluster
) -> None:
    """Its process is gone and its files are not: that is no port without a server."""
    up(pair, "solo")
    head = pair.nodes["a"]
    head.serve("org/m", "--port", "8888")
    job = Job(id="serve-n-1", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    session.run = session.journal.begin(("serve", "org/n"), "c", {})
    session.journal.add_jobs(session.run, (job.model_copy(update={"details": {"port": 9999}}),))
    head.extra["job-state"] = (0, "ended 1 90", "")
    assert planned(await stop(session, port=9999)).plan.steps
    head.extra["job-state"] = (0, "unknown", "")
    with pytest.raises(Refused, match="no server on port 9999"):
        await stop(session, port=9999)


class _Ended:
    """The output of a job that has ended without a word."""

    async def read(self, size: int = 0) -> bytes:
        return b""

    async def wait(self) -> Completed:
        return Completed("a", (), 0, b"", b"")

    async def kill(self) -> None:
        return None


@pytest.mark.parametrize("broken", ["a", "b"])
async def test_a_server_that_ends_with_a_container_says_whose(
    session: Session, pair: PretendCluster, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends with its container has no last word: the container is the cause."""
    up(pair)
    job = Job(id="serve-n-0", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    for node in pair.nodes.values():
        node.extra |= {"job-state": (0, "ended 137 0", ""), "job-read": (0, "", "")}
    pair.nodes[broken].containers["vllm_node"]["running"] = False
    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, _Ended()))
    with pytest.raises(ServeFailed) as caught:
        await follow_start(session.fleet, (job,), nobody)
    assert caught.value.node == broken
    assert "container vllm_node" in caught.value.cause
    assert "sparkconsole launch" in caught.value.hint


class _Silent(_Ended):
    """A job that runs and prints nothing until it is let go."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def read(self, size: int = 0) -> bytes:
        await self.over.wait()
        return b""


async def test_a_start_without_news_says_what_it_is_at(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are read and graphs captured for minutes, and nobody is left without a word."""
    up(pair)
    job = Job(id="serve-n-0", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    pair.nodes["a"].extra |= {"job-state": (0, "ended 1 0", ""), "job-read": (0, "", "")}
    silent, heard = _Silent(), list[News]()

    def hear(news: News) -> None:
        heard.append(news)
        silent.over.set()

    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, silent))
    monkeypatch.setattr("sparkconsole.fleet.serve.start.AGAIN_S", 0.01)
    with pytest.raises(ServeFailed):
        await follow_start(session.fleet, (job,), hear)
    assert isinstance(heard[0], Remark)
    assert "nothing new for" in heard[0].text
    assert (heard[0].node, heard[0].level) == ("a", "info")


@pytest.mark.parametrize("back", [True, False], ids=["comes back", "stays away"])
async def test_the_link_to_a_rank_that_breaks_is_waited_for(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    """The rank starts on meanwhile: only a node that stays away ends the start."""
    up(pair)
    monkeypatch.setattr("sparkconsole.fleet.serve.start.RANKS_S", 0.0)
    monkeypatch.setattr("sparkconsole.fleet.serve.start.LINK_S", 60.0 if back else 0.05)
    silent, waits = _Silent(), list[str]()
    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, silent))
    rank = pair.nodes["b"]
    pair.nodes["a"].extra |= {"job-state": (0, "ended 1 0", ""), "job-read": (0, "", "")}
    rank.extra |= {"job-state": (0, "running - 7", ""), "job-read": (0, "", "")}

    def hear(node: str, text: str) -> None:
        waits.append(f"{node}: {text}")
        if back:
            rank.lost = False
            silent.over.set()  # what ends the start then is the server's own end

    jobs = [
        Job(id=f"serve-n-{i}", node=node, kind=JobKind.SERVE, argv=("vllm",), container="vllm_node",
            details={"rank": i})
        for i, node in enumerate("ab")
    ]  # fmt: skip
    rank.lost = True
    with waits_reported_to(hear), pytest.raises(ServeFailed) as caught:
        await follow_start(session.fleet, jobs, nobody)
    assert "is waited for until" in waits[0]
    assert ("a rank's node is lost" in caught.value.cause) is not back


async def test_a_start_whose_operator_is_cut_off_has_not_failed(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can end what goes on there, and it may come up."""
    up(pair)
    monkeypatch.setattr("sparkconsole.fleet.serve.start.RANKS_S", 0.0)
    monkeypatch.setattr("sparkconsole.fleet.serve.start.LINK_S", 0.05)
    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, _Silent()))
    job = Job(id="serve-n-0", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    for node in pair.nodes.values():
        node.lost = True
    with pytest.raises(Unreachable):
        await follow_start(session.fleet, (job,), nobody)


async def test_a_container_that_ends_while_its_server_starts_ends_the_start(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's engine would wait for the other node's rank for ever, and say nothing."""
    up(pair)
    monkeypatch.setattr("sparkconsole.fleet.serve.start.RANKS_S", 0.0)
    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, _Silent()))
    job = Job(id="serve-n-0", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    pair.nodes["a"].extra |= dict.fromkeys(("job-cancel", "job-forget"), (0, "", ""))
    pair.nodes["b"].containers["vllm_node"]["running"] = False
    with pytest.raises(ServeFailed, match="its container vllm_node does not run") as caught:
        await follow_start(session.fleet, (job,), nobody)
    assert caught.value.node == "b"
    assert caught.value.hint == "sparkconsole launch --repair"


async def test_a_server_without_a_word_in_a_sound_container(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(pair)
    job = Job(id="serve-n-0", node="a", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    pair.nodes["a"].extra |= {"job-state": (0, "ended 1 0", ""), "job-read": (0, "", "")}
    monkeypatch.setattr(PretendShell, "pipe", lambda *_: asyncio.sleep(0, _Ended()))
    with pytest.raises(ServeFailed, match="the server ended: its log is empty"):
        await follow_start(session.fleet, (job,), nobody)
