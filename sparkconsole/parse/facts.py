"""The sections of one look at a machine become its facts."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.fabric import Fabric, Hca, Netdev
from sparkconsole.model.facts import DockerStanding, Memory, NodeFacts
from sparkconsole.parse.ibdev2netdev import parse_ibdev2netdev
from sparkconsole.parse.ip_addr import parse_ip_addr
from sparkconsole.parse.nvidia_smi import number, parse_gpu_used, parse_gpus
from sparkconsole.parse.rdma_sysfs import parse_rdma_sysfs


def parse_facts(text: str, mark: str, node: str) -> NodeFacts:
    """`text` has sections, each begun by a line `MARK NAME`; what is missing stays unknown."""
    parts = _sections(text, mark)
    host = [*parts.get("host", "").splitlines(), *[""] * 7]
    gpus, gpu_error = parse_gpus(parts.get("gpu", ""))
    return NodeFacts(
        node=node,
        hostname=host[0],
        kernel=host[1],
        machine=host[2],
        user=host[3],
        home=host[4],
        clock_s=number(host[5]),
        groups=tuple(host[6].split()),
        release=_release(parts.get("release", "")),
        fabric=parse_fabric(parts),
        gpus=gpus,
        gpu_error=gpu_error,
        gpu_used=parse_gpu_used(parts.get("gpuapps", "")),
        memory=parse_meminfo(parts.get("memory", "")),
        docker=_docker(parts.get("docker", "")),
        free={k: int(v) for k, v in _pairs(parts.get("disk", "")) if v.isdigit()},
        cache_owner=parts.get("cache", "").strip(),
        listening=frozenset(int(p, 16) for p in parts.get("listen", "").split()),
    )


def parse_fabric(parts: dict[str, str]) -> Fabric:
    """The RDMA ports by ibdev2netdev where it is there, else by sysfs; GIDs and GUIDs by sysfs."""
    named, unparsed = parse_ibdev2netdev(parts.get("ibdev2netdev", ""))
    seen = {(h.device, h.port): h for h in parse_rdma_sysfs(parts.get("rdma", ""))}
    hcas = tuple(_merged(h, seen.get((h.device, h.port))) for h in named) or tuple(seen.values())
    links = {n: (mtu, carrier) for n, mtu, carrier in _triples(parts.get("links", ""))}
    netdevs = tuple(_linked(n, links.get(n.name)) for n in parse_ip_addr(parts.get("ip", "")))
    return Fabric(hcas, netdevs, unparsed)


def parse_meminfo(text: str) -> Memory | None:
    """/proc/meminfo, kB; None without MemTotal and MemAvailable."""
    rows = {k.rstrip(":"): int(v.split()[0]) * 1024 for k, v in _pairs(text) if v.split()[0].isdigit()}
    if "MemTotal" not in rows or "MemAvailable" not in rows:
        return None
    return Memory(rows["MemTotal"], rows["MemAvailable"], rows.get("SwapTotal", 0), rows.get("SwapFree", 0))


def _merged(named: Hca, seen: Hca | None) -> Hca:
    if seen is None:
        return named
    return replace(named, rate=seen.rate, image_guid=seen.image_guid, gids=seen.gids)


def _linked(netdev: Netdev, link: tuple[str, str] | None) -> Netdev:
    if link is None:
        return netdev
    mtu, carrier = link
    up = {"1": True, "0": False}.get(carrier, netdev.up)
    return replace(netdev, mtu=int(mtu) if mtu.isdigit() else netdev.mtu, up=up)


def _docker(text: str) -> DockerStanding:
    words = text.split("\n")
    info = next((line[5:].split("|") for line in words if line.startswith("info ")), ["", "", ""])
    version, driver, root = [*info, "", "", ""][:3]
    return DockerStanding(
        installed="installed" in words,
        running="socket" in words and (bool(version) or "permitted" not in words),
        permitted="permitted" in words,
        version=version,
        driver=driver,
        root=root,
    )


def _release(text: str) -> str:
    rows = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return " ".join(rows.get(k, "").strip('"') for k in ("DGX_PRETTY_NAME", "DGX_SWBUILD_VERSION")).strip()


def _sections(text: str, mark: str) -> dict[str, str]:
    parts = [p.partition("\n") for p in text.split(f"\n{mark} ")[1:]]
    return {name.strip(): body for name, _, body in parts}


def _pairs(text: str) -> list[tuple[str, str]]:
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return [(r[0], r[1]) for r in rows if len(r) == 2]


def _triples(text: str) -> list[tuple[str, str, str]]:
    rows = (line.split() for line in text.splitlines())
    return [(r[0], r[1], r[2]) for r in rows if len(r) == 3]
