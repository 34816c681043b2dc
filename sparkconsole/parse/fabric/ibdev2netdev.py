"""`ibdev2netdev`: `rocep1s0f1 port 1 ==> enp1s0f1np1 (Up)`; any order of lines, unknown lines kept."""

from __future__ import annotations

import re

from sparkconsole.model.fabric.links import Hca

_LINE = re.compile(r"^(\S+)\s+port\s+(\d{1,9})\s+==>\s+(\S+)\s+\((Up|Down)\)\s*$", re.ASCII)


def parse_ibdev2netdev(text: str) -> tuple[tuple[Hca, ...], tuple[str, ...]]:
    """The ports, and the lines that were not understood."""
    hcas, unparsed = [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        if match := _LINE.match(line):
            hcas.append(Hca(match[1], match[3].partition("@")[0], int(match[2]), up=match[4] == "Up"))
        else:
            unparsed.append(line)
    return tuple(hcas), tuple(unparsed)
