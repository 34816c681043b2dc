"""A piece of work: how far it is, what was said of it, how it ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sparkconsole.clock import Clock, RealClock
from sparkconsole.errors import SparkError, Stopped
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.logs.line import LogLine, log_line
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Run
from sparkconsole.model.work.news import (
    Advance,
    News,
    Output,
    Remark,
    StepBegan,
    StepEnded,
    advance_word,
)
from sparkconsole.model.work.plan import Plan
from sparkconsole.verbs.grammar.record import UNRECORDED, kept
from sparkconsole.verbs.grammar.session import Session

NEWS = 2000
"""Enough for what 64 nodes tell of one launch."""


SILENT_S = 6.0
"""A rate that is older than that is none."""


class TaskState(StrEnum):
    """How a piece of work stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A node of it could not be asked: done or not was not seen."""
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Task:
    """One piece of work under way, or ended in this session."""

    words: tuple[str, ...]
    plan: Plan | None = None
    """None: a stream of rows, which changes nothing."""
    clock: Clock = field(default_factory=RealClock)
    began_s: float = 0.0
    ended_s: float | None = None
    state: TaskState = TaskState.RUNNING
    steps: dict[str, str] = field(default_factory=dict)
    """By step id: running, started, sent, done or failed; started is a job that runs on.

    A step that is not there has not begun."""
    advances: dict[tuple[str, str], Advance] = field(default_factory=dict)
    """By node and what is advancing; the newest one each."""
    news: deque[News] = field(default_factory=lambda: deque(maxlen=NEWS))
    """All but the lines of output: a log of hundreds of lines must not push out what nodes told."""
    output: LineRing[LogLine] = field(default_factory=LineRing)
    answer: Answer | None = None
    error: SparkError | None = None
    session: Session | None = None
    cluster: Cluster | None = None
    """The one it began with."""
    handle: asyncio.Task[None] | None = None
    latest: Advance | None = None
    """The newest advance, of the phase that is under way."""
    remark: str = ""
    """What was said since then, by which node: what it waits for, or all there is where nothing advances."""
    _heard_s: dict[tuple[str, str], float] = field(default_factory=dict)
    version: int = 0
    """Grows with every change."""

    @property
    def running(self) -> bool:
        """It has not ended."""
        return self.state is TaskState.RUNNING

    @property
    def broke(self) -> bool:
        """It failed, or how it ended was not seen."""
        return self.state in (TaskState.FAILED, TaskState.UNKNOWN)

    @property
    def exit_code(self) -> int | None:
        """What it would have ended a program with; None while it runs, or where it was let go."""
        return self.error.exit_code if self.error else self.answer.exit_code if self.answer else None

    @property
    def run(self) -> Run | None:
        """What the journal has of it."""
        return self.session.run if self.session else None

    @property
    def run_id(self) -> str:
        """Its id in the journal; empty while it has none."""
        return self.run.id if self.run else ""

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return self.plan.title if self.plan else " ".join(self.words)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, until it ended."""
        return (self.ended_s or self.clock.monotonic()) - self.began_s

    @property
    def progress(self) -> str:
        """How far it is, or what was said since it last advanced."""
        return self.remark or (advance_word(self.latest) if self.latest else "")

    def hear(self, news: News) -> None:
        """Takes news in; never blocks, never raises."""
        self.version += 1
        match news:
            case StepBegan(node, sentence):
                self._mark(node, sentence, "running")
            case StepEnded(outcome):
                self.steps[outcome.step.id] = outcome.word
            case Advance():
                self.advances[news.node, news.what] = self.latest = news
                self.remark = ""
                self._heard_s[news.node, news.what] = self.clock.monotonic()
                return
            case Remark(_, node) if self.latest and (self.latest.node, self.latest.unit) == (node, "%"):
                self.latest = None  # the per cent of a phase are not those of the next one
        if isinstance(news, Remark) and (self.latest is None or news.level == "warning"):
            self.remark = f"{news.node}: {news.text}" if news.node else news.text
        if not isinstance(news, Output):
            self.news.append(news)
        if line := kept(news):
            self.output.append(log_line(line))

    def _mark(self, node: str, sentence: str, mark: str) -> None:
        for step in self.plan.steps if self.plan else ():
            if (step.node, step.sentence) == (node, sentence) and step.id not in self.steps:
                self.steps[step.id] = mark
                return

    def current(self) -> dict[tuple[str, str], Advance]:
        """`advances`; one that nobody spoke of for a while has no rate any more, and says since when."""
        found, now_s = dict(self.advances), self.clock.monotonic()
        for key, heard_s in self._heard_s.items():
            if self.running and now_s - heard_s > SILENT_S:
                piece = f"no update for {now_s - heard_s:.0f} s"
                found[key] = replace(found[key], rate_per_s=None, eta_s=None, piece=piece)
        return found


def job_ends(steps: Mapping[str, str], *, done: bool) -> dict[str, str]:
    """How steps stand once their run has ended: what had started or was sent is done when the run is.

    A run is done when what it was for was read back.
    """
    return {step: "done" if done and mark in ("started", "sent") else mark for step, mark in steps.items()}


def verdict(task: Task) -> tuple[str, str]:
    """The level and the sentence with which a piece of work is told to have ended."""
    if isinstance(task.error, Stopped):
        return "info", task.error.cause
    title = f"{task.title}: how it ended is unknown" if task.state is TaskState.UNKNOWN else task.title
    if task.error is not None:
        return "error", f"{title}: {task.error}"
    if task.answer is not None and task.answer.exit_code:
        return "error", f"{title}: {why(task.news, task.answer)}"
    unrecorded = [n.text for n in task.news if isinstance(n, Remark) and n.text.endswith(UNRECORDED)]
    return ("warning" if unrecorded else "done"), "; ".join((f"{task.title}: done", *unrecorded[-1:]))


def why(news: Iterable[News], answer: Answer) -> str:
    """What went wrong, as it was last said: by an error, else by a warning, else by the answer."""
    lines: dict[str, str] = {}
    for item in news:
        match item:
            case Remark(text, node, level) if not text.endswith(UNRECORDED):
                lines[level] = f"{node}: {text}" if node else text
            case StepEnded(outcome) if not outcome.ok:
                lines["error"] = f"{outcome.step.node}: {outcome.step.sentence}: {outcome.detail}"
    of_answer = [part for part in answer.parts if isinstance(part, str)]
    code = f"ended with exit code {answer.exit_code}"
    return lines.get("error") or lines.get("warning") or (of_answer[-1] if of_answer else code)
