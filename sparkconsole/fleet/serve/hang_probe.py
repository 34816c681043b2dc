"""One close look at a server that may give no token: what only questions tell, and the verdict over it.

The watch has readings of minutes and adds them; a verb that looks once has what it is told here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, TimedOut
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend
from sparkconsole.model.serve.hang import LATE_S, Hang, NodeSign, ServerSign, judge, troubles
from sparkconsole.model.serve.vllm_flags import value
from sparkconsole.remote.shell import Shell

MOVES_S = 2.0
"""In that time a server at work generates a token, or finishes reading a prompt."""
PING = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-w", "3")
Seen = Mapping[str, "Site | SparkError"]


async def late(shell: Shell, port: int, timeout: float) -> float | None:
    """Seconds in which a token asked for did not come; zero: it came; None: it said something else."""
    from sparkconsole.remote.serve.vllm import complete_one_token

    try:
        await complete_one_token(shell, port, timeout=timeout)
    except TimedOut:
        return timeout
    except SparkError:
        return None
    return 0.0


async def closely(
    fleet: Fleet, head: Shell, container: str, port: int, sign: NodeSign, address: str
) -> NodeSign:
    """With what only a question tells: the head's ping over the fast link, the rank's process."""
    if sign.lost or sign.container:
        return sign
    return replace(
        sign,
        unreached=not sign.head and await _unreached(head, address),
        rank_gone=sign.rank is not None and await _rank_gone(fleet, sign.name, container, port),
    )


async def _unreached(shell: Shell, address: str) -> bool:
    """Pings went out and none came back; what cannot be tried is not held against the node."""
    with suppress(SparkError):
        return bool(address) and (await shell.run((*PING, address), timeout=10)).status == 1
    return False


async def _rank_gone(fleet: Fleet, node: str, container: str, port: int) -> bool:
    """Its container has no `vllm serve` of that port; not asked successfully: not held against it."""
    from sparkconsole.remote.serve.processes import live_ranks

    with suppress(SparkError):
        return all(rank.port != port for rank in await live_ranks(await fleet.shell(node), container))
    return False


async def look_for_hang(fleet: Fleet, container: str, port: int, seen: Seen) -> Hang | None:
    """None: it gives tokens, has nothing to do and no node in trouble, or does not answer at all."""
    from sparkconsole.remote.serve.vllm import pulse

    try:
        shell = await fleet.shell(fleet.head)
        load = await pulse(shell, port)
        signs = await _signs(fleet, container, seen)
        if load is None or not (load.running or troubles(signs)):
            return None
        if not troubles(signs):
            await fleet.clock.sleep(MOVES_S)
            now = await pulse(shell, port)
            before = (load.prompt_tokens, load.generated_tokens)
            if now is None or (now.prompt_tokens, now.generated_tokens) != before:
                return None
        late_s = await late(shell, port, LATE_S)
    except SparkError:
        return None
    return await why_no_token(fleet, container, port, seen, load.running, late_s) if late_s else None


async def why_no_token(
    fleet: Fleet, container: str, port: int, seen: Seen, running: int | None = None, late_s: float = LATE_S
) -> Hang | None:
    """The verdict on a server that was asked for a token and gave none."""
    signs = await _signs(fleet, container, seen)
    close = await together(*(_measured(fleet, container, port, s, seen[s.name]) for s in signs))
    return judge(ServerSign(running, None, late_s), close)


async def _signs(fleet: Fleet, container: str, seen: Seen) -> tuple[NodeSign, ...]:
    nodes, ranked = await _taking_part(fleet, container, seen)
    return tuple(
        _sign(n, container, seen[n], head=n == fleet.head, rank=rank if ranked else None)
        for rank, n in enumerate(nodes)
    )


async def _taking_part(fleet: Fleet, container: str, seen: Seen) -> tuple[Sequence[str], bool]:
    """Which nodes, and whether each has a rank process of its own, in the cluster's order."""
    from sparkconsole.remote.serve.processes import live_ranks

    head = seen.get(fleet.head)
    launch = head.launch if isinstance(head, Site) else None
    names = tuple(n for n in fleet.names if n in seen)
    if launch is None or launch.backend is Backend.SOLO:
        return names[:1], True
    if launch.backend is Backend.RAY:
        return names, False
    ranks = await live_ranks(await fleet.shell(fleet.head), container)
    count = next((text for r in ranks if (text := value(r.words, "--nnodes"))), "")
    return names[: int(count)] if count.isdecimal() else names, True


def _sign(name: str, container: str, seen: Site | SparkError, *, head: bool, rank: int | None) -> NodeSign:
    if isinstance(seen, SparkError):
        return NodeSign(name, head, rank, lost=seen.cause)
    gone = "is gone" if seen.found is None else f"ended with {seen.found.exit_code}"
    memory = ", out of memory" if seen.found is not None and seen.found.oom_killed else ""
    return NodeSign(name, head, rank, container="" if seen.running else f"{container} {gone}{memory}")


async def _measured(
    fleet: Fleet, container: str, port: int, sign: NodeSign, seen: Site | SparkError
) -> NodeSign:
    """Looked at closely, with its GPU."""
    from sparkconsole.remote.node.facts import node_facts

    if sign.lost or sign.container or isinstance(seen, SparkError):
        return sign
    address = seen.found.labels.get(LABEL_ADDRESS, "") if seen.found else ""
    head, shell = await fleet.shell(fleet.head), await fleet.shell(sign.name)
    gpu = None
    with suppress(SparkError):
        gpu = next(iter((await node_facts(shell)).gpus), None)
    sign = await closely(fleet, head, container, port, sign, address)
    return replace(sign, gpu=gpu.utilisation, power_w=gpu.power_w) if gpu else sign
