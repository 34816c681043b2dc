"""The one registry of words: a `@verb` is a command, a `:` word, a palette entry and a script word."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

from cyclopts import App, Parameter

from sparkconsole.model.work.tier import Tier

if TYPE_CHECKING:
    from sparkconsole.model.work.answer import Answer, Row
    from sparkconsole.model.work.job import Job, JobKind, Run
    from sparkconsole.model.work.news import Report
    from sparkconsole.verbs.grammar.session import PlannedAction, Session

Result: TypeAlias = "Answer | PlannedAction | AsyncIterator[Row]"
"""What a verb returns: an answer, a plan with what carries it out, or a stream of rows."""
FLAG = Parameter(negative="")
"""A switch that only switches on, or a value that can be given more than once."""
MANY = Parameter(consume_multiple=True, negative="")
"""As many words as stand behind it."""
P = ParamSpec("P")
R = TypeVar("R", bound="Awaitable[Result]")

PURPOSE = (
    "Run a vLLM cluster on DGX Spark machines: see it, build and copy its image, launch it, serve a model, "
    "measure it, and do all of it again from a script: sparkconsole --script FILE."
)
GROUPS = {
    "node": "The machines: list, add, remove, scan, trust, restart, their page cache.",
    "image": "The container image: build, list, copy, prune, roll back.",
    "model": "The models in the nodes' caches.",
    "serve": "A model on the cluster.",
    "bench": "Measure the served model.",
    "fabric": "The fast link between the nodes: try it, and what it carried before.",
    "runs": "The journal: what was done, and doing it again.",
    "config": "Where configuration is and what it says.",
    "demo": "The pretend cluster: break something, fix it.",
    "examples": "Scripts to begin with: list them, show one.",
}
ALONE = {
    "check": "Look at every node and say what would hinder a launch; nothing is changed.",
    "doctor": "Ask everything that can be asked of every node, say what is wrong, why, and what to do.",
    "explain": "Read logs and say what went wrong: the root cause, where, why, and what to do.",
    "status": "Say how nodes, containers, Ray, the served model and jobs stand; nothing is changed.",
    "launch": "Start the containers and Ray on every node, and return when all of it is ready.",
    "stop": "Stop the cluster: its servers, then its containers, on every node that answers.",
    "exec": "Run a command in the head's container: exec -- CMD…",
    "logs": "Print the logs of all nodes, merged by time; -f follows them.",
    "wait-for": "Wait until nodes, ray, server or image is ready; exit code 1 when it is not in time.",
    "web": "Open the console to a browser on this machine; it prints an address that holds a secret.",
    "completion": "Print what makes a shell complete verbs, options and names of nodes, images and models.",
    "help": "Explain a word: help, help launch, help image build.",
    "version": "Say which version this is.",
}
"""The verbs of one word, each with its own first line: the help of everything loads none of them."""
MODULES = {
    "node": ("node.scan", "node.trust", "node.inventory", "node.restart", "node.drop_caches"),
    "check": ("diagnose.check",),
    "doctor": ("diagnose.doctor",),
    "explain": ("diagnose.explain",),
    "status": ("status.status",),
    "image": ("image.build_and_copy", "image.list", "image.rollback", "image.prune"),
    "model": ("model.list", "model.fit", "model.transfer"),
    "fabric": ("fabric.test",),
    "launch": ("launch.start",),
    "stop": ("launch.stop",),
    "serve": ("serve.start", "serve.keep"),
    "bench": ("bench.run", "bench.history"),
    "exec": ("execute",),
    "logs": ("logs.logs",),
    "runs": ("runs.runs",),
    "wait-for": ("status.wait_for",),
    "config": ("config",),
    "demo": ("demo",),
    "examples": ("help.scripts",),
    "web": ("web",),
    "completion": ("help.completion",),
    "help": ("help.help",),
    "version": ("help.help",),
}
"""Where the verbs are that begin with a word; a command loads only its own."""
TASKS = {
    "Set up": ("node", "check", "doctor", "fabric", "config"),
    "Image and model": ("image", "model"),
    "Run": ("launch", "serve", "exec", "wait-for", "stop"),
    "Look": ("status", "logs", "explain", "bench"),
    "Again": ("runs",),
    "This program": ("demo", "examples", "web", "completion", "help", "version"),
}
"""The first words by what a person wants to do, in the order of a day's work."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing a person can ask for."""

    words: tuple[str, ...]
    function: Callable[..., Awaitable[Result]]
    changes: bool
    """It can change a machine."""
    tier: Tier
    default: bool = False
    """It is what its first word alone does (`serve MODEL`)."""
    local: bool = False
    """It asks nothing of a cluster: no inventory is read for it, and it may be called without a session."""
    ahead: bool = False
    """In a dry run it says what it would do, on the state that earlier lines of a script would leave."""
    refuses: Callable[..., object] | None = None
    """Takes its arguments without the session; WrongUsage for what no cluster could make right."""
    loads: bool = False
    """It starts a load or a listener on nodes, though nothing of it stays."""

    @property
    def why_not_read_only(self) -> str:
        """What it does that a read-only session does not; empty: it only reads."""
        return "changes the cluster" if self.changes else "puts a load on the nodes" if self.loads else ""

    @property
    def summary(self) -> str:
        """The first line of its help."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True, slots=True)
class Request:
    """Words that are in the grammar: a verb and its arguments. Nothing ran yet."""

    words: tuple[str, ...]
    """Without the global options among them."""
    verb: Verb
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    """The global options among the words, by field of Options: they hold for this line only."""


_OPTIONS: dict[str, Any] = {"version_flags": (), "help_format": "plaintext", "result_action": "return_value"}
VERBS: dict[tuple[str, ...], Verb] = {}
Follower: TypeAlias = "Callable[[Session, Run, Job, Report], Awaitable[Answer]]"
FOLLOWERS: dict[JobKind, Follower] = {}


def verb(
    words: str,
    *,
    tier: Tier = Tier.LOOK,
    default: bool = False,
    local: bool = False,
    ahead: bool = False,
    refuses: Callable[..., object] | None = None,
    loads: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Registers an async function whose first parameter is `session: Here` under its words ("image copy").

    `tier` above LOOK: the function returns a PlannedAction. `default`: also what the first word alone does.
    `local`: the session is never looked at. `ahead`: a look that plans itself in a dry run. `refuses`: what
    is wrong by the words alone, so that a script's last line is refused before its first one runs. `loads`:
    a look that works the nodes; `--read-only` refuses it as it does what changes them.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        key, changes = tuple(words.split()), tier > Tier.LOOK
        VERBS[key] = Verb(key, function, changes, tier, default, local, ahead or changes, refuses, loads)
        return function

    return register


def follower(kind: JobKind) -> Callable[[Follower], Follower]:
    """Registers what follows jobs of `kind` from wherever they are to their verified end."""

    def register(function: Follower) -> Follower:
        FOLLOWERS[kind] = function
        return function

    return register


@functools.cache
def load(first: str = "") -> dict[tuple[str, ...], Verb]:
    """Every verb, or those that begin with `first`; importing their modules is what registers them."""
    for module in MODULES[first] if first else dict.fromkeys(m for some in MODULES.values() for m in some):
        importlib.import_module(f"sparkconsole.verbs.{module}")
    return {words: entry for words, entry in VERBS.items() if not first or words[0] == first}


@functools.cache
def application(first: str = "") -> App:
    """The verbs, or those that begin with `first`, as one cyclopts App.

    It parses and helps, it never runs or prints errors by itself.
    """
    app = App(name="sparkconsole", help=PURPOSE, exit_on_error=False, print_error=False, **_OPTIONS)
    groups: dict[str, App] = {}
    for words, entry in load(first).items():
        word, function = words[0], _without_session(entry.function)
        if word not in GROUPS:
            app.command(function, name=word)
            continue
        if word not in groups:
            groups[word] = App(name=word, help=GROUPS[word], **_OPTIONS)
            app.command(groups[word])
        if entry.default:
            groups[word].default(function)
        else:
            groups[word].command(function, name=words[1])
    return app


def _without_session(function: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
    """`function` as the parser sees it: without the session, which no person says (`__wrapped__` has it)."""

    @functools.wraps(function)
    def bare(*args: Any, **kwargs: Any) -> Awaitable[Result]:
        raise TypeError("verbs are called with their session: verbs.grammar.execute.begin")

    signature = inspect.signature(function)
    parameters = [p for name, p in signature.parameters.items() if name != "session"]
    # What a verb gives back is nobody's word, and its names are not there when only help is asked for.
    shown = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    bare.__signature__ = shown  # type: ignore[attr-defined]
    bare.__annotations__ = {p.name: p.annotation for p in parameters}
    return bare
