"""What the launch view does to the cluster, and the scripts it gives: each deed is said in words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.work.export import verb_line
from sparkconsole.tui.views.form_view import FormView
from sparkconsole.tui.widgets.form import Form
from sparkconsole.verbs.grammar.forms import words


class LaunchActions(FormView):
    """Whatever forms stand in it are filled in for one launch."""

    @property
    def values(self) -> dict[str, Any]:
        """What is filled in, on all pages."""
        return {name: value for form in self.query(Form) for name, value in form.values.items()}

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

    def is_valid(self) -> bool:
        """The same; what is wrong is told to the person."""
        wrong = self.wrong()
        if wrong is not None:
            self.warn(wrong.cause)
        return wrong is None

    def action_launch(self) -> None:
        """`ctrl+j`"""
        if self.is_valid():
            self.say(self.words())

    def action_launch_repair(self) -> None:
        """`F`"""
        self.say(words("launch", {"repair": True, "name": self.values.get("name")}))

    def action_node_restart(self) -> None:
        """`R`"""
        self.say(words("node restart", {"container": self.values.get("name")}))

    def action_fabric_test(self) -> None:
        """`t`"""
        self.say(words("fabric test", {name: self.values.get(name) for name in ("eth_if", "ib_if")}))

    def action_stop(self) -> None:
        """`D`"""
        self.say(words("stop", {"name": self.values.get("name")}))

    def script(self) -> str:
        """The words as a script does them."""
        return f"# cluster: {self.cluster.name}\n{verb_line(self.words())}\n"

    def action_launch_copy(self) -> None:
        """`y`"""
        if self.is_valid():
            self.to_clipboard(self.script(), "the script")

    def action_launch_save(self) -> None:
        """`ctrl+s`"""
        if not self.is_valid():
            return
        try:
            path = written(self.script())
        except OSError as error:
            self.warn(f"not saved: {error}")
            return
        self.notify(f"saved {path}\nrun it: sparkconsole --script {path.name}", timeout=6, markup=False)


def written(text: str) -> Path:
    """A new file in the folder where the console was started; what is there is left alone."""
    for number in range(1, 100):
        path = Path.cwd() / ("launch.spark" if number == 1 else f"launch-{number}.spark")
        with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(text)
            return path
    raise OSError("there are 99 scripts of that name already")
