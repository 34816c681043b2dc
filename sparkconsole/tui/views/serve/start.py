"""What a piece of this console's own work tells of a start of `vllm serve`."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.model.serve.spec import StartPhase
from sparkconsole.model.work.news import Remark
from sparkconsole.tui.views.serve.show import Start, place
from sparkconsole.tui.work import Task, TaskState

OTHER = ("stop", "status")


def newest_start(tasks: Sequence[Task]) -> Task | None:
    """The newest work that serves a model; a stop that ended well makes what was before it history."""
    for task in reversed(tasks):
        if task.words[:1] != ("serve",):
            continue
        if task.words[1:2] == ("stop",) and task.state is TaskState.DONE:
            return None
        if task.words[1:2] not in [(word,) for word in OTHER]:
            return task
    return None


def start_of(task: Task, *, fresh: bool = False) -> Start:
    """How far it is, or why it failed."""
    stage = reached(task)
    advance = next((a for (_, what), a in task.advances.items() if what == stage), None)
    cause = str(task.error.cause) if task.error and task.state is TaskState.FAILED else ""
    node = task.error.node if task.error else ""
    return Start(
        running=task.running,
        proved=fresh and task.answer is not None and task.answer.data.get("state") == "ready",
        model=_model(task),
        stage=stage,
        percent=advance.done if advance and task.running else None,
        detail=_detail(task, stage),
        cause=f"{node}: {cause}" if cause and node else cause,
        remedy=task.error.hint if task.error else "",
        elapsed_s=task.elapsed_s,
    )


def reached(task: Task) -> str:
    """The furthest stage that was told."""
    lines = [_stage(news.text) for news in task.news if isinstance(news, Remark)]
    lines += [what for _, what in task.advances]
    return max((t for t in lines if place(t) >= 0), key=place, default=StartPhase.CONTAINER.value)


def _stage(sentence: str) -> str:
    return next(
        (p.value for p in StartPhase if sentence == p.value or sentence.startswith(f"{p.value} ")), ""
    )


def _detail(task: Task, stage: str) -> str:
    lines = [n.text for n in task.news if isinstance(n, Remark) and _stage(n.text) == stage]
    return lines[-1].removeprefix(stage).strip() if lines else ""


def _model(task: Task) -> str:
    jobs = [step.job for step in task.plan.steps if step.job] if task.plan else []
    return str(jobs[-1].details.get("name", "")) if jobs else ""
