"""Finds machines on the fast link, and says of each whether it is a DGX Spark. Adds nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import shlex
from collections.abc import Sequence

from sparkconsole.clock import together
from sparkconsole.config.inventory import ad_hoc_node
from sparkconsole.errors import Refused, SparkError, UnknownHostKey, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.cluster import RESERVED_NAMES, Node
from sparkconsole.model.scan import Answering, Candidate
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.parse.machine.scan import parse_answering, parse_identity, parse_interfaces
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session

Subnet = ipaddress.IPv4Network
ASK_ABOVE = 1024
"""Addresses (a /22) that are scanned without a question."""
MOST = 65536
AT_ONCE = 64
_THIS = "this-machine"

# Ports are tried from where the subnet is at hand; every wait is bounded, so is the number of threads.
PROBE = """
import concurrent.futures, ipaddress, json, socket, sys
port, at_once = int(sys.argv[1]), int(sys.argv[2])
def look(address):
    try:
        with socket.create_connection((address, port), 1.5) as line:
            line.settimeout(2.0)
            try:
                banner = line.recv(255).decode("utf-8", "replace")
            except OSError:
                banner = ""
            return {"address": address, "banner": banner.splitlines()[0] if banner else ""}
    except ConnectionRefusedError:
        return {"address": address, "refused": True}
    except OSError:
        return None
hosts = [str(h) for subnet in sys.argv[3:] for h in ipaddress.ip_network(subnet).hosts()]
with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
    for found in pool.map(look, hosts):
        if found:
            print(json.dumps(found), flush=True)
"""
IDENTITY = """
hostname
echo --gpus; timeout 10 nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null
echo --product; cat /sys/class/dmi/id/product_name 2>/dev/null
true
"""
FABRIC = """
names=$(ibdev2netdev 2>/dev/null | sed -n 's/.*==> \\([^ ]*\\) (Up).*/\\1/p')
[ -n "$names" ] || names=$(ls -d /sys/class/infiniband/*/device/net/* 2>/dev/null | sed 's|.*/||')
for name in $names; do ip -o -4 addr show dev "$name"; done
true
"""


@verb("node scan")
async def scan(session: Here, subnet: str | None = None, /, *, ssh_port: int = 22) -> Answer:
    """Looks for DGX Spark machines on the fast link; adds nothing, says how to.

    Parameters
    ----------
    subnet:
        A subnet such as 192.168.177.0/24; without it those of the nodes' fabric interfaces.
    ssh_port:
        The port where SSH should answer.
    """
    subnets = _asked(subnet) if subnet else await _fabric(session)
    _refuse_too_many(session, subnets)
    where, shell = await _vantage(session, subnets)
    found = await _probed(shell, subnets, ssh_port)
    candidates = await _identified(session, found, ssh_port)
    return _answer(session, subnets, where, candidates)


def _asked(text: str) -> tuple[Subnet, ...]:
    try:
        return (ipaddress.IPv4Network(text, strict=False),)
    except ValueError as error:
        hint = "an IPv4 subnet with its length, like 192.168.177.0/24"
        raise WrongUsage(f"{text!r} is no subnet that can be scanned", hint=hint) from error


def _refuse_too_many(session: Session, subnets: Sequence[Subnet]) -> None:
    count = sum(s.num_addresses for s in subnets)
    names = ", ".join(map(str, subnets))
    if count > MOST:
        raise WrongUsage(f"{names} has {count} addresses", hint=f"scan at most {MOST}: name a smaller subnet")
    if count > ASK_ABOVE and session.options.yes is None:
        hint = "name a smaller subnet, or say --yes"
        raise Refused(f"{names} has {count} addresses, more than {ASK_ABOVE}", hint=hint)


async def _fabric(session: Session) -> tuple[Subnet, ...]:
    """The subnets of the RDMA interfaces of every node that answers, else of this machine."""
    asked = session.fleet.names or (_this_machine(session),)
    found = await session.fleet.ask(_fabric_of, asked)
    answers = answered(found)
    if not answers:
        raise next(iter(failed(found).values()))
    subnets = tuple(dict.fromkeys(net for nets in answers.values() for net in nets))
    if not subnets:
        hint = "say which subnet: node scan 192.168.177.0/24"
        raise SparkError(f"no fabric interface with an address was found ({', '.join(answers)})", hint=hint)
    return subnets


async def _fabric_of(shell: Shell) -> tuple[Subnet, ...]:
    seen = (await shell.run(("sh", "-c", FABRIC, "fabric"), timeout=20)).checked()
    return tuple(interface.network for interface in parse_interfaces(seen.text))


def _this_machine(session: Session) -> str:
    session.fleet.include(Node.model_construct(name=_THIS, address="127.0.0.1"))  # no name that one may give
    return _THIS


async def _vantage(session: Session, subnets: Sequence[Subnet]) -> tuple[str, Shell]:
    """This machine when it has an address in every subnet, or when there is no head to ask; else the head."""
    here: Shell | None = None
    try:
        here = await session.fleet.shell(_this_machine(session))
        seen = await here.run(("ip", "-o", "-4", "addr", "show"), timeout=10)
        own = [i.ip for i in parse_interfaces(seen.text)]
        near = all(any(ip in subnet for ip in own) or subnet.is_loopback for subnet in subnets)
    except Unreachable:
        near = False
    if here is not None and (near or not session.fleet.names):
        return "this machine", here
    return session.fleet.head, await session.fleet.shell(session.fleet.head)


async def _probed(shell: Shell, subnets: Sequence[Subnet], port: int) -> tuple[Answering, ...]:
    count = sum(s.num_addresses for s in subnets)
    argv = ("python3", "-", str(port), str(AT_ONCE), *map(str, subnets))
    seen = await shell.run(argv, stdin=PROBE.encode(), timeout=30 + 4.0 * (count / AT_ONCE + 1))
    return parse_answering(seen.checked("python3 is needed where the scan runs").text)


async def _identified(session: Session, found: Sequence[Answering], port: int) -> list[Candidate]:
    """Who is who; a few at a time, because each stranger is a login."""
    few = asyncio.Semaphore(8)

    async def identify(one: Answering) -> Candidate:
        async with few:
            return await _candidate(session, one, port)

    return await together(*map(identify, found))


async def _candidate(session: Session, one: Answering, port: int) -> Candidate:
    if (known := session.cluster.node(one.address)) is not None:
        return Candidate(one.address, f"is node {known.name} already", name=known.name)
    if one.refused:
        return Candidate(one.address, f"there, but port {port} is closed")
    if not one.ssh:
        return Candidate(one.address, f"port {port} answers, but not as SSH")
    try:
        return await _looked_at(session, one.address, port)
    except SparkError as error:
        key = f"untrusted key {error.fingerprint}" if isinstance(error, UnknownHostKey) else ""
        return Candidate(one.address, f"answers SSH, not checked: {key or error.cause}", None)


async def _looked_at(session: Session, address: str, port: int) -> Candidate:
    node = ad_hoc_node(address).model_copy(update={"port": None if port == 22 else port})
    session.fleet.include(node)
    shell = await session.fleet.shell(node.name)
    seen = (await shell.run(("sh", "-c", IDENTITY, "identity"), timeout=20)).checked()
    identity = parse_identity(seen.text)
    if (twin := session.cluster.node(identity.hostname)) is not None:
        reason = f"calls itself {identity.hostname}, as node {twin.name} does"
        return Candidate(address, reason, name=twin.name)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", identity.hostname.split(".")[0]).strip("-._")
    if identity.is_spark:
        name = node.name if name in ("", *RESERVED_NAMES) else name
        return Candidate(address, "DGX Spark (GB10)", accepted=True, name=name)
    what = ", ".join(identity.gpus) or identity.product or "no NVIDIA GPU seen"
    return Candidate(address, f"no DGX Spark: {what}", name=name)


_SPARK = {True: "yes", False: "no", None: "unknown"}


def _answer(session: Session, subnets: Sequence[Subnet], where: str, found: Sequence[Candidate]) -> Answer:
    rows = [(c.address, c.name or None, _SPARK[c.accepted], c.reason) for c in found]
    nobody = f"no machine answers in {', '.join(map(str, subnets))}"
    parts: list[Sheet | str] = [Sheet.of(("address", "name", "Spark", "what"), rows) if rows else nobody]
    adds = [shlex.join(("sparkconsole", "node", "add", c.name, c.address)) for c in found if c.accepted]
    if any("untrusted key" in c.reason for c in found):
        parts.append("to have the others checked too: sparkconsole node trust ADDRESS, then scan again")
    parts += ["to add what was found:", *adds] if adds else []
    entries = [
        {"address": c.address, "name": c.name, "accepted": c.accepted, "reason": c.reason} for c in found
    ]
    data = {"subnets": [str(s) for s in subnets], "scanned_from": where, "found": entries, "add": adds}
    return Answer(data, tuple(parts))
