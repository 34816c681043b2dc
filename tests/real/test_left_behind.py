"""Killed consoles, full disks and a second operator, on real nodes: what is told is what stands there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.scene import Person
from tests.real.conftest import NAMES, Operator
from tests.testbed.testbed import Testbed, until

IMAGE = "sleeper:1"
# What runs `sh` and `sleep`, from the node's own root.
PACK = """
programs="/usr/bin/sh /usr/bin/dash /usr/bin/sleep"
for f in $programs $(ldd /usr/bin/sleep /usr/bin/dash | grep -o '/[^ ]*' | grep -v :); do
  realpath "$f"; echo "$(realpath "$(dirname "$f")")/$(basename "$f")"
done | sort -u | cut -c2- >/run/packed; for d in bin lib lib64; do [ ! -L /$d ] || echo $d; done >>/run/packed
tar -C / -cf - -T /run/packed | docker import - """
LAUNCH = ("launch", "--backend", "none", "--no-gpus", "--tag", IMAGE)


@pytest.fixture(scope="module")
def small(bed: Testbed, operator: Operator) -> Iterator[str]:
    """A small image, the same on both nodes."""
    bed.exec(1, "sh", "-c", PACK + IMAGE)
    packed = bed.exec(1, "sh", "-c", f"docker save {IMAGE} | base64")
    bed.exec(2, "sh", "-c", "base64 -d | docker load", stdin=packed.encode())
    yield IMAGE
    operator.run("--yes", "stop")
    for index in (1, 2):
        bed.exec(index, "docker", "rmi", "-f", IMAGE, "built:1", check=False)


@pytest.fixture(scope="module")
def operator(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return introduced(bed, tmp_path_factory.mktemp("people") / "anna")


def introduced(bed: Testbed, home: Path) -> Operator:
    """Somebody with a home of their own who knows the nodes and trusts their keys."""
    person = Person(bed, home)
    person.temporary.mkdir(parents=True)
    for index, name in enumerate(NAMES, 1):
        assert person.run("node", "add", name, bed.places.address(index), "--user", "spark").returncode == 0
    assert person.run("--yes", "node", "trust").returncode == 0
    return person


def marked(bed: Testbed, index: int) -> list[str]:
    return bed.exec(index, "sh", "-c", "ls /tmp | grep sparkconsole-mark- || :").split()


@pytest.fixture(autouse=True)
def _nothing_stays(bed: Testbed, operator: Operator) -> Iterator[None]:
    """One test's failure is not the next one's."""
    yield
    operator.run("--yes", "stop")
    for index in (1, 2):
        bed.exec(index, "sh", "-c", "rm -f /tmp/sparkconsole-mark-*; pkill -x -f 'sleep 321' || :")


def test_a_launch_whose_console_is_killed(bed: Testbed, operator: Operator, small: str) -> None:
    console = operator.start("--yes", *LAUNCH)
    until(lambda: bed.containers(1) or bed.containers(2), "a container of the launch", 60)
    console.send_signal(signal.SIGKILL)
    console.wait()
    [run] = [r for r in operator.runs("launch") if r["state"] == "unknown"]
    assert f"runs attach {run['id']}" in operator.run("status").stdout
    assert f"runs attach {run['id']}" in operator.run("--dry-run", "node", "exec", "--", "true").stdout
    attached = operator.run("runs", "attach", run["id"])
    both = bool(bed.containers(1) and bed.containers(2))
    assert ("all that it was for stands" in attached.stdout) == both, attached.stdout + attached.stderr
    assert both or "half-running" in attached.stdout
    assert attached.returncode == (0 if both else 1)
    assert not marked(bed, 1) + marked(bed, 2)
    assert operator.run("--yes", "stop").returncode == 0
    assert not bed.containers(1) + bed.containers(2)


def test_a_build_whose_console_is_killed(
    bed: Testbed, operator: Operator, small: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {small}\nRUN sleep 20\n")
    words = (
        "image",
        "build",
        "--recipe",
        str(tmp_path),
        "--tag",
        "built:1",
        "--no-cache",
        "--least-free",
        "1",
    )
    bert = introduced(bed, tmp_path / "bert")
    console = operator.start("--yes", *words)
    until(lambda: marked(bed, 1) and bed.processes(1, "^sleep 20"), "the build", 60)
    seen = bert.run("--dry-run", "node", "exec", "--", "true").stdout
    assert "has been running `image build` since" in seen
    console.send_signal(signal.SIGKILL)
    console.wait()
    [run] = [r for r in operator.runs("image build") if r["state"] == "unknown"]
    assert f"take it back: sparkconsole runs stop {run['id']}" in operator.run("status").stdout
    attached = operator.run("runs", "attach", run["id"])
    assert attached.returncode == 0, attached.stdout + attached.stderr
    assert "built:1" in bed.exec(1, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert not marked(bed, 1)


def test_a_full_disk_refuses_what_begins_and_no_stop(bed: Testbed, operator: Operator, small: str) -> None:
    assert operator.run("--yes", *LAUNCH).returncode == 0
    full = "mount -t tmpfs -o size=4k tmpfs /tmp && head -c 9000 /dev/zero >/tmp/fill; df /tmp"
    bed.exec(2, "sh", "-c", full, check=False)
    try:
        stopped = operator.run("--yes", "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert "spark2" in stopped.stderr
        assert "No space left on device; continuing" in stopped.stderr
        assert not bed.containers(1) + bed.containers(2)
        refused = operator.run("--yes", *LAUNCH)
        assert refused.returncode == 4, refused.stderr
        assert "spark2: takes no mark of who is at work there: No space left on device" in refused.stderr
        assert not bed.containers(1) + bed.containers(2)
        assert not marked(bed, 1)
    finally:
        bed.exec(2, "umount", "/tmp")


def test_what_ended_consoles_left_is_swept(bed: Testbed, operator: Operator, small: str) -> None:
    """Layers that a copy needed on its way, and last month's folder of a job, and mark."""
    recipe = f"FROM {small}\nLABEL org.sparkconsole.checkpoint={{}}\n"
    for tag in (small, "never-came:1"):
        bed.exec(2, "docker", "build", "-q", "-", stdin=recipe.format(tag).encode())
    old = "/home/spark/.local/state/sparkconsole/jobs/copy-old-1"
    made = f"mkdir -p {old}; echo 0 >{old}/status; echo 1 {{}} >/tmp/sparkconsole-mark-old-1"
    touched = f"touch -d '-30 days' {old}/status {old} /tmp/sparkconsole-mark-old-1"
    bed.exec(2, "sh", "-c", f"{made}; {touched}", user="spark")
    try:
        done = operator.run("--yes", *LAUNCH)
        assert done.returncode == 0, done.stderr
        swept = "swept one job folder, one old mark and one carrier of layers that ended consoles left"
        assert [line for line in done.stderr.splitlines() if "swept" in line] == [f"· spark2 {swept}"]
        dangling = bed.exec(2, "docker", "images", "-q", "--filter", "dangling=true").split()
        assert len(dangling) == 1, "that of the image that never came"
    finally:
        bed.exec(2, "docker", "image", "prune", "-f")


def test_copies_and_commands_are_marked_on_every_node_they_change(
    bed: Testbed, operator: Operator, small: str
) -> None:
    console = operator.start("--yes", "node", "exec", "--", "sleep", "321")
    until(lambda: bed.processes(1, "sleep 321") and bed.processes(2, "sleep 321"), "the command", 60)
    assert len(marked(bed, 1)) == len(marked(bed, 2)) == 1
    console.send_signal(signal.SIGKILL)
    console.wait()
    [run] = [r for r in operator.runs("node exec") if r["state"] == "unknown"]
    attached = operator.run("runs", "attach", run["id"])
    for index, name in ((1, "spark1"), (2, "spark2")):
        assert (
            f"{name}: still runs: sleep 321 (to end it: sparkconsole node exec --node {name}"
            in attached.stdout
        )
        bed.exec(index, "pkill", "-x", "-f", "sleep 321")
    assert not marked(bed, 1) + marked(bed, 2)
