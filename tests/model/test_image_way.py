"""Only what a receiver lacks is sent, and only where a partial load is known to fail cleanly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.layers_to_send import Transport, choose_way, missing_bytes, shared_layers
from sparkconsole.model.transfer.ends import CopySite


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


GRAPH = CopySite(driver="overlay2", version="28.2.2", python=True)
CONTAINERD = CopySite(driver="overlayfs", containerd_store=True, version="29.2.1", python=True)


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ((CopySite(driver="btrfs"), GRAPH), "the sender's image store is btrfs"),
        ((GRAPH, replace(GRAPH, driver="")), "the receiver's image store is not known"),
        ((GRAPH, replace(GRAPH, version="19.03.8")), "the receiver's Docker is 19.03.8, older than what was"),
        ((replace(CONTAINERD, python=False), GRAPH), "the sender's machine has no python3"),
    ],
)
def test_what_is_not_known_to_take_a_part_gets_the_whole_image(
    ends: tuple[CopySite, CopySite], why: str
) -> None:
    way = choose_way(OURS, (_image("a"),), *ends)
    assert way.carrier is Transport.WHOLE
    assert way.why.startswith(why)


@pytest.mark.parametrize("sender", [GRAPH, CONTAINERD])
@pytest.mark.parametrize(("receiver", "carrier"), [(GRAPH, Transport.LOAD), (CONTAINERD, Transport.PULL)])
def test_the_receivers_store_decides_what_carries_the_rest(
    sender: CopySite, receiver: CopySite, carrier: Transport
) -> None:
    way = choose_way(OURS, (_image("a", "b"),), sender, receiver)
    assert (way.carrier, way.missing, way.why) == (carrier, 1, "the receiver has 2 of 3 layers")
    assert missing_bytes(way, (0, 30, 0, 20, 10)) == 30


def test_an_engine_whose_version_is_strange_is_not_called_old() -> None:
    assert choose_way(OURS, (), replace(GRAPH, version="dev"), GRAPH).carrier is Transport.LOAD


def test_a_receiver_with_nothing_of_it_gets_everything() -> None:
    way = choose_way(OURS, (), GRAPH, GRAPH)
    assert (way.missing, way.why) == (3, "the receiver has none of 3 layers")
