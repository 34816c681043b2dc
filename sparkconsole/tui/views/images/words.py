"""What the keys of the images view say, from the row under the cursor and the work under way."""

from __future__ import annotations

from sparkconsole.errors import WrongUsage
from sparkconsole.model.image.history import undated
from sparkconsole.model.work.job import JobKind
from sparkconsole.tui.views.images.show import ImageRow
from sparkconsole.tui.work import Task

Words = tuple[str, ...]


def prune_words(row: ImageRow | None, image: str) -> Words:
    """`image prune TAG`; a dated build is pruned with its name's others. No row: the cluster's image."""
    name, _ = undated(row.tag if row else image)
    return "image", "prune", name.removesuffix(":latest")


def rollback_words(row: ImageRow | None) -> Words:
    """`image rollback TAG`, from a dated build's row to that build; WrongUsage without a row."""
    if row is None:
        raise WrongUsage("there is no image to roll back yet")
    name, date = undated(row.tag)
    return "image", "rollback", name.removesuffix(":latest"), *(("--to", date) if date else ())


def kind_of(task: Task) -> JobKind | None:
    """Whether it builds or copies; an attachment does what the run does that it follows."""
    says = {"image build": JobKind.BUILD, "image copy": JobKind.COPY}
    kind = says.get(" ".join(task.words[:2]))
    if kind is JobKind.BUILD and "--no-build" in task.words:
        return JobKind.COPY
    if task.words[:2] == ("runs", "attach") and task.session and task.session.run:
        kinds = [job.kind for job in task.session.run.jobs]
        return next((k for k in (JobKind.BUILD, JobKind.COPY) if k in kinds), None)
    return kind


def newest(tasks: list[Task], kind: JobKind) -> Task | None:
    """The last work of that kind."""
    return next((task for task in reversed(tasks) if kind_of(task) is kind), None)
