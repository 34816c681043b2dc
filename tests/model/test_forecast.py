"""What a node would say once plans were carried out, from what it says now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.foresight.effect import (
    ContainerGone,
    ContainerStarted,
    Effect,
    ImageGone,
    ImageNamed,
    Rebooted,
    ServerGone,
    ServerUp,
)
from sparkconsole.model.foresight.forecast import Forecast, NodeForecast
from sparkconsole.model.launch.site import Site
from sparkconsole.model.page_cache import RootWay
from sparkconsole.model.serve.engine import LiveRank

GIB = 1 << 30
OLD = ImageIdentity("vllm-node:latest", "sha256:old", "linux/arm64", ("a",), "c")
NEW = ImageIdentity("vllm-node", "sha256:new", "linux/arm64", ("b",), "d")
RUNS = Container("vllm_node", "", "vllm-node", "sha256:new", "running", exit_code=0)
HERE = Site(
    "spark1", "/home/spark", 8 * GIB, frozenset({22, 6379, 8888}), replace(RUNS, image_id="sha256:old")
)
UP = ServerUp("spark1", "vllm_node", 8888, "m", "org/m", (LiveRank("spark1", "‹g›"),), {"spark1": 0.5})


def on(*effects: Effect, node: str = "spark1") -> NodeForecast:
    return Forecast().after(effects).on(node)


def test_a_name_moves_and_what_had_it_goes_on_without_one() -> None:
    found = on(ImageNamed("spark1", NEW)).images([OLD])
    assert [(i.tag, i.id) for i in found] == [("", "sha256:old"), ("vllm-node:latest", "sha256:new")]
    dated = replace(OLD, tag="vllm-node:20261124-0915")
    kept = on(ImageNamed("spark1", NEW)).images([OLD, dated])
    assert [i.tag for i in kept] == ["vllm-node:20261124-0915", "vllm-node:latest"]


def test_what_is_gone_is_gone_by_its_name_or_by_its_id() -> None:
    nameless = replace(OLD, tag="")
    assert on(ImageGone("spark1", "vllm-node", "")).images([OLD, nameless]) == (nameless,)
    assert on(ImageGone("spark1", "", "sha256:old")).images([OLD, nameless]) == (OLD,)
    assert on(ImageGone("spark1", "vllm-node", "")).image("vllm-node:latest", OLD) is None


def test_another_nodes_effects_are_not_this_ones() -> None:
    other = on(ImageNamed("spark1", NEW), ContainerStarted("spark1", RUNS), node="spark2")
    assert other.image("vllm-node", None) is None
    assert other.found("vllm_node", None) is None


def test_with_its_container_a_server_is_gone_and_its_memory_is_back() -> None:
    then = on(ContainerGone("spark1", "vllm_node", frozenset({6379})))
    site = then.site("vllm_node", HERE, held={8888}, total=100 * GIB)
    assert (site.found, site.listening, site.available_bytes) == (None, frozenset({22}), 100 * GIB)
    assert then.server(8888) is None
    assert then.ranks("vllm_node", [LiveRank("spark1", 7)]) == ()


def test_a_server_that_starts_takes_its_share_until_it_ends() -> None:
    started = on(ContainerStarted("spark1", RUNS), UP)
    assert started.server(8888) is UP
    assert started.available(100 * GIB, 100 * GIB) == 50 * GIB
    assert 8888 in started.listening({22}, ())
    ended = on(UP, ServerGone(("spark1",), "vllm_node", 8888))
    assert ended.server(8888) is None
    assert ended.available(10 * GIB, 100 * GIB) == 100 * GIB
    assert ended.ranks("vllm_node", ()) == ()


@pytest.mark.parametrize(
    "end",
    [Rebooted("spark2"), ContainerGone("spark2", "vllm_node"), ContainerStarted("spark2", RUNS)],
    ids=["reboot", "gone", "started anew"],
)
def test_a_server_over_two_nodes_ends_with_either(end: Effect) -> None:
    over_two = replace(UP, shares={"spark1": 0.5, "spark2": 0.5})
    assert on(over_two, end).server(8888) is None
    alone = replace(UP, container="other")
    assert on(alone, end).server(8888) == alone, "it does without the second node"


def test_nothing_runs_on_a_machine_that_started_anew() -> None:
    then = on(UP, Rebooted("spark1"))
    site = then.site("vllm_node", HERE, held=(), total=100 * GIB)
    assert site.found is not None
    assert (site.running, site.listening) == (False, frozenset({22}))


def test_what_nothing_touches_is_as_it_is_now() -> None:
    then = on()
    assert then.site("vllm_node", HERE, held=(), total=0) == HERE
    assert then.images([OLD]) == (OLD,)
    assert then.server(8888) is True
    assert then.members(8265) is True


def test_an_image_that_comes_is_a_way_to_root_and_one_that_goes_is_none() -> None:
    assert on(ImageNamed("spark1", NEW)).way_to_root(RootWay.NONE, "vllm-node") is RootWay.CONTAINER
    assert (
        on(ImageGone("spark1", "vllm-node", "")).way_to_root(RootWay.CONTAINER, "vllm-node") is RootWay.NONE
    )
    assert on(ImageGone("spark1", "vllm-node", "")).way_to_root(RootWay.SUDO, "vllm-node") is RootWay.SUDO
    assert on().way_to_root(RootWay.CONTAINER, "vllm-node") is RootWay.CONTAINER
