"""What a person is told before a copy begins, from what was found at each receiver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.errors import Refused
from sparkconsole.fleet.image.copy_plan import copy_plan, fallback_notes
from sparkconsole.fleet.image.copy_survey import ImageTask
from sparkconsole.model.cluster import Node
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.layers_to_send import ImageWay, Transport
from sparkconsole.model.transfer.ends import Receiver
from sparkconsole.remote.image.layers import Layers
from sparkconsole.remote.image.transfer import FULL_STREAM

GB = 1000**3
IMAGE = ImageIdentity("lab/vllm:1", "sha256:a", "linux/arm64", ("sha256:1", "sha256:2"), "c", 20 * GB)
LAYERS = Layers(IMAGE, ImageWay(1, 2, "it has the rest", Transport.LOAD), 2 * GB, "/var/lib/docker")


def delivery(**more: object) -> ImageTask:
    found = ImageTask(
        Node(name="spark2", address="10.0.0.2"),
        Receiver("spark2", "10.0.0.2"),
        bytes_total=2 * GB,
        transfer=LAYERS,
    )
    return replace(found, **more)  # type: ignore[arg-type]


def test_a_receiver_with_room_for_the_layers_only_is_named_before_the_copy() -> None:
    (note,) = copy_plan((delivery(free_bytes=10 * GB),), IMAGE, "spark1").notes[1:]
    assert note == (
        "spark2 has no room for the whole image (10.0 GB of 40.0 GB), should its layers alone not be taken"
    )


@pytest.mark.parametrize(
    "found",
    [
        delivery(free_bytes=40 * GB),
        delivery(free_bytes=None),
        delivery(free_bytes=10 * GB, same=True),
        delivery(free_bytes=10 * GB, problem=Refused("no room", node="spark2")),
        delivery(free_bytes=10 * GB, transfer=FULL_STREAM),
    ],
    ids=["room for all", "it cannot say", "it has it", "it gets nothing", "whole anyway: refused elsewhere"],
)
def test_nobody_is_warned_of_what_cannot_happen(found: ImageTask) -> None:
    assert fallback_notes((found,), IMAGE) == ()
