"""From argv to a face; only that face is imported."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sparkconsole import __version__

if TYPE_CHECKING:
    from sparkconsole.config.globals import Options
    from sparkconsole.script.report import Printer


GC_OBJECTS = 50_000
"""What is made before the collector looks at the young ones. Its usual 700 has it look again and again while
modules are imported: 5 % of the time of a short word (medians of 15, side by side)."""


def main(argv: Sequence[str] | None = None) -> None:
    """The `sparkconsole` command; ends the process with the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        sys.stdout.write(f"sparkconsole {__version__}\n")
        raise SystemExit(0)
    raise SystemExit(run(words))


def run(words: Sequence[str]) -> int:
    """Carries the command line out; its exit code."""
    gc.set_threshold(GC_OBJECTS)
    # pydantic would read the metadata of every installed package to find plugins; nobody here has any.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from sparkconsole.errors import SparkError

    printers: list[Printer] = []

    def printer() -> Printer:
        """The one of this run, made when something has to be printed: help and the console need none."""
        if not printers:
            from sparkconsole.script.report import Printer

            printers.append(Printer(as_json="--json" in words))
        return printers[0]

    try:
        return _dispatch(list(words), printer)
    except SparkError as error:
        printer().error(error)
        return error.exit_code
    except KeyboardInterrupt:
        printer().settle()
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): not an error, and nothing more can be said on it.
        sys.stdout = None
        return 0


def _dispatch(words: list[str], printer: Callable[[], Printer]) -> int:
    from sparkconsole.config.globals import read_globals

    given, rest = read_globals(words)
    if given.script is not None:
        return _script(given, printer())
    if not rest and _at_a_terminal() and not given.json:
        return _console(given)
    from sparkconsole.verbs.dispatch import print_help, wants_help

    if not rest or wants_help(rest):
        print_help(rest)
        return 0 if rest else 2
    if rest[0] == "web":
        return _web(words, rest)
    import asyncio

    from sparkconsole.script.run import run_words

    return asyncio.run(run_words(given, rest, printer()))


def _script(given: Options, printer: Printer) -> int:
    """A file of verb lines."""
    import asyncio

    from sparkconsole.script.lines import read_script
    from sparkconsole.script.run import run_script

    lines = read_script(given.script_text(), given.values(), str(given.script))
    return asyncio.run(run_script(given, lines, printer, keep_going=given.keep_going))


def _web(words: list[str], rest: list[str]) -> int:
    """Everything but `web` and its own options goes on to the consoles that the browser opens."""
    from sparkconsole.tui.web import serve
    from sparkconsole.verbs.dispatch import understand

    request = understand(rest)
    said = list(words)
    for word in rest:
        said.remove(word)
    return serve(said, **request.kwargs)


def _at_a_terminal() -> bool:
    """A person sits there; a browser tab is one too."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stdout.isatty())


def _console(given: Options) -> int:
    """The full-screen face; what ended it is raised, so that it is told like any other error."""
    from sparkconsole.config.paths import settings_file
    from sparkconsole.config.settings import load_settings
    from sparkconsole.tui.app import Console

    console = Console(given, load_settings(settings_file()))
    error = console.run()
    if error is not None:
        raise error
    return console.return_code or 0
