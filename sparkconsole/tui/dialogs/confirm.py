"""The question before a deed: the plan that `--dry-run` prints, Cancel focused, a word for costly ones."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from sparkconsole.model.plan import Plan, Tier, plan_lines
from sparkconsole.model.text import printable
from sparkconsole.tui.dialogs.dialog import Dialog


class Confirm(Dialog[bool]):
    """Answers True only when the person agreed."""

    def __init__(self, words: Sequence[str], plan: Plan, *, dry_run: bool = False) -> None:
        super().__init__()
        self.words, self.plan, self._dry_run = tuple(words), plan, dry_run

    def compose(self) -> ComposeResult:
        """Title, plan, the word where one is needed, and the buttons."""
        nodes = len(self.plan.nodes())
        where = f" · {len(self.plan.steps)} steps on {nodes} node{'s' * (nodes != 1)}" if nodes else ""
        with Vertical(classes="dialog") as panel:
            panel.border_title = printable(f"{self.plan.title}{where}").replace("[", r"\[")
            with VerticalScroll(classes="dialog-body", can_focus=True):
                yield Static(
                    printable("\n".join(plan_lines(self.plan)[1:])) or "nothing to run", markup=False
                )
            if self.costly:
                with Horizontal(classes="dialog-word"):
                    yield Label(f"Type  {self.plan.word}  to go on: ", markup=False)
                    yield Input(id="word", compact=True)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel  esc", id="cancel", compact=True)
                if not self._dry_run:
                    yield Button("Go on", id="go", variant="warning", compact=True, disabled=self.costly)
                else:
                    yield Label("dry run: nothing is done", markup=False)

    @property
    def costly(self) -> bool:
        """A word has to be typed."""
        return self.plan.tier is Tier.COSTLY and not self._dry_run

    def on_mount(self) -> None:
        """Enter at once changes nothing."""
        self.query_one("#cancel", Button).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The word opens the button."""
        self.query_one("#go", Button).disabled = event.value.strip() != self.plan.word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter behind the right word goes on."""
        if event.value.strip() == self.plan.word:
            self.dismiss(True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The answer."""
        self.dismiss(event.button.id == "go")

    def action_dismiss_it(self) -> None:
        """Esc is no."""
        self.dismiss(False)

    def text(self) -> str:
        """The commands, one per line."""
        return "\n".join(step.shown() for step in self.plan.steps)
