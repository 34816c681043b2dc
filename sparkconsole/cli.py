"""From argv to a face; only that face is imported."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from sparkconsole import __version__

if TYPE_CHECKING:
    from sparkconsole.config.globals import Options
    from sparkconsole.script.report import Printer

GC_OBJECTS = 50_000
"""What is made before the collector looks at the young ones. Its usual 700 has it look again and again while
modules are imported: 5 % of the time of a short word (medians of 15, side by side)."""


VERSION_WORDS = ("--version", "-V")


def main(argv: Sequence[str] | None = None) -> None:
    """The `sparkconsole` command; ends the process with the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _end_early(words)
        code = _guarded(words)
    except KeyboardInterrupt:
        code = 130
    finally:
        _begin()
    # From here on a second Ctrl-C ends the process at once, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise SystemExit(code)


_EARLY: dict[int, Any] = {}
"""The handlers that stood there before `_end_early`, by signal."""
_CANCELLED = (
    '{"state": "cancelled", "error": {"node": "", "cause": "cancelled", "hint": "", "kind": "Cancelled"}}'
)


def _end_early(words: list[str]) -> None:
    """Until `_begin`, or a loop that hears signals itself, one ends the program at once: nothing has begun.

    Raised in the middle of an import, an interrupt may be lost or shown as a traceback.
    """

    def end(*_: object) -> None:
        line = f"{_CANCELLED}\n" if _asks_json(words) else "· cancelled\n"
        with contextlib.suppress(OSError):
            if words[:1] != ["_complete"]:
                os.write(1 if line.startswith("{") else 2, line.encode())
        os._exit(130)

    with contextlib.suppress(ValueError):  # not the main thread: signals are somebody else's
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                _EARLY[number] = signal.signal(number, end)


def _begin() -> None:
    """From now on signals are heard as they were before."""
    while _EARLY:
        number, before = _EARLY.popitem()
        handler = signal.getsignal(number)
        if getattr(handler, "__module__", "") == __name__:
            signal.signal(number, before)


def _asks_json(words: list[str]) -> bool:
    """Without loading what understands words."""
    end = words.index("--") if "--" in words else len(words)
    if "exec" in words[:end] and words[: words.index("exec")][-1:] != ["node"]:
        end = words.index("exec")
    return "--json" in words[:end]


def _guarded(argv: list[str]) -> int:
    """The command line on the streams and in the environment that there are; its exit code."""
    from sparkconsole import streams

    streams.prepare()
    try:
        words = [streams.text_of(word) for word in argv]
        if _asks_version(words):
            with streams.delivering():
                sys.stdout.write(f"sparkconsole {__version__}\n")
            code = 0
        else:
            from sparkconsole import defect

            defect.install_hooks()
            if not sys.warnoptions:
                import warnings

                warnings.simplefilter("ignore")
            code = run(words)
            for aside in defect.background:
                streams.errors_stream().write(f"! a defect of sparkconsole, beside what was asked: {aside}\n")
    except BrokenPipeError:
        code = 0
    except Exception as error:  # noqa: BLE001 - the edge: nothing leaves as a traceback
        from sparkconsole import defect

        # By the shortest way there is.
        fault = defect.as_error(error)
        from sparkconsole.model.text.redact import presentable

        streams.errors_stream().write(f"✖ {presentable(str(fault))}\n")
        code = fault.exit_code
    return streams.close_output(code)


def _asks_version(words: list[str]) -> bool:
    """The shortest way, which loads nothing; where words may be a command's own, the grammar decides."""
    ours = words[: words.index("--")] if "--" in words else words
    return any(w in VERSION_WORDS for w in ours) and not {"exec", "--json"} & set(ours)


def run(words: Sequence[str]) -> int:
    """Carries the command line out; its exit code."""
    gc.set_threshold(GC_OBJECTS)
    # pydantic would read the metadata of every installed package to find plugins; nobody here has any.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from sparkconsole.config.globals import asked_for_json
    from sparkconsole.errors import SparkError

    @functools.cache
    def printer() -> Printer:
        """The one of this run, made when something has to be printed: the console needs none."""
        from sparkconsole.script.report import Printer

        return Printer(as_json=asked_for_json(words))

    try:
        return _face(list(words), printer)
    except SparkError as error:
        printer().error(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): not an error, and nothing more can be said on it.
        return 0
    except Exception as error:  # noqa: BLE001 - the edge: nothing leaves as a traceback
        from sparkconsole import defect

        printer().error(fault := defect.as_error(error))
        return fault.exit_code


def _face(words: list[str], printer: Callable[[], Printer]) -> int:
    """The face that the words ask for; the exit code of what it did."""
    if words[:1] == ["_complete"] or words in (["--help"], ["-h"], ["help"]):
        return _complete(words[1:]) if words[0] == "_complete" else _overview()
    from sparkconsole.config.globals import Options, split_words

    split = split_words(words)
    given, rest = split.over(Options()), list(split.rest)
    _refuse_two_faces(given, rest)
    if given.script is not None:
        return _script(given, printer())
    if not rest and _at_a_terminal() and not given.json:
        return _console(given)
    import asyncio

    from sparkconsole.verbs.grammar.dispatch import answer_locally, understand
    from sparkconsole.verbs.grammar.registry import GROUPS, load

    only_group = len(rest) == 1 and rest[0] in GROUPS and (rest[0],) not in load(rest[0])
    request = understand(["help", *rest] if only_group or not rest else words)
    if request.verb.local:
        # Not even a broken inventory hinders a word that needs no cluster.
        answer = asyncio.run(answer_locally(request))
        _begin()
        printer().answer(answer)
        return answer.exit_code if rest else 2
    if request.verb.words == ("web",):
        from sparkconsole.tui.web.server import serve

        _begin()
        # The global options go on to the consoles that the browser opens.
        return serve(split.ours, *request.args, **request.kwargs)
    from sparkconsole.script.run import run_request

    return _until_signalled(run_request(request, given, printer()), printer())


def _complete(words: list[str]) -> int:
    """What a shell asks at every press of tab (`completion`): words, and never a sentence about trouble."""
    from contextlib import suppress

    from sparkconsole.verbs.help.complete import of_line

    with suppress(Exception):
        sys.stdout.write("".join(f"{word}\n" for word in of_line(" ".join(words))))
    return 0


def _overview() -> int:
    """The help of everything by the shortest way: no verb, no session and no drawing is loaded for it."""
    from sparkconsole.streams import delivering
    from sparkconsole.verbs.help.page import terminal_width, topic_text

    with delivering():
        sys.stdout.write(f"{topic_text((), terminal_width())}\n")
    return 0


def _refuse_two_faces(given: Options, rest: list[str]) -> None:
    """A script and a verb are two ways to say what to do."""
    from sparkconsole.errors import WrongUsage

    if given.script is not None and rest:
        beside = f"--script runs a file of words, and {rest[0]} stands beside it"
        raise WrongUsage(beside, hint="say one of the two")
    if given.script is None and (given.set_ or given.keep_going):
        name = "--set" if given.set_ else "--keep-going"
        raise WrongUsage(f"{name} is for a script, and there is none", hint="--script FILE")


def _script(given: Options, printer: Printer) -> int:
    """A file of verb lines."""
    from sparkconsole.config.reading import script_text
    from sparkconsole.script.lines import read_script
    from sparkconsole.script.run import run_script

    name = "<stdin>" if given.script == "-" else str(given.script)
    lines = read_script(script_text(given.script or ""), given.values(), name)
    return _until_signalled(run_script(given, lines, printer, keep_going=given.keep_going), printer)


def _until_signalled(work: Coroutine[Any, Any, int], printer: Printer) -> int:
    import asyncio

    from sparkconsole.script.ending import until_signalled

    try:
        return asyncio.run(until_signalled(work))
    finally:
        printer.settle()


def _at_a_terminal() -> bool:
    """A person sits there; a browser tab is one too."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stdout.isatty())


def _console(given: Options) -> int:
    """The full-screen face; what ended it is raised, so that it is told like any other error."""
    from io import StringIO

    from rich.console import Console as Paper

    from sparkconsole import streams
    from sparkconsole.config.paths import settings_file
    from sparkconsole.config.settings import load_settings
    from sparkconsole.defect import defect
    from sparkconsole.tui.app import Console
    from sparkconsole.tui.process import run_face

    console = Console(given, load_settings(settings_file()))
    _begin()
    streams.prepare_screen()
    # Textual would print tracebacks, with the values of all variables, over the terminal that it gives back.
    console.error_console = Paper(file=(crashed := StringIO()), width=160)
    error = run_face(console)
    if error is not None:
        raise error
    if text := crashed.getvalue().strip():
        raise defect(text.splitlines()[-1], text)
    return console.return_code or 0
