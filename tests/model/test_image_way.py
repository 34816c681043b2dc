"""Only what a receiver lacks is sent, and only where a partial load is known to fail cleanly."""

from __future__ import annotations

import pytest

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image_way import choose_way, missing_bytes, shared_layers


def _image(*layers: str, platform: str = "linux/arm64") -> ImageIdentity:
    return ImageIdentity("vllm-node:latest", "sha256:1", platform, layers, "c")


OURS = _image("a", "b", "c")


@pytest.mark.parametrize(
    ("present", "shared"),
    [
        ((), 0),
        ((_image("a", "x", "c"),), 1),
        ((_image("a"), _image("a", "b", "y")), 2),
        ((_image("a", "b", "c", "d"),), 3),
        ((_image("b", "c"),), 0),
        ((_image("a", "b", platform="linux/amd64"),), 0),
    ],
)
def test_only_a_whole_prefix_of_the_same_platform_is_shared(
    present: tuple[ImageIdentity, ...], shared: int
) -> None:
    assert shared_layers(OURS, present) == shared


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (("overlayfs", "overlay2"), "the sender's image store is overlayfs"),
        (("overlay2", "overlayfs"), "the receiver's image store is overlayfs"),
        (("overlay2", ""), "the receiver's image store is not known"),
    ],
)
def test_no_partial_load_where_it_is_not_known_to_work(ends: tuple[str, str], why: str) -> None:
    way = choose_way(OURS, (_image("a"),), *ends)
    assert (way.direct, way.why) == (False, why)


def test_between_graph_drivers_the_rest_is_sent() -> None:
    way = choose_way(OURS, (_image("a", "b"),), "overlay2", "overlay2")
    assert (way.direct, way.missing, way.why) == (True, 1, "the receiver has 2 of 3 layers")
    assert missing_bytes(way, (0, 30, 0, 20, 10)) == 30


def test_a_receiver_with_nothing_of_it_gets_everything() -> None:
    way = choose_way(OURS, (), "overlay2", "overlay2")
    assert (way.direct, way.missing, way.why) == (True, 3, "the receiver has none of 3 layers")
