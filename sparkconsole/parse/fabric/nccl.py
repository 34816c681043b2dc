"""What NCCL says of its network in a log: the transport it uses, and on which node it said so.

The lines carry any number of tags in front; Ray's has the address of the node that spoke.
"""

from __future__ import annotations

import re

from sparkconsole.model.text.printable import printable

_ADDRESS = re.compile(r"\([\w.]+ [^()]*?\bip=(?P<ip>[0-9A-Fa-f.:]+)\)")
_USING = re.compile(r"NCCL INFO NET/(?P<net>IB\w*|Socket) ?: Using (?P<devices>.*)")
_DEVICE = re.compile(r"\[\d+\](\S+?:\d+)/(?:RoCE|IB)")
_INTERFACE = re.compile(r"\[\d+\](\S+?):\S*")
_CHOSEN = re.compile(r"NCCL INFO Using network (?P<net>\S+)")
_PATH = re.compile(r"NCCL INFO Channel .* via NET/(?P<net>IB\w*|Socket)/\d+")


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
    if using := _USING.search(text):
        return _named(using["net"], len(_devices(using["net"], using["devices"])))
    if chosen := _CHOSEN.search(text) or _PATH.search(text):
        name = _named(chosen["net"], 0)
        return before if before.split(" ", maxsplit=1)[0] == name else name
    return before


def _devices(net: str, text: str) -> list[str]:
    """The parts after `;` are the out-of-band interface."""
    pattern = _DEVICE if net.startswith("IB") else _INTERFACE
    return pattern.findall(text.partition(";")[0])


def _named(net: str, count: int) -> str:
    kind = "IB" if net.startswith("IB") else net
    return f"NET/{kind} ×{count}" if count and kind == "IB" else f"NET/{kind}"
