"""RDMA ports: what our look at /sys/class/infiniband prints, and `ibdev2netdev`."""

from __future__ import annotations

import re
from dataclasses import replace

from sparkconsole.model.fabric.links import Gid, Hca
from sparkconsole.parse.values import whole

_NO_GUID = re.compile(r"[0:x]*")
_LINE = re.compile(r"^(\S+)\s+port\s+(\d{1,9})\s+==>\s+(\S+)\s+\((Up|Down)\)\s*$", re.ASCII)


def parse_rdma_sysfs(text: str) -> tuple[Hca, ...]:
    """The ports. `state` is `4: ACTIVE`; a port without a state is unknown."""
    hcas: list[Hca] = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "port" and len(fields := rest.split()) == 4 and (number := whole(fields[1])) is not None:
            device, _, netdev, guid = (f if f != "-" else "" for f in fields)
            known = "" if _NO_GUID.fullmatch(guid) else guid
            hcas.append(Hca(device, netdev.partition("@")[0], number, image_guid=known))
        elif hcas:
            hcas[-1] = _with(hcas[-1], word, rest.strip())
    return tuple(hcas)


def _with(hca: Hca, word: str, rest: str) -> Hca:
    match word:
        case "state" if rest:
            return replace(hca, up=rest.startswith("4:"))
        case "rate":
            return replace(hca, rate=rest)
        case "phys_state":
            return replace(hca, phys_state=rest.partition(": ")[2] or rest)
        case "gid" if len(fields := rest.split(maxsplit=2)) == 3 and (index := whole(fields[0])) is not None:
            return replace(hca, gids=(*hca.gids, Gid(index, fields[1], fields[2])))
    return hca


def parse_ibdev2netdev(text: str) -> tuple[tuple[Hca, ...], tuple[str, ...]]:
    """The ports, and the lines that were not understood."""
    hcas, unparsed = [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        if match := _LINE.match(line):
            hcas.append(Hca(match[1], match[3].partition("@")[0], int(match[2]), up=match[4] == "Up"))
        else:
            unparsed.append(line)
    return tuple(hcas), tuple(unparsed)
