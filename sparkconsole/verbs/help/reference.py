"""The reference of all words, from the registry: docs/reference.md, and docs/sparkconsole.1 for `man`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sparkconsole import __version__
from sparkconsole.verbs.grammar.registry import ALONE, GROUPS, PURPOSE, TASKS, load
from sparkconsole.verbs.help.page import EXITS, OPENS, HelpPage, Pair, global_options, page

JSON = (
    "With --json a verb that changes something says `state`: done (what it was for was read back), failed, "
    "cancelled, started (it goes on) or unknown (a node could not be asked); a run of `runs` has the same "
    "words. `serve` says ready or unproved there, `serve keep` how the server stands. `steps` has each step "
    "of the plan: done, started (a job, which runs on), sent (nothing could be read back) or failed. What "
    "nobody could look at is null or the word unknown, never false, 0 or an empty list; `unknown` names the "
    "nodes and why."
)


# --- Markdown


def markdown() -> str:
    """docs/reference.md"""
    parts = ["# Reference", "", "Made from the program's own help by `make reference`."]
    parts += ["", PURPOSE, "", OPENS]
    parts += ["", "## Options of every verb", "", *_table(global_options()), "", EXITS, "", JSON]
    for task, firsts in TASKS.items():
        parts += ["", f"## {task}"]
        for first in firsts:
            parts += ["", f"### {first}", "", _md(GROUPS.get(first) or ALONE[first])]
            for words in load(first):
                parts += _md_page(page(words))
    return "\n".join(parts) + "\n"


def _md_page(help_page: HelpPage) -> Iterable[str]:
    if help_page.words[0] in GROUPS:
        yield from ("", f"#### {' '.join(help_page.words)}", "", _md(help_page.summary))
    yield from ("", "```text", help_page.usage, "```")
    for text in help_page.paragraphs:
        yield from ("", _md(text))
    if help_page.arguments or help_page.options:
        yield from ("", *_table((*help_page.arguments, *help_page.options)))
    if help_page.examples:
        lines = (f"sparkconsole {line}  # {what}" for line, what in help_page.examples)
        yield from ("", "```sh", *lines, "```")


def _table(pairs: Iterable[Pair]) -> list[str]:
    rows = (f"| `{name.replace('|', chr(92) + '|')}` | {_md(text)} |" for name, text in pairs)
    return ["| word | what it means |", "|---|---|", *rows]


def _md(text: str) -> str:
    return re.sub(r"([|<>*])", r"\\\1", text)


# --- roff


def man() -> str:
    """docs/sparkconsole.1"""
    parts = [f'.TH SPARKCONSOLE 1 "" "sparkconsole {__version__}" "User commands"']
    parts += [".SH NAME", r"sparkconsole \- run a vLLM cluster on DGX Spark machines"]
    parts += [".SH SYNOPSIS", ".B sparkconsole", r"[\fIOPTIONS\fR] [\fIWORD\fR ...]"]
    parts += [".SH DESCRIPTION", _roff(PURPOSE), ".PP", _roff(OPENS)]
    parts += [".SH OPTIONS", "Of every verb, before or after any word.", *_items(global_options())]
    for task, firsts in TASKS.items():
        parts.append(f".SH {_roff(task.upper())}")
        for words in (words for first in firsts for words in load(first)):
            parts += _man_page(page(words))
    parts += [".SH EXIT STATUS", _roff(EXITS), ".SH JSON", _roff(JSON)]
    return "\n".join(parts) + "\n"


def _man_page(help_page: HelpPage) -> Iterable[str]:
    yield from (f".SS {_roff(' '.join(help_page.words))}", f"\\fB{_roff(help_page.usage)}\\fR")
    for text in (help_page.summary, *help_page.paragraphs):
        yield from (".PP", _roff(text))
    yield from _items((*help_page.arguments, *help_page.options))
    if help_page.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS 4")
        for line, what in help_page.examples:
            yield from (_roff(f"# {what}"), _roff(f"sparkconsole {line}"))
        yield from (".RE", ".fi")


def _items(pairs: Iterable[Pair]) -> Iterable[str]:
    for name, text in pairs:
        yield from (".TP", f"\\fB{_roff(name)}\\fR", _roff(text) or r"\&")


def _roff(text: str) -> str:
    """Text as it is: no word of it is a request, a dash can be copied."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("–", "-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
