"""Copies between an old engine with graph drivers and newer ones, which keep images either way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.real.conftest import Operator
from tests.real.test_image_transfer import (
    MIB,
    TAG,
    absent,
    add_layer,
    base,
    clean,
    copied,
    damage_layer,
    host,
    interrupted_and_again,
    on_its_way,
    packed,
    tower,
)
from tests.testbed.testbed import Testbed, until

__all__ = ["base"]


CONTAINERD = [
    pytest.param(("forky", True), id="Docker 28, containerd's store"),
    pytest.param(("trixie", True), id="Docker 26, containerd's store"),
]
ENGINES = [*CONTAINERD, pytest.param(("forky", False), id="Docker 28, graph drivers")]


@pytest.fixture(scope="module", autouse=True, params=ENGINES)
def store(request: pytest.FixtureRequest, bed: Testbed, operator: Operator, base: str) -> Iterator[bool]:
    """Node 2 has another engine, and the base from node 1; whether it keeps images as containerd does."""
    suite, containerd = request.param
    bed.use_engine(2, suite, containerd=containerd)
    done = operator.run("--yes", "image", "copy", base, "--to", "spark2")
    assert done.returncode == 0, done.stderr
    yield containerd
    bed.use_engine(2)


def layers(bed: Testbed, index: int) -> str:
    """What an image is made of: its name is another in each store."""
    return bed.exec(index, "docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", TAG)


def new_image(bed: Testbed, base: str, mebibytes: int = 24) -> int:
    """On node 1, with a last layer that no engine has; its bytes."""
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    return add_layer(bed, base, mebibytes)


def test_there_and_back(bed: Testbed, operator: Operator, base: str, store: bool) -> None:
    size = new_image(bed, base)
    plan = operator.run("--dry-run", "image", "copy", TAG, "--to", "spark2")
    way = "docker pull from the sender" if store else "docker load"
    assert f"1 of 2 layers by {way}" in plan.stdout + plan.stderr
    answer = copied(operator)
    assert (answer["exit"], host(answer)["state"], host(answer)["detail"]) == (0, "copied", ""), answer
    assert size <= host(answer)["bytes"] <= 1.02 * size
    assert layers(bed, 1) == layers(bed, 2)
    again = copied(operator)
    assert (host(again)["state"], host(again)["bytes"]) == ("already there", 0)
    clean(bed)

    bed.exec(1, "docker", "rmi", "-f", TAG)
    answer = copied(operator, "--from", "spark2", "--to", "spark1")
    assert (answer["exit"], host(answer)["state"], host(answer)["detail"]) == (0, "copied", ""), answer
    assert host(answer)["bytes"] <= 1.02 * size
    assert layers(bed, 1) == layers(bed, 2)
    assert "spark1" not in str(operator.ask("doctor", "image", "--tag", TAG)["findings"][0]["sentence"])
    clean(bed)


def test_an_interrupted_copy_goes_on_from_the_layers_that_arrived(
    bed: Testbed, operator: Operator, base: str
) -> None:
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    interrupted_and_again(bed, operator, tower(bed, base))
    assert layers(bed, 1) == layers(bed, 2)


def test_a_wrong_byte_is_found_and_nothing_has_its_name(bed: Testbed, operator: Operator, base: str) -> None:
    new_image(bed, base)
    damage_layer(bed)
    answer = copied(operator)
    assert (answer["exit"], host(answer)["state"]) == (1, "failed"), answer
    absent(bed)
    clean(bed)


def test_a_stopped_copy_leaves_nothing(bed: Testbed, operator: Operator, base: str) -> None:
    new_image(bed, base)
    bed.rate(2, 8)  # it is to last until it is stopped, on a busy machine too
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2")
    until(lambda: on_its_way(bed) > MIB, "bytes arrive", 60)
    run = operator.runs("image copy")[0]
    done = operator.run("--yes", "runs", "stop", run["id"], timeout=120)
    bed.rate(2, None)
    assert done.returncode == 0, done.stderr
    assert copying.wait(120) != 0
    absent(bed)
    clean(bed)


def test_a_receiver_that_loses_power_meanwhile(bed: Testbed, operator: Operator, base: str) -> None:
    new_image(bed, base)
    bed.rate(2, 20)
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2")
    until(lambda: on_its_way(bed) > MIB, "bytes arrive", 60)
    bed.kill(2)
    assert copying.wait(120) in (1, 3)
    bed.boot(2)
    bed.rate(2, None)
    absent(bed)
    assert copied(operator)["exit"] == 0
    assert layers(bed, 1) == layers(bed, 2)
    clean(bed)


def _of_two_platforms(tag: str, layer: bytes) -> bytes:
    """An image's archive as engines with containerd's store keep what they pulled: an index of two platforms,
    with the parts of this machine's only."""
    oci, diffs = "application/vnd.oci.image", [_digest(layer)]
    rootfs = {"type": "layers", "diff_ids": diffs}
    config = _text({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    parts = {
        "config": _named(f"{oci}.config.v1+json", config),
        "layers": [_named(f"{oci}.layer.v1.tar", layer)],
    }
    kind = f"{oci}.manifest.v1+json"
    manifest = _text({"schemaVersion": 2, "mediaType": kind, **parts})
    ours = {**_named(kind, manifest), "platform": {"os": "linux", "architecture": "amd64"}}
    theirs = {**ours, "digest": f"sha256:{'1' * 64}", "platform": {"os": "linux", "architecture": "arm64"}}
    index = _text({"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": [theirs, ours]})
    name = {"io.containerd.image.name": f"docker.io/library/{tag}"}
    top = {**_named(f"{oci}.index.v1+json", index), "annotations": name}
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, config, manifest, index)}
    about = {
        "index.json": _text({"schemaVersion": 2, "manifests": [top]}),
        "oci-layout": _text({"imageLayoutVersion": "1.0.0"}),
    }
    return packed({**blobs, **about})


def _text(words: object) -> bytes:
    return json.dumps(words).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _named(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


@pytest.mark.parametrize("store", CONTAINERD, indirect=True)
def test_of_an_image_of_several_platforms_the_nodes_own_travels(bed: Testbed, operator: Operator) -> None:
    """An engine with graph drivers refuses what `docker save` makes of it: blobs are missing in it."""
    tag = "many:1"
    bed.exec(2, "docker", "load", stdin=_of_two_platforms(tag, packed({"true": b"#!"})))
    done = operator.run("--yes", "--json", "image", "copy", tag, "--from", "spark2", "--to", "spark1")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = bed.exec(1, "docker", "image", "inspect", "--format", "{{.Architecture}}", tag)
    assert shown.strip() == "amd64"
    for index in (1, 2):
        bed.exec(index, "docker", "rmi", "-f", tag)
    clean(bed)
