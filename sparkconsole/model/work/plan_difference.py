"""Whether two plans do the same, and where they differ, but for names and times that are made each time.

What counts: what ends and the requests in flight, nodes, containers, commands, bytes to move, reasons. What
does not: readings that move by themselves, which are free room, ages, per cents, and how long it may take.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace

from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.plan import Plan, plan_lines

MADE = re.compile(r"-[0-9a-f]{8}\b|\b\d{8}-\d{4}\b|\b1[6-9]\d{8}\b")
"""A job's name, a minute in a tag, a second since 1970."""
FREE = re.compile(r"\d[\d.,]{0,30} ?(?:[kKMGTP]i?)?B(?= (?:more )?(?:(?:are|is) )?free\b)")
PASSING = re.compile(r"\b\d[\d.,]{0,30} ?(?:%|(?:ms|s|min|m|h|d|seconds?|minutes?|hours?|days?)\b)")
"""A duration, an age, a per cent."""
TAKES = ("  takes about ", "  how long it takes ")


def same_action(old: Plan, new: Plan) -> bool:
    """They would do the same to the same nodes, for the same reasons; readings may have moved."""
    return _shown(old) == _shown(new)


def difference(old: Plan, new: Plan) -> tuple[str, ...]:
    """The lines of `new` that `old` has not, with `+`, and the other way round, with `-`."""
    before, after = (_lines(plan) for plan in (old, new))
    match = difflib.SequenceMatcher(None, [*map(_still, before)], [*map(_still, after)], autojunk=False)
    lines: list[str] = []
    for what, i, j, k, m in match.get_opcodes():
        if what != "equal":
            lines += [f"- {line}" for line in before[i:j]] + [f"+ {line}" for line in after[k:m]]
    return tuple(MADE.sub("-…", line.rstrip()) for line in lines)


def _lines(plan: Plan) -> list[str]:
    lines = plan_lines(replace(plan, table=_table(plan)))
    return [line for line in lines if not line.startswith(TAKES)]


def _shown(plan: Plan) -> str:
    data = plan.as_data()
    steps = [{**step, "job": bool(step["job"])} for step in data["steps"]]
    ends = plan.consequences.ends if plan.consequences else ()
    lines = [_still(note) for note in plan.notes]
    table = _table(plan)
    rows = [[_still(cell) for cell in row] for row in table.rows] if table else []
    return MADE.sub("-…", repr((data["title"], data["tier"], plan.word, steps, ends, lines, rows)))


def _table(plan: Plan) -> Sheet | None:
    """Without the columns that say what is free."""
    if plan.table is None:
        return None
    kept = [at for at, name in enumerate(plan.table.columns) if not name.startswith("free")]
    rows = tuple(tuple(row[at] for at in kept) for row in plan.table.rows)
    return replace(plan.table, columns=tuple(plan.table.columns[at] for at in kept), rows=rows)


def _still(text: str) -> str:
    """The text without what moves by itself."""
    return MADE.sub("-…", PASSING.sub("#", FREE.sub("#", text)))
