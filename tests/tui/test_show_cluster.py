"""The cluster and the served model as text: where each pane stands, what is wrong, what is served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.tui.views.cluster import show
from sparkconsole.tui.views.cluster.show import event_lines
from sparkconsole.tui.views.cluster.show_problems import problem_line, problems
from sparkconsole.tui.views.cluster.show_server import serve_lines, serve_title
from tests.tui import stores
from tests.tui.stores import scene

# --- arrangement


@pytest.mark.parametrize("width", [60, 80, 100, 158, 200])
@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 8, 64])
def test_panes_stay_on_the_screen_and_do_not_overlap(width: int, nodes: int) -> None:
    for height in range(13, 60, 3):
        for forced in ("", "cards", "table"):
            panes = show.arrange(width, height, nodes, forced).panes
            taken = [0] * height
            for x, y, w, h in panes.values():
                assert w > 0
                assert h > 0
                assert x + w <= width
                assert y + h <= height
                row = ((1 << w) - 1) << x
                assert not any(taken[j] & row for j in range(y, y + h)), panes
                taken[y : y + h] = [t | row for t in taken[y : y + h]]


@pytest.mark.parametrize(
    ("width", "height", "nodes", "cards"),
    [(80, 21, 1, 1), (80, 21, 2, 2), (80, 21, 4, 2), (80, 21, 8, 0), (80, 21, 64, 0), (120, 37, 4, 2),
     (120, 37, 8, 2), (160, 45, 2, 1), (160, 45, 4, 4), (160, 45, 8, 4), (160, 45, 64, 0)],
)  # fmt: skip
def test_cards_or_table_by_room_and_nodes(width: int, height: int, nodes: int, cards: int) -> None:
    assert show.arrange(width, height, nodes).cards == cards


def test_the_person_chooses_for_the_session() -> None:
    assert show.arrange(80, 21, 64, "cards").cards == 2
    assert show.arrange(160, 45, 2, "table").cards == 0
    assert "empty" in show.arrange(80, 21, 0, "cards").panes


# --- problems, heat, events


def test_problems_begin_with_the_lost_ones_and_say_when_they_are_tried_again() -> None:
    store = stores.filled(4)
    reading = store.nodes["spark-01"].reading
    assert reading is not None
    store.update("spark-01", reading=replace(reading, temperature_c=95.0, gpus=()))
    stores.lose(store, "spark-03")
    store.serve(phase=ServerPhase.FAILED, detail="EngineCore died")
    found = problems(store, scene(store))
    assert [p.nodes for p in found[:3]] == [("spark-03",), (), ("spark-01",)]
    assert "lost 48s ago" in found[0].sentence
    assert "retrying in 5s" in found[0].sentence
    assert "EngineCore died" in found[1].sentence
    line = problem_line(found, 80)
    assert line.cell_len <= 80
    assert "n: next of" in line.plain


def test_no_problem_is_said_too() -> None:
    assert "no problem" in problem_line((), 80).plain
    assert "connecting to 3 nodes" in problem_line((), 80, connecting=3).plain


def test_heat_has_a_cell_a_node_and_marks_the_lost() -> None:
    store = stores.filled(64)
    stores.lose(store, "spark-05")
    states = tuple(store.nodes.values())
    line = show.heat_line(states, 80).plain
    assert line.split()[1].index("✖") == 4
    assert len(line.split()[1]) == 64
    assert len(show.heat_lines(states, 48)) == 8


def test_events_are_newest_first_with_time_and_source() -> None:
    lines = [line.plain for line in event_lines(stores.filled(2).events, 3, stores.WALL.tzinfo)]
    assert len(lines) == 3
    assert lines[0].startswith("10:41:58 ! spark-02")
    assert "nothing has happened" in event_lines((), 3)[0].plain


# --- the served model


def serve_text(server: ServerState, width: int = 76, height: int = 2) -> str:
    series = [float(i % 50) for i in range(120)]
    lines = serve_lines(server, series, series, width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    return "\n".join(line.plain for line in lines)


def test_a_ready_model_says_what_it_does() -> None:
    server = stores.filled(2).server
    for width, height in ((76, 2), (44, 12), (76, 6), (158, 20)):
        text = serve_text(server, width, height)
        assert "Qwen3-VL" in text
        assert "41.2 tok/s" in text
        assert "running 4" in text
        assert "37" in text
    assert "00:41:12" in serve_title(server, stores.NOW_S).plain


def test_loading_has_its_stage_and_percent() -> None:
    server = ServerState(
        ServerPhase.LOADING,
        model="m",
        stage="weights",
        percent=77.0,
        detail="24/31",
        since_s=stores.NOW_S - 64,
    )
    text = serve_text(server)
    assert "weights" in text
    assert "77 %" in text
    assert "24/31" in text
    assert "▶ loading 00:01:04" in serve_title(server, stores.NOW_S).plain
    assert "✔ engine  ▶ weights  ○ compile" in serve_text(server, height=4)


@pytest.mark.parametrize("phase", list(ServerPhase))
def test_every_phase_fits(phase: ServerPhase) -> None:
    known = replace(stores.filled(2).server, phase=phase, detail="it " * 200, stage="weights", percent=3.0)
    for width in (20, 46, 76, 158):
        for height in range(1, 20):
            serve_text(known, width, height)
            serve_text(ServerState(phase), width, height)


def test_a_server_that_failed_says_why() -> None:
    text = serve_text(ServerState(ServerPhase.FAILED, model="m", detail="CUDA out of memory"))
    assert "CUDA out of memory" in text


def test_figures_that_are_old_say_so() -> None:
    server = stores.filled(2).server
    assert "seen 30s ago" in serve_title(server, stores.NOW_S + 30).plain


def test_the_next_step_leads_to_a_served_model() -> None:
    store = stores.filled(2)
    assert show.next_step(store, scene(store)).startswith("5 ")
    for name in store.nodes:
        store.update(name, containers=())
    assert "U brings the cluster up" in show.next_step(store, scene(store))
    for name in store.nodes:
        store.update(name, images=())
    assert "B builds it" in show.next_step(store, scene(store))
    hint = show.next_step(store, scene(store))
    text = "\n".join(x.plain for x in serve_lines(ServerState(ServerPhase.NONE), (), (), 76, 3, hint=hint))
    assert "nothing is served" in text
    assert "B builds it" in text
    stores.lose(store, "spark-01")
    assert "spark-01, does not answer" in show.next_step(store, scene(store))
