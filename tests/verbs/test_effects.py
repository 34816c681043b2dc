"""Every verb that changes machines says what will have changed, and what it says is what is found then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.demo import stories
from sparkconsole.fleet.jobs import start_job
from sparkconsole.model.foresight.effect import Anything
from sparkconsole.model.work.news import nobody
from sparkconsole.remote import ray
from sparkconsole.remote.docker import engine as docker
from sparkconsole.remote.node import site
from sparkconsole.remote.serve import vllm
from sparkconsole.script.ahead import Ahead
from sparkconsole.script.lines import ScriptLine
from sparkconsole.script.report import Printer
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.registry import load
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session

IMAGE, UP = ("image build", "image copy"), ("image build", "image copy", "launch")
CASES = {
    "image build": (),
    "image copy": ("image build",),
    "image prune": ("image build", "image build -t vllm-node"),
    "image rollback": ("image build", "image copy", "image build --rebuild-deps"),
    "launch": IMAGE,
    "stop": UP,
    "serve": UP,
    "serve stop": (*UP, "serve m"),
    "serve keep": (*UP, "serve m"),
    "node restart": UP,
    "node reboot": UP,
    "node drop-caches": IMAGE,
    "node exec": (),
    "node trust": (),
    "model download": (),
    "model copy": ("model download org/m",),
    "runs again": (),
    "runs stop": (),
    "node add": (),
    "node remove": (),
}
"""Lines that lead to a plan of each."""
LAST = {
    "serve": "serve m",
    "node reboot": "node reboot spark-02",
    "node exec": "node exec -- touch x",
    "model download": "model download org/m",
    "model copy": "model copy org/m",
}
ELSEWHERE = {"runs stop", "runs again", "node add", "node remove", "node trust"}
"""What needs more than lines before it has a test of its own."""


@pytest.fixture
async def session(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    async with open_session(Options(demo=2, yes="prune")) as opened:
        yield opened


def test_no_verb_that_changes_machines_is_left_out() -> None:
    assert set(CASES) == {" ".join(words) for words, verb in load().items() if verb.changes}


@pytest.mark.parametrize("words", sorted(set(CASES) - ELSEWHERE))
async def test_it_says_what_it_changes(session: Session, words: str) -> None:
    ahead = Ahead.of(session)
    for number, text in enumerate(CASES[words], 1):
        line = ScriptLine(number, tuple(text.split()))
        assert await ahead.line(session, line, understand(line.words), Printer(as_json=True)) == 0
    session.fleet.forecast = ahead.forecast
    action = await begin(session, understand(LAST.get(words, words).split()))
    assert isinstance(action, PlannedAction)
    assert action.effects


async def test_a_job_that_is_stopped_and_a_run_that_is_done_again(session: Session) -> None:
    action = await begin(session, understand(["image", "build"]))
    assert isinstance(action, PlannedAction)
    job = action.plan.steps[-1].job
    assert job is not None
    run = session.journal.add_jobs(session.journal.begin(["image", "build"], "demo", {}), [job])
    await start_job(session.fleet, job)
    stop = await begin(session, understand(["runs", "stop", run.id]))
    assert isinstance(stop, PlannedAction)
    session.fleet.forecast = session.fleet.forecast.after(stop.effects)
    assert not isinstance(await begin(session, understand(["runs", "stop", run.id])), PlannedAction), (
        "it ended before"
    )
    again = await begin(session, understand(["runs", "again", run.id]))
    assert isinstance(again, PlannedAction)
    assert [type(e).__name__ for e in again.effects] == ["ImageNamed", "ImageNamed"]


async def test_a_cluster_that_a_line_changes_is_the_next_lines_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('[clusters.lab]\nnodes = [{name = "a", address = "10.0.0.1"}]\n')
    before = path.read_text()
    async with open_session(Options(config=path, dry_run=True)) as opened:
        ahead = Ahead.of(opened)
        for number, text in enumerate(("node add b 10.0.0.2", "node remove a"), 1):
            line = ScriptLine(number, tuple(text.split()))
            assert await ahead.line(opened, line, understand(line.words), Printer()) == 0
        assert opened.fleet.names == ("b",)
    assert path.read_text() == before
    assert "node remove a" in capsys.readouterr().out


async def test_what_a_command_does_is_said_to_be_unknown(session: Session) -> None:
    action = await begin(session, understand(["node", "exec", "--", "touch", "x"]))
    assert isinstance(action, PlannedAction)
    assert [type(e) for e in action.effects] == [Anything]


@pytest.mark.parametrize(
    "lines",
    [
        ("image build -c all",),
        ("image build", "image copy", "launch"),
        ("image build -c all", "launch --backend none", "serve m"),
        ("image build -c all", "launch", "serve m", "node restart spark-02"),
        ("image build -c all", "launch", "serve m", "serve stop", "serve org/m --port 8889"),
        ("image build -c all", "launch", "serve m", "stop"),
        ("image build -c all", "launch --solo", "stop", "launch"),
        ("image build -c all", "launch", "node reboot spark-02"),
    ],
    ids=lambda lines: lines[-1] if isinstance(lines, tuple) else None,
)
async def test_what_is_foreseen_is_what_is_found_then(session: Session, lines: tuple[str, ...]) -> None:
    """Each line is planned on what the lines before it did; its effects are held against what it did."""
    session.options = Options(demo=2, yes="reboot")
    for text in lines:
        action = await begin(session, understand(text.split()))
        assert isinstance(action, PlannedAction)
        session.fleet.forecast = session.fleet.forecast.after(action.effects)
        foreseen = {node: await _found(session, node) for node in session.fleet.names}
        session.fleet.forecast = type(session.fleet.forecast)()
        await execute_action(session, text.split(), action, nobody)
        now = {node: await _found(session, node) for node in session.fleet.names}
        if "reboot" in text:  # which member of now was on the node, only its container told
            foreseen["spark-01"].pop("ray")
        other = {
            (n, k): (v, now[n][k]) for n, told in foreseen.items() for k, v in told.items() if v != now[n][k]
        }
        assert other == {}, text


async def _found(session: Session, node: str) -> dict[str, object]:
    """One node as every plan sees it; numbers that only the run knows left out."""
    shell = await session.fleet.shell(node)
    place = await site.look(shell, session.cluster.container)
    found = place.found
    names = sorted(i.tag for i in await docker.every_image(shell) if i.tag.endswith(":latest"))
    told: dict[str, object] = {
        "listening": sorted(place.listening),
        "images": names,
        "container": found and (found.running, found.image, dict(found.labels), dict(found.environment)),
        "containers": [(c.name, c.state) for c in await docker.containers(shell)],
    }
    if place.running:
        from sparkconsole.remote.serve.processes import live_ranks

        ranks = await live_ranks(shell, session.cluster.container)
        told["ranks"] = [(r.node, r.words) for r in ranks]
    for port in (8888, 8889):
        told[f"server {port}"] = await _or_nothing(vllm.served(shell, port))
    told["ray"] = await _or_nothing(ray.members(shell))
    return told


async def _or_nothing(question: object) -> object:
    from sparkconsole.errors import SparkError

    try:
        answer = await question  # type: ignore[misc]
    except SparkError:
        return None
    if answer and hasattr(answer[0], "alive"):
        return sorted((m.address, m.head, m.gpus) for m in answer if m.alive)
    return [(s.id, s.root) for s in answer]
