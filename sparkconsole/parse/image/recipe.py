"""What is known of a build before it begins: its Dockerfile's labels, the commit that a name stands for."""

from __future__ import annotations

import shlex

from sparkconsole.parse.image.dockerfile import instructions


def dockerfile_labels(text: str) -> dict[str, str]:
    """The labels of its last stage, as they are written: a `$` in one is filled in by the build."""
    found: dict[str, str] = {}
    for instruction in instructions(text):
        if instruction.word == "FROM":
            found = {}
        if instruction.word == "LABEL":
            found |= _pairs(instruction.rest)
    return found


def _pairs(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def commit_named(text: str, ref: str) -> tuple[str, str]:
    """The commit of `ref` and whether it is a tag or a branch; ("", "") when no line has exactly that name.

    An annotated tag's own object is no commit: the line ending in `^{}` says the commit.
    """
    lines = (line.split("\t") for line in text.splitlines())
    named = {parts[1]: parts[0] for parts in lines if len(parts) == 2}
    tag, branch = f"refs/tags/{ref}", f"refs/heads/{ref}"
    kinds = {f"{tag}^{{}}": "tag", tag: "tag", branch: "branch", ref: "branch"}
    return next(((named[name], kind) for name, kind in kinds.items() if name in named), ("", ""))
