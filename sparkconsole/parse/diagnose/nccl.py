"""What NCCL says of its network in a log: line by line the transport and the node that spoke, and as a whole
whether it is RDMA or sockets, over half a cable or all of it.

The lines carry any number of tags in front; Ray's has the address of the node that spoke.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.model.text.printable import printable
from sparkconsole.parse.diagnose.log_frame import Framed

_ADDRESS = re.compile(r"\([\w.]+ [^()]*?\bip=(?P<ip>[0-9A-Fa-f.:]+)\)")
_FOUND = re.compile(r"NCCL INFO NET/(?P<net>IB|Socket)\w* ?: Using (?P<devices>[^;]*)")
"""The parts after `;` are the out-of-band interface."""
_DEVICE = re.compile(r"\[\d+\](?P<name>[\w.]+):\d+/(?:RoCE|IB)\b")
_NETWORK = re.compile(r"NCCL INFO Using network (?P<net>\S+)")
_CHANNEL = re.compile(r"NCCL INFO Channel \S{1,40} ?: .{0,300} via (?P<way>NET/(?P<net>\w+)|\w+)")
_REFUSED = re.compile(r"NET/IB ?: No device found|NCCL_IB_DISABLE set|Failed to initialize NET plugin IB")
_SPARK = re.compile(r"^roce(?:P\d+)?p\ds\df\d$")
"""GB10's RDMA devices; its twins differ by the `P2` of their PCI domain."""


def speaks_of_nccl(line: str) -> bool:
    """A line of NCCL's, or one about it."""
    return "NCCL" in line


def spoken_on(line: str) -> str:
    """The address of the node that said it, when Ray's tag has it; empty: the log's own node."""
    found = _ADDRESS.search(printable(line))
    return found["ip"] if found else ""


def transport(line: str, before: str = "") -> str:
    """`NET/IB ×2`, `NET/Socket`: what is in use after this line, when it was `before`.

    The devices are told first and the choice between networks after them; the count outlives the choice of
    the same network. A plugin's own name (`IBext_v10`) is its kind, `IB`.
    """
    text = printable(line)
    if found := _FOUND.search(text):
        count = len(_DEVICE.findall(found["devices"]))
        return f"NET/{found['net']}" + (f" ×{count}" if count else "")
    chosen = _NETWORK.search(text) or _CHANNEL.search(text)
    if chosen is None or chosen["net"] is None:
        return before
    name = f"NET/{'IB' if chosen['net'].startswith('IB') else chosen['net']}"
    return before if before.partition(" ")[0] == name else name


@dataclass
class NcclVerdict:
    """Fed with every line; `diagnoses` says what it comes to."""

    devices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By node, in the order NCCL lists them."""
    values: dict[str, str] = field(default_factory=dict)
    """The network by node, and the line that chose it."""
    ways: dict[str, str] = field(default_factory=dict)
    """How channels go, with a line that says so."""
    refused: str = ""
    _open: str | None = None

    def feed(self, line: Framed) -> None:
        """A list of devices may go on in the next line, behind a `\\`."""
        text = line.text
        if self._open is not None and _DEVICE.match(text.lstrip("\\ ")):
            self._add(self._open, text)
        self._open = None
        if "NCCL" not in text:
            return
        if (found := _FOUND.search(text)) and found["net"] == "IB":
            self._add(line.node, found["devices"])
            self._open = line.node if text.rstrip().endswith("\\") else None
        elif chosen := _NETWORK.search(text):
            self.values.setdefault(chosen["net"], text)
        elif channel := _CHANNEL.search(text):
            self.ways.setdefault(channel["net"] or channel["way"], text)
        elif _REFUSED.search(text):
            self.refused = self.refused or text

    def _add(self, node: str, text: str) -> None:
        self.devices[node] = tuple(dict.fromkeys((*self.devices.get(node, ()), *_DEVICE.findall(text))))

    def diagnoses(self) -> Iterator[Diagnosis]:
        """At most one of sockets and RDMA, and one for each node that uses half a cable."""
        nets = set(self.ways) & {"Socket"} or {n for n in self.ways if n.startswith("IB")}
        chosen = nets or (set() if self.ways else set(self.values))
        listed = {n: d for n, d in self.devices.items() if d}
        if "Socket" in chosen:
            yield self._sockets()
        elif listed or any(n.startswith("IB") for n in chosen):
            yield from self._rdma(listed)

    def _sockets(self) -> Diagnosis:
        line = self.ways.get("Socket") or self.values.get("Socket", "")
        why = "NCCL found no RDMA device" if self.refused else "NCCL chose, or was told to use, TCP"
        why += ": the container lacks /dev/infiniband, memlock or IPC_LOCK, or NCCL_IB_DISABLE is set"
        text = "NCCL uses TCP sockets: 2 to 3 GB/s instead of 20"
        remedy = "sparkconsole launch starts it with all of them; doctor shows what is missing"
        return Diagnosis("nccl-sockets", Weight.WARNING, text, why, remedy, line, kind=LineKind.FACT)

    def _rdma(self, listed: dict[str, tuple[str, ...]]) -> Iterator[Diagnosis]:
        halves = {n: d[0] for n, d in listed.items() if len(d) == 1 and _SPARK.match(d[0])}
        why = "a Spark's cable is two PCIe halves, and each carries about 100 Gb/s"
        remedy = "list both twins in NCCL_IB_HCA: sparkconsole launch does; both need a link and an address"
        for node, device in halves.items():
            text, line = f"NCCL uses one half of the cable: {device}", f"NET/IB : Using [0]{device}"
            kind = LineKind.FACT
            yield Diagnosis("nccl-one-half", Weight.WARNING, text, why, remedy, line, node, kind=kind)
        if not halves:
            yield self._roce(tuple(dict.fromkeys(name for d in listed.values() for name in d)))

    def _roce(self, devices: tuple[str, ...]) -> Diagnosis:
        values = {**self.values, **self.ways}
        plugin = next((net for net in values if net.startswith("IBext")), "")
        line = next((text for net, text in values.items() if net.startswith("IB")), "")
        sentence = "NCCL uses RDMA" + (f" over {', '.join(devices)}" if devices else "")
        sentence += f" by {plugin}" if plugin else ""
        why = "data goes over RoCE" + (", both halves of each cable" if len(devices) > 1 else "")
        return Diagnosis("nccl-rdma", Weight.INFO, sentence, why, "", line, kind=LineKind.FACT)
