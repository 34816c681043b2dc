"""`git ls-remote` lines, and the one commit that a name stands for."""

from __future__ import annotations


def commit_named(text: str, ref: str) -> tuple[str, str]:
    """The commit of `ref` and whether it is a tag or a branch; ("", "") when no line has exactly that name.

    An annotated tag's own object is no commit: the line ending in `^{}` says the commit.
    """
    lines = (line.split("\t") for line in text.splitlines())
    named = {parts[1]: parts[0] for parts in lines if len(parts) == 2}
    for name, kind in (
        (f"refs/tags/{ref}^{{}}", "tag"),
        (f"refs/tags/{ref}", "tag"),
        (f"refs/heads/{ref}", "branch"),
        (ref, "branch"),
    ):
        if name in named:
            return named[name], kind
    return "", ""
