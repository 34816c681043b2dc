"""`check`, `status` and `wait-for` as a person asks for them, over pretend machines; they change nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, TimedOut, UnknownHostKey, WrongUsage
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, JobKind, RunState
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.diagnose.check import check
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.session import Options, Session
from sparkconsole.verbs.launch.start import launch
from sparkconsole.verbs.status.status import status
from sparkconsole.verbs.status.wait_for import wait_for
from tests.pretend_nodes import PretendCluster, PretendNode, image

WELL = {
    "gpu": "NVIDIA GB10, GPU-1, 3, 11.2, 35, 208, 580.95\nstatus 0\n",
    "memory": "MemTotal: 1000 kB\nMemAvailable: 900 kB\n",
    "docker": "installed\nsocket\npermitted\ninfo 28.3|overlay2|/var/lib/docker\n",
    "disk": "docker 900000000000\nhome 900000000000\n",
}


class QuickClock:
    """Waiting takes no time, and is counted; something may happen meanwhile."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.after: dict[int, Any] = {}
        self.naps = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(1.0 + self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.naps += 1
        self.after.pop(self.naps, lambda: None)()


def healthy(node: PretendNode) -> None:
    """Its look has what a good machine says."""
    plain = node._facts

    def facts(mark: str) -> str:
        return plain(mark) + "".join(f"\n{mark} {name}\n{text}" for name, text in WELL.items())

    others = node.answer
    node._facts = facts  # type: ignore[method-assign]
    node.answer = lambda argv: (0, "", "") if argv == ("true",) else others(argv)  # type: ignore[method-assign]


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PretendCluster]:
    pretend = PretendCluster("spark1", "spark2")
    for node in pretend.nodes.values():
        healthy(node)

    async def members(shell: Shell, port: int = 8265) -> Any:
        return await pretend.members(shell, port)

    monkeypatch.setattr("sparkconsole.remote.ray.members", members)
    async with pretend.engines(tmp_path):
        yield pretend


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
async def session(pair: PretendCluster, clock: QuickClock, tmp_path: Path) -> AsyncIterator[Session]:
    async with pair.fleet() as fleet:
        fleet.clock = clock
        yield Session(Options(), Inventory(), pair.cluster, fleet, Journal(tmp_path / "state", RealClock()))


def start(pair: PretendCluster, **labels: str) -> None:
    for node in pair.nodes.values():
        node.start(**{"org.sparkconsole.address": node.address, "org.sparkconsole.launch": "{}", **labels})
        node.containers["vllm_node"]["labels"] |= labels


def text(answer: Answer) -> str:
    return "\n".join(
        "\n".join(" ".join(row) for row in p.rows) if isinstance(p, Sheet) else p for p in answer.parts
    )


def changed(pair: PretendCluster) -> bool:
    looks = {"launch-site", "hf-cache", "serve-look", "marks"}
    return any(a[:2] != ("sh", "-s") and not looks & set(a) for n in pair.nodes.values() for a in n.ran)


async def test_check_shows_what_each_node_would_use(session: Session, pair: PretendCluster) -> None:
    answer = await check(session)
    assert answer.exit_code == 0, text(answer)
    assert (answer.data["head"], answer.data["workers"]) == ("spark1", ["spark2"])
    assert (answer.data["container"], answer.data["image"]) == ("vllm_node", "vllm-node")
    assert [
        (n["node"], n["role"], n["eth_if"], n["address"], n["hcas"], n["mtu"]) for n in answer.data["nodes"]
    ] == [
        ("spark1", "head", "enp1s0f1np1", "192.168.177.11", ["rocep1s0f1"], 9000),
        ("spark2", "worker", "enp1s0f1np1", "192.168.177.12", ["rocep1s0f1"], 9000),
    ]
    assert json.loads(json.dumps(answer.data)) == answer.data
    assert not changed(pair)


async def test_check_takes_another_image_and_name_and_shows_variables(
    session: Session, pair: PretendCluster
) -> None:
    pair.nodes["spark1"].images["other:1"] = image()
    answer = await check(session, tag="other:1", name="two", env=True)
    assert answer.exit_code == 0, "a missing image is a warning: building comes after checking"
    assert (answer.data["container"], answer.data["image"]) == ("two", "other:1")
    assert "image copy other:1" in text(answer)
    assert "VLLM_HOST_IP 192.168.177.12" in text(answer)
    assert "VLLM_HOST_IP" not in text(await check(session))


async def test_check_fails_for_an_interface_that_is_not_there(session: Session) -> None:
    answer = await check(session, eth_if="enp9")
    assert answer.exit_code == 1
    assert "there is no interface enp9" in text(answer)
    assert (await check(session, ib_if="mlx5_0 rocep1s0f1")).exit_code == 1


async def test_check_of_launch_is_this_check(session: Session, pair: PretendCluster) -> None:
    answer = await launch(session, check_config=True, tag="absent:1")
    assert isinstance(answer, Answer)
    assert answer.data["image"] == "absent:1"
    assert not changed(pair)


async def test_check_shows_the_others_when_one_is_unreachable(session: Session, pair: PretendCluster) -> None:
    pair.nodes["spark2"].lost = True
    answer = await check(session)
    assert answer.exit_code == 3
    assert [n["reachable"] for n in answer.data["nodes"]] == [True, False]
    assert answer.data["nodes"][0]["eth_if"] == "enp1s0f1np1"
    assert "no route to it" in text(answer)


async def test_without_nodes_there_is_nothing_to_look_at(session: Session) -> None:
    await session.fleet.regroup(Cluster())
    for question in (check(session), status(session), wait_for(session, "nodes")):
        with pytest.raises(WrongUsage, match="no nodes"):
            await question


async def test_status_of_a_running_cluster(
    session: Session, pair: PretendCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(pair)

    async def models(shell: Shell, port: int) -> tuple[str, ...]:
        return (f"{shell.node}-model-{port}",)

    monkeypatch.setattr("sparkconsole.remote.serve.vllm.models", models)
    answer = await status(session, port=9000)
    assert answer.exit_code == 0
    first = answer.data["nodes"][0]
    assert first["memory"] == {"used": 100 << 10, "total": 1000 << 10}
    assert first["gpu"] == {"name": "NVIDIA GB10", "utilisation": 3.0, "temperature_c": 35.0, "power_w": 11.2}
    assert (first["container"]["state"], first["container"]["image"]) == ("running", "vllm-node")
    assert first["fabric"] == {"up": 1, "ports": 1}
    assert [n["ray_alive"] for n in answer.data["nodes"]] == [True, True]
    assert answer.data["ray"] == {"state": "answers", "alive": 2, "expected": 2, "gpus": 2}
    server = answer.data["server"]
    assert (server["port"], server["models"], server["state"]) == (9000, ["spark1-model-9000"], "answers")
    assert "Ray: 2/2 members, 2 GPUs" in text(answer)
    assert json.loads(json.dumps(answer.data)) == answer.data
    assert not changed(pair)


async def test_status_takes_the_exact_container_and_tells_absent_from_unknown(
    session: Session, pair: PretendCluster
) -> None:
    pair.nodes["spark1"].start("vllm_node2")
    pair.nodes["spark2"].lost = True
    answer = await status(session)
    assert answer.exit_code == 3
    here, lost = answer.data["nodes"]
    assert here["container"] == {"name": "vllm_node", "state": "absent"}
    assert (lost["state"], lost["error"]["cause"]) == ("unknown", "no route to it")
    assert "container" not in lost, "nothing is said of what was not seen"
    assert (answer.data["ray"]["state"], answer.data["server"]["models"]) == ("not running", None)


async def test_status_of_a_worker_that_left_ray(session: Session, pair: PretendCluster) -> None:
    start(pair)
    pair.absent = {"spark2"}
    answer = await status(session)
    assert [n["ray_alive"] for n in answer.data["nodes"]] == [True, False]
    assert answer.data["ray"]["alive"] == 1


async def test_status_without_ray_does_not_expect_it(session: Session, pair: PretendCluster) -> None:
    start(pair, **{"org.sparkconsole.launch": '{"backend":"none"}'})
    assert (await status(session)).data["ray"]["state"] == "not running"


async def test_status_asks_the_nodes_of_open_jobs(session: Session, pair: PretendCluster) -> None:
    job = Job(id="build-x-1", node="spark1", kind=JobKind.BUILD, argv=("x",))
    run = session.journal.add_jobs(session.journal.begin(("image", "build"), "default", {}), (job,))
    ended = session.journal.begin(("image", "copy"), "default", {})
    ended = session.journal.add_jobs(ended, (job.model_copy(update={"id": "copy-1"}),))
    session.journal.end(ended, RunState.DONE, 0)
    pair.nodes["spark1"].extra["job-state"] = (0, "running - 7\n", "")
    (told,) = (await status(session)).data["jobs"]
    assert (told["run"], told["job"], told["state"]) == (run.id, "build-x-1", "running")
    pair.nodes["spark1"].lost = True
    session.fleet.lost("spark1")
    assert (await status(session)).data["jobs"][0]["state"] == "unknown"


async def test_waiting_for_nodes_tries_a_lost_one_again(
    session: Session, pair: PretendCluster, clock: QuickClock
) -> None:
    node = pair.nodes["spark2"]
    node.lost = True
    clock.after[3] = lambda: setattr(node, "lost", False)
    answer = await wait_for(session, "nodes")
    assert (answer.exit_code, answer.data["waited_s"]) == (0, 6.0)


async def test_giving_up_says_what_is_missing(
    session: Session, pair: PretendCluster, clock: QuickClock
) -> None:
    pair.nodes["spark2"].lost = True
    with pytest.raises(TimedOut, match="nodes: not seen within 10 s: spark2: no route") as caught:
        await wait_for(session, "nodes", timeout=10)
    assert caught.value.exit_code == 1
    assert clock.seconds == 10


async def test_a_host_key_that_is_not_trusted_is_not_waited_for(
    session: Session, monkeypatch: pytest.MonkeyPatch, clock: QuickClock
) -> None:
    async def shell(node: str) -> Shell:
        raise UnknownHostKey("not trusted yet", fingerprint="SHA256:x", node=node)

    monkeypatch.setattr(session.fleet, "shell", shell)
    with pytest.raises(UnknownHostKey):
        await wait_for(session, "nodes")
    assert clock.naps == 0


async def test_waiting_for_ray_names_who_is_missing(
    session: Session, pair: PretendCluster, clock: QuickClock
) -> None:
    with pytest.raises(TimedOut, match="spark1: no container vllm_node runs"):
        await wait_for(session, "ray", timeout=4)
    start(pair)
    pair.absent = {"spark2"}
    with pytest.raises(TimedOut, match="spark2 is no living member of Ray; 1 of 2 GPUs"):
        await wait_for(session, "ray", timeout=4)
    clock.after[clock.naps + 1] = pair.absent.clear
    assert (await wait_for(session, "ray", timeout=4)).exit_code == 0


async def test_ray_is_not_waited_for_where_it_was_not_launched(
    session: Session, pair: PretendCluster
) -> None:
    start(pair, **{"org.sparkconsole.launch": '{"backend":"solo"}'})
    with pytest.raises(Refused, match="without Ray"):
        await wait_for(session, "ray")


async def test_waiting_for_the_server_is_for_a_completion(
    session: Session, monkeypatch: pytest.MonkeyPatch, clock: QuickClock
) -> None:
    asked: list[tuple[str, int]] = []

    async def complete(shell: Shell, port: int, *, timeout: float = 10) -> str:
        asked.append((shell.node, port))
        if len(asked) < 3:
            raise SparkError("nothing answers", node=shell.node)
        return "model"

    monkeypatch.setattr("sparkconsole.remote.serve.vllm.complete_one_token", complete)
    assert (await wait_for(session, "server", port=9000)).exit_code == 0
    assert asked == [("spark1", 9000)] * 3


async def test_waiting_for_the_image_is_for_the_same_one(session: Session, pair: PretendCluster) -> None:
    assert (await wait_for(session, "image")).exit_code == 0
    pair.nodes["spark2"].images["vllm-node"] = image("sha256:bb")
    with pytest.raises(TimedOut, match="spark2 has another one than spark1"):
        await wait_for(session, "image", timeout=2)
    with pytest.raises(TimedOut, match="spark1 does not have x:1; spark2 does not have x:1"):
        await wait_for(session, "image", tag="x:1", timeout=2)


@pytest.mark.parametrize(
    ("word", "hint"), [("nods", "did you mean nodes?"), ("happiness", "nodes, ray, server, image")]
)
def test_an_unknown_condition_is_answered_with_the_nearest(word: str, hint: str) -> None:
    with pytest.raises(WrongUsage, match=word) as caught:
        understand(("wait-for", word))
    assert hint in caught.value.hint
