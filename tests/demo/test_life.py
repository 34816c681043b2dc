"""The pretend cluster lives: the same values at the same time, counters that grow, load that shows."""

from __future__ import annotations

import pytest

from sparkconsole.demo.answers.sampled import metrics, sample_line
from sparkconsole.demo.cluster import Pretend, pretend
from sparkconsole.demo.spark.jobs import start
from sparkconsole.model.telemetry import Reading, Sample, reading
from sparkconsole.parse.machine.telemetry import parse_sample
from sparkconsole.parse.serve.vllm_metrics import parse_metrics
from tests.still_clock import StillClock

SERVE = (
    "docker",
    "exec",
    "vllm_node",
    "sh",
    "-c",
    "x",
    "job",
    "id",
    "vllm",
    "serve",
    "m",
    "--port",
    "8888",
    "-tp",
    "2",
)


def sampled(cluster: Pretend, name: str) -> Sample:
    sample = parse_sample(sample_line(cluster.machines[name]))
    assert sample is not None
    return sample


async def after(cluster: Pretend, clock: StillClock, seconds: float, name: str = "spark-01") -> Reading:
    before = sampled(cluster, name)
    await clock.advance(seconds)
    return reading(before, sampled(cluster, name))


def serving(count: int = 2) -> tuple[Pretend, StillClock]:
    clock = StillClock()
    cluster = pretend(count, clock=clock)
    for machine in cluster.machines.values():
        machine.take("vllm-node", {"Id": "sha256:1", "RootFS": {"Layers": []}, "Config": {}})
        machine.run(("docker", "run", "-d", "--name", "vllm_node", "vllm-node:latest", "ray", "start"))
    assert start(cluster.machines["spark-01"], "serve-m", SERVE)
    return cluster, clock


def test_the_same_time_gives_the_same_values() -> None:
    assert sample_line(pretend(2, clock=StillClock()).machines["spark-02"]) == sample_line(
        pretend(2, clock=StillClock()).machines["spark-02"]
    )


def test_machines_differ_a_little() -> None:
    cluster = pretend(8, clock=StillClock())
    heats = {sampled(cluster, name).gpus[0].temperature_c for name in cluster.machines}
    assert len(heats) > 2


async def test_idle_is_quiet() -> None:
    clock = StillClock()
    now = await after(pretend(1, clock=clock), clock, 1)
    assert now.gpus[0].utilisation == 0
    assert now.cpu is not None
    assert now.cpu < 10
    assert {name for name, flow in now.rails.items() if flow.up} == {"rocep1s0f1", "roceP2p1s0f1"}


async def test_serving_is_seen_on_every_rank() -> None:
    cluster, clock = serving()
    idle = sampled(cluster, "spark-02")
    await clock.advance(60)
    for name in cluster.machines:
        now = await after(cluster, clock, 1, name)
        assert now.gpus[0].utilisation is not None
        assert now.gpus[0].utilisation > 10
        assert now.memory is not None
        assert idle.memory is not None
        assert now.memory.available < idle.memory.available / 2
        assert now.gpu_processes
        assert (now.rails["rocep1s0f1"].rx_per_s or 0) > 1e8


async def test_tokens_grow_as_long_as_it_serves() -> None:
    cluster, clock = serving()
    await clock.advance(60)
    before = parse_metrics(metrics(cluster.machines["spark-01"]))
    await clock.advance(10)
    now = parse_metrics(metrics(cluster.machines["spark-01"]))
    assert before.generated_tokens is not None
    assert now.generated_tokens is not None
    assert 100 < now.generated_tokens - before.generated_tokens < 2000
    assert now.running


async def test_a_server_does_not_outlive_a_rank() -> None:
    cluster, clock = serving()
    await clock.advance(60)
    assert cluster.machines["spark-01"].servers()
    cluster.machines["spark-02"].switch_on()
    assert not cluster.machines["spark-01"].servers()


@pytest.mark.parametrize("count", [1, 64])
async def test_counters_only_grow(count: int) -> None:
    cluster, clock = serving(count)
    before = sampled(cluster, "spark-01")
    for _ in range(90):
        await clock.advance(1)
        now = sampled(cluster, "spark-01")
        for name, counted in now.rails.items():
            assert (counted.rx or 0) >= (before.rails[name].rx or 0)
        assert now.cpu_busy >= before.cpu_busy
        before = now
