"""The feed: many logs as one, in the order of their times, gone on with where they were left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.logs import merge as merging
from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.sources import LINE_BYTES, CommandLog, ContainerLog, JobLog, Stamped, stamped
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Shell
from tests.still_clock import StillClock


@dataclass
class Told:
    """A source that tells what it is given, then ends or breaks."""

    node: str
    said: list[list[Stamped] | SparkError]
    name: str = "serve"
    asked: int = field(default=0)
    ends = True

    @property
    def key(self) -> str:
        return f"{self.node} {self.name}"

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        self.asked += 1
        part = self.said.pop(0) if self.said else []
        if isinstance(part, SparkError):
            raise part
        for line in part:
            yield line


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "AGAIN_S", 0.01)
    monkeypatch.setattr(merging, "WINDOW_S", 0.05)


def fleet() -> Fleet:
    async def connect(node: Node) -> LocalShell:
        return LocalShell(node.name)

    return Fleet(Cluster(nodes=(Node(name="one", address="127.0.0.1"),)), connect)


async def told(*sources: Told) -> list[str]:
    feed = Feed(fleet(), sources)
    await asyncio.wait_for(feed.run(), 10)
    return [f"{line.node} {line.text}" for line in feed.ring]


async def test_lines_of_all_nodes_stand_in_the_order_of_their_times() -> None:
    one = Told("one", [[("2026-01-31T12:00:01Z", "a"), ("2026-01-31T12:00:03Z", "c")]])
    two = Told("two", [[("2026-01-31T12:00:02Z", "b"), ("2026-01-31T12:00:04Z", "d")]])
    assert await told(one, two) == ["one a", "two b", "one c", "two d"]


async def test_a_line_without_a_time_stays_behind_the_line_before_it() -> None:
    one = Told("one", [[("2026-01-31T12:00:05Z", "Traceback"), ("", "  File x"), ("", "ValueError: y")]])
    two = Told("two", [[("2026-01-31T12:00:06Z", "later")]])
    assert await told(two, one) == ["one Traceback", "one   File x", "one ValueError: y", "two later"]


async def test_a_lost_node_is_said_once_and_goes_on_when_it_is_back() -> None:
    gone = Unreachable("no route", node="one")
    source = Told("one", [gone, gone, gone, [("2026-01-31T12:00:01Z", "back")]])
    lines = await told(source)
    assert sorted(lines) == ["one back", "one ✖ serve: no route; resumes when the node returns"]
    assert source.asked == 4


async def test_a_silent_source_does_not_silence_the_others() -> None:
    never = Told("two", [SparkError("no container here")] * 3)
    assert "one a" in await told(Told("one", [[("", "a")]]), never)


async def test_a_flood_is_bounded_and_ends() -> None:
    flood = [(f"2026-01-31T12:00:{n // 1000:02}Z", f"line {n}") for n in range(50_000)]
    feed = Feed(fleet(), [Told("one", [flood])])
    await asyncio.wait_for(feed.run(), 30)
    assert len(feed.ring) == feed.ring.capacity
    assert feed.ring[feed.ring.total - 1].text == "line 49999", "held back, not lost"


async def test_only_what_is_kept_comes_in() -> None:
    feed = Feed(fleet(), [Told("one", [[("", "NCCL INFO x"), ("", "y")]])], keep=lambda text: "NCCL" in text)
    await asyncio.wait_for(feed.run(), 10)
    assert [line.text for line in feed.ring] == ["NCCL INFO x"]


async def test_a_cancelled_feed_leaves_no_task() -> None:
    class Endless(Told):
        async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
            while True:
                await asyncio.sleep(0.001)
                yield "", "x"

    feed = Feed(fleet(), [Endless("one", [])])
    running = asyncio.create_task(feed.run())
    while len(feed.ring) < 3:  # noqa: ASYNC110 - the ring has no event, and this is what is waited for
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_feed_that_rests_reads_nothing_and_leaves_no_task_until_it_is_begun_again() -> None:
    class Endless(Told):
        async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
            self.asked += 1
            while True:
                await asyncio.sleep(0.001)
                yield "", "x"

    source = Endless("one", [])
    feed = Feed(fleet(), [source])
    for turn in (1, 2):
        before = len(feed.ring)
        feed.begin()
        feed.begin()
        assert feed.reading
        while len(feed.ring) < before + 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        await feed.rest()
        assert not feed.reading
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert source.asked == turn


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-01-31T12:00:00.123+0000 a kernel: x", ("2026-01-31T12:00:00.123+0000", "a kernel: x")),
        ("2026-01-31 12:00:00,123\tINFO x", ("2026-01-31T12:00:00.123", "INFO x")),
        ("[2026-01-31 12:00:00,123 I 1 1] (raylet) x", ("2026-01-31T12:00:00.123", "I 1 1] (raylet) x")),
        ("no time", ("", "no time")),
    ],
)  # fmt: skip
def test_a_line_that_begins_with_its_time(line: str, expected: Stamped) -> None:
    assert stamped(line) == expected


async def test_a_command_is_followed_until_nobody_reads_any_more(tmp_path: object) -> None:
    """The real scripts on this machine: nothing of them stays."""
    source = CommandLog("one", "kernel")
    async with fleet() as machines:
        lines = source.lines(machines, follow=False, tail=5)
        told = [line async for line in lines]
    assert len(told) <= 6


async def test_what_was_before_is_in_order_though_one_node_answers_late() -> None:
    class Late(Told):
        async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
            await asyncio.sleep(0.12)
            async for line in super().lines(fleet, follow=follow, tail=tail):
                yield line

    class Open(Told):
        async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
            async for line in super().lines(fleet, follow=follow, tail=tail):
                yield line
            await asyncio.sleep(0.4)

    early = Open("one", [[("2026-01-31T12:00:01Z", "a"), ("2026-01-31T12:00:03Z", "c")]])
    late = Late("two", [[("2026-01-31T12:00:02Z", "b")]])
    assert await told(early, late) == ["one a", "two b", "one c"]


async def test_many_sources_share_the_room() -> None:
    asked: list[int | None] = []

    class Asked(Told):
        async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
            asked.append(tail)
            yield "", "x"

    feed = Feed(fleet(), [Asked(f"n{n}", []) for n in range(64)])
    await asyncio.wait_for(feed.run(), 10)
    assert asked == [feed.ring.capacity // 64] * 64
    assert len(feed.ring) == 64


@pytest.fixture
def job_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of a job that ended; its folder is real, and read by the real scripts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "sparkconsole" / "jobs" / JOB.id
    folder.mkdir(parents=True)
    (folder / "status").write_text("0\n")
    return folder / "log"


def prints(log: Path, text: str) -> int:
    """The job prints that; how long its output is now."""
    with log.open("a", encoding="utf-8", newline="") as output:
        output.write(text)
        return output.tell()


JOB = Job(id="serve-x-1", node="one", kind=JobKind.SERVE, argv=("true",))


async def of_job(
    source: JobLog, *, follow: bool = False, tail: int | None = None, most: int = -1
) -> list[str]:
    """Its lines, all of them or the first; then nobody reads any more."""
    lines: list[str] = []
    async with fleet() as machines:
        reading = source.lines(machines, follow=follow, tail=tail)
        async with contextlib.aclosing(reading):  # type: ignore[type-var]
            async for _, line in reading:
                if len(lines) == most:
                    break
                lines.append(line)
    return lines


@pytest.mark.parametrize("follow", [False, True])
async def test_a_jobs_last_lines_are_as_many_as_asked(job_log: Path, follow: bool) -> None:
    size = prints(job_log, "".join(f"line {n}\n\n" for n in range(50_000)))
    assert await of_job(JobLog(JOB), follow=follow, tail=3) == ["line 49997", "line 49998", "line 49999"]
    source = JobLog(JOB)
    assert len(await of_job(source, follow=follow, tail=1000)) == 1000
    assert source.offset == size


async def test_a_jobs_log_is_left_and_taken_up_where_it_was(job_log: Path) -> None:
    prints(job_log, "a\u2028a\n10%\r20%\rb\nc\n")
    source = JobLog(JOB)
    first = await of_job(source, follow=True, tail=100, most=2)
    prints(job_log, "d\nunended")
    assert [*first, *await of_job(source, follow=True)] == [
        "a\u2028a",
        "10%",
        "20%",
        "b",
        "c",
        "d",
        "unended",
    ]
    assert await of_job(source, follow=True) == []


@pytest.mark.parametrize("follow", [False, True])
async def test_a_server_is_not_hidden_by_our_own_questions(job_log: Path, follow: bool) -> None:
    own = 'INFO:     127.0.0.1:60900 - "GET /metrics HTTP/1.1" 200 OK\n'
    tagged = '(APIServer pid=1) INFO:     127.0.0.1:6 - "GET /health HTTP/1.1" 200 OK\n'
    scraped = 'INFO:     192.0.2.7:60900 - "GET /metrics HTTP/1.1" 200 OK\n'
    ill = 'INFO:     127.0.0.1:60900 - "GET /health HTTP/1.1" 503 Service Unavailable\n'
    said = f"early\nApplication startup complete.\n{scraped}{ill}"
    size = prints(job_log, said + (own + tagged) * 5_000)
    source = JobLog(JOB)
    assert await of_job(source, follow=follow, tail=3) == said.splitlines()[1:]
    assert source.offset == size
    assert await of_job(JobLog(JOB), follow=follow) == said.splitlines()
    other = JOB.model_copy(update={"kind": JobKind.BENCH})
    assert len(await of_job(JobLog(other), follow=follow)) == 10_004


async def test_a_job_that_its_node_forgot_is_an_error(job_log: Path) -> None:
    job_log.parent.rename(job_log.parent.with_name("other"))
    with pytest.raises(SparkError, match="keeps no output"):
        await of_job(JobLog(JOB), follow=False)


async def test_a_command_that_is_asked_again_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = ["2026-01-31T12:00:01 a", "  behind a", "2026-01-31T12:00:02 b", "  behind b"]

    async def followed(shell: Shell, argv: tuple[str, ...]) -> AsyncIterator[str]:
        for line in printed:
            yield line

    monkeypatch.setattr("sparkconsole.remote.follow.followed", followed)
    source, machines = CommandLog("one", "kernel"), fleet()
    assert len([line async for line in source.lines(machines, follow=True, tail=9)]) == 4
    printed += ["2026-01-31T12:00:03 c", "  behind c"]
    again = [text async for _, text in source.lines(machines, follow=True, tail=9)]
    assert again == ["c", "  behind c"]


@dataclass
class _Found:
    id: str


async def test_a_container_is_taken_up_within_one_moment_and_a_new_one_at_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lines of one nanosecond are counted; a new container is read whole, whatever the clock says."""
    state = {"id": "a", "lines": [("T1", "x"), ("T2", "y")]}

    async def find(shell: Shell, name: str) -> _Found:
        return _Found(str(state["id"]))

    async def printed(shell: Shell, name: str, **_: object) -> AsyncIterator[Stamped]:
        for time, text in list(state["lines"]):
            yield str(time), str(text)

    monkeypatch.setattr("sparkconsole.remote.docker.engine.container", find)
    monkeypatch.setattr("sparkconsole.remote.docker.engine.container_log", printed)
    source, machines = ContainerLog("one", "c"), fleet()

    async def read() -> list[str]:
        return [text async for _, text in source.lines(machines, follow=True, tail=None)]

    assert await read() == ["x", "y"]
    state["lines"] = [("T2", "y"), ("T2", "z"), ("T3", "w")]
    assert await read() == ["z", "w"]
    state.update(id="b", lines=[("T0", "new")])
    assert await read() == ["new"]


async def test_a_log_without_end_is_printed_as_far_as_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not mind how many lines were asked for; the other node's log is whole."""
    monkeypatch.setattr(merging, "MOST_READ", 50 * (100 + LINE_BYTES))
    flood = Told("one", [[("", "x" * 100) for _ in range(1000)]])
    well = Told("two", [[("2026-01-01T00:00:00Z", "well")]])
    for tail, kept in ((None, 50), (5, 5)):
        flood.said, well.said = flood.said * 2, well.said * 2
        async with fleet() as both:
            lines = await merging.LogMerge(both, (flood, well), tail=tail).printed()
        assert sum(line.text == "x" * 100 for line in lines) == kept
        assert sum(line.text == "well" for line in lines) == 1
        assert [line.text for line in lines if line.error] == [
            "serve: its log says too much; the rest was not read"
        ]


async def test_long_lines_are_held_back_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "HELD_CHARS", 1000)
    source = Told("one", [[("", "x" * 300) for _ in range(40)]])
    async with fleet() as one, asyncio.timeout(30):
        merge = merging.LogMerge(one, (source,), lasting=False)
        batches = [batch async for batch in merge.followed()]
    assert max(sum(len(line.text) for line in batch) for batch in batches) <= 1000 + 300
    assert sum(map(len, batches)) == 40


@pytest.mark.parametrize("length", [1, 2000], ids=["many lines", "long lines"])
async def test_a_followed_log_is_taken_at_a_rate(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """At once what its allowance has, then as much as time brings; nothing of it is lost."""
    each = length + merging.LINE_BYTES
    monkeypatch.setattr(merging, "AT_ONCE", 4 * each)
    monkeypatch.setattr(merging, "PER_S", 2 * each)
    source = Told("one", [[("", "x" * length) for _ in range(20)]])
    one, clock = fleet(), StillClock()
    one.clock = clock
    feed = Feed(one, (source,))
    feed.begin()
    counts: list[int] = []
    for _ in range(12):
        await clock.advance(1)
        counts.append(len(feed.ring))
    await feed.rest()
    assert 4 <= counts[0] <= 7
    assert all(1 <= later - now <= 3 for now, later in pairwise(counts) if later < 20)
    assert counts[-1] == 20
