"""What the launch view does to the cluster, and the scripts it gives: each deed is said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import work

from sparkconsole.errors import SparkError
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.export import verb_line
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.view import View
from sparkconsole.tui.views.launch.pages import ProgressBoard
from sparkconsole.tui.work import Task
from sparkconsole.verbs.grammar.forms import words


class LaunchActions(View):
    """The keys that change something; what is filled in comes from the view."""

    _put_away: Task | None = None
    """The work whose board the person has put away."""

    @property
    def values(self) -> dict[str, Any]:
        """What is filled in, on all pages."""
        return {}

    def words(self) -> tuple[str, ...]:
        """What a launch says; WrongUsage names the field that cannot be."""
        return words("launch", self.values)

    def wrong(self) -> SparkError | None:
        """Why a launch cannot be said as it is filled in."""
        try:
            self.words()
        except SparkError as error:
            return error
        return None

    def action_launch(self) -> None:
        """`ctrl+j`"""
        wrong = self.wrong()
        if wrong is not None:
            self._warn(wrong.cause)
        else:
            self._say(self.words())

    def action_launch_repair(self) -> None:
        """`F`"""
        name = self.values.get("name")
        self._say(words("launch", {"repair": True, "name": name}))

    def action_node_restart(self) -> None:
        """`R`"""
        self._say(words("node restart", {"container": self.values.get("name")}))

    def action_fabric_test(self) -> None:
        """`t`"""
        self._say(words("fabric test", {name: self.values.get(name) for name in ("eth_if", "ib_if")}))

    def action_stop(self) -> None:
        """`D`"""
        self._say(words("stop", {"name": self.values.get("name")}))

    @work(group="cancel", exclusive=True, exit_on_error=False)
    async def action_launch_cancel(self) -> None:
        """`X`"""
        task = self.query_one(ProgressBoard).shown
        if self.is_idle("launch.cancel") or task is None or self.console.work is None:
            return
        notes = ("what it started is removed again, after its log was kept",)
        sure = await self.console.confirm(("stop", *task.words), Plan(f"Stop: {task.title}", notes=notes))
        if sure and not self.is_idle("launch.cancel"):
            self.console.work.cancel(task)

    def idle(self, key_id: str) -> str:
        """The board has no pages, and there is a board only once something was launched."""
        task = self.query_one(ProgressBoard).shown
        if key_id == "launch.cancel" and (task is None or not task.running):
            return "no launch of this console is under way"
        if key_id == "launch.form" and task is None:
            return "the pages are shown; nothing was launched here yet"
        if key_id.startswith("page.") and self.has_class("-boarding"):
            return "e shows the pages"
        return super().idle(key_id)

    def action_launch_form(self) -> None:
        """`e`"""
        if self.is_idle("launch.form"):
            return
        task = self.query_one(ProgressBoard).shown
        self._put_away = task if self._put_away is not task else None
        self.sample()

    def script(self) -> str:
        """The words as a script does them."""
        cluster = self.console.session.cluster.name if self.console.session else ""
        return f"# cluster: {cluster}\n{verb_line(self.words())}\n"

    def action_launch_copy(self) -> None:
        """`y`"""
        if (wrong := self.wrong()) is not None:
            self._warn(wrong.cause)
            return
        self.app.copy_to_clipboard(self.script())
        self.notify("copied the script", timeout=3, markup=False)

    def action_launch_save(self) -> None:
        """`ctrl+s`"""
        if (wrong := self.wrong()) is not None:
            self._warn(wrong.cause)
            return
        try:
            path = written(self.script())
        except OSError as error:
            self._warn(f"not saved: {error}")
            return
        self.notify(f"saved {path}\nrun it: sparkconsole --script {path.name}", timeout=6, markup=False)

    def _say(self, given: tuple[str, ...]) -> None:
        self.console.say(given, shown=False)
        self.sample()

    def _warn(self, text: str) -> None:
        self.notify(printable(text), severity="warning", markup=False)


def written(text: str) -> Path:
    """A new file in the folder where the console was started; what is there is left alone."""
    for number in range(1, 100):
        path = Path.cwd() / ("launch.spark" if number == 1 else f"launch-{number}.spark")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise OSError("there are 99 scripts of that name already")
