"""What goes, what stays and why, and the exact commands: decided without asking anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sparkconsole.errors import WrongUsage
from sparkconsole.model.docker import CacheRecord, Container, DiskUsage, ImageIdentity
from sparkconsole.model.image.matrix import matrix
from sparkconsole.model.image.prune import (
    CHECKPOINT_LABEL,
    Decision,
    NodeImages,
    Wish,
    cache_age,
    cuts,
    decide,
)

NOW = datetime(2026, 2, 1, tzinfo=UTC)
OURS = {"org.sparkconsole.recipe": "vllm-node"}


def image(tag: str, what: str, labels: dict[str, str] | None = None) -> ImageIdentity:
    made = "2026-01-01T00:00:00+00:00"
    return ImageIdentity(tag, f"sha256:{what:0<64}", "linux/arm64", (what,), what, 20, made, labels or {})


def dated(day: int) -> ImageIdentity:
    return image(f"n:202601{day:02}-0000", f"b{day}")


BUILDS = tuple(dated(day) for day in range(1, 6))
LATEST = image("n:latest", "b5")


def container(name: str = "vllm_node", image_id: str = "", image_name: str = "n") -> Container:
    return Container(name, "c1", image_name, image_id, "exited")


def decided(wish: Wish | None = None, **nodes: NodeImages) -> Decision:
    return decide(wish or Wish("n"), nodes, NOW)


def going(decision: Decision) -> set[str]:
    return {entry.label("n") for entry in decision.entries if entry.goes}


def test_the_newest_builds_stay_and_older_ones_go() -> None:
    decision = decided(a=NodeImages((*BUILDS, LATEST)))
    assert going(decision) == {"n:20260102-0000", "n:20260101-0000"}
    assert [e.tag for e in decision.entries][:2] == ["n:latest", "n:20260105-0000"], (
        "the name, then the newest"
    )


def test_how_many_builds_stay_is_the_persons_word() -> None:
    assert going(decided(Wish("n", keep=1), a=NodeImages((*BUILDS, LATEST)))) == {b.tag for b in BUILDS[:-1]}
    assert going(decided(Wish("n", keep=0), a=NodeImages((*BUILDS, LATEST)))) == {b.tag for b in BUILDS[:-1]}
    assert going(decided(Wish("n", keep=9), a=NodeImages((*BUILDS, LATEST)))) == set()


def test_what_a_name_means_anywhere_stays_everywhere() -> None:
    other, strange = (
        NodeImages((*BUILDS, image("n:latest", "b1"))),
        NodeImages((*BUILDS, image("mine:keep", "b2"))),
    )
    decision = decided(a=NodeImages((*BUILDS, LATEST)), b=other, c=strange)
    assert going(decision) == set()
    why = {e.tag: e.why for e in decision.entries}
    assert why["n:20260101-0000"] == "n:latest means it"
    assert why["n:20260102-0000"] == "mine:keep means it"


@pytest.mark.parametrize("used", [container(image_id=BUILDS[0].id), container(image_name=BUILDS[0].tag),
                                  container(image_name=BUILDS[0].id[7:19])])  # fmt: skip
def test_what_a_container_uses_stays_everywhere(used: Container) -> None:
    decision = decided(a=NodeImages((*BUILDS, LATEST)), b=NodeImages(BUILDS, (used,)))
    assert going(decision) == {"n:20260102-0000"}
    assert "the container vllm_node on b uses it" in {e.why for e in decision.entries}


def test_the_same_content_twice_counts_once_and_stays_under_both_dates() -> None:
    twice = image("n:20260106-0000", "b5")
    assert going(decided(a=NodeImages((*BUILDS, twice, LATEST)))) == {"n:20260102-0000", "n:20260101-0000"}


def test_images_of_other_names_are_not_even_looked_at() -> None:
    others = (image("n-cpu:20260101-0000", "x"), image("n:v2-20260101-0000", "y"), image("z@sha256:1", "z"))
    decision = decided(Wish("n", keep=0, dangling=True), a=NodeImages((*others, LATEST)))
    assert [e.tag for e in decision.entries] == ["n:latest"]


NAMELESS = {
    "ours": image("", "lost", OURS),
    "strange": image("", "strange"),
    "old": image("", "b1"),
    "kept": image("", "b4"),
    "arrived": image("", "arrived", {CHECKPOINT_LABEL: "n:latest"}),
    "arrived-other": image("", "arrived-other", {CHECKPOINT_LABEL: "m"}),
}


@pytest.mark.parametrize(
    ("dangling", "gone"),
    [
        (None, {"ours", "old"}),
        (True, {"ours", "old", "strange", "arrived"}),
        (False, set()),
    ],
)
def test_nameless_images(dangling: bool | None, gone: set[str]) -> None:
    """A receiver has earlier builds without a name; what arrived of another name's copy is never touched."""
    receiver = NodeImages((*NAMELESS.values(), LATEST))
    decision = decided(Wish("n", dangling=dangling), a=NodeImages((*BUILDS, LATEST)), b=receiver)
    ids = {c.step.argv[-1] for c in cuts(decision, ["b"])}
    assert ids == {NAMELESS[name].id for name in gone}
    assert NAMELESS["arrived-other"].short not in str([e.label("n") for e in decision.entries])


# --- build cache


def cached(days: float, *, prunable: bool = True) -> CacheRecord:
    return CacheRecord(10, (NOW - timedelta(days=days)).isoformat(), prunable)


USAGE = DiskUsage(100, 40, (cached(1), cached(4), cached(5, prunable=False), CacheRecord(10, "")))


def test_cache_goes_where_it_was_not_used_for_long_and_what_is_not_known_stays() -> None:
    nodes = {"a": NodeImages((LATEST,), (), USAGE), "b": NodeImages((LATEST,))}
    decision = decided(**nodes)
    assert decision.cache == {"a": 10}
    (cut,) = cuts(decision, nodes)
    assert cut.step.shown() == "docker builder prune --force --filter until=72h"
    assert decided(Wish("n", until=""), **nodes).cache == {}
    assert decided(Wish("n", until="12h"), **nodes).cache == {"a": 20}


@pytest.mark.parametrize(
    ("word", "taken"), [("72h", "72h"), ("3d", "72h"), ("1d12h", "24h12h"), ("none", "")]
)
def test_durations_as_docker_takes_them(word: str, taken: str) -> None:
    assert cache_age(word) == taken


@pytest.mark.parametrize("word", ["", "72", "h", "-1h", "72h; reboot"])
def test_what_is_no_duration_is_refused(word: str) -> None:
    with pytest.raises(WrongUsage, match="no duration"):
        cache_age(word)


# --- commands and tables


def test_the_commands_name_what_goes_and_force_nothing() -> None:
    nodes = {"a": NodeImages((*BUILDS[:2], LATEST)), "b": NodeImages((NAMELESS["ours"],))}
    steps = [c.step for c in cuts(decided(Wish("n", keep=1), **nodes), nodes)]
    assert [(s.node, s.shown()) for s in steps] == [
        ("a", "docker rmi n:20260101-0000"),
        ("b", f"docker image rm {NAMELESS['ours'].id}"),
    ]


def test_the_matrix_says_who_has_what_and_what_becomes_of_it() -> None:
    nodes = {"a": NodeImages((*BUILDS, LATEST), (), USAGE), "b": NodeImages((LATEST,))}
    sheet = matrix(decided(**nodes), ("a", "b", "c"), ["c"], NOW)
    assert sheet.columns == ("image", "age", "size", "a", "b", "c", "stays or goes")
    rows = {row[0]: row[3:] for row in sheet.rows}
    assert rows["n"] == ("✔", "✔", "unknown", "stays: what the name means")
    assert rows["20260101-0000"] == ("✔", "○", "unknown", "goes: older than the newest 3 builds")
    assert rows["build cache"] == ("10 B", "○", "unknown", "goes: no build used it for 72h")


def test_many_nodes_are_counted() -> None:
    names = tuple(f"s{n}" for n in range(9))
    nodes = {n: NodeImages((LATEST, *BUILDS[: 5 * (n == "s0")])) for n in names}
    sheet = matrix(decided(**nodes), names, [], NOW)
    assert [row[3] for row in sheet.rows][:2] == ["all 9", "1 of 9: s0"]
