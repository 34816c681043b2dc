"""A person lets go of a word under way: only what may really go on is called left running, and stays open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.news import News, Remark, StepBegan
from sparkconsole.verbs.grammar.record import execute_action
from tests.verbs.operated import operated


@pytest.mark.parametrize(
    ("line", "at", "left"),
    [
        ("image build", "send the recipe", False),
        ("image build", "build vllm-node", True),
        ("model download Qwen/Qwen3-0.6B", "download", True),
    ],
)
async def test_only_what_may_run_is_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, at: str, left: bool
) -> None:
    said: list[News] = []
    async with operated(tmp_path, monkeypatch) as demo:
        action = await demo.planned(line)

        def report(news: News) -> None:
            said.append(news)
            if isinstance(news, StepBegan) and news.sentence.startswith(at):
                task.cancel()

        task = asyncio.ensure_future(execute_action(demo.session, line.split(), action, report))
        while not task.done():
            await demo.clock.advance(1)
        assert task.cancelled()
        (run,) = demo.session.journal.newest()
    assert any(isinstance(n, Remark) and n.text.startswith("left running") for n in said) == left
    assert (run.state is RunState.CANCELLED) != left
