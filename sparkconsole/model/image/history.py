"""An image's builds: what its labels say of its own, and which earlier one its name can go back to.

Every build keeps its date beside its name; the labels are those of this console's recipes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.image.build import COMMIT_LABEL, full_name, is_commit
from sparkconsole.model.text.printable import printable

VERSION_LABEL = "org.sparkconsole.vllm.version"
REF_LABEL = "org.sparkconsole.vllm.ref"
_OWN = "org.sparkconsole."
_WHOLE_DIGEST = re.compile("(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_APART = (COMMIT_LABEL, VERSION_LABEL, REF_LABEL)


def build_date(tag: str, other: str) -> str:
    """`20261124-0915` when `other` is a dated build of `tag` (`dated_tag` names them); else empty."""
    name, _, version = full_name(tag).rpartition(":")
    before = f"(?:{version}-)?" if version == "latest" else f"{re.escape(version)}-"
    found = re.fullmatch(rf"{re.escape(name)}:{before}(\d{{8}}-\d{{4}}|‹[^‹›]+›)", full_name(other))
    return found[1] if found else ""


def in_time(date: str) -> str:
    """A date as text that sorts by time: builds that are yet to be come last, in the order of their lines."""
    return re.sub(r"\d+", lambda number: number[0].zfill(8), date)


def builds(tag: str, present: Iterable[ImageIdentity]) -> tuple[ImageIdentity, ...]:
    """The dated builds of that name, newest first."""
    dated = [image for image in present if build_date(tag, image.tag)]
    return tuple(sorted(dated, key=lambda image: in_time(build_date(tag, image.tag)), reverse=True))


def under(tag: str, present: Iterable[ImageIdentity]) -> ImageIdentity | None:
    """The image of exactly that name."""
    return next((image for image in present if full_name(image.tag) == full_name(tag)), None)


def build_before(tag: str, present: Sequence[ImageIdentity]) -> ImageIdentity | None:
    """The newest build that is older than what the name means now, and is something else."""
    now, found = under(tag, present), builds(tag, present)
    twins = [in_time(build_date(tag, i.tag)) for i in found if now is not None and same_content(i, now)]
    others = [i for i in found if now is None or not same_content(i, now)]
    return next((i for i in others if not twins or in_time(build_date(tag, i.tag)) < min(twins)), None)


def undated(tag: str) -> tuple[str, str]:
    """The name and the date of a dated build; any other name as it is, without a date."""
    found = re.fullmatch(r"(.+?)(?:(:)|-)(\d{8}-\d{4})", tag)
    if found is None or (not found[2] and full_name(found[1]) != found[1]):
        return tag, ""
    return found[1], found[3]


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
    own = {k: v for k, v in sorted(image.labels.items()) if k.startswith(_OWN) and v and k not in _APART}
    short = {k: v[:7] if is_commit(v) else _WHOLE_DIGEST.sub(r"\1", v) for k, v in own.items()}
    return printable(", ".join(f"{k.removeprefix(_OWN)} {v}" for k, v in short.items()))
