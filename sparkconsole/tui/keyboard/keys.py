"""Keys as data: a key names a verb or a word of the console's own, and a capital changes the cluster.

A key's id is its name in the user's keymap, its `:` word and its palette entry. With spaces for dots it is
a verb of the registry (`node.restart`), or else a word that only the console has (`logs.follow`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, key_to_character

from sparkconsole.model.text.alike import did_you_mean

RESERVED = {
    "ctrl+q": "quits at once",
    "ctrl+c": "copies",
    "ctrl+p": "opens the palette",
    "tab": "moves the focus",
    "shift+tab": "moves the focus",
    "enter": "opens",
    "escape": "goes back",
}
"""Keys that no keymap may take."""
NAMES = {written: name for name, written in KEY_NAME_REPLACEMENTS.items()}
"""Unicode's names of characters, by Textual's, where these differ."""


@dataclass(frozen=True, slots=True)
class Key:
    """One binding."""

    id: str
    keys: str
    """As Textual names them, with commas."""
    label: str
    """In the footer; what changes the cluster ends in `…`, because it asks first."""
    help: str = ""
    """In the help; empty: the verb's own summary."""
    changes: bool = False
    shown: bool = True
    """In the footer. The help lists every key."""
    display: str = ""
    """How the key is written, where that is not its character."""
    act: str = ""
    """Textual's action, where it is not the method of the id's name."""

    @property
    def names(self) -> list[str]:
        """Each of `keys`."""
        return _each(self.keys)

    @property
    def written(self) -> str:
        """Its first key as the footer writes it."""
        return self.display or written(self.names[0])

    @property
    def verb(self) -> tuple[str, ...]:
        """The words of the verb that it may be."""
        return tuple(self.id.split("."))

    @property
    def action(self) -> str:
        """What Textual runs: the method `action_` + the id with underscores."""
        return self.act or self.id.replace(".", "_").replace("-", "_")

    def binding(self) -> Binding:
        """As Textual takes it."""
        return Binding(self.keys, self.action, self.label, show=self.shown, id=self.id)


VIEWS = ("cluster", "logs", "images", "launch", "serve", "bench", "doctor", "runs")

GLOBAL = (
    *(
        Key(f"view.{n}", str(at), n.title(), f"Show the {n} view.", shown=False, act=f"app.view({n!r})")
        for at, n in enumerate(VIEWS, 1)
    ),
    Key("command", "colon", "cmd", "Type a command, with completion and history."),
    Key("filter", "slash", "filter", "Show only the rows or lines that have a text.", shown=False),
    Key("back", "escape", "back", "Go back: close dialog, zoom, filter or page.", shown=False, display="esc"),
    Key("refresh", "r", "refresh", "Refresh now: ask every node again.", shown=False),
    Key("zoom", "z", "zoom", "Give the focused pane the whole screen, and back.", shown=False),
    Key("task", "b", "task", "Show the running task: its steps and output.", shown=False),
    Key("help", "question_mark,f1", "help", "Show every key of this view.", display="?"),
    Key("quit", "q", "quit", "Quit. What runs on the cluster keeps running.", shown=False),
)


def written(name: str) -> str:
    """A key as people write it: `,` for `comma`, `^s` for `ctrl+s`."""
    character = key_to_character(NAMES.get(name, name)) or " "
    return character if character.isprintable() and not character.isspace() else name.replace("ctrl+", "^")


def summary(key: Key) -> str:
    """What the key does, in a sentence."""
    from sparkconsole.verbs.grammar.registry import load

    return key.help or (load()[key.verb].summary if key.verb in load() else key.label)


def keymap_of(
    wanted: Mapping[str, str], contexts: Mapping[str, Sequence[Key]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The user's keymap as far as it can hold, and a sentence for each entry that cannot.

    `contexts` are the keys that hold together: the global ones under "", and each view's.
    """
    known = {key.id: key for keys in contexts.values() for key in keys}
    kept: dict[str, str] = {}
    wrong: list[str] = []
    for name, keys in wanted.items():
        why = _refused(name, keys, known) or _clash(name, keys, kept, contexts)
        if why:
            wrong.append(f"keys.{name} = {keys!r}: {why}")
        else:
            kept[name] = keys
    return kept, tuple(wrong)


def _refused(name: str, keys: str, known: Mapping[str, Key]) -> str:
    if name not in known:
        return f"there is no such key{did_you_mean(name, known)}"
    for key in _each(keys):
        if key in RESERVED and key not in known[name].names:
            return f"{key} {RESERVED[key]}"
        if known[name].changes and len(key) == 1 and key.islower():
            return "what changes the cluster is a capital letter"
        if not known[name].changes and len(key) == 1 and key.isupper():
            return "a capital letter changes the cluster, and this only looks"
    return "" if _each(keys) else "it names no key"


def _clash(name: str, keys: str, kept: Mapping[str, str], contexts: Mapping[str, Sequence[Key]]) -> str:
    """Another key of the same place that has this one already; Textual would silently keep the first."""
    for context, own in contexts.items():
        together = [*own, *(contexts.get("", ()) if context else ())]
        if not any(key.id == name for key in together):
            continue
        for other in together:
            taken = _each(kept.get(other.id, other.keys))
            if other.id != name and set(taken) & set(_each(keys)):
                return f"{other.id} has that key already"
    return ""


def _each(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]
