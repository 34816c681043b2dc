"""The look at a machine, run by real shells: a sysfs of our own, tools that hang, eat input or are absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed
from sparkconsole.model.fabric.links import choose_network
from sparkconsole.model.facts import Listener, NodeFacts
from sparkconsole.model.probes import EVERYTHING, USUAL, Probe
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.node import facts

pytestmark = pytest.mark.programs

ZERO = "0000:0000:0000:0000:0000:0000:0000:0000"
MAPPED = "0000:0000:0000:0000:0000:ffff:c0a8:b10b"
PORTS = {
    "rocep1s0f0": ("enp1s0f0np0", "1: DOWN", "0000:01:00.0"),
    "rocep1s0f1": ("enp1s0f1np1", "4: ACTIVE", "0000:01:00.1"),
    "roceP2p1s0f0": ("enP2p1s0f0np0", "1: DOWN", "0002:01:00.0"),
    "roceP2p1s0f1": ("enP2p1s0f1np1", "4: ACTIVE", "0002:01:00.1"),
}
IP = (
    '[{"ifname":"enp1s0f1np1","mtu":9000,"flags":["LOWER_UP"],"addr_info":'
    '[{"family":"inet","local":"192.168.177.11","prefixlen":24}]}]'
)
NVIDIA_SMI = """
case "$*" in
*compute-apps*) echo '4242, VLLM::EngineCore, 89093';;
*query-gpu*) echo 'NVIDIA GB10, GPU-1, [N/A], 11.17, 35, 208, 580.95.05, P8, 12.1';;
-L) echo 'GPU 0: NVIDIA GB10 (UUID: GPU-1)';;
esac
"""
SHELLS = [s for s in ("dash", "bash", "busybox") if shutil.which(s)]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Machine:
    """A machine whose sysfs and tools are files of ours; everything else is this machine's."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.bin = folder / "class", folder / "bin"
        self.bin.mkdir()
        for tool in (
            "sh",
            "uname",
            "id",
            "date",
            "cat",
            "sed",
            "awk",
            "df",
            "stat",
            "timeout",
            "grep",
            "sort",
            "uniq",
        ):
            if where := shutil.which(tool):
                (self.bin / tool).symlink_to(where)
        for device, (netdev, state, pci) in PORTS.items():
            self.port(device, netdev, state, pci)

    def port(self, device: str, netdev: str, state: str, pci: str) -> None:
        """As a real ConnectX-7 has it: a table of 256 GIDs, most of them empty."""
        root = self.sys / "infiniband" / device
        port = root / "ports" / "1"
        for index in range(256 if state == "4: ACTIVE" else 4):
            write(port / "gids" / str(index), f"{ZERO}\n")
        if state == "4: ACTIVE":
            for index, (value, kind) in enumerate(
                (
                    (f"fe80{ZERO[4:]}", "IB/RoCE v1"),
                    (f"fe80{ZERO[4:]}", "RoCE v2"),
                    (MAPPED, "IB/RoCE v1"),
                    (MAPPED, "RoCE v2"),
                )
            ):
                write(port / "gids" / str(index), f"{value}\n")
                write(port / "gid_attrs" / "types" / str(index), f"{kind}\n")
        write(port / "state", f"{state}\n")
        write(port / "phys_state", "5: LinkUp\n" if state.startswith("4") else "3: Disabled\n")
        write(port / "rate", "200 Gb/sec (2X NDR)\n")
        write(port / "link_layer", "Ethernet\n")
        write(root / "sys_image_guid", "4cbb:4703:0000:0000\n")
        write(root / "node_guid", "4cbb:4703:0000:0001\n")
        write(root / "device" / "uevent", f"DRIVER=mlx5_core\nPCI_SLOT_NAME={pci}\n")
        (root / "device" / "net" / netdev).mkdir(parents=True)
        for name, text in {"mtu": "9000", "carrier": "1", "speed": "200000", "operstate": "up"}.items():
            write(self.sys / "net" / netdev / name, f"{text}\n")

    def tool(self, name: str, script: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        write(self.bin / name, f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    async def look(self, monkeypatch: pytest.MonkeyPatch, *, asked: frozenset[Probe] = USUAL) -> NodeFacts:
        script = facts.SCRIPT.replace("/sys/class", str(self.sys)).replace("PATH=$PATH:/usr/sbin:/sbin", "")
        # Limits are what is tested, not how long they are.
        monkeypatch.setattr(
            facts, "SCRIPT", script.replace("timeout 5", "timeout 0.5").replace("timeout 3", "timeout 0.5")
        )
        monkeypatch.setenv("PATH", str(self.bin))
        return await facts.node_facts(LocalShell("spark1"), asked=asked)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.tool("ip", f"[ \"$1\" = -j ] && echo '{IP}'")
    made.tool("nvidia-smi", NVIDIA_SMI)
    return made


async def test_a_look_finds_links_by_sysfs_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = await machine.look(monkeypatch)
    by_name = {h.device: h for h in seen.fabric.hcas}
    assert {h.netdev for h in seen.fabric.up} == {"enp1s0f1np1", "enP2p1s0f1np1"}
    first = by_name["rocep1s0f1"]
    assert (first.gid_index, first.phys_state) == (3, "LinkUp")
    assert (first.image_guid, first.rate) == ("4cbb:4703:0000:0000", "200 Gb/sec (2X NDR)")
    assert by_name["rocep1s0f0"].phys_state == "Disabled"
    twin = seen.fabric.netdev("enP2p1s0f1np1")
    assert twin is not None
    assert (twin.addresses, twin.mtu, twin.speed_mbit) == ((), 9000, 200000)
    chosen = choose_network(seen.fabric)
    assert (chosen.eth_if, chosen.hcas, chosen.gid_index) == (
        "enp1s0f1np1",
        ("rocep1s0f1", "roceP2p1s0f1"),
        3,
    )


async def test_a_look_tells_gpus_memory_and_this_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.tool("timedatectl", "echo no")
    seen = await machine.look(monkeypatch)
    (gpu,) = seen.gpus
    assert (gpu.name, gpu.utilisation, gpu.pstate, gpu.compute_cap) == ("NVIDIA GB10", None, "P8", "12.1")
    assert [(p.pid, p.name, p.used) for p in seen.gpu_processes] == [(4242, "VLLM::EngineCore", 89093 << 20)]
    assert (seen.hostname, seen.kernel, seen.machine) == tuple(os.uname()[i] for i in (1, 2, 4))
    assert seen.home == os.environ["HOME"]
    assert seen.clock_s is not None
    assert seen.clock_synced is False
    assert seen.memory is not None
    assert seen.memory.total > seen.memory.available > 0
    assert seen.free["home"] > 0
    assert (seen.cache_owner, seen.unparsed) == ("", ())


async def test_a_look_writes_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    await machine.look(monkeypatch)
    assert os.listdir(os.environ["HOME"]) == []


async def test_a_thorough_look_is_one_command_more_and_writes_nothing_either(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(machine.sys / "infiniband" / "rocep1s0f1" / "fw_ver", "28.45.4028\n")
    machine.tool("ss", "echo 'LISTEN 0 128 0.0.0.0:8265 0.0.0.0:* users:((\"ray\",pid=1,fd=1))'")
    machine.tool("getent", "echo docker:x:998:ann")
    machine.tool("loginctl", "echo KillUserProcesses=yes; echo RemoveIPC=no")
    machine.tool("journalctl", "echo 'NVRM: Xid (PCI:000f:01:00): 79'; echo fine")
    seen = (await machine.look(monkeypatch, asked=EVERYTHING)).deep_probe
    assert seen is not None
    assert seen.uid == os.getuid()
    assert seen.ssh_folder is False
    assert seen.firmware == {"rocep1s0f1": "28.45.4028"}
    assert seen.listeners == (Listener("0.0.0.0", 8265, "ray"),)
    assert (seen.docker_group, seen.login) == (("ann",), {"KillUserProcesses": "yes", "RemoveIPC": "no"})
    assert seen.kernel_log == {"NVRM: Xid": 1}
    assert os.listdir(os.environ["HOME"]) == []
    assert (await machine.look(monkeypatch)).deep_probe is None, "nobody asked for it"


@pytest.mark.parametrize(
    ("says", "ended"),
    [
        ("echo 'systemd-shutdown: all done'; echo 'Journal stopped'", True),
        ("echo 'worker: 12 tok/s'", False),
        ('[ "$1" != -k ] && echo "of the user alone"', None),
        ("exit 1", None),
    ],
)
async def test_how_the_boot_before_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, says: str, ended: bool | None
) -> None:
    """A login that may not read the system's journal would not see its end either."""
    machine.tool("journalctl", says)
    seen = (await machine.look(monkeypatch, asked=frozenset({Probe.BOOT}))).deep_probe
    assert seen is not None
    assert seen.ended is ended


async def test_a_clamp_counts_when_its_unit_starts_at_boot(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    units = tmp_path / "units"
    line = "ExecStart=/usr/bin/nvidia-smi"
    write(units / "gpu.service", f"[Service]\n{line} -pm 1\n{line} -lgc 200,2150\n")
    write(units / "idle.service", f"{line} --lock-gpu-clocks=1500\n")
    write(units / "other.service", "ExecStart=/usr/bin/other -lgc 200,900\n")
    for name in ("gpu", "other"):
        write(units / "multi-user.target.wants" / f"{name}.service", "")
    monkeypatch.setattr(facts, "SCRIPT", facts.SCRIPT.replace("/etc/systemd/system", str(units)))
    seen = (await machine.look(monkeypatch, asked=frozenset({Probe.DEEP}))).deep_probe
    assert seen is not None
    assert seen.clamps == {"gpu.service": 2150}


async def test_what_was_not_asked_for_is_not_looked_at(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvidia-smi", "docker", "df", "ip", "timedatectl", "ss", "journalctl"):
        machine.tool(name, f"echo {name} >>{machine.bin}/called")
    seen = await machine.look(monkeypatch, asked=frozenset({Probe.NTP}))
    assert (machine.bin / "called").read_text() == "timedatectl\n"
    assert seen.memory is not None
    assert seen.deep_probe is None


async def test_a_tool_that_hangs_keeps_no_other_from_answering(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ss", "getent", "loginctl", "journalctl", "stat"):
        machine.tool(name, "exec sleep 60")
    machine.tool("sleep", 'exec /bin/sleep "$@"')
    seen = (await machine.look(monkeypatch, asked=EVERYTHING)).deep_probe
    assert seen is not None
    assert seen.uid == os.getuid()
    assert (seen.listeners, seen.kernel_log) == ((), {})


async def test_who_owns_the_cache(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path(os.environ["HOME"]) / ".cache" / "huggingface"
    cache.mkdir(parents=True)
    assert (await machine.look(monkeypatch)).cache_owner == cache.owner()


async def test_ibdev2netdev_is_believed_where_it_is_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.tool("ibdev2netdev", "echo 'roceP2p1s0f1 port 1 ==> enP2p1s0f1np1 (Down)'\n"
                 "echo 'rocep1s0f1 port 1 ==> enp1s0f1np1 (Up)'; echo 'cannot open /dev/mst'")  # fmt: skip
    seen = await machine.look(monkeypatch)
    assert [(h.device, h.up, h.image_guid) for h in seen.fabric.hcas] == [
        ("roceP2p1s0f1", False, "4cbb:4703:0000:0000"),
        ("rocep1s0f1", True, "4cbb:4703:0000:0000"),
    ]
    assert seen.unparsed == ("ibdev2netdev: cannot open /dev/mst",)


async def test_addresses_without_json(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.tool("ip", "[ \"$1\" = -j ] && exit 255\n"
                 "echo '4: enp1s0f1np1@if9    inet 192.168.177.11/24 scope global enp1s0f1np1'")  # fmt: skip
    seen = await machine.look(monkeypatch)
    netdev = seen.fabric.netdev("enp1s0f1np1")
    assert netdev is not None
    assert (netdev.addresses, netdev.mtu) == (("192.168.177.11/24",), 9000)


@pytest.mark.parametrize("shell", SHELLS)
async def test_tools_that_read_their_input_do_not_eat_the_script(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    for tool in ("ibdev2netdev", "nvidia-smi", "timedatectl"):
        machine.tool(tool, "cat >/dev/null")
    (machine.bin / "sh").unlink()
    (machine.bin / "sh").symlink_to(shutil.which(shell) or "")
    seen = await machine.look(monkeypatch)
    assert seen.memory is not None
    assert len(seen.fabric.up) == 2


@pytest.mark.parametrize("missing", ["ip", "nvidia-smi", "timeout", "df", "stat", "id"])
async def test_a_missing_tool_leaves_its_own_facts_unknown(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (machine.bin / missing).unlink()
    seen = await machine.look(monkeypatch)
    assert seen.memory is not None
    assert (seen.home, len(seen.fabric.up)) == (os.environ["HOME"], 2)
    assert bool(seen.gpus) == (missing != "nvidia-smi")
    assert seen.gpu_error == ("nvidia-smi is not there" if missing == "nvidia-smi" else "")
    assert any(n.addresses for n in seen.fabric.fast()) == (missing != "ip")


@pytest.mark.skipif(not shutil.which("timeout"), reason="this machine has no timeout")
async def test_a_tool_that_hangs_is_left_and_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.bin / "sleep").symlink_to(shutil.which("sleep") or "")
    machine.tool("nvidia-smi", "exec sleep 600")
    seen = await machine.look(monkeypatch)
    assert (seen.gpus, seen.gpu_error) == ((), "nvidia-smi did not answer within 5 s")
    assert seen.memory is not None


async def test_gpus_are_listed_when_they_cannot_be_queried(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.tool("nvidia-smi", "[ \"$1\" = -L ] && echo 'GPU 0: NVIDIA GB10 (UUID: GPU-1)' && exit\n"
                 "echo 'Field \"pstate\" is not a valid field to query.'; exit 2")  # fmt: skip
    seen = await machine.look(monkeypatch)
    assert [(g.name, g.uuid, g.driver) for g in seen.gpus] == [("NVIDIA GB10", "GPU-1", "")]
    assert "not a valid field" in seen.gpu_error


async def test_a_gpu_that_needs_a_reset_is_no_good_gpu(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.tool("nvidia-smi", "echo 'NVIDIA GB10, GPU-1, [GPU requires reset], ERR!, ERR!, ERR!, 580.95.05'")
    seen = await machine.look(monkeypatch)
    assert [(g.utilisation, g.power_w) for g in seen.gpus] == [(None, None)]
    assert "requires reset" in seen.gpu_error


async def test_what_tools_print_is_never_run_and_never_a_section(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    evil = tmp_path / "evil"
    machine.tool(
        "ibdev2netdev", f"printf '%s\\n' 'x' '$(touch {evil})' '`touch {evil}`' 'section-00 docker' installed"
    )
    write(machine.sys / "infiniband" / "rocep1s0f1" / "node_guid", f"$(touch {evil})\x1b[31m[bold]\n")
    seen = await machine.look(monkeypatch)
    assert not evil.exists()
    assert not seen.docker.installed
    assert len(seen.unparsed) == 5


async def test_a_look_that_ended_early_is_no_look(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "SCRIPT", "exit 3\n")
    with pytest.raises(CommandFailed) as caught:
        await facts.node_facts(LocalShell("spark1"))
    assert caught.value.node == "spark1"
