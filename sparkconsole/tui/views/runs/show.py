"""The journal and this session's work as rows, one run in a few lines, and one run as a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from sparkconsole.model.text.units import UNKNOWN, stopwatch
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.export import verb_line
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.run_difference import leaves
from sparkconsole.model.work.run_line import RunLine, gist
from sparkconsole.tui.draw.bars import number_heads
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import folded, plain, where_and_why
from sparkconsole.tui.draw.plan import MARKS, plan_text
from sparkconsole.tui.draw.sheet import sheet_lines
from sparkconsole.tui.line.complete import verb_of
from sparkconsole.tui.task import Task, why

SIGNS = {
    RunState.RUNNING: ("▶", "$node-up"),
    RunState.DONE: ("✔", "$node-up"),
    RunState.FAILED: ("✖", "$node-lost"),
    RunState.CANCELLED: ("–", "$muted"),
    RunState.UNKNOWN: ("?", "$node-warn"),
}
COLUMNS = (
    Column("sign", "", width=1),
    Column("when", "WHEN", min=11, max=12),
    Column("kind", "KIND", min=6, max=13),
    Column("what", "WHAT", min=14, grow=True),
    Column("where", "WHERE", min=5, max=12, drop=1),
    Column("took", "TOOK", min=5, max=8, align="right"),
    Column("result", "RESULT", min=15, max=60),
)
MOST_LEAVES = 60


def kind(words: Sequence[str]) -> str:
    """The verb that was said, in the word by which it is known: `build`, `bench`, `node restart`."""
    verb = verb_of(words) or (words[0] if words else UNKNOWN)
    return {"bench run": "bench"}.get(verb, verb.removeprefix("image "))


def when(at: datetime, now: datetime) -> str:
    """`10:40 today`, `19 Dec 10:40`, `19 Dec 2025`; both are local times."""
    if at.date() == now.date():
        return f"{at:%H:%M} today"
    return f"{at:%d %b %H:%M}" if at.year == now.year else f"{at:%d %b %Y}"


def took(line: RunLine, now: datetime) -> str:
    """How long; of what runs, until now."""
    if line.ended is None and line.state is not RunState.RUNNING:
        return UNKNOWN
    return stopwatch(((line.ended or now) - line.started).total_seconds())


def result(line: RunLine) -> str:
    """How it ended, in a few words."""
    match line.state:
        case RunState.RUNNING:
            return line.gist or "running"
        case RunState.DONE:
            return line.gist or "done"
        case RunState.UNKNOWN:
            if line.exit_code is not None:
                return f"unknown: {line.cause}" if line.cause else f"unknown ({line.exit_code})"
            return "gone: a follows" if line.jobs else "gone: a looks" if line.nodes else "console gone"
        case RunState.CANCELLED:
            return line.cause or "cancelled"
    code = f"failed ({line.exit_code})" if line.exit_code not in (None, 1) else "failed"
    return f"{code}: {line.cause}" if line.cause else code


def what(line: RunLine) -> str:
    """The plan's title less what the column before says, else the words behind the verb."""
    first, _, rest = line.title.partition(" ")
    if rest and first.lower().startswith(kind(line.words)):
        return rest
    behind = " ".join(line.words[len(verb_of(line.words).split()) :])
    return line.title or behind or UNKNOWN


def row(line: RunLine, now: datetime, names: Sequence[str]) -> TableRow:
    """As the table takes it; `now` is local."""
    sign, style = SIGNS[line.state]
    tone = style if line.state in (RunState.FAILED, RunState.UNKNOWN) else ""
    cells = (
        Text(sign, style),
        when(line.started.astimezone(now.tzinfo), now),
        plain(kind(line.words)),
        plain(what(line)),
        where(line.nodes, names),
        took(line, now),
        Text(plain(result(line)), tone),
    )
    seconds = ((line.ended or now) - line.started).total_seconds()
    order = (line.state.value, line.started.timestamp(), *(plain(str(c)) for c in cells[2:5]), seconds)
    find = " ".join((*line.words, line.id, line.cause))
    return TableRow(line.id, cells, (*order, cells[6].plain), find=find)


def where(nodes: Sequence[str], names: Sequence[str]) -> str:
    """`01`, `2/2`, as the cluster is now."""
    if not nodes:
        return UNKNOWN
    if len(nodes) == 1:
        return number_heads(names).get(nodes[0], plain(nodes[0]))
    return f"{len(nodes)}/{len(names)}" if set(nodes) <= set(names) else f"{len(nodes)} nodes"


def _cause(task: Task) -> str:
    if task.error is not None:
        return where_and_why(task.error)
    return why(task.news, task.answer) if task.answer and task.exit_code else ""


def _gist(task: Task) -> str:
    if task.running:
        return task.remark or f"running {task.progress}".strip()
    return gist(task.answer.data if task.answer else {})


def of_task(task: Task, number: int, now: datetime) -> RunLine:
    """This session's work, which the journal may not have (a stream)."""
    ended = now if task.ended_s is None else now - timedelta(seconds=task.clock.monotonic() - task.ended_s)
    return RunLine(
        id=task.run_id or f"task-{number}",
        words=task.words,
        state=RunState(task.state.value),
        started=ended - timedelta(seconds=task.elapsed_s),
        ended=None if task.running else ended,
        title=task.plan.title if task.plan else "",
        nodes=task.plan.nodes() if task.plan else (),
        jobs=len(task.run.jobs) if task.run else 0,
        steps=len(task.plan.steps) if task.plan else 0,
        exit_code=task.exit_code,
        cause=_cause(task),
        hint=task.error.hint if task.error else "",
        gist=_gist(task),
    )


def merged(kept: Iterable[RunLine], tasks: Sequence[Task], now: datetime) -> tuple[RunLine, ...]:
    """Newest first; what runs here is told by its own work, what ended by the journal once that has it."""
    lines = {line.id: line for line in kept}
    for number, task in enumerate(tasks):
        line = of_task(task, number, now)
        known = lines.get(line.id)
        if known is not None and (task.running or not known.over):
            line = replace(line, started=known.started, words=known.words, title=known.title or line.title)
        if known is None or task.running or not known.over:
            lines[line.id] = line
    return tuple(sorted(lines.values(), key=lambda each: (each.started, each.id), reverse=True))


def brief(line: RunLine, width: int) -> list[Text]:
    """What was said, what went wrong, what to do."""
    lines = _hung(": ", "$muted", plain(verb_line(line.words)), width, "bold")
    if line.cause:
        lines += _hung("✖ ", "$node-lost", line.cause, width)
    if line.hint:
        lines += _hung("→ ", "$muted", line.hint, width, "bold")
    if line.state is RunState.UNKNOWN:
        gone = "a node could not be asked" if line.exit_code is not None else "its console is gone"
        what = f"follows its {line.jobs} job(s) to the end" if line.jobs else "sees what stands"
        lines += _hung("? ", "$node-warn", f"{gone}; a {what}", width)
    if line.state is RunState.RUNNING and line.gist:
        lines += _hung("▶ ", "$bar", line.gist, width)
    if line.state is RunState.DONE:
        lines += _hung("✔ ", "$node-up", line.gist or "done", width)
    nodes = f"{len(line.nodes)} nodes: {', '.join(map(plain, line.nodes[:6]))}" if len(line.nodes) > 1 else ""
    steps = f"{line.steps} steps" if line.steps > 1 else ""
    about = filter(None, (nodes, steps, line.cluster and f"cluster {line.cluster}"))
    return [*lines, *_hung("  ", "", " · ".join(about), width, "$muted")]


def _hung(sign: str, sign_style: str, text: str, width: int, style: str = "") -> list[Text]:
    parts = enumerate(folded(text, max(width - 2, 10)))
    return [Text("  " if at else sign, sign_style).append(part, style) for at, part in parts]


def heading(line: RunLine, now: datetime) -> tuple[Text, str]:
    """For a frame: `✖ 10:29 today · launch` and `failed 02:00`."""
    sign, style = SIGNS[line.state]
    title = Text(f"{sign} ", style).append(f"{when(line.started.astimezone(now.tzinfo), now)} · ", "$title")
    return title.append(plain(kind(line.words)), "$title"), f"{line.state.value} {took(line, now)}"


def plan_of(run: Run) -> Plan:
    """The plan that the journal keeps, to be looked at."""
    steps = []
    for number, kept in enumerate(run.plan.get("steps", ())):
        if isinstance(kept, Mapping):
            name, stdin = str(kept.get("id", number)), kept.get("stdin")
            node, sentence, folder = (str(kept.get(key) or "") for key in ("node", "sentence", "folder"))
            argv, undo = (tuple(map(str, kept.get(key) or ())) for key in ("argv", "undo"))
            steps.append(Step(name, node, sentence, argv, undo=undo, stdin=stdin, folder=folder))
    notes, kept = tuple(map(str, run.plan.get("notes", ()))), run.plan.get("table")
    table = Sheet.of(kept.get("columns", ()), kept.get("rows", ())) if isinstance(kept, Mapping) else None
    return Plan(str(run.plan.get("title", "")), tuple(steps), notes=notes, table=table)


def marks_of(plan: Plan, output: Iterable[str]) -> dict[str, str]:
    """How each step ended, as the run's own output says."""
    values = {f"{s.node} {s.sentence}: ": s.id for s in plan.steps}
    found: dict[str, str] = {}
    for line in output:
        for begin, step in values.items():
            if line.startswith(begin):
                word = line[len(begin) :].partition(":")[0]
                found |= {step: word} if word in MARKS else {}
    return found


def page(
    line: RunLine,
    plan: Plan,
    marks: Mapping[str, str],
    outcome: Mapping[str, Any],
    parts: Sequence[Sheet | str],
    why: Sequence[str],
    width: int,
    *,
    whole: bool,
) -> list[Text]:
    """Words, error, why it failed as its output says, plan with its exact commands, result."""
    lines = brief(line, width)
    if why:
        lines += [Text(), Text("what its output says", "bold $title")]
    lines += [Text(x) for text in why for part in text.split("\n") for x in folded(part, width)]
    if plan.steps or plan.notes:
        shown = plan_text(plan, whole=whole, marks=marks, width=width)
        lines += [Text(), Text("plan", "bold $title"), *shown.split("\n")]
    found = [part for part in parts if part]
    if found or outcome:
        lines += [Text(), Text("result", "bold $title")]
    for part in found:
        lines += map(Text, sheet_lines(part, width) if isinstance(part, Sheet) else folded(part, width))
    if not found and outcome:
        rows = list(leaves(outcome))[:MOST_LEAVES]
        cells = [(name, f"{value:g}" if isinstance(value, float) else str(value)) for name, value in rows]
        lines += [Text(x) for x in sheet_lines(Sheet.of(("", ""), cells), width)[1:]]
    return lines
