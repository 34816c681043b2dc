"""What an image says of its own build: the labels that this console's recipes give it."""

from __future__ import annotations

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.build import COMMIT_LABEL
from sparkconsole.model.text.printable import printable

VERSION_LABEL = "org.sparkconsole.vllm.version"
REF_LABEL = "org.sparkconsole.vllm.ref"
_OWN = "org.sparkconsole."
_NOT_SAID = (COMMIT_LABEL, VERSION_LABEL, REF_LABEL)


def built_from(image: ImageIdentity) -> str:
    """`main@a41c0de`, a version, or what of both the labels say."""
    labels = image.labels
    commit, ref = labels.get(COMMIT_LABEL, "")[:7], labels.get(REF_LABEL, "")
    if commit and ref.startswith(commit):
        ref = ""
    text = "@".join(filter(None, (ref, commit))) if commit else labels.get(VERSION_LABEL, "") or ref
    return printable(text)


def built_with(image: ImageIdentity) -> str:
    """The other labels of ours: `recipe vllm-node, ray 2.60.0`."""
    own = {k: v for k, v in sorted(image.labels.items()) if k.startswith(_OWN) and v and k not in _NOT_SAID}
    return printable(", ".join(f"{k.removeprefix(_OWN)} {_short(v)}" for k, v in own.items()))


def _short(value: str) -> str:
    commit = len(value) == 40 and all(c in "0123456789abcdef" for c in value)
    return value[:7] if commit else value
