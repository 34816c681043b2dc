"""The images that a Dockerfile is made from, by the names that its builder will look for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkconsole.model.image.bases import FromImage
from sparkconsole.model.image_reference import image_reference
from sparkconsole.model.text.printable import printable
from sparkconsole.parse.image.dockerfile import Instruction, filled_in, instructions, named, words

_WHOLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-[^{}$]*)?\}|([A-Za-z_][A-Za-z0-9_]*))")
"""A variable that is all of a name, whatever it falls back to."""
_MOUNTED = re.compile(r"--mount=(\S+)")
_SYSTEMS = {"x86_64": "amd64", "aarch64": "arm64"}


def bases(text: str, given: Mapping[str, str], architecture: str = "") -> tuple[FromImage, ...]:
    """Each image once, in order of first mention; stages of its own, `scratch` and the context are none.

    `given`: the build's arguments; `architecture`: the builder's own, as its engine calls it.
    """
    reading = _FromLines(dict(given), _platform(architecture))
    for found in instructions(text):
        reading.take(found)
    return tuple(reading.images())


def declared(text: str) -> frozenset[str]:
    """The build arguments that it takes."""
    taken = (_arguments(found) for found in instructions(text) if found.word == "ARG")
    return frozenset(name for some in taken for name, _ in some)


def _platform(architecture: str) -> dict[str, str]:
    """What BuildKit gives every Dockerfile."""
    machine = _SYSTEMS.get(architecture, architecture)
    values = {"PLATFORM": f"linux/{machine}", "OS": "linux", "ARCH": machine, "VARIANT": ""}
    return {f"{of}{k}": v for of in ("TARGET", "BUILD") for k, v in values.items()} if machine else {}


def _arguments(found: Instruction) -> list[tuple[str, str | None]]:
    """Name and default of each; None: it has none."""
    parts = (word.partition("=") for word in words(found.rest))
    return [(name, value if sign else None) for name, sign, value in parts]


@dataclass(slots=True)
class _Use:
    """One place where an image is asked for."""

    written: str
    name: str
    argument: str


@dataclass(slots=True)
class _FromLines:
    """What is known of the Dockerfile so far, from its top."""

    given: Mapping[str, str]
    values: dict[str, str]
    """Of the arguments before the first FROM."""
    begun: bool = False
    """There was a FROM."""
    stages: set[str] = field(default_factory=set)
    uses: list[_Use] = field(default_factory=list)
    spoken_of: set[str] = field(default_factory=set)
    """Arguments that something else than a whole name depends on."""
    arguments: set[str] = field(default_factory=set)

    def take(self, found: Instruction) -> None:
        match found.word:
            case "ARG":
                self._argument(found)
            case "FROM":
                self._from(found)
            case "COPY" | "ADD" | "RUN":
                for source in _sources(found):
                    self._other(source)

    def _argument(self, found: Instruction) -> None:
        for name, default in _arguments(found):
            if self.begun:
                self.spoken_of.add(name)  # a stage sees its value
                continue
            self.arguments.add(name)
            self.spoken_of |= named(default or "")
            value = self.given.get(name, filled_in(default, self.values) if default is not None else None)
            if value is not None:
                self.values[name] = value

    def _from(self, found: Instruction) -> None:
        parts = words(found.rest)
        flags = [word for word in parts if word.startswith("--")]
        written, *named_as = [word for word in parts if not word.startswith("--")] or [""]
        self.spoken_of |= named(" ".join(flags))
        name = filled_in(written, self.values) or ""
        if name.lower() not in self.stages and name.lower() != "scratch":
            self._use(written, name)
        self.begun = True
        self.stages.update(word.lower() for word in named_as[1:2])

    def _use(self, written: str, name: str) -> None:
        whole = _WHOLE.fullmatch(written.strip("\"'"))
        argument = (whole[1] or whole[2]) if whole else ""
        if argument not in self.arguments:
            argument = ""
        self.spoken_of |= named(written) - {argument}
        self.uses.append(_Use(written, name, argument))

    def _other(self, source: str) -> None:
        """Of `COPY --from` and the like, which fill no variable in."""
        a_stage = source.lower() in self.stages or (source.isdecimal() and len(source) < 6)
        if source and not a_stage and source.lower() not in ("scratch", "context"):
            self.uses.append(_Use(source, "" if "$" in source else source, ""))

    def images(self) -> Iterator[FromImage]:
        by_name: dict[str, list[_Use]] = {}
        for use in self.uses:
            by_name.setdefault(use.name or use.written, []).append(use)
        for own in by_name.values():
            arguments = {use.argument for use in own}
            pinned = arguments if "" not in arguments and not arguments & self.spoken_of else set[str]()
            yield FromImage(_name(own[0].name), printable(own[0].written)[:300], tuple(sorted(pinned)))


def _sources(found: Instruction) -> list[str]:
    """What an instruction takes from: `--from=…`, `--mount=…,from=…`."""
    flags = []
    for word in words(found.rest):
        if not word.startswith("--"):
            break
        flags.append(word)
    mounts = (mounted[1].split(",") for word in flags if (mounted := _MOUNTED.fullmatch(word)))
    parts = [*(word.removeprefix("--") for word in flags), *(part for parts in mounts for part in parts)]
    return [part.removeprefix("from=").strip("\"'") for part in parts if part.startswith("from=")]


def _name(name: str) -> str:
    """As it is when an image can be called so; empty: only the builder knows what it means."""
    try:
        image_reference(name)
    except ValueError:
        return ""
    return name
