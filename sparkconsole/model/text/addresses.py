"""Sentences that name a node's address name the node: Ray and NCCL know addresses only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

# A whole address: 10.0.0.1 is not in 10.0.0.12, and none within a URL, a path or a login is meant to be read.
_ADDRESS = re.compile(
    r"(?<![\w./@-])\d{1,3}(?:\.\d{1,3}){3}(?![\w/-]|\.\w)"
    r"|(?<![\w:./@-])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%\w{1,15})?(?![\w:/-]|\.\w)"
)


def names_of_addresses(known: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Node names by address, of pairs (address, node); not of one that several nodes have, nor loopback."""
    names: dict[str, str] = {}
    for address, node in known:
        if key := _plain(address):
            names[key] = node if names.get(key, node) == node else ""
    return {address: node for address, node in names.items() if node}


def with_node_names(text: str, names: Mapping[str, str]) -> str:
    """`10.0.0.2` becomes `spark-02 (10.0.0.2)` where `names` has it; another address stays as it is."""

    def named(found: re.Match[str]) -> str:
        node = names.get(_plain(found[0]), "")
        as_it_is = not node or text[: found.start()].endswith(f"{node} (")
        return found[0] if as_it_is else f"{node} ({found[0]})"

    return _ADDRESS.sub(named, text) if names else text


def _plain(address: str) -> str:
    """As it is compared; empty for a host name and for an address that every machine has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0].partition("/")[0])
    except ValueError:
        return ""
    return "" if found.is_loopback or found.is_unspecified else found.compressed
