"""A launch driven over pretend machines: what runs afterwards, what is told, what was kept."""

from __future__ import annotations

import asyncio
import os

import pytest

from sparkconsole.errors import Cancelled, SparkError, Unreachable
from sparkconsole.fleet.launch import drive as launching
from sparkconsole.fleet.launch.drive import drive_launch
from sparkconsole.fleet.launch.stop import StopResult, stop_nodes
from sparkconsole.fleet.waiting import waits_reported_to
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.launch.state import LaunchState
from sparkconsole.model.launch.steps import start_plan, stop_plan
from sparkconsole.model.work.news import News, Output, Remark
from tests.pretend_nodes import PretendCluster


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "POLL_S", 0.001)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> PretendCluster:
    pretend = PretendCluster("spark1", "spark2")
    monkeypatch.setattr("sparkconsole.remote.ray.members", pretend.members)
    return pretend


def state_of(pair: PretendCluster, spec: LaunchSpec | None = None) -> LaunchState:
    spec = spec or LaunchSpec()
    seats = tuple(
        Seat(
            n.name,
            Role.WORKER if i else Role.HEAD,
            f"/home/{n.name}",
            NodeNetwork(eth_if="enp1s0f1np1", address=n.address, hcas=("rocep1s0f1",), mtu=9000, gid_index=3),
            "192.168.177.11",
        )
        for i, n in enumerate(pair.nodes.values())
    )
    sites = {n: Site(n, f"/home/{n}", 1, frozenset()) for n in pair.nodes}
    return LaunchState(spec, seats, start_plan(spec, seats, sites, pair.nodes, title="launch"))


async def launch(
    pair: PretendCluster, *, spec: LaunchSpec | None = None, timeout_s: float = 30
) -> list[News]:
    news: list[News] = []
    async with pair.fleet() as fleet:
        await drive_launch(fleet, state_of(pair, spec), news.append, timeout_s=timeout_s)
    return news


async def failing(pair: PretendCluster, *, timeout_s: float = 30) -> tuple[SparkError, list[News]]:
    news: list[News] = []
    async with pair.fleet() as fleet:
        with pytest.raises(SparkError) as caught:
            await drive_launch(fleet, state_of(pair), news.append, timeout_s=timeout_s)
    return caught.value, news


@pytest.mark.parametrize("backend", list(Backend))
async def test_everything_runs_and_each_nodes_way_there_was_told(
    pair: PretendCluster, backend: Backend
) -> None:
    news = await launch(pair, spec=LaunchSpec(backend=backend))
    assert pair.running == {"spark1", "spark2"}
    told = [(n.node, n.text) for n in news if isinstance(n, Remark)]
    last = "joined" if backend is Backend.RAY else "running"
    assert ("spark2", "starting") in told
    assert {node for node, text in told if text == last} == {"spark1", "spark2"}


async def test_bind_sources_are_made_by_the_user_before_docker_runs(pair: PretendCluster) -> None:
    await launch(pair)
    node = pair.nodes["spark2"]
    assert node.folders == {"/home/spark2/.cache/huggingface"}
    commands = [argv[3] if argv[0] == "sh" else argv[1] for argv in node.ran]
    assert commands.index("folders") < commands.index("run")


async def test_secrets_come_from_the_environment_and_not_in_the_command(
    pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "HF_TOKEN", "hf_secretsecret")
    await launch(pair, spec=LaunchSpec(env=("HF_TOKEN",)))
    node = pair.nodes["spark1"]
    assert node.secrets == {"HF_TOKEN": "hf_secretsecret"}
    assert "hf_secretsecret" not in repr(node.ran)


async def test_an_image_missing_on_the_worker_stops_all_and_names_it(pair: PretendCluster) -> None:
    pair.nodes["spark2"].refuses = "Unable to find image 'vllm-node:latest' locally"
    error, _ = await failing(pair)
    assert error.node == "spark2"
    assert error.cause == "the image vllm-node:latest is not on this node"
    assert "image copy" in error.hint
    assert pair.left == set()


async def test_a_container_that_dies_tells_its_cause_and_its_log_is_kept(pair: PretendCluster) -> None:
    pair.nodes["spark2"].dies = "2026 noise\nValueError: no such device enp9\n"
    error, news = await failing(pair)
    assert (error.node, error.cause) == ("spark2", "ValueError: no such device enp9")
    assert pair.left == set()
    kept = [n.line for n in news if isinstance(n, Output) and n.node == "spark2"]
    assert kept == ["2026 noise", "ValueError: no such device enp9"]


async def test_a_container_that_dies_later_is_noticed(pair: PretendCluster) -> None:
    pair.absent = {"spark2"}
    node = pair.nodes["spark2"]

    def die() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, lambda: node.containers["vllm_node"].update(running=False, log="OSError: gone"))

    node.on_run = die
    error, _ = await failing(pair)
    assert (error.node, error.cause) == ("spark2", "OSError: gone")
    assert pair.left == set()


async def test_a_node_that_never_joins_is_named_when_time_is_up(pair: PretendCluster) -> None:
    pair.absent = {"spark2"}
    error, _ = await failing(pair, timeout_s=0.05)
    assert error.node == "spark2"
    assert "Ray does not list it yet" in error.cause
    assert pair.left == set()


async def test_power_cut_of_the_worker_is_unknown_and_the_head_is_taken_back(pair: PretendCluster) -> None:
    node = pair.nodes["spark2"]
    pair.absent = {"spark2"}
    node.on_run = lambda: setattr(node, "lost", True)
    error, _ = await failing(pair)
    assert isinstance(error, Unreachable)
    assert error.node == "spark2"
    assert "may be left" in error.hint
    assert pair.left == {"spark2"}


@pytest.mark.parametrize("names", [("spark2",), ("spark1",), ("spark1", "spark2")], ids="+".join)
async def test_a_link_that_breaks_while_nodes_join_is_waited_for(
    pair: PretendCluster, names: tuple[str, ...]
) -> None:
    """The operator's own network, or one sshd: what was started starts on, and nothing is taken back."""
    pair.absent = {"spark2"}
    broken, news = [pair.nodes[name] for name in names], list[News]()

    def hear(heard: News) -> None:
        news.append(heard)
        if not isinstance(heard, Remark):
            return
        if heard.text == "running" and heard.node == "spark2":
            for node in broken:
                node.lost = True
        if "is waited for until" in heard.text:
            pair.nodes[heard.node].lost = False
            pair.absent = set()

    async with pair.fleet() as fleet:
        with waits_reported_to(lambda node, text: hear(Remark(text, node, "warning"))):
            await drive_launch(fleet, state_of(pair), hear, timeout_s=60)
    waited = {n.node for n in news if isinstance(n, Remark) and "is waited for" in n.text}
    assert waited == set(names)
    assert pair.running == {"spark1", "spark2"}


async def test_a_launch_without_news_says_what_it_waits_for(
    pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "AGAIN_S", 0.05)
    pair.absent, heard = {"spark2"}, list[str]()

    def hear(news: News) -> None:
        if isinstance(news, Remark) and "nothing new for" in news.text:
            heard.append(f"{news.node} {news.text.partition(':')[0]}")
            pair.absent = set()

    async with pair.fleet() as fleet:
        await drive_launch(fleet, state_of(pair), hear, timeout_s=60)
    assert "spark2 running" in heard


async def test_a_link_that_does_not_come_back_ends_the_launch(
    pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "LINK_S", 0.05)
    pair.absent = {"spark2"}
    node = pair.nodes["spark2"]

    def hear(news: News) -> None:
        if isinstance(news, Remark) and (news.node, news.text) == ("spark2", "running"):
            node.lost = True

    async with pair.fleet() as fleet:
        with pytest.raises(Unreachable) as caught:
            await drive_launch(fleet, state_of(pair), hear, timeout_s=60)
    assert caught.value.node == "spark2"
    assert "may be left" in caught.value.hint
    assert pair.left == {"spark2"}


async def test_someone_elses_container_is_left_alone(pair: PretendCluster) -> None:
    pair.nodes["spark2"].start()
    error, _ = await failing(pair)
    assert "left alone" in error.cause
    assert pair.left == {"spark2"}


async def test_cancelling_takes_everything_back_before_it_lets_go(pair: PretendCluster) -> None:
    pair.absent = {"spark2"}
    started = asyncio.Event()
    pair.nodes["spark2"].on_run = started.set
    task = asyncio.create_task(launch(pair))
    await started.wait()
    task.cancel()
    with pytest.raises((asyncio.CancelledError, Cancelled)):
        await task
    assert pair.left == set()


async def test_stop_says_of_each_node_what_is_so(pair: PretendCluster) -> None:
    pair.nodes["spark1"].start()
    news: list[News] = []
    plan = stop_plan("vllm_node", ["spark1"])
    async with pair.fleet() as fleet:
        stops = await stop_nodes(
            fleet, plan, "vllm_node", news.append, nodes=["spark1", "spark2"], ports=(6379,)
        )
    assert [(s.node, s.result) for s in stops] == [
        ("spark1", StopResult.STOPPED),
        ("spark2", StopResult.NOT_RUNNING),
    ]
    assert stops[0].after_bytes > stops[0].before_bytes
    assert [n.line for n in news if isinstance(n, Output)] == ["old log"]
    assert pair.left == set()


async def test_stop_goes_on_when_a_node_is_lost_and_never_calls_it_stopped(pair: PretendCluster) -> None:
    for node in pair.nodes.values():
        node.start()
    plan = stop_plan("vllm_node", pair.nodes)
    pair.nodes["spark1"].lost = True
    async with pair.fleet() as fleet:
        stops = await stop_nodes(fleet, plan, "vllm_node", lambda _: None, nodes=pair.nodes, ports=())
    assert [s.result for s in stops] == [StopResult.UNREACHABLE, StopResult.STOPPED]


async def test_stop_fails_when_a_port_stays_taken(pair: PretendCluster) -> None:
    pair.nodes["spark1"].start()
    pair.nodes["spark1"].listening = {6379}
    plan = stop_plan("vllm_node", ["spark1"])
    async with pair.fleet() as fleet:
        (stop,) = await stop_nodes(
            fleet, plan, "vllm_node", lambda _: None, nodes=["spark1"], ports=(6379, 8265)
        )
    assert (stop.result, stop.why) == (StopResult.FAILED, "port 6379 is still in use")
