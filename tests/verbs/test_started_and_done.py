"""A job that runs on is started, never done; and what is not reached is unknown, in text and in JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo.clock import StillClock
from sparkconsole.demo.faults import inject
from sparkconsole.model.answer import Answer, Row, Sheet
from sparkconsole.model.progress import News, StepEnded
from sparkconsole.script.report import Printer
from sparkconsole.verbs import opening
from sparkconsole.verbs.dispatch import begin, understand
from sparkconsole.verbs.running import carry, kept
from sparkconsole.verbs.session import Deed, Session

MODEL = "Qwen/Qwen3-0.6B"
LINES = (
    "image build",
    "image copy --to all",
    "launch",
    f"serve {MODEL}",
    "bench run --num-prompts 20",
    "serve stop",
    "stop",
)


class Operated:
    """A session on pretend machines whose time moves only when told to."""

    def __init__(self, session: Session, clock: StillClock) -> None:
        self.session, self.clock, self.news = session, clock, list[News]()

    async def says(self, line: str) -> Answer:
        task = asyncio.ensure_future(self._says(line))
        while not task.done():
            await self.clock.advance(1)
        return task.result()

    async def _says(self, line: str) -> Answer:
        result = await begin(self.session, understand(line.split()))
        if isinstance(result, Deed):
            return await carry(self.session, line.split(), result, self.news.append)
        if isinstance(result, Answer):
            return result
        rows: list[Row] = [row async for row in result]
        return Answer({"rows": [dict(row.data) for row in rows]}, tuple(row.text for row in rows))


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    monkeypatch.setattr(opening, "_demo_state", lambda *_: tmp_path / "state")
    clock = StillClock()
    async with opening.open_session(Options(demo=2, yes=True), time=clock) as session:
        yield Operated(session, clock)


async def test_no_job_is_called_done_when_it_starts(
    demo: Operated, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in LINES:
        await demo.says(line)
    ended = [news for news in demo.news if isinstance(news, StepEnded) and news.outcome.ok]
    jobs = [news for news in ended if news.outcome.step.job]
    assert {news.outcome.step.job.kind.value for news in jobs if news.outcome.step.job} >= {
        "build",
        "serve",
        "bench",
    }
    printer = Printer()
    for news in jobs:
        assert kept(news).endswith(": started")
        printer.news(news)
    shown = capsys.readouterr().err.splitlines()
    assert all(line.startswith("▶ ") and line.endswith(": started") for line in shown), shown
    for news in (news for news in ended if not news.outcome.step.job):
        assert kept(news).endswith(": done")


FALSE = ("not running", "none", "stopped", "absent", "missing", "not there", "no container", "no server")
"""Words that say how something is; about a node that is not reached nobody can."""


@pytest.mark.parametrize("node", ["spark-01", "spark-02"])
@pytest.mark.parametrize(
    "line", ["status", "check", "doctor", "image list", "model list", "serve status", "node list --check"]
)
async def test_of_a_node_that_is_not_reached_nothing_is_said_but_unknown(
    demo: Operated, line: str, node: str
) -> None:
    for before in LINES[:4]:
        await demo.says(before)
    assert demo.session.pretend is not None
    inject(demo.session.pretend.machines[node], "lost")
    answer = await demo.says(line)
    about = [text for text in _lines(answer) if node in text]
    if node == "spark-01":
        about += [text for text in _lines(answer) if text.startswith(("Ray:", "server on"))]
        about.append(json.dumps({k: v for k, v in answer.data.items() if k in ("ray", "server")}))
    for text in about:
        assert not [word for word in FALSE if word in text], (line, text)
    assert answer.exit_code == 3, (line, answer.exit_code)


def _lines(answer: Answer) -> list[str]:
    lines: list[str] = []
    for part in answer.parts:
        lines += [" ".join(row) for row in part.rows] if isinstance(part, Sheet) else part.splitlines()
    return lines
