"""What `ping` of iputils (20190709 to 20240905) and `ip -o route get … from …` print, errors included."""

from __future__ import annotations

import re
from itertools import pairwise

from sparkconsole.model.fabric.paths import Echo, Route
from sparkconsole.parse.machine.numbers import whole

_COUNTS = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.M | re.A)
_RTT = re.compile(r"^rtt min/avg/max/mdev = [\d.]+/([\d.]+)/", re.M | re.A)
_LIMIT = re.compile(r"[Mm]essage too long,? mtu ?= ?(\d+)|Frag needed and DF set \(mtu = (\d+)\)", re.A)
_TROUBLE = re.compile(r"^(?:\S*/)?ping: (?!local error)(?:(?:bind|connect|sendmsg|socket): )?(.+)$", re.M)


def parse_ping(text: str, status: int | None = 0) -> Echo:
    """What came back. Status 127: there is no ping; None: it was ended because it took too long."""
    counts, limit, rtt = _COUNTS.search(text), _LIMIT.search(text), _RTT.search(text)
    sent, received = (whole(counts[1]) or 0, whole(counts[2]) or 0) if counts else (0, 0)
    return Echo(
        sent=sent,
        received=received,
        limit=whole(limit[1] or limit[2]) if limit else None,
        rtt_ms=float(rtt[1]) if rtt and rtt[1].count(".") <= 1 else None,
        trouble="" if received else _trouble(text, status, sent),
    )


def _trouble(text: str, status: int | None, sent: int) -> str:
    if troubles := _TROUBLE.findall(text):
        return str(troubles[-1]).strip(" =>")
    if status == 127:
        return "ping is not there"
    if status is None:
        return "ping did not end"
    return "" if sent else (text.strip().splitlines() or ["it said nothing"])[-1][:120]


def parse_route(text: str, status: int | None = 0) -> Route:
    """The interface and the gateway; without an interface what the kernel said instead."""
    words = text.split("cache", 1)[0].replace("\\", " ").split()
    values = {word: after for word, after in pairwise(words) if word in ("dev", "via")}
    if status == 0 and "dev" in values:
        return Route(values["dev"].partition("@")[0], values.get("via", ""))
    if status == 127:
        return Route()
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "nobody said")
    return Route(trouble=last.removeprefix("RTNETLINK answers: ").strip()[:120])
