"""Which builds of a name are kept, and which of them a name goes back to."""

from __future__ import annotations

import pytest

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.history import build_before, build_date, builds, undated


def image(tag: str, content: str) -> ImageIdentity:
    return ImageIdentity(tag, f"sha256:{content}", "linux/arm64", (content,), content)


@pytest.mark.parametrize(
    ("tag", "other", "date"),
    [
        ("vllm-node", "vllm-node:20261124-0915", "20261124-0915"),
        ("vllm-node:latest", "vllm-node:latest-20261124-0915", "20261124-0915"),
        ("vllm-node:v2", "vllm-node:v2-20261124-0915", "20261124-0915"),
        ("vllm-node:v2", "vllm-node:20261124-0915", ""),
        ("vllm-node", "vllm-node-cpu:20261124-0915", ""),
        ("host:5000/a", "host:5000/a:20261124-0915", "20261124-0915"),
        ("vllm-node", "vllm-node:nightly", ""),
    ],
)
def test_a_build_is_known_by_its_name(tag: str, other: str, date: str) -> None:
    assert build_date(tag, other) == date


KEPT = tuple(image(f"n:2026010{day}-0000", content) for day, content in ((1, "a"), (2, "b"), (3, "c")))


def test_builds_stand_newest_first() -> None:
    assert [i.config_digest for i in builds("n", KEPT)] == ["c", "b", "a"]


@pytest.mark.parametrize(("now", "before"), [("c", "b"), ("b", "a"), ("a", None), ("strange", "c")])
def test_the_build_before_is_older_than_what_the_name_means(now: str, before: str | None) -> None:
    found = build_before("n", (*KEPT, image("n:latest", now)))
    assert (found.config_digest if found else None) == before


def test_the_same_content_built_again_is_no_other_build() -> None:
    twice = (image("n:20260104-0000", "c"), *KEPT, image("n:latest", "c"))
    found = build_before("n", twice)
    assert found is not None
    assert found.config_digest == "b"


@pytest.mark.parametrize(
    ("tag", "name", "date"),
    [
        ("vllm-node:20261124-0915", "vllm-node", "20261124-0915"),
        ("vllm-node:v2-20261124-0915", "vllm-node:v2", "20261124-0915"),
        ("host:5000/a:20261124-0915", "host:5000/a", "20261124-0915"),
        ("vllm-node-20261124-0915:latest", "vllm-node-20261124-0915:latest", ""),
        ("vllm-node:latest", "vllm-node:latest", ""),
    ],
)
def test_the_name_that_a_build_is_of(tag: str, name: str, date: str) -> None:
    assert undated(tag) == (name, date)
