"""What `ping` of iputils prints (20190709 to 20240905), its two outputs as one text."""

from __future__ import annotations

import re

from sparkconsole.model.fabric.paths import Echo
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
