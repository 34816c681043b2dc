"""The palette offers what `:` understands: every verb, verbs for each node, the keys of the view, themes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from sparkconsole.tui.draw.bars import fitted
from sparkconsole.tui.keyboard.keys import summary
from sparkconsole.tui.line.complete import NODE_FIELDS
from sparkconsole.verbs.grammar.forms import Field, fields
from sparkconsole.verbs.grammar.registry import Verb, load

if TYPE_CHECKING:
    from sparkconsole.tui.host import Host


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """One line of the palette."""

    words: str
    """What `:` would say; `…` at its end: something has to be typed yet."""
    help: str
    run: Callable[[], object]


class Palette(Provider):
    """Textual asks; hostile names of nodes are only text."""

    async def search(self, query: str) -> Hits:
        """The entries that match, the best first."""
        matcher = self.matcher(query)
        for entry in entries(cast("Host", self.app)):
            if (score := matcher.match(entry.words)) > 0:
                words = matcher.highlight(entry.words)
                yield Hit(score, words, entry.run, text=entry.words, help=self._text(entry))

    async def discover(self) -> AsyncIterator[DiscoveryHit]:
        """Everything, before anything is typed."""
        for entry in entries(cast("Host", self.app)):
            yield DiscoveryHit(Content(entry.words), entry.run, text=entry.words, help=self._text(entry))

    def _text(self, entry: PaletteEntry) -> str:
        """In one line, so that many entries stand on the screen."""
        return fitted(entry.help, max(self.app.size.width - 8, 20)).rstrip()


def entries(console: Host) -> list[PaletteEntry]:
    """Every entry, as things stand."""
    shown = [v for v in load().values() if not (v.why_not_read_only and console.options.read_only)]
    of_nodes = [v for v in shown if _takes_a_node(v)]
    named = [((*verb.words, node), verb.summary) for verb in of_nodes for node in console.store.nodes]
    typed = [(word, summary(key)) for word, key in console.view.own_keys().items()]
    typed += [(f"theme {name}", "Use this theme.") for name in sorted(console.available_themes)]
    return [
        *(_verb(console, verb) for verb in shown),
        *(PaletteEntry(" ".join(words), text, partial(console.say, words)) for words, text in named),
        *(PaletteEntry(line, text, partial(console.command, line)) for line, text in typed),
    ]


def _verb(console: Host, verb: Verb) -> PaletteEntry:
    words = " ".join(verb.words)
    if any(f.required for f in fields(words)):
        begin = partial(console.open_line, filtering=False, text=f"{words} ")
        return PaletteEntry(f"{words} …", verb.summary, begin)
    return PaletteEntry(words, verb.summary, partial(console.say, verb.words))


def _takes_a_node(verb: Verb) -> bool:
    """It can be said with nothing but a node's name behind it."""
    if verb.words[0] != "node" or verb.words[1] in ("add", "scan", "list", "exec"):
        return False
    placed: list[Field] = [f for f in fields(" ".join(verb.words)) if f.positional]
    return bool(placed) and placed[0].name in NODE_FIELDS
