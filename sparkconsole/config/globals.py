"""The options that stand before or behind any verb, and what a script is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from sparkconsole.errors import WrongUsage

_FLAG = Parameter(negative="")
_BARE = {"--yes": "", "--demo": "2"}
"""Options whose value may be left out, and what a bare one means; a value needs `=`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The global options.

    Parameters
    ----------
    config:
        The inventory to use instead of ~/.config/sparkconsole/cluster.toml.
    cluster:
        The cluster of the inventory; without it the default one.
    nodes:
        Node names or addresses, comma separated, head first.
    user:
        The login on the nodes.
    demo:
        A pretend cluster of N nodes; nothing real is touched.
    dry_run:
        Show the plan, do nothing.
    yes:
        Agree beforehand; costly plans want their word.
    json:
        One JSON object, or JSON lines, on standard output.
    read_only:
        Refuse every verb that changes a machine.
    theme:
        The console's theme.
    script:
        A file of verb lines, or - for standard input.
    keep_going:
        A script goes on after a line that failed.
    set_:
        KEY=VALUE for ${KEY} in a script; repeatable.
    """

    config: Path | None = None
    cluster: str | None = None
    nodes: Annotated[tuple[str, ...], Parameter(name=["--nodes", "-n"], negative="")] = ()
    user: Annotated[str | None, Parameter(name=["--user", "-u"])] = None
    demo: int = 0
    dry_run: Annotated[bool, _FLAG] = False
    yes: str | None = None
    json: Annotated[bool, _FLAG] = False
    read_only: Annotated[bool, _FLAG] = False
    theme: str | None = None
    script: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    keep_going: Annotated[bool, _FLAG] = False
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()

    def script_text(self) -> str:
        """The script's text; WrongUsage when it cannot be read."""
        if self.script == "-":
            return sys.stdin.read()
        try:
            return Path(self.script or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(f"the script {self.script} cannot be read: {error}") from error

    def values(self) -> Mapping[str, str]:
        """What `${NAME}` stands for: `--set` first, then the environment."""
        given: dict[str, str] = {}
        for pair in self.set_:
            key, equals, value = pair.partition("=")
            if not equals or not key.isidentifier():
                raise WrongUsage(f"--set {pair!r} is not KEY=VALUE")
            given[key] = value
        return {**os.environ, **given}


_NOTHING_SAID = Options()


def read_globals(words: Sequence[str]) -> tuple[Options, list[str]]:
    """The global options among `words`, and the other words in their order.

    They may stand anywhere before `--`, and before the words of `exec`, which are somebody else's.
    """
    ours, theirs = _split(list(words))
    ours = [f"{w}={_BARE[w]}" if w in _BARE else w for w in ours]
    try:
        _, bound, rest, *_ = _application().parse_known_args(ours)
    except CycloptsError as error:
        error.verbose = False
        raise WrongUsage(" ".join(str(error).split()).rstrip("."), hint="sparkconsole --help") from error
    return _collect(*bound.args, **bound.kwargs), [*rest, *theirs]


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    for index, word in enumerate(words):
        if word == "--" or (word == "exec" and _is_verb(words, index)):
            return words[:index], words[index:]
    return words, []


def _is_verb(words: list[str], index: int) -> bool:
    """`exec` is the verb when no option waits for it as its value. `node exec` has its words behind `--`."""
    if index == 0 or words[index - 1] == "node":
        return index == 0
    return not words[index - 1].startswith("--") or "=" in words[index - 1] or words[index - 1] in _FLAGS


_FLAGS = ("--dry-run", "--json", "--read-only", "--keep-going")


def print_help() -> None:
    """Prints the global options, on standard output."""
    _application().help_print([])


def _application() -> App:
    app = App(
        name="sparkconsole",
        help="",
        usage="",
        group_parameters="Options of every verb",
        help_format="plaintext",
        version_flags=(),
        help_flags=(),
        exit_on_error=False,
        print_error=False,
    )
    app.default(_collect)
    return app


def _collect(given: Annotated[Options, Parameter(name="*")] = _NOTHING_SAID) -> Options:
    nodes = tuple(n.strip() for word in given.nodes for n in word.split(",") if n.strip())
    # An empty list stays visible as one: it must be refused, never taken for "all".
    return replace(given, nodes=nodes or given.nodes)
