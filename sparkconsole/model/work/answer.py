"""What a verb gives back: data for machines, sheets and sentences for people. Faces draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: every cell is text, possibly from a machine, never markup."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    whole: tuple[str, ...] = ()
    """Columns that are never folded although their cells have spaces (paths); single words never are."""

    @classmethod
    def of(cls, columns: Sequence[str], rows: Rows, title: str = "", whole: Sequence[str] = ()) -> Sheet:
        """A sheet whose cells are the text of `rows`; None becomes a dash."""
        cells = tuple(tuple("–" if c is None else str(c) for c in row) for row in rows)
        return cls(tuple(columns), cells, title, tuple(whole))

    def as_data(self) -> dict[str, Any]:
        """The sheet as JSON gives it."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is what `--json` prints; `parts` is what people read; `exit_code` is the program's."""

    data: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Sheet | str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One item of a stream (a log line, a reading): a JSON line, or one line of text."""

    data: Mapping[str, Any]
    text: str
    node: str = ""
