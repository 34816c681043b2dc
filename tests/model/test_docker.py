"""Two images are the same by content, whatever their ids say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.docker import Container, ImageIdentity, difference, same_content

ONE = ImageIdentity("vllm-node", "sha256:config", "linux/arm64", ("sha256:a", "sha256:b"), "c0")


def test_of_what_names_no_layers_nothing_is_the_same_but_its_id() -> None:
    none = replace(ONE, layers=(), id="sha256:aa")
    other = replace(none, id="sha256:bb")
    assert not same_content(none, other)
    assert difference(none, other)
    assert same_content(none, replace(none, tag="other"))
    assert difference(none, replace(none, tag="other")) == ""


def test_the_same_content_in_two_stores_is_the_same() -> None:
    other = replace(ONE, id="sha256:manifest", tag="vllm-node:latest", created="later", size_bytes=5)
    assert same_content(ONE, other)
    assert difference(ONE, other) == ""
    assert ONE.short == other.short


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(ONE, platform="linux/amd64"), "platform linux/arm64 and linux/amd64"),
        (replace(ONE, layers=("sha256:a", "sha256:x")), "2 and 2 layers, the first 1 of them shared"),
        (replace(ONE, layers=("sha256:b", "sha256:a")), "2 and 2 layers, the first 0 of them shared"),
        (replace(ONE, layers=(*ONE.layers, "sha256:c")), "2 and 3 layers, the first 2 of them shared"),
        (replace(ONE, config_digest="c1"), "the same layers, another configuration"),
    ],
)
def test_any_other_content_is_another_image(other: ImageIdentity, told: str) -> None:
    assert not same_content(ONE, other)
    assert difference(ONE, other) == told
    assert ONE.short != other.short


@pytest.mark.parametrize(("state", "running"), [("running", True), ("paused", False), ("exited", False)])
def test_only_running_is_running(state: str, running: bool) -> None:
    assert Container("n", "i", "im", "id", state).running is running
