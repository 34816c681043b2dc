"""Whether two plans do the same, and where they differ, but for names and times that are made each time."""

from __future__ import annotations

import difflib
import re

from sparkconsole.model.plan import Plan, plan_lines

MADE = re.compile(r"-[0-9a-f]{8}\b|\b\d{8}-\d{4}\b|\b1[6-9]\d{8}\b")
"""A job's name, a minute in a tag, a second since 1970."""
READING = re.compile(r"\d[\d.,:]*")


def same_deed(old: Plan, new: Plan) -> bool:
    """They would do the same to the same nodes, for the same reasons; readings may have moved."""
    return _deed(old) == _deed(new)


def difference(old: Plan, new: Plan) -> tuple[str, ...]:
    """The lines of `new` that `old` has not, with `+`, and the other way round, with `-`."""
    before, after = ([MADE.sub("-…", line) for line in plan_lines(plan)] for plan in (old, new))
    told = difflib.ndiff(before, after)
    return tuple(line.rstrip() for line in told if line[:2] in {"+ ", "- "})


def _deed(plan: Plan) -> str:
    data = plan.as_data()
    data["steps"] = [{**step, "job": bool(step["job"])} for step in data["steps"]]
    notes = [READING.sub("#", note) for note in plan.notes]
    return MADE.sub("-…", repr((data["title"], data["tier"], plan.word, data["steps"], notes)))
