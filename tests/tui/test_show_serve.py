"""How a served model stands, as text."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.text import Text

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.model.serve.engine import EngineLoad, Waited
from sparkconsole.model.text.units import stopwatch
from sparkconsole.tui.draw.preview import CommandPreview, preview_lines
from sparkconsole.tui.views.serve import show
from sparkconsole.tui.views.serve.show import ServeStatus

LOADING = ServerState(ServerPhase.LOADING, "m", stage="weights", percent=77.0, detail="24/31", since_s=10.0)
READY = ServerState(
    ServerPhase.READY,
    "openai/gpt-oss-120b",
    ranks=2,
    since_s=0.0,
    load=EngineLoad(running=4, waiting=0, kv_share=0.37),
    generated_per_s=41.2,
    prompt_per_s=812.0,
)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def test_the_way_has_a_mark_and_a_word_for_every_phase() -> None:
    now = show.serve_status(LOADING, None, now_s=74)
    assert show.way_text(now, 76).plain == (
        "✔ container ✔ engine ▶ weights 77% ○ compile ○ KV cache ○ graphs ○ ready"
    )
    assert show.title(now) == "▶ loading 01:04"


def test_the_way_is_shortened_before_it_is_cut() -> None:
    now = show.serve_status(LOADING, None, now_s=74)
    assert "cntr" in show.way_text(now, 62).plain
    for width in range(1, 90):
        assert cell_len(show.way_text(now, width).plain) <= width


def test_the_server_that_starts_is_the_last_step() -> None:
    assert show.way_text(ServeStatus(ServerPhase.LOADING, stage="server"), 80).plain.endswith("▶ ready")
    assert show.way_text(ServeStatus(ServerPhase.READY), 80).plain.count("✔") == len(show.WAY)


def test_a_failed_start_keeps_the_stage_at_which_it_failed() -> None:
    start = ServeStatus(
        ServerPhase.FAILED,
        stage="weights",
        cause="CUDA out of memory",
        remedy="lower --gpu-memory-utilization",
    )
    now = show.serve_status(ServerState(ServerPhase.NONE), start, now_s=0)
    assert now.phase is ServerPhase.FAILED
    way, cause, remedy = plain(show.wrong_lines(now, 78))
    assert "✔ engine" in way
    assert "✖ weights" in way
    assert (cause, remedy) == ("✖ CUDA out of memory", "→ lower --gpu-memory-utilization")


def test_a_start_of_this_console_and_the_store_whichever_is_further() -> None:
    early = ServeStatus(ServerPhase.LOADING, "m", stage="engine", elapsed_s=5)
    late = ServeStatus(ServerPhase.LOADING, "m", stage="graphs", percent=40.0, elapsed_s=5)
    assert show.serve_status(LOADING, early, now_s=74).stage == "weights"
    assert show.serve_status(LOADING, late, now_s=74).stage == "graphs"
    assert show.serve_status(ServerState(ServerPhase.FAILED), early, now_s=74).phase is ServerPhase.LOADING


def test_a_server_that_answers_wins_over_a_start_that_failed() -> None:
    assert (
        show.serve_status(READY, ServeStatus(ServerPhase.FAILED, cause="x"), now_s=1).phase
        is ServerPhase.READY
    )


def test_what_is_wrong_always_says_what_next() -> None:
    for phase in (ServerPhase.WEDGED, ServerPhase.FAILED, ServerPhase.UNKNOWN):
        cause, remedy = plain(show.wrong_lines(show.serve_status(ServerState(phase), None, now_s=0), 200))
        assert len(cause) > 10
        assert remedy.startswith("→ ")
    told = show.serve_status(
        ServerState(ServerPhase.WEDGED, detail="no token in 60 s"), None, now_s=0, remedy="restart"
    )
    assert plain(show.wrong_lines(told, 80)) == ["✖ no token in 60 s", "→ restart"]


def test_the_live_numbers() -> None:
    lines = plain(
        show.ready_lines(READY, 76, generated=[10, 20, 41], prompted=[None, 812], address="10.0.0.1")
    )
    assert lines[0] == "openai/gpt-oss-120b"
    assert lines[1].startswith("running 4   waiting 0   KV cache ▕")
    assert lines[1].endswith("37 %")
    assert "gen 41.2 tok/s" in lines[2]
    assert "prompt 812.0 tok/s" in lines[2]
    assert lines[3].startswith("url http://10.0.0.1:8888/v1   2 ranks")
    assert max(map(cell_len, lines)) <= 76


def test_how_fast_it_answers_is_said_where_the_server_tells() -> None:
    load = EngineLoad(first_token=Waited(4, 1.24), next_token=Waited(100, 2.1), drafted=10, accepted=5)
    (line,) = plain([show.where_text(replace(READY, load=load), "10.0.0.1", 140)])
    assert "first token 0.31 s   21.0 ms a token   50% of drafts accepted" in line
    assert "a token" not in plain([show.where_text(READY, "10.0.0.1", 140)])[0]


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    lines = plain(show.ready_lines(ServerState(ServerPhase.READY, "m"), 76))
    assert lines[1] == "running –   waiting –   KV cache –"
    assert "gen – tok/s" in lines[2]


def test_the_example_can_be_pasted() -> None:
    words = shlex.split(show.curl("10.0.0.1", ServerState(ServerPhase.READY, "it's a [model] $x")))
    assert words[:2] == ["curl", "http://10.0.0.1:8888/v1/chat/completions"]
    assert json.loads(words[-1])["model"] == "it's a [model] $x"
    assert show.url("fd00::1", 8000) == "http://[fd00::1]:8000/v1"


def test_a_preview_that_does_not_fit_says_so() -> None:
    many = tuple((f"n{i}", f"docker exec vllm_node vllm serve m --node-rank {i}") for i in range(8))
    lines = plain(preview_lines(CommandPreview(commands=many), 60, 3))
    assert len(lines) == 3
    assert lines[-1].endswith("… y copies all")
    assert max(map(cell_len, lines)) <= 60
    one = CommandPreview(commands=(("", "vllm serve m"),))
    assert plain(preview_lines(one, 60, 3)) == ["vllm serve m"]
    assert plain(preview_lines(one, 60, 3, ["slow"])) == ["vllm serve m", "! slow"]


@pytest.mark.parametrize("hostile", ["[/x]", "\x1b[31mred\x1b[0m\r\n", "日本語" * 40, "a\x00b", "w" * 3000])
def test_text_of_machines_stays_text_and_within_the_room(hostile: str) -> None:
    server = ServerState(ServerPhase.LOADING, hostile, stage=hostile, percent=3.0, detail=hostile)
    now = show.serve_status(server, None, now_s=0)
    failed = ServeStatus(ServerPhase.FAILED, hostile, hostile, cause=hostile, remedy=hostile)
    lines = [
        *show.loading_lines(now, 40),
        *show.wrong_lines(failed, 40),
        *show.ready_lines(server, 76, address=hostile),
        *preview_lines(CommandPreview((hostile,), ((hostile, hostile),)), 40, 3, [hostile[:70]]),
    ]
    for line in lines:
        assert cell_len(line.plain) <= 76
        assert "\x1b" not in line.plain


def test_time_is_read_at_a_glance() -> None:
    assert [stopwatch(s) for s in (None, 0, 64.9, 3661)] == ["–", "00:00", "01:04", "1:01:01"]
