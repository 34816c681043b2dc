"""Every parser of the package on lines that nearly are a tool's: `python -m tests.fuzz COUNT SEED`.

The same seed gives the same texts. A parser may refuse a text with SparkError, and with ValueError where its
docstring says so; anything else that leaves it is a fault.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import random
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sparkconsole.parse
from sparkconsole.errors import SparkError
from sparkconsole.parse.diagnose.log_frame import Framed, framed
from sparkconsole.parse.known import KNOWN, During
from sparkconsole.parse.values import json_object

HERE = Path(__file__).parent
MARK = "@@"
APART = {
    "sparkconsole.parse.known.known.cause": "makes an entry of the catalogue out of our own words",
    "sparkconsole.parse.known.known.consequence": "so does this",
    "sparkconsole.parse.known.known.harmless": "and this",
    "sparkconsole.parse.diagnose.line.filled": "fills in a sentence of the catalogue",
}
"""What takes text of this project only."""
_NAMED = {
    "mark": MARK,
    "node": "spark-01",
    "container": "vllm",
    "ref": "v0.11.0",
    "before": "IB",
    "tag": "a:b",
}
"""What the other words of a parser are, by their names; a text like the first one otherwise."""
ODD = (
    "", " ", "\t", "\n", "\r", "\x00", "\x1b[31m", "\x1b]0;", "\x85", "\u2028", "²", "٣", "é", "\ufeff",
    "-", "-1", "--5", "0", "00", "1.2.3", ".", "1e999", "nan", "inf", "9" * 25, "9" * 5_000, "0x1g", "1,5",
    "{", "}", "{}", "[]", "[", "]", "null", "true", '"', "'", "\\", "%s", "{node}", "=", "|", ",", ":", "/",
    "#", "(", ")", "@", "<none>", "N/A", f"\n{MARK} ", "status ", "docker 0\n", "ERROR",
    "Traceback (most recent call last):",
)  # fmt: skip
_SENSELESS: tuple[Any, ...] = (
    None, True, False, -1, 0, 1.5, 1e308, 2**70, float("nan"), float("inf"), "", "x", "²", [], {}, [None],
    {"a": None}, [[]], [{}], ["x", 1],
)  # fmt: skip
TRIED = 3
"""Changes that a text gets, at the most."""


@dataclass(frozen=True)
class Parser:
    """A public function, or a class that is fed with lines."""

    name: str
    call: Callable[[str, random.Random], object]
    refuses: tuple[type[Exception], ...]
    objects: bool
    """It is given what a text says as JSON."""


@dataclass(frozen=True)
class Fault:
    """What left a parser that should not, and a text that makes it."""

    parser: str
    error: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.parser}: {self.error} at {self.where}\n    with {self.text!r}"


# What is tried


def parsers() -> list[Parser]:
    """All that take text or lines, by walking the package."""
    found = []
    for module in _modules():
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            is_function = inspect.isfunction(inspect.unwrap(value))
            call = _function(value) if is_function else _fed(value) if _is_fed(value) else None
            if call is not None and f"{module.__name__}.{name}" not in APART:
                promises = f"{value.__doc__} {module.__doc__}"
                refuses = (SparkError, ValueError) if "ValueError" in promises else (SparkError,)
                found.append(Parser(f"{module.__name__}.{name}", call, refuses, _takes_objects(value)))
    return found


def _takes_objects(value: Any) -> bool:
    kinds = typing.get_type_hints(inspect.unwrap(value)) if not inspect.isclass(value) else {}
    return any(kind in (Any, Mapping[str, Any]) for name, kind in kinds.items() if name != "return")


def _modules() -> list[Any]:
    package = sparkconsole.parse
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names]


def _function(function: Callable[..., object]) -> Callable[[str, random.Random], object] | None:
    """The function with an argument for each parameter; None where it takes no text."""
    kinds = typing.get_type_hints(inspect.unwrap(function))
    wanted = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty or kinds[p.name] is str
    ]
    makers = [_maker(p.name, kinds[p.name], first=at == 0) for at, p in enumerate(wanted)]
    if not makers or None in makers:
        return None
    return lambda text, chance: function(
        **{p.name: make(text, chance) for p, make in zip(wanted, makers, strict=True) if make}
    )


def _maker(name: str, kind: Any, *, first: bool) -> Callable[[str, random.Random], Any] | None:
    """An argument of that kind out of a text."""
    if kind is str and not first and name in _NAMED:
        return lambda text, chance: _NAMED[name]
    plain: dict[Any, Callable[[str, random.Random], Any]] = {
        str: lambda text, chance: text,
        Iterable[str]: lambda text, chance: text.splitlines(),
        Sequence[str]: lambda text, chance: text.splitlines(),
        Mapping[str, str]: lambda text, chance: _sections(text),
        dict[str, str]: lambda text, chance: _sections(text),
        Mapping[str, Any]: lambda text, chance: json_object(text) or {},
        Any: lambda text, chance: json_object(text),
        Framed: lambda text, chance: framed(text),
        During: lambda text, chance: chance.choice([*During]),
        int | None: lambda text, chance: chance.choice([0, 1, 124, None]),
    }
    return plain.get(kind)


def _sections(text: str) -> dict[str, str]:
    return {name.strip(): body for name, _, body in (p.partition("\n") for p in text.split(f"\n{MARK} ")[1:])}


def _is_fed(value: Any) -> bool:
    """A class that needs nothing to be made and has `feed(line)`."""
    if not inspect.isclass(value) or not hasattr(value, "feed"):
        return False
    needed = [p for p in inspect.signature(value).parameters.values() if p.default is p.empty]
    line = typing.get_type_hints(value.feed)
    return not needed and [kind for name, kind in line.items() if name != "return"] in ([str], [Framed])


def _fed(kind: Any) -> Callable[[str, random.Random], object]:
    """It is fed with every line, and asked all that can be asked at the end."""
    takes = next(k for name, k in typing.get_type_hints(kind.feed).items() if name != "return")

    def feed(text: str, chance: random.Random) -> object:
        reader = kind()
        for line in text.splitlines():
            reader.feed(framed(line) if takes is Framed else line)
        return [_asked(reader, name) for name in vars(kind) if not name.startswith("_") and name != "feed"]

    return feed


def _asked(reader: Any, name: str) -> object:
    """A property, or a method that needs nothing."""
    found = getattr(reader, name, None)
    alone = inspect.ismethod(found) and not inspect.signature(found).parameters
    return found() if alone and found is not None else found


# The texts


@cache
def samples() -> tuple[str, ...]:
    """Texts of the parsers' tests, the logs that are kept and their lines, and what the catalogue knows."""
    tests = [text for path in sorted((HERE / "parse").glob("*.py")) for text in samples_in(path)]
    kept = [path.read_text("utf-8") for path in sorted((HERE / "kept").rglob("*.log"))]
    lines = [text for log in kept for text in (log[:3_000], *log.splitlines())]
    return tuple(dict.fromkeys([*tests, *lines, *(known.example for known in KNOWN)]))


def _texts(source: str) -> tuple[str, ...]:
    """What stands in a module as text, and its tables as JSON."""
    tree = [*ast.walk(ast.parse(source))]
    constants = [node.value for node in tree if isinstance(node, ast.Constant)]
    tables = [text for node in tree if isinstance(node, ast.Dict) and (text := _as_json(node))]
    return tuple(dict.fromkeys([t for t in constants if isinstance(t, str) and len(t) > 3] + tables))


def _as_json(table: ast.Dict) -> str:
    """Empty for what is none."""
    try:
        return json.dumps(ast.literal_eval(table))
    except (ValueError, TypeError):
        return ""


@cache
def _words_of_tests() -> dict[Path, frozenset[str]]:
    return {
        path: frozenset(re.findall(r"\w+", path.read_text("utf-8")))
        for path in sorted(HERE.rglob("test_*.py"))
    }


@cache
def own_samples(name: str) -> tuple[str, ...]:
    """Those of the tests that name the parser."""
    word = name.rpartition(".")[2]
    files = [path for path, words in _words_of_tests().items() if word in words]
    return tuple(text for path in files for text in samples_in(path))


@cache
def samples_in(path: Path) -> tuple[str, ...]:
    """The texts of one module."""
    return _texts(path.read_text("utf-8"))


def texts(name: str, seed: int, *, objects: bool = False) -> Iterator[tuple[str, random.Random]]:
    """Texts without end for a parser, the same for the same seed. `objects`: it takes what JSON says."""
    chance = random.Random(f"{name} {seed}")
    everyone = samples()
    own = own_samples(name) or everyone
    own = tuple(text for text in own if text.startswith("{")) or own if objects else own
    while True:
        text = chance.choice(own if chance.random() < 0.75 else everyone)
        if chance.random() < 0.05:
            text = "".join(
                map(
                    chr, (chance.choice((chance.randrange(128), chance.randrange(0x3000))) for _ in range(60))
                )
            )
        for _ in range(chance.randint(0, TRIED)):
            text = chance.choice(_CHANGES)(text, chance, everyone)
        yield text[:20_000], chance


def _cut(text: str, chance: random.Random, others: Sequence[str]) -> str:
    begin, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
    return text[:begin] + text[end:]


def _odd_within(text: str, chance: random.Random, others: Sequence[str]) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(ODD) + text[at:]


def _odd_instead(text: str, chance: random.Random, others: Sequence[str]) -> str:
    """One word or number is something else."""
    found = [*re.finditer(r"\d+|\w+|\S", text)]
    if not found:
        return chance.choice(ODD)
    word = chance.choice(found)
    return text[: word.start()] + chance.choice(ODD) + text[word.end() :]


def _shuffled(text: str, chance: random.Random, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    chance.shuffle(lines)
    return "".join(lines)


def _twice(text: str, chance: random.Random, others: Sequence[str]) -> str:
    begin, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
    return text[:end] + text[begin:end] * chance.choice((1, 2, 20)) + text[end:]


def _joined(text: str, chance: random.Random, others: Sequence[str]) -> str:
    return text + chance.choice(("\n", " ", "")) + chance.choice(others)


def _other_json(text: str, chance: random.Random, others: Sequence[str]) -> str:
    """One value of an object, anywhere in it, makes no sense."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return _odd_instead(text, chance, others)
    return json.dumps(_senseless(data, chance))


def _senseless(data: Any, chance: random.Random) -> Any:
    if not isinstance(data, (dict, list)) or not data or chance.random() < 0.2:
        return chance.choice(_SENSELESS)
    if isinstance(data, dict):
        key = chance.choice([*data])
        if chance.random() < 0.2:
            return {k: v for k, v in data.items() if k != key}
        return data | {key: _senseless(data[key], chance)}
    at = chance.randrange(len(data))
    return [*data[:at], _senseless(data[at], chance), *data[at + 1 :]]


_CHANGES = (
    _cut,
    _odd_within,
    _odd_instead,
    _odd_instead,
    _shuffled,
    _twice,
    _joined,
    _other_json,
    _other_json,
)


# What comes of it


def faults(parser: Parser, count: int, seed: int) -> list[Fault]:
    """What leaves a parser on so many texts, each kind of fault once."""
    found: dict[tuple[str, str], Fault] = {}
    made = texts(parser.name, seed, objects=parser.objects)
    for (text, chance), _ in zip(made, range(count), strict=False):
        try:
            parser.call(text, chance)
        except parser.refuses:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            found.setdefault(
                (type(error).__name__, where), Fault(parser.name, repr(error)[:200], where, text[:2_000])
            )
    return list(found.values())


def main(count: int, seed: int) -> int:
    """So many texts, shared out among the parsers; 1 where a fault was found."""
    every = parsers()
    found = []
    for parser in every:
        found += faults(parser, -(-count // len(every)), seed)
        print(".", end="", flush=True)
    print(f"\n{count} texts, {len(every)} parsers, seed {seed}: {len(found)} faults")
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in [*sys.argv[1:], *("2000000", "1")[len(sys.argv) - 1 :]])))
