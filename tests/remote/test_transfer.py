"""The copy's pipeline, run for real: whatever stage fails, it is noticed, and each end's words are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed, SparkError
from sparkconsole.model.transfer.ends import Receiver, known_hosts
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.parse.image.copy_log import CopyLog
from sparkconsole.remote import jobs
from sparkconsole.remote.image.build import builder, vllm_commit
from sparkconsole.remote.image.transfer import FULL_STREAM, relay, usable
from sparkconsole.remote.node import site
from tests.pretend_docker import PretendNode, PretendWorld

pytestmark = pytest.mark.programs

RECEIVER = Receiver("spark2", "10.0.0.2", "nvidia", 22, ("ssh-ed25519 AAAA",))
CONTENT = "one layer\n" * 200_000


@pytest.fixture
def world(tmp_path: Path) -> PretendWorld:
    world = PretendWorld(tmp_path)
    world.node("spark1", "10.0.0.1").put("vllm-node:latest", CONTENT)
    world.node("spark2", "10.0.0.2")
    return world


async def _copy(sender: PretendNode, receiver: Receiver = RECEIVER) -> tuple[CopyLog, int | None]:
    job = Job(id="copy-1", node="spark1", kind=JobKind.COPY, argv=FULL_STREAM.argv("vllm-node", receiver))
    put = jobs.script(jobs.PUT, "job-put", job.id, "known_hosts")
    (await sender.run(put, stdin=known_hosts(receiver).encode())).checked()
    await jobs.start(sender, job, {})
    text = b"".join([chunk async for chunk in jobs.output(sender, job, 0)]).decode()
    log = CopyLog()
    for line in text.replace("\r", "\n").split("\n"):
        log.feed(line)
    return log, (await jobs.state(sender, job)).status


async def test_the_whole_image_arrives_and_every_byte_is_counted(world: PretendWorld) -> None:
    log, status = await _copy(world.nodes["spark1"])
    assert (log.ok, status) == (True, 0)
    assert (world.nodes["spark2"].engine / "images/vllm-node:latest").read_text() == CONTENT
    assert log.progress is not None
    assert log.progress.done == len(CONTENT) + len("vllm-node:latest\nEND\n")
    assert log.messages["load"] == ["Loaded image: vllm-node:latest"]
    assert world.logins() == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("node", "fault", "words"),
    [
        ("spark1", "save", "sender: Error response from daemon: read error — receiver: unexpected EOF"),
        ("spark2", "load", "receiver: write /tmp/x: no space left on device"),
        ("spark2", "unpack", "receiver: "),
    ],
)
async def test_a_failure_at_either_end_is_a_failure(
    world: PretendWorld, node: str, fault: str, words: str
) -> None:
    world.nodes[node].break_(fault)
    log, status = await _copy(world.nodes["spark1"])
    assert not log.ok
    assert status != 0
    assert log.cause().startswith(words)


async def test_an_image_that_is_not_there_leaves_nothing_at_the_receiver(world: PretendWorld) -> None:
    (world.nodes["spark1"].engine / "images/vllm-node:latest").unlink()
    log, status = await _copy(world.nodes["spark1"])
    assert status != 0
    assert "sender: Error response from daemon: reference does not exist" in log.cause()
    assert list((world.nodes["spark2"].engine / "images").iterdir()) == []


async def test_a_refused_login_ends_a_save_that_has_sent_nothing_yet(world: PretendWorld) -> None:
    world.nodes["spark1"].break_("save-hangs")
    (world.folder / "refused-10.0.0.2").touch()
    log, status = await _copy(world.nodes["spark1"])
    assert status != 0
    assert log.login_refused()
    assert log.ends is not None
    assert log.ends["load"] == 255


async def test_a_key_that_the_console_did_not_vouch_for_is_refused(world: PretendWorld) -> None:
    log, _ = await _copy(world.nodes["spark1"], Receiver("spark2", "10.0.0.2", "nvidia"))
    assert log.key_refused()


async def test_cancelling_ends_every_process_and_loads_nothing(world: PretendWorld) -> None:
    sender = world.nodes["spark1"]
    sender.break_("save-hangs")
    job = Job(id="copy-2", node="spark1", kind=JobKind.COPY, argv=FULL_STREAM.argv("vllm-node", RECEIVER))
    put = jobs.script(jobs.PUT, "job-put", job.id, "known_hosts")
    (await sender.run(put, stdin=b"spark2 ssh-ed25519 AAAA\n")).checked()
    await jobs.start(sender, job, {})
    await jobs.cancel(sender, job)
    state = await jobs.state(sender, job)
    assert (state.running, state.status) == (False, 143)
    await jobs.forget(sender, job)
    assert sender.jobs() == []
    assert list((world.nodes["spark2"].engine / "images").iterdir()) == []


async def test_what_a_machine_says_as_one_end_of_a_copy(
    world: PretendWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "COPY_SITE", site.COPY_SITE.replace("/etc/ssh", str(world.folder / "etc-ssh")))
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.2 2222")
    told = await site.copy_site(world.nodes["spark2"])
    assert told.folder == str(world.nodes["spark2"].engine)
    assert (told.port, told.driver, told.host_keys) == (2222, "btrfs", ("ssh-ed25519 AAAA",))
    assert (told.version, told.containerd_store, told.python) == ("28.2.2", False, True)
    assert told.login
    assert told.free_bytes is not None
    assert told.free_bytes > 0


async def test_an_image_of_which_no_container_can_be_made_is_not_usable(world: PretendWorld) -> None:
    node = world.nodes["spark1"]
    await usable(node, "vllm-node")
    assert list((node.engine / "containers").iterdir()) == []
    node.break_("create")
    with pytest.raises(SparkError, match=r"no container can be made of it \(.*no such layer"):
        await usable(node, "vllm-node")
    assert list((node.engine / "images").iterdir()) == [], "what is not whole has no name"


async def test_through_the_console_the_same_bytes_arrive(world: PretendWorld) -> None:
    counts: list[int] = []
    await relay(world.nodes["spark1"], world.nodes["spark2"], "vllm-node", counts.append)
    assert (world.nodes["spark2"].engine / "images/vllm-node:latest").read_text() == CONTENT
    assert counts == sorted(counts)
    assert counts[-1] == len(CONTENT) + len("vllm-node:latest\nEND\n")


@pytest.mark.parametrize(
    ("node", "fault", "words"), [("spark1", "save", "read error"), ("spark2", "load", "no space left")]
)
async def test_through_the_console_the_failing_side_is_named(
    world: PretendWorld, node: str, fault: str, words: str
) -> None:
    world.nodes[node].break_(fault)
    with pytest.raises(CommandFailed, match=words) as failed:
        await relay(world.nodes["spark1"], world.nodes["spark2"], "vllm-node", lambda _: None)
    assert failed.value.node == node
    assert list((world.nodes["spark2"].engine / "images").iterdir()) == []


async def test_the_docker_with_buildkit_is_found(world: PretendWorld) -> None:
    assert (await builder(world.nodes["spark1"])).docker == "docker"


async def test_a_whole_commit_needs_no_question_and_no_network_means_unknown(world: PretendWorld) -> None:
    assert await vllm_commit(world.nodes["spark1"], "a" * 40) == ("a" * 40, "commit")
    assert await vllm_commit(world.nodes["spark1"], "main") == ("", "")
