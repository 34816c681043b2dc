"""Names of images as Docker reads them: registry, path, tag, digest (github.com/distribution/reference)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_WORD}(?:\.{_WORD})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One image, by its parts; what was not said is empty."""

    registry: str
    """`host`, `host:port`; empty: Docker's own, or an image that was built here."""
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def comes_from_a_registry(self) -> bool:
        """By its registry, its owner or its digest: nobody builds it under that name by mistake."""
        return bool(self.registry or self.digest or "/" in self.path)


def image_reference(text: str) -> ImageReference:
    """The parts of a name; ValueError with Docker's reason when it is none."""
    if re.fullmatch(r"[a-f0-9]{64}", text):
        raise ValueError("an image's name cannot be 64 hexadecimal digits: that is an id")
    named, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(f"{text[:200]!r} has no digest behind its @: it looks like sha256: and 64 digits")
    registry, path = _registry(named)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"{tag[:200]!r} cannot be a tag: letters, digits, '_', '.' and '-', at most 128")
    if path.lower() != path:
        raise ValueError(f"an image's name must be lower-case: {path[:200]!r} is not")
    if not _PATH.fullmatch(path) or (registry and not _DOMAIN.fullmatch(registry)):
        raise ValueError(f"{text[:200]!r} is no image's name: [REGISTRY/]NAME[:TAG][@DIGEST]")
    if len(registry) + len(path) > _LONGEST_NAME:
        raise ValueError(f"an image's name has at most {_LONGEST_NAME} characters")
    return ImageReference(registry, path, tag, digest)


def _registry(named: str) -> tuple[str, str]:
    """The first part is a registry when it has a dot, a port or a capital letter, or is localhost."""
    first, slash, rest = named.partition("/")
    is_one = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    return (first, rest) if is_one else ("", named)


def image_name(value: str) -> str:
    """`value` when an image can be called so; ValueError with Docker's reason otherwise."""
    image_reference(value)
    return value


def image_tag(value: str) -> str:
    """`value` when an image can be built or kept under it; ValueError otherwise: nobody gives a digest."""
    if image_reference(value).digest:
        raise ValueError(f"{value[:200]!r} names an image by its digest: it is pulled, not built or copied")
    return value


def how_to_get(tag: str, nodes: Sequence[str], *, others_have_it: bool) -> str:
    """The word that brings an image to the nodes that lack it."""
    reference = image_reference(tag)
    if others_have_it and not reference.digest:
        return f"sparkconsole image copy {tag}"
    if reference.comes_from_a_registry:
        where = " ".join(f"--node {node}" for node in nodes)
        return f"sparkconsole node exec {where} -- docker pull {tag}"
    return f"sparkconsole image build -t {tag}"
