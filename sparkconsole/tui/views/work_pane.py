"""A pane in which work takes the place of the form that started it."""

from __future__ import annotations

from textual.containers import Vertical

from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.work import Task


class WorkPane(Vertical):
    """Work is shown once it begins; esc or `e` brings the form back, and `e` the work."""

    shown: Task | None = None

    @property
    def showing(self) -> bool:
        """The work is shown, and not the form."""
        return self.has_class("-working")

    @property
    def over(self) -> bool:
        """What is shown has ended."""
        return self.showing and self.shown is not None and not self.shown.running

    def follow(self, task: Task | None) -> bool:
        """Shows that work from now on, once for each; True when it is a new one."""
        if task is self.shown:
            return False
        self.shown = task
        self.set_class(task is not None, "-working")
        self.query_one(LogView).show_ring(task.output if task else LineRing())
        return True

    def turn(self) -> None:
        """From the work to the form and back; there is nothing to turn to before any work."""
        self.set_class(self.shown is not None and not self.showing, "-working")
