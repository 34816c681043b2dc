"""`node drop-caches`: by which way it becomes root, what it says it brought, when it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.page_cache import RootWay, drop_argv
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import nobody
from sparkconsole.parse.machine.facts import parse_memory_state
from sparkconsole.remote.shell import Completed
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.node.drop_caches import drop_caches
from tests.line_shell import LineShell

FULL = "MemTotal: 120000000 kB\nMemFree: 9000000 kB\nMemAvailable: 90000000 kB\nBuffers: 1000 kB\n"


class Spark(LineShell):
    """Its cache goes when the kernel is told so; `sudo` may break."""

    def __init__(self, node: str, way: str, *, breaks: bool = False) -> None:
        super().__init__(node)
        self.way, self.breaks, self.cached, self.ran = way, breaks, 80_000_000, list[tuple[str, ...]]()

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 30,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        words = tuple(argv)
        if "memory-standing" in words:
            free = 9_000_000 + 80_000_000 - self.cached
            text = FULL.replace("MemFree: 9000000", f"MemFree: {free}") + f"Cached: {self.cached} kB\n"
            return Completed(self.node, words, 0, f"{text}Way: {self.way}\n".encode())
        assert words[-1] == "drop-caches"
        self.ran.append(words)
        if self.breaks:
            return Completed(self.node, words, 1, b"", b"sh: Read-only file system")
        self.cached = 1_000_000
        return Completed(self.node, words, 0)


def session_of(tmp_path: Path, *sparks: Spark) -> Session:
    shells = {s.node: s for s in sparks}
    cluster = Cluster(nodes=tuple(Node(name=n, address=n) for n in shells))

    async def connect(node: Node) -> Spark:
        return shells[node.name]

    fleet = Fleet(cluster, connect)
    return Session(Options(), Inventory(), cluster, fleet, Journal(tmp_path, RealClock()))


async def dropped(session: Session, *names: str) -> Answer:
    action = await drop_caches(session, *names)
    assert isinstance(action, PlannedAction)
    return await action.execute(nobody)


@pytest.mark.parametrize(
    ("way", "first"),
    [("root", ("sh", "-c")), ("sudo", ("sudo", "-n", "sh")), ("container", ("docker", "run", "--rm"))],
)
async def test_the_plan_says_by_which_way_and_that_one_runs(
    tmp_path: Path, way: str, first: tuple[str, ...]
) -> None:
    spark = Spark("a", way)
    session = session_of(tmp_path, spark)
    plan = (await drop_caches(session)).plan
    assert spark.ran == [], "nothing before it was agreed to"
    assert way in plan.steps[0].sentence
    answer = await dropped(session)
    assert spark.ran[0][: len(first)] == first
    assert spark.ran[0] == plan.steps[0].argv
    assert answer.data["nodes"]["a"]["free"] == [9_000_000 * 1024, 88_000_000 * 1024]
    assert "80.9 GB more are free" in str(answer.data)
    assert answer.exit_code == 0


def test_the_container_is_privileged_thrown_away_and_of_that_image() -> None:
    argv = drop_argv(RootWay.CONTAINER, "vllm-node")
    assert {"--rm", "--privileged", "vllm-node"} <= set(argv)
    assert argv[argv.index("vllm-node") + 1] == "-c", "the entry point is the shell"


async def test_who_cannot_become_root_is_refused_before_any_node_is_touched(tmp_path: Path) -> None:
    sparks = Spark("a", "root"), Spark("b", "none")
    with pytest.raises(Refused, match="only root may drop the page cache") as refused:
        await drop_caches(session_of(tmp_path, *sparks))
    assert refused.value.node == "b"
    assert "--image" in refused.value.hint
    assert sparks[0].ran == []


async def test_a_node_where_it_failed_is_told_beside_the_others(tmp_path: Path) -> None:
    answer = await dropped(session_of(tmp_path, Spark("a", "sudo"), Spark("b", "sudo", breaks=True)))
    assert answer.exit_code == 1
    assert answer.data["nodes"]["a"]["ok"]
    assert not answer.data["nodes"]["b"]["ok"]
    assert "Read-only file system" in answer.data["nodes"]["b"]["said"]


async def test_only_the_nodes_that_were_named(tmp_path: Path) -> None:
    sparks = Spark("a", "root"), Spark("b", "root")
    session = session_of(tmp_path, *sparks)
    await dropped(session, "b")
    assert (len(sparks[0].ran), len(sparks[1].ran)) == (0, 1)
    with pytest.raises(WrongUsage, match="no node is called 'c'"):
        await drop_caches(session, "c")


def test_rubbish_is_not_a_memory() -> None:
    with pytest.raises(SparkError, match="not understood"):
        parse_memory_state("MemTotal: lots\n", "a")
