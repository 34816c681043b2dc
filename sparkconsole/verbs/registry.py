"""The one registry of words: a `@verb` is a command, a `:` word, a palette entry and a script word."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from cyclopts import App

from sparkconsole.model.answer import Answer, Row
from sparkconsole.model.job import Job, JobKind, Run
from sparkconsole.model.plan import Tier
from sparkconsole.model.progress import Report
from sparkconsole.verbs.session import Deed, Session

Result = Answer | Deed | AsyncIterator[Row]
"""What a verb returns: an answer, a plan with what carries it out, or a stream of rows."""
P = ParamSpec("P")
R = TypeVar("R", bound=Awaitable[Result])

MODULES = (
    "node",
    "check",
    "status",
    "image",
    "model",
    "launch",
    "stop",
    "restart",
    "serve",
    "bench",
    "bench_kept",
    "execute",
    "logs",
    "runs",
    "runs_again",
    "wait",
    "config",
    "demo",
    "web",
)
PURPOSE = (
    "Run a vLLM cluster on DGX Spark machines: see it, build and copy its image, launch it, serve a model, "
    "measure it, and do all of it again from a script: sparkconsole --script FILE."
)
GROUPS = {
    "node": "The machines: list, add, remove, scan, trust, restart.",
    "image": "The container image: build, list, copy.",
    "model": "The models in the nodes' caches.",
    "serve": "A model on the cluster.",
    "bench": "Measure the served model.",
    "runs": "The journal: what was done, and doing it again.",
    "config": "Where configuration is and what it says.",
    "demo": "The pretend cluster: break something, mend it.",
}


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing a person can ask for."""

    words: tuple[str, ...]
    function: Callable[..., Awaitable[Result]]
    changes: bool
    """It can change a machine; `--read-only` refuses it."""
    tier: Tier
    default: bool = False
    """It is what its first word alone does (`serve MODEL`)."""

    @property
    def summary(self) -> str:
        """The first line of its help."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


VERBS: dict[tuple[str, ...], Verb] = {}
Follower = Callable[[Session, Run, Job, Report], Awaitable[Answer]]
FOLLOWERS: dict[JobKind, Follower] = {}


def verb(
    words: str, *, tier: Tier = Tier.LOOK, default: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Registers an async function whose first parameter is `session: Here` under its words ("image copy").

    `tier` above LOOK: the function returns a Deed. `default`: also what the first word alone does.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        key = tuple(words.split())
        VERBS[key] = Verb(key, function, tier > Tier.LOOK, tier, default)
        return function

    return register


def follower(kind: JobKind) -> Callable[[Follower], Follower]:
    """Registers what follows jobs of `kind` from wherever they are to their verified end."""

    def register(function: Follower) -> Follower:
        FOLLOWERS[kind] = function
        return function

    return register


@functools.cache
def load() -> dict[tuple[str, ...], Verb]:
    """Every verb; importing the modules is what registers them."""
    for module in MODULES:
        importlib.import_module(f"sparkconsole.verbs.{module}")
    return VERBS


@functools.cache
def application() -> App:
    """The verbs as one cyclopts App; it parses and helps, it never runs or prints errors by itself."""
    options: dict[str, Any] = {
        "version_flags": (),
        "help_format": "plaintext",
        "result_action": "return_value",
    }
    app = App(name="sparkconsole", help=PURPOSE, exit_on_error=False, print_error=False, **options)
    groups: dict[str, App] = {}
    for words, entry in load().items():
        _add(app, groups, words, entry, options)
    return app


def _spoken(function: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
    """`function` as the parser sees it: without the session, which no person says (`__wrapped__` has it)."""

    @functools.wraps(function)
    def spoken(*args: Any, **kwargs: Any) -> Awaitable[Result]:
        raise TypeError("verbs are called with their session: verbs.dispatch.begin")

    signature = inspect.signature(function)
    said = [p for name, p in signature.parameters.items() if name != "session"]
    spoken.__signature__ = signature.replace(parameters=said)  # type: ignore[attr-defined]
    return spoken


def _add(
    app: App, groups: dict[str, App], words: tuple[str, ...], entry: Verb, options: dict[str, Any]
) -> None:
    if words[0] not in GROUPS:
        app.command(_spoken(entry.function), name=words[0])
        return
    if words[0] not in groups:
        groups[words[0]] = App(name=words[0], help=GROUPS[words[0]], **options)
        app.command(groups[words[0]])
    if entry.default:
        groups[words[0]].default(_spoken(entry.function))
    else:
        groups[words[0]].command(_spoken(entry.function), name=words[1])
