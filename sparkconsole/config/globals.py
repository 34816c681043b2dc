"""The options that stand before or behind any verb: on the command line, after `:` and in a script's line."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.alike import did_you_mean
from sparkconsole.model.work.tier import WORDS

DEMO_NODES, DEMO_MOST = 2, 64
"""A pretend cluster's machines when no number was said, and the most there can be."""
HELP_WORDS, VERSION_WORDS = ("--help", "-h"), ("--version", "-V")
_EXEC_VALUES = ("--node", "--name")
"""Of the options between `exec` and its command those that have a value; all behind is the command's."""


class Origin(StrEnum):
    """Where words come from."""

    COMMAND_LINE = "the command line"
    CONSOLE = "the console's : line"
    SCRIPT = "a script's line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked of a whole run, or of one line; `GLOBALS` says what each means."""

    config: Path | None = None
    cluster: str | None = None
    nodes: tuple[str, ...] = ()
    user: str | None = None
    demo: int = 0
    """Machines of a pretend cluster; 0: a real one."""
    demo_name: str = ""
    """A pretend cluster that lasts has a name."""
    demo_sized: bool = False
    """The number of its machines was said, not only its name."""
    dry_run: bool = False
    yes: str | None = None
    json: bool = False
    read_only: bool = False
    theme: str | None = None
    script: str | None = None
    keep_going: bool = False
    set_: tuple[str, ...] = ()

    def values(self) -> Mapping[str, str]:
        """What `${NAME}` stands for: `--set` first, then the environment."""
        given: dict[str, str] = {}
        for pair in self.set_:
            key, equals, value = pair.partition("=")
            if not equals or not key.isidentifier():
                hint = "KEY has letters, digits and _: --set MODEL=openai/gpt-oss-20b"
                raise WrongUsage("the value of --set is not KEY=VALUE", hint=hint)  # it may hold a secret
            given[key] = value
        return {**os.environ, **given}


@dataclass(frozen=True, slots=True)
class GlobalOption:
    """One option of every verb."""

    field: str
    names: tuple[str, ...]
    help: str
    value: str = ""
    """What its value is called in help; empty: it takes none."""
    bare: str | None = None
    """What it means without a value, which then needs `=`; None: the value has to be there."""
    many: bool = False
    whole_run: str = ""
    """It holds for a whole run only: where it is said instead of in a line."""

    @property
    def waits(self) -> bool:
        """The next word is its value."""
        return bool(self.value) and self.bare is None

    @property
    def shown(self) -> str:
        """As help shows it: `--nodes, -n A,B,…`."""
        value = f"[={self.value}]" if self.bare is not None else f" {self.value}" if self.value else ""
        return ", ".join(self.names) + value


_OPENED = "sparkconsole {} opens a run with it"
GLOBALS = (
    GlobalOption("nodes", ("--nodes", "-n"), "Node names or addresses, head first.", "A,B,…", many=True),
    GlobalOption("user", ("--user", "-u"), "The login on the nodes.", "USER"),
    GlobalOption("cluster", ("--cluster",), "The inventory's cluster; without it, the default.", "NAME"),
    GlobalOption("config", ("--config",), "The inventory instead of ~/.config/sparkconsole/cluster.toml.",
                 "FILE", whole_run=_OPENED.format("--config FILE")),
    GlobalOption("demo", ("--demo",), "A pretend cluster of N machines, 2 if not said; nothing real is "
                 "touched. With a NAME it lasts.", "N|NAME[:N]",
                 bare=str(DEMO_NODES), whole_run=_OPENED.format("--demo")),
    GlobalOption("dry_run", ("--dry-run",), "Show the plan, change nothing."),
    GlobalOption("yes", ("--yes",), "Skip the question; a destructive plan needs its word.", "WORD", bare=""),
    GlobalOption("json", ("--json",), "One JSON object, or one a line, on standard output."),
    GlobalOption("read_only", ("--read-only",),
                 "Refuse every verb that changes a machine or puts a load on it."),
    GlobalOption("theme", ("--theme",), "The console's theme.", "NAME",
                 whole_run="in the console it is :theme NAME"),
    GlobalOption("script", ("--script",), "Run a file of verb lines, or - for standard input.", "FILE",
                 whole_run="a script runs no other script; on its own: sparkconsole --script FILE"),
    GlobalOption("keep_going", ("--keep-going",), "A script continues after a line that failed.",
                 whole_run="sparkconsole --script FILE --keep-going"),
    GlobalOption("set_", ("--set",), "The value of ${KEY} in a script; repeatable.", "KEY=VALUE", many=True,
                 whole_run="sparkconsole --script FILE --set KEY=VALUE"),
)  # fmt: skip
_BY_NAME = {name: option for option in GLOBALS for name in option.names}
NAMES = (*_BY_NAME, *HELP_WORDS, *VERSION_WORDS)
"""Every option that may stand before a verb."""
_DENIALS = ("no", "off", "false", "never", "none")
"""Whoever says so wants no pretend cluster of that name."""
_DEMO = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]{0,31})(?::(?P<sized>-?\d+))?|(?P<count>-?\d+)")


@dataclass(frozen=True, slots=True)
class SplitWords:
    """Words taken apart: which global options were said, and what is left for the verb."""

    given: Mapping[str, Any]
    """By field of Options."""
    ours: tuple[str, ...]
    """The global options as they stood."""
    rest: tuple[str, ...]
    """All other words in their order; the command of `exec` stands behind `--`."""

    def over(self, options: Options) -> Options:
        """`options` with what was said here instead."""
        return replace(options, **self.given)


def split_words(words: Sequence[str], place: Origin = Origin.COMMAND_LINE) -> SplitWords:
    """Takes global options out of `words`: anywhere before `--`, and before the command of `exec`.

    WrongUsage for a value that is missing, and for an option that has no sense in a line.
    """
    given: dict[str, Any] = {}
    ours: list[str] = []
    front, behind = _own_part(list(words))
    rest: list[str] = []
    left = iter(front)
    for word in left:
        name, equals, value = word.partition("=")
        option = _BY_NAME.get(name)
        if option is None:
            rest.append(word)
            continue
        if place is not Origin.COMMAND_LINE and option.whole_run:
            raise WrongUsage(f"{name} holds for a whole run, not in {place}", hint=option.whole_run)
        ours.append(word)
        if equals or not option.waits:
            text = _checked(option, name, value if equals else None)
        else:
            text = _next_value(option, name, left)
            ours.append(text)
        _take(given, option, name, text)
    return SplitWords(given, tuple(ours), (*rest, *behind))


def first_words(words: Sequence[str]) -> list[str]:
    """The words that are not somebody else's: before `--`, and before the command of `exec`."""
    return _own_part(list(words))[0]


def asked_for_json(words: Sequence[str]) -> bool:
    """`--json` is among our words; known before anything else is understood, so that errors are JSON too."""
    return "--json" in first_words(words)


def _own_part(words: list[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what begins with `--`: the extra words of a verb, the command of `exec`."""
    verb = _past_options(words, 0, ())
    end = _past_options(words, verb + 1, _EXEC_VALUES) if words[verb : verb + 1] == ["exec"] else len(words)
    if "--" in words[: end + 1]:
        end = words.index("--")
        return words[:end], words[end:]
    return words[:end], ["--", *words[end:]] if end < len(words) else []


def _past_options(words: list[str], index: int, waiting: Container[str]) -> int:
    """Where the first word from there on stands that is no option and no option's value, or `--`.

    `waiting`: options that have a value, beside the global ones.
    """
    while index < len(words) and words[index].startswith("-") and words[index] != "--":
        option = _BY_NAME.get(words[index])
        index += 2 if (option and option.waits) or words[index] in waiting else 1
    return min(index, len(words))


def _next_value(option: GlobalOption, name: str, left: Iterator[str]) -> str:
    value = next(left, None)
    if value is None or not (value or option.field == "nodes") or (value.startswith("-") and value != "-"):
        raise WrongUsage(f"{name} needs a value", hint=f"{name} {option.value}")
    return _checked(option, name, value)


def _checked(option: GlobalOption, name: str, value: str | None) -> str:
    """The value, or what the option means without one."""
    if value is None:
        return option.bare or ""
    if not option.value:
        raise WrongUsage(f"{name} takes no value, and was given {value!r}", hint=f"say {name} alone")
    if option.field == "yes" and value not in WORDS and value:
        words = ", ".join(f"--yes={word}" for word in WORDS)
        raise WrongUsage(f"no plan asks for the word {value!r}", hint=f"{words}, or --yes alone")
    # An empty list of nodes stays visible as one: it is refused where it is read, never taken for "all".
    if not value and option.field != "nodes":
        raise WrongUsage(f"{name} needs a value behind its =", hint=option.shown)
    if option.field != "user":
        return value
    from sparkconsole.model.cluster import login

    try:
        return login(value)
    except ValueError as error:
        raise WrongUsage(f"{name} {value!r} is wrong: {error}", hint=f"{name} USER") from error


def _take(given: dict[str, Any], option: GlobalOption, name: str, text: str) -> None:
    if option.field == "demo":
        given.update(_demo(text))
    elif option.field == "nodes":
        given["nodes"] = (*given.get("nodes", ()), *(n.strip() for n in text.split(",") if n.strip()))
        given["nodes"] = given["nodes"] or (text,)
    elif option.many:
        given[option.field] = (*given.get(option.field, ()), text)
    elif not option.value:
        given[option.field] = True
    else:
        value: Any = Path(text) if option.field == "config" else text
        if given.get(option.field, value) != value:
            raise WrongUsage(f"{name} is said twice, with two values", hint="say it once")
        given[option.field] = value


def _demo(text: str) -> dict[str, Any]:
    """`N`, `NAME` or `NAME:N`."""
    if text.lower() in _DENIALS:
        hint = "for the real one leave --demo out"
        raise WrongUsage(f"--demo={text} would be a pretend cluster", hint=hint)
    match = _DEMO.fullmatch(text)
    if match is None:
        hint = "--demo=N, --demo=NAME or --demo=NAME:N; a name has letters, digits, - and _"
        raise WrongUsage(f"--demo={text} is no number of machines and no name", hint=hint)
    number = match["count"] or match["sized"]
    count = DEMO_NODES if number is None else int(number[:4])
    if not 1 <= count <= DEMO_MOST or (number and len(number) > 4):
        cause = f"--demo={text}: a pretend cluster has 1 to {DEMO_MOST} machines, not {number}"
        raise WrongUsage(cause, hint="without --demo the real cluster is meant")
    return {"demo": count, "demo_name": match["name"] or "", "demo_sized": number is not None}


_NEAR = dict.fromkeys(("-v", "-version"), "; did you mean -V (--version)?")
_NEAR |= dict.fromkeys(("--install-completion", "--show-completion"), "; did you mean the verb completion?")
"""What other programs call what is a word of its own here."""


def unknown_option(word: str, known: Sequence[str]) -> WrongUsage:
    """There is no such option: the nearest of those that `known` and every verb have."""
    name = word.partition("=")[0]
    short = _BY_NAME.get(name[:2])
    glued = f"; did you mean {name[:2]} {word[2:]}?" if short and short.value and name[2:] else ""
    near = _NEAR.get(name) or glued or did_you_mean(name, (*known, *NAMES))
    return WrongUsage(f"there is no option {name}{near}", hint="sparkconsole --help")
