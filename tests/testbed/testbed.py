"""`Testbed`: nodes up and down, power cuts, cut cables, hung machines, and the operator beside them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.testbed import engines, golden, groups, keys, network
from tests.testbed.inside import CLEAN, Inside
from tests.testbed.places import NETWORKS, Places
from tests.testbed.waiting import until

__all__ = ["Testbed", "until"]
HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
CLONE_NEWNET = 0x40000000


class Testbed(Inside):
    """All nodes of one prefix. Nothing of it is in the machine's own network namespace."""

    __test__ = False

    def __init__(self, places: Places | None = None) -> None:
        super().__init__(places)
        self._started: list[subprocess.Popen[bytes]] = []
        """What this process started: each lives as long as its node."""

    # --- life

    def up(self, count: int, golden_store: str = "") -> None:
        """`count` nodes that answer by SSH and have an engine. What is up stays up; wreckage is cleared.

        New disks start with the images of the golden store of that name, or the one in TESTBED_GOLDEN.
        """
        self.places.state.mkdir(parents=True, exist_ok=True)
        network.lay_switch(self.places)
        indices = range(1, count + 1)
        keys.introduce(self.places, indices)
        for index in indices:
            golden.give(self.places, index, golden_store or os.environ.get("TESTBED_GOLDEN", ""))
            self._start(index)
        for index in indices:
            self.wait_ready(index)

    def boot(self, index: int) -> None:
        """Power on, with all cables in."""
        keys.introduce(self.places, (index,))
        golden.give(self.places, index, "")
        self._start(index)
        network.plug(self.places, index, NETWORKS, up=True)
        self.wait_ready(index)

    def stop(self, index: int) -> None:
        """An orderly power-off: containers get their signal, the engine ends, then everything."""
        if self.pid(index) is None:
            return
        self.exec(index, "sh", "-c", "touch /run/powering-off; kill $(cat /run/docker.pid)", check=False)
        name = self.places.node(index)
        until(lambda: not self.processes(index, r"^dockerd "), f"the engine of {name} ends")
        self._end(index)

    def kill(self, index: int) -> None:
        """A power cut: the links go first, so that nobody hears a farewell, then every process at once."""
        network.plug(self.places, index, NETWORKS, up=False)
        self._end(index)

    def use_engine(self, index: int, suite: str = "", *, containerd: bool = False) -> None:
        """Boots the node with the engine of a Debian suite and no image, kept by a graph driver or as
        containerd does; without a suite with the machine's own engine and the images that it had."""
        self.stop(index)
        own = self.places.disk / self.places.node(index)
        aside, mark = own / "docker.aside", own / "engine"
        if mark.exists():
            mark.unlink()
            shutil.rmtree(own / "docker")
            aside.rename(own / "docker")
        if suite:
            mark.write_text(f"{engines.engine(suite)}\n{str(containerd).lower()}\n")
            (own / "docker").rename(aside)
            (own / "docker").mkdir()
        self.boot(index)

    def down(self) -> None:
        """Every node off, every namespace, mount and control group gone; the disks stay."""
        for index in {*self.indices(), *groups.known(self.places)}:
            self._end(index)
        for started in self._started:
            started.wait(30)
        network.remove(self.places)
        for mount in self._mounts():
            subprocess.run(("umount", "-l", mount), check=False, capture_output=True, timeout=60)
        groups.remove(self.places)
        shutil.rmtree(self.places.state, ignore_errors=True)

    def clean(self) -> None:
        """The disks too."""
        subprocess.run(("rm", "-rf", str(self.places.disk)), check=False, timeout=600)

    def keep_golden(self, name: str, index: int = 1) -> Path:
        """Keeps a node's images for new nodes to start with. Its containers go, and it is booted again."""
        self.exec(index, "sh", "-c", "docker ps -aq | xargs -r docker rm -f; docker volume prune -f")
        self.stop(index)
        kept = golden.keep(self.places, index, name)
        self.boot(index)
        return kept

    def indices(self) -> list[int]:
        """The nodes that were started."""
        names = (path.stem for path in self.places.state.glob("*.pid"))
        return sorted(index for name in names if (index := self.places.index(name)))

    def wait_ready(self, index: int) -> None:
        """Until sshd and the engine answer."""
        name = self.places.node(index)
        until(lambda: self.pid(index) is not None, f"{name} starts, see {self.places.state}/{name}.log")
        until(lambda: "22" in self.listening(index), f"sshd of {name}")
        until(lambda: self._answers(index, "docker", "version"), f"the engine of {name}")

    def tidy(self, indices: Iterable[int] | None = None) -> None:
        """Nodes as after `up`, for the next test: on, thawed, cables in, no limits, no containers."""
        for index in indices or self.indices():
            groups.freeze(self.places, index, frozen=False)
            groups.limit_memory(self.places, index, None)
            self.boot(index)
            self.rate(index, None)
            self.exec(index, "sh", "-c", "docker ps -aq | xargs -r docker rm -f")

    def sweep(self) -> None:
        """`tidy`, and nothing left of a test that failed half-way: no job, file or process of spark's."""
        self.tidy()
        for index in self.indices():
            self.exec(index, "pkill", "-9", "-u", "spark", check=False)
            for path in self.leftovers(index):
                self.exec(index, "rm", "-rf", path, check=False)

    # --- what can go wrong

    def cut(self, index: int, *networks: str) -> None:
        """Pulls cables (fab, fab2, mgmt; all without a name)."""
        network.plug(self.places, index, networks or NETWORKS, up=False)

    def heal(self, index: int, *networks: str) -> None:
        """Puts them back."""
        network.plug(self.places, index, networks or NETWORKS, up=True)

    def plug_operator(self, *, up: bool) -> None:
        """The operator's own cables, in or out."""
        network.plug_operator(self.places, up=up)

    def rate(self, index: int, megabits: int | None) -> None:
        """Bounds the fabric towards a node."""
        network.limit(self.places, index, megabits)

    def freeze(self, index: int) -> None:
        """A hung machine: TCP connects, nothing answers."""
        groups.freeze(self.places, index, frozen=True)

    def thaw(self, index: int) -> None:
        """And back."""
        groups.freeze(self.places, index, frozen=False)

    def limit_memory(self, index: int, mebibytes: int | None) -> None:
        """What all processes of the node may use together; None lifts it. Past it the kernel kills."""
        groups.limit_memory(self.places, index, mebibytes)

    def cpu_seconds(self, index: int) -> float:
        """Processor time that a node has used."""
        return groups.cpu_seconds(self.places, index)

    def rekey(self, index: int, *, original: bool = False) -> None:
        """Another host key, as after a new installation, or the first one again; takes effect at once."""
        change = keys.restore_host_key if original else keys.replace_host_key
        key = change(self.places, index).read_bytes()
        self.exec(index, "sh", "-c", "cat >/etc/ssh/ssh_host_ed25519_key", stdin=key)
        self.exec(index, "sh", "-c", "kill -HUP $(cat /run/sshd.pid)")
        until(lambda: "22" in self.listening(index), "sshd listens again")

    # --- the operator

    def operator_environment(self, home: Path | None = None) -> dict[str, str]:
        """The environment of an operator with that home; without one a fresh one, gone with the testbed."""
        if home is None:
            homes = self.places.state / "homes"
            homes.mkdir(parents=True, exist_ok=True)
            home = Path(tempfile.mkdtemp(dir=homes))
        return keys.operator_home(self.places, home)

    def operator(
        self, argv: Sequence[str], environment: Mapping[str, str] | None = None, *, timeout: float = 600,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Runs a command of the operator's to its end, in the operator's network."""
        return subprocess.run(
            self.operator_argv(*argv), env=dict(environment or self.operator_environment()),
            capture_output=True, text=True, timeout=timeout, check=False, input=stdin or "",
        )  # fmt: skip

    @contextlib.contextmanager
    def at_operator(self) -> Iterator[None]:
        """The calling thread is in the operator's network meanwhile (and so are threads it starts)."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.places.operator}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(home)
            os.close(there)

    # --- inside

    def _answers(self, index: int, *argv: str) -> bool:
        try:
            self.exec(index, *argv, timeout=30)
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True

    def _start(self, index: int) -> None:
        """Switches a node on, cables in, unless it is; whatever a crashed run left of it ends first."""
        if self.pid(index) is not None:
            return
        self._end(index)
        network.lay_node(self.places, index)
        network.plug(self.places, index, NETWORKS, up=True)
        keys.host_key(self.places, index)
        self._mount_upper(index)
        joins = groups.make(self.places, index)
        name = self.places.node(index)
        unshare = ("unshare", "--mount", "--uts", "--ipc", "--propagation", "private")
        with (self.places.state / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                ("nsenter", f"--net=/run/netns/{name}", *unshare, "bash", str(HERE / "node" / "setup.sh")),
                env={**CLEAN, **self._settings(index, joins)}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        self._started.append(started)

    def _settings(self, index: int, joins: list[Path]) -> dict[str, str]:
        name = self.places.node(index)
        mark = self.places.disk / name / "engine"
        engine, containerd = mark.read_text().split() if mark.exists() else ("", "")
        return {
            "TB_ENGINE": engine, "TB_CONTAINERD": containerd,
            "TB_NAME": name, "TB_INDEX": str(index), "TB_HERE": str(HERE), "TB_PREFIX": self.places.prefix,
            "TB_CHECKOUT": str(CHECKOUT), "TB_FABRIC": NETWORKS["fab"][1],
            "TB_STATE": str(self.places.state / name), "TB_DISK": str(self.places.disk / name),
            "TB_PIDFILE": str(self.places.pid_file(index)), "TB_CGROUPS": " ".join(map(str, joins)),
            "TB_CGROUP_PARENT": groups.parent(self.places, index),
        }  # fmt: skip

    def _mount_upper(self, index: int) -> None:
        """What the node writes to its root file system; it outlives a power cut, and not `down`."""
        state = self.places.state / self.places.node(index)
        up = state / "up"
        up.mkdir(parents=True, exist_ok=True)
        if not os.path.ismount(up):
            mount = ("mount", "-t", "tmpfs", "-o", "size=1g,mode=755", f"tb-{state.name}", str(up))
            subprocess.run(mount, check=True, timeout=60)
        for folder in (up / "upper", up / "work", state / "root"):
            folder.mkdir(parents=True, exist_ok=True)

    def _end(self, index: int) -> None:
        groups.freeze(self.places, index, frozen=False)  # what is frozen does not die
        pid = self.pid(index)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until(lambda: self.pid(index) is None, f"{self.places.node(index)} dies", 30)
        groups.end(self.places, index)
        self.places.pid_file(index).unlink(missing_ok=True)
        self._started = [started for started in self._started if started.poll() is None]

    def _mounts(self) -> list[str]:
        inside = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return sorted((m for m in inside if m.startswith(f"{self.places.state}/")), reverse=True)


def _enter(namespace: int) -> None:
    """Python 3.11 has no os.setns."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
