"""Names and addresses of a testbed. Several can stand side by side: everything carries the prefix."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

FABRIC, FABRIC2, MANAGEMENT = "192.168.177", "192.168.178", "10.77.0"
NETWORKS = {
    "fab": ("enp1s0f1np1", FABRIC),
    "fab2": ("enP2p1s0f1np1", FABRIC2),
    "mgmt": ("enP7s7", MANAGEMENT),
}
"""Per switch: the interface of a node on it, and its subnet."""
EMPTY_CAGE = {"cage": "enp1s0f0np0", "cage2": "enP2p1s0f0np0"}
"""The interfaces of the other QSFP cage: there, as on the real machine, and without a cable."""
CARD_OFFSETS = {"enP7s7": 0, "enp1s0f0np0": 1, "enp1s0f1np1": 2, "enP2p1s0f0np0": 5, "enP2p1s0f1np1": 6}
"""What a machine adds to its first hardware address, per interface."""
GOLDEN_STORES = Path("/var/lib/sparkconsole-golden")
"""Image stores that new nodes can start with, by name; on the disk of the nodes, for they are hard-linked."""


@dataclass(frozen=True)
class Places:
    """Where one testbed lives."""

    prefix: str = field(default_factory=lambda: os.environ.get("TESTBED_PREFIX", "spark"))

    def __post_init__(self) -> None:
        """A digit at the end would make `spark1` + `1` another testbed's node 11."""
        if not re.fullmatch(r"[a-z](?:[a-z0-9-]*[a-z])?", self.prefix):
            raise ValueError(f"a testbed's prefix is lower case and ends with a letter, not {self.prefix!r}")

    @property
    def state(self) -> Path:
        """Pid files, root file systems and logs; on a tmpfs, gone with the machine."""
        return Path(f"/run/{self.prefix}-tb")

    @property
    def disk(self) -> Path:
        """The nodes' Docker data, homes and keys; kept between `down` and `up`."""
        return Path(f"/var/lib/{self.prefix}-tb")

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

    def index(self, name: str) -> int | None:
        """The number of a node of this testbed, from its name."""
        found = re.fullmatch(rf"{re.escape(self.prefix)}([1-9]\d*)", name)
        return int(found[1]) if found else None

    def pid_file(self, index: int) -> Path:
        """Holds the machine's number for the node's PID 1."""
        return self.state / f"{self.node(index)}.pid"

    @staticmethod
    def address(index: int, network: str = "mgmt") -> str:
        """A node's address on a network."""
        return f"{NETWORKS[network][1]}.{10 + index}"

    @staticmethod
    def hardware_address(index: int, interface: str) -> str:
        """A node's hardware address of an interface, in a GB10 machine's order."""
        return f"4c:bb:47:00:{index:02x}:{0x10 + CARD_OFFSETS[interface]:02x}"
