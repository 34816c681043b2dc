"""The headless face: one verb, or a file of them, on one session."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from sparkconsole.config.globals import Origin
from sparkconsole.errors import Cancelled, Refused, SparkError, WrongUsage
from sparkconsole.fleet.waiting import waits_reported_to
from sparkconsole.model.text.redact import command_line
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.plan_difference import difference
from sparkconsole.model.work.tier import Tier
from sparkconsole.script.ahead import Ahead
from sparkconsole.script.ending import looked
from sparkconsole.script.lines import ScriptLine
from sparkconsole.script.report import Printer
from sparkconsole.streams import Undelivered
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import execute
from sparkconsole.verbs.grammar.node_words import require_nodes
from sparkconsole.verbs.grammar.open_session import beside, line_session, open_session
from sparkconsole.verbs.grammar.record import report_unended
from sparkconsole.verbs.grammar.registry import Request
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session

MOST_ERRORS = 20
"""Wrong lines of one script that are shown: who feeds something else than a script is not buried."""
_BEGINS = ("node", "add")
"""The verb that writes the inventory's first node where there is none yet."""
_INVENTORY = (_BEGINS, ("node", "remove"), ("node", "scan"))
"""Verbs after which other nodes may be known."""


async def run_request(request: Request, options: Options, printer: Printer) -> int:
    """One verb from the command line; its exit code."""
    try:
        _remark_demo(options, printer)
        async with open_session(options, beginning=request.verb.words == _BEGINS) as session:
            _print_remarks(session, printer)
            with _cancelled_in_json(session, printer):
                running = _executed(session, request, printer)
                return await (running if request.verb.ahead else looked(running, session.fleet))
    except SparkError as error:
        printer.error(error)
        return error.exit_code


async def run_script(
    options: Options, lines: Sequence[ScriptLine], printer: Printer, *, keep_going: bool
) -> int:
    """The lines in order; stops at the first that fails, with its exit code, unless `keep_going`.

    Every line is understood before the first one runs: a typo anywhere means that nothing happens.
    """
    requests, wrong = _understood(lines)
    if wrong:
        return _print_errors(wrong, printer)
    worst = 0
    _remark_demo(options, printer)
    beginning = any(request.verb.words == _BEGINS for _, request in requests)
    async with open_session(options, beginning=beginning) as session:
        _print_remarks(session, printer)
        if wrong := _strangers(session, requests):
            return _print_errors(wrong, printer)
        ahead = Ahead.of(session) if options.dry_run else None
        for line, request in requests:
            code = await _script_line(session, line, request, printer, ahead)
            worst = worst or code
            if code and not keep_going:
                printer.remark(f"stopped at line {line.number}: {command_line(line.words)}")
                break
    return worst


def _understood(lines: Sequence[ScriptLine]) -> tuple[list[tuple[ScriptLine, Request]], list[SparkError]]:
    """What the lines ask for, and what is wrong in those that are not in the grammar, by file and line."""
    requests: list[tuple[ScriptLine, Request]] = []
    wrong: list[SparkError] = []
    for line in lines:
        try:
            requests.append((line, understand(line.words, Origin.SCRIPT)))
        except WrongUsage as error:
            wrong.append(_at(line, error))
    return requests, wrong


def _strangers(session: Session, requests: Sequence[tuple[ScriptLine, Request]]) -> list[SparkError]:
    """Words that name no node, as far as the inventory decides that before a line changes it."""
    wrong: list[SparkError] = []
    for line, request in requests:
        if request.verb.words in _INVENTORY:
            break
        try:
            own = beside(session, request.given)
            require_nodes(request, own.cluster, pretend=session.pretend is not None)
        except WrongUsage as error:
            wrong.append(_at(line, error))
    return wrong


def _at(line: ScriptLine, error: WrongUsage) -> WrongUsage:
    return WrongUsage(f"{line.where}: {error.cause}", hint=error.hint)


def _print_errors(wrong: Sequence[SparkError], printer: Printer) -> int:
    for error in wrong[:MOST_ERRORS]:
        printer.error(error)
    if len(wrong) > MOST_ERRORS:
        printer.remark(f"… and {len(wrong) - MOST_ERRORS} more lines are wrong; nothing was run")
    return wrong[0].exit_code


def _remark_demo(options: Options, printer: Printer) -> None:
    if options.demo_name:
        printer.remark(f"DEMO: the pretend cluster {options.demo_name}, which lasts; nothing real is touched")
    elif options.demo:
        printer.remark(f"DEMO: {options.demo} pretend machines; nothing real is touched")


def _print_remarks(session: Session, printer: Printer) -> None:
    for remark in session.remarks:
        printer.remark(f"! {remark}")


async def _script_line(
    session: Session, line: ScriptLine, request: Request, printer: Printer, ahead: Ahead | None
) -> int:
    own_printer = Printer(as_json=True) if request.given.get("json") else printer
    try:
        async with line_session(session, request.given) as own:
            with _cancelled_in_json(own, own_printer):
                if ahead is not None:
                    return await ahead.line(own, line, request, own_printer)
                printer.remark(f"[{line.number}] {command_line(line.words)}")
                return await _executed(own, request, own_printer)
    except Cancelled:
        raise
    except SparkError as error:
        printer.error(error, line if ahead is not None else None)
        return error.exit_code


@contextmanager
def _cancelled_in_json(session: Session, printer: Printer) -> Iterator[None]:
    """Where a signal cancels it, JSON says last how it stands."""
    before = session.run
    try:
        yield
    except asyncio.CancelledError:
        unseen = report_unended(session, printer.news)
        run = session.run if session.run is not before else None
        printer.cancelled(run.state if run else RunState.UNKNOWN if unseen else RunState.CANCELLED, run)
        raise


async def _executed(session: Session, request: Request, printer: Printer) -> int:
    with waits_reported_to(lambda node, text: printer.remark(f"! {node}: {text}")):
        return await execute(session, request, TerminalPresenter(printer), yes=session.options.yes)


@dataclass(frozen=True, slots=True)
class TerminalPresenter:
    """Draws on standard output and standard error, asks on standard input; exit codes come of it."""

    printer: Printer

    def answer(self, answer: Answer) -> int:
        """What a look found."""
        self.printer.answer(answer)
        return answer.exit_code

    async def rows(self, rows: AsyncIterator[Row]) -> int:
        """A stream's last row may carry the exit code of what was run."""
        code = 0
        # A reader that went away must end what the stream began, before the loop ends.
        async with aclosing(rows) as coming:  # type: ignore[type-var]
            async for row in coming:
                if "exit" in row.data:
                    code = int(row.data["exit"])
                self.printer.row(row)
        return code

    async def dry_run(self, plan: Plan) -> int:
        """The plan, which is only shown."""
        self.printer.plan(plan)
        return 0

    async def ask(self, plan: Plan, before: Plan | None) -> bool:
        """Shows the plan and asks, where somebody can answer; Refused otherwise."""
        printer, recoverable = self.printer, plan.tier is Tier.RECOVERABLE
        if printer.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            how = "--yes" if recoverable else f"--yes={plan.word}"
            raise Refused(f"{plan.title}: not confirmed", hint=f"look at it with --dry-run, then say {how}")
        if before is not None:
            printer.remark("the cluster changed while the plan was shown; nothing was done. What differs:")
            for line in difference(before, plan):
                printer.remark(f"  {line}")
        printer.plan(plan)
        question = "Type y to continue: " if recoverable else f"Type “{plan.word}” to continue: "
        return await _typed(question, anew=before is not None) == ("y" if recoverable else plan.word)

    def declined(self, plan: Plan) -> int:
        """The person said no."""
        raise Refused(f"{plan.title}: not confirmed; nothing was done")

    async def run_action(self, _: PlannedAction, run: Callable[[Report], Awaitable[Answer]]) -> int:
        """Its news as they come, then its answer."""
        answer = await run(self.printer.news)
        try:
            self.printer.answer(answer)
        except Undelivered as error:
            error.hint = f"it was carried out (exit code {answer.exit_code}); sparkconsole runs list has it"
            raise
        return answer.exit_code


async def _typed(question: str, *, anew: bool = False) -> str:
    """The line that a person types, which Ctrl-C ends; empty at the end of input, or for what is no text.

    The thread that waits for it never keeps the program alive: Ctrl-C ends the question. `anew`: another
    question than the one before; what was typed behind that answer is no answer to this one.
    """
    if anew:
        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def deliver(line: str) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        try:
            line = input(question)
        except (EOFError, OSError, ValueError):
            line = ""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, line)

    threading.Thread(target=read, daemon=True).start()
    return (await answer).strip()
