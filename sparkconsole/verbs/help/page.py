"""What help says of a word: taken from the registry, drawn for a terminal of any width."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkconsole.config.globals import GLOBALS
from sparkconsole.verbs.grammar.forms import Field, FieldKind, fields
from sparkconsole.verbs.grammar.registry import ALONE, GROUPS, PURPOSE, TASKS, load
from sparkconsole.verbs.help.help_examples import examples_of

NARROW, WIDEST = 40, 100
"""Columns that help is never narrower or wider than."""
EXITS = (
    "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 a node could not be reached, 4 refused, "
    "5 unknown: done or not could not be seen, 130 cancelled. exec passes its command's own on."
)
FOOT = (
    "sparkconsole help WORD explains one. A word means the same on the command line, after : in the console, "
    "and in a script."
)
OPENS = "sparkconsole alone opens the console; with --demo, on a pretend cluster."

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class HelpPage:
    """One verb, as help and the reference tell of it."""

    words: tuple[str, ...]
    usage: str
    summary: str
    paragraphs: tuple[str, ...]
    arguments: tuple[Pair, ...]
    options: tuple[Pair, ...]
    examples: tuple[Pair, ...]
    """A command line without the program's name, and what it does."""


def page(words: tuple[str, ...]) -> HelpPage:
    """The page of a verb."""
    summary, *paragraphs = _paragraphs(load(words[0])[words].function.__doc__ or "")
    every = fields(" ".join(words))
    placed = [f for f in every if f.positional]
    return HelpPage(
        words,
        usage=" ".join(("sparkconsole", *words, *_usages(placed))),
        summary=summary,
        paragraphs=tuple(paragraphs),
        arguments=tuple((_usage(f), _sentence(f)) for f in placed),
        options=tuple((_shown(f), _sentence(f)) for f in every if not f.positional),
        examples=examples_of(words),
    )


def _usages(placed: Sequence[Field]) -> list[str]:
    """What stands behind `--` comes last."""
    front = [_usage(f) for f in placed if not _behind(f)]
    return [*front, "[OPTIONS]", *(f"-- {_usage(f)}" for f in placed if _behind(f))]


def _behind(field: Field) -> bool:
    return field.kind is FieldKind.WORDS or field.name == "command"


def _paragraphs(doc: str) -> list[str]:
    """The docstring before its parameters; lines of a paragraph are one line."""
    text = re.split(r"\n *Parameters *\n *-{3,}", inspect.cleandoc(doc))[0]
    return [" ".join(p.split()) for p in re.split(r"\n\s*\n", text) if p.strip()]


def _usage(field: Field) -> str:
    name = field.name.strip("_").replace("_", "-").upper()
    if field.kind is FieldKind.WORDS:
        return "WORD…"
    several = "…" if field.kind is FieldKind.LIST else ""
    needed = field.required or field.name == "command"
    return f"{name}{several}" if needed else f"[{name}{several}]"


def _shown(field: Field) -> str:
    flags = sorted(field.flags, key=lambda name: (not name.startswith("--"), len(name)))
    if field.negative and field.default is not None and field.default is not False:
        return f"{', '.join(flags)} / {field.negative}"
    if field.kind is FieldKind.CHECK:
        return ", ".join(flags)
    value = {FieldKind.WHOLE: "N", FieldKind.NUMBER: "N", FieldKind.LIST: "VALUE…"}.get(field.kind, "VALUE")
    return f"{', '.join(flags)} {'|'.join(field.choices) or value}"


def _sentence(field: Field) -> str:
    text = " ".join(field.help.split())
    default = field.default
    if default in (None, False, "", (), []) or field.kind is FieldKind.CHECK:
        return text
    value = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{text} (default {value})".strip()


def terminal_width() -> int:
    """The columns that help is drawn for."""
    return max(NARROW, min(WIDEST, shutil.get_terminal_size().columns))


def topic_text(words: tuple[str, ...], width: int) -> str:
    """What help says of these words: a verb, a group of verbs, or (no words) of everything."""
    if not words:
        return _overview(width)
    group = len(words) == 1 and words[0] in GROUPS
    return _group_text(words[0], width) if group else _verb_text(page(words), width)


def global_options() -> list[Pair]:
    """The options of every verb, as help shows them."""
    own = [("--help, -h", "Explain the words before it."), ("--version, -V", "Say which version this is.")]
    return [*((option.shown, option.help) for option in GLOBALS), *own]


def _overview(width: int) -> str:
    blocks = ["Usage: sparkconsole [OPTIONS] [WORD…]", _wrapped(PURPOSE, width), _wrapped(OPENS, width)]
    for task, firsts in TASKS.items():
        blocks.append(_titled(task, [(first, GROUPS.get(first) or ALONE[first]) for first in firsts], width))
    blocks.append(_titled("Options of every verb, before or after any word", global_options(), width))
    return "\n\n".join((*blocks, _wrapped(FOOT, width), _wrapped(EXITS, width)))


def _group_text(first: str, width: int) -> str:
    verbs = load(first)
    blocks = [f"Usage: sparkconsole {first} WORD… [OPTIONS]", _wrapped(GROUPS[first], width)]
    if (first,) in verbs:
        blocks = [_verb_text(page((first,)), width)]
    rows = [(" ".join(w), entry.summary) for w, entry in verbs.items() if len(w) > 1]
    blocks.append(_titled("Words", rows, width))
    if (first,) not in verbs:
        examples = [pair for words in verbs for pair in examples_of(words)[:1]]
        blocks.append(_examples(examples, width))
    return "\n\n".join((*blocks, f"sparkconsole help {' '.join([*verbs][-1])} explains one of them."))


def _verb_text(help_page: HelpPage, width: int) -> str:
    blocks = [f"Usage: {help_page.usage}"]
    blocks += [_wrapped(text, width) for text in (help_page.summary, *help_page.paragraphs)]
    for title, pairs in (("Arguments", help_page.arguments), ("Options", help_page.options)):
        if pairs:
            blocks.append(_titled(title, pairs, width))
    if help_page.examples:
        blocks.append(_examples(help_page.examples, width))
    return "\n\n".join((*blocks, _wrapped("Options of every verb: sparkconsole help.", width)))


def _examples(examples: Iterable[Pair], width: int) -> str:
    """A command a line, whole, so that it can be copied."""
    lines = ["Examples:"]
    for line, what in examples:
        lines += textwrap.wrap(f"# {what}", width - 2, initial_indent="  ", subsequent_indent="  # ")
        lines.append(f"  sparkconsole {line}")
    return "\n".join(lines)


def _titled(title: str, pairs: Sequence[Pair], width: int) -> str:
    """Names in a column, what they mean beside it; a name that is too long has a line of its own."""
    column = min(max(len(name) for name, _ in pairs), max(12, width // 3)) + 4
    lines = [f"{title}:"]
    for name, text in pairs:
        wrapped = textwrap.wrap(text, max(NARROW // 2, width - column)) or [""]
        head = f"  {name}"
        if len(head) + 2 > column:
            lines.append(head)
            head = ""
        lines.append(f"{head:<{column}}{wrapped[0]}".rstrip())
        lines += [f"{'':<{column}}{more}" for more in wrapped[1:]]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
