"""What the journal holds, as a script that does it again: verb lines, quoted, secrets as `${NAME}`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from sparkconsole.model.text.redact import STARS, redact_words, secret_flag
from sparkconsole.model.work.job import Run

_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def export_script(runs: Iterable[Run]) -> str:
    """A script of the runs, oldest first, with date and result of each as a comment above its line."""
    ordered = sorted(runs, key=lambda run: (run.started, run.id))
    clusters = tuple(dict.fromkeys(run.cluster for run in ordered if run.cluster))
    lines = [f"# cluster: {', '.join(clusters)}"] if clusters else []
    names = sorted({name for run in ordered for name in secrets_of(redact_words(run.words))})
    lines += [f"# {name} comes from the environment, or --set {name}=…" for name in names]
    for run in ordered:
        code = f", exit {run.exit_code}" if run.exit_code is not None else ""
        lines.append(f"# {run.started:%Y-%m-%d %H:%M:%S} UTC: {run.state}{code} ({run.id})")
        lines.append(verb_line(redact_words(run.words)))
    return "\n".join(lines) + "\n"


def verb_line(words: Sequence[str]) -> str:
    """The line of a script that gives exactly these words; hidden secrets become variables."""
    return " ".join(_word(before, word) for before, word in zip(("", *words), words, strict=False))


def secrets_of(words: Sequence[str]) -> tuple[str, ...]:
    """The names of the variables that the hidden words of a line become."""
    pairs = zip(("", *words), words, strict=False)
    return tuple(_variable(before, word) for before, word in pairs if STARS in word)


def _word(before: str, word: str) -> str:
    """One word, quoted. Scripts fill `${NAME}` in even in quotes: a literal one is written `$${NAME}`."""
    plain = _VARIABLE.sub(lambda found: f"${found[0]}", word)
    if STARS in plain:
        plain = plain.replace(STARS, f"${{{_variable(before, word)}}}")
    # A backslash at the end of a script's line continues it, quoted or not: the quote is closed before.
    return shlex.quote(plain).replace("\\\n", "\\''\n")


def _variable(before: str, word: str) -> str:
    """The variable's name: that of the flag or of the variable whose value was hidden."""
    named = re.search(r"([A-Za-z_][\w-]{0,80})[=:]\s*" + re.escape(STARS), word)
    if named is None and not secret_flag(before):
        return "SECRET"
    name = named[1] if named else before
    return re.sub(r"\W+", "_", name.strip("-").replace("-", "_")).upper()
