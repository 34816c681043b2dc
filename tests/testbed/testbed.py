"""`Testbed`: nodes up and down, power cuts, cut cables, and a look at what is left on a node."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.testbed import network
from tests.testbed.keys import furnish, host_key, make_key, operator_home
from tests.testbed.places import CGROUPS, NETWORKS, Places

HERE = Path(__file__).resolve().parent
V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
_CLEAN = {
    "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Waits for a condition, with an end."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


class Testbed:
    """All nodes of one prefix. Nothing of it is in the machine's own network namespace."""

    __test__ = False

    def __init__(self, places: Places | None = None) -> None:
        self.places = places or Places()
        self._nodes: list[subprocess.Popen[bytes]] = []
        """What this process started: each lives as long as its node."""

    # --- life

    def up(self, count: int) -> None:
        """`count` nodes, reachable by SSH and with an engine that answers. What is up stays up."""
        self.places.state.mkdir(parents=True, exist_ok=True)
        network.lay_switch(self.places)
        for index in range(1, count + 1):
            self._boot(index)
        for index in range(1, count + 1):
            self.wait_ready(index)

    def boot(self, index: int) -> None:
        """Power on, with all cables in."""
        network.plug(self.places, index, NETWORKS, up=True)
        self._boot(index)
        self.wait_ready(index)

    def kill(self, index: int) -> None:
        """A power cut: the links go first, then every process of the node at once."""
        network.plug(self.places, index, NETWORKS, up=False)
        self._end(index)

    def down(self) -> None:
        """Every node off, every namespace, mount and control group gone; the disks stay."""
        for index in self.indices():
            self._end(index)
        for started in self._nodes:
            started.wait(20)
        network.remove(self.places)
        for mount in self._mounts():
            subprocess.run(("umount", "-l", mount), check=False, capture_output=True)
        for group in self._groups(""):
            with contextlib.suppress(OSError):
                group.rmdir()
        shutil.rmtree(self.places.state, ignore_errors=True)

    def clean(self) -> None:
        """The disks too."""
        shutil.rmtree(self.places.disk, ignore_errors=True)

    def keep_golden(self) -> None:
        """Node 1's image store becomes what new nodes start with; node 1 is stopped for it."""
        self.exec(1, "sh", "-c", "docker ps -aq | xargs -r docker rm -f; kill $(cat /run/docker.pid)")
        until(
            lambda: not self.exec(1, "pgrep", "-x", "dockerd", check=False).strip() or True, "engine stopped"
        )
        self._end(1)
        shutil.rmtree(self.places.golden, ignore_errors=True)
        shutil.move(self.places.disk / self.places.node(1) / "docker", self.places.golden)

    def indices(self) -> list[int]:
        """The nodes that were started."""
        found = (
            re.fullmatch(rf"{self.places.prefix}(\d+)\.pid", p.name) for p in self.places.state.glob("*.pid")
        )
        return sorted(int(m[1]) for m in found if m)

    def pid(self, index: int) -> int | None:
        """The machine's number for the node's PID 1 while it lives."""
        try:
            pid, start = self.places.pid_file(index).read_text().split()
            return (
                int(pid)
                if Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[19] == start
                else None
            )
        except (OSError, ValueError):
            return None

    def wait_ready(self, index: int) -> None:
        """Until sshd and the engine answer."""
        name = self.places.node(index)
        until(lambda: self.pid(index) is not None, f"{name} starts, see {self.places.state}/{name}.log")
        until(lambda: "22" in self.listening(index), f"sshd of {name}")
        until(lambda: self._answers(index, "docker", "version"), f"the engine of {name}")

    # --- what can go wrong

    def cut(self, index: int, *networks: str) -> None:
        """Pulls cables (fab, fab2, mgmt; all without a name)."""
        network.plug(self.places, index, networks or NETWORKS, up=False)

    def heal(self, index: int, *networks: str) -> None:
        """Puts them back."""
        network.plug(self.places, index, networks or NETWORKS, up=True)

    def rate(self, index: int, megabits: int | None) -> None:
        """Bounds the fabric towards a node."""
        network.limit(self.places, index, megabits)

    def freeze(self, index: int) -> None:
        """A hung machine: TCP connects, nothing answers."""
        self._freezer(index, frozen=True)

    def thaw(self, index: int) -> None:
        """And back."""
        self._freezer(index, frozen=False)

    def rekey(self, index: int) -> None:
        """Another host key, as after a new installation; takes effect at once."""
        shutil.rmtree(host_key(self.places, index).parent)
        fresh = host_key(self.places, index)
        shutil.copy(fresh, f"/proc/{self.pid(index)}/root/etc/ssh/ssh_host_ed25519_key")
        self.exec(index, "sh", "-c", "kill -HUP $(cat /run/sshd.pid)")

    # --- hands on

    def exec(
        self, index: int, *argv: str, check: bool = True, stdin: bytes | None = None, user: str = ""
    ) -> str:
        """Runs a command inside the node, without SSH; its output."""
        words = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *argv) if user else argv
        pid = self.pid(index)
        if pid is None:
            raise RuntimeError(f"{self.places.node(index)} is down")
        enter = ("nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", *words)
        done = subprocess.run(enter, input=stdin, capture_output=True, check=False, env=_CLEAN)
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode(errors="replace")

    def operator_environment(self, home: Path) -> dict[str, str]:
        """The environment of an operator with that home."""
        make_key(self.places.state / "operator" / "id_ed25519", "operator")
        return operator_home(self.places, home)

    def operator_argv(self, *argv: str) -> tuple[str, ...]:
        """The command, in the operator's network."""
        return ("nsenter", f"--net=/run/netns/{self.places.operator}", *argv)

    def operator(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        timeout: float = 600,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command of the operator's to its end."""
        return subprocess.run(
            self.operator_argv(*argv), env=dict(environment), capture_output=True, text=True,
            timeout=timeout, check=False, input=stdin if stdin is not None else "",
        )  # fmt: skip

    @contextlib.contextmanager
    def at_operator(self) -> Iterator[None]:
        """The calling thread is in the operator's network meanwhile (and so are threads it starts)."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.places.operator}", os.O_RDONLY)
        try:
            if libc.setns(there, 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            libc.setns(home, 0x40000000)
            os.close(home)
            os.close(there)

    # --- what is left

    def logins(self, index: int) -> list[tuple[str, str]]:
        """(user, from address) of every login that sshd accepted since boot."""
        log = self.exec(index, "cat", "/run/sshd.log", check=False)
        return re.findall(r"Accepted publickey for (\S+) from (\S+) port", log)

    def containers(self, index: int) -> list[str]:
        """Names of all containers, running or not."""
        return self.exec(index, "docker", "ps", "-a", "--format", "{{.Names}}").split()

    def processes(self, index: int, pattern: str) -> list[str]:
        """Command lines that match."""
        return self.exec(index, "pgrep", "-af", pattern, check=False).splitlines()

    def listening(self, index: int) -> set[str]:
        """TCP ports somebody listens on."""
        return set(re.findall(r":(\d+)\s", self.exec(index, "ss", "-ltnH", check=False)))

    def leftovers(self, index: int) -> list[str]:
        """Files that a run could have left: temporary ones, and folders of jobs."""
        # Docker's own client keeps the number of its builder in ~/.docker; the cache is the person's.
        kept = "-not -path '*/.ssh*' -not -path '*/huggingface*' -not -path '*/.docker*'"
        find = f"find /tmp /var/tmp /home/spark -mindepth 1 {kept}"
        keep = {"/home/spark/.cache", "/home/spark/.local", "/home/spark/.local/state"}
        return [p for p in self.exec(index, "sh", "-c", find, check=False).splitlines() if p not in keep]

    # --- inside

    def _answers(self, index: int, *argv: str) -> bool:
        try:
            self.exec(index, *argv)
        except RuntimeError:
            return False
        return True

    def _boot(self, index: int) -> None:
        if self.pid(index) is not None:
            return
        self._prepare(index)
        name = self.places.node(index)
        environment = {
            "TB_NAME": name, "TB_INDEX": str(index), "TB_HERE": str(HERE), "TB_PREFIX": self.places.prefix,
            "TB_STATE": str(self.places.state / name), "TB_DISK": str(self.places.disk / name),
            "TB_PIDFILE": str(self.places.pid_file(index)), "TB_FABRIC": NETWORKS["fab"][1],
            "TB_CGROUPS": " ".join(str(g) for g in self._groups(name)),
            "TB_CGROUP_PARENT": f"/{self.places.prefix}-tb/{name}",
        }  # fmt: skip
        unshare = ("unshare", "--mount", "--uts", "--ipc", "--propagation", "private")
        with (self.places.state / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                ("nsenter", f"--net=/run/netns/{name}", *unshare, "bash", str(HERE / "node" / "setup.sh")),
                env={**_CLEAN, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._nodes.append(started)

    def _prepare(self, index: int) -> None:
        name = self.places.node(index)
        self.places.pid_file(index).unlink(missing_ok=True)
        network.lay_node(self.places, index)
        furnish(self.places, index)
        state, disk = self.places.state / name, self.places.disk / name
        if self.places.golden.is_dir() and not (disk / "docker").exists():
            self._clone_store(disk / "docker")
        (disk / "docker").mkdir(parents=True, exist_ok=True)
        up = state / "up"
        up.mkdir(parents=True, exist_ok=True)
        if not os.path.ismount(up):
            subprocess.run(
                ("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", f"tb-{name}", str(up)), check=True
            )
        for folder in (up / "upper", up / "work", state / "root"):
            folder.mkdir(parents=True, exist_ok=True)
        for group in self._groups(name):
            _make_group(group)

    def _clone_store(self, target: Path) -> None:
        """Layers as hard links, for they are never written; databases as real copies."""
        target.mkdir(parents=True)
        for part in self.places.golden.iterdir():
            how = "-al" if part.name == "overlay2" else "-a"
            subprocess.run(("cp", how, str(part), str(target)), check=True)

    def _end(self, index: int) -> None:
        pid = self.pid(index)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until(lambda: not Path(f"/proc/{pid}").exists() or self.pid(index) is None, f"node {index} dies")
        self.places.pid_file(index).unlink(missing_ok=True)
        self._nodes = [n for n in self._nodes if n.poll() is None]
        for group in self._groups(self.places.node(index)):
            subprocess.run(
                ("find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"),
                capture_output=True, check=False,
            )  # fmt: skip

    def _groups(self, name: str) -> list[Path]:
        """The node's control groups: one per controller in version 1, one in all in version 2 (untried)."""
        roots = [CGROUPS / c for c in V1_CONTROLLERS if (CGROUPS / c).is_dir()] or [CGROUPS]
        return [root / f"{self.places.prefix}-tb" / name for root in roots]

    def _freezer(self, index: int, *, frozen: bool) -> None:
        name = self.places.node(index)
        old = CGROUPS / "freezer" / f"{self.places.prefix}-tb" / name / "freezer.state"
        if old.exists():
            old.write_text("FROZEN" if frozen else "THAWED")
            return
        (CGROUPS / f"{self.places.prefix}-tb" / name / "cgroup.freeze").write_text(str(int(frozen)))

    def _mounts(self) -> list[str]:
        inside = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return sorted((m for m in inside if m.startswith(f"{self.places.state}/")), reverse=True)


def _make_group(group: Path) -> None:
    group.mkdir(parents=True, exist_ok=True)
    if "cpuset" in group.parts:  # version 1: a cpuset is unusable until it was told its processors
        for folder in (group.parent, group):
            for knob in ("cpuset.cpus", "cpuset.mems"):
                (folder / knob).write_text((CGROUPS / "cpuset" / knob).read_text())
