"""The images that a build begins with: what each is on the node that builds, and how it is held to that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image_reference import image_reference

BASE_LABEL = "org.sparkconsole.base"
"""On the image; of a second base `….2`, and so on."""
RECORDED = "BASE_IMAGES"
"""The build argument that a recipe may take to record its bases in the image."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """A digest as registries give them: nothing else goes into a command, a label or the journal."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class FromImage:
    """One image as a Dockerfile asks for it."""

    name: str
    """As the builder looks for it; empty: what it will be, only the builder knows."""
    written: str
    """As it stands in the Dockerfile."""
    arguments: tuple[str, ...] = ()
    """Build arguments that are all of the name and nothing else; none: it is written out."""

    @property
    def digest(self) -> str:
        """The one that the Dockerfile itself names."""
        return image_reference(self.name).digest if self.name else ""


class Way(StrEnum):
    """How a build is held to the base that was read."""

    NAMED = "named"
    """The Dockerfile names its digest."""
    ARGUMENT = "argument"
    """By `--build-arg`."""
    CONTEXT = "context"
    """By `--build-context`, which newer builders have."""
    COMPARED = "compared"
    """Not at all: it is compared once the image is built."""


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What a base was when it was looked at, on the node."""

    base: FromImage
    digest: str = ""
    """Its registry's; empty: not known."""
    image_id: str = ""
    """Of the image of that name which is on the node; empty: none is, or it was not asked for."""
    why: str = ""
    """Why its digest is not known."""
    way: Way = Way.COMPARED

    @property
    def name(self) -> str:
        """As the builder looks for it, or as it is written where only the builder knows more."""
        return self.base.name or self.base.written

    @property
    def exact(self) -> str:
        """`NAME@sha256:…`, which only ever means one content; empty while the digest is not known."""
        return f"{self.base.name.partition('@')[0]}@{self.digest}" if self.digest else ""

    @property
    def label(self) -> str:
        """What the built image says of it: only what is sure when the build begins."""
        if self.way is not Way.COMPARED:
            return self.exact
        known = f"image {self.image_id}" if self.image_id else self.digest
        return f"{self.name}, {f'{known} before the build' if known else 'digest not known'}"

    def sentence(self, node: str) -> str:
        """What the plan says of it."""
        if self.way is Way.NAMED:
            return f"base {self.name} is named by its digest"
        if self.image_id and self.way is Way.COMPARED:
            return f"base {self.name} is local on {node}: image {self.image_id}"
        if not self.digest:
            return f"base {self.name}: its digest could not be read: {self.why}; built from the tag"
        where = f"local on {node}" if self.image_id else f"read on {node} from its registry"
        loose = "; built from the tag, and compared then" if self.way is Way.COMPARED else ""
        return f"base {self.name} is {self.digest}, {where}{loose}"

    def as_data(self) -> dict[str, Any]:
        """As JSON gives it and the job keeps it."""
        return {
            "name": self.name,
            "digest": self.digest,
            "image_id": self.image_id,
            "why": self.why,
            "way": str(self.way),
        }


def held(seen: ResolvedImage, *, contexts: bool, local_digests: bool) -> ResolvedImage:
    """With the surest way that the builder has.

    `contexts`: it takes `--build-context`; `local_digests`: an image that is there is found by its registry's
    digest too, which containerd's store does not do.
    """
    way = Way.COMPARED
    if seen.base.digest:
        way = Way.NAMED
    elif seen.digest and (local_digests or not seen.image_id):
        way = Way.ARGUMENT if seen.base.arguments else Way.CONTEXT if contexts else Way.COMPARED
    return replace(seen, way=way)


def exact_arguments(seen: Iterable[ResolvedImage]) -> dict[str, str]:
    """The build arguments that hold the build to them."""
    return {name: s.exact for s in seen if s.way is Way.ARGUMENT for name in s.base.arguments}


def exact_words(seen: Sequence[ResolvedImage]) -> tuple[str, ...]:
    """The other words of the command: contexts that stand for names, and the labels."""
    contexts = (f"{s.base.name}=docker-image://{s.exact}" for s in seen if s.way is Way.CONTEXT)
    return (
        *(word for context in contexts for word in ("--build-context", context)),
        *(word for key, text in labels(seen).items() for word in ("--label", f"{key}={text}")),
    )


def labels(seen: Sequence[ResolvedImage]) -> dict[str, str]:
    """What the built image is labelled with."""
    keys = (BASE_LABEL if at == 1 else f"{BASE_LABEL}.{at}" for at in range(1, len(seen) + 1))
    return {key: base.label for key, base in zip(keys, seen, strict=True)}


class UsedCheck(StrEnum):
    """Whether an image was built from the base that was shown."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class UsedImage:
    """What is known of a base once its build has ended."""

    name: str
    shown: str
    """The digest or image id that the plan showed; empty: none."""
    used: str
    """What the builder says that it used, or what the name means now; empty: not known."""
    held: bool

    @property
    def check(self) -> UsedCheck:
        """Digests and ids of the same kind are compared; what the command named is what was used."""
        if self.held:
            return UsedCheck.EQUAL
        if not self.shown or not self.used:
            return UsedCheck.UNKNOWN
        return UsedCheck.EQUAL if self.shown == self.used else UsedCheck.DIFFERENT

    def sentence(self) -> str:
        """For people."""
        match self.check:
            case UsedCheck.EQUAL:
                return f"{self.name} is {self.shown}, as the plan shows"
            case UsedCheck.DIFFERENT:
                return f"{self.name} was {self.used} when it was built, not {self.shown} as the plan shows"
        known = f"built from {self.used}" if self.used else "what it was built from is not known"
        return f"{self.name}: {known}{f'; the plan shows {self.shown}' if self.shown else ''}"

    def as_data(self) -> dict[str, Any]:
        """As JSON gives it."""
        return {"name": self.name, "shown": self.shown, "used": self.used, "check": str(self.check)}


def used_base(kept: Mapping[str, Any], in_log: Mapping[str, str], now: ImageIdentity | None) -> UsedImage:
    """A base as its job kept it, after the build.

    `in_log`: digests by name, as the builder printed them; `now`: the image of that name on the node.
    """
    name, digest, image_id = (str(kept.get(key, "")) for key in ("name", "digest", "image_id"))
    if kept.get("way") in (Way.NAMED, Way.ARGUMENT, Way.CONTEXT):
        return UsedImage(name, digest, digest, held=True)
    printed = {familiar(n): d for n, d in in_log.items()}.get(familiar(name), "")
    if image_id and not printed:
        return UsedImage(name, image_id, now.id if now else "", held=False)
    used = printed or registry_digest(now.digests if now else (), name)
    return UsedImage(name, digest or image_id, used, held=False)


def registry_digest(digests: Iterable[str], name: str) -> str:
    """Of an image's `NAME@sha256:…` words the digest under that name; empty: it has none."""
    parts = (word.rpartition("@") for word in digests)
    return next((d for of, _, d in parts if is_digest(d) and familiar(of) == _repository(name)), "")


def _repository(name: str) -> str:
    """The name without its tag."""
    first, slash, last = name.partition("@")[0].rpartition("/")
    return familiar(f"{first}{slash}{last.partition(':')[0]}")


def familiar(name: str) -> str:
    """The name without what Docker adds by itself: its own registry, `library/`, `:latest`, a digest."""
    bare = name.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    return bare.removesuffix(":latest")
