"""A build and copies under way, and what they would run, as text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.image.build import BuildSpec, build_argv, dated_tag, key_values
from sparkconsole.model.text.units import UNKNOWN, binary_size, byte_rate, hms
from sparkconsole.model.work.news import Advance, News, Remark
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.draw.bars import work_bar
from sparkconsole.tui.draw.frame import filled, fitting, folded, joined, plain, styled
from sparkconsole.tui.draw.plan import short_command
from sparkconsole.tui.draw.preview import CommandPreview
from sparkconsole.tui.views.images.show import MEANINGS, Cell, ImageRow
from sparkconsole.verbs.grammar.bounds import checked_spec

Advances = Mapping[tuple[str, str], Advance]
"""By node and what is advancing."""
MARKS = {"running": "▶", "done": "✔", "failed": "✖", "unknown": "?", "cancelled": "○", "": "○"}
STYLES = {
    "running": "$bar",
    "done": "$node-up",
    "failed": "$node-lost",
    "unknown": "$node-warn",
    "cancelled": "$node-none",
    "": "$muted",
}
_COPY = re.compile(
    r"copy to (?P<host>\S+) (?P<state>completed|failed|stopped|unknown)(?: in |: )?(?P<why>.*)", re.DOTALL
)
_SENT = re.compile(r"all bytes sent; (?P<why>.*)")
_PROBLEM = re.compile(r"cannot copy to (?P<host>\S+): (?P<why>.*)", re.DOTALL)
_SAME = re.compile(r"(?P<host>\S+) has the same content already")


# --- what would run


def build_commands(
    words: Sequence[str], given: Mapping[str, Any], image: str, now: datetime
) -> CommandPreview:
    """The exact `docker build` of these words, as the node's newest builder takes it.

    `given`: the verb's arguments by name, `image`: the tag where none was said.
    """
    values = {key: given[key] for key in BuildSpec.model_fields if given.get(key) is not None}
    pairs = key_values(given.get("build_arg") or ())
    named = {**values, "tag": given.get("tag") or image, "build_args": pairs}
    spec = checked_spec(BuildSpec, ("image", "build"), named)
    argv = build_argv(spec, now_epoch=int(now.timestamp()), dated=dated_tag(spec.tag, now))
    return CommandPreview(tuple(words), (("", shlex.join(argv)),))


def plan_preview(words: Sequence[str], plan: Plan) -> CommandPreview:
    """The commands of a plan that a node was asked for; scripts as their arguments, they fill pages."""
    jobs = [s for s in plan.steps if s.job] or plan.steps
    return CommandPreview(tuple(words), tuple(("", short_command(s.argv)) for s in jobs), notes=plan.notes)


# --- where to


@dataclass(frozen=True, slots=True)
class Target:
    """A node that an image may be copied to."""

    node: str
    why: str
    """How it stands to the image, in words."""
    open: bool
    """It may be chosen."""
    wanted: bool
    """It is chosen at first."""
    mark: str = ""


def targets(row: ImageRow | None, nodes: Iterable[NodeState], sender: str) -> tuple[Target, ...]:
    """Every node but the sender; those that lack the image are chosen at first."""
    return tuple(_target(row, node) for node in nodes if node.name != sender)


def _target(row: ImageRow | None, node: NodeState) -> Target:
    if node.reach is not Reachability.UP:
        why = node.reason or ("not reached yet" if node.reach is Reachability.CONNECTING else "lost")
        return Target(node.name, plain(why), open=False, wanted=False, mark="✖" if node.reason else "·")
    if row is None:
        return Target(node.name, "", open=True, wanted=False)
    cell = row.cells.get(node.name, Cell.UNKNOWN)
    return Target(node.name, MEANINGS[cell], True, cell in (Cell.OTHER, Cell.MISSING), cell.value)


def copy_amount(row: ImageRow | None, chosen: Sequence[str]) -> str:
    """`2 × 17.9 GiB`: what will travel, as far as it is known beforehand."""
    if row is None:
        return ""
    lack = [n for n in chosen if row.cells.get(n) is not Cell.SAME]
    size = row.image.size_bytes
    return f"{len(lack)} × {binary_size(size)}" if size else f"{len(lack)} nodes"


# --- how far


@dataclass(frozen=True, slots=True)
class CopyLine:
    """How the copy to one node stands."""

    host: str
    state: str = ""
    """Empty while it waits; running, done or failed."""
    why: str = ""
    advance: Advance | None = None


def copy_lines(
    plan: Plan | None, advances: Advances, news: Iterable[News], results: Iterable[Mapping[str, Any]] = ()
) -> tuple[CopyLine, ...]:
    """A line per receiver of the plan, from what was told so far; `results` are the answer's, at the end."""
    found = {line.host: line for line in _planned(plan)}
    for (host, what), advance in advances.items():
        if what.startswith("copy ") and host in found:
            found[host] = replace(found[host], state="running", advance=advance)
    for item in news:
        if isinstance(item, Remark):
            _hear(found, item)
    for result in results:
        host = str(result["host"])
        state = word if (word := str(result["state"])) in ("failed", "unknown") else "done"
        known = found.get(host, CopyLine(host))
        found[host] = replace(known, state=state, why=str(result["detail"]) or known.why)
    return tuple(found.values())


def _planned(plan: Plan | None) -> Iterable[CopyLine]:
    for note in plan.notes if plan else ():
        if match := _PROBLEM.fullmatch(note):
            yield CopyLine(match["host"], "failed", match["why"])
        elif match := _SAME.fullmatch(note):
            yield CopyLine(match["host"], "done", "already there")
    for step in plan.steps if plan else ():
        if step.id.startswith("copy-"):
            yield CopyLine(step.id.removeprefix("copy-"))
        elif step.id.startswith("load-"):
            yield CopyLine(step.node)


def _hear(found: dict[str, CopyLine], remark: Remark) -> None:
    ended, sent = _COPY.match(remark.text), _SENT.match(remark.text)
    if ended and ended["host"] in found:
        words = {"completed": "done", "stopped": "cancelled"}
        state = words.get(ended["state"], ended["state"])
        found[ended["host"]] = replace(found[ended["host"]], state=state, why=ended["why"])
    elif sent and remark.node in found:
        found[remark.node] = replace(found[remark.node], state="running", why=sent["why"])


def copy_text(lines: Sequence[CopyLine], width: int) -> list[Text]:
    """Failed ones first, as one should look at them; each with its bar, rate and time left, or the reason."""
    order = {"failed": 0, "unknown": 0, "running": 1, "": 2, "cancelled": 3, "done": 4}
    ranked = sorted(lines, key=lambda line: order[line.state])
    named = min(max((cell_len(plain(line.host)) for line in lines), default=0), 20, width // 3)
    return [text for line in ranked for text in _copy_lines(line, named, width)]


def _copy_lines(line: CopyLine, named: int, width: int) -> list[Text]:
    """A reason takes as many lines as it needs, three at most."""
    if line.state not in ("failed", "unknown") or width < 30:
        return [_copy_line(line, named, width)]
    first, *more = folded(line.why, width - named - 3) or [line.state]
    rest = [filled(Text(f"{'':{named + 3}}{part}", STYLES[line.state]), width) for part in more[:2]]
    return [_copy_line(replace(line, why=first), named, width), *rest]


def _copy_line(line: CopyLine, named: int, width: int) -> Text:
    name = filled(styled(line.host), named)
    head = [Text(f"{MARKS[line.state]} ", STYLES[line.state]), name, Text(" ")]
    room = width - named - 3
    advance = line.advance
    if line.state in ("failed", "unknown"):
        return _all(head, styled(line.why or line.state, STYLES[line.state]), room)
    if line.state == "done":
        return _all(head, styled(f"done {line.why}".strip(), "$node-up"), room)
    if advance is None:
        text = (plain(line.why) or "starting") if line.state else "waiting"
        return _all(head, Text(text, "$muted"), room)
    if "registers" in line.why:
        return _all(head, styled(f"sent; {line.why}", "$muted"), room)
    return _all(head, _travelling(advance, room), room)


def _travelling(advance: Advance, room: int) -> Text:
    """`▕███   ▏ 51 %  00:09  1.1 GB/s  layer 3 of 7`, less or more as there is room."""
    share = advance.done / advance.total if advance.total else None
    percent = f"{100 * share:3.0f} %" if share is not None else UNKNOWN
    left = hms(advance.eta_s).removeprefix("00:") if advance.eta_s is not None else ""
    text = fitting((percent, left, byte_rate(advance.rate_per_s)), room).plain
    if advance.rate_per_s is None and advance.piece.startswith("no news"):
        text = fitting((percent, plain(advance.piece)), room).plain
    elif room >= 45 and advance.piece:
        text += f"  {plain(advance.piece)}"
    if room >= 70:
        text += f"  {binary_size(advance.done)} of {binary_size(advance.total)}"
    wide = min(max(room - len(text) - 1, 0), 40)
    return joined([work_bar(share, wide) if wide >= 6 else "", text], " ")


def _all(head: Sequence[Text], rest: Text, room: int) -> Text:
    return Text("", no_wrap=True, end="").join([*head, filled(rest, max(room, 0))])


def build_text(advances: Advances, width: int) -> list[Text]:
    """How many steps of the build are done, then the steps under way that say how far they are."""
    found = list(advances.values())
    whole = [a for a in found if a.what.startswith("steps of ")]
    lines = []
    for advance in whole[-1:]:
        share = advance.done / advance.total if advance.total else None
        took = f"  {hms(advance.elapsed_s)}" if advance.elapsed_s is not None else ""
        text = f" {advance.done:.0f}/{advance.total or 0:.0f} steps{took}"
        lines.append(filled(joined([work_bar(share, max(8, min(width - len(text), 40))), text], ""), width))
    for advance in found[::-1]:
        if advance in whole or advance.what.startswith("copy ") or not advance.total:
            continue
        if advance.done < advance.total:
            text = f"  {advance.done:g}/{advance.total:g}  {plain(advance.what)}"
            lines.append(filled(Text(text, "$muted"), width))
    return lines[:4]
