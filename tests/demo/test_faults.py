"""Faults of the pretend cluster reach the console as real ones would: cards, events, reasons, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sparkconsole import cli
from sparkconsole.demo.answers.sampled import sample_line
from sparkconsole.demo.cluster import Pretend, pretend
from sparkconsole.demo.faults import KINDS, clear, inject
from sparkconsole.demo.spark.engine import image_json
from sparkconsole.demo.spark.jobs import start
from sparkconsole.demo.spark.machine import kernel_log
from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.store import Reachability
from sparkconsole.model.docker_host import DEFAULT_SOCKET
from sparkconsole.parse.machine.telemetry import parse_sample
from sparkconsole.parse.serve.vllm_serve import first_cause
from sparkconsole.remote.docker.engine import container_log, containers
from sparkconsole.remote.node.facts import node_facts
from sparkconsole.remote.node.power import life, reboot
from sparkconsole.remote.ray import members
from sparkconsole.remote.sampler.sampler import argv
from sparkconsole.remote.serve.vllm import models
from sparkconsole.remote.shell import Shell
from tests.still_clock import StillClock
from tests.tui.harness import app_of, scene, screen_text, seen


async def said(pilot: object, clock: StillClock, line: str, seconds: float = 20) -> list[str]:
    app = app_of(pilot)  # type: ignore[arg-type]
    known = len(app.store.events)
    assert app.command(line) == ""
    await clock.advance(seconds)
    if app.screen is not app.view:
        app.pop_screen()
    await clock.advance(1)
    return [f"{e.source} {e.text}" for e in list(app.store.events)[known:]]


async def test_a_power_cut_is_lost_with_a_reason_and_comes_back() -> None:
    async with scene("launched") as (pilot, clock):
        app = app_of(pilot)
        await said(pilot, clock, "demo fault spark-02 lost")
        lost = app.store.nodes["spark-02"]
        assert lost.reach is Reachability.LOST
        assert lost.reason
        assert lost.reading is not None, "the last values stay"
        assert "✖ spark-02" in await seen(pilot)
        await said(pilot, clock, "demo clear spark-02", 90)
        assert app.store.nodes["spark-02"].reach is Reachability.UP
        (ended,) = app.store.nodes["spark-02"].containers or ()
        assert (ended.running, ended.exit_code) == (False, 255), "nothing starts by itself"


async def test_an_unknown_key_is_shown_with_its_fingerprint() -> None:
    async with scene() as (pilot, clock):
        await said(pilot, clock, "demo fault spark-02 key")
        assert app_of(pilot).store.nodes["spark-02"].fingerprint.startswith("SHA256:")
        assert "SHA256:" in await seen(pilot)


async def test_garbage_is_told_and_the_console_goes_on() -> None:
    async with scene() as (pilot, clock):
        events = await said(pilot, clock, "demo fault spark-02 garbage")
        assert any("spark-02" in event for event in events)
        assert "spark-01" in await seen(pilot)


@pytest.mark.parametrize(("kind", "word"), [("link-down", "link"), ("oom", "container"), ("gpu-gone", "GPU")])
async def test_what_happens_to_a_node_becomes_an_event(kind: str, word: str) -> None:
    async with scene("launched") as (pilot, clock):
        events = await said(pilot, clock, f"demo fault spark-02 {kind}")
        assert any(word in event and "spark-02" in event for event in events), events


async def test_every_fault_can_be_had_and_mended_without_harm() -> None:
    async with scene("launched") as (pilot, clock):
        for kind in KINDS:
            await said(pilot, clock, f"demo fault spark-02 {kind}", 8)
            await said(pilot, clock, "demo clear spark-02", 10)
            await pilot.press("r")
            await clock.advance(30)
        assert app_of(pilot).store.nodes["spark-02"].reach is Reachability.UP
        assert "DEMO" in screen_text(pilot)


def test_a_fault_that_there_is_not_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo", "demo", "fault", "spark-02", "gremlins"]) == 2
    assert "link-down" in capsys.readouterr().err


def test_a_real_cluster_is_never_broken_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert cli.run(["demo", "fault", "spark-02", "lost"]) == 4
    assert "pretend" in capsys.readouterr().err


# --- one machine, without the console


def equipped(count: int = 2) -> tuple[Pretend, StillClock]:
    """Machines with an image, a Ray cluster and a server that spans the first two."""
    clock = StillClock()
    cluster = pretend(count, clock=clock)
    for machine in cluster.machines.values():
        machine.take("vllm-node", image_json("vllm-node", "7", "2026-01-31T11:00:00Z"))
        head = ("--head",) if machine.number == 1 else ()
        machine.run(("docker", "run", "-d", "--name", "vllm_node", "vllm-node:latest", "ray", "start", *head))
    inside = ("sh", "-c", "x", "job", "id", "vllm", "serve", "m", "--port", "8888", "-tp", "2")
    start(cluster.machines["spark-01"], "serve-m", ("docker", "exec", "vllm_node", *inside))
    return cluster, clock


async def shell_of(cluster: Pretend, number: int) -> Shell:
    return await cluster.connect(cluster.cluster.nodes[number - 1])


async def test_a_cut_connection_says_so_in_every_way_and_for_good() -> None:
    cluster, clock = equipped()
    machine, shell = cluster.machines["spark-02"], await shell_of(cluster, 2)
    pipe = await shell.pipe(argv(1.0))
    assert await pipe.read()
    following = asyncio.create_task(anext(aiter(tail_of(shell))))
    await clock.advance(1)
    inject(machine, "lost")
    await clock.advance(3)
    for asked in (shell.run(("true",)), shell.open_socket(DEFAULT_SOCKET), pipe.read(), containers(shell)):
        task = asyncio.ensure_future(asked)
        await clock.advance(2)
        with pytest.raises(Unreachable):
            await task
    with pytest.raises((Unreachable, StopAsyncIteration, SparkError)):
        await following
    with pytest.raises(Unreachable, match="no route"):
        await shell_of(cluster, 2)
    clear(machine)
    with pytest.raises(Unreachable):
        await shell.run(("true",))
    assert (await (await shell_of(cluster, 2)).run(("true",))).ok
    await shell.aclose()


async def test_a_killed_command_tells_nothing_more() -> None:
    cluster, clock = equipped()
    shell = await shell_of(cluster, 2)
    pipe = await shell.pipe(argv(1.0))
    assert await pipe.read()
    await pipe.kill()
    more = asyncio.create_task(pipe.read())
    await clock.advance(3)
    assert more.done()
    assert more.result() == b""
    await shell.aclose()


async def tail_of(shell: Shell) -> AsyncIterator[str]:
    async for _, line in container_log(shell, "vllm_node", follow=True):
        if "never" in line:
            yield line


@pytest.mark.parametrize(
    ("kind", "code", "oom"), [("oom", 137, True), ("ray-dead", 1, False), ("lost", 255, False)]
)
async def test_a_container_that_ends_stays_with_its_exit_code(kind: str, code: int, oom: bool) -> None:
    cluster, clock = equipped()
    await clock.advance(60)
    assert cluster.machines["spark-01"].servers()
    inject(cluster.machines["spark-02"], kind)
    clear(cluster.machines["spark-02"])
    shell = await shell_of(cluster, 2)
    (found,) = await containers(shell)
    assert (found.running, found.exit_code, found.oom_killed) == (False, code, oom)
    job = cluster.machines["spark-01"].look("serve-m")
    assert job is not None
    assert not cluster.machines["spark-01"].servers(), "a server does not outlive a rank"
    cause = first_cause(cluster.machines["spark-01"].log(job).decode().splitlines())
    assert cause is not None
    assert "rank died" in cause.why
    head = await shell_of(cluster, 1)
    assert [m.alive for m in await members(head)] == [True, False]
    for one in (shell, head):
        await one.aclose()


async def test_a_server_on_one_machine_does_not_care_about_the_others() -> None:
    cluster, clock = equipped(3)
    await clock.advance(60)
    inject(cluster.machines["spark-03"], "lost")
    assert cluster.machines["spark-01"].servers()


@pytest.mark.parametrize("other", ["spark-02", "spark-03"])
def test_an_image_that_differs_is_the_old_one_again_when_mended(other: str) -> None:
    cluster, _ = equipped(3)
    machine = cluster.machines[other]
    before = dict(machine.images)
    inject(machine, "image-differs")
    inject(machine, "image-differs")
    assert machine.images["vllm-node:latest"]["RootFS"] != before["vllm-node:latest"]["RootFS"]
    clear(machine)
    assert machine.images == before


async def test_a_rebooted_machine_is_away_for_a_while_and_its_gpu_is_back() -> None:
    cluster, clock = equipped()
    machine, shell = cluster.machines["spark-02"], await shell_of(cluster, 2)
    inject(machine, "gpu-gone")
    assert (await node_facts(shell)).gpu_error
    before = await life(shell)
    await reboot(shell)
    with pytest.raises(Unreachable):
        await shell_of(cluster, 2)
    await clock.advance(30)
    again = await shell_of(cluster, 2)
    assert await life(again) != before
    assert not (await node_facts(again)).gpu_error
    sample = parse_sample(sample_line(machine))
    assert sample is not None
    assert sample.uptime_s is not None
    assert sample.uptime_s < 60


async def test_logs_only_ever_grow() -> None:
    cluster, clock = equipped()
    machine, before = cluster.machines["spark-02"], ""
    for kind in KINDS:
        inject(machine, kind)
        await clock.advance(1)
        clear(machine)
        text = kernel_log(machine)
        assert text.startswith(before)
        before = text
    assert "Link down" in before
    assert "Killed process" in before


async def test_only_what_listens_answers() -> None:
    cluster, clock = equipped()
    shell = await shell_of(cluster, 1)
    with pytest.raises(SparkError, match="nothing answers"):
        await models(shell, 8888)
    await clock.advance(60)
    assert await models(shell, 8888) == ("m",)
    with pytest.raises(SparkError, match="nothing answers"):
        await models(shell, 9999)
    await shell.aclose()


async def test_garbage_comes_from_everything_that_is_asked() -> None:
    cluster, clock = equipped()
    await clock.advance(60)
    shell = await shell_of(cluster, 1)
    inject(cluster.machines["spark-01"], "garbage")
    assert parse_sample(sample_line(cluster.machines["spark-01"])) is None
    for asked in (models(shell, 8888), members(shell), containers(shell)):
        with pytest.raises(SparkError):
            await asked
    await shell.aclose()


async def test_a_copy_fails_with_its_receiver() -> None:
    cluster, clock = equipped()
    first, second = cluster.machines["spark-01"], cluster.machines["spark-02"]
    second.images.clear()
    start(first, "copy", ("sh", "-c", "x", "copy", "vllm-node:latest", "ssh", "spark@192.168.177.12"))
    await clock.advance(5)
    inject(second, "lost")
    clear(second)
    await clock.advance(60)
    job = first.look("copy")
    assert job is not None
    assert job.status == 1
    assert b"Broken pipe" in first.log(job)
    assert not second.images


async def test_the_sampler_says_what_is_well_and_what_is_not() -> None:
    cluster, clock = equipped()
    machine = cluster.machines["spark-02"]
    well = parse_sample(sample_line(machine, machine.clock.monotonic()))
    assert well is not None
    assert (well.kernel, well.oom_kills, well.gpus[0].held) == ((), 0, ())
    assert set(well.buses) == set(well.rails)
    assert not any(bus.narrow for bus in well.buses.values())
    before = machine.clock.monotonic()
    for kind in ("gpu-gone", "oom", "flap", "hot"):
        await clock.advance(1)
        inject(machine, kind)
    await clock.advance(120)
    ill = parse_sample(sample_line(machine, before))
    assert ill is not None
    assert ill.kernel is not None
    assert any("Xid" in line for line in ill.kernel)
    assert ill.oom_kills == 1
    assert ill.rails["rocep1s0f1"].counts["link_downed"] > 0
    clear(machine)
    machine.busy("serve")
    inject(machine, "hot")
    await clock.advance(200)
    hot = parse_sample(sample_line(machine, machine.clock.monotonic()))
    assert hot is not None
    assert (hot.gpus[0].held, hot.kernel) == (("heat",), ())
