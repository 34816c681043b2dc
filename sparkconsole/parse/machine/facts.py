"""The sections of one look at a machine become its facts; and one look at its memory alone."""

from __future__ import annotations

import re
from dataclasses import replace

from sparkconsole.errors import SparkError
from sparkconsole.model.fabric.links import Fabric, Netdev
from sparkconsole.model.facts import DockerAccess, Memory, NodeFacts
from sparkconsole.model.page_cache import MemoryState, RootWay
from sparkconsole.parse.fabric.ip_addr import parse_ip_addr
from sparkconsole.parse.fabric.rdma import parse_ibdev2netdev, parse_rdma_sysfs
from sparkconsole.parse.machine.deep_probe import DEEPER, parse_deep_probe
from sparkconsole.parse.machine.nvidia_smi import LONGEST, parse_gpu_processes, parse_gpus
from sparkconsole.parse.values import number, pairs, plain_name, plain_path, whole, yes_or_no

_LINE = re.compile(r"^(\w+):\s+(\d{1,15}) kB\s*$", re.ASCII)


def parse_facts(text: str, mark: str, node: str) -> NodeFacts:
    """`text` has sections, each begun by a line `MARK NAME`; what is missing stays unknown."""
    parts = _sections(text, mark)
    host = [line[:LONGEST] for line in (*parts.get("host", "").splitlines(), *[""] * 7)]
    gpus, gpu_error = parse_gpus(parts.get("gpu", ""), parts.get("gpulist", ""))
    fabric = parse_fabric(parts)
    return NodeFacts(
        node=node,
        hostname=plain_name(host[0]),
        kernel=host[1],
        machine=host[2],
        user=plain_name(host[3]),
        home=plain_path(host[4]),
        clock_s=number(host[5]),
        clock_synced=yes_or_no(parts.get("ntp", "").strip()),
        release=_release(parts.get("release", "")),
        fabric=fabric,
        gpus=gpus,
        gpu_error=gpu_error,
        gpu_processes=parse_gpu_processes(parts.get("gpuapps", "")),
        memory=parse_meminfo(parts.get("memory", "")),
        docker=_docker(parts.get("docker", "")),
        free=_free(parts),
        cache_owner=plain_name(parts.get("cache", "").strip()),
        listening=parse_listening(parts.get("listen", "")),
        unparsed=_unparsed(parts, fabric),
        deep_probe=parse_deep_probe(parts) if DEEPER & parts.keys() else None,
    )


def parse_fabric(parts: dict[str, str]) -> Fabric:
    """The RDMA ports by ibdev2netdev where it is there, else by sysfs; GIDs and GUIDs by sysfs."""
    named, unparsed = parse_ibdev2netdev(parts.get("ibdev2netdev", ""))
    seen = {(h.device, h.port): h for h in parse_rdma_sysfs(parts.get("rdma", ""))}
    both = ((h, seen.get((h.device, h.port))) for h in named)
    # What both say, and whether there is a link as ibdev2netdev says.
    merged = (replace(also, netdev=h.netdev, up=h.up) if also else h for h, also in both)
    hcas = tuple(h for h in tuple(merged) or seen.values() if plain_name(h.device))
    links = {row[0]: row[1:] for line in parts.get("links", "").splitlines() if len(row := line.split()) > 2}
    addressed = {n.name: n for n in parse_ip_addr(parts.get("ip", ""))}
    names = filter(plain_name, dict.fromkeys((*addressed, *links)))
    netdevs = tuple(_linked(addressed.get(n) or Netdev(n), links.get(n)) for n in names)
    return Fabric(hcas, netdevs, unparsed)


def _linked(netdev: Netdev, link: list[str] | None) -> Netdev:
    """With what sysfs says: MTU, carrier and speed; `-` is what it did not say."""
    if link is None:
        return netdev
    mtu, carrier, _, speed, *_ = (*link, *["-"] * 2)
    return replace(
        netdev,
        mtu=netdev.mtu if (size := whole(mtu)) is None else size,
        up={"1": True, "0": False}.get(carrier, netdev.up),
        speed_mbit=whole(speed),
    )


def _free(parts: dict[str, str]) -> dict[str, int]:
    """Bytes by place; the model cache's own file system is only looked at thoroughly."""
    deep = (("cache", v) for k, v in pairs(parts.get("thorough", "")) if k == "cache-free")
    rows = (*pairs(parts.get("disk", "")), *deep)
    return {k: n for k, v in rows if (n := whole(v)) is not None}


def _docker(text: str) -> DockerAccess:
    words = text.split("\n")
    info = next((line[5:].split("|") for line in words if line.startswith("info ")), [])
    version, driver, root, *_ = (*info, "", "", "")
    return DockerAccess(
        installed="installed" in words,
        running="socket" in words and (bool(version) or "permitted" not in words),
        permitted="permitted" in words,
        socket="socket" in words,
        version=version,
        driver=driver,
        root=plain_path(root),
    )


def _release(text: str) -> str:
    rows = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return " ".join(rows.get(k, "").strip('"') for k in ("DGX_PRETTY_NAME", "DGX_SWBUILD_VERSION")).strip()


def _unparsed(parts: dict[str, str], fabric: Fabric) -> tuple[str, ...]:
    """Lines of tools that answered with something else than we know."""
    addresses = parts.get("ip", "").strip()
    strange = addresses.splitlines()[:1] if addresses and not parse_ip_addr(addresses) else []
    values = {"ibdev2netdev": fabric.unparsed, "ip addr": strange}
    return tuple(f"{tool}: {line[:200]}" for tool, lines in values.items() for line in lines)


def _sections(text: str, mark: str) -> dict[str, str]:
    parts = [p.partition("\n") for p in text.split(f"\n{mark} ")[1:]]
    return {name.strip(): body for name, _, body in parts}


def parse_meminfo(text: str) -> Memory | None:
    """None without MemTotal and MemAvailable: what is free without the page cache says too little."""
    rows = _meminfo(text)
    if "MemTotal" not in rows or "MemAvailable" not in rows:
        return None
    return Memory(rows["MemTotal"], rows["MemAvailable"], rows.get("SwapTotal", 0), rows.get("SwapFree", 0))


def _meminfo(text: str) -> dict[str, int]:
    """Bytes by the name of their line."""
    return {m[1]: int(m[2]) * 1024 for line in text.splitlines() if (m := _LINE.match(line))}


def parse_memory_state(text: str, node: str) -> MemoryState:
    """One look; SparkError when it is not what was asked for."""
    count = _meminfo(text)
    try:
        way = RootWay(dict(pairs(text)).get("Way:", "none"))
        cached = count["Cached"] + count["Buffers"]
        return MemoryState(count["MemTotal"], count["MemFree"], count["MemAvailable"], cached, way)
    except (KeyError, ValueError) as error:
        raise SparkError("its /proc/meminfo is not understood", node=node) from error


def parse_listening(text: str) -> frozenset[int]:
    """The ports; other words are passed over."""
    ports = (whole(word, 16) for word in text.split())
    return frozenset(port for port in ports if port is not None and port < 65536)
