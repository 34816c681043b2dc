"""What the scan's scripts print: answering addresses, identities, and the subnets of the fabric."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

from sparkconsole.model.scan import Answering, Identity
from sparkconsole.parse.values import json_value, plain_name

_INET = re.compile(r"^\d+:\s+\S+\s+inet\s+(\S+/\d+)", re.MULTILINE)


def parse_answering(text: str) -> tuple[Answering, ...]:
    """One JSON object a line, sorted as numbers; other lines are nobody's answer."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, KeyError, AttributeError, TypeError, RecursionError):
            data = json_value(line)
            banner, closed = str(data.get("banner", "")), bool(data.get("refused"))
            found.append(Answering(str(ipaddress.ip_address(data["address"])), banner.strip(), closed))
    return tuple(sorted(found, key=lambda a: a.order))


def parse_identity(text: str) -> Identity:
    """Three sections: the host name, `--gpus` and a name a line, `--product` and one line."""
    host, _, rest = text.partition("--gpus\n")
    gpus, _, product = rest.partition("--product\n")
    names = tuple(line.strip() for line in gpus.splitlines() if line.strip())
    return Identity(plain_name(host.strip()), names, product.strip())


def parse_interfaces(text: str) -> tuple[ipaddress.IPv4Interface, ...]:
    """The IPv4 addresses and subnets of `ip -o -4 addr show`, without loopback and link-local."""
    found = (_interface(match[1]) for match in _INET.finditer(text))
    return tuple(dict.fromkeys(i for i in found if i and not (i.ip.is_loopback or i.ip.is_link_local)))


def _interface(text: str) -> ipaddress.IPv4Interface | None:
    try:
        return ipaddress.IPv4Interface(text)
    except ValueError:
        return None
