"""The line at the bottom: `:` takes a verb with completion and history, `/` filters what the view shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Blur, Key, Paste
from textual.message import Message
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from sparkconsole.model.text.redact import presentable
from sparkconsole.tui.keyboard.keys import Key as Named

if TYPE_CHECKING:
    from sparkconsole.model.work.job import Run
    from sparkconsole.tui.host import Host
    from sparkconsole.tui.line.complete import Here


READ_S = 0.5
"""What is typed sooner behind a refused line was typed without having read the refusal."""


class CommandSuggester(Suggester):
    """The first completion of what was typed, greyed behind the cursor; the right arrow takes it."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._prompt = prompt

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line that is suggested."""
        if self._prompt.filtering or not value.strip():
            return None
        from sparkconsole.tui.line.complete import completions

        return next(iter(completions(value, *self._prompt.grammar)), None)


class CommandInput(Input):
    """Up and down walk through what was said before; tab takes what is suggested above the line."""

    BINDINGS: ClassVar = [
        Binding("up", "walk(-1)", show=False),
        Binding("down", "walk(1)", show=False),
        Binding("tab", "complete", show=False),
        Binding("escape", "leave", show=False),
    ]
    OFFERS = (
        Named("line.enter", "enter", "enter", display="⏎"),
        Named("line.complete", "tab", "complete"),
        Named("line.leave", "escape", "leave", display="esc"),
    )
    TAKES_ALL = True

    class Left(Message):
        """The person left the line."""

    def action_walk(self, step: int) -> None:
        """The line said before this one, or after it."""
        self._prompt.walk(step)

    def action_complete(self) -> None:
        """What is certain of the next word, else the first that is possible."""
        if not self._prompt.filtering:
            from sparkconsole.tui.line.complete import taken

            self.value = taken(self.value, *self._prompt.grammar)
            self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Closes the line."""
        self.post_message(self.Left())

    def on_key(self, event: Key) -> None:
        """A `:` begins a line, also behind one that was refused before anybody can have read why."""
        if event.character == ":" and self._prompt.starts_anew(event.time):
            event.prevent_default().stop()
            self._prompt.open(filtering=False)

    def on_paste(self, event: Paste) -> None:
        """Nothing that is pasted runs by itself: a line is looked at before enter."""
        if (lines := len(event.text.splitlines())) > 1:
            text = f"took only the first of {lines} pasted lines and ran none; --script FILE runs many"
            self.notify(text, severity="warning", timeout=8, markup=False)

    def on_blur(self, _: Blur) -> None:
        """A line that lost the focus is closed."""
        self.post_message(self.Left())

    @property
    def _prompt(self) -> Prompt:
        return cast("Prompt", self.parent)


class Prompt(Vertical):
    """Hidden until `:` or `/`."""

    filtering: bool = False
    _kept: tuple[Run, ...] = ()
    """The newest runs, read when the line was opened: their words have names."""

    def compose(self) -> ComposeResult:
        """A line for what was wrong, and the input."""
        yield Static("", id="prompt-note", markup=False)
        suggester = CommandSuggester(self)
        yield CommandInput(
            disabled=True, id="prompt-input", suggester=suggester, select_on_focus=False, compact=True
        )

    def open(self, *, filtering: bool, text: str = "") -> None:
        """Takes the focus."""
        self.filtering = filtering
        self._at: int | None = None
        from sparkconsole.tui.line.complete import kept_runs

        self._kept = () if filtering else kept_runs(self.console.session)
        self._refused = ("", 0.0)
        if not self.is_open:
            self._before = self.screen.focused
        self.note("there is no list to filter here" if filtering and not self.console.filters else "")
        self.add_class("-open")
        self.screen.add_class("-typing")
        line = self.query_one(CommandInput)
        line.disabled = False
        line.placeholder = "text to find" if filtering else "a command, as in the shell; tab completes"
        line.value = text
        line.cursor_position = len(text)
        line.focus()

    @property
    def is_open(self) -> bool:
        """Something is typed into it."""
        return self.has_class("-open")

    def note(self, text: str, *, wrong: bool = True) -> None:
        """A sentence above the line, what was wrong or what can be said; empty takes it away."""
        note = self.query_one("#prompt-note", Static)
        note.update(presentable(text))
        note.set_class(bool(text), "-shown")
        note.set_class(bool(text) and not wrong, "-hint")

    def suggest(self, line: str) -> None:
        """What may come next, or what the last word means, in one line."""
        from sparkconsole.tui.line.complete import completions, meaning

        lines = completions(line, *self.grammar) if line.strip() else ()
        offered = (meaning(line), *(found.rpartition(" ")[2] for found in lines))
        self.note("  ".join(filter(None, offered)), wrong=False)

    @property
    def grammar(self) -> tuple[tuple[str, ...], Here]:
        """The console's own words and the names it knows, as things stand."""
        from sparkconsole.tui.line.complete import names_here

        console = self.console
        return console.command_words(), names_here(console.store, console.session, console.models, self._kept)

    def starts_anew(self, now: float) -> bool:
        """Whether a `:` typed at `now` begins the next line: this one was refused just now."""
        refused, when = self._refused
        return bool(refused) and self.query_one(CommandInput).value == refused and now < when + READ_S

    def walk(self, step: int) -> None:
        """Through the history."""
        history = self.console.command_lines
        if self.filtering or not history:
            return
        at = (len(history) if self._at is None else self._at) + step
        self._at = min(max(at, 0), len(history))
        line = self.query_one(CommandInput)
        line.value = history[self._at] if self._at < len(history) else ""
        line.cursor_position = len(line.value)

    def on_command_input_left(self) -> None:
        """Esc keeps what the filter shows and drops a half-typed command."""
        self.close()

    def close(self) -> None:
        """Gives the focus back."""
        if not self.is_open:
            return
        self.remove_class("-open")
        self.screen.remove_class("-typing")
        line = self.query_one(CommandInput)
        if line.has_focus:
            self.screen.set_focus(self._before)
        line.disabled = True
        self.console.line_closed()

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter works while it is typed."""
        event.stop()
        if self.filtering and self.is_open:
            self.console.apply_filter(event.value)
        elif self.is_open:
            self.suggest(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A command that is not in the grammar stays in the line, with what was wrong above it."""
        event.stop()
        typed = "" if self.filtering else event.value
        if typed.strip() and (wrong := self.console.command(typed)):
            self.note(wrong)
            self._refused = typed, event.time
        else:
            self.close()

    @property
    def console(self) -> Host:
        """The app, as what it is."""
        return cast("Host", self.app)


class PromptAbove(ModalScreen[None]):
    """The line above a question, which stays as it is."""

    DEFAULT_CSS = "PromptAbove { background: $background 0%; } PromptAbove Prompt { dock: bottom; }"

    def __init__(self, *, filtering: bool) -> None:
        super().__init__()
        self._filtering = filtering

    def compose(self) -> ComposeResult:
        """The line alone."""
        yield Prompt()

    def on_mount(self) -> None:
        """It takes the focus; one that was closed at once has no line."""
        if self in self.app.screen_stack:
            self.query_one(Prompt).open(filtering=self._filtering)
