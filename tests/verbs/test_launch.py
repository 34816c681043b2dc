"""`launch`, `stop` and `node restart` as a person asks for them, over pretend machines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.launch import drive as launching
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.model.work.job import Job, JobKind, RunState
from sparkconsole.model.work.news import News, Remark, nobody
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.launch import start as verb
from sparkconsole.verbs.launch.start import ContainerFlags, launch
from sparkconsole.verbs.launch.stop import stop
from sparkconsole.verbs.logs.logs import logs
from sparkconsole.verbs.node.restart import reboot, restart
from tests.pretend_nodes import PretendCluster, image

LABELS = {"org.sparkconsole.launch": '{"nccl_debug":"INFO"}'}


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PretendCluster]:
    pretend = PretendCluster("spark1", "spark2")
    monkeypatch.setattr(launching, "POLL_S", 0.001)
    # Ray's answers come from the pretend cluster; everything else is really asked.
    monkeypatch.setattr("sparkconsole.remote.ray.members", pretend.members)
    async with pretend.engines(tmp_path):
        yield pretend


@pytest.fixture
async def session(pair: PretendCluster, tmp_path: Path) -> AsyncIterator[Session]:
    async with pair.fleet() as fleet:
        journal = Journal(tmp_path / "state", RealClock())
        yield Session(Options(), Inventory(), pair.cluster, fleet, journal)


async def done(result: Any) -> Answer:
    assert isinstance(result, PlannedAction)
    return await result.execute(nobody)


def commands(pair: PretendCluster, node: str) -> list[tuple[str, ...]]:
    return [a for a in pair.nodes[node].ran if a[:2] == ("docker", "run")]


async def test_what_the_plan_shows_is_what_runs(session: Session, pair: PretendCluster) -> None:
    action = await launch(session, nccl_debug="warn")
    assert isinstance(action, PlannedAction)
    assert action.plan.tier is Tier.RECOVERABLE
    assert pair.left == set(), "planning starts nothing"
    planned = {s.node: s.argv for s in action.plan.steps if s.id.endswith(":start")}
    answer = await action.execute(nobody)
    assert answer.exit_code == 0
    assert answer.data["ready"] is True
    for node in ("spark1", "spark2"):
        assert commands(pair, node) == [planned[node]]
    assert "NCCL_DEBUG=WARN" in planned["spark1"]
    assert "--address=192.168.177.11:6379" in planned["spark2"]
    assert "VLLM_HOST_IP=192.168.177.12" in planned["spark2"]
    assert "/home/spark2/.cache/huggingface:/root/.cache/huggingface" in planned["spark2"]


async def test_tag_name_interfaces_and_extra_words_reach_docker(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_SPARK_EXTRA_DOCKER_ARGS", "-v '$HOME/my models:/models' --shm-size=8g")
    for node in pair.nodes.values():
        node.images["vllm-node:7"] = image()
    action = await launch(session, tag="vllm-node:7", name="other", eth_if="enp1s0f1np1", ib_if="rocep1s0f1")
    assert isinstance(action, PlannedAction)
    argv = next(s.argv for s in action.plan.steps if s.id == "spark2:start")
    assert argv[argv.index("--name") + 1] == "other"
    assert "vllm-node:7" in argv
    assert "/home/spark2/my models:/models" in argv
    assert "NCCL_IB_HCA=rocep1s0f1" in argv


async def test_an_interface_that_is_not_there_is_refused_by_name(session: Session) -> None:
    with pytest.raises(SparkError, match="enp9") as caught:
        await launch(session, eth_if="enp9")
    assert caught.value.node == "spark1"


@pytest.mark.parametrize(
    ("fault", "words", "node"),
    [
        ("missing", "is not on spark2", "spark2"),
        ("differs", "differs between spark1 and spark2", "spark2"),
        ("port", "port 6379 is in use", "spark1"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_starts(
    session: Session, pair: PretendCluster, fault: str, words: str, node: str
) -> None:
    match fault:
        case "missing":
            del pair.nodes["spark2"].images["vllm-node"]
        case "differs":
            pair.nodes["spark2"].images["vllm-node"] = image("sha256:bb")
        case "port":
            pair.nodes["spark1"].listening = {6379}
    with pytest.raises(Refused, match=words) as caught:
        await launch(session)
    assert caught.value.node == node
    assert caught.value.hint
    assert not commands(pair, "spark1")
    assert not commands(pair, "spark2")


async def test_an_image_without_ray_is_refused_for_ray_only(session: Session, pair: PretendCluster) -> None:
    for node in pair.nodes.values():
        node.images["vllm-node"]["Config"]["Labels"] = {}
    pair.nodes["spark1"].has_ray = False
    with pytest.raises(Refused, match="no `ray`"):
        await done(await launch(session))
    answer = await done(await launch(session, backend=Backend.NONE))
    assert answer.data["backend"] == "none"


async def test_an_image_for_cpus_tells_ray_of_a_gpu(session: Session, pair: PretendCluster) -> None:
    for node in pair.nodes.values():
        node.images["vllm-node"] = image(**{"org.sparkconsole.accelerator": "cpu"})
    action = await launch(session, flags=ContainerFlags(gpus=False))
    assert isinstance(action, PlannedAction)
    argv = next(s.argv for s in action.plan.steps if s.id == "spark1:start")
    assert argv[argv.index("--num-gpus") + 1] == "1"
    assert "--gpus" not in argv


async def test_a_node_that_does_not_answer_is_named_and_nothing_starts(
    session: Session, pair: PretendCluster
) -> None:
    pair.nodes["spark2"].lost = True
    with pytest.raises(Unreachable) as caught:
        await launch(session)
    assert caught.value.node == "spark2"
    assert pair.left == set()


async def test_solo_uses_the_head_alone_and_no_fast_link(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark2"].lost = True
    answer = await done(await launch(session, solo=True))
    assert answer.data["backend"] == "solo"
    assert pair.left == {"spark1"}
    assert commands(pair, "spark1")[0][-2:] == ("sleep", "infinity")


async def test_one_node_is_solo_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = PretendCluster("spark1")
    monkeypatch.setattr(launching, "POLL_S", 0.001)
    async with one.engines(tmp_path), one.fleet() as fleet:
        session = Session(Options(), Inventory(), one.cluster, fleet, Journal(tmp_path, RealClock()))
        assert (await done(await launch(session))).data["backend"] == "solo"


async def test_what_runs_already_is_said_and_left_as_it_is(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session))
    answer = await launch(session)
    assert isinstance(answer, Answer)
    assert answer.exit_code == 0
    assert answer.data["already"] is True
    assert len(commands(pair, "spark1")) == 1
    asked = await launch(session, follow=True)
    assert isinstance(asked, Answer)
    assert "nothing is followed; its logs: sparkconsole logs -f" in str(asked.parts)


async def test_a_half_running_cluster_is_refused_and_repaired_when_asked(
    session: Session, pair: PretendCluster
) -> None:
    await done(await launch(session, nccl_debug="INFO"))
    pair.nodes["spark2"].containers.clear()
    with pytest.raises(Refused, match=r"spark2: no container") as caught:
        await launch(session)
    assert "launch --repair" in caught.value.hint
    await done(await launch(session, repair=True))
    assert pair.running == {"spark1", "spark2"}
    assert len(commands(pair, "spark1")) == 1, "the head went on"
    assert "NCCL_DEBUG=INFO" in commands(pair, "spark2")[1], "what was launched is launched again"


async def test_without_its_head_everything_starts_again(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session))
    pair.nodes["spark1"].containers.clear()
    await done(await launch(session, repair=True))
    assert pair.running == {"spark1", "spark2"}
    assert [len(commands(pair, n)) for n in pair.nodes] == [2, 2]


async def test_another_image_under_the_same_name_is_told(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session))
    for node in pair.nodes.values():
        node.images["vllm-node"]["Id"] = "sha256:2"
    with pytest.raises(Refused, match="another image"):
        await launch(session)


@pytest.mark.parametrize("line", ["--nccl-debug LOUD", "--solo --backend ray", "--follow --detach"])
def test_what_makes_no_sense_is_wrong_usage(line: str) -> None:
    with pytest.raises(WrongUsage):
        understand(["launch", *line.split()])


async def test_a_secret_with_its_value_is_refused(session: Session) -> None:
    with pytest.raises(WrongUsage, match="HF_TOKEN"):
        await launch(session, flags=ContainerFlags(env=("HF_TOKEN=hf_abcdefgh",)))


async def test_stop_tells_each_node(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session))
    pair.nodes["spark2"].containers.clear()
    answer = await done(await stop(session))
    assert answer.exit_code == 0
    assert [n["result"] for n in answer.data["nodes"]] == ["stopped", "not_running"]
    again = await stop(session)
    assert isinstance(again, Answer)
    assert [n["result"] for n in again.data["nodes"]] == ["not_running", "not_running"]


async def test_stop_ends_the_servers_of_these_containers_first_and_closes_their_runs(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a job is ended and forgotten is shown with the jobs; here it is when, and which."""
    pair.nodes["spark1"].start()
    done_: list[tuple[str, str, bool]] = []

    def note(what: str) -> Any:
        async def noted(fleet: Any, job: Job) -> None:
            done_.append((what, job.id, "spark1" in pair.left))

        return noted

    monkeypatch.setattr("sparkconsole.verbs.launch.stop.cancel_job", note("cancel"))
    monkeypatch.setattr("sparkconsole.verbs.launch.stop.forget_job", note("forget"))
    ours = Job(id="serve-a-1", node="spark1", kind=JobKind.SERVE, argv=("vllm",), container="vllm_node")
    other = ours.model_copy(update={"id": "serve-b-2", "container": "other"})
    runs = [session.journal.begin(("serve", job.id), "default", {}) for job in (ours, other)]
    for run, job in zip(runs, (ours, other), strict=True):
        session.journal.end(session.journal.add_jobs(run, (job,)), RunState.UNKNOWN, None)
    await done(await stop(session))
    assert done_ == [("cancel", "serve-a-1", True), ("forget", "serve-a-1", False)]
    assert [session.journal.find(r.id).state for r in runs] == [RunState.CANCELLED, RunState.UNKNOWN]


async def test_stop_with_a_lost_node_stops_the_other_and_exits_3(
    session: Session, pair: PretendCluster
) -> None:
    await done(await launch(session))
    pair.nodes["spark2"].lost = True
    answer = await done(await stop(session))
    assert answer.exit_code == 3
    assert [n["result"] for n in answer.data["nodes"]] == ["stopped", "unreachable"]
    assert pair.left == {"spark2"}


async def test_letting_go_of_a_followed_launch_stops_what_it_started(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old foreground: logs until ctrl-c, then the cluster is stopped. Logs are shown elsewhere."""
    followed = asyncio.Event()

    async def rows(*_: Any, **__: Any) -> AsyncIterator[Row]:
        followed.set()
        await asyncio.Event().wait()
        for row in ():
            yield row

    monkeypatch.setattr("sparkconsole.verbs.logs.logs.container_rows", rows)
    action = await launch(session, follow=True)
    assert isinstance(action, PlannedAction)
    task = asyncio.ensure_future(action.execute(nobody))
    await asyncio.wait_for(followed.wait(), 20)
    assert pair.running == {"spark1", "spark2"}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pair.left == set()


async def test_stop_takes_the_exact_name_only(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark1"].start("vllm_node2")
    assert isinstance(await stop(session), Answer)
    assert pair.left == {"spark1"}


async def test_restart_of_a_worker_leaves_the_head_alone(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session, nccl_debug="INFO"))
    await done(await restart(session, "spark2"))
    assert [len(commands(pair, n)) for n in pair.nodes] == [1, 2]
    assert commands(pair, "spark2")[0] == commands(pair, "spark2")[1]


async def test_restart_of_the_head_takes_the_workers_along(session: Session, pair: PretendCluster) -> None:
    await done(await launch(session))
    action = await restart(session, "spark1")
    assert set(action.plan.nodes()) == {"spark1", "spark2"}
    await action.execute(nobody)
    assert pair.running == {"spark1", "spark2"}


async def test_restart_where_nothing_of_ours_is_refused(session: Session, pair: PretendCluster) -> None:
    with pytest.raises(Refused, match="no container"):
        await restart(session)
    pair.nodes["spark1"].start()
    with pytest.raises(Refused, match="this program launched"):
        await restart(session)
    pair.nodes["spark1"].containers.clear()
    pair.nodes["spark1"].start(**LABELS)
    with pytest.raises(WrongUsage, match="sprak"):
        await restart(session, "sprak")


async def test_reboot_is_costly_and_waits_for_another_life(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = pair.nodes["spark2"]
    node.extra = {"may-reboot": (0, "", ""), "life": (0, "boot-1\n", ""), "reboot": (None, "", "")}
    action = await reboot(session, "spark2")
    assert (action.plan.tier, action.plan.word) == (Tier.COSTLY, "reboot")
    lives = iter(["boot-1\n", "boot-1\n", "boot-2\n"])
    original = node.answer

    def answer(argv: tuple[str, ...]) -> Any:
        return (0, next(lives), "") if argv[-1] == "life" else original(argv)

    monkeypatch.setattr(node, "answer", answer)
    monkeypatch.setattr("sparkconsole.verbs.node.restart.PAUSE_S", 0.001)
    assert (await action.execute(nobody)).data["rebooted"] is True
    assert next(lives, None) is None


async def test_a_reboot_that_takes_long_says_until_when_it_is_waited_for(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, heard = pair.nodes["spark2"], list[str]()
    node.extra = {"may-reboot": (0, "", ""), "life": (0, "boot-1\n", ""), "reboot": (None, "", "")}
    action = await reboot(session, "spark2")

    def hear(news: News) -> None:
        if isinstance(news, Remark) and "is waited for until" in news.text:
            heard.append(news.node)
            node.extra["life"] = (0, "boot-2\n", "")

    monkeypatch.setattr("sparkconsole.verbs.node.restart.AGAIN_S", 0.05)
    monkeypatch.setattr("sparkconsole.verbs.node.restart.PAUSE_S", 0.01)
    assert (await action.execute(hear)).data["rebooted"] is True
    assert heard[0] == "spark2"


async def test_reboot_without_the_right_to_is_refused(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark2"].extra = {"may-reboot": (1, "", "sudo: a password is required")}
    with pytest.raises(Refused, match="sudo asks for a password"):
        await reboot(session, "spark2")


async def test_logs_of_all_nodes_in_the_order_of_their_times(session: Session, pair: PretendCluster) -> None:
    for node, lines in (("spark1", "T1Z one\nT4Z four\n"), ("spark2", "T2Z two\nT3Z three\n")):
        pair.nodes[node].start()
        pair.nodes[node].containers["vllm_node"]["stamped"] = lines.replace("T", "2026-11-23T10:00:0")
    rows = [r async for r in await logs(session)]
    assert [(r.node, r.data["text"]) for r in rows] == [
        ("spark1", "one"),
        ("spark2", "two"),
        ("spark2", "three"),
        ("spark1", "four"),
    ]


async def test_a_silent_node_is_a_line_and_the_others_go_on(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark1"].start()
    pair.nodes["spark1"].containers["vllm_node"]["stamped"] = "2026-11-23T10:00:01Z here\n"
    pair.nodes["spark2"].lost = True
    rows = [r async for r in await logs(session)]
    assert {(r.node, "error" in r.data) for r in rows} == {("spark1", False), ("spark2", True)}
    seen: set[str] = set()
    async with aclosing(await logs(session, follow=True)) as followed:  # type: ignore[type-var]
        async for row in followed:
            seen.add(row.node)
            if seen == {"spark1", "spark2"}:
                break


async def test_a_source_that_does_not_exist_is_wrong_usage(session: Session) -> None:
    with pytest.raises(WrongUsage, match="sprak"):
        await logs(session, "sprak")
    with pytest.raises(WrongUsage, match="no time"):
        await logs(session, since="yesterday")


def test_the_plan_is_json(pair: PretendCluster) -> None:
    assert json.loads(json.dumps(verb.ContainerFlags().fields()["env"])) == []


async def test_a_failed_check_refuses_a_launch_unless_forced(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark2"].free = 5_000_000
    with pytest.raises(Refused, match=r"5\.0 MB free.*nothing was started") as caught:
        await launch(session)
    assert caught.value.node == "spark2"
    assert "docker system df" in caught.value.hint
    assert commands(pair, "spark1") == []
    action = await launch(session, force=True)
    assert isinstance(action, PlannedAction)
    assert any("forced past disk: spark2" in note for note in action.plan.notes)
