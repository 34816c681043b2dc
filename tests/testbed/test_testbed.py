"""The testbed itself: what other tests rely on when they say that something happened to a real node."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import groups, network
from tests.testbed.fixtures import TINY, import_tiny_image, nodes_for_a_session, session_prefix
from tests.testbed.places import Places
from tests.testbed.testbed import Testbed, until

pytestmark = pytest.mark.real
PORT = "rocep1s0f1"
RUN = ("docker", "run", "-d", "--name", "vllm_node", "--gpus", "all", "--privileged")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Testbed]:
    """Two nodes beside whatever other testbed is up."""
    yield from nodes_for_a_session(Places(f"{session_prefix()}-own"), 2)


@pytest.fixture
def bed(nodes: Testbed) -> Iterator[Testbed]:
    """The nodes, as after `up`, whatever the test before did to them."""
    yield nodes
    nodes.tidy((1, 2))


def test_the_operator_logs_in_and_every_login_is_counted(bed: Testbed) -> None:
    before = [len(bed.logins(index)) for index in (1, 2)]
    for index in (1, 2):
        assert bed.ssh(index, "hostname").stdout.strip() == bed.places.node(index)
        assert bed.ssh(index, "printf", "%s", "a 'b' $c").stdout == "a 'b' $c"
    assert [len(bed.logins(index)) - b for index, b in zip((1, 2), before, strict=True)] == [2, 2]
    assert bed.logins(1)[-1] == ("spark", "10.77.0.254")


def test_the_operator_trusts_nobody_beforehand(bed: Testbed) -> None:
    environment = bed.operator_environment()
    assert {p.name for p in Path(environment["HOME"], ".ssh").iterdir()} == {"id_ed25519", "id_ed25519.pub"}
    known = f"UserKnownHostsFile={environment['HOME']}/known"
    words = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", known, "spark@10.77.0.11", "true")
    done = bed.operator(words, environment)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_nodes_reach_each_other_over_the_fabric_and_know_each_other(bed: Testbed) -> None:
    for here, there in ((1, 2), (2, 1)):
        done = bed.ssh(here, "ssh", "-o", "BatchMode=yes", bed.places.address(there, "fab"), "hostname")
        assert done.stdout.strip() == bed.places.node(there), done.stderr
    assert bed.logins(1)[-1] == ("spark", "192.168.177.12")
    keys = {bed.read(index, "/home/spark/.ssh/id_ed25519.pub") for index in (1, 2)}
    assert len(keys) == 2, "each node has a key of its own"


def test_spark_may_use_docker_and_guest_may_not(bed: Testbed) -> None:
    assert bed.ssh(1, "docker", "ps").returncode == 0
    refused = bed.ssh(1, "docker", "ps", user="guest")
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr


def test_nothing_is_in_the_machines_own_network_and_nothing_leaves_the_testbed(bed: Testbed) -> None:
    own = subprocess.run(("ip", "-o", "addr"), capture_output=True, text=True, check=True, timeout=30).stdout
    for subnet in ("10.77.0.", "192.168.177.", "192.168.178."):
        assert subnet not in own
    assert "unreachable" in bed.operator(("ip", "route", "get", "192.0.2.1")).stderr
    assert "unreachable" in bed.exec(1, "sh", "-c", "ip route get 192.0.2.1 2>&1 || :")


def test_an_image_built_with_buildkit_runs_with_the_launch_arguments_on_both(bed: Testbed) -> None:
    recipe = f"FROM {TINY}\nRUN echo built >/made\n"
    for index in (1, 2):
        import_tiny_image(bed, index)
        build = ("env", "DOCKER_BUILDKIT=1", "docker", "build", "-q", "-t", "vllm-node", "-")
        assert bed.ssh(index, *build, stdin=recipe).returncode == 0
        done = bed.ssh(index, *RUN, "--net", "host", "--ipc", "host", "vllm-node", "sleep", "1000")
        assert done.returncode == 0, done.stderr
        assert bed.containers(index) == ["vllm_node"]
        assert bed.ssh(index, "docker", "exec", "vllm_node", "cat", "/made").stdout == "built\n"
        gpu = bed.ssh(index, "docker", "exec", "vllm_node", "nvidia-smi", "-L").stdout
        assert gpu.startswith("GPU 0: NVIDIA GB10 (UUID: GPU-")
    assert len(bed.processes(1, "^sleep 1000")) == 1


def test_a_power_cut_ends_everything_at_once_and_the_disk_survives(bed: Testbed) -> None:
    import_tiny_image(bed, 2)
    for name, policy in (("forgotten", "no"), ("kept", "unless-stopped")):
        bed.exec(2, "docker", "run", "-d", "--name", name, "--restart", policy, TINY, "sleep", "1000")
    bed.exec(2, "touch", "/home/spark/kept")
    first, logins = bed.pid(2), len(bed.logins(2))
    bed.kill(2)
    assert bed.pid(2) is None
    assert groups.members(bed.places, 2) == set()
    with bed.at_operator(), pytest.raises(OSError):  # noqa: PT011 - no route or no answer: nobody is there
        socket.create_connection((bed.places.address(2), 22), 1)
    bed.boot(2)
    assert bed.pid(2) not in {None, first}
    assert bed.ssh(2, "ls", "/home/spark").stdout.split() == ["kept"], "the host key is the same, too"
    assert len(bed.logins(2)) == logins + 1
    until(lambda: "Up" in _state_of(bed, 2, "kept"), "the container with a policy is back")
    assert "Exited (255)" in _state_of(bed, 2, "forgotten")


def test_an_orderly_stop_lets_the_engine_end_its_containers(bed: Testbed) -> None:
    import_tiny_image(bed, 2)
    words = ("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    bed.exec(2, "docker", "run", "-d", "--name", "polite", TINY, *words)
    bed.stop(2)
    assert bed.pid(2) is None
    bed.boot(2)
    assert "Exited (7)" in _state_of(bed, 2, "polite")


def test_a_pulled_cable_shows_everywhere(bed: Testbed) -> None:
    assert bed.rdma_states(1)[PORT] == "4: ACTIVE"
    assert bed.rdma_states(1)["rocep1s0f0"] == "1: DOWN", "the other cage has no cable"
    bed.cut(1, "fab")
    until(lambda: bed.rdma_states(1)[PORT] == "1: DOWN", "sysfs sees the cut", 10)
    assert "rocep1s0f1 port 1 ==> enp1s0f1np1 (Down)" in bed.ssh(1, "ibdev2netdev").stdout
    assert "roceP2p1s0f1 port 1 ==> enP2p1s0f1np1 (Up)" in bed.ssh(1, "ibdev2netdev").stdout
    bed.heal(1)
    until(lambda: bed.rdma_states(1)[PORT] == "4: ACTIVE", "sysfs sees the cable", 10)
    assert "enp1s0f1np1 (Up)" in bed.ssh(1, "ibdev2netdev").stdout


def test_the_rdma_tree_has_a_machines_marks(bed: Testbed) -> None:
    tree = "/sys/class/infiniband"
    assert len(bed.exec(1, "sh", "-c", f"cat {tree}/*/sys_image_guid").split()) == 4
    assert len(set(bed.exec(1, "sh", "-c", f"cat {tree}/*/sys_image_guid").split())) == 1
    assert len(set(bed.exec(1, "sh", "-c", f"cat {tree}/*/node_guid").split())) == 4
    assert bed.read(1, f"{tree}/{PORT}/ports/1/gids/3").endswith("ffff:c0a8:b10b\n")
    assert bed.read(1, f"{tree}/{PORT}/ports/1/gid_attrs/types/3") == "RoCE v2\n"
    assert bed.read(1, "/sys/class/net/enp1s0f1np1/mtu") == "9000\n"


def test_gids_follow_the_addresses(bed: Testbed) -> None:
    slot = f"/sys/class/infiniband/{PORT}/ports/1/gids/3"
    bed.exec(1, "ip", "addr", "del", "192.168.177.11/24", "dev", "enp1s0f1np1")
    until(lambda: bed.read(1, slot).startswith("0000:0000:0000:0000:0000:0000:0000"), "the slot is empty", 10)
    bed.exec(1, "ip", "addr", "add", "192.168.177.11/24", "dev", "enp1s0f1np1")
    until(lambda: "c0a8:b10b" in bed.read(1, slot), "the slot is filled", 10)


def test_counters_move_with_the_traffic(bed: Testbed) -> None:
    sent, received = bed.rdma_bytes(1)[0], bed.rdma_bytes(2)[1]
    _send(bed, 8_000_000)
    until(lambda: bed.rdma_bytes(1)[0] - sent > 8_000_000, "sent", 10)
    until(lambda: bed.rdma_bytes(2)[1] - received > 8_000_000, "received", 10)
    assert bed.rdma_bytes(2)[1] - received < 2 * 8_000_000, "words of four bytes, not bytes"


def test_a_bounded_rate_bounds(bed: Testbed) -> None:
    """The same bytes twice in one run; only the order of the two is told, not how long they take."""
    free = _send(bed, 8_000_000)
    bed.rate(2, 50)
    assert _send(bed, 8_000_000) > free


def test_a_frozen_node_accepts_and_says_nothing(bed: Testbed) -> None:
    bed.freeze(2)
    with bed.at_operator(), socket.create_connection(("10.77.0.12", 22), 10) as connection:
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        bed.thaw(2)
        connection.settimeout(20)
        assert connection.recv(100).startswith(b"SSH-2.0-")


def test_a_frozen_node_can_lose_power(bed: Testbed) -> None:
    bed.freeze(2)
    bed.kill(2)
    assert bed.pid(2) is None
    bed.boot(2)
    assert bed.ssh(2, "true").returncode == 0


def test_too_much_memory_is_killed(bed: Testbed) -> None:
    bed.limit_memory(2, 400)
    done = bed.ssh(2, "python3", "-c", "print(len(bytearray(800 << 20)))")
    assert done.returncode != 0
    assert done.stdout == ""
    bed.limit_memory(2, None)
    assert bed.ssh(2, "python3", "-c", "print(len(bytearray(800 << 20)))").stdout == "838860800\n"


def test_a_new_host_key_is_noticed_until_the_first_is_back(bed: Testbed) -> None:
    ask = ("ssh", "-o", "BatchMode=yes", bed.places.node(2), "true")
    assert bed.ssh(1, *ask).returncode == 0
    bed.rekey(2)
    refused = bed.ssh(1, *ask)
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr
    bed.rekey(2, original=True)
    assert bed.ssh(1, *ask).returncode == 0


def test_tools_can_be_missing_and_hardware_can_say_other_things(bed: Testbed) -> None:
    bed.hide(1, "ibdev2netdev")
    assert bed.ssh(1, "sh", "-c", "command -v ibdev2netdev").stdout == ""
    bed.show(1, "ibdev2netdev")
    assert "(Up)" in bed.ssh(1, "ibdev2netdev").stdout
    ask = ("nvidia-smi", "--query-gpu=name,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
    bed.set_hardware(1, util="96")
    assert bed.ssh(1, *ask).stdout == "NVIDIA GB10, 96, [N/A]\n"
    bed.set_hardware(1, util="", fail="yes")
    assert bed.ssh(1, *ask).returncode == 9
    bed.set_hardware(1, fail="")
    assert bed.ssh(1, *ask).returncode == 0


def test_a_golden_store_gives_new_nodes_their_images(bed: Testbed) -> None:
    import_tiny_image(bed, 1, "golden:1")
    identity = bed.exec(1, "docker", "images", "-q", "--no-trunc", "golden:1")
    other = Testbed(Places(f"{bed.places.prefix}-gold"))
    store = str(bed.places.disk / "golden")
    bed.keep_golden(store)
    try:
        other.up(1, store)
        assert other.exec(1, "docker", "images", "-q", "--no-trunc", "golden:1") == identity
        other.exec(1, "docker", "run", "--rm", "golden:1", "sh", "-c", "echo ok")
        assert bed.ssh(1, "hostname").stdout != other.ssh(1, "hostname").stdout, "two testbeds side by side"
    finally:
        other.down()
        other.clean()


def test_up_again_changes_nothing_and_repairs_what_a_crash_left(bed: Testbed) -> None:
    pids = [bed.pid(1), bed.pid(2)]
    bed.up(2)
    assert [bed.pid(1), bed.pid(2)] == pids
    bed.places.pid_file(2).unlink()  # a testbed that died between starting a node and knowing it
    network.ip("link", "del", network.port(2, "fab"), namespace=bed.places.switch)
    bed.up(2)
    assert bed.pid(1) == pids[0]
    assert not _lives(pids[1])
    assert bed.ssh(2, "cat", "/sys/class/net/enp1s0f1np1/carrier").stdout == "1\n"


def test_up_again_after_a_power_cut_gives_a_node_that_answers(bed: Testbed) -> None:
    bed.kill(2)
    bed.up(2)
    assert bed.ssh(2, "true").returncode == 0
    assert bed.ssh(1, "ping", "-c1", "-W5", bed.places.address(2, "fab")).returncode == 0


def test_down_leaves_nothing_behind() -> None:
    bed = Testbed(Places(f"{session_prefix()}-gone"))
    try:
        bed.up(1)
        import_tiny_image(bed, 1)
        bed.exec(1, "docker", "run", "-d", TINY, "sleep", "1000")
        processes = groups.members(bed.places, 1)
        assert len(processes) > 4
        bed.freeze(1)
    finally:
        bed.down()
        bed.clean()
    assert [pid for pid in processes if _lives(pid)] == []
    assert bed.namespaces() == set()
    assert bed.places.prefix not in Path("/proc/mounts").read_text()
    assert groups.known(bed.places) == set()
    assert not list(groups.CGROUPS.glob(f"**/{bed.places.prefix}-tb"))
    assert not bed.places.state.exists()
    assert not bed.places.disk.exists()
    assert bed.places.prefix not in " ".join(os.listdir("/run/netns"))


def _lives(pid: int | None) -> bool:
    """A dead process whose parent has not looked yet does not live."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def _state_of(bed: Testbed, index: int, name: str) -> str:
    return bed.exec(index, "docker", "ps", "-a", "--filter", f"name={name}", "--format", "{{.Status}}")


def _send(bed: Testbed, size: int) -> float:
    """Sends so many bytes from node 1 to node 2 over the fabric; how long they took, by node 1."""
    program = (
        "import socket, subprocess, sys, time\n"
        "sink = subprocess.Popen(['ssh', '-o', 'BatchMode=yes', sys.argv[1], 'cat >/dev/null'], stdin=-1)\n"
        "start = time.monotonic()\n"
        "sink.communicate(bytes(int(sys.argv[2])), 120)\n"
        "print(time.monotonic() - start)\n"
    )
    done = bed.ssh(1, "python3", "-", bed.places.address(2, "fab"), str(size), stdin=program)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
