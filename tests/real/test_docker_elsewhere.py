"""A node whose user has another engine than the usual one: every part of ours means that engine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.real.conftest import Operator, assert_nothing_left
from tests.real.test_image_transfer import TAG, add_layer, base, copied, host
from tests.testbed.testbed import Testbed, until

__all__ = ["base"]

SOCKET = "/run/elsewhere/docker.sock"
ENGINE = f"""
mkdir -p /run/elsewhere /var/lib/docker/elsewhere; chmod 755 /run/elsewhere
ip link add elsewhere0 type bridge && ip addr add 172.31.255.1/30 dev elsewhere0
exec dockerd -H unix://{SOCKET} -G docker \\
  --data-root /var/lib/docker/elsewhere --exec-root /run/elsewhere/exec --pidfile /run/elsewhere/pid \\
  --bridge elsewhere0 --iptables=false \\
  --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$TB_CGROUP_PARENT"
"""
EXPORT = f"export DOCKER_HOST=unix://{SOCKET}"
CONTEXT = f"docker context create elsewhere --docker host=unix://{SOCKET} && docker context use elsewhere"
HOME = "/home/spark"
FORGET = f"rm -rf {HOME}/.docker {HOME}/.bashrc"


def elsewhere(bed: Testbed, *words: str, check: bool = True) -> str:
    return bed.exec(2, "docker", "-H", f"unix://{SOCKET}", *words, check=check)


@pytest.fixture(scope="module", autouse=True)
def engine(bed: Testbed, operator: Operator, base: str) -> Iterator[None]:
    """A second engine on node 2, empty, beside the usual one.

    It has a bridge of its own: an engine without any takes docker0 away from the usual one.
    """
    pid = bed.pid(2)
    enter = ("nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "sh", "-c", ENGINE)
    started = subprocess.Popen(
        enter, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: "Server Version" in elsewhere(bed, "info", check=False), "the second engine answers", 60)
    yield
    bed.exec(2, "sh", "-c", "kill $(cat /run/elsewhere/pid)", check=False)
    started.wait(60)
    bed.exec(2, "ip", "link", "delete", "elsewhere0")
    bed.exec(2, "rm", "-rf", "/var/lib/docker/elsewhere", "/run/elsewhere")
    bed.exec(2, "docker", "run", "--rm", base, "true")
    assert_nothing_left(bed)


@pytest.fixture(params=[f"echo '{EXPORT}' >>{HOME}/.bashrc", CONTEXT], ids=["DOCKER_HOST", "context"])
def told(request: pytest.FixtureRequest, bed: Testbed) -> Iterator[None]:
    """The user of node 2 is told of that engine in one of the ways that Docker has."""
    bed.exec(2, "env", f"HOME={HOME}", "sh", "-c", request.param, user="spark")
    yield
    bed.exec(2, "sh", "-c", FORGET)


def test_a_copy_arrives_where_the_users_engine_is(
    bed: Testbed, operator: Operator, base: str, told: None
) -> None:
    elsewhere(bed, "rmi", "-f", TAG, base, check=False)
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    add_layer(bed, base, 4)
    answer = copied(operator)
    assert (answer["exit"], host(answer)["state"]) == (0, "copied"), answer
    there = elsewhere(bed, "image", "inspect", "--format", "{{.Id}}", TAG)
    assert there == bed.exec(1, "docker", "image", "inspect", "--format", "{{.Id}}", TAG)
    assert bed.exec(2, "docker", "images", "-q", TAG) == "", "the usual engine was left alone"

    listed = operator.ask("image", "list", TAG)
    assert "spark2" in str(listed["images"]), listed
    again = copied(operator)
    assert host(again)["state"] == "already there"


def test_an_engine_that_is_not_there_is_named(bed: Testbed, operator: Operator) -> None:
    """Not the usual engine's answer, and no silence: where it was looked for, and what to do."""
    bed.exec(2, "sh", "-c", f"echo 'export DOCKER_HOST=unix:///run/nowhere.sock' >>{HOME}/.bashrc")
    try:
        done = operator.run("--nodes", "spark2", "image", "list")
        assert "/run/nowhere.sock" in done.stdout + done.stderr, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        copy = operator.run("--yes", "image", "copy", TAG, "--to", "spark2")
        assert copy.returncode != 0
        assert "/run/nowhere.sock" in copy.stdout + copy.stderr, copy.stdout + copy.stderr
    finally:
        bed.exec(2, "sh", "-c", FORGET)
