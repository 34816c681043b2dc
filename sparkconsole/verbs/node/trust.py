"""Host keys: shown with their fingerprints, stored when a person agrees, never replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from sparkconsole.clock import together
from sparkconsole.config.inventory import ad_hoc_node
from sparkconsole.errors import ChangedHostKey, SparkError, WrongUsage, exit_code_of_look
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.cluster import Node
from sparkconsole.model.foresight.effect import KeysTrusted
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import Report, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

if TYPE_CHECKING:
    from sparkconsole.demo.cluster import Pretend
    from sparkconsole.remote.host_keys.shown import HostKey

CONSOLE = "console"
"""Where steps that only touch this machine's files are said to happen."""


@verb("node trust", tier=Tier.RECOVERABLE)
async def trust(session: Here, *names: str) -> Answer | PlannedAction:
    """Shows the host keys of machines that are not trusted yet, and stores them once you agree.

    Compare each fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine itself.

    Parameters
    ----------
    names:
        Nodes, or addresses with or without a port (HOST:PORT, [V6]:PORT); none: every node of the cluster.
    """
    nodes = _asked(session, names)
    lost: dict[str, SparkError] = {}
    notes: tuple[str, ...] = ()
    if session.pretend is not None:  # nothing real is asked and no file is touched
        stores = _pretended(session.pretend, nodes)
    else:
        shown, lost = await _shown_by(nodes)
        new = {n: fresh for n in nodes if n.name in shown and (fresh := _fresh(n, shown[n.name]))}
        stores = {_step(node, keys): partial(_store, node, keys) for node, keys in new.items()}
        notes = ("compare each fingerprint with what the machine itself shows", *map(str, lost.values()))
    trusted = tuple(step.id for step in stores)
    known = [n.name for n in nodes if n.name not in trusted and n.name not in lost]
    if not stores:
        return _trusted((), known, lost)
    plan = Plan(f"Trust {', '.join(trusted)}", tuple(stores), Tier.RECOVERABLE, notes=notes)

    async def execute(report: Report) -> Answer:
        for step, store in stores.items():
            store()
            session.fleet.lost(step.id)  # so that it is asked again
            report(StepEnded(StepOutcome(step, ok=True, seen=True)))
        return _trusted(trusted, known, lost)

    return PlannedAction(plan, execute, (KeysTrusted(trusted),))


def _pretended(pretend: Pretend, nodes: Sequence[Node]) -> dict[Step, Callable[[], None]]:
    keys = {n.name: key for n in nodes if (key := pretend.unknown_key(n.name))}
    what = {name: f"DEMO: trust {name}: ssh-ed25519 {key}" for name, key in keys.items()}
    return {Step(n, CONSOLE, what[n], ("true",)): partial(pretend.trust, n, key) for n, key in keys.items()}


def _step(node: Node, keys: Sequence[HostKey]) -> Step:
    """The step that stores exactly the keys that it shows."""
    from sparkconsole.remote.host_keys.known_hosts import entries, trust_file

    shown = ", ".join(f"{key.kind} {key.fingerprint}" for key in keys)
    sentence = f"trust {node.name} ({node.address}): {shown}"
    argv = ("tee", "-a", trust_file(node))
    return Step(node.name, CONSOLE, sentence, argv, stdin=entries(node, keys))


def known_or_ad_hoc(session: Session, name: str) -> Node:
    """A node of the cluster, or a machine by its address."""
    return session.cluster.effective(session.cluster.node(name) or ad_hoc_node(name))


def _asked(session: Session, names: Sequence[str]) -> tuple[Node, ...]:
    every = (session.cluster.effective(n) for n in session.cluster.nodes)
    nodes = tuple(dict.fromkeys(known_or_ad_hoc(session, n) for n in names)) if names else tuple(every)
    if not nodes:
        raise WrongUsage("the cluster has no nodes", hint="sparkconsole node trust ADDRESS")
    return nodes


async def _shown_by(nodes: Sequence[Node]) -> tuple[dict[str, Sequence[HostKey]], dict[str, SparkError]]:
    """The keys that machines show, and the errors of those that show none. This machine needs no key."""
    from sparkconsole.remote.connect import is_local
    from sparkconsole.remote.ssh.login import shown_keys

    async def ask(node: Node) -> Sequence[HostKey] | SparkError:
        if is_local(node):
            return ()
        try:
            return await shown_keys(node)
        except SparkError as error:
            error.node = error.node or node.name
            return error

    answers = dict(zip((n.name for n in nodes), await together(*map(ask, nodes)), strict=True))
    return answered(answers), failed(answers)


def _fresh(node: Node, shown: Sequence[HostKey]) -> tuple[HostKey, ...]:
    """The keys to be trusted: all of a machine never seen, none of one that shows a trusted key.

    ChangedHostKey when the machine is known and shows another key, of whatever kind: only a person at the
    machine can tell a new installation from an attack.
    """
    from sparkconsole.remote.host_keys.known_hosts import KeyTrust, entry_name, key_trust, known_keys

    how = {key: key_trust(node, key) for key in shown}
    changed = [key for key in shown if how[key] is KeyTrust.CHANGED]
    if not changed and (not shown or KeyTrust.TRUSTED in how.values()):
        return ()
    if changed or known_keys(node):
        key = (changed or list(shown))[0]
        cause = f"shows another {key.kind} key than the trusted one: {key.fingerprint}"
        hint = f"if it was installed anew, remove the old key by hand: ssh-keygen -R {entry_name(node)}"
        raise ChangedHostKey(cause, hint=hint, node=node.name)
    return tuple(shown)


def _store(node: Node, keys: Sequence[HostKey]) -> None:
    """Stores exactly what was shown, and reads back that it is trusted."""
    from sparkconsole.remote.host_keys import known_hosts as hostkeys

    path = hostkeys.trust(node, keys)
    if any(hostkeys.key_trust(node, key) is not hostkeys.KeyTrust.TRUSTED for key in keys):
        hint = "look at that file: is it readable, and does a line of it revoke the key?"
        raise SparkError(f"the key is in {path} and still not trusted", hint=hint, node=node.name)


def _trusted(new: Sequence[str], known: Sequence[str], lost: dict[str, SparkError]) -> Answer:
    parts = [f"trusted now: {', '.join(new)}"] if new else []
    parts += [f"trusted already: {', '.join(known)}"] if known else []
    parts += [f"not asked: {error}" for error in lost.values()]
    data = {"trusted": list(new), "already": list(known), "failed": [e.as_data() for e in lost.values()]}
    return Answer(data, tuple(parts), exit_code_of_look(lost.values()))
