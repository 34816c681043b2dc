"""What can be done with runs of the journal, in their list and on the page of one."""

from __future__ import annotations

from textual import work

from sparkconsole.errors import SparkError
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.view import View
from sparkconsole.tui.work import Task

RUN_KEYS = (
    Key("runs.export", "y", "script", "Copy a script that does it again."),
    Key("runs.stop", "X", "stop…", changes=True),
    Key("runs.again", "E", "again…", changes=True),
    Key("runs.attach", "a", "attach"),
)


class RunActions(View):
    """A view that says which runs are meant."""

    def chosen_runs(self) -> tuple[str, ...]:
        """Ids in the journal: the marked ones, else the one under the cursor."""
        return ()

    def chosen_task(self) -> Task | None:
        """The work of this session under the cursor."""
        return None

    def _one(self) -> str:
        """The run that is meant; empty, and said, when there is none or more than one."""
        found = self.chosen_runs()
        if len(found) == 1:
            return found[0]
        self.notify("that works with one run at a time" if found else "there is no run here", timeout=4)
        return ""

    def action_runs_stop(self) -> None:
        """`X`: a stream, and what leaves nothing running, is just let go of."""
        task = self.chosen_task()
        run = task.session.run if task and task.session else None
        if task is not None and task.running and not (run and run.jobs) and self.console.work is not None:
            self.console.work.cancel(task)
        elif name := self._one():
            self.console.say(("runs", "stop", name))

    def action_runs_again(self) -> None:
        """`E`"""
        if name := self._one():
            self.console.say(("runs", "again", name))

    def action_runs_attach(self) -> None:
        """`a`"""
        if name := self._one():
            self.console.say(("runs", "attach", name))

    def action_runs_export(self) -> None:
        """`y`"""
        if names := self.chosen_runs():
            self._copy_script(names)
        else:
            self.notify("there is no run here", timeout=4)

    @work(group="export", exclusive=True, exit_on_error=False)
    async def _copy_script(self, names: tuple[str, ...]) -> None:
        if self.console.work is None:
            return
        try:
            answer = await self.console.work.answer(("runs", "export", *names))
        except SparkError as error:
            self.warn(f"{error.cause} — {error.hint}")
            return
        count = len(answer.data["runs"])
        self.to_clipboard(str(answer.data["script"]), f"a script of {count} run{'s' * (count != 1)}")
