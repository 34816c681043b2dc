"""What a terminal may be given: no escape sequence of a machine, and of our signs those that it has."""

from __future__ import annotations

import codecs
import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    # OSC and other strings: titles, clipboard, links. One that begins within another ends the other.
    r"|\x1b[\]PX^_][^\x1b\x07\n]*(?:\x1b(?![\\\]PX^_])[^\x1b\x07\n]*)*(?:\x1b\\|\x07)"
    r"|\x1b[ -/]*[0-~]?"  # the rest
)
# Signs without a width, and those that turn the direction of what follows: they hide what a line is.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def without_escapes(text: str) -> str:
    """`text` without escape sequences, which part what belongs together; nothing else is changed."""
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def printable(text: str) -> str:
    """`text` without escape sequences and control characters; tabs and newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


SIGNS = {
    **dict.fromkeys("✔✓", "+"), **dict.fromkeys("✖✗✘", "x"), **dict.fromkeys("·•∙", "."),
    "…": "...", "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-", "↑": "^", "↓": "v",
    "⏎": "enter", "⌫": "<x",
    **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’‚", "'"), **dict.fromkeys("›▶▸", ">"),
    **dict.fromkeys("‹◂◀", "<"), **dict.fromkeys("▾▼", "v"), "▲": "^", "●": "*", "○": "o", "◆": "*", "◇": "o",
    "×": "x", "°": " deg ", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "±": "+/-", "µ": "u", "μ": "u",
    **dict.fromkeys("─━╌╍═╸╺╴╶", "-"), **dict.fromkeys("│┃║┊┋▏▕▎▍▌‖", "|"), "▁": "_", "▂": "_",
    **dict.fromkeys("▃▄", "-"), **dict.fromkeys("▅▆", "="), **dict.fromkeys("▇█▉▊▋", "#"), "░": ".",
    "▒": ":", "▓": "#", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
"""What stands for what. A sign of several letters is for running text; its last letter is for one cell."""

_NARROW = {"°": "'", "⏎": "<", "⌫": "<", "≥": ">", "≤": "<", "≠": "#", "±": "~", "←": "<"}
"""In one cell, where the last letter would say something else."""
_BOX, _BRAILLE = range(0x2500, 0x2580), range(0x2800, 0x2900)


def plain_sign(sign: str, *, narrow: bool = False) -> str:
    """One character as ASCII: its sign, the letter under its accents, or `?`; `narrow`: as wide as it is."""
    if (text := SIGNS.get(sign)) is not None:
        return _NARROW.get(sign, text[-1:]) if narrow else text
    code = ord(sign)
    if code in _BOX:
        return "+"
    if code in _BRAILLE:
        return " " if code == _BRAILLE.start else ":"
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no text
        return "?" if narrow else f"\\x{code - 0xDC00:02x}"
    letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    wide = 2 if unicodedata.east_asian_width(sign) in "WF" else 1
    return (letters[:1] or "?" * wide) if narrow else (letters or "?")


def _as_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(plain_sign, error.object[error.start : error.end])), error.end


codecs.register_error("sparkconsole.as_ascii", _as_ascii)


def plain(text: str, encoding: str) -> str:
    """`text` with only what `encoding` has; nothing changes where it has all of it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "sparkconsole.as_ascii").decode(encoding)
    return text
