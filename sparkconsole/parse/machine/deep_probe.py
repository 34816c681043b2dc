"""The sections that only the doctor's look has; a line that is not understood says nothing."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Mapping

from sparkconsole.model.facts import Bystander, DeepProbe, Listener
from sparkconsole.parse.values import number, pairs, plain_name, plain_path, whole, yes_or_no

_PROGRAM = re.compile(r'users:\(\("([^"]*)"')


DEEPER = frozenset({"thorough", "cuda", "listeners", "containers", "kernel", "boot"})
"""The sections; one that nobody asked for says nothing."""


def parse_deep_probe(parts: Mapping[str, str]) -> DeepProbe:
    """Lines `WORD VALUE`, then the listeners, the containers and the kernel's words in their own sections."""
    rows = pairs("\n".join(parts.get(name, "") for name in ("thorough", "cuda", "boot")))
    first = defaultdict(str, reversed(rows))
    return DeepProbe(
        uid=whole(first["uid"]),
        ssh_folder=yes_or_no(first["ssh"]),
        docker_group=tuple(w for w in first["docker-group"].split(",") if plain_name(w)),
        hotplug=yes_or_no(first["hotplug"]),
        reboot_required=yes_or_no(first["reboot"]),
        lingers=yes_or_no(first["linger"]),
        login=_named(rows, "login"),
        firmware=_named(rows, "firmware"),
        cuda=first["cuda"],
        default_routes=tuple(dict.fromkeys(v for k, v in rows if k == "default")),
        listeners=parse_listeners(parts.get("listeners", "")),
        containers=_containers(parts.get("containers", "")),
        kernel_log=_counted(parts.get("kernel", "")),
        compile_cache_types=_named(rows, "compile"),
        cache_closed=plain_path(first["closed"]),
        firmware_news=first["fwupd"],
        nic_updater=yes_or_no(first["updater"]),
        uptime_s=number(first["uptime"]),
        ended={"orderly": True, "abruptly": False}.get(first["ended"]),
        clamps={
            u: n for u, v in _named(rows, "clamp").items() if plain_name(u) and (n := whole(v)) is not None
        },
    )


def parse_listeners(text: str) -> tuple[Listener, ...]:
    """As `ss -Hltnp`: State Recv-Q Send-Q Local:Port Peer:Port users:((…))."""
    found = (_listener(line) for line in text.splitlines())
    return tuple(f for f in found if f is not None)


def parse_versions(text: str) -> dict[str, str]:
    """Lines `NAME VERSION`, those of which the version begins with a digit."""
    return {name: v for name, v in pairs(text) if v[:1].isdigit() and len(v.split()) == 1}


def _listener(line: str) -> Listener | None:
    words = line.split()
    if len(words) < 5 or words[0] != "LISTEN":
        return None
    address, _, port = words[3].rpartition(":")
    address = address.strip("[]").partition("%")[0].replace("*", "::")
    number, program = whole(port), _PROGRAM.search(line)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return Listener(address, number, program[1] if program else "") if number is not None else None


def _containers(text: str) -> tuple[Bystander, ...] | None:
    """The list ends with a word of ours when docker answered."""
    *lines, last = text.strip().splitlines() or [""]
    if last != "asked":
        return None
    return tuple(
        Bystander(*(row + [""] * 5)[:5]) for line in lines if plain_name((row := line.split("|"))[0])
    )


def _counted(text: str) -> dict[str, int]:
    """As `uniq -c`."""
    return {what: n for count, what in pairs(text) if (n := whole(count)) is not None}


def _named(rows: list[tuple[str, str]], word: str) -> dict[str, str]:
    return dict(pairs("\n".join(v for k, v in rows if k == word)))
