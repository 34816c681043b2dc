"""Every regular expression of a package, texts that make a bad one slow, and how its work grows with them.

A pump is one piece of text repeated, behind what the pattern wants before it and before what fits nothing. It
is made from the pattern's own parse tree: each of its repetitions meets a text that it can take in pieces.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import re._constants as sre
import re._parser as parser
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_LONG = 50
"""A repetition with a lower bound than this costs little at each place."""
_END = "\x00"
"""What next to nothing takes: the pattern has to try all other ways of taking what stands before it."""
_CATEGORIES = {
    sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_NOT_SPACE: "a", sre.CATEGORY_NOT_WORD: " ",
}  # fmt: skip
_COMMON = "a1 A_.:/-\"'\t\n"
_ALWAYS = ("a", "1", " ", "a ", "A_", "/a", "a:")
_WAYS = {"search": "search", "match": "match", "fullmatch": "fullmatch"} | dict.fromkeys(
    ("finditer", "findall", "sub", "subn", "split"), "finditer"
)
"""How a pattern is asked: whether one answer is wanted, from where, or all of them."""


@dataclass(frozen=True)
class Pump:
    """`before`, then `unit` as often as it fits, then an end that nothing fits."""

    before: str
    unit: str

    def text(self, length: int) -> str:
        """The pump at about that many characters."""
        return self.before + self.unit * max(1, (length - len(self.before)) // len(self.unit)) + _END


@dataclass
class Place:
    """A pattern, where the package has it, and the ways in which it is asked there."""

    name: str
    pattern: re.Pattern[Any]
    ways: set[str] = field(default_factory=set)

    def asked(self) -> list[Callable[[str], object]]:
        """One function a way, which does with a text what the package does."""
        encoded = isinstance(self.pattern.pattern, bytes)
        return [_asker(self.pattern, way, encoded) for way in sorted(self.ways or {"search"})]


def _asker(pattern: re.Pattern[Any], way: str, encoded: bool) -> Callable[[str], object]:
    ask: Callable[[Any], Any] = getattr(pattern, way)

    def asked(text: str) -> object:
        found = ask(text.encode() if encoded else text)
        return sum(1 for _ in found) if way == "finditer" else found

    return asked


# Where patterns are


def patterns_of(package: ModuleType, asked: Mapping[str, str]) -> list[Place]:
    """All that its modules keep, be it in tables and values, and all that stands in a call of `re`.

    `asked`: how the patterns of a table are asked, which their names do not show; else they are searched.
    """
    modules = _modules(package)
    texts = {name: Path(str(module.__file__)).read_text("utf-8") for name, module in modules.items()}
    ways = _ways(texts)
    found: dict[tuple[Any, int], Place] = {}
    seen: set[int] = set()
    for name, module in modules.items():
        for variable, value in vars(module).items():
            place = f"{name}.{variable}"
            by_name = ways.get(place if variable.startswith("_") else variable, set())
            for pattern in _kept(value, package.__name__, seen):
                one = found.setdefault((pattern.pattern, pattern.flags), Place(place, pattern))
                one.ways |= {asked[place]} if place in asked else by_name
    kept = {text for text, _ in found}
    for name, module in modules.items():
        for place, pattern, way in _called(name, module, texts[name]):
            if way or pattern.pattern not in kept:
                one = found.setdefault((pattern.pattern, pattern.flags), Place(place, pattern))
                one.ways |= {way} if way else set()
    return list(found.values())


def _modules(package: ModuleType) -> dict[str, ModuleType]:
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return {name: importlib.import_module(name) for name in names if not name.endswith(".__main__")}


def _ways(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """How variables are asked: private ones by their module and name, others by their name alone."""
    ways: dict[str, set[str]] = {}
    for module, text in texts.items():
        for name, way in re.findall(rf"\b(\w+)\.({'|'.join(_WAYS)})\(", text):
            ways.setdefault(f"{module}.{name}" if name.startswith("_") else name, set()).add(_WAYS[way])
    return ways


def _kept(value: Any, package: str, seen: set[int]) -> Iterator[re.Pattern[Any]]:
    """Patterns in a value of a module: in tables, in values of classes of the package."""
    if isinstance(value, re.Pattern):
        yield value
    if id(value) in seen or isinstance(value, (str, bytes, int, float, ModuleType, FunctionType)):
        return
    seen.add(id(value))
    for inner in _parts(value, package):
        yield from _kept(inner, package, seen)


def _parts(value: Any, package: str) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    of = value if isinstance(value, type) else type(value)
    if not of.__module__.startswith(package):
        return []
    slots = [getattr(value, name, None) for name in getattr(of, "__slots__", ())]
    return [*slots, *getattr(value, "__dict__", {}).values()]


def _called(name: str, module: ModuleType, text: str) -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """What is given to functions of `re` as text; what is put in while it runs stands there as `x`."""
    for node in ast.walk(ast.parse(text)) if re.search(r"\bre\.", text) else ():
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        pattern = _text(node.args[0], module) if node.func.attr in (*_WAYS, "compile") else None
        if pattern is not None:
            yield f"{name}:{node.lineno}", re.compile(pattern), _WAYS.get(node.func.attr, "")


def _text(node: ast.expr, module: ModuleType) -> Any:
    """The text of an expression as far as it can be read; None: a variable that is known while it runs."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(_text(part, module) or "x") for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, module)
    if isinstance(node, ast.BinOp):
        sides: list[Any] = [_text(side, module) for side in (node.left, node.right)]
        known = [side for side in sides if side is not None]
        empty: Any = b"x" if known and isinstance(known[0], bytes) else "x"
        if any(isinstance(side, int) for side in known):
            return None  # arithmetic
        return (sides[0] or empty) + (sides[1] or empty) if known else None
    value = getattr(module, node.id, None) if isinstance(node, ast.Name) else None
    return value if isinstance(value, (str, bytes)) else None


# What stands in a pattern


def _of_class(items: Iterable[tuple[Any, Any]]) -> list[str]:
    """Some characters of a `[…]`, the first of them what it names first."""
    named, negated = [], False
    for op, value in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            named.append(chr(value))
        elif op is sre.RANGE:
            named.append(chr(value[0]))
        elif op is sre.CATEGORY:
            named.append(_CATEGORIES[value])
    if not negated:
        return named
    refused = re.compile(f"[{re.escape(''.join(named))}]") if named else re.compile("(?!)")
    return [c for c in _COMMON if not refused.match(c)] or ["é"]


def _one(op: Any, value: Any) -> str:
    """A text that this piece of a pattern takes; the least that it takes at all, but once."""
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.NOT_LITERAL:
        return "b" if value == ord("a") else "a"
    if op is sre.ANY:
        return "a"
    if op is sre.IN:
        return _of_class(value)[0]
    if op in _REPEATS:
        return _sample(value[2]) * max(int(value[0]), 1)
    inner = _inner(op, value)
    return _sample(inner[0]) if inner and op not in (sre.ASSERT, sre.ASSERT_NOT) else ""


def _inner(op: Any, value: Any) -> list[Any]:
    """The patterns within a piece that is none of the simple ones."""
    if op is sre.BRANCH:
        return list(value[1])
    if op is sre.ATOMIC_GROUP:
        return [value]
    return [value[-1]] if op in (sre.SUBPATTERN, sre.ASSERT, sre.ASSERT_NOT) else []


def _sample(parsed: Any) -> str:
    return "".join(_one(op, value) for op, value in parsed)


def _repetitions(parsed: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Each long repetition with a text that leads to it."""
    for op, value in parsed:
        if op in _REPEATS:
            if value[1] >= _LONG:
                yield before, value[2]
            yield from _repetitions(value[2], before)
        for inner in _inner(op, value):
            yield from _repetitions(inner, before)
        before += _one(op, value)


def _units(repeated: Any) -> list[str]:
    """What a repetition may take, one time."""
    found = [_sample(repeated)]
    for op, value in repeated:
        if op is sre.IN:
            found += _of_class(value)[:6]
        elif op is sre.ANY:
            found += [" ", "1", ":"]
    if len(repeated) > 1:
        found.append(_sample(repeated) + " ")
    return [unit for unit in dict.fromkeys(found) if unit]


def pumps(pattern: re.Pattern[Any]) -> list[Pump]:
    """The texts that this pattern has to stand, those of its own repetitions first."""
    found: dict[Pump, None] = {}
    for before, repeated in _repetitions(parser.parse(pattern.pattern, pattern.flags)):
        for unit in _units(repeated):
            found |= dict.fromkeys((Pump("", before + unit), Pump(before, unit), Pump("", unit)))
    return [*(found | dict.fromkeys(Pump("", unit) for unit in _ALWAYS))]


def spread(found: Sequence[Pump], most: int) -> list[Pump]:
    """At most so many of them, from all parts of the pattern."""
    return [found[at * len(found) // most] for at in range(most)] if len(found) > most else list(found)


# How work grows

FLOOR, FLOOR_OF_FEW = 1e-4, 1e-3
"""Seconds below which a search is not measured; of few characters only what doubles with each is sought."""
AT_ONCE = 5e-3
"""Seconds from which on nothing longer is tried."""
FEW = 110
STEP = 4
LINEAR = 2.0
"""By so many times more than the text the work may grow over one `STEP`: a square gives 4."""


def growth(ask: Callable[[str], object], pump: Pump, longest: int) -> float:
    """By how much more than the text the work for it grows, where that shows; 1: no more than the text.

    It begins with a few characters: what doubles with every one of them is known before it takes hours.
    Processor time of this thread is measured: what else runs on the machine counts little.
    """
    for length in _lengths(longest):
        spent = _seconds(ask, pump.text(length), 1)
        if spent < (FLOOR if length > FEW else FLOOR_OF_FEW):
            continue
        at, found = length, _grown(spent, ask, pump, length, 1)
        while found > LINEAR and spent < AT_ONCE and length > FEW:  # `.{0,600}` is a square up to its bound
            at *= STEP
            spent = _seconds(ask, pump.text(at), 1)
            found = _grown(spent, ask, pump, at, 1)
        for times in (2, 4):  # the least of several, before anything is called slow
            if found > LINEAR:
                found = _grown(_seconds(ask, pump.text(at), times), ask, pump, at, 2 * times)
        if found > LINEAR:
            return found
    return 1.0


def _grown(spent: float, ask: Callable[[str], object], pump: Pump, length: int, times: int) -> float:
    """`spent` on so many characters, over what `STEP` times fewer take, in proportion to both."""
    shorter = pump.text(length // STEP)
    return spent / max(_seconds(ask, shorter, times), 1e-9) * len(shorter) / len(pump.text(length))


def _lengths(longest: int) -> list[int]:
    return [length for length in (10, 15, 22, 33, 50, 75, FEW, 640, 2_560) if length < longest] + [longest]


def _seconds(ask: Callable[[str], object], text: str, times: int) -> float:
    """The least that it takes."""
    least = float("inf")
    for _ in range(times):
        begun = time.thread_time()
        ask(text)
        least = min(least, time.thread_time() - begun)
    return least
