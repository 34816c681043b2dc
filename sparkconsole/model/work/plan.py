"""A plan says what will be done before anything is done: the dialog, `--dry-run`, the journal and the
script show the same one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sparkconsole.model.text.redact import command_line
from sparkconsole.model.work.answer import Sheet, header_and_rows
from sparkconsole.model.work.consequences import Consequences, Moves
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.tier import Tier


@dataclass(frozen=True, slots=True)
class Verification:
    """How the effect of a step is read back from the machine."""

    sentence: str
    argv: tuple[str, ...]
    expect: str | None = None
    """Exact standard output, stripped; None: exit status 0 is enough."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command on one node."""

    id: str
    node: str
    sentence: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Ids of the steps that must have succeeded before this one starts."""
    undo: tuple[str, ...] = ()
    """The command that takes the step back when a later one fails."""
    verify: Verification | None = None
    timeout_s: float = 60.0
    stdin: str | None = None
    """Text fed to the command; shown with it."""
    folder: str = ""
    """A folder of this machine, fed to the command as a gzipped tar instead of text."""
    secrets: tuple[str, ...] = ()
    """Names of environment variables whose values go to the command over standard input, never in argv."""
    reads: bool = False
    """What it prints, or that it ran to its end, is all that it is for: nothing is left to be read back."""
    job: Job | None = None
    """Set: `argv` runs detached as this job, outliving the connection and the console; the step ends
    when it is seen running: what comes of it is read back by who follows it."""

    def shown(self) -> str:
        """The command as a person could type it on the node, without its secrets."""
        return command_line(self.argv)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are shown; `needs` says which may run side by side."""

    title: str
    steps: tuple[Step, ...] = ()
    tier: Tier = Tier.RECOVERABLE
    word: str = ""
    """What `--yes=WORD` must say for a costly plan."""
    notes: tuple[str, ...] = ()
    """What the person should know first: what was chosen and why, warnings, sizes."""
    table: Sheet | None = None
    """What the plan was decided from, where that is a table."""
    moves: Moves | None = None
    """What goes over a network with it; None: nothing to speak of."""
    consequences: Consequences | None = None
    """What ends with it and how long it takes; every plan that is shown has them."""

    def nodes(self) -> tuple[str, ...]:
        """Every node the plan touches, in order of first mention."""
        return tuple(dict.fromkeys(step.node for step in self.steps))

    def ready(self, done: Iterable[str], started: Iterable[str]) -> tuple[Step, ...]:
        """Steps whose needs are all in `done` and that are not in `started`."""
        have, begun = set(done), set(started)
        return tuple(s for s in self.steps if s.id not in begun and have.issuperset(s.needs))

    def as_data(self) -> dict[str, Any]:
        """The plan as JSON gives it and the journal keeps it."""
        return {
            **({"consequences": self.consequences.as_data()} if self.consequences else {}),
            "title": self.title,
            "tier": self.tier.name.lower(),
            "notes": list(self.notes),
            **({"table": self.table.as_data()} if self.table else {}),
            "steps": [
                {
                    "id": s.id,
                    "node": s.node,
                    "sentence": s.sentence,
                    "argv": list(s.argv),
                    "stdin": s.stdin,
                    "folder": s.folder,
                    "needs": list(s.needs),
                    "undo": list(s.undo),
                    "verify": list(s.verify.argv) if s.verify else [],
                    "job": s.job.id if s.job else None,
                }
                for s in self.steps
            ],
        }


def plan_lines(plan: Plan) -> list[str]:
    """A plan as text: what it brings about, what it is, how it is done."""
    table = header_and_rows(plan.table) if plan.table else []
    brought = plan.consequences.lines() if plan.consequences else ()
    notes = (f"note: {note}" for note in plan.notes)
    lines = [*brought, plan.title, *(f"  {line}" for line in (*table, *notes))]
    for step in plan.steps:
        lines.append(f"  {step.node}: {step.sentence}")
        lines.append(f"    $ {step.shown()}" + (" <<'EOF'" if step.stdin else ""))
        if step.folder:
            lines.append(f"      < the folder {step.folder}, as a tar")
        if step.stdin:
            lines += [*(f"      {line}" for line in step.stdin.splitlines()), "      EOF"]
        if step.undo:
            lines.append(f"    undo: {command_line(step.undo)}")
    return lines


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How one step ended."""

    step: Step
    ok: bool
    detail: str = ""
    duration_s: float = 0.0
    seen: bool = False
    """Its effect was read back in some other way than the step's own verification."""
    unseen: bool = False
    """Not `ok`, as its node was lost: done or not is unknown."""

    @property
    def word(self) -> str:
        """`failed`, `unknown`; `started`: a job, which runs on; `done`: read back; `sent`: the rest."""
        if not self.ok:
            return "unknown" if self.unseen else "failed"
        if self.step.job is not None:
            return "started"
        return "done" if self.seen or self.step.reads or self.step.verify is not None else "sent"


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How a plan ended: what was done, what failed, what was taken back."""

    outcomes: tuple[StepOutcome, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Every step succeeded."""
        return all(o.ok for o in self.outcomes)

    @property
    def unseen(self) -> bool:
        """How it ended is unknown: of a step that did not succeed the end was not seen."""
        return any(o.unseen for o in self.outcomes)

    def failures(self) -> tuple[StepOutcome, ...]:
        """The steps that failed, first one first."""
        return tuple(o for o in self.outcomes if not o.ok)
