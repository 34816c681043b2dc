"""How far work is, as bars: their colours say nothing, for work that nears its end is no alarm."""

from __future__ import annotations

import pytest
from rich.text import Text

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.model.work.news import Advance
from sparkconsole.tui.draw.bars import bar_text
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.bench.show import progress_text
from sparkconsole.tui.views.cluster.show_server import serve_lines
from sparkconsole.tui.views.images import show_work as work
from sparkconsole.tui.views.serve.show import ServeStatus, loading_lines
from tests.still_clock import StillClock

ALARMS = ("$bar-warm", "$bar-hot", "$node-lost")
SHARES = (10, 80, 95, 99.5, 100)


async def test_a_rate_of_which_there_is_no_news_is_not_shown_as_if_it_were_now() -> None:
    clock = StillClock()
    task = Task(("image", "copy"), clock=clock)
    task.hear(Advance("b", "copy vllm-node", 5e9, 1e10, "B", 1.1e9, 5.0))
    (now,) = task.current().values()
    assert "1.0 GiB/s" in said(now) or "1.1 GB/s" in said(now)
    await clock.advance(20)
    (old,) = task.current().values()
    assert (old.rate_per_s, old.eta_s) == (None, None)
    assert "50 %" in said(old)
    assert "no update for 20 s" in said(old)
    assert "B/s" not in said(old)
    task.hear(Advance("b", "copy vllm-node", 6e9, 1e10, "B", 1.1e9, 4.0))
    assert "no news" not in said(*task.current().values())


def said(advance: Advance) -> str:
    return work.copy_text([work.CopyLine("b", "running", advance=advance)], 70)[0].plain


def colours(lines: list[Text]) -> str:
    return " ".join(str(span.style) for line in lines for span in line.spans)


def build(done: float) -> list[Text]:
    steps = Advance("a", "steps of vllm-node", done, 100)
    return work.build_text({("a", "steps of vllm-node"): steps}, 60)


def copy(done: float) -> list[Text]:
    sent = Advance("b", "copy vllm-node", done, 100, "B", 1e9, 9.0, 4.0)
    return work.copy_text([work.CopyLine("b", "running", advance=sent)], 70)


def start(done: float) -> list[Text]:
    server = ServerState(ServerPhase.LOADING, model="m", stage="weights", percent=done)
    return [
        *serve_lines(server, [], [], 76, 4),
        *loading_lines(ServeStatus(ServerPhase.LOADING, "m", "weights", done), 76),
    ]


def bench(done: float) -> list[Text]:
    return [progress_text(done, 100, 60, 76)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("drawn", [build, copy, start, bench], ids=lambda f: f.__name__)
def test_work_that_nears_its_end_is_no_alarm(drawn: object, share: float) -> None:
    assert callable(drawn)
    told = colours(drawn(share))
    assert "$bar on" in told, "there is a bar"
    assert not [alarm for alarm in ALARMS if alarm in told]


def test_what_is_full_still_warns() -> None:
    assert "$bar-hot" in colours([bar_text(0.97, 20)])
