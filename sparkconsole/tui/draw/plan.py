"""A plan as people read it: per step the node, the sentence and the exact command; scripts on request."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text

from sparkconsole.model.text.redact import command_line, presentable, redact_words
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.tui.draw.sheet import sheet_lines

MARKS = {"running": "▶", "started": "▶", "sent": "▶", "done": "✔", "failed": "✖", "unknown": "?", "": "○"}
SHORT = 3
"""Lines of a script that are shown without being asked for."""


def plan_text(
    plan: Plan,
    *,
    whole: bool = False,
    commands: bool = True,
    marks: Mapping[str, str] | None = None,
    width: int | None = None,
) -> Text:
    """What the plan brings about, its table, notes and steps. `whole`: scripts in full, and how each step

    would be taken back. `commands`: not only what each step does, also by which command.
    `marks`: how each step stands, by its id; None: nothing has begun and nothing is marked.
    """
    text, ends = Text(), plan.consequences.ending() if plan.consequences else ()
    for line in plan.consequences.lines() if plan.consequences and marks is None else ():
        text.append(f"{presentable(line)}\n", "bold $text-warning" if line in ends else "")
    for line in sheet_lines(plan.table, width) if plan.table else ():
        text.append(f"{line}\n")
    for note in plan.notes:
        text.append(f"· {presentable(note)}\n")
    for step in plan.steps:
        mark = MARKS[marks.get(step.id, "")] if marks is not None else ""
        _append(text, step, whole=whole, commands=commands, mark=mark)
    text.rstrip()
    return text


def _append(text: Text, step: Step, *, whole: bool, commands: bool, mark: str) -> None:
    text.append(f"{mark} " if mark else "").append(f"{presentable(step.node)}  ", "bold")
    text.append(f"{presentable(step.sentence)}\n")
    if not commands:
        return
    text.append(f"    $ {_shown(step.argv, whole=whole)}\n", "$text-muted")
    if step.folder:
        text.append(f"    < the folder {presentable(step.folder)}, as a tar\n", "$text-muted")
    if step.stdin:
        lines = step.stdin.splitlines()
        short = step.stdin if whole or len(lines) <= SHORT else f"{lines[0]} … ({len(lines)} lines)"
        text.append(f"    < {presentable(short)}\n", "$text-muted")
    if whole and step.undo:
        text.append(f"    undo: {_shown(step.undo, whole=True)}\n", "$text-muted")


def _shown(argv: Sequence[str], *, whole: bool) -> str:
    return presentable(command_line(argv) if whole else brief(argv))


def brief(argv: Sequence[str]) -> str:
    """The command with each script of many lines said in a few words: `sh -c ‹9 lines› job-unpack ID`."""
    counted = ((word, word.strip().count("\n") + 1) for word in redact_words(argv))
    return " ".join(f"‹{lines} lines›" if lines > SHORT else shlex.quote(word) for word, lines in counted)


def short_command(argv: Sequence[str]) -> str:
    """The command in one line; a script of many lines, or with arguments, as `sh -c …` and its arguments."""
    script = 2 if tuple(argv[:2]) == ("sh", "-c") and len(argv) > 3 else -1
    words = ["…" if at == script or "\n" in word.strip() else word for at, word in enumerate(argv)]
    return shlex.join(words).replace("'…'", "…")
