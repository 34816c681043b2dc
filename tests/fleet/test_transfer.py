"""The copy engine and its two payloads: what each says while a copy runs, and when it does not end well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest

from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.fleet import jobs
from sparkconsole.fleet.checkpoint.copy import CheckpointPayload
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.image.copy_run import ImagePayload
from sparkconsole.fleet.run_time_values import FreshThen
from sparkconsole.fleet.transfer import run
from sparkconsole.fleet.transfer.plan import CopyTask, copied_name, receiver_of, with_job
from sparkconsole.fleet.transfer.run import each, tell_progress
from sparkconsole.fleet.waiting import waiting, waits_reported_to
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.transfer.ends import Receiver
from sparkconsole.model.transfer.outcome import ByteProgress, CopyResult, CopyState
from sparkconsole.model.work.job import Job, JobKind, JobState
from sparkconsole.model.work.news import Advance, News, nobody
from sparkconsole.remote.image.transfer import FULL_STREAM
from sparkconsole.remote.local import LocalShell

TASK = CopyTask(
    Node(name="spark2", address="10.0.0.2"),
    Receiver("spark2", "192.168.1.2", "ann", 2222),
    transfer=FULL_STREAM,
)


def job(kind: JobKind = JobKind.COPY, **named: str) -> Job:
    made = with_job(TASK, kind, "spark1", FreshThen(1), named or {"tag": "lab/vllm:1"}, {"bytes": 7}).job
    assert made
    return made


def tasks(*names: str) -> list[CopyTask]:
    return [CopyTask(Node(name=name, address=name), Receiver(name, name)) for name in names]


def test_a_job_says_what_it_copies_and_where_to() -> None:
    made = job()
    assert made.id.startswith("copy-lab-vllm-1")
    assert list(made.details) == ["tag", "host", "receiver", "target", "port", "bytes"]
    assert (copied_name(made.details), receiver_of(made)) == ("lab/vllm:1", TASK.receiver)
    model = job(JobKind.MODEL_COPY, model="~/m")
    assert (model.id.partition("-m-")[0], copied_name(model.details)) == ("model-copy", "~/m")


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("error", [Unreachable("no route to host"), SparkError("its log cannot be read")])
async def test_what_ends_a_copy_is_told_after_every_receiver_was_tried(
    error: SparkError, parallel: bool
) -> None:
    tried = []

    async def send(task: CopyTask) -> CopyResult:
        await asyncio.sleep(0)
        if task.node.name == "a":
            raise error
        await asyncio.sleep(0)
        tried.append(task.node.name)
        return CopyResult(task.node.name, CopyState.COPIED)

    with pytest.raises(type(error)):
        await each(tasks("a", "b"), send, parallel)
    assert tried == ["b"]
    assert [r.host for r in await each(tasks("b", "c"), send, parallel)] == ["b", "c"]


@pytest.mark.parametrize(("sent", "text"), [(3, "no byte of the copy for"), (7, "all was sent")])
async def test_a_sender_that_counts_on_while_nothing_goes_is_said_to_stand_still(
    sent: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, copy = list[str](), ImagePayload(job())

    async def counting(*_: object) -> AsyncIterator[str]:
        for seconds in range(2000):
            if waits:
                return
            yield json.dumps({"sent": sent, "total": 7, "seconds": seconds})
            await asyncio.sleep(0.005)

    monkeypatch.setattr(run, "waiting", partial(waiting, first_s=0.1))
    monkeypatch.setattr(run, "follow_job", counting)
    with waits_reported_to(lambda node, said: waits.append(f"{node}: {said}")):
        following = run._Following(Fleet(Cluster(), LocalShell), copy, nobody)
        await following._to_the_end()
    assert waits[0].startswith(f"spark2: {text}")


def test_an_image_tells_each_turn_of_its_copy_once() -> None:
    copy = ImagePayload(job())

    def heard(**line: object) -> list[str]:
        copy.log.feed(json.dumps(line))
        return list(copy.turns())

    assert heard(sent=5, total=9, seconds=1) == []
    (all_sent,) = heard(sent=9, total=9, seconds=2)
    assert all_sent == "all bytes sent; the engine of spark2 registers the layers"
    assert heard(sent=9, total=9, seconds=3) == []
    (fell_back,) = heard(fell_back="no python3")
    assert "(no python3); spark2 gets the image by docker save" in fell_back
    assert heard(sent=9, total=9, seconds=4) == [all_sent]


def test_what_the_payloads_call_failed() -> None:
    image, model = ImagePayload(job()), CheckpointPayload(job(model="a/b"))
    ended = JobState(known=True, running=False, status=0)
    image.log.feed('{"end": true, "sent": 3}')
    assert not image.failed(ended)
    assert image.failed(ended.model_copy(update={"status": 143}))
    assert not image.failed(JobState(known=False)), "then only the proof tells"
    assert model.failed(ended), "its end was not seen"
    model.log.feed('{"end": true, "failed": {"": "connection lost: Broken pipe"}}')
    assert model.failed(ended)
    assert model.why() == "connection lost: Broken pipe → copy again: it goes on where it was"
    model.log.feed('{"end": true, "failed": {}}')
    assert not model.failed(ended)


def test_what_arrived_of_an_image_is_never_called_nothing() -> None:
    """The layers that came stay at the receiver, without a name."""
    image = ImagePayload(job())
    assert image.why().endswith("→ copy again")
    for number, phase in ((1, "there"), (2, "receiving"), (2, "registering"), (3, "receiving")):
        image.log.feed(json.dumps({"layer": number, "of": 4, "phase": phase}))
    assert image.why().endswith("→ copy again"), "one had been there, and two are on their way"
    image.log.feed('{"layer": 2, "of": 4, "phase": "there"}')
    assert image.why().endswith("→ copy again: it goes on from the layer that arrived")
    image.log.feed('{"layer": 3, "of": 4, "phase": "there"}')
    image.log.feed('{"end": true, "error": "the connection was lost: Broken pipe"}')
    assert "Broken pipe" in image.why()
    assert image.why().endswith("copy again: it goes on from the 2 layers that arrived")
    image.log.feed('{"end": true, "error": "no space left on device"}')
    assert image.why().endswith("image prune; then copy again: it goes on from the 2 layers that arrived")
    assert image.why().count("copy again") == 1


async def test_a_proof_waits_for_the_node_that_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at the worst moment decides nothing: the link was gone for a while, and the copy is there."""
    monkeypatch.setattr(jobs, "_PAUSE_S", 0.0)
    asked = []

    async def connect(node: Node) -> LocalShell:
        return LocalShell(node.name)

    async def look() -> None:
        asked.append(1)
        if len(asked) < 5:
            lost = (Unreachable("the connection was lost"), TimedOut("docker gave no answer for"))[
                len(asked) % 2
            ]
            lost.node = "spark2"
            raise lost

    async with Fleet(Cluster(nodes=(Node(name="spark2", address="10.0.0.2"),)), connect) as fleet:
        await jobs.persistently(fleet, look)
        assert len(asked) == 5
        with pytest.raises(SparkError, match="other content"):
            await jobs.persistently(fleet, refute)
        with pytest.raises(Unreachable, match="nobody's"):
            await jobs.persistently(fleet, nobodys)


async def refute() -> None:
    raise SparkError("other content", node="spark2")


async def nobodys() -> None:
    raise Unreachable("nobody's")


def test_a_lost_sender_is_an_outcome_of_one_models_copy_and_the_end_of_an_images() -> None:
    gone, refused = Unreachable("no route to host", node="spark1"), SparkError("disk full")
    model = CheckpointPayload(job(model="a/b"))
    assert (model.lost(gone).state, model.lost(gone).exit_code) == (CopyState.UNKNOWN, 3)
    assert (model.lost(refused).state, model.lost(refused).exit_code) == (CopyState.FAILED, 1)
    with pytest.raises(Unreachable):
        ImagePayload(job()).lost(gone)


@pytest.mark.parametrize(
    ("progress", "expected", "total"),
    [
        (ByteProgress(3, 1.0, 9), 7, 9),
        (ByteProgress(3, 1.0), 7, 7),
        (ByteProgress(8, 1.0), 7, None),
        (ByteProgress(8, 1.0), None, None),
    ],
    ids=["as the sender counted", "as it was planned", "more than was planned", "nobody knows"],
)
def test_progress_is_of_a_total_that_can_be_true(
    progress: ByteProgress, expected: int | None, total: int | None
) -> None:
    told: list[News] = []
    tell_progress(told.append, "spark2", "copy x", progress, expected)
    (news,) = told
    assert isinstance(news, Advance)
    assert (news.done, news.total, news.rate_per_s) == (progress.done, total, progress.rate_per_s)
