"""The sampler's real program, as it runs on a node: over a folder that stands for the machine."""

from __future__ import annotations

import ast
import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from sparkconsole.clock import Allowance
from sparkconsole.errors import TooMuch, Unreachable
from sparkconsole.model.cluster import Node as SparkNode
from sparkconsole.model.facts import GpuProcess, Memory
from sparkconsole.model.telemetry import Bus, Counters, Sample
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.sampler import gpu_program as sampler_gpu
from sparkconsole.remote.sampler.sampler import MOST_LINES, REFILLED_S, NoSampler, argv, program, samples
from sparkconsole.remote.shell import MOST_BYTES, Pipe
from sparkconsole.remote.ssh.connection import connect_ssh
from tests.ssh_server import SshServer, write_client_key

pytestmark = pytest.mark.programs

PERIOD_S = 0.02


class Node(LocalShell):
    """This machine with other variables, or without a command."""

    def __init__(self, variables: Mapping[str, str] | None = None, *, python: str = "python3") -> None:
        super().__init__("spark1")
        self._variables, self._python = variables or {}, python

    async def pipe(self, argv: Sequence[str]) -> Pipe:  # type: ignore[override]
        given = [f"{name}={value}" for name, value in self._variables.items()]
        return await super().pipe(("env", *given, self._python, *argv[1:]))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Spark's /proc and /sys, as far as the sampler reads them."""
    files = {
        "proc/stat": "cpu  10 0 20 900 50 5 15 0 0 0\ncpu0 1 2 3\n",
        "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\nActive(anon): 1 kB\n"
                        "Cached: 300 kB\nBuffers: 20 kB\nShmem: 50 kB\n"
                        "SwapTotal: 16 kB\nSwapFree: 8 kB\n",
        "proc/loadavg": "0.52 0.40 0.30 1/200 77\n",
        "proc/uptime": "5000.50 1.00\n",
        "proc/pressure/memory": "some avg10=1.50 avg60=0.10 avg300=0.00 total=5\nfull avg10=0.50 x\n",
        "proc/pressure/cpu": "some avg10=3.25 avg60=0.10 avg300=0.00 total=5\n",
        "proc/vmstat": "nr_free_pages 1\noom_kill 2\nunevictable 0\n",
        "dev/kmsg": "6,1,1,-;NVRM: Xid (PCI:000f:01:00): 13, long ago\n",
        "proc/net/dev": "Inter-| Receive\n face |bytes\n" + "".join(
            f"{name}: 100 2 1 7 0 0 0 0 200 3 4 5 0 0 0 0\n"
            for name in ("lo", "enP7s7", "enp1s0f1np1", "docker0", "veth12", "br-9f")
        ),
        "sys/class/net/enP7s7/operstate": "up\n",
        "sys/class/net/enp1s0f1np1/operstate": "down\n",
        "sys/class/thermal/thermal_zone0/temp": "41000\n",
        "sys/class/thermal/thermal_zone1/temp": "58500\n",
    }  # fmt: skip
    for device, state in (("rocep1s0f0", "1: DOWN"), ("rocep1s0f1", "4: ACTIVE")):
        port = f"sys/class/infiniband/{device}/ports/1"
        files |= {f"{port}/state": state, f"{port}/counters/port_rcv_data": "1000"}
        files |= {f"{port}/counters/port_xmit_data": "2000", f"{port}/counters/link_downed": "3"}
        files |= {f"{port}/counters/symbol_error": "4", f"{port}/counters/port_rcv_errors": "N/A"}
    marks = "sys/class/infiniband/rocep1s0f1/ports/1/hw_counters"
    files |= {f"{marks}/np_cnp_sent": "7", f"{marks}/out_of_sequence": "9"}
    files |= {
        f"{marks}/packet_seq_err": str(2**64 - 1),
        f"{marks}/rx_discards": "",
        f"{marks}/lifespan": "10",
    }
    slot, card = "sys/devices/0000:00:00.0", "sys/devices/0000:00:00.0/0000:01:00.1"
    files |= {f"{slot}/max_link_speed": "32.0 GT/s PCIe\n", f"{slot}/max_link_width": "4\n"}
    files |= {f"{card}/current_link_speed": "16.0 GT/s PCIe\n", f"{card}/current_link_width": "4\n"}
    files |= {f"{card}/max_link_speed": "32.0 GT/s PCIe\n", f"{card}/max_link_width": "16\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sys/class/infiniband/rocep1s0f1/device").symlink_to(tmp_path / card)
    return tmp_path


async def said(shell: LocalShell, root: Path | str, count: int = 1, until: str = "") -> list[Sample]:
    """The first samples; with `until` those up to the first in which that is true of it."""
    found: list[Sample] = []
    async with asyncio.timeout(20), aclosing(samples(shell, period_s=PERIOD_S, root=str(root))) as coming:
        async for sample in coming:
            found.append(sample)
            if getattr(sample, until) if until else len(found) == count:
                break
    return found


async def test_a_spark_says_what_its_kernel_says(machine: Path) -> None:
    (now,) = await said(Node({"PATH": os.defpath}), machine)
    assert (now.cpu_busy, now.cpu_total) == (50, 1000)
    assert now.memory == Memory(1000 << 10, 600 << 10, 16 << 10, 8 << 10)
    assert (now.load, now.pressure, now.temperature_c, now.uptime_s) == (0.52, 1.5, 58.5, 5000.5)
    assert now.nets == {"enP7s7": Counters(True, 100, 200, 10), "enp1s0f1np1": Counters(False, 100, 200, 10)}
    assert now.rails == {
        "rocep1s0f0": Counters(False, 4000, 8000, 7, {"symbol_error": 4, "link_downed": 3}),
        "rocep1s0f1": Counters(True, 4000, 8000, 7, COUNTED),
    }
    assert now.disk_free
    assert (now.cached, now.oom_kills) == (270 << 10, 2)
    assert now.pressures == {"cpu some": 3.25, "memory some": 1.5, "memory full": 0.5}
    assert now.buses == {"rocep1s0f1": Bus(16.0, 4, 32.0, 4)}, "the slot has four lanes, the card sixteen"
    assert now.buses["rocep1s0f1"].narrow


COUNTED = {"symbol_error": 4, "link_downed": 3, "np_cnp_sent": 7, "out_of_sequence": 9}


async def test_what_is_not_there_is_unknown_and_the_line_comes_all_the_same(tmp_path: Path) -> None:
    (now,) = await said(Node(), tmp_path)
    assert (now.memory, now.load, now.pressure, now.temperature_c) == (None, None, None, None)
    assert (now.rails, now.nets) == ({}, {})
    assert now.clock_s > 1e9


async def test_counters_move_and_a_replaced_file_is_read(machine: Path) -> None:
    port = machine / "sys/class/infiniband/rocep1s0f1/ports/1"
    coming = samples(Node(), period_s=PERIOD_S, root=str(machine))
    async with asyncio.timeout(20), aclosing(coming):
        first = await anext(coming)
        (port / "new").write_text("5000")
        (port / "new").replace(port / "counters/port_rcv_data")
        (machine / "proc/stat").write_text("cpu  60 0 20 900 50 5 15 0 0 0\n")
        async for now in coming:
            if now.rails["rocep1s0f1"].rx == 20000 and now.cpu_busy == first.cpu_busy + 50:
                break
        (port / "state").write_text("1: DOWN")
        async for now in coming:
            if now.rails["rocep1s0f1"].up is False:
                break


async def test_what_the_kernel_says_from_now_on_is_told_once(machine: Path) -> None:
    ring, coming = machine / "dev/kmsg", samples(Node(), period_s=PERIOD_S, root=str(machine))
    async with asyncio.timeout(20), aclosing(coming):
        async for now in coming:
            if now.kernel is not None:
                break
        with ring.open("a") as end:
            end.write("6,2,2,-;usb 1-1: new device\n6,3,3,-;mlx5_core 0000:01:00.1: health compromised\n")
            end.write(
                " SUBSYSTEM=pci\n12,4,4,-;a program that writes NVRM: Xid\nrubbish\n4,5,5,-;NVRM: Xid 79\n"
            )
        told: list[str] = []
        async for now in coming:
            assert now.kernel is not None
            told += now.kernel
            if "NVRM: Xid 79" in told:
                break
        assert told == ["mlx5_core 0000:01:00.1: health compromised", "NVRM: Xid 79"]


async def test_a_kernel_log_that_may_not_be_read_is_unknown(machine: Path) -> None:
    (machine / "dev/kmsg").unlink()
    assert [s.kernel for s in await said(Node(), machine, 3)] == [None] * 3


async def test_a_card_that_is_pulled_out_is_gone_and_the_line_comes(machine: Path) -> None:
    coming = samples(Node(), period_s=PERIOD_S, root=str(machine))
    async with asyncio.timeout(30), aclosing(coming):
        assert set((await anext(coming)).rails) == {"rocep1s0f0", "rocep1s0f1"}
        shutil.rmtree(machine / "sys/class/infiniband")
        states = []
        async for now in coming:
            if not now.rails:
                break
            states.append(now.rails["rocep1s0f1"].up)
        assert states[-1] is None, "nobody says until the next slow look"


async def test_nonsense_in_the_kernel_s_files_is_unknown(machine: Path) -> None:
    port = machine / "sys/class/infiniband/rocep1s0f1/ports/1"
    (port / "counters/port_rcv_data").write_text(str(2**64 - 1))
    (port / "counters/port_xmit_data").write_text("9" * 300)
    (port / "counters/link_downed").write_bytes(b"\xff\x00")
    (machine / "sys/devices/0000:00:00.0/0000:01:00.1/current_link_width").write_text("255")
    (machine / "proc/vmstat").write_text("oom_kill")
    (now,) = await said(Node(), machine)
    rail = now.rails["rocep1s0f1"]
    assert (rail.rx, rail.tx, rail.counts.get("link_downed"), rail.counts["np_cnp_sent"]) == (
        None,
        None,
        None,
        7,
    )
    assert (now.buses, now.oom_kills) == ({}, None)
    assert now.memory is not None


async def test_this_machine_can_be_sampled() -> None:
    before, now = await said(Node(), "", 2)
    assert now.memory is not None
    assert now.mono_s > before.mono_s
    assert now.cpu_total >= before.cpu_total > 0


def smi(folder: Path, text: str) -> dict[str, str]:
    """A PATH on which nvidia-smi is this script, and NVIDIA's library is not."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)
    return {"PATH": f"{tool.parent}:{os.environ['PATH']}"}


async def test_without_the_library_the_tool_is_asked(machine: Path) -> None:
    variables = smi(machine, """case $1 in
      *gpu=name*) echo 'NVIDIA GB10, GPU-1, 580.95.05, 71, 48.20, [N/A], 2411, P0';;
      *) echo '12, /usr/bin/python3, a b, 100'; echo '13, Xorg, [N/A]';;
    esac""")  # fmt: skip
    now = (await said(Node(variables), machine, until="gpus"))[-1]
    (gpu,) = now.gpus
    assert (gpu.name, gpu.utilisation, gpu.power_w, gpu.temperature_c) == ("NVIDIA GB10", 71, 48.2, None)
    assert (gpu.clock_mhz, gpu.pstate, gpu.driver) == (2411, "P0", "580.95.05")
    assert now.gpu_processes == (
        GpuProcess(12, "/usr/bin/python3, a b", 100 << 20),
        GpuProcess(13, "Xorg", None),
    )


async def test_the_testbed_s_spark_has_a_gpu(machine: Path) -> None:
    shims = Path(__file__).parents[1] / "testbed" / "shims"
    now = (await said(Node({"PATH": f"{shims}:{os.environ['PATH']}"}), machine, until="gpus"))[-1]
    assert now.gpus[0].name == "NVIDIA GB10"
    assert now.gpus[0].power_w == 4.45
    assert (now.gpus[0].clock_max_mhz, now.gpus[0].held) == (3003, ())
    assert now.gpu_error == ""


async def test_a_driver_that_does_not_know_a_field_is_asked_without(machine: Path) -> None:
    variables = smi(machine, """case $1 in
      *clocks.max*) echo 'Field "clocks.max.sm" is not a valid field to query.'; exit 2;;
      *gpu=name*) echo 'NVIDIA GB10, GPU-1, 580.95.05, 71, 48.20, 61, 2411, P0';;
    esac""")  # fmt: skip
    (gpu,) = (await said(Node(variables), machine, until="gpus"))[-1].gpus
    assert (gpu.clock_mhz, gpu.clock_max_mhz, gpu.held) == (2411, None, None)


async def test_a_tool_that_hangs_holds_up_no_line(machine: Path) -> None:
    found = await said(Node(smi(machine, "exec sleep 60")), machine, 5)
    assert [s.gpus for s in found] == [()] * 5


async def test_what_the_driver_says_instead_is_told(machine: Path) -> None:
    variables = smi(machine, "echo NVIDIA-SMI has failed; exit 9")
    assert (await said(Node(variables), machine, until="gpu_error"))[-1].gpu_error == "NVIDIA-SMI has failed"


def test_a_tool_that_starts_much_is_asked_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a script, and each of its commands is a process."""
    made = smi(tmp_path, """for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (:); done
      echo 'NVIDIA GB10, GPU-1, 580.95.05, 71, 48.20, 61, 2411, P0'""")  # fmt: skip
    monkeypatch.setenv("PATH", made["PATH"])
    script = sampler_gpu.Smi()
    for _ in range(3):
        assert script.reading()["gpus"]
    assert script.least is not None
    assert script.least >= 42
    assert script.least / script.rest <= sampler_gpu.STARTS or script.rest == sampler_gpu.MOST_REST_S
    assert script.rest > sampler_gpu.TOOL_S


NVML = r"""
#include <string.h>
typedef struct { unsigned pid; unsigned long long used; unsigned a, b; } row;
const char *nvmlErrorString(int e) { return e == 9 ? "Driver Not Loaded" : "other"; }
int nvmlInit_v2(void) { return REFUSES; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { strncpy(s, "580.95.05", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(0x7f0000000000UL + i); return 0; }
static int is(void *h) { return h == (void *)0x7f0000000000UL ? 0 : 2; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) { strncpy(s, "NVIDIA GB10", n); return is(h); }
int nvmlDeviceGetUUID(void *h, char *s, unsigned n) { strncpy(s, "GPU-1", n); return is(h); }
int nvmlDeviceGetUtilizationRates(void *h, unsigned *u) { u[0] = 71; u[1] = 0; return is(h); }
int nvmlDeviceGetPowerUsage(void *h, unsigned *p) { *p = 48200; return is(h); }
int nvmlDeviceGetTemperature(void *h, unsigned s, unsigned *t) { *t = 70 + s; return is(h); }
int nvmlDeviceGetClockInfo(void *h, unsigned c, unsigned *m) { return 3; }
int nvmlDeviceGetMaxClockInfo(void *h, unsigned c, unsigned *m) { *m = 3003; return is(h); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *h, unsigned long long *b) {
  *b = 0x25; return HELD ? HELD : is(h);
}
int nvmlDeviceGetPerformanceState(void *h, unsigned *p) { *p = 0; return is(h); }
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, row *r) {
  r[0].pid = 12; r[0].used = 1ULL << 36; r[1].pid = 13; r[1].used = ~0ULL; *n = 2; return is(h);
}
int nvmlSystemGetProcessName(unsigned p, char *s, unsigned n) {
  strncpy(s, p == 12 ? "VLLM::Worker" : "x", n); return 0;
}
"""


def nvml(folder: Path, refuses: int = 0, held: int = 0) -> dict[str, str]:
    """NVIDIA's library as a stand-in that answers by the same calls."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (folder / "nvml.c").write_text(NVML)
    words = ("cc", "-shared", "-fPIC", f"-DREFUSES={refuses}", f"-DHELD={held}", "-o", "libnvidia-ml.so.1")
    subprocess.run((*words, "nvml.c"), cwd=folder, check=True, timeout=60)
    return {"LD_LIBRARY_PATH": str(folder)}


async def test_the_library_is_asked_in_the_same_process(machine: Path) -> None:
    now = (await said(Node(nvml(machine)), machine, until="gpus"))[-1]
    (gpu,) = now.gpus
    assert (gpu.name, gpu.uuid, gpu.driver, gpu.pstate) == ("NVIDIA GB10", "GPU-1", "580.95.05", "P0")
    assert (gpu.utilisation, gpu.power_w, gpu.temperature_c, gpu.clock_mhz) == (71, 48.2, 70, None)
    assert (gpu.clock_max_mhz, gpu.memory_clock_mhz, gpu.held) == (3003, None, ("power cap", "heat"))
    assert now.gpu_processes == (GpuProcess(12, "VLLM::Worker", 1 << 36), GpuProcess(13, "x", None))
    assert now.gpu_error == ""


async def test_a_driver_that_cannot_say_what_holds_the_clock_is_asked_for_the_rest(machine: Path) -> None:
    (gpu,) = (await said(Node(nvml(machine, held=999)), machine, until="gpus"))[-1].gpus
    assert (gpu.utilisation, gpu.power_w, gpu.held) == (71, 48.2, None)


async def test_a_library_without_a_driver_says_so(machine: Path) -> None:
    now = (await said(Node(nvml(machine, refuses=9)), machine, until="gpu_error"))[-1]
    assert now.gpu_error == "NVML: Driver Not Loaded"


async def test_it_ends_when_its_input_ends() -> None:
    pipe = await LocalShell("spark1").pipe(argv(60))
    async with asyncio.timeout(20):
        await pipe.write(program())
        assert await pipe.read()
        await pipe.close_input()
        assert (await pipe.wait()).status == 0


def test_it_ends_when_nobody_reads() -> None:
    with subprocess.Popen(
        argv(PERIOD_S), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(program())
        assert running.stdout.read(1) == b"{"
        running.stdout.close()
        assert running.wait(timeout=20) == 0


async def test_nothing_is_left_behind_when_the_asking_ends(machine: Path) -> None:
    await said(Node(), machine)
    mark = str(machine).encode()
    assert [line for line in command_lines() if mark in line] == []


async def gone(mark: str) -> bool:
    """Nothing runs any more that has it in its command line; waited for within reason."""
    for _ in range(400):
        if not any(mark.encode() in line for line in command_lines()):
            return True
        await asyncio.sleep(0.02)
    return False


def command_lines() -> Iterator[bytes]:
    """Of everything that runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


async def test_lines_that_are_none_are_handed_on(tmp_path: Path) -> None:
    tool = tmp_path / "python3"
    tool.write_text('#!/bin/sh\necho hello\necho \'{"t": 1, "m": 2}\'\nexec cat >/dev/null\n')
    tool.chmod(0o755)
    garbage: list[str] = []
    async with (
        asyncio.timeout(20),
        aclosing(samples(Node(python=str(tool)), garbage=garbage.append)) as coming,
    ):
        assert (await anext(coming)).mono_s == 2
    assert garbage == ["hello"]


async def test_over_ssh_a_lost_connection_is_no_end(tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    key = write_client_key(home)
    async with SshServer("spark", key).listening() as server:
        (home / ".ssh" / "known_hosts").write_text(server.known_hosts_line() + "\n")
        node = SparkNode(name="spark1", address="127.0.0.1", user="spark", port=server.port)
        shell = await connect_ssh(node)
        coming = samples(shell, period_s=PERIOD_S, root=str(tmp_path))
        async with asyncio.timeout(20), aclosing(coming):
            await anext(coming)
            server.cut()
            with pytest.raises(Unreachable):
                async for _ in coming:
                    pass
        await shell.aclose()


async def test_over_ssh_nothing_is_left_behind(tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    key = write_client_key(home)
    async with SshServer("spark", key).listening() as server:
        (home / ".ssh" / "known_hosts").write_text(server.known_hosts_line() + "\n")
        shell = await connect_ssh(
            SparkNode(name="spark1", address="127.0.0.1", user="spark", port=server.port)
        )
        coming = samples(shell, period_s=PERIOD_S, root=str(tmp_path))
        async with asyncio.timeout(20), aclosing(coming):
            await anext(coming)
            assert any(str(tmp_path).encode() in line for line in command_lines())
        assert await gone(str(tmp_path))
        assert len(server.commands) == 1
        await shell.aclose()


@pytest.mark.parametrize(
    ("text", "why"),
    [("exit 127", "python3 is not there"), ("echo 'SyntaxError: no' >&2; exit 1", "SyntaxError: no")],
)
async def test_a_node_that_cannot_run_it_says_why(tmp_path: Path, text: str, why: str) -> None:
    tool = tmp_path / "python3"
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)
    with pytest.raises(NoSampler, match=why):
        await said(Node(python=str(tool)), tmp_path)


def test_the_program_is_python_3_8_and_needs_nothing_of_ours() -> None:
    size, _, text = program().partition(b"\n")
    assert int(size) == len(text)
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not any(name and name.startswith("sparkconsole") for name in imported)
    assert "sampler" in argv(1.0)


FLOOD = """#!/bin/sh
while echo '{"t": 1, "m": 1}'; do :; done 2>/dev/null
"""


async def test_a_sampler_that_floods_is_ended(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text(FLOOD)
    (tmp_path / "python3").chmod(0o755)
    flood = Node(python=str(tmp_path / "python3"))
    found: list[Sample] = []
    with pytest.raises(TooMuch, match="says too much"):
        await taken(flood, found)
    assert len(found) >= MOST_LINES
    assert await gone(str(tmp_path))


async def taken(node: LocalShell, found: list[Sample]) -> None:
    async with asyncio.timeout(60), aclosing(samples(node)) as coming:
        async for sample in coming:
            found.append(sample)


def test_minutes_at_once_are_no_flood_and_long_lines_are() -> None:
    lines, sizes = (
        Allowance(MOST_LINES, MOST_LINES / REFILLED_S),
        Allowance(MOST_BYTES, MOST_BYTES / REFILLED_S),
    )
    assert all(lines.takes(1, 60.0) and sizes.takes(2000, 60.0) for _ in range(MOST_LINES))
    assert all(lines.takes(1, 60.0 + s) and sizes.takes(2000, 60.0 + s) for s in range(1, 3600))
    assert not all(sizes.takes(1_000_000, 3660.0 + second) for second in range(100))
    flood = Allowance(MOST_LINES, MOST_LINES / REFILLED_S)
    assert not all(flood.takes(1, 1.0) for _ in range(700))
