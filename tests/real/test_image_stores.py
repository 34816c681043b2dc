"""Copies between an engine with graph drivers and a newer one that keeps images as containerd does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.conftest import Operator, assert_nothing_left
from tests.real.test_image_transfer import TAG, add_layer, base, copied, host
from tests.testbed.testbed import Testbed

__all__ = ["base"]


@pytest.fixture(scope="module", autouse=True)
def mixed(bed: Testbed, base: str) -> Iterator[None]:
    """Node 2 keeps its images in containerd's store, and has none yet."""
    bed.keep_images_as_containerd(2)
    yield
    bed.keep_images_as_containerd(2, yes=False)


def layers(bed: Testbed, index: int) -> str:
    """What an image is made of: its name is another in each store."""
    return bed.exec(index, "docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", TAG)


def test_into_containerds_store_and_back(bed: Testbed, operator: Operator, base: str) -> None:
    add_layer(bed, base, 24)
    plan = operator.run("--dry-run", "image", "copy", TAG, "--to", "spark2")
    assert "the receiver's image store is overlayfs" in plan.stdout + plan.stderr
    answer = copied(operator)
    assert (answer["exit"], host(answer)["state"]) == (0, "copied"), answer
    assert layers(bed, 1) == layers(bed, 2)
    again = copied(operator)
    assert (host(again)["state"], host(again)["bytes"]) == ("already there", 0)
    bed.exec(1, "docker", "rmi", "-f", TAG)
    answer = copied(operator, "--from", "spark2", "--to", "spark1")
    assert (answer["exit"], host(answer)["state"]) == (0, "copied"), answer
    assert layers(bed, 1) == layers(bed, 2)
    assert "spark1" not in str(operator.ask("doctor", "image", "--tag", TAG)["findings"][0]["sentence"])
    assert_nothing_left(bed)
