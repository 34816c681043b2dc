"""Which image is on which node, copies and builds, as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from sparkconsole.errors import SparkError, Stopped
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.news import Advance, Remark
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.tui.draw.frame import error_lines
from sparkconsole.tui.draw.preview import CommandPreview, preview_lines
from sparkconsole.tui.views.images import show
from sparkconsole.tui.views.images import show_work as work
from sparkconsole.tui.views.images.show import Cell
from sparkconsole.verbs.grammar.dispatch import understand

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
LABELS = {"org.sparkconsole.vllm.ref": "main", "org.sparkconsole.vllm.commit": "a41c0de" + "0" * 33}


def image(tag: str = "vllm-node:latest", top: str = "a", ident: str = "1", **more: object) -> ImageIdentity:
    labels = more.pop("labels", LABELS)
    assert isinstance(labels, dict)
    return ImageIdentity(
        tag,
        f"sha256:{ident}",
        "linux/arm64",
        ("sha256:base", f"sha256:{top}"),
        "c",
        21 << 30,
        "2026-03-01T00:00:00+00:00",
        labels,
    )


def node(
    name: str, *images: ImageIdentity, reach: Reachability = Reachability.UP, reason: str = ""
) -> NodeState:
    return NodeState(name, reach=reach, reason=reason, images=images)


def cells(nodes: Iterable[NodeState]) -> str:
    (row,) = show.image_rows(nodes)
    return "".join(c.value for c in row.cells.values())


def test_same_content_under_another_id_is_the_same_image() -> None:
    assert cells([node("a", image(ident="1")), node("b", image(ident="2"))]) == "✔✔"


def test_another_content_a_missing_one_and_a_lost_node_are_told_apart() -> None:
    nodes = [
        node("a", image()),
        node("b", image(top="z")),
        node("c"),
        node("d", image(), reach=Reachability.LOST),
    ]
    assert cells(nodes) == "✔≠○·"


def test_a_node_that_did_not_say_yet_is_unknown_and_not_missing() -> None:
    assert cells([node("a", image()), NodeState("b", reach=Reachability.UP)]) == "✔·"


def test_what_only_a_lost_node_was_seen_to_have_keeps_its_row() -> None:
    (row,) = show.image_rows([node("a"), node("b", image(), reach=Reachability.LOST)])
    assert row.where == "b"
    assert [c.value for c in row.cells.values()] == ["○", "·"]


def test_the_clusters_image_comes_first() -> None:
    nodes = [node("a", image("aaa:1", "q"), image("vllm-node:latest"))]
    assert [r.name for r in show.image_rows(nodes, "vllm-node")] == ["vllm-node", "aaa:1"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (LABELS, "main@a41c0de"),
        ({"org.sparkconsole.vllm.version": "0.13.0"}, "0.13.0"),
        (
            {"org.sparkconsole.vllm.ref": "a41c0de" + "0" * 33, "org.sparkconsole.vllm.commit": "a41c0de"},
            "a41c0de",
        ),
        ({}, ""),
    ],
)
def test_the_version_is_what_the_labels_say(labels: dict[str, str], told: str) -> None:
    assert show.version(image(labels=labels)) == told


@pytest.mark.parametrize("created", ["", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday"])
def test_an_image_without_a_date_has_no_age(created: str) -> None:
    assert show.built_age(replace(image(), created=created), NOW) == "–"
    assert show.built_age(image(), NOW) == "6 d"


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16, 64])
@pytest.mark.parametrize("width", [40, 56, 76, 156])
def test_a_node_column_holds_a_sign_per_node_or_how_many_there_are(count: int, width: int) -> None:
    names = [f"spark-{n:02}" for n in range(1, count + 1)]
    column = next(c for c in show.columns(names, width) if c.id == "nodes")
    (row,) = show.image_rows([node(n, image("a-name/[/x]:20260301-1200")) for n in names])
    cell = show.table_row(row, show.heads(names, width), column.width or 0, NOW).cells[4]
    told = cell.plain if hasattr(cell, "plain") else str(cell)
    assert cell_len(told) <= (column.width or 0) <= width
    assert told.count("✔") == count or f"{count}✔" in told


def test_a_sign_stands_under_the_name_of_its_node() -> None:
    names = ["spark-01", "spark-02", "spark-03"]
    (row,) = show.image_rows([node(names[0], image()), node(names[1]), node(names[2], image())])
    assert show.columns(names, 76)[4].title == "01  02  03"
    cell = show.table_row(row, show.heads(names, 76), 10, NOW).cells[4]
    assert str(cell) == "✔   ○   ✔ "


def test_nodes_without_numbers_have_columns_too() -> None:
    found = show.heads(["alpha", "beta"], 76)
    assert found == ("alpha", "beta")


def test_the_chosen_row_is_said_in_words() -> None:
    nodes = [node("a", image()), node("b"), node("c", image(top="z"))]
    (row,) = show.image_rows(nodes)
    assert show.legend(row).plain == "≠ different on c  ○ missing on b  C copies it there"
    (row,) = show.image_rows([node("a", image())])
    assert show.legend(row).plain == "✔ on a  4 ^j launches it"


@pytest.mark.parametrize(
    ("nodes", "word"),
    [
        ([], "node add"),
        ([NodeState("a")], "Asking"),
        ([NodeState("a"), node("b", reach=Reachability.LOST)], "Asking"),
        ([node("a")], "B builds one"),
        ([node("a", reach=Reachability.LOST)], "No node answers"),
    ],
)
def test_every_state_without_rows_says_what_it_is(nodes: list[NodeState], word: str) -> None:
    assert word in show.matrix_state(nodes)


def test_a_partial_answer_says_who_is_unknown() -> None:
    line = show.lost_line(
        [node("a", image()), node("b", reach=Reachability.LOST, reason="ssh keepalive timed out")]
    )
    assert line is not None
    assert line.plain == "✖ b unknown: ssh keepalive timed out"
    assert show.lost_line([node("a")]) is None


def test_differences_name_the_layer_and_the_label() -> None:
    other = image(top="z", labels={**LABELS, "org.sparkconsole.vllm.ref": "v0.13"})
    (row,) = show.image_rows([node("a", image()), node("b", other)])
    answer = show.differences(row)
    sheets = [part for part in answer.parts if isinstance(part, Sheet)]
    assert sheets[0].rows == (("2", "a", "z"),)
    assert sheets[1].rows == (("org.sparkconsole.vllm.ref", "main", "v0.13"),)
    (same,) = show.image_rows([node("a", image())])
    assert "no two nodes" in str(show.differences(same).parts[0])


def test_details_say_where_the_image_is_and_what_it_is_made_of() -> None:
    (row,) = show.image_rows([node("a", image(labels={"[/x]": "\x1b[31m"})), node("b")])
    text = str(show.details(row, NOW).parts)
    assert "✔ same" in text
    assert "○ missing" in text
    assert "sha256:base" in text


# --- builds


def preview(line: str) -> CommandPreview:
    words = line.split()
    return work.build_commands(words, understand(words).kwargs, "vllm-node", NOW)


def test_the_preview_is_the_command_that_a_build_runs() -> None:
    told = preview("image build --vllm-ref v0.13.0 -j 8 --rebuild-vllm --build-arg BASE=x")
    assert told.text() == (
        "env DOCKER_BUILDKIT=1 docker build -t vllm-node -t vllm-node:20260307-1200"
        f" --build-arg CACHEBUST_VLLM={int(NOW.timestamp())} --build-arg TRITON_REF=v3.5.1"
        " --build-arg VLLM_REF=v0.13.0 --build-arg BUILD_JOBS=8 --build-arg BASE=x --progress=plain context"
    )


@pytest.mark.parametrize("said", [{"tag": "UPPER"}, {"build_jobs": 0}, {"build_arg": ["novalue"]}], ids=str)
def test_what_cannot_be_built_is_said_before_it_is_tried(said: dict[str, object]) -> None:
    with pytest.raises(SparkError) as told:
        work.build_commands(("image", "build"), said, "vllm-node", NOW)
    first, *_ = preview_lines(CommandPreview(wrong=told.value.cause), 78, 3)
    assert first.plain.startswith("! ")


@pytest.mark.parametrize("height", [1, 2, 3, 9])
def test_a_preview_fits_into_its_room(height: int) -> None:
    lines = preview_lines(preview("image build"), 60, height)
    assert len(lines) <= height
    assert all(line.cell_len <= 60 for line in lines)
    assert lines[0].plain.startswith(": image build")


def test_a_build_says_how_many_steps_and_the_one_under_way() -> None:
    advances = {
        ("a", "steps of vllm-node"): Advance("a", "steps of vllm-node", 4, 9, elapsed_s=72.0),
        ("a", "[4/9] RUN ninja"): Advance("a", "[4/9] RUN ninja", 120, 400),
        ("a", "[3/9] done"): Advance("a", "[3/9] done", 10, 10),
    }
    first, second = work.build_text(advances, 46)
    assert "4/9 steps  00:01:12" in first.plain
    assert "120/400  [4/9] RUN ninja" in second.plain
    assert work.build_text({}, 46) == []


# --- copies


PLAN = Plan(
    "Copy vllm-node from a",
    (
        Step("copy-b", "a", "copy", ("x",)),
        Step("copy-c", "a", "copy", ("x",)),
        Step("copy-d", "a", "copy", ("x",)),
    ),
    notes=("e has the same content already", "cannot copy to f: 3 GB are free, 40 GB are needed"),
)


def test_each_receiver_has_a_line_of_its_own_and_a_failed_one_its_reason() -> None:
    advances = {("b", "copy vllm-node"): Advance("b", "copy vllm-node", 5e9, 10e9, "B", 1.1e9, 9.0, 4.0)}
    news = [
        Remark("copy to d failed: load: no space left on device", "", "error"),
        Remark("somebody says copy to nowhere failed"),
    ]
    lines = {line.host: line for line in work.copy_lines(PLAN, advances, news)}
    assert {h: line.state for h, line in lines.items()} == {
        "b": "running",
        "c": "",
        "d": "failed",
        "e": "done",
        "f": "failed",
    }
    text = [line.plain.rstrip() for line in work.copy_text(list(lines.values()), 44)]
    assert text[0] == "✖ d load: no space left on device"[:44] or text[1].startswith("✖ d load: no space")
    running = next(line for line in text if line.startswith("▶ b"))
    assert "50 %  00:09  1.1 GB/s" in running
    assert "○ c waiting" in text


def test_sent_is_not_done_until_the_engine_said_so() -> None:
    advances = {("b", "copy vllm-node"): Advance("b", "copy vllm-node", 10, 10, "B", 1, 0, 4.0)}
    news = [Remark("all bytes sent; the engine of b registers the layers", "b")]
    line = work.copy_lines(PLAN, advances, news)[2]
    assert (line.host, line.state) == ("b", "running")
    assert "registers the layers" in work.copy_text([line], 70)[0].plain


def test_the_answer_has_the_last_word() -> None:
    results = [
        {"host": "b", "state": "copied", "detail": ""},
        {"host": "c", "state": "unknown", "detail": "gone"},
    ]
    lines = {line.host: line for line in work.copy_lines(PLAN, {}, [], results)}
    assert lines["b"].state == "done"
    assert (lines["c"].state, lines["c"].why) == ("unknown", "gone")
    assert work.copy_text([lines["c"]], 70)[0].plain.startswith("? c gone")


@pytest.mark.parametrize("width", [20, 30, 44, 76, 150])
def test_copy_lines_are_exactly_as_wide_as_the_room(width: int) -> None:
    advance = Advance("b", "copy x", 5e9, None, "B", None, None, 4.0)
    lines = [
        work.CopyLine("b", "running", advance=advance),
        work.CopyLine("宽" * 30, "failed", "[/x]\x1b[2J" * 9),
    ]
    assert {cell_len(t.plain) for t in work.copy_text(lines, width)} == {width}


def test_targets_are_the_nodes_that_lack_it_and_an_unreachable_one_cannot_be_chosen() -> None:
    nodes = [
        node("a", image()),
        node("b"),
        node("c", image()),
        node("d", reach=Reachability.LOST, reason="no route"),
    ]
    (row,) = show.image_rows(nodes)
    found = {t.node: t for t in work.targets(row, nodes, "a")}
    assert list(found) == ["b", "c", "d"]
    assert [t.wanted for t in found.values()] == [True, False, False]
    assert (found["d"].open, found["d"].why) == (False, "no route")
    assert work.copy_amount(row, ("b", "c")) == "1 × 21.0 GiB"
    assert row.cells["d"] is Cell.UNKNOWN


def test_how_work_ended_says_what_to_do_next() -> None:
    failed = SparkError("[/x] no room", hint="make room", node="a")
    assert [line.plain for line in error_lines(failed, 40)] == ["✖ a: [/x] no room", "→ make room"]
    (only,) = error_lines(Stopped("stopped by you"), 40)
    assert (only.plain, only.style) == ("○ stopped by you", "$muted")
