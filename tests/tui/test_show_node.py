"""A node, the cluster and the served model as text: what is shown, what goes first, what is never hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.text import Text

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Reachability, Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.telemetry import Bus, LinkTraffic
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.assessment import Assessment
from sparkconsole.tui.draw.charts import area, rounded_up
from sparkconsole.tui.draw.frame import fitting, folded, framed
from sparkconsole.tui.views.cluster import show_table as table
from sparkconsole.tui.views.cluster.show import event_lines
from sparkconsole.tui.views.cluster.show_card import card
from sparkconsole.tui.views.cluster.show_problems import problem_line, problems
from sparkconsole.tui.views.cluster.show_server import serve_lines
from sparkconsole.tui.views.node.show_page import page
from sparkconsole.tui.widgets.lines import Lines
from tests.tui import stores
from tests.tui.stores import scene
from tests.tui.tiny import tiny


def card_text(store: Store, name: str, width: int = 40, height: int = 9) -> str:
    return "\n".join(line.plain for line in card(store.nodes[name], scene(store), width, height))


# --- cards


@pytest.mark.parametrize("width", [20, 38, 53, 160])
def test_a_card_is_exactly_as_large_as_asked(width: int) -> None:
    store = stores.filled(2)
    stores.lose(store, "spark-02")
    for height in range(2, 25):
        for state in store.nodes.values():
            lines = card(state, scene(store), width, height)
            assert [line.cell_len for line in lines] == [width] * height


def test_a_card_says_what_matters() -> None:
    text = card_text(stores.filled(2), "spark-01")
    for part in ("● spark-01 HEAD", "%", "98.4/119.7 GiB", "enp1s0f1np1", "192.168.177.11", "2/2 up"):
        assert part in text
    for part in ("11.6 / 11.6 GB/s", "alive", "NET/IB ×2", "71 °C", "49 W", "▶ vllm_node 41m", "6 d"):
        assert part in text


def test_the_smallest_card_still_has_load_memory_links_ray_and_image() -> None:
    text = card_text(stores.filled(4), "spark-01", height=4)
    for part in ("gpu", "98.4/119.7", "rdma 2/2", "eth up", "ray alive", stores.IMAGE.short[:6]):
        assert part in text


def test_ray_is_not_alive_where_no_container_runs_and_unknown_where_nobody_looks() -> None:
    """Its head's list lags: what is nearer counts."""
    store = stores.filled(2)
    store.update("spark-02", containers=())
    assert "ray  gone" in card_text(store, "spark-02")
    assert [state.in_ray for state in store.nodes.values()] == [True, False]
    store.update("spark-02", containers=None)
    assert store.nodes["spark-02"].in_ray is True, "nobody says that it does not run"
    stores.lose(store, "spark-02")
    assert store.nodes["spark-02"].in_ray is None
    assert "alive" not in card_text(store, "spark-02")


def test_the_last_values_of_a_lost_node_say_since_when_and_its_container_grows_no_older() -> None:
    store = stores.filled(2)
    stores.lose(store, "spark-02")
    text = card_text(store, "spark-02", height=14)
    assert "last seen" in text
    assert text.index("last seen") < text.index("gpu")
    assert "▶ vllm_node 40m" in text


def test_each_rail_has_a_line_where_there_is_room() -> None:
    text = card_text(stores.filled(2), "spark-01", width=53, height=14)
    assert "rocep1s0f1   up    5.8/ 5.8 GB/s" in text
    assert "roceP2p1s0f1 up" in text
    assert "rocep1s0f0" not in text, "a port without a cable is no rail of ours"


def test_a_rail_without_link_is_counted_and_said() -> None:
    store = stores.filled(2)
    reading = store.nodes["spark-02"].reading
    assert reading is not None
    store.update(
        "spark-02", reading=replace(reading, rails={**reading.rails, "roceP2p1s0f1": LinkTraffic(False)})
    )
    text = card_text(store, "spark-02")
    assert "! spark-02" in text
    assert "1/2 up" in text
    assert "! roceP2p1s0f1 has no link" in text


def test_a_lost_node_keeps_its_last_values_dimmed_with_the_reason() -> None:
    store = stores.filled(2)
    stores.lose(store, "spark-02")
    lines = card(store.nodes["spark-02"], scene(store), 40, 9)
    text = "\n".join(line.plain for line in lines)
    assert "✖ spark-02" in text
    assert "lost 48s" in text
    assert "the connection was lost" in text
    assert "retrying in 5s" in text
    values = next(line for line in lines if "97.4/119.7" in line.plain)
    assert any("dim" in str(span.style) for span in values.spans)


def test_a_node_whose_key_is_unknown_shows_the_fingerprint_and_what_to_press() -> None:
    store = stores.filled(2)
    store.update(
        "spark-02", reach=Reachability.LOST, reading=None, fingerprint="SHA256:abcDEF", reason="unknown key"
    )
    text = card_text(store, "spark-02")
    assert "SHA256:abcDEF" in text
    assert "T trust…" in text


def test_connecting_is_said_in_words() -> None:
    store = Store(stores.cluster(2))
    text = card_text(store, "spark-02")
    assert "connecting to spark-02 …" in text
    assert "○" in text


def test_an_old_value_says_how_old_it_is() -> None:
    store = stores.filled(2)
    store.update("spark-01", read_at_s=stores.NOW_S - 48)
    assert "48s old" in card_text(store, "spark-01")
    store.update("spark-01", read_at_s=stores.NOW_S - 2.9)
    assert "old" not in card_text(store, "spark-01")


def test_memory_that_runs_out_is_the_first_warning() -> None:
    store = stores.filled(2)
    reading = store.nodes["spark-01"].reading
    assert reading is not None
    assert reading.memory is not None
    store.update("spark-01", reading=replace(reading, memory=replace(reading.memory, available=2**30)))
    assert of.troubles(store.nodes["spark-01"], scene(store))[0].startswith("only 1.0 GiB memory left")


def test_a_machine_that_will_freeze_says_when() -> None:
    store = stores.filled(2)
    store.update("spark-01", memory_alarm="memory nearly full: 9.1 GB left, at this rate it freezes in 20 s")
    assert "freezes in 20 s" in of.troubles(store.nodes["spark-01"], scene(store))[0]
    assert "!" in card_text(store, "spark-01")


def test_what_the_sampler_counts_shows_where_it_matters() -> None:
    store, now = stores.filled(2), stores.reading(1, 120)
    lossy = replace(now.rails["rocep1s0f1"], counts={"np_cnp_sent": 120, "out_of_sequence": 700})
    rails = {**now.rails, "rocep1s0f1": lossy}
    heat = (replace(now.gpus[0], temperature_c=94.0, held=("heat",), clock_mhz=1080.0),)
    buses = {"rocep1s0f1": Bus(16.0, 4, 32.0, 4), "roceP2p1s0f1": Bus(32.0, 4, 32.0, 4)}
    waits = {"io full": 40.0, "cpu some": 2.0}
    now = replace(now, rails=rails, gpus=heat, buses=buses, cached=29 * stores.GIB, pressures=waits)
    store.update("spark-01", reading=now)
    state, view = store.nodes["spark-01"], scene(store)
    assert of.live_troubles(state, view) == (
        "rocep1s0f1 loses packets",
        "rocep1s0f1 has PCIe 16 GT/s x4 only",
        "94 °C, GPU throttled",
    )
    told = "\n".join(line.plain for line in page(state, view, 240, 60))
    words = (
        "cnp 120/s",
        "lost 700/s",
        "PCIe 16 GT/s x4",
        "held by heat",
        "1080 MHz",
        "cache 29",
        "io waits 40",
    )
    assert [word for word in words if word not in told] == []
    assert "cpu waits" not in told
    assert "cnp 120/s" in "\n".join(line.plain for line in card(state, view, 78, 20))


def test_a_node_without_a_sampler_says_why_as_its_warning() -> None:
    store = stores.filled(2)
    store.update("spark-02", reason="python3 is not there")
    assert of.live_troubles(store.nodes["spark-02"], scene(store))[0].endswith("python3 is not there")


def test_what_the_checks_found_is_a_warning_of_that_node() -> None:
    store = stores.filled(2)
    look = store.nodes["spark-02"].look
    assert look is not None
    store.update("spark-02", look=replace(look, image=None))
    assert any("image missing" in told for told in scene(store).warnings["spark-02"])
    assert "spark-01" not in scene(store).warnings


def test_what_is_not_known_is_no_zero() -> None:
    store = stores.filled(1)
    reading = store.nodes["spark-01"].reading
    assert reading is not None
    bare = replace(reading, gpus=(), memory=None, rails={}, nets={}, cpu=None, load=None, disk_free=None)
    store.update("spark-01", reading=bare, look=None, containers=None, images=None, ray_alive=None)
    text = card_text(store, "spark-01", width=60, height=14)
    assert "mem  –" in text
    assert "0.0/" not in text
    assert "0 %" not in text


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-01-31T10:41:00Z", 60),
        ("2026-01-31T10:41:00.123456789Z", 59.876544),
        ("2026-01-31T11:41:00+01:00", 60),
        ("0001-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:00Z", None),
        ("", None),
        ("[/x]", None),
    ],
)
def test_times_of_docker(stamp: str, seconds: float | None) -> None:
    assert of.seconds_since(stamp, stores.WALL) == (pytest.approx(seconds) if seconds is not None else None)


# --- rows


def test_columns_go_in_the_stated_order_when_it_gets_narrow() -> None:
    names = ["spark-01", "spark-02"]
    order = ["HOLDS", "IMAGE", "ETH"]
    gone: list[str] = []
    for width in range(200, 40, -1):
        shown = table.columns_for(width, names).names
        gone += [c for c in order if c not in shown and c not in gone]
    assert gone == order
    at_80 = table.columns_for(80, names).names
    assert {"ROLE", "GPU%", "GPU", "MEM GiB", "RDMA", "ETH", "RAY", "IMAGE", "HOLDS", "SEEN"} <= set(at_80)
    assert {"GPU%", "MEM GiB", "RDMA", "RAY", "SEEN"} <= set(table.columns_for(60, names).names)


@pytest.mark.parametrize("width", [60, 79, 80, 100, 108, 160, 200])
def test_a_row_fits(width: int) -> None:
    store = stores.filled(3)
    stores.hostile(store, ["spark-02"])
    plan = table.columns_for(width, list(store.nodes))
    assert table.header(plan).cell_len <= width
    for state in store.nodes.values():
        assert table.row(state, scene(store), plan, state.name, cursor=True, marked=True).cell_len <= width


def test_a_lost_row_says_since_when() -> None:
    store = stores.filled(3)
    stores.lose(store, "spark-03")
    plan = table.columns_for(80, list(store.nodes))
    row = table.row(store.nodes["spark-03"], scene(store), plan, "spark-03").plain
    assert "✖ spark-03" in row
    assert row.rstrip().endswith("48s")


def test_rows_sort_by_a_column_and_keep_their_order_otherwise() -> None:
    store = stores.filled(5)
    states = tuple(store.nodes.values())
    assert table.ordered(states, scene(store), "") == states
    by_gpu = table.ordered(states, scene(store), "GPU%")
    assert [of.share(s) for s in by_gpu] == sorted((of.share(s) or 0.0 for s in states), reverse=True)
    assert table.ordered(states, scene(store), "no such column") == states
    assert "GPU%▾" in table.header(table.columns_for(120, list(store.nodes)), "GPU%").plain


# --- the node page


@pytest.mark.parametrize("size", [(60, 13), (80, 21), (120, 37), (160, 45)])
def test_the_page_has_everything_and_fits(size: tuple[int, int]) -> None:
    store = stores.filled(2)
    lines = page(store.nodes["spark-02"], scene(store), *size)
    assert len(lines) >= size[1]
    assert all(line.cell_len == size[0] for line in lines)
    text = "\n".join(line.plain for line in lines)
    for part in (
        "192.168.177.12",
        "rocep1s0f1",
        "roceP2p1s0f0",
        "enP7s7",
        "mtu 1500",
        "83.1 GiB",
        "VLLM::Worker",
    ):
        assert part in text
    for part in ("vllm_node", "kernel", "6.11.0-1016-nvidia", "Connected all rings", "rdma in", "power"):
        assert part in text


def test_twins_stand_together_those_in_use_first() -> None:
    store = stores.filled(2)
    text = "\n".join(line.plain for line in page(store.nodes["spark-01"], scene(store), 160, 45))
    places = [text.index(d) for d in ("┌ rocep1s0f1", "└ roceP2p1s0f1", "┌ rocep1s0f0", "└ roceP2p1s0f0")]
    assert places == sorted(places)


def test_the_page_of_a_lost_node_begins_with_why() -> None:
    store = stores.filled(2)
    stores.lose(store, "spark-02")
    lines = [line.plain for line in page(store.nodes["spark-02"], scene(store), 80, 21)]
    assert "✖ lost" in lines[0]
    assert "no answer for 15 s" in lines[1]
    assert any("retrying in 5s" in line for line in lines[:6])


def test_a_node_that_was_never_seen_has_a_page() -> None:
    store = Store(stores.cluster(2))
    text = "\n".join(line.plain for line in page(store.nodes["spark-02"], scene(store), 80, 21))
    assert "connecting to spark-02" in text
    assert "not read yet" in text


# --- hostile text


@pytest.mark.parametrize("size", [(40, 4), (40, 9), (80, 14), (160, 30)])
def test_text_from_machines_is_only_text(size: tuple[int, int]) -> None:
    store = stores.filled(2)
    stores.hostile(store, store.nodes)
    now = scene(store)
    for reach in Reachability:
        store.update(
            "spark-01", reach=reach, fingerprint=stores.HOSTILE if reach is Reachability.LOST else ""
        )
        state = store.nodes["spark-01"]
        lines = [*card(state, now, *size), *page(state, now, max(size[0], 60), size[1])]
        assert all(_is_clean(line) for line in lines)
    told = [*event_lines(store.events, 9), problem_line(problems(store, now), size[0])]
    told += serve_lines(store.server, (), (), size[0], size[1])
    assert all(_is_clean(line) for line in told)
    assert any("[/x]" in line.plain for line in told), "it is shown, not swallowed"


def _is_clean(line: Text) -> bool:
    return not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in line.plain)


# --- small parts


def test_frames_are_exactly_as_large_as_asked() -> None:
    for width in range(30):
        for height in range(6):
            lines = framed([Text("汉字" * 20)], width, height, title="a long title " * 3, right="right")
            assert [line.cell_len for line in lines] == [width] * height


def test_what_does_not_fit_is_left_out_from_the_end() -> None:
    assert fitting(("aa", "bb", "cc"), 6).plain == "aa  bb"
    assert fitting(("aa", "bbbbbb", "cc"), 6).plain == "aa  cc"


def test_folding_breaks_between_words() -> None:
    assert folded("one two three four", 9, 3) == ["one two", "three", "four"]
    assert folded("one two three four", 9, 2) == ["one two", "three fo…"]


def test_an_area_shows_gaps_as_blanks_and_nothing_as_a_line() -> None:
    lines = [line.plain for line in area([None, 0.0, 100.0], 10, 2, high=100.0, unit="%")]
    assert lines == ["  100%┤  █", "     0┤ ▁█"]
    assert area([1.0], 10, 0) == []
    assert len(area([], 3, 2)) == 2


@pytest.mark.parametrize(("value", "top"), [(0, 1), (41, 50), (99, 100), (100, 100), (101, 200), (0.3, 0.5)])
def test_scales_do_not_move_with_every_value(value: float, top: float) -> None:
    assert rounded_up(value) == pytest.approx(top)


async def test_styles_name_variables_of_the_theme() -> None:
    """A variable that there is not has no colour."""
    lines = Lines()
    async with tiny(lines) as pilot:
        lines.show([Text("a", "bold $node-up on $row-cursor"), Text("a", "$there-is-none"), Text("a")])
        await pilot.pause()
        known, unknown, none = (next(iter(lines.render_line(y))).style for y in range(3))
        assert known is not None
        assert none is not None
        assert known.bold
        assert known.color != none.color
        assert known.bgcolor != none.bgcolor
        assert unknown == none


def test_the_meaning_is_asked_again_only_when_a_look_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Cluster] = []

    def told(cluster: Cluster, *_: object, **__: object) -> dict[str, object]:
        asked.append(cluster)
        return {name: SparkError("no link") for name in ("spark-01", "spark-02")}

    monkeypatch.setattr("sparkconsole.model.checks.networks", told)
    store, cluster, it = stores.filled(2), stores.cluster(2), Assessment()
    for _ in range(3):
        it.sample(cluster, store.nodes, stores.NOW_S)
    assert len(asked) == 1
    store.update("spark-01", look=stores.look(1))
    it.sample(cluster, store.nodes, stores.NOW_S)
    assert len(asked) == 2
