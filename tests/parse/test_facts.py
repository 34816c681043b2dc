"""One look at a machine, read: what is there is known, what is not stays unknown, and no text breaks it."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.fabric.links import Hca, Netdev, choose_network
from sparkconsole.model.facts import Gpu
from sparkconsole.parse.fabric.ip_addr import parse_ip_addr
from sparkconsole.parse.fabric.rdma import parse_ibdev2netdev, parse_rdma_sysfs
from sparkconsole.parse.machine.facts import parse_facts, parse_meminfo
from sparkconsole.parse.machine.nvidia_smi import parse_gpu_processes, parse_gpus

RDMA = """\
port rocep1s0f1 1 enp1s0f1np1 4c:bb:47
state 4: ACTIVE
rate 200 Gb/sec (2X NDR)
gid 1 fe80:0000:0000:0000:4ebb:47ff:fe2f:9113 RoCE v2
gid 3 0000:0000:0000:0000:0000:ffff:c0a8:b10b RoCE v2
port roceP2p1s0f1 1 - -
state 1: DOWN
"""
SECTIONS = {
    "host": "spark1\n6.11.0\naarch64\nann\n/home/ann\n1700000000.5\nann docker\n",
    "release": 'DGX_PRETTY_NAME="NVIDIA DGX Spark"\nDGX_SWBUILD_VERSION="7.2.3"\n',
    "ibdev2netdev": "rocep1s0f1 port 1 ==> enp1s0f1np1 (Up)\nroceP2p1s0f1 port 1 ==> enP2p1s0f1np1 (Down)\n",
    "rdma": RDMA,
    "ip": '[{"ifname":"enp1s0f1np1","mtu":1500,"flags":["UP","LOWER_UP"],"addr_info":'
    '[{"family":"inet","local":"192.168.177.11","prefixlen":24},{"family":"inet6","local":"fe80::1","prefixlen":64}]}]',
    "links": "enp1s0f1np1 9000 1\nenP2p1s0f1np1 9000 0\n",
    "gpu": "NVIDIA GB10, GPU-1, 3, 11.17, 35, 208, 580.95.05\nstatus 0\n",
    "gpuapps": "168864, /usr/bin/x, 24420\n169094, y, [N/A]\n",
    "memory": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n",
    "docker": "installed\nsocket\npermitted\ninfo 28.3.3|overlay2|/var/lib/docker\n",
    "disk": "docker 5000\nhome 6000\n",
    "cache": "root\n",
    "listen": "22B8\n18EB\n22B8\n",
    "end": "",
}


def look(**changes: str) -> str:
    return "".join(f"\nMARK {name}\n{text}" for name, text in (SECTIONS | changes).items())


def test_a_whole_look() -> None:
    facts = parse_facts(look(), "MARK", "spark1")
    assert (facts.hostname, facts.kernel, facts.machine, facts.user) == ("spark1", "6.11.0", "aarch64", "ann")
    assert (facts.home, facts.clock_s) == ("/home/ann", 1700000000.5)
    assert facts.release == "NVIDIA DGX Spark 7.2.3"
    assert facts.gpus == (Gpu("NVIDIA GB10", "GPU-1", 3.0, 11.17, 35.0, 208.0, "580.95.05"),)
    assert facts.gpu_used == 24420 << 20
    assert facts.memory
    assert (facts.memory.total, facts.memory.used) == (1000 << 10, 400 << 10)
    assert (facts.docker.installed, facts.docker.running, facts.docker.permitted) == (True, True, True)
    assert (facts.docker.version, facts.docker.driver, facts.docker.root) == (
        "28.3.3",
        "overlay2",
        "/var/lib/docker",
    )
    assert facts.free == {"docker": 5000, "home": 6000}
    assert (facts.cache_owner, facts.listening) == ("root", frozenset({8888, 6379}))
    first, twin = facts.fabric.hcas
    assert (first.device, first.netdev, first.up, first.image_guid) == (
        "rocep1s0f1",
        "enp1s0f1np1",
        True,
        "4c:bb:47",
    )
    assert (first.gid_index, first.rate) == (3, "200 Gb/sec (2X NDR)")
    assert (twin.netdev, twin.up) == ("enP2p1s0f1np1", False)
    assert facts.fabric.netdevs == (
        Netdev("enp1s0f1np1", ("192.168.177.11/24",), 9000, True),
        Netdev("enP2p1s0f1np1", (), 9000, False),
    )


def test_without_ibdev2netdev_sysfs_is_enough() -> None:
    fabric = parse_facts(look(ibdev2netdev=""), "MARK", "spark1").fabric
    assert [(h.device, h.netdev, h.up) for h in fabric.hcas] == [
        ("rocep1s0f1", "enp1s0f1np1", True),
        ("roceP2p1s0f1", "", False),
    ]
    chosen = choose_network(fabric)
    assert (chosen.eth_if, chosen.gid_index) == ("enp1s0f1np1", 3)


@pytest.mark.parametrize(
    ("said", "installed", "running", "permitted"),
    [
        ("", False, False, False),
        ("installed\n", True, False, False),
        ("installed\nsocket\n", True, True, False),
        ("installed\nsocket\npermitted\n", True, False, True),
    ],
)
def test_how_docker_stands(said: str, installed: bool, running: bool, permitted: bool) -> None:
    docker = parse_facts(look(docker=said), "MARK", "x").docker
    assert (docker.installed, docker.running, docker.permitted) == (installed, running, permitted)


def test_a_look_that_broke_off_knows_less_and_invents_nothing() -> None:
    whole = look()
    for end in range(0, len(whole), 7):
        facts = parse_facts(whole[:end], "MARK", "spark1")
        assert facts.node == "spark1"
        assert facts.memory is None or facts.memory.total == 1000 << 10
    nothing = parse_facts("", "MARK", "spark1")
    assert (nothing.clock_s, nothing.memory, nothing.gpus, nothing.fabric.hcas) == (None, None, (), ())


HOSTILE = (
    "²³ ² ²", "[", "[]", "[null]", '[{"ifname": null}]', '[{"ifname":"a","addr_info":null,"flags":null}]',
    '[{"ifname":"a","mtu":"x","addr_info":[{"family":"inet"}, 3]}]', "[" * 100_000, "{}", "9" * 5000,
    '[{"ifname":"a","addr_info":[{"family":"inet","local":"999.1.1.1","prefixlen":77}]}]',
    "1: a inet 999.9.9.9/99 x", "port a ² b c\nstate\ngid ² x y", "a port 99999999999 ==> b (Up)",
    "nan, inf, nan, nan, nan, nan, nan\nstatus 0", "MemTotal: ² kB\nMemAvailable: x kB", "a, nan", "a, inf",
    "\x00\x1b[31m\udcff", "info |||||||", "docker -5\nhome ²", "a ² 1", "GGGG FFFFFFFFF", "status 0",
)  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_hostile_text_in_any_section_breaks_nothing(section: str) -> None:
    for text in HOSTILE:
        facts = parse_facts(look(**{section: text + "\n"}), "MARK", "x")
        with contextlib.suppress(SparkError):
            choose_network(facts.fabric, peers=(facts.fabric,))
        assert all(0 <= port < 65536 for port in facts.listening)
        assert facts.gpu_used >= 0


def test_shuffled_bytes_break_nothing() -> None:
    dice = random.Random(7)
    for _ in range(300):
        text = list(look())
        for _ in range(20):
            text[dice.randrange(len(text))] = dice.choice("0²\n [{\"/.-|,'x\x00")
        facts = parse_facts("".join(text), "MARK", "x")
        with contextlib.suppress(SparkError):
            choose_network(facts.fabric)


def test_a_tool_cannot_begin_a_section_it_does_not_know_the_word_of() -> None:
    text = look(gpu="\nsection-1 docker\ninstalled\nstatus 9\n", docker="")
    assert not parse_facts(text, "MARK", "x").docker.installed


def test_ibdev2netdev_keeps_what_it_does_not_understand() -> None:
    hcas, unparsed = parse_ibdev2netdev(
        "\nmlx5_0 port 2 ==> ens1 (Down)\n  rocep1s0f0 port 1 ==> enp1s0f0np0 (Up)  \nwhat is this\n"
    )
    assert hcas == (Hca("mlx5_0", "ens1", 2, up=False), Hca("rocep1s0f0", "enp1s0f0np0", 1, up=True))
    assert unparsed == ("what is this",)


def test_interfaces_from_json_and_from_lines() -> None:
    expected = ("enp1s0f1np1", ("192.168.177.11/24", "10.0.0.1/8"))
    lines = (
        "1: lo    inet 127.0.0.1/8 scope host lo\n"
        "4: enp1s0f1np1@if7    inet 192.168.177.11/24 brd 192.168.177.255 scope global enp1s0f1np1\n"
        "4: enp1s0f1np1@if7    inet 10.0.0.1/8 scope global secondary enp1s0f1np1\n"
        "4: enp1s0f1np1@if7    inet6 fe80::1/64 scope link\n"
    )
    assert [(n.name, n.addresses) for n in parse_ip_addr(lines)][1:] == [expected]
    info = ",".join(
        f'{{"family":"inet","local":"{a}","prefixlen":{p}}}'
        for a, p in (("192.168.177.11", 24), ("10.0.0.1", 8))
    )
    named = f'[{{"ifname":"enp1s0f1np1@if7","mtu":9000,"flags":[],"addr_info":[{info}]}}]'
    assert [(n.name, n.addresses) for n in parse_ip_addr(named)] == [expected]


def test_a_port_without_a_state_is_unknown() -> None:
    assert parse_rdma_sysfs("port a 1 n g\n")[0].up is None
    assert parse_rdma_sysfs("state 4: ACTIVE\nport a 1 n g\nstate 1: DOWN\n")[0].up is False


def test_what_nvidia_smi_says_instead_is_kept() -> None:
    gpus, error = parse_gpus("NVIDIA-SMI has failed because\nno driver\nstatus 9\n")
    assert (gpus, error) == ((), "NVIDIA-SMI has failed because no driver")
    assert parse_gpus("") == ((), "nvidia-smi is not there")
    assert parse_gpus("NVIDIA GB10, GPU-1, [N/A], [N/A], 35, Not Supported, 580\nstatus 0")[0] == (
        Gpu("NVIDIA GB10", "GPU-1", None, None, 35.0, None, "580"),
    )


@pytest.mark.parametrize("status", ["0", "9", "9" * 5000])
@pytest.mark.parametrize(
    "text", ["9" * 5000, "x " * 20_000, "NVIDIA GB10, " * 999, "GPU 0: x (UUID: y)\n" * 999]
)
def test_what_a_tool_says_at_length_is_cut(text: str, status: str) -> None:
    gpus, error = parse_gpus(f"{text}\nstatus {status}", f"GPU 0: {text} (UUID: x)\n" * 999)
    assert len(gpus) <= 64
    assert len(error) <= 300
    assert all(len(each) <= 300 for gpu in gpus for each in (gpu.name, gpu.uuid, gpu.driver))
    assert all(len(p.name) <= 300 for p in parse_gpu_processes(f"1, {text}, 5\n"))


def test_memory_is_total_and_available_or_nothing() -> None:
    assert parse_meminfo("MemTotal: 5 kB\nMemFree: 3 kB\n") is None


@pytest.mark.parametrize(
    ("name", "up"),
    [
        ("ibdev2netdev-port0-up.txt", {"enp1s0f0np0", "enP2p1s0f0np0"}),
        ("ibdev2netdev-port1-up-order-a.txt", {"enp1s0f1np1", "enP2p1s0f1np1"}),
        ("ibdev2netdev-switch-port1-up.txt", {"enp1s0f1np1", "enP2p1s0f1np1"}),
    ],
)
def test_published_output_of_real_machines(captures_of_others: Path, name: str, up: set[str]) -> None:
    hcas, unparsed = parse_ibdev2netdev((captures_of_others / "fabric" / name).read_text())
    assert {h.netdev for h in hcas if h.up} == up
    assert len(hcas) == 4
    assert all(line.startswith("#") for line in unparsed)
    assert len({h.cage for h in hcas if h.up}) == 1, "twins are one cage"


def test_published_memory_of_compute_processes(captures_of_others: Path) -> None:
    text = (captures_of_others / "nvidia-smi" / "query-compute-apps-csv.txt").read_text()
    assert [p.used for p in parse_gpu_processes(text)] == [n << 20 for n in (24420, 19871, 9279)]
