"""Combinations that are known to be bad: conditions on what a node is and has, and what to do then.

The shipped ones are in rules.toml beside this file; a person adds more in ~/.config/sparkconsole/rules.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sparkconsole.model.cluster import Name

_SIGNS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
_BOUND = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S+)")


def _condition(text: str) -> str:
    parts = [part.strip() for part in text.split(",")]
    if not all(_BOUND.fullmatch(part) for part in parts):
        raise ValueError('must be like ">=590, <595" or "==0.26.*"')
    return text


Condition = Annotated[str, AfterValidator(_condition)]
"""Bounds with commas, all of which hold: `>=590, <595`, `==0.26.*`, `!=28.45.4028`."""


class _Strict(BaseModel):
    """No key but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class When(_Strict):
    """All that is said here holds on one node; what is not known there never holds."""

    kernel: Condition | None = None
    release: Condition | None = None
    driver: Condition | None = None
    firmware: Condition | None = None
    docker: Condition | None = None
    vllm: Condition | None = None
    ray: Condition | None = None
    torch: Condition | None = None
    nccl: Condition | None = None
    python: Condition | None = None
    cuda: Condition | None = None
    kernel_log: str | None = None
    """Words that the kernel said since it booted."""
    nodes: int | None = Field(default=None, ge=1, strict=True)
    """At least so many nodes."""

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if not self.model_fields_set:
            raise ValueError("must say at least one thing")
        return self


_SUBJECTS = tuple(name for name in When.model_fields if name not in ("kernel_log", "nodes"))


class Rule(_Strict):
    """One known-bad combination."""

    id: Name
    when: When
    severity: Literal["warn", "fail", "off"] = "warn"
    """`off`: a shipped rule of that id says nothing."""
    what: str
    """What happens then."""
    remedy: str = ""
    source: str = ""

    def holds(self, values: Mapping[str, str], kernel_log: Mapping[str, int], nodes: int) -> bool:
        """On a node that has these versions."""
        bounds = {s: c for s in _SUBJECTS if (c := getattr(self.when, s)) is not None}
        versions = all(within(values.get(subject, ""), bound) for subject, bound in bounds.items())
        logged = self.when.kernel_log is None or any(self.when.kernel_log in words for words in kernel_log)
        return versions and logged and nodes >= (self.when.nodes or 1)


class Rules(_Strict):
    """The whole of rules.toml."""

    rules: tuple[Rule, ...] = ()


def joined(shipped: Rules, own: Rules) -> tuple[Rule, ...]:
    """A rule of the same id takes the shipped one's place."""
    by_id = {rule.id: rule for rule in (*shipped.rules, *own.rules)}
    return tuple(rule for rule in by_id.values() if rule.severity != "off")


def within(version: str, condition: str) -> bool:
    """`version` meets every bound; an unknown one (empty) meets none."""
    bounds = (_BOUND.match(part.strip()) for part in condition.split(","))
    return bool(version) and all(_meets(version, *bound.groups()) for bound in bounds if bound)


def _meets(version: str, sign: str, bound: str) -> bool:
    if bound.endswith(".*"):
        same = _ordered(version)[: len(_ordered(bound[:-2]))] == _ordered(bound[:-2])
        return same if sign == "==" else not same
    pairs = [*zip_longest(_ordered(version), _ordered(bound), fillvalue=0)]
    return bool(_SIGNS[sign]([mine for mine, _ in pairs], [its for _, its in pairs]))


def _ordered(version: str) -> list[int]:
    """The numbers of its first word, in order: `6.11.0-1016-nvidia` is 6 11 0 1016."""
    return [int(n) for n in re.findall(r"\d+", re.split(r"[+\s]", version, maxsplit=1)[0])]
