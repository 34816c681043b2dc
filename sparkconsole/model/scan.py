"""What a scan of a subnet found: who answers, and who of them is a DGX Spark."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answering:
    """One address where something answered on the SSH port."""

    address: str
    banner: str = ""
    """First line it said; empty: it accepted the connection and said nothing."""
    refused: bool = False
    """The machine is there and its port is closed."""

    @property
    def ssh(self) -> bool:
        """It is an SSH server."""
        return self.banner.startswith("SSH-")

    @property
    def order(self) -> int:
        """Sorts addresses as numbers: .9 before .10."""
        return int(ipaddress.ip_address(self.address))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a machine says it is."""

    hostname: str = ""
    gpus: tuple[str, ...] = ()
    product: str = ""

    @property
    def is_spark(self) -> bool:
        """It has a GB10, by its GPU's name (`NVIDIA GB10`) or its product's (`NVIDIA_DGX_Spark`)."""
        product = self.product.replace("_", " ").lower()
        return any("GB10" in gpu for gpu in self.gpus) or "dgx spark" in product or "gb10" in product


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address with what is known of it: a node to add, or the reason why not."""

    address: str
    reason: str
    accepted: bool | None = False
    """It is a Spark that could be a node; None: nobody could look."""
    name: str = ""
