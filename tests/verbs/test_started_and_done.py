"""A job that runs on is started, never done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.news import StepEnded
from sparkconsole.script.report import Printer
from sparkconsole.verbs.grammar.record import kept, state_of
from tests.verbs.operated import MODEL, Operated, operated

LINES = (
    "image build",
    "image copy --to all",
    "launch",
    f"serve {MODEL}",
    "bench run --num-prompts 20",
    "serve stop",
    "stop",
)


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    async with operated(tmp_path, monkeypatch) as pretended:
        yield pretended


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


@pytest.mark.parametrize("code", [3, 5])
def test_a_commands_own_exit_code_is_not_ours(code: int) -> None:
    """`systemctl is-active` ends with 3, which of ours would mean that a node was not reached."""
    assert state_of(Answer(exit_code=code, ended=True)) is RunState.FAILED
    assert state_of(Answer(exit_code=code)) is RunState.UNKNOWN
    assert state_of(Answer(ended=True)) is RunState.DONE
