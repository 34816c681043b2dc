"""Who is named when a server gives no token, and when nobody is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.serve.hang import LONG_S, NodeSign, ServerSign, judge, troubles

HEAD, WORKER = NodeSign("a", head=True, rank=0), NodeSign("b", rank=1)
LATE = ServerSign(running=3, frozen_s=41, late_s=20)


def signs(**worker: object) -> tuple[NodeSign, NodeSign]:
    return HEAD, replace(WORKER, **worker)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shows", "id_", "words", "look_at"),
    [
        ({"lost": "no answer"}, "node-lost", "b: the node cannot be reached: no answer", "power"),
        ({"container": "ended with 137"}, "container-ended", "b: its container ended with 137", "logs b"),
        ({"gpu_error": "fell off"}, "gpu-gone", "b: its GPU does not answer: fell off", "reboot b"),
        ({"rank_gone": True}, "rank-gone", "b: its rank 1 has ended, its container runs", "logs b"),
        ({"killed": True}, "out-of-memory", "b: the kernel killed a process there", "--gpu-memory"),
        ({"silent_s": 40.0}, "machine-silent", "b: the machine is silent for 40 s", "--guard"),
        ({"memory": "memory is below"}, "memory-line", "b: memory is below", "--gpu-memory-utilization"),
        ({"links_down": ("rocep1s0f1",)}, "link-down", "b: its fast link is down: rocep1s0f1", "cable"),
        ({"unreached": True}, "fabric-cut", "b: the head does not reach it over the fast link", "switch"),
        ({"left_ray": True, "ray_message": "died"}, "left-ray", "b: is no longer in Ray: died", "restart b"),
    ],
)
def test_the_worker_that_shows_something_is_named(
    shows: dict[str, object], id_: str, words: str, look_at: str
) -> None:
    found = judge(LATE, signs(**shows))
    assert found is not None
    assert (found.node, found.id) == ("b", id_)
    assert found.cause.startswith(words)
    assert look_at in found.look_at
    assert found.signs[0] == "3 requests run, no token for 41 s"


def test_the_gravest_counts_and_two_ends_of_a_cable_are_told_together() -> None:
    both = judge(LATE, (replace(HEAD, links_down=("r0",)), replace(WORKER, links_down=("r0",))))
    assert both is not None
    assert both.cause == "b: its fast link is down: r0; a: its fast link is down: r0"
    lost = judge(LATE, (replace(HEAD, links_down=("r0",)), replace(WORKER, lost="gone", left_ray=True)))
    assert lost is not None
    assert lost.id == "node-lost"


WAITS = {"gpu": 100.0, "power_w": 18.0, "rdma": 0.0}
WORKS = {"gpu": 97.0, "power_w": 44.0, "rdma": 3e8}


def test_everybody_waits_for_the_one_that_does_nothing() -> None:
    found = judge(LATE, (replace(HEAD, **WAITS), replace(WORKER, gpu=0.0, power_w=9.0, rdma=0.0)))  # type: ignore[arg-type]
    assert found is not None
    assert found.node == "b"
    assert found.cause == "b: its GPU (rank 1) does nothing while a waits for it"


def test_everybody_waits_for_the_one_that_computes_on() -> None:
    found = judge(LATE, (replace(HEAD, **WORKS), replace(WORKER, **WAITS)))  # type: ignore[arg-type]
    assert found is not None
    assert found.node == "a"
    assert "computes on while b waits" in found.cause


def test_all_that_wait_without_a_byte_hang_between_each_other() -> None:
    found = judge(LATE, (replace(HEAD, **WAITS), replace(WORKER, **WAITS)))  # type: ignore[arg-type]
    assert found is not None
    assert (found.node, found.id) == ("", "collective")
    assert "no RDMA byte moves" in found.cause
    assert "fabric test" in found.look_at
    assert found.signs[-1] == "b: GPU 100 %, 18 W, RDMA 0 B/s"


def test_without_any_reading_it_is_the_engine_on_the_head() -> None:
    found = judge(replace(LATE, log_silent_s=60), (HEAD, WORKER))
    assert found is not None
    assert (found.node, found.id) == ("a", "engine")
    assert "its log is silent for 60 s" in found.signs


def test_a_long_prompt_is_no_hang_while_every_gpu_computes() -> None:
    reading = replace(HEAD, **WORKS), replace(WORKER, **WORKS)  # type: ignore[arg-type]
    assert judge(LATE, reading) is None
    assert judge(replace(LATE, frozen_s=LONG_S), reading) is not None


def test_nothing_is_judged_before_a_token_was_asked_for() -> None:
    assert judge(ServerSign(running=3, frozen_s=30), signs(lost="no answer")) is None
    assert judge(ServerSign(running=3, frozen_s=LONG_S), signs(lost="no answer")) is not None
    assert judge(ServerSign(), (HEAD, WORKER)) is None


def test_a_healthy_node_has_no_trouble() -> None:
    healthy = NodeSign("a", gpu=97, power_w=44, rdma=1e9)
    assert troubles((healthy, replace(healthy, name="b"))) == ()
