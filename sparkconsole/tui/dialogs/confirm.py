"""The question before a deed: the plan that `--dry-run` prints, Cancel focused, a word for costly ones."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label

from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.plan_difference import difference
from sparkconsole.model.work.tier import Tier
from sparkconsole.tui.dialogs.dialog import COPY
from sparkconsole.tui.dialogs.question import Question
from sparkconsole.tui.draw.frame import folded
from sparkconsole.tui.draw.plan import plan_text
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.widgets.styled_text import StyledText

MOST, FRAME = 110, 6
"""Cells of a dialog, and of its border, padding and scroll bar."""


WHOLE = Key("dialog.whole", "e", "commands")
NEXT = Key("dialog.next", "tab", "buttons")

VERBS = {
    ("image", "rollback"): "Roll back",
    ("node", "drop-caches"): "Free",
    ("runs", "again"): "Run again",
    ("bench", "run"): "Run",
    ("doctor",): "Fix",
    ("exec",): "Run",
    ("serve", "stop"): "Stop",
    ("serve", "keep"): "Keep",
    ("serve",): "Serve",
    ("launch",): "Launch",
    ("stop",): "Stop",
}
"""Where the button says another word than the verb's last."""


class Confirm(Question):
    """Answers True only when the person agreed."""

    BINDINGS = [  # noqa: RUF012
        Binding("e", "whole", "commands", id="dialog.whole"),
        Binding("question_mark,f1", "help", show=False, id="dialog.help"),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("tab", "app.focus_next", show=False, id="dialog.next"),
    ]
    BEGINS_AT = "#word, #cancel"
    """Enter at once changes nothing: Cancel has the focus, or the word, which is not there yet."""

    def __init__(
        self, words: Sequence[str], plan: Plan, before: Plan | None = None, *, dry_run: bool = False
    ) -> None:
        nodes, steps = len(plan.nodes()), len(plan.steps)
        counted = f"{steps} step{'s' * (steps != 1)} on {nodes} node{'s' * (nodes != 1)}"
        super().__init__(f"{plan.title} · {counted}" if nodes else plan.title)
        self.words, self.plan, self._dry_run = tuple(words), plan, dry_run
        self._differs = difference(before, plan) if before is not None else None
        self._sought, self._at = "", 0
        self._shown = 0
        """0: what the steps do; 1: the commands, too; 2: their scripts in full."""

    def compose_body(self) -> ComposeResult:
        """Plan, the word where one is needed, and the buttons."""
        with VerticalScroll(classes="dialog-body", can_focus=True):
            yield StyledText(id="plan")
        if self.costly:
            with Horizontal(classes="dialog-word"):
                yield Label(f"Type  {self.plan.word}  to confirm: ", markup=False)
                yield Input(id="word", compact=True)
        with Horizontal(classes="dialog-buttons"):
            cancel = "Close  esc" if self._dry_run else "Cancel  esc"
            yield Button(cancel, id="cancel", variant="primary", compact=True)
            if not self._dry_run:
                yield Button(f"{verb_of(self.words)}  ^j", id="go", compact=True, disabled=self.costly)
            else:
                yield Label("dry run: nothing is done", markup=False)

    @property
    def costly(self) -> bool:
        """A word has to be typed."""
        return self.plan.tier is Tier.COSTLY and not self._dry_run

    def begin(self) -> None:
        """With what the steps do."""
        self._draw_plan()

    def offers(self) -> tuple[Key, ...]:
        """In the word's line `y` and `e` are letters: there the way out of it is offered."""
        if isinstance(self.focused, Input):
            return (NEXT,)
        return (COPY, WHOLE) if self.plan.steps else (COPY,)

    @property
    def harmless(self) -> tuple[str, ...]:
        """A `:` may be part of the word."""
        return ("escape", "ctrl+q") if self.costly else super().harmless

    def action_go(self) -> None:
        """`^j` agrees; to a costly plan only behind its word."""
        if self.costly and self.query_one("#word", Input).value.strip() != self.plan.word:
            self.notify(f"type {self.plan.word} first; esc cancels", severity="warning", markup=False)
        elif not self._dry_run:
            self.dismiss(True)

    def action_help(self) -> None:
        """`?`"""
        agrees = "" if self._dry_run else "^j confirms · "
        ends = "esc closes" if self._dry_run else "esc cancels"
        text = f"{agrees}{ends} · tab: the buttons · pgup pgdn scroll · y copies the commands"
        self.notify(text + (" · e shows them" if self.plan.steps else ""), timeout=8, markup=False)

    def action_whole(self) -> None:
        """The commands, then their scripts in full, then only what they do again."""
        self._shown, self._sought = (self._shown + 1) % 3, ""
        self._draw_plan()
        self.call_after_refresh(self._bring)

    def _draw_plan(self) -> None:
        width = max(min(MOST, self.app.size.width * 9 // 10) - FRAME, 1)
        text = plan_text(self.plan, whole=self._shown > 1, commands=self._shown > 0, width=width)
        before = () if self._differs is None else _changed(self._differs).split("\n")
        lines = [*before, *(text or Text("there is no command to run")).split("\n")]
        for line in lines if self._sought else ():
            line.highlight_words([self._sought], "reverse", case_sensitive=False)
        first = next((at for at, line in enumerate(lines) if self._wanted(line.plain)), 0)
        room = self.query_one("#plan").size.width or width
        self._at = sum(len(folded(line.plain, room)) or 1 for line in lines[:first])
        self.query_one("#plan", StyledText).show(lines)

    def _wanted(self, line: str) -> bool:
        """It has what is sought, else it is a command."""
        return self._sought.lower() in line.lower() if self._sought else line.lstrip().startswith("$ ")

    def find(self, text: str) -> None:
        """Marks the text wherever it stands in the plan, and brings the first of it into sight."""
        self._sought = text.strip()
        self._draw_plan()
        self._bring()  # below the line nothing is called after a refresh

    def _bring(self) -> None:
        """What was asked for is in sight: a long plan begins with what it does."""
        body = self.query_one(VerticalScroll)
        if not body.scroll_offset.y <= self._at < body.scroll_offset.y + body.size.height:
            body.scroll_to(y=self._at - 1, animate=False, immediate=True)

    def action_scroll(self, way: int) -> None:
        """The plan is read without leaving the buttons."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=way * max(1, body.size.height - 1), animate=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """The word opens the button."""
        self.query_one("#go", Button).disabled = event.value.strip() != self.plan.word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter behind the right word goes on."""
        self.action_go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The answer; enter on Cancel says what it did."""
        if event.button.id == "cancel" and not self._dry_run:
            self.app.notify("cancelled; nothing was done", timeout=4, markup=False)
        self.dismiss(event.button.id == "go")

    def action_dismiss_it(self) -> None:
        """Esc is no."""
        self.dismiss(False)

    def text(self) -> str:
        """The commands, one per line."""
        return "\n".join(step.shown() for step in self.plan.steps)


def verb_of(words: Sequence[str]) -> str:
    """What the button says: the verb, as a person would say it."""
    verb = VERBS.get(tuple(words[:2])) or VERBS.get(tuple(words[:1]))
    return verb or (words[1] if len(words) > 1 and words[1].isalpha() else words[0]).capitalize()


def _changed(lines: Sequence[str]) -> Text:
    """What is not as it was when the person read the plan."""
    text = Text("The cluster changed while this plan was open. Nothing was done. Differences:\n", "bold")
    for line in lines:
        text.append(f"{presentable(line)}\n", "$text-success" if line.startswith("+") else "$text-error")
    return text
