"""Copies between real engines: only what is missing travels, whatever breaks is told, and nothing stays."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from sparkconsole.remote.image_program.loading import LABEL
from tests.real.conftest import Operator, assert_nothing_left, damage
from tests.real.package_index import made
from tests.testbed.testbed import Testbed, until

BASE, TAG, MIB = "layers-base:1", "layers-test:1", 1 << 20
PROGRAM = r"compile\(i\.read\(n\),'image'|programs send copy"
"""What either end of a copy looks like among processes."""


@pytest.fixture(scope="module")
def base(bed: Testbed) -> Iterator[str]:
    """The same base on both nodes, with a python3 in it, as the vLLM image has."""
    bed.exec(1, "docker", "import", "-", BASE, stdin=made("make-base.sh", "base.tar").read_bytes())
    saved = "docker save -o /tmp/base.tar " + BASE
    bed.exec(1, "sh", "-c", saved)
    bed.exec(2, "docker", "load", stdin=_file(bed, 1, "/tmp/base.tar"))
    bed.exec(1, "rm", "/tmp/base.tar")
    yield BASE
    for index in (1, 2):
        bed.exec(index, "docker", "rmi", "-f", BASE, TAG, check=False)


@pytest.fixture
def rebuilt(bed: Testbed, base: str) -> int:
    """A new image on node 1: the base and a layer of random bytes; how many."""
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    return add_layer(bed, base, 24)


def _file(bed: Testbed, index: int, path: str) -> bytes:
    return subprocess.run(
        ("cat", f"/proc/{bed.pid(index)}/root{path}"), capture_output=True, timeout=60, check=True
    ).stdout


def add_layer(bed: Testbed, base: str, mebibytes: int, first: str = "") -> int:
    names = "ln -s /new /link; mkdir -p '/a b/ü'; echo x >'/a b/ü/y'"
    make = f"{first}head -c {mebibytes * MIB} /dev/urandom >/new; {names}"
    bed.exec(1, "docker", "run", "--network", "none", "--name", "layering", base, "sh", "-c", make)
    bed.exec(1, "docker", "commit", "-c", "ENV LAYERS=yes", "layering", TAG)
    bed.exec(1, "docker", "rm", "-f", "layering")
    return mebibytes * MIB


def damage_layer(bed: Testbed) -> None:
    """The new layer on node 1 is not what its digest says any more."""
    top = bed.exec(1, "docker", "image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", TAG).strip()
    damage(bed, 1, f"{top}/new")


def copied(operator: Operator, *words: str) -> dict[str, Any]:
    done = operator.run("--yes", "--json", "image", "copy", TAG, *(words or ("--to", "spark2")), timeout=300)
    assert done.stdout.strip(), done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "exit": done.returncode}


def _layers(bed: Testbed, index: int) -> str:
    return bed.exec(index, "docker", "image", "inspect", "--format", "{{json .RootFS.Layers}} {{.Id}}", TAG)


def host(answer: dict[str, Any]) -> dict[str, Any]:
    found = answer.get("hosts") or answer.get("data", {}).get("hosts")
    assert found, answer
    first: dict[str, Any] = found[0]
    return first


def clean(bed: Testbed) -> None:
    """Nothing of a copy is left on either side: process, port, file, container, name, half image."""
    left = rf"docker (save|load|run)|{PROGRAM}"
    for index in (1, 2):
        until(lambda i=index: bed.processes(i, left) == [], "no end of the copy runs", 60)  # type: ignore[misc]
    assert_nothing_left(bed)
    for index in (1, 2):
        listed = bed.exec(index, "docker", "images", "--format", "{{.Repository}}")
        assert "127.0.0.1" not in listed
        assert bed.exec(index, "docker", "images", "-q", "--filter", f"label={LABEL}") == ""


def on_its_way(bed: Testbed) -> int:
    """Bytes of the copy under way, as its receiver's part counts them."""
    told = bed.exec(1, "sh", "-c", "tail -qn 1 /home/spark/.local/state/sparkconsole/jobs/*/log", check=False)
    found = re.search(r'"sent": (\d+)', told)
    return int(found[1]) if found else 0


def wire(bed: Testbed) -> int:
    """Bytes that the sender's fabric ports have sent."""
    lines = bed.read(1, "/proc/net/dev").splitlines()[2:]
    return sum(int(line.split()[9]) for line in lines if line.strip().startswith(("enp", "enP2")))


def test_only_the_new_layer_travels(bed: Testbed, operator: Operator, rebuilt: int) -> None:
    plan = operator.run("--dry-run", "image", "copy", TAG, "--to", "spark2")
    assert "1 of 2 layers" in plan.stdout + plan.stderr
    answer = copied(operator)
    assert answer["exit"] == 0, answer
    one = host(answer)
    assert one["state"] == "copied"
    assert one["detail"] == ""
    assert rebuilt <= one["bytes"] <= rebuilt * 1.02
    assert _layers(bed, 1) == _layers(bed, 2)
    again = copied(operator)
    assert (host(again)["state"], host(again)["bytes"]) == ("already there", 0)
    clean(bed)


def test_an_image_without_python_goes_whole_and_that_is_told(
    bed: Testbed, operator: Operator, base: str
) -> None:
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    size = add_layer(bed, base, 24, first="rm -f /usr/bin/python3*; ")
    answer = copied(operator)
    assert answer["exit"] == 0, answer
    assert host(answer)["detail"].startswith("sent by docker save: the layers cannot be read: ")
    assert "python3" in host(answer)["detail"]
    assert host(answer)["bytes"] > 2 * size
    assert _layers(bed, 1) == _layers(bed, 2)
    clean(bed)


def test_a_damaged_layer_is_never_called_present(bed: Testbed, operator: Operator, rebuilt: int) -> None:
    damage_layer(bed)
    answer = copied(operator)
    assert answer["exit"] == 1, answer
    assert host(answer)["state"] == "failed"
    assert TAG not in bed.exec(2, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
    clean(bed)


def test_a_cut_link_fails_clearly_and_the_next_copy_succeeds(
    bed: Testbed, operator: Operator, base: str, rebuilt: int
) -> None:
    del rebuilt
    bed.rate(2, 40)
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2")
    until(lambda: on_its_way(bed) > MIB, "bytes arrive", 60)
    bed.cut(2, "fab", "fab2")
    try:
        assert copying.wait(120) == 1
    finally:
        bed.heal(2, "fab", "fab2")
        bed.rate(2, None)
    assert TAG not in bed.exec(2, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert copied(operator)["exit"] == 0
    clean(bed)


@pytest.fixture
def slow(bed: Testbed) -> Iterator[None]:
    """24 MiB take ten seconds, so that something can happen meanwhile; whatever did is undone."""
    bed.rate(2, 20)
    yield
    bed.boot(2)
    bed.rate(2, None)


def _begun(bed: Testbed, operator: Operator) -> subprocess.Popen[bytes]:
    """A copy whose bytes are on their way."""
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2")
    until(lambda: on_its_way(bed) > MIB, "bytes arrive", 60)
    return copying


def _why(operator: Operator) -> str:
    """What the newest copy's run says went wrong."""
    run = operator.runs("image copy")[0]
    shown = operator.ask("runs", "show", run["id"])
    assert shown["state"] in ("failed", "unknown"), shown  # unknown where its node could not be asked
    return json.dumps(shown, ensure_ascii=False)


def absent(bed: Testbed) -> None:
    """No name means anything of it at the receiver."""
    assert TAG not in bed.exec(2, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")


def test_a_receiver_that_loses_power_is_told_and_the_next_copy_succeeds(
    bed: Testbed, operator: Operator, rebuilt: int, slow: None
) -> None:
    del rebuilt, slow
    copying = _begun(bed, operator)
    bed.kill(2)
    assert copying.wait(120) in (1, 3)
    assert "spark2" in _why(operator)
    bed.boot(2)
    bed.rate(2, None)
    absent(bed)
    assert copied(operator)["exit"] == 0
    clean(bed)


def test_a_console_killed_while_copying(bed: Testbed, operator: Operator, rebuilt: int, slow: None) -> None:
    del rebuilt, slow
    copying = _begun(bed, operator)
    copying.kill()
    copying.wait(30)
    run = operator.runs("image copy")[0]
    assert run["state"] == "unknown", "a console that is gone is not a run that ended"
    done = operator.run("runs", "attach", run["id"], timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert _layers(bed, 1) == _layers(bed, 2)
    clean(bed)


def test_a_cancelled_copy_leaves_nothing_on_either_side(
    bed: Testbed, operator: Operator, rebuilt: int, slow: None
) -> None:
    del rebuilt, slow
    bed.rate(2, 8)  # it is to last until it is stopped, on a busy machine too
    copying = _begun(bed, operator)
    run = operator.runs("image copy")[0]
    done = operator.run("--yes", "runs", "stop", run["id"], timeout=120)
    assert done.returncode == 0, done.stderr
    assert copying.wait(120) != 0
    assert operator.runs("image copy")[0]["state"] == "cancelled"
    absent(bed)
    clean(bed)


def test_a_tag_that_moves_meanwhile_is_not_called_copied(
    bed: Testbed, operator: Operator, base: str, rebuilt: int, slow: None
) -> None:
    del rebuilt, slow
    copying = _begun(bed, operator)
    bed.exec(1, "docker", "tag", base, TAG)
    assert copying.wait(120) == 1
    assert "has other content than on spark1" in _why(operator)
    clean(bed)


def test_an_image_that_is_removed_meanwhile_is_told(
    bed: Testbed, operator: Operator, rebuilt: int, slow: None
) -> None:
    del rebuilt, slow
    copying = _begun(bed, operator)
    bed.exec(1, "docker", "rmi", "--force", TAG)
    assert copying.wait(120) == 1
    assert "there is no image layers-test:1 to copy" in _why(operator)
    clean(bed)


@pytest.fixture
def tall(bed: Testbed, base: str) -> int:
    """A new image of five layers on node 1, of which node 2 has the base; bytes of one of them."""
    bed.exec(2, "docker", "rmi", "-f", TAG, check=False)
    return tower(bed, base)


def tower(bed: Testbed, base: str, layers: int = 5, mebibytes: int = 20) -> int:
    """So many new layers on top of the base; bytes of one of them."""
    below = base
    for _ in range(layers):
        size, below = add_layer(bed, below, mebibytes), TAG
    return size


def interrupted_and_again(bed: Testbed, operator: Operator, layer: int, layers: int = 5) -> None:
    """Cut at half of the bytes and started again: at most the layer in flight travels twice."""
    before = wire(bed)
    bed.rate(2, 80)
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2")
    until(lambda: on_its_way(bed) > layers * layer // 2, "half of it arrived", 120)
    bed.cut(2, "fab", "fab2")
    assert copying.wait(120) == 1
    absent(bed)
    bed.heal(2, "fab", "fab2")
    bed.rate(2, None)
    answer = copied(operator)
    assert answer["exit"] == 0, answer
    assert host(answer)["bytes"] <= 3.02 * layer, "two of five were there"
    assert wire(bed) - before <= 1.02 * (layers + 1) * layer
    clean(bed)


def test_an_interrupted_copy_goes_on_from_the_layers_that_arrived(
    bed: Testbed, operator: Operator, tall: int
) -> None:
    interrupted_and_again(bed, operator, tall)
    assert _layers(bed, 1) == _layers(bed, 2)


def test_a_receiver_that_shows_another_key_than_it_told_is_not_sent_anything(
    bed: Testbed, operator: Operator, rebuilt: int
) -> None:
    del rebuilt
    key, other = "/etc/ssh/ssh_host_ed25519_key.pub", "ssh-keygen -qt ed25519 -N '' -f /tmp/k"
    bed.exec(2, "sh", "-c", f"cp {key} {key}.kept; {other}; cp /tmp/k.pub {key}")
    try:
        answer = copied(operator)
    finally:
        bed.exec(2, "sh", "-c", f"mv {key}.kept {key}; rm /tmp/k /tmp/k.pub")
    assert answer["exit"] == 1, answer
    assert "Host key verification failed" in host(answer)["detail"]
    assert "another machine answers at" in host(answer)["detail"]
    absent(bed)
    clean(bed)


def _named(bed: Testbed, index: int) -> str:
    return bed.exec(index, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")


def test_a_receiver_that_dies_or_is_slow_holds_up_no_other(
    bed: Testbed, operator: Operator, rebuilt: int, third: int
) -> None:
    del rebuilt
    before = {index: len(bed.logins(index)) for index in (1, 2)}
    bed.rate(third, 20)
    copying = operator.start("--yes", "image", "copy", TAG, "--to", "spark2,spark3")
    until(lambda: TAG in _named(bed, 2), "the fast one has it", 60)
    assert TAG not in _named(bed, third), "while the slow one still waits for it"
    bed.kill(third)
    assert copying.wait(120) in (1, 3)
    ours = {i: [at for _, at in bed.logins(i)[b:] if at == "10.77.0.254"] for i, b in before.items()}
    assert [len(logins) for logins in ours.values()] == [1, 1], "one login a node"
    assert "spark3" in _why(operator)
    assert _layers(bed, 1) == _layers(bed, 2)
    bed.boot(third)
    bed.rate(third, None)
    clean(bed)


def test_dated_names_travel_with_the_image(bed: Testbed, operator: Operator, rebuilt: int) -> None:
    del rebuilt
    dated = f"{TAG}-20261128-1200"
    bed.exec(1, "docker", "tag", TAG, dated)
    try:
        assert copied(operator)["exit"] == 0
        assert dated.partition(":")[2] in bed.exec(2, "docker", "images", "--format", "{{.Tag}}")
    finally:
        for index in (1, 2):
            bed.exec(index, "docker", "rmi", dated, check=False)
    clean(bed)


def test_two_copies_at_once_to_one_node_both_end_well(bed: Testbed, operator: Operator, rebuilt: int) -> None:
    del rebuilt
    bed.rate(2, 100)
    both = [operator.start("--yes", "image", "copy", TAG, "--to", "spark2") for _ in range(2)]
    try:
        assert [one.wait(180) for one in both] == [0, 0]
    finally:
        bed.rate(2, None)
    assert _layers(bed, 1) == _layers(bed, 2)
    clean(bed)


def _archive(tag: str, architecture: str) -> bytes:
    """An image of one empty layer, as `docker load` takes it."""
    layer = b"\0" * 10240
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    return packed(files)


def packed(files: dict[str, bytes]) -> bytes:
    """A tar of these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return archive.getvalue()


def test_an_image_of_another_architecture_is_refused(bed: Testbed, operator: Operator, base: str) -> None:
    del base
    bed.exec(1, "docker", "load", stdin=_archive("other-arch:1", "arm64"))
    done = operator.run("--yes", "image", "copy", "other-arch:1", "--to", "spark2")
    bed.exec(1, "docker", "rmi", "other-arch:1")
    assert done.returncode == 4, done.stderr
    assert "the image is for linux/arm64" in done.stderr
    assert "other-arch" not in bed.exec(2, "docker", "images")
    clean(bed)


def test_a_receiver_without_room_is_refused_or_told(bed: Testbed, operator: Operator, rebuilt: int) -> None:
    done = operator.run("--dry-run", "image", "copy", TAG, "--to", "spark2")
    assert done.returncode == 0
    bed.exec(2, "mount", "-t", "tmpfs", "-o", f"size={rebuilt // 2}", "full", "/var/lib/docker/tmp")
    try:
        answer = copied(operator)
    finally:
        bed.exec(2, "umount", "/var/lib/docker/tmp")
    assert answer["exit"] == 1, answer
    assert "no space left" in host(answer)["detail"]
    absent(bed)
    assert copied(operator)["exit"] == 0
    clean(bed)
