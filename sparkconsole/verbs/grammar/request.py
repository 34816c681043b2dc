"""What words in the grammar ask for: a verb and its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkconsole.verbs.grammar.registry import Verb


@dataclass(frozen=True, slots=True)
class Request:
    """Words that are in the grammar: a verb and its arguments. Nothing ran yet."""

    words: tuple[str, ...]
    """Without the global options among them."""
    verb: Verb
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    """The global options among the words, by field of Options: they hold for this line only."""
