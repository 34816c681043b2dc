"""`help` and `version`: what a word means, and which program this is."""

from __future__ import annotations

from typing import Literal

from sparkconsole import __version__
from sparkconsole.model.work.answer import Answer
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


@verb("help", local=True)
async def explain_words(
    session: Here,
    word: str | None = None,
    second: str | None = None,
    /,
    *,
    write: Literal["markdown", "man"] | None = None,
) -> Answer:
    """Explain a word: help, help launch, help image build.

    The same as WORD --help.

    Parameters
    ----------
    word
        A verb, or a group of them; without it, an overview of all.
    second
        The second word of a verb: build of image build.
    write
        Everything as one text: markdown for docs/reference.md, man for the manual page.
    """
    if write is not None:
        from sparkconsole.verbs.help import reference

        text = reference.man() if write == "man" else reference.markdown()
        return Answer({"format": write, "text": text}, (text.rstrip("\n"),))
    from sparkconsole.verbs.help.page import terminal_width, topic_text

    words = tuple(w for w in (word, second) if w)
    text = topic_text(words, terminal_width())
    return Answer({"words": list(words), "help": text}, (text,))


@verb("version", local=True)
async def version(session: Here) -> Answer:
    """Say which version this is."""
    return Answer({"version": __version__}, (f"sparkconsole {__version__}",))
