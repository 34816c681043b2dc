"""What the doctor says of real nodes: nothing of healthy ones; of each trouble, provoked for real, its name.

The clock cannot be turned in a namespace (a machine has one wall clock), so the node's `date` is another
program for that test. A disk cannot be filled without filling the machine's: a small file system stands in
for the models' one.
"""

from __future__ import annotations

import contextlib
import json
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.conftest import Operator, assert_nothing_left
from tests.testbed.testbed import Testbed, until

pytestmark = pytest.mark.usefixtures("image")
CACHE = "/home/spark/.cache/huggingface"
MODEL = "o/m"
SNAPSHOT = f"{CACHE}/hub/models--o--m/snapshots/abc"
FABRIC = "enp1s0f1np1"
Told = list[tuple[str, str, str]]


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed) -> Iterator[None]:
    """Both nodes whole, empty and without models before and after."""
    yield
    for index in (1, 2):
        bed.heal(index)
        bed.exec(index, "sh", "-c", "docker ps -aq | xargs -r docker rm -f", check=False)
        bed.exec(index, "umount", CACHE, check=False)
        bed.exec(index, "rm", "-rf", CACHE, "/usr/local/bin/date")


def asked(operator: Operator, *words: str) -> dict[str, Any]:
    return operator.ask("doctor", *words)


def wrong(answer: dict[str, Any]) -> Told:
    """What is said to be wrong, but for memory: others work on this machine too."""
    said = (f for f in answer["findings"] if f["severity"] != "ok" and f["check"] != "memory")
    return [(f["check"], f["severity"], f["node"]) for f in said]


def found(operator: Operator, *words: str) -> Told:
    return wrong(asked(operator, *words))


def blamed(told: Told) -> set[str]:
    return {node for _, _, node in told}


def test_healthy_nodes_have_nothing_red_and_nothing_yellow(bed: Testbed, operator: Operator) -> None:
    before = [len(bed.logins(index)) for index in (1, 2)]
    answer = asked(operator)
    assert [len(bed.logins(i)) - b for i, b in zip((1, 2), before, strict=True)] == [1, 1], "one login a node"
    assert wrong(answer) == []
    told = {f["check"]: f["sentence"] for f in answer["findings"]}
    assert "vllm 0." in told["image fits"]
    assert "ray 2." in told["image fits"]
    assert told["mtu path"].startswith("frames of 9000 bytes arrive whole")
    assert all(not row["differs"] for row in answer["skew"])
    assert_nothing_left(bed)


# --- the fast link


def test_links_that_are_down(bed: Testbed, operator: Operator) -> None:
    bed.cut(2, "fab2")
    told = found(operator, "fabric")
    assert ("fabric", "warn", "spark2") in told, "half the bandwidth"
    bed.cut(2, "fab")
    done = operator.run("--json", "doctor")
    assert done.returncode == 1
    assert ("fabric", "fail", "spark2") in wrong(json.loads(done.stdout))
    refused = operator.run("--yes", "launch")
    assert refused.returncode != 0
    assert "no RDMA port has a link" in refused.stderr


def test_an_mtu_that_differs_is_mended_where_the_login_may(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "ip", "link", "set", "dev", FABRIC, "mtu", "1500")
    told = found(operator)
    assert ("mtu", "warn", "spark2") in told
    assert any(check == "mtu path" for check, _, _ in told)
    try:
        refused = operator.ask("--yes", "doctor", "mtu", "--fix")
        assert [m["result"] for m in refused["mended"]] == ["failed"], "there is no sudo on these nodes"
        mended = operator.ask("--user", "root", "--yes", "doctor", "mtu", "--fix")
        assert [m["result"] for m in mended["mended"]] == ["mended"]
        assert bed.read(2, f"/sys/class/net/{FABRIC}/mtu").strip() == "9000"
    finally:
        bed.exec(2, "ip", "link", "set", "dev", FABRIC, "mtu", "9000")


def test_an_address_that_is_missing(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "ip", "addr", "del", "192.168.177.12/24", "dev", FABRIC)
    try:
        assert ("address", "warn", "spark2") in found(operator)
    finally:
        bed.exec(2, "ip", "addr", "add", "192.168.177.12/24", "dev", FABRIC)


# --- docker, image, containers


@contextlib.contextmanager
def other_image(bed: Testbed, index: int) -> Iterator[None]:
    """The tag names another image there meanwhile; the real one stays under another name."""
    bed.exec(index, "docker", "tag", "vllm-node:latest", "kept:1")
    bed.exec(index, "docker", "rmi", "vllm-node:latest")
    try:
        yield
    finally:
        bed.exec(index, "docker", "tag", "kept:1", "vllm-node:latest")
        bed.exec(index, "docker", "rmi", "kept:1")


def test_an_image_that_is_missing_or_another(bed: Testbed, operator: Operator) -> None:
    with other_image(bed, 2):
        answer = asked(operator, "image")
        assert wrong(answer) == [("image", "warn", "spark2")]
        assert "image copy" in str(answer["findings"])
        made = bed.exec(2, "docker", "create", "kept:1", "true").strip()
        bed.exec(2, "docker", "commit", "-c", "LABEL another=one", made, "vllm-node:latest")
        bed.exec(2, "docker", "rm", made)
        answer = asked(operator, "image")
        assert wrong(answer) == [("image", "warn", "spark2")]
        assert "is another one than on spark1" in str(answer["findings"])
        bed.exec(2, "docker", "rmi", "vllm-node:latest")


def test_docker_that_may_not_be_used(operator: Operator) -> None:
    answer = operator.ask("--user", "guest", "doctor", "docker")
    assert wrong(answer) == [("docker", "fail", "spark1"), ("docker", "fail", "spark2")]
    assert "usermod -aG docker guest" in str(answer["findings"])


def test_an_old_container_is_removed_when_asked(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "sh", "-c", "docker run --name vllm_node vllm-node sh -c 'exit 3'; test $? = 3")
    answer = asked(operator)
    assert wrong(answer) == [("container", "warn", "spark2")]
    assert "exit status 3" in str(answer["findings"])
    assert [m["result"] for m in operator.ask("--yes", "doctor", "--fix")["mended"]] == ["mended"]
    assert bed.containers(2) == []


@contextlib.contextmanager
def listening(bed: Testbed, index: int, *words: str) -> Iterator[None]:
    """Somebody else's server on a node."""
    start = 'python3 -m http.server "$@" >/dev/null 2>&1 & echo $!'
    pid = bed.exec(index, "sh", "-c", start, "server", *words, user="spark").strip()
    until(lambda: words[0] in bed.listening(index), f"port {words[0]}")
    try:
        yield
    finally:
        bed.exec(index, "kill", pid)
        until(lambda: words[0] not in bed.listening(index), f"port {words[0]} is free")


def test_ports_taken_and_dashboards_open(bed: Testbed, operator: Operator) -> None:
    with listening(bed, 1, "6379", "--bind", "127.0.0.1"):
        answer = asked(operator)
        assert wrong(answer) == [("ports", "fail", "spark1")]
        assert "port 6379 is in use by python3" in str(answer["findings"]), "who holds it is said"
        assert operator.run("--yes", "launch").returncode == 4
    with listening(bed, 2, "8265", "--bind", "0.0.0.0"):
        assert found(operator) == [("exposed", "warn", "spark2")]


# --- disk, cache, model, clock


def test_a_disk_without_room_for_models(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "mkdir", "-p", CACHE)
    bed.exec(2, "chown", "-R", "spark:spark", "/home/spark/.cache")
    bed.exec(2, "mount", "-t", "tmpfs", "-o", "size=50m,uid=1000,gid=1000", "small", CACHE)
    answer = asked(operator)
    assert wrong(answer) == [("disk", "fail", "spark2")]
    assert "where models are kept" in str(answer["findings"])


def test_a_cache_of_root_is_given_back_without_a_password(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "mkdir", "-p", f"{CACHE}/hub/models--o--m")
    answer = asked(operator)
    assert wrong(answer) == [("cache", "warn", "spark2")]
    assert "belongs to root" in str(answer["findings"])
    mended = operator.ask("--yes", "doctor", "--fix", timeout=180)
    assert [m["result"] for m in mended["mended"]] == ["mended"], mended["mended"]
    assert bed.exec(2, "find", CACHE, "!", "-user", "spark").strip() == ""
    bed.exec(2, "chown", "root", f"{CACHE}/hub")
    assert "may not write to" in str(asked(operator, "cache")["findings"]), "a folder further in"


def put_model(bed: Testbed, index: int) -> None:
    """A model of one tensor, as Hugging Face's cache keeps it."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [256], "data_offsets": [0, 1024]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(1024)
    script = f"mkdir -p {SNAPSHOT} {CACHE}/hub/models--o--m/refs; cat >{SNAPSHOT}/model.safetensors"
    bed.exec(index, "sh", "-c", script, stdin=weights)
    bed.exec(
        index,
        "sh",
        "-c",
        f"echo abc >{CACHE}/hub/models--o--m/refs/main; echo '{{}}' >{SNAPSHOT}/config.json",
    )
    bed.exec(index, "chown", "-R", "spark:spark", "/home/spark/.cache")


def test_a_model_missing_and_cut_off_on_the_worker(bed: Testbed, operator: Operator) -> None:
    put_model(bed, 1)
    answer = asked(operator, "--model", MODEL)
    assert wrong(answer) == [("model", "fail", "spark2")]
    assert "o/m is not there" in str(answer["findings"])
    put_model(bed, 2)
    assert found(operator, "--model", MODEL) == []
    bed.exec(2, "truncate", "-s", "500", f"{SNAPSHOT}/model.safetensors")
    answer = asked(operator, "--model", MODEL)
    assert wrong(answer) == [("model", "fail", "spark2")]
    assert "model.safetensors (cut off)" in str(answer["findings"])


def test_a_clock_that_is_wrong(bed: Testbed, operator: Operator) -> None:
    wrapper = '#!/bin/sh\n[ "$1" = +%s.%N ] && exec /bin/date -d "90 seconds" "$@"\nexec /bin/date "$@"\n'
    bed.exec(2, "sh", "-c", "cat >/usr/local/bin/date; chmod 755 /usr/local/bin/date", stdin=wrapper.encode())
    told = found(operator)
    assert {check for check, _, _ in told} == {"clock"}
    assert "spark2" in blamed(told)


# --- a running cluster

KEPT_GROUP = (
    "import ray; ray.init(address='auto', log_to_driver=False); "
    "ray.get(ray.util.placement_group([{'CPU': 1}], lifetime='detached', name='kept').ready(), timeout=60)"
)


def test_a_cluster_that_runs_half(bed: Testbed, operator: Operator) -> None:
    assert operator.run("--yes", "launch", timeout=300).returncode == 0
    assert found(operator) == []
    bed.exec(1, "docker", "exec", "vllm_node", "python3", "-c", KEPT_GROUP)
    assert found(operator, "ray") == [("ray", "warn", "spark1")], "GPUs that are kept for nobody"
    bed.cut(2, "fab")
    # Ray gives a silent member up after half a minute; until then it is a living one.
    ray_lost = ("ray", "fail", "spark2")
    until_signalled(lambda: ray_lost in found(operator, "ray"), "Ray without its worker is found", 90)
    put_model(bed, 1)
    refused = operator.run("--yes", "serve", MODEL)
    assert refused.returncode == 4
    assert "Ray has no living member at 192.168.177.12" in refused.stderr
    bed.heal(2)
    bed.exec(2, "docker", "kill", "vllm_node", check=False)
    assert ("container", "fail", "spark2") in found(operator, "container")
    assert operator.run("--yes", "stop", timeout=120).returncode == 0
    assert found(operator) == []


def until_signalled(true: Any, what: str, seconds: float) -> None:
    """Asks the doctor again and again; each time takes seconds by itself."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
