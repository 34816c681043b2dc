"""One look at a server that may give no token: it is asked only when there is a doubt, and who is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.serve.hang_probe import look_for_hang
from sparkconsole.fleet.serve.status import ServerCondition, serve_status
from sparkconsole.model.launch.site import Site
from sparkconsole.model.serve.engine import EngineLoad
from sparkconsole.model.serve.hang import Hang
from sparkconsole.remote.node.site import look
from sparkconsole.remote.serve import vllm
from sparkconsole.remote.shell import Shell
from tests.fleet.watched_sparks import QuickClock
from tests.pretend_nodes import PretendCluster


@dataclass
class Server:
    """What the server on the head answers."""

    loads: Iterator[EngineLoad | None]
    hangs: bool = True
    asked: int = 0


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> PretendCluster:
    """Two nodes whose ranks run without Ray; pings come back."""
    pretend = PretendCluster("a", "b")
    for rank, node in enumerate(pretend.nodes.values()):
        labels = {"org.sparkconsole.launch": '{"backend":"none"}', "org.sparkconsole.address": node.address}
        node.start(**labels)
        node.serve("m", "--port", "8888", "--nnodes", "2", "--node-rank", str(rank))
    pings(pretend, 0)
    return pretend


def pings(pretend: PretendCluster, status: int) -> None:
    head = pretend.nodes["a"]
    usual = type(head).answer

    def answer(argv: tuple[str, ...]) -> tuple[int | None, str, str]:
        return (status, "", "") if argv[0] == "ping" else usual(head, argv)

    head.answer = answer  # type: ignore[method-assign]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """It runs a request and gives no token."""
    found = Server(iter([EngineLoad(running=2, prompt_tokens=5, generated_tokens=7)] * 2))

    async def pulse(shell: Shell, port: int, **_: object) -> EngineLoad | None:
        return next(found.loads)

    async def complete(shell: Shell, port: int, **_: object) -> str:
        found.asked += 1
        if found.hangs:
            raise TimedOut("no answer")
        return "m"

    monkeypatch.setattr(vllm, "pulse", pulse)
    monkeypatch.setattr(vllm, "complete_one_token", complete)

    async def healthy(shell: Shell, port: int, **_: object) -> bool:
        return True

    monkeypatch.setattr(vllm, "healthy", healthy)
    return found


async def looked(pretend: PretendCluster) -> Hang | None:
    async with pretend.fleet() as fleet:
        fleet.clock = QuickClock()
        return await look_for_hang(fleet, "vllm_node", 8888, await seen(fleet))


async def seen(fleet: Fleet) -> dict[str, Site | SparkError]:
    return await fleet.ask(lambda shell: look(shell, "vllm_node"))


async def test_a_cut_fabric_is_named_by_the_ping(pair: PretendCluster, server: Server) -> None:
    pings(pair, 1)
    found = await looked(pair)
    assert found is not None
    assert found.cause == "b: the head does not reach it over the fast link"
    assert server.asked == 1


async def test_a_rank_that_ended_is_named(pair: PretendCluster, server: Server) -> None:
    pair.nodes["b"].serving.clear()
    found = await looked(pair)
    assert found is not None
    assert (found.node, found.id) == ("b", "rank-gone")


async def test_a_lost_node_is_a_reason_to_ask_though_nothing_runs(
    pair: PretendCluster, server: Server
) -> None:
    server.loads = iter([EngineLoad(running=0)])
    pair.nodes["b"].lost = True
    found = await looked(pair)
    assert found is not None
    assert found.cause == "b: the node cannot be reached: no route to it"


async def test_where_nothing_shows_it_is_the_engine(pair: PretendCluster, server: Server) -> None:
    found = await looked(pair)
    assert found is not None
    assert (found.node, found.id) == ("a", "engine")


@pytest.mark.parametrize(
    "loads",
    [
        pytest.param([EngineLoad(running=0)], id="idle"),
        pytest.param([EngineLoad(running=1, generated_tokens=1), EngineLoad(running=1, generated_tokens=2)],
                     id="it moves"),
        pytest.param([None], id="it is not well: others say so"),
    ],
)  # fmt: skip
async def test_no_token_is_asked_for_without_a_doubt(
    pair: PretendCluster, server: Server, loads: list[EngineLoad | None]
) -> None:
    server.loads = iter(loads)
    assert await looked(pair) is None
    assert server.asked == 0


async def test_a_token_that_comes_ends_the_doubt(pair: PretendCluster, server: Server) -> None:
    server.hangs = False
    assert await looked(pair) is None
    assert server.asked == 1


async def test_a_head_that_cannot_be_asked_is_no_verdict(pair: PretendCluster, server: Server) -> None:
    pair.nodes["a"].lost = True
    async with pair.fleet() as fleet:
        assert await look_for_hang(fleet, "vllm_node", 8888, {"a": Unreachable("off")}) is None


async def test_serve_status_names_whom_to_suspect(pair: PretendCluster, server: Server) -> None:
    pings(pair, 1)
    async with pair.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, ())
    assert (found.state, found.node) == (ServerCondition.WEDGED, "b")
    assert "no token came within 20 s; b: the head does not reach it" in found.detail
    assert "fabric test" in found.remedy
