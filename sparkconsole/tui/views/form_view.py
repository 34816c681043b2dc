"""What views with forms share: commands that follow what is typed, said in words once they are wanted."""

from __future__ import annotations

from collections.abc import Callable

from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input

from sparkconsole.errors import SparkError
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.tui.draw.preview import CommandPreview
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.view import View
from sparkconsole.tui.widgets.form import Form
from sparkconsole.tui.widgets.log_view import LogView

NEXT_FIELD = Key("form.next", "tab", "field", "Go to the next field.", act="app.focus_next")


class FormView(View):
    """Whatever is typed is sampled at once."""

    DEFAULT_CSS = """
    FormView .pane { border: round $frame; border-title-color: $title; padding: 0 1; }
    FormView .pane:focus, FormView .pane:focus-within { border: round $frame-focus; }
    FormView Form FormLine Label { width: 12; }
    """
    _settling: Timer | None = None

    @property
    def form(self) -> Form:
        """What is filled in; the first, where there are several."""
        return self.query_one(Form)

    @property
    def asking(self) -> bool:
        """Words of the person's are being thought about."""
        return any(w.group == "words" and w.is_running for w in self.app.workers)

    def say(self, words: tuple[str, ...]) -> None:
        """Says them on the person's behalf, and shows that."""
        self.console.say(words)
        self.sample()

    def settle(self, seconds: float, then: Callable[[], object]) -> None:
        """Calls it once nothing else is typed for so long."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(seconds, then)

    def commands(self) -> CommandPreview:
        """What the form would run; SparkError where something in it cannot be."""
        return CommandPreview()

    def preview(self) -> CommandPreview:
        """The same, or what is wrong."""
        try:
            return self.commands()
        except SparkError as error:
            return CommandPreview(wrong=f"{error.cause}{' — ' + error.hint if error.hint else ''}")

    def action_copy_command(self) -> None:
        """`y`"""
        preview = self.preview()
        if preview.wrong or not preview.text():
            self.warn(preview.wrong or "there is no command yet")
        else:
            self.to_clipboard(preview.text(), "the command")

    def peel(self) -> bool:
        """Esc leaves a field, so that letters are keys again; then the form that was brought back."""
        if self.focused is not None:
            self.set_focus(None)
        elif self.has_class("-editing"):
            self.remove_class("-editing")
        else:
            return False
        return True

    def sample_logs(self) -> None:
        """New lines of the output."""
        self.query_one(LogView).sample()

    def on_form_changed(self) -> None:
        """The commands follow what is typed."""
        self.sample()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field."""
        event.stop()
        self.focus_next()


class WorkPane(Vertical):
    """Work in place of the form that started it; esc or `e` brings the form back, `e` the work again."""

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
