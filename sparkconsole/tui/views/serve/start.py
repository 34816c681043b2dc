"""What a piece of this console's own work tells of a start of `vllm serve`."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.fleet.store import ServerPhase
from sparkconsole.model.serve.spec import StartPhase
from sparkconsole.model.work.news import Remark
from sparkconsole.tui.draw.frame import where_and_why
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.serve.show import ServeStatus, place

FRESH_S = 10.0
"""It ended so short a time ago that the watch may not have looked since."""


def is_start(words: Sequence[str]) -> bool:
    """They serve a model, and neither stop one nor only look."""
    return words[:1] == ("serve",) and len(words) > 1 and words[1] not in ("stop", "status")


def newest_start(tasks: Sequence[Task]) -> Task | None:
    """The newest work that serves a model; a stop that ended well makes what was before it history."""
    for task in reversed(tasks):
        if task.words[:2] == ("serve", "stop") and task.state is TaskState.DONE:
            return None
        if is_start(task.words):
            return task
    return None


def start_of(task: Task) -> ServeStatus | None:
    """How far it is, why it failed, or that a token came back a moment ago; None: it is history."""
    stage, model, error = reached(task), _model(task), task.error
    if task.running:
        advance = next((a for (_, what), a in task.advances.items() if what == stage), None)
        done, detail = advance.done if advance else None, _detail(task, stage)
        return ServeStatus(ServerPhase.LOADING, model, stage, done, detail, elapsed_s=task.elapsed_s)
    fresh = task.ended_s is not None and task.clock.monotonic() - task.ended_s < FRESH_S
    if fresh and task.answer is not None and task.answer.data.get("state") == "ready":
        return ServeStatus(ServerPhase.READY, model)
    if error is None or not task.broke:
        return None
    phase = ServerPhase.FAILED if task.state is TaskState.FAILED else ServerPhase.UNKNOWN
    return ServeStatus(phase, model, stage, cause=where_and_why(error), remedy=error.hint)


def reached(task: Task) -> str:
    """The furthest stage that was told."""
    lines = [_stage(news.text) for news in task.news if isinstance(news, Remark)]
    lines += [what for _, what in task.advances]
    return max((t for t in lines if place(t) >= 0), key=place, default=StartPhase.CONTAINER.value)


def _stage(sentence: str) -> str:
    return next((p.value for p in StartPhase if f"{sentence} ".startswith(f"{p.value} ")), "")


def _detail(task: Task, stage: str) -> str:
    lines = [n.text for n in task.news if isinstance(n, Remark) and _stage(n.text) == stage]
    return lines[-1].removeprefix(stage).strip() if lines else ""


def _model(task: Task) -> str:
    jobs = [step.job for step in task.plan.steps if step.job] if task.plan else []
    return str(jobs[-1].details.get("name", "")) if jobs else ""
