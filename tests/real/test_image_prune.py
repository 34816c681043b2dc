"""Old builds go from real engines of both stores, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.conftest import Operator
from tests.real.test_image_transfer import packed
from tests.testbed.testbed import Testbed

NAME, DAYS = "prune-test", (1, 2, 3, 4, 5)


@pytest.fixture(params=["graph drivers", "containerd's store"], scope="module")
def store(request: pytest.FixtureRequest, bed: Testbed) -> Iterator[str]:
    """Node 2 keeps its images in that store; node 1 has graph drivers."""
    if request.param != "graph drivers":
        bed.use_engine(2, "forky", containerd=True)
    yield request.param
    if request.param != "graph drivers":
        bed.use_engine(2)


@pytest.fixture
def builds(bed: Testbed, store: str) -> Iterator[None]:
    """Five dated builds of one image on both nodes; its name means the fourth, a container uses the first."""
    del store
    for index in (1, 2):
        for day in DAYS:
            layer = packed({"day": bytes([day]) * 1000, "bin/true": b"#!"})
            bed.exec(index, "docker", "import", "-c", "CMD true", "-", _dated(day), stdin=layer)
        bed.exec(index, "docker", "tag", _dated(4), NAME)
    bed.exec(2, "docker", "create", "--name", "uses-it", _dated(1))
    yield
    bed.exec(2, "docker", "rm", "-f", "uses-it", check=False)
    for index in (1, 2):
        for name in _names(bed, index):
            bed.exec(index, "docker", "rmi", name, check=False)


def _dated(day: int) -> str:
    return f"{NAME}:2026110{day}-0900"


def _names(bed: Testbed, index: int) -> set[str]:
    told = bed.exec(index, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}", NAME)
    return set(told.split())


def test_the_newest_the_meant_and_the_used_stay(bed: Testbed, operator: Operator, builds: None) -> None:
    del builds
    plan = operator.run("--dry-run", "image", "prune", NAME, "--keep", "1", "--cache-until", "none")
    assert _dated(2) in plan.stdout + plan.stderr
    assert len(_names(bed, 1)) == len(DAYS) + 1
    words = ("image", "prune", NAME, "--keep", "1", "--cache-until", "none")
    assert operator.run("--yes", *words).returncode == 4, "the word is missing"
    done = operator.run("--yes=prune", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = {_dated(day) for day in (1, 4, 5)} | {f"{NAME}:latest"}
    assert (_names(bed, 1), _names(bed, 2)) == (wanted, wanted), "used on one node, kept on both"
    again = operator.run("--yes=prune", *words)
    assert again.returncode == 0
    assert "nothing of" in again.stdout


def test_what_lost_its_name_goes_when_it_is_asked_for(bed: Testbed, operator: Operator, builds: None) -> None:
    del builds
    for index in (1, 2):
        bed.exec(index, "docker", "tag", _dated(5), "prune-moved:1")
        bed.exec(index, "docker", "tag", _dated(4), "prune-moved:1")
        bed.exec(index, "docker", "tag", _dated(4), _dated(3))
    before = [_nameless(bed, index) for index in (1, 2)]
    assert all(before)
    done = operator.run("--yes=prune", "image", "prune", NAME, "--keep", "9", "--dangling")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [_nameless(bed, index) for index in (1, 2)] == ["", ""]
    for index in (1, 2):
        bed.exec(index, "docker", "rmi", "prune-moved:1")


def _nameless(bed: Testbed, index: int) -> str:
    return bed.exec(index, "docker", "images", "-q", "--filter", "dangling=true")
