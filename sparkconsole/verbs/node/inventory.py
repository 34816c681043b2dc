"""The machines: who belongs to the cluster, and a word to all of them.

Editing cluster.toml changes no machine: it asks nothing, but `--dry-run` shows it and the journal keeps it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationError

from sparkconsole.config import edit
from sparkconsole.config.inventory import load
from sparkconsole.config.reading import sentence
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import failed
from sparkconsole.model.cluster import Node
from sparkconsole.model.foresight.effect import Anything, ClusterChanged
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Report, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.shell import Completed, Shell
from sparkconsole.verbs.grammar.open_session import inventory_path
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.node.trust import CONSOLE, known_or_ad_hoc


@verb("node list")
async def list_(session: Here, *, check: Annotated[bool, FLAG] = False) -> Answer:
    """The nodes of the cluster, head first.

    Parameters
    ----------
    check:
        Also log in to each and say whether that works.
    """
    nodes = [session.cluster.effective(node) for node in session.cluster.nodes]
    if not nodes:
        hint = "no nodes yet; add one: sparkconsole node add NAME ADDRESS (node scan finds them)"
        return Answer({"cluster": session.cluster.name, "nodes": []}, (hint,))
    answers = await session.fleet.ask(_hello) if check else {}
    columns = ("node", "address", "login", "fabric", *(("reachable",) if check else ()))
    rows = [_row(n, i == 0, answers.get(n.name)) for i, n in enumerate(nodes)]
    entries = [_entry(n, i == 0, answers.get(n.name)) for i, n in enumerate(nodes)]
    others = [name for name in session.inventory.clusters if name != session.cluster.name]
    parts: list[Sheet | str] = [Sheet.of(columns, rows, title=f"cluster {session.cluster.name}")]
    parts += [f"other clusters: {', '.join(others)}"] if others else []
    code = Unreachable.exit_code if failed(answers) else 0
    return Answer({"cluster": session.cluster.name, "nodes": entries}, tuple(parts), code)


def _refuse_words(
    name: str, address: str, /, *, fabric: str | None = None, user: str | None = None, **given: Any
) -> None:
    """What is no name, address or port, whatever the inventory says."""
    _node(name=name, address=address, fabric_address=fabric, user=user, port=given.get("port"))


@verb("node add", tier=Tier.RECOVERABLE, refuses=_refuse_words)
async def add(
    session: Here,
    name: str,
    address: str,
    /,
    *,
    user: str | None = None,
    port: int | None = None,
    fabric: str | None = None,
    identity_file: str | None = None,
    head: Annotated[bool, FLAG] = False,
    local: Annotated[bool, FLAG] = False,
    to: str | None = None,
) -> PlannedAction:
    """Writes a machine into cluster.toml.

    Parameters
    ----------
    name:
        What it is called from now on.
    address:
        Where SSH reaches it: a host name, an address, or a Host of ~/.ssh/config; also USER@ADDRESS:PORT.
    user:
        Its login; without it as OpenSSH's configuration says.
    port:
        Its SSH port.
    fabric:
        Its address on the fast link; without it detected.
    identity_file:
        The private key for it.
    head:
        Make it the first node, the head.
    local:
        It is this very machine: nothing is asked over SSH.
    to:
        The cluster that gets it, made when missing; without it the chosen cluster.
    """
    given = {"user": user or session.options.user, "port": port, "identity_file": identity_file}
    given |= {"local": local} if local else {}
    node = _node(name=name, address=address, fabric_address=fabric, **given)
    target = to or session.cluster.name
    change = partial(edit.with_node, _file(session), target, node, head=head)
    return _edited(session, f"Add {name} ({address}) to cluster {target}", target, change)


@verb("node remove", tier=Tier.RECOVERABLE)
async def remove(session: Here, name: str, /) -> PlannedAction:
    """Takes a machine out of cluster.toml; nothing on the machine itself changes.

    Parameters
    ----------
    name:
        The node's name.
    """
    change = partial(edit.without_node, _file(session), session.cluster.name, name)
    title = f"Remove {name} from cluster {session.cluster.name}"
    return _edited(session, title, session.cluster.name, change)


def _refuse_no_command(*command: str, **_: object) -> None:
    if not command:
        raise WrongUsage("node exec was given no command", hint="sparkconsole node exec -- uptime")


@verb("node exec", tier=Tier.RECOVERABLE, refuses=_refuse_no_command)
async def exec_(
    session: Here, *command: str, node: Annotated[tuple[str, ...], FLAG] = (), timeout: float = 3600.0
) -> PlannedAction:
    """Runs a command on the machines themselves, side by side; equal outputs are shown once.

    Parameters
    ----------
    command:
        The command and its arguments, kept exactly, behind --; before it a mistyped option never runs.
    node:
        The node to run it on; repeatable, `all` or nothing means every node.
    timeout:
        Seconds that it may take.
    """
    names = chosen(session, node)
    steps = tuple(Step(n, n, "run the command", command, timeout_s=timeout, reads=True) for n in names)
    plan = Plan(f"Run a command on {', '.join(names)}", steps, Tier.LOOK)
    unknown = Anything(f"what {command[0]} changes on {', '.join(names)} is not known before")
    return PlannedAction(plan, partial(_executed, session, command, names, timeout), (unknown,))


@verb("node shell", ahead=True)
async def shell(session: Here, name: str, /) -> PlannedAction:
    """Opens an interactive shell on a machine with the system's own ssh; a read-only session has none.

    Parameters
    ----------
    name:
        A node, or an address.
    """
    node = known_or_ad_hoc(session, name)
    if session.options.demo:
        raise Refused("the demo's machines have no shell")
    if session.options.read_only:
        raise Refused("what is typed in a shell can change the cluster, and this session is read-only")
    argv = ssh_argv(node)
    step = Step(node.name, CONSOLE, f"open a shell on {node.name}", argv)
    unknown = Anything(f"what is typed on {node.name} is not known before")
    plan = Plan(f"Shell on {node.name}", (step,), Tier.LOOK)
    return PlannedAction(plan, partial(_become, session, argv), (unknown,))


def ssh_argv(node: Node) -> tuple[str, ...]:
    """The system's ssh to a node, with what the inventory says of it."""
    port = ("-p", str(node.port)) if node.port else ()
    user = ("-l", node.user) if node.user else ()
    key = ("-i", os.path.expanduser(node.identity_file)) if node.identity_file else ()
    return ("ssh", *port, *user, *key, "--", node.address)


# --- list


async def _hello(shell: Shell) -> str:
    return (await shell.run(("uname", "-n", "-m"), timeout=15)).checked().text.strip()


def _row(node: Node, head: bool, answer: str | SparkError | None) -> tuple[object, ...]:
    name, login = node.name + (" (head)" if head else ""), node.user or "–"
    login += f":{node.port}" if node.port else ""
    row = (name, node.address, login, node.fabric_address or "detected")
    if answer is None:
        return row
    return (*row, f"no: {answer.cause}" if isinstance(answer, SparkError) else f"yes: {answer}")


def _entry(node: Node, head: bool, answer: str | SparkError | None) -> dict[str, Any]:
    entry = {**node.model_dump(mode="json", exclude_none=True), "head": head}
    if isinstance(answer, SparkError):
        return {**entry, "reachable": False, "error": answer.as_data()}
    return entry if answer is None else {**entry, "reachable": True, "says": answer}


# --- add, remove


def _node(**given: Any) -> Node:
    try:
        return Node(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][-1])
        what = f"{key} {given[key]!r}" if given.get(key) is not None else f"the {key} in the address"
        cause = f"{what} {sentence(first)}"
        raise WrongUsage(cause, hint="sparkconsole node add --help") from error


def _file(session: Session) -> Path:
    if session.options.demo:
        raise Refused("the demo's cluster is not in a file", hint="leave --demo out")
    return inventory_path(session.options)


def _edited(session: Session, title: str, cluster: str, change: Callable[..., str]) -> PlannedAction:
    """`change` makes the file's new text of what it says: as planned, and again when it is written, for
    somebody else may have changed it meanwhile."""
    path = _file(session)
    text = change(planned=session.fleet.forecast.inventory)
    step = Step("write", CONSOLE, f"write {path}", ("tee", str(path)), stdin=text)

    async def execute(report: Report) -> Answer:
        await _written(path, change)
        # The rest of a script sees the cluster as the file says it now.
        await session.regroup(load(path), cluster)
        nodes = [node.name for node in session.inventory.clusters[cluster].nodes]
        report(StepEnded(StepOutcome(step, ok=True, seen=True)))
        listed = f"cluster {cluster}: {', '.join(nodes) or 'no nodes'}"
        return Answer({"path": str(path), "cluster": cluster, "nodes": nodes}, (f"{title}: done", listed))

    return PlannedAction(Plan(title, (step,), Tier.LOOK), execute, (ClusterChanged(text),))


async def _written(path: Path, change: Callable[..., str]) -> None:
    """Writes the file, unless it is cancelled while another console holds it: a thread would go on."""
    given_up = threading.Event()

    def changed(now: str) -> str:
        if given_up.is_set():
            raise Refused(f"{path} was left as it is")
        return change(planned=now)

    try:
        await asyncio.to_thread(edit.change, path, changed)
    except asyncio.CancelledError:
        given_up.set()
        raise


# --- exec, shell


def chosen(session: Session, asked: Iterable[str]) -> tuple[str, ...]:
    """Names of nodes, in the cluster's order; WrongUsage with the nearest for a stranger."""
    words = tuple(asked)
    session.fleet.require_nodes()
    if not words or "all" in words:
        return session.fleet.names
    names = {session.cluster.member(word).name for word in words}
    return tuple(n for n in session.fleet.names if n in names)


async def _executed(
    session: Session, command: Sequence[str], names: Sequence[str], timeout: float, report: Report
) -> Answer:
    answers = await session.fleet.ask(
        lambda shell: shell.run(command, timeout=timeout), names, meanwhile="still running"
    )
    groups: dict[tuple[str, int | None], list[str]] = {}
    for name, answer in answers.items():
        groups.setdefault(_outcome(answer), []).append(name)
    alone = len(names) == 1
    parts = tuple(_block(who, text, code, alone) for (text, code), who in groups.items())
    codes = [Unreachable.exit_code if code is None else code for _, code in groups]
    data = {"nodes": {n: _answer_data(a) for n, a in answers.items()}}
    ended = all(isinstance(a, Completed) and a.status is not None for a in answers.values())
    return Answer(data, parts, max(codes), ended=ended)


def _outcome(answer: Completed | SparkError) -> tuple[str, int | None]:
    if isinstance(answer, SparkError):
        return str(answer), answer.exit_code
    return (answer.text + answer.error_text).rstrip("\n"), answer.status


def _block(names: Sequence[str], text: str, status: int | None, alone: bool) -> str:
    """One output under the names of all who gave it."""
    ended = "" if status == 0 else " (lost, its end is unknown)" if status is None else f" (exit {status})"
    return text + ended if alone else f"--- {', '.join(names)}{ended}\n{text}"


def _answer_data(answer: Completed | SparkError) -> dict[str, Any]:
    if isinstance(answer, SparkError):
        return {"error": answer.as_data()}
    return {"status": answer.status, "stdout": answer.text, "stderr": answer.error_text}


async def _become(session: Session, argv: Sequence[str], report: Report) -> Answer:
    """Hands the terminal to ssh and waits for its end."""
    if session.options.script is not None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        hint = f"in a script: node exec -- CMD; by hand: {' '.join(argv)}"
        raise Refused("a shell needs a terminal", hint=hint)
    ssh = await asyncio.create_subprocess_exec(*argv)
    return Answer({"exit": await ssh.wait()}, (), ssh.returncode or 0)
