"""Names and addresses of a testbed. Several can stand side by side: everything carries the prefix."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

FABRIC, FABRIC2, MANAGEMENT = "192.168.177", "192.168.178", "10.77.0"
NETWORKS = {
    "fab": ("enp1s0f1np1", FABRIC),
    "fab2": ("enP2p1s0f1np1", FABRIC2),
    "mgmt": ("enP7s7", MANAGEMENT),
}
"""Per switch: the interface of a node on it, and its subnet."""
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Places:
    """Where one testbed lives."""

    prefix: str = field(default_factory=lambda: os.environ.get("TESTBED_PREFIX", "spark"))

    @property
    def state(self) -> Path:
        """Pid files, keys and logs; on a tmpfs, gone with the machine."""
        return Path(f"/run/{self.prefix}-tb")

    @property
    def disk(self) -> Path:
        """The nodes' Docker data and homes; kept between `down` and `up`."""
        return Path(f"/var/lib/{self.prefix}-tb")

    @property
    def golden(self) -> Path:
        """An image store that new nodes start with, as hard links."""
        return Path(f"/var/lib/{self.prefix}-tb-golden")

    @property
    def switch(self) -> str:
        """The namespace of the three switches."""
        return f"{self.prefix}-sw"

    @property
    def operator(self) -> str:
        """The namespace of the operator's machine: no way out of it but to the nodes."""
        return f"{self.prefix}-op"

    def node(self, index: int) -> str:
        """A node's host name, and its namespace's."""
        return f"{self.prefix}{index}"

    def pid_file(self, index: int) -> Path:
        """Holds the machine's number for the node's PID 1."""
        return self.state / f"{self.node(index)}.pid"

    @staticmethod
    def address(index: int, network: str = "mgmt") -> str:
        """A node's address on a network."""
        return f"{NETWORKS[network][1]}.{10 + index}"
