"""The doctor view: every check on every node, and of the chosen one what is wrong and what to do."""

from __future__ import annotations

from rich.text import Text
from textual import work
from textual.app import ComposeResult

from sparkconsole.errors import SparkError
from sparkconsole.model.checks import BY_ID, Severity
from sparkconsole.model.work.answer import Answer
from sparkconsole.tui.draw.frame import error_lines, folded
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.view import View
from sparkconsole.tui.views.doctor import show
from sparkconsole.tui.views.doctor.show_findings import CheckRow, grouped, keys_of
from sparkconsole.tui.views.findings import findings_of
from sparkconsole.tui.widgets.grid import SheetTable
from sparkconsole.tui.widgets.panel import Panel
from sparkconsole.tui.widgets.styled_text import StyledText

NO_NODES = ("No nodes to check yet.", "Add one with  :node add NAME ADDRESS")


class DoctorView(View):
    """Asks the nodes when it is first shown, and again when told to."""

    NAME = "doctor"
    AUTO_FOCUS = "#checks"
    KEYS = (
        Key(
            "doctor.explain", "enter", "explain", "Show why this is checked, and every finding.", display="⏎"
        ),
        Key("doctor.ask", "r", "run again", "Run every check again."),
        Key("doctor.fix", "F", "fix…", "Plan the safe fixes, and ask first.", changes=True),
        Key("doctor.next", "n", "next", "Go to the next problem."),
        Key("doctor.ignore", "i", "ignore", "Ignore the problem in this session, or stop ignoring it."),
        Key("doctor.copy", "y", "copy report", "Copy the whole report as text."),
    )
    DEFAULT_CSS = """
    DoctorView #checks, DoctorView.-tall #evidence, DoctorView #evidence StyledText { height: 1fr; }
    DoctorView #evidence { height: 6; }
    DoctorView.-tall #checks { height: 16; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        self._wrong: SparkError | None = None
        self._asking = False
        self._when = ""
        self._ignored: frozenset[tuple[str, str, Severity]] = frozenset()
        self._shown = False
        self._after = 0
        self._of: tuple[str, ...] = ()
        self._rows: dict[str, CheckRow] = {}

    def compose_body(self) -> ComposeResult:
        """The grid above, the evidence below."""
        yield SheetTable(show.columns((), 76), id="checks")
        yield Panel(StyledText(), id="evidence")

    @property
    def table(self) -> SheetTable:
        """Check by node."""
        return self.query_one("#checks", SheetTable)

    @property
    def row(self) -> CheckRow | None:
        """The check under the cursor."""
        return self._rows.get(self.table.cursor_key or "")

    # --- asking

    def sample(self) -> None:
        """Asks when other nodes are ours than were asked; draws what changed."""
        asked = self._of if self._answer or self._wrong else ()
        others = asked != tuple(self.console.store.nodes)
        if (others or self._fixes_done() != self._after) and not self._asking:
            self._after = self._fixes_done()
            self._ask()
        nodes, table = tuple(self.console.store.nodes), self.table
        answered = (self._answer, self._wrong, self._asking, self._ignored)
        if self.is_new(*answered, table.size, table.cursor_key, self.size, nodes):
            self._draw()

    def _fixes_done(self) -> int:
        """How often remedies were carried out: what was found before may be gone."""
        fixes = [task for task in self.tasks if task.words[:1] == ("doctor",) and "--fix" in task.words]
        return sum(not task.running for task in fixes)

    def _ask(self) -> None:
        """Nothing can be asked before the session is open."""
        if self.console.work is not None and self.console.store.nodes:
            self._asking = True
            self._look()

    @work(group="check", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        asked = tuple(self.console.store.nodes)
        try:
            self._answer, self._wrong = await self.ask("doctor"), None
        except SparkError as error:
            self._wrong = error
        finally:
            self._of, self._asking = asked, False
            self._when = f"{self.console.local_time():%H:%M:%S}"
        self.sample()

    # --- drawing

    def _draw(self) -> None:
        data = self._answer.data if self._answer and self.console.store.nodes else {}
        nodes = {n["node"]: bool(n["reachable"]) for n in data.get("nodes", ())}
        # What is wrong stands first, ignored or not: nothing jumps when it is put aside.
        rows = sorted(grouped(findings_of(data), nodes, self._ignored), key=lambda row: not row.problems)
        self._rows = {row.check: row for row in rows}
        columns = show.columns(tuple(nodes), max(self.table.size.width - 1, 40))
        self.table.lay_columns(columns)
        self.table.empty = "" if self._wrong or not self.console.store.nodes else self._loading()
        self.table.show(show.table_row(row, columns) for row in rows)
        self.table.refresh()
        if rows and not self._shown:
            self._shown = True
            self.table.cursor_key = next((row.check for row in rows if row.pressing), rows[0].check)
        self._draw_evidence()

    def _loading(self) -> str:
        count = len(self.console.store.nodes)
        return f"checking {count} node{'s' * (count != 1)} …"

    def _draw_evidence(self) -> None:
        panel = self.query_one("#evidence", Panel)
        pane = panel.query_one(StyledText)
        width = max(20, panel.size.width)
        if not self.console.store.nodes:
            panel.head("doctor")
            pane.show([Text(line, "$muted") for line in NO_NODES])
            return
        rows = tuple(self._rows.values())
        if self._wrong is not None and not self._asking:
            panel.head("doctor", f"failed at {self._when}")
            older = [Text("The findings above are from the last run.", "$muted")] if rows else []
            pane.show([*error_lines(self._wrong, width), *older])
            return
        note = self._loading() if self._asking else f"{show.verdict(rows)} · checked {self._when}"
        panel.head(show.title(self.row.check) if self.row else "doctor", note)
        pane.show(self._evidence(self.row, width) if self.row else [])

    def _evidence(self, row: CheckRow, width: int) -> list[Text]:
        """Where there is room, also why it is checked."""
        if not self.has_class("-tall"):
            return show.evidence(row, width)
        known = BY_ID.get(row.check)
        why = [Text(line, "$muted") for line in folded(known.why if known else "", width)]
        return [*why, Text(), *show.evidence(row, width)]

    def on_sheet_table_row_highlighted(self, event: SheetTable.RowHighlighted) -> None:
        """The evidence is of the check under the cursor."""
        self._draw_evidence()

    def on_sheet_table_row_opened(self, event: SheetTable.RowOpened) -> None:
        """`enter`"""
        self.action_doctor_explain()

    def apply_filter(self, text: str) -> None:
        """Checks that have the text, also in what was found."""
        self.table.filter(text)

    # --- keys

    def action_doctor_explain(self) -> None:
        """`enter`"""
        if self.row is not None:
            self.console.show_answer((show.title(self.row.check),), show.explained(self.row))

    def action_doctor_ask(self) -> None:
        """`r`"""
        if self.console.watching is not None:
            self.console.watching.refresh()
        if self._asking:
            self.notify("the checks are running", timeout=2)
        else:
            self._ask()
            self.sample()

    action_refresh = action_doctor_ask

    def action_doctor_fix(self) -> None:
        """`F`"""
        self.console.say(("doctor", "--fix"))

    def action_doctor_next(self) -> None:
        """`n`"""
        keys, before = self.table.keys, self.table.cursor_key
        at = keys.index(before) + 1 if before in keys else 0  # from the cursor on, and round
        found = next((k for k in (*keys[at:], *keys[:at]) if self._rows[k].pressing), None)
        if found is None:
            self.notify("no problem found" if self._rows else "nothing was checked yet", timeout=3)
        elif found == before:
            self.notify("no other problem", timeout=3)
        else:
            self.table.cursor_key = found

    def action_doctor_ignore(self) -> None:
        """`i`"""
        if self.row is None or not self.row.problems:
            self.notify("no problem here to ignore", timeout=3)
            return
        keys = keys_of(self.row)
        self._ignored = self._ignored - keys if self.row.ignored else self._ignored | keys
        self.sample()

    def action_doctor_copy(self) -> None:
        """`y`"""
        if not self._rows:
            self.notify("nothing was checked yet", timeout=3)
            return
        heading = f"sparkconsole doctor · {self.cluster.name} · checked {self._when}"
        self.to_clipboard(show.report(tuple(self._rows.values()), heading), "the report")
