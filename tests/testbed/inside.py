"""`Inside`: what a test does on a node, and what it can see there, whether by SSH or past it."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from pathlib import Path

from tests.testbed import keys, network
from tests.testbed.places import Places

CLEAN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
_ORDINARY = {"/home/spark/.cache", "/home/spark/.local", "/home/spark/.local/state"}


class Inside:
    """The nodes of one prefix, seen from the machine they all run on."""

    def __init__(self, places: Places | None = None) -> None:
        self.places = places or Places()

    def pid(self, index: int) -> int | None:
        """The machine's number for the node's PID 1 while it lives."""
        try:
            pid, start = self.places.pid_file(index).read_text().split()
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except (OSError, ValueError):
            return None
        return int(pid) if state[19] == start and state[0] not in "ZX" else None

    # --- hands on

    def exec(
        self, index: int, *argv: str, check: bool = True, stdin: bytes | None = None, user: str = "",
        timeout: float = 600,
    ) -> str:  # fmt: skip
        """Runs a command inside the node, without SSH; its output."""
        words = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *argv) if user else argv
        pid = self.pid(index)
        if pid is None:
            raise RuntimeError(f"{self.places.node(index)} is down")
        enter = ("nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", *words)
        done = subprocess.run(
            enter, input=stdin if stdin is not None else b"", capture_output=True, check=False, env=CLEAN,
            timeout=timeout,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode(errors="replace")

    def ssh_argv(self, index: int, *argv: str, user: str = "spark") -> tuple[str, ...]:
        """The operator's plain `ssh` to a node, which knows the node's key."""
        known = self.places.state / f"known-{self.places.node(index)}"
        known.write_text(f"{keys.known_line(self.places, index)}\n")
        settings = ("BatchMode=yes", f"UserKnownHostsFile={known}", "ConnectTimeout=10", "LogLevel=ERROR")
        options = (word for setting in settings for word in ("-o", setting))
        identity = ("-F", "none", "-i", str(keys.operator_key(self.places)))
        remote = (shlex.join(argv),) if argv else ()
        return self.operator_argv("ssh", *identity, *options, f"{user}@{self.places.address(index)}", *remote)

    def ssh(
        self, index: int, *argv: str, user: str = "spark", stdin: str = "", timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on a node as its user, over SSH from the operator's machine."""
        return subprocess.run(
            self.ssh_argv(index, *argv, user=user), env=CLEAN, capture_output=True, text=True, input=stdin,
            timeout=timeout, check=False,
        )  # fmt: skip

    def operator_argv(self, *argv: str) -> tuple[str, ...]:
        """The command, in the operator's network."""
        return ("nsenter", f"--net=/run/netns/{self.places.operator}", *argv)

    def read(self, index: int, path: str) -> str:
        """A file of the node, links followed as the node sees them."""
        return self.exec(index, "cat", path)

    def hide(self, index: int, tool: str) -> None:
        """Takes a tool such as ibdev2netdev or nvidia-smi off the node, until `show` or the next boot."""
        self.exec(index, "sh", "-c", f'mkdir -p /run/hidden && mv "$(command -v {tool})" /run/hidden/')

    def show(self, index: int, tool: str) -> None:
        """Puts a hidden tool back."""
        self.exec(index, "mv", f"/run/hidden/{tool}", "/usr/bin/" if tool == "nvidia-smi" else "/usr/sbin/")

    def set_hardware(self, index: int, **knobs: str) -> None:
        """What the hardware says (the knobs of node/face.sh); empty takes a knob away."""
        for name, value in knobs.items():
            path = f"/run/fakehw/{name}"
            put = f"printf '%s\\n' {shlex.quote(value)} >{path}" if value else f"rm -f {path}"
            self.exec(index, "sh", "-c", put)

    # --- what is there

    def logins(self, index: int) -> list[tuple[str, str]]:
        """(user, from address) of every login that sshd accepted since `up`, power cuts included."""
        log = self.places.state / self.places.node(index) / "up" / "upper" / "var" / "log" / "sshd.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return re.findall(r"Accepted publickey for (\S+) from (\S+) port", text)

    def containers(self, index: int) -> list[str]:
        """Names of all containers, running or not."""
        return self.exec(index, "docker", "ps", "-a", "--format", "{{.Names}}").split()

    def processes(self, index: int, pattern: str) -> list[str]:
        """`PID command line` of every process that matches, containers included; the dead do not count."""
        found = []
        for listing in self._proc(index).glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = listing.read_text(errors="replace").replace("\0", " ").strip()
                found.append((int(listing.parent.name), words))
        return [f"{pid} {words}" for pid, words in sorted(found) if words and re.search(pattern, words)]

    def listening(self, index: int) -> set[str]:
        """TCP ports somebody listens on."""
        tables = (self._proc(index) / "1" / "net" / name for name in ("tcp", "tcp6"))
        rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()]
        return {str(int(row[1].rsplit(":", 1)[1], 16)) for row in rows if row[3] == "0A"}

    def leftovers(self, index: int) -> list[str]:
        """Files that a run could have left: temporary ones, and folders of jobs."""
        # Docker's own client keeps the number of its builder in ~/.docker; the cache is the person's.
        # An engine that starts slowly makes containerd write its stacks to /tmp.
        kept = "-not -path '*/.ssh*' -not -path '*/huggingface*' -not -path '*/.docker*'"
        kept += " -not -name 'containerd.*.log'"
        find = f"find /tmp /var/tmp /home/spark -mindepth 1 {kept}"
        return [p for p in self.exec(index, "sh", "-c", find, check=False).splitlines() if p not in _ORDINARY]

    def rdma_states(self, index: int) -> dict[str, str]:
        """Per RDMA device what sysfs says of its port, such as `4: ACTIVE`."""
        ask = "cd /sys/class/infiniband && grep . */ports/1/state"
        found = self.exec(index, "sh", "-c", ask, check=False)
        return {line.split("/")[0]: line.split(":", 1)[1] for line in found.splitlines()}

    def rdma_bytes(self, index: int, device: str = "rocep1s0f1") -> tuple[int, int]:
        """(sent, received) by a port; sysfs counts them in words of four bytes."""
        counters = f"/sys/class/infiniband/{device}/ports/1/counters"
        names = ("port_xmit_data", "port_rcv_data")
        sent, received = (int(self.read(index, f"{counters}/{name}")) * 4 for name in names)
        return sent, received

    def _proc(self, index: int) -> Path:
        """The node's own /proc; nothing is there while it is down."""
        return Path(f"/proc/{self.pid(index) or 'none'}/root/proc")

    def namespaces(self) -> set[str]:
        """The testbed's network namespaces that are there."""
        return network.ours(self.places)
