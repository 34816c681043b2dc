"""The GPU as the sampler asks it, on the node: by NVIDIA's library, else by nvidia-smi. Sent as text with
sampler_program.py: Python 3.8 or newer, its standard library only.

No process is started while the library answers; asking takes a fixed share of a core at most.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

SILENT_S = 15.0
"""A GPU driver that has said nothing for so long does not answer."""
RETRY_S = 60.0
"""Seconds until a driver that refused is asked again."""
SHARE = 0.005
"""Of one core, that asking the GPU may take on average."""
TOOL_TIMEOUT_S = 10.0
TOOL_S = 8.0
"""Seconds between looks by the tool, at least: each starts processes."""
STARTS = 2.5
"""Process starts a second that the tool may cause on average: it may be a script, which starts its own."""
MOST_REST_S = 30.0
"""They are counted for the whole machine, which may start many at that time."""
TROUBLE = (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError)


def tried(question: Callable[..., Any], *about: Any) -> Any:
    """The answer; None when the kernel has none: then it is unknown, and the rest is said all the same."""
    try:
        return question(*about)
    except TROUBLE:
        return None


class GpuTrouble(Exception):
    """What the driver says instead of an answer."""


class Nvml:
    """NVIDIA's own library, in this process: no process is started. OSError where it is not installed."""

    rest = 0.0

    def __init__(self) -> None:
        import ctypes

        self.c = ctypes
        self.lib = ctypes.CDLL("libnvidia-ml.so.1")
        self.lib.nvmlErrorString.restype = ctypes.c_char_p
        self.check(self.lib.nvmlInit_v2())
        self.driver = self.string(self.lib.nvmlSystemGetDriverVersion)
        self.row = row_type(ctypes)
        count = self.got(ctypes.c_uint(0), self.lib.nvmlDeviceGetCount_v2).value
        self.devices = [self.device(n) for n in range(count)]

    def check(self, code: int) -> None:
        """Raises what the library says, unless it is success."""
        if code:
            raise GpuTrouble("NVML: " + (self.lib.nvmlErrorString(code) or b"").decode("utf-8", "replace"))

    def got(self, found: Any, call: Any, *about: Any) -> Any:
        """What the library puts into `found`, or trouble."""
        self.check(call(*about, self.c.byref(found)))
        return found

    def device(self, index: int) -> Any:
        """What a GPU is, and stays."""
        handle = self.got(self.c.c_void_p(), self.lib.nvmlDeviceGetHandleByIndex_v2, self.c.c_uint(index))
        name = self.string(self.lib.nvmlDeviceGetName, handle)
        return handle, name, self.string(self.lib.nvmlDeviceGetUUID, handle)

    def string(self, call: Any, *handle: Any) -> str:
        """A text; empty where this GPU has none."""
        room = self.c.create_string_buffer(256)
        return "" if call(*handle, room, self.c.c_uint(256)) else room.value.decode("utf-8", "replace")

    def figure(self, calls: str, handle: Any, *more: int, kind: Any = None) -> int | None:
        """A number, by the first of these calls that the library has; None for what this GPU does not
        support. A GPU that fell off the bus is trouble."""
        for call in calls.split():
            asked = tried(getattr, self.lib, call)
            if asked is not None:
                found = (kind or self.c.c_uint)(0)
                code = asked(handle, *(self.c.c_uint(m) for m in more), self.c.byref(found))
                if code in LOST and kind is None:
                    self.check(code)
                return None if code else found.value
        return None

    def reading(self) -> dict[str, Any]:
        """Every GPU and what computes on it."""
        procs = [row for handle, _, _ in self.devices for row in self.processes(handle)]
        error = "" if self.devices else "the driver lists no GPU"
        return {"gpus": [self.gpu(*d) for d in self.devices], "procs": procs, "gpu_error": error}

    def gpu(self, handle: Any, name: str, uuid: str) -> dict[str, Any]:
        """One GPU now."""
        power = self.figure("nvmlDeviceGetPowerUsage", handle)
        state = self.figure("nvmlDeviceGetPerformanceState", handle)
        return {
            "name": name,
            "uuid": uuid,
            "driver": self.driver,
            "util": self.use(handle),
            "power": None if power is None else power / 1000.0,
            "temp": self.figure("nvmlDeviceGetTemperature", handle, 0),
            "clock": self.figure("nvmlDeviceGetClockInfo", handle, 1),
            "clock_max": self.figure("nvmlDeviceGetMaxClockInfo", handle, 1),
            "mem_clock": self.figure("nvmlDeviceGetClockInfo", handle, 2),
            "throttle": tried(self.held_by, handle),
            "pstate": f"P{state}" if state is not None and state < UNKNOWN_STATE else "",
        }

    def held_by(self, handle: Any) -> int | None:
        """The bits that say why the clock is held; a driver that cannot say it keeps its other readings."""
        return self.figure(HELD, handle, kind=self.c.c_ulonglong)

    def use(self, handle: Any) -> int | None:
        """Percent of the time in which something computed."""
        both = (self.c.c_uint * 2)()
        return None if self.lib.nvmlDeviceGetUtilizationRates(handle, both) else both[0]

    def processes(self, handle: Any) -> list[list[Any]]:
        """Rows of pid, name, bytes. A GB10 says no bytes for graphics, only for what computes."""
        rows = self.listed(handle)
        return [[r.pid, self.called(r.pid), r.used if r.used != UNKNOWN_BYTES else None] for r in rows]

    def listed(self, handle: Any) -> list[Any]:
        """The list may grow between the question for its length and the one for itself."""
        for call in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
            asked = tried(getattr, self.lib, call)
            if asked is not None:
                room = (self.row * MOST_PROCESSES)()
                count = self.c.c_uint(MOST_PROCESSES)
                return [] if asked(handle, self.c.byref(count), room) else list(room[: count.value])
        return []

    def called(self, pid: int) -> str:
        """As nvidia-smi calls it."""
        return self.string(self.lib.nvmlSystemGetProcessName, self.c.c_uint(pid))


HELD = "nvmlDeviceGetCurrentClocksEventReasons nvmlDeviceGetCurrentClocksThrottleReasons"
"""The bits that say why the clock is held, by the name of newer libraries and that of older ones."""
LOST = (15, 999)
"""The GPU is lost; unknown error."""
UNKNOWN_STATE = 32
UNKNOWN_BYTES = (1 << 64) - 1
MOST_PROCESSES = 256


def mib(cell: str) -> int:
    """Bytes."""
    return int(cell) << 20


def row_type(c: Any) -> Any:
    """nvmlProcessInfo_t, as the calls of version 2 and 3 fill it."""
    kinds = (("pid", c.c_uint), ("used", c.c_ulonglong), ("instance", c.c_uint), ("compute", c.c_uint))
    return type("Row", (c.Structure,), {"_fields_": list(kinds)})


class Smi:
    """The tool, where the library is not to be had: two processes a look, and looks are rare."""

    gpu = ("name", "uuid", "driver_version", "utilization.gpu", "power.draw", "temperature.gpu", "clocks.sm")
    keys = ("name", "uuid", "driver", "util", "power", "temp", "clock", "pstate", "clock_max", "throttle")
    more: tuple[str, ...] = (",clocks.max.sm,clocks_throttle_reasons.active",)
    """Fields that some drivers do not know: then they refuse the whole question."""

    def __init__(self) -> None:
        self.least: int | None = None

    @property
    def rest(self) -> float:
        """Seconds between looks, at least. What a look starts is what the cheapest one did."""
        return max(TOOL_S, min((self.least or 0) / STARTS, MOST_REST_S))

    def reading(self) -> dict[str, Any]:
        """Every GPU and what computes on it."""
        before = tried(started)
        answer = self.answered()
        after = tried(started)
        if before is not None and after is not None:
            self.least = after - before if self.least is None else min(self.least, after - before)
        return answer

    def answered(self) -> dict[str, Any]:
        """By two questions."""
        rows = [self.row(line) for line in self.gpu_lines() if "," in line]
        apps = self.asked("compute-apps", "pid,process_name,used_gpu_memory")
        procs = [row for row in (tried(self.process, a) for a in apps) if row]
        return {"gpus": rows, "procs": procs, "gpu_error": "" if rows else "nvidia-smi lists no GPU"}

    def gpu_lines(self) -> list[str]:
        """With as many fields as this driver knows."""
        fields = ",".join((*self.gpu, "pstate"))
        try:
            return self.asked("gpu", fields + "".join(self.more))
        except GpuTrouble as trouble:
            if not self.more or "not a valid field" not in str(trouble):
                raise
        self.more = ()
        return self.asked("gpu", fields)

    def asked(self, what: str, fields: str) -> list[str]:
        """Its answer, a line a row."""
        import subprocess

        words = ["nvidia-smi", "--query-" + what + "=" + fields, "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(
                words, capture_output=True, check=False, timeout=TOOL_TIMEOUT_S, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise GpuTrouble("nvidia-smi is not there") from None
        except subprocess.TimeoutExpired:
            raise GpuTrouble(f"nvidia-smi did not answer within {TOOL_TIMEOUT_S:.0f} s") from None
        text = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode:
            raise GpuTrouble(" ".join(text.split())[:300] or f"nvidia-smi ended with {done.returncode}")
        return text.splitlines()

    def row(self, line: str) -> dict[str, Any]:
        """One GPU; a cell such as `[N/A]` is unknown."""
        cells = dict(zip(self.keys, (cell.strip() for cell in line.split(","))))  # noqa: B905 - not in 3.8
        wanted = ("util", "power", "temp", "clock", "clock_max")
        figures: dict[str, Any] = {key: tried(float, cells.get(key)) for key in wanted}
        return {**cells, **figures, "throttle": tried(int, cells.get("throttle"), 16)}

    def process(self, line: str) -> list[Any]:
        """`PID, NAME, MiB`; a name may have commas."""
        pid, rest = line.split(",", 1)
        name, used = rest.rsplit(",", 1)
        return [int(pid), name.strip(), tried(mib, used)]


class Gpus(threading.Thread):
    """Asks the GPU over and over, beside the line; what was slow is asked more rarely."""

    def __init__(self, period: float) -> None:
        super().__init__(daemon=True)
        self.period = period
        self.answer: dict[str, Any] = {}
        self.due = time.monotonic()

    def run(self) -> None:
        """For as long as the program runs."""
        while True:
            try:
                self.ask(source())
            except GpuTrouble as trouble:
                self.refused(str(trouble))
            except TROUBLE as trouble:
                self.refused(f"the GPU cannot be asked: {trouble}")
            time.sleep(RETRY_S)

    def ask(self, driver: Nvml | Smi) -> None:
        """Until there is trouble."""
        while True:
            began, spent = time.monotonic(), cost()
            answer = driver.reading()
            now = time.monotonic()
            due = max(began + max(self.period, driver.rest), now + (cost() - spent) / SHARE)
            self.answer, self.due = answer, due
            time.sleep(max(0.0, due - now))

    def refused(self, why: str) -> None:
        """It will be asked again later."""
        self.answer, self.due = nothing(why), time.monotonic() + RETRY_S

    def reading(self) -> dict[str, Any]:
        """The newest answer, or that none comes."""
        late = time.monotonic() - self.due
        return self.answer if late < SILENT_S else nothing("the GPU's driver does not answer")


def nothing(why: str) -> dict[str, Any]:
    """No GPU could be asked."""
    return {"gpus": [], "procs": [], "gpu_error": why}


def source() -> Nvml | Smi:
    """The library, else the tool; GpuTrouble when the driver is there and refuses."""
    try:
        return Nvml()
    except (OSError, ImportError, AttributeError):
        return Smi()


def started() -> int:
    """Processes that this machine has started since it booted."""
    with open("/proc/stat", "rb") as file:
        return int(file.read().split(b"\nprocesses ", 1)[1].split(None, 1)[0])


def cost() -> float:
    """Seconds of CPU that this thread and the tools it ran took."""
    times = os.times()
    return time.thread_time() + times.children_user + times.children_system
