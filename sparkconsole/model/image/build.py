"""What is built: the exact `docker build` command, and whether what came out is what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sparkconsole.errors import WrongUsage
from sparkconsole.model.image.bases import RECORDED, ResolvedImage, exact_arguments, exact_words, labels
from sparkconsole.model.image_reference import image_tag
from sparkconsole.model.text.redact import redact
from sparkconsole.model.text.units import moment

RECIPES = ("vllm-node", "vllm-node-wheels", "vllm-node-cpu")
"""The recipes that are shipped; anything else is a folder with a Dockerfile."""

LEAST_FREE_GB = {"vllm-node": 60.0, "vllm-node-wheels": 40.0, "vllm-node-cpu": 8.0}
"""Free space a first build needs: image (18 to 35 GB on GB10), build stages and caches."""
LEAST_FREE_OTHER_GB = 5.0

SOURCE_RECIPE = "vllm-node"
"""The recipe that compiles vLLM from a git reference."""
VLLM_REPOSITORY = "https://github.com/vllm-project/vllm.git"
COMMIT_LABEL = "org.sparkconsole.vllm.commit"
COMMIT_FILE = "/etc/sparkconsole/vllm.commit"
CONTEXT = "context"
"""Folder of the build's files, inside the job's folder on the node, where the build runs."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


def _word(value: str) -> str:
    if not value or value.startswith("-") or any(c.isspace() for c in value):
        raise ValueError(f"{value!r} is no git reference: a branch, a tag or a commit")
    return value


class BuildSpec(BaseModel):
    """What a person asked to be built; defaults are the seed's."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    tag: Annotated[str, AfterValidator(image_tag)] = "vllm-node"
    recipe: str = "vllm-node"
    triton_ref: Annotated[str, AfterValidator(_word)] = "v3.5.1"
    vllm_ref: Annotated[str, AfterValidator(_word)] = "main"
    build_jobs: int = Field(16, ge=1)
    rebuild_deps: bool = False
    rebuild_vllm: bool = False
    build_args: tuple[tuple[str, str], ...] = ()
    network: str = ""
    no_cache: bool = False


class BuilderKind(StrEnum):
    """Which builder `docker build` on a node uses."""

    BUILDX = "buildx"
    BUILT_IN = "built-in BuildKit"
    """Clients before 23."""
    CLASSIC = "classic"
    """No BuildKit at all: cache mounts are not understood."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A node's `docker` and the builder behind it."""

    docker: str = "docker"
    kind: BuilderKind = BuilderKind.BUILDX
    contexts: bool = False
    """It takes `--build-context`."""

    def asks_registry_first(self, *, containerd_store: bool) -> bool:
        """Before it takes an image that is there: clients before 23 with an engine that keeps images so."""
        return self.kind is BuilderKind.BUILT_IN and containerd_store


BUILDX = Builder()


def key_values(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`KEY=VALUE` words as pairs; WrongUsage for anything else."""
    pairs = []
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            hint = "KEY has letters, digits and _: --build-arg BASE_IMAGE=my-base:1"
            raise WrongUsage("a build argument is not KEY=VALUE", hint=hint)  # it may hold a secret
        if redact(word) != word:
            cause = f"the value of {key} looks like a secret, and build arguments stay in the image's history"
            hint = "use an index that the node reaches without a login, or another base"
            raise WrongUsage(cause, hint=hint)
        pairs.append((key, value))
    return tuple(pairs)


def host_list(words: Iterable[str]) -> tuple[str, ...]:
    """Hosts as the seed takes them: spaces or commas between, blanks dropped; WrongUsage for doubles."""
    hosts = [host for word in words for host in re.split(r"[\s,]+", word) if host]
    for host in hosts:
        if hosts.count(host) > 1:
            raise WrongUsage(f"host {host} is named twice", hint="name each host once")
        if host.startswith("-"):
            raise WrongUsage(f"{host!r} is no host", hint="hosts are names or addresses")
    return tuple(hosts)


def dated_tag(tag: str, now: datetime | str) -> str:
    """The second name of a build, which the next build does not take away: `TAG:YYYYmmdd-HHMM`."""
    stamp = now if isinstance(now, str) else f"{now:%Y%m%d-%H%M}"
    return f"{tag}-{stamp}" if full_name(tag) == tag else f"{tag}:{stamp}"


def full_name(tag: str) -> str:
    """The tag as engines list it: with its version."""
    return tag if ":" in tag.rsplit("/", 1)[-1] else f"{tag}:latest"


def slug(text: str) -> str:
    """`text` as a part of a job's id."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-") or "image"


def is_commit(ref: str) -> bool:
    """The reference is a whole commit, which no later push can change."""
    return _COMMIT.fullmatch(ref) is not None


def build_argv(
    spec: BuildSpec,
    *,
    now_epoch: int | str,
    dated: str = "",
    builder: Builder = BUILDX,
    bases: Sequence[ResolvedImage] = (),
    records_bases: bool = False,
) -> tuple[str, ...]:
    """The `docker build` command: the seed's arguments in the seed's order, the dated tag, plain progress.

    Asking for a rebuild sets the cache buster to `now_epoch` and changes nothing else. `bases` are held to
    what was seen of them; `records_bases`: the Dockerfile takes them as an argument.
    """
    classic = builder.kind is BuilderKind.CLASSIC
    busters = [("CACHEBUST_DEPS", spec.rebuild_deps), ("CACHEBUST_VLLM", spec.rebuild_vllm)]
    build_args = [
        *((key, str(now_epoch)) for key, wanted in busters if wanted),
        ("TRITON_REF", spec.triton_ref),
        ("VLLM_REF", spec.vllm_ref),
        ("BUILD_JOBS", str(spec.build_jobs)),
        *(dict(spec.build_args) | exact_arguments(bases)).items(),
        *([(RECORDED, "; ".join(labels(bases).values()))] if records_bases and bases else ()),
    ]
    return (
        *("env", f"DOCKER_BUILDKIT={0 if classic else 1}"),
        *(builder.docker, "build", "-t", spec.tag),
        *(("-t", dated) if dated else ()),
        *(word for key, value in build_args for word in ("--build-arg", f"{key}={value}")),
        *(("--network", spec.network) if spec.network else ()),
        *(("--no-cache",) if spec.no_cache else ()),
        *exact_words(bases),
        *(() if classic else ("--progress=plain",)),
        CONTEXT,
    )


class CommitCheck(StrEnum):
    """Whether the built vLLM is the one that was asked for."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


def compare_commit(wanted: str, built: str) -> CommitCheck:
    """Compares two commits, either of which may be abbreviated or (empty) not known."""
    if len(wanted) < 7 or len(built) < 7:
        return CommitCheck.UNKNOWN
    same = wanted.startswith(built) or built.startswith(wanted)
    return CommitCheck.EQUAL if same else CommitCheck.DIFFERENT


def age(created: str, now: datetime) -> str:
    """How old an image is, for people."""
    if (made := moment(created)) is None:
        return "age unknown"
    days = (now - made).total_seconds() / 86400
    if days > 365 * 20:  # engines write 0001 or 1970 for images without a date
        return "no date"
    return f"{days:.0f} d" if days >= 1 else f"{max(0, days * 24):.0f} h"
