"""What our look at /sys/class/infiniband prints: `port DEVICE PORT NETDEV GUID`, state, rate, GIDs."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.fabric import Gid, Hca


def parse_rdma_sysfs(text: str) -> tuple[Hca, ...]:
    """The ports. `state` is `4: ACTIVE`; a port without a state is unknown."""
    hcas: list[Hca] = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "port" and len(fields := rest.split()) == 4 and fields[1].isdigit():
            device, port, netdev, guid = (f if f != "-" else "" for f in fields)
            hcas.append(Hca(device, netdev, int(port), image_guid=guid))
        elif hcas:
            hcas[-1] = _with(hcas[-1], word, rest)
    return tuple(hcas)


def _with(hca: Hca, word: str, rest: str) -> Hca:
    match word:
        case "state" if rest:
            return replace(hca, up=rest.startswith("4"))
        case "rate":
            return replace(hca, rate=rest)
        case "gid" if len(fields := rest.split(maxsplit=2)) == 3 and fields[0].isdigit():
            return replace(hca, gids=(*hca.gids, Gid(int(fields[0]), fields[1], fields[2])))
    return hca
