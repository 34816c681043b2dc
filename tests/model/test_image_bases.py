"""What a plan says of a build's bases, how the command is held to them, and what is said once it is built."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.bases import (
    FromImage,
    ResolvedImage,
    UsedCheck,
    Way,
    familiar,
    held,
    is_digest,
    labels,
    registry_digest,
    used_base,
)
from sparkconsole.model.image.build import BuildSpec, build_argv
from sparkconsole.model.image.history import built_with

NAME = "nvidia/cuda:13.1.0"
ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")
ARGUMENT = FromImage(NAME, "${CUDA_BASE}", ("CUDA_BASE",))
WRITTEN = FromImage(NAME, NAME)
LOCAL_ID = f"sha256:{'a' * 64}"


def way(seen: ResolvedImage, *, contexts: bool = False, local_digests: bool = True) -> Way:
    return held(seen, contexts=contexts, local_digests=local_digests).way


@pytest.mark.parametrize(
    ("seen", "contexts", "local_digests", "expected"),
    [
        (ResolvedImage(ARGUMENT, ONE), False, True, Way.ARGUMENT),
        (ResolvedImage(ARGUMENT, ONE), True, False, Way.ARGUMENT),
        (ResolvedImage(WRITTEN, ONE), False, True, Way.COMPARED),
        (ResolvedImage(WRITTEN, ONE), True, True, Way.CONTEXT),
        (ResolvedImage(ARGUMENT, ONE, LOCAL_ID), False, True, Way.ARGUMENT),
        (ResolvedImage(WRITTEN, ONE, LOCAL_ID), True, True, Way.CONTEXT),
        (ResolvedImage(ARGUMENT, ONE, LOCAL_ID), True, False, Way.COMPARED),
        (ResolvedImage(ARGUMENT, "", LOCAL_ID), True, True, Way.COMPARED),
        (ResolvedImage(ARGUMENT, why="offline"), True, True, Way.COMPARED),
        (ResolvedImage(FromImage(f"x@{ONE}", f"x@{ONE}"), ONE), True, True, Way.NAMED),
    ],
)
def test_a_build_is_held_to_what_was_seen_in_the_surest_way(
    seen: ResolvedImage, contexts: bool, local_digests: bool, expected: Way
) -> None:
    assert way(seen, contexts=contexts, local_digests=local_digests) is expected


def command(*seen: ResolvedImage, records: bool = False, **words: object) -> tuple[str, ...]:
    spec = BuildSpec.model_validate(words)
    return build_argv(spec, now_epoch=1, bases=seen, records_bases=records)


def test_a_base_that_an_argument_names_is_built_by_its_digest() -> None:
    seen = ResolvedImage(ARGUMENT, ONE, way=Way.ARGUMENT)
    argv = command(seen)
    assert argv[argv.index(f"CUDA_BASE={NAME}@{ONE}") - 1] == "--build-arg"
    assert argv[argv.index(f"org.sparkconsole.base={NAME}@{ONE}") - 1] == "--label"
    given = command(seen, build_args=(("A", "1"), ("CUDA_BASE", NAME), ("B", "2")))
    assert [word for word in given if word[:2] in ("A=", "B=", "CU")] == [
        "A=1", f"CUDA_BASE={NAME}@{ONE}", "B=2",
    ]  # fmt: skip


def test_a_name_that_is_written_out_stays_and_a_context_stands_for_it() -> None:
    argv = command(ResolvedImage(WRITTEN, ONE, way=Way.CONTEXT))
    assert argv[argv.index("--build-context") + 1] == f"{NAME}=docker-image://{NAME}@{ONE}"
    assert "--build-context" not in command(ResolvedImage(WRITTEN, ONE))


def test_labels_say_no_more_than_is_sure_before_a_build() -> None:
    seen = (
        ResolvedImage(ARGUMENT, ONE, way=Way.ARGUMENT),
        ResolvedImage(WRITTEN, ONE),
        ResolvedImage(WRITTEN, "", LOCAL_ID),
        ResolvedImage(WRITTEN, why="offline"),
        ResolvedImage(FromImage("", "x:$Y"), why="only the builder knows its name"),
    )
    assert labels(seen) == {
        "org.sparkconsole.base": f"{NAME}@{ONE}",
        "org.sparkconsole.base.2": f"{NAME}, {ONE} before the build",
        "org.sparkconsole.base.3": f"{NAME}, image {LOCAL_ID} before the build",
        "org.sparkconsole.base.4": f"{NAME}, digest not known",
        "org.sparkconsole.base.5": "x:$Y, digest not known",
    }
    recorded = next(word for word in command(*seen, records=True) if word.startswith("BASE_IMAGES="))
    assert recorded.removeprefix("BASE_IMAGES=").split("; ") == list(labels(seen).values())
    assert not any("BASE_IMAGES" in word for word in (*command(*seen), *command(records=True)))


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (
            ResolvedImage(ARGUMENT, ONE, way=Way.ARGUMENT),
            f"base {NAME} is {ONE}, read on spark-01 from its registry",
        ),
        (
            ResolvedImage(WRITTEN, ONE),
            f"base {NAME} is {ONE}, read on spark-01 from its registry; "
            "built from the tag, and compared then",
        ),
        (
            ResolvedImage(ARGUMENT, ONE, LOCAL_ID, way=Way.ARGUMENT),
            f"base {NAME} is {ONE}, local on spark-01",
        ),
        (ResolvedImage(ARGUMENT, "", LOCAL_ID), f"base {NAME} is local on spark-01: image {LOCAL_ID}"),
        (ResolvedImage(ARGUMENT, ONE, LOCAL_ID), f"base {NAME} is local on spark-01: image {LOCAL_ID}"),
        (
            ResolvedImage(ARGUMENT, why="no such host"),
            f"base {NAME}: its digest could not be read: no such host; built from the tag",
        ),
        (
            ResolvedImage(FromImage(f"x@{ONE}", ""), ONE, way=Way.NAMED),
            f"base x@{ONE} is named by its digest",
        ),
    ],
)
def test_the_plan_says_what_it_is_and_where_that_was_read(seen: ResolvedImage, sentence: str) -> None:
    assert seen.sentence("spark-01") == sentence


LOOSE = {"name": NAME, "digest": ONE, "way": "compared"}
HERE = ImageIdentity(NAME, LOCAL_ID, "linux/arm64", (), "c", digests=(f"nvidia/cuda@{ONE}",))


@pytest.mark.parametrize(
    ("kept", "in_log", "now", "check", "used"),
    [
        ({**LOOSE, "way": "argument"}, {}, None, UsedCheck.EQUAL, ONE),
        (LOOSE, {f"docker.io/{NAME}": ONE}, None, UsedCheck.EQUAL, ONE),
        (LOOSE, {f"docker.io/{NAME}": OTHER}, HERE, UsedCheck.DIFFERENT, OTHER),
        (LOOSE, {"docker.io/nvidia/cuda:other": ONE}, None, UsedCheck.UNKNOWN, ""),
        (LOOSE, {}, HERE, UsedCheck.EQUAL, ONE),
        (LOOSE, {}, replace(HERE, digests=(f"x/cuda@{ONE}", "nvidia/cuda@x")), UsedCheck.UNKNOWN, ""),
        ({**LOOSE, "digest": ""}, {NAME: ONE}, None, UsedCheck.UNKNOWN, ONE),
        ({**LOOSE, "image_id": LOCAL_ID}, {}, HERE, UsedCheck.EQUAL, LOCAL_ID),
        ({**LOOSE, "image_id": OTHER}, {}, HERE, UsedCheck.DIFFERENT, LOCAL_ID),
        ({**LOOSE, "image_id": OTHER}, {}, None, UsedCheck.UNKNOWN, ""),
        ({**LOOSE, "image_id": LOCAL_ID}, {NAME: ONE}, HERE, UsedCheck.EQUAL, ONE),
        ({**LOOSE, "image_id": LOCAL_ID}, {NAME: OTHER}, HERE, UsedCheck.DIFFERENT, OTHER),
        ({**LOOSE, "digest": "", "image_id": LOCAL_ID}, {NAME: OTHER}, HERE, UsedCheck.DIFFERENT, OTHER),
        ({}, {}, None, UsedCheck.UNKNOWN, ""),
    ],
)
def test_what_was_used_is_compared_with_what_was_shown(
    kept: dict[str, str], in_log: dict[str, str], now: ImageIdentity | None, check: UsedCheck, used: str
) -> None:
    found = used_base(kept, in_log, now)
    assert (found.check, found.used) == (check, used)
    assert found.as_data()["check"] == check
    assert used in found.sentence()


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("docker.io/library/ubuntu:24.04", "ubuntu:24.04"),
        ("ubuntu:latest", "ubuntu"),
        (f"127.0.0.1:5000/base@{ONE}", "127.0.0.1:5000/base"),
        ("nvcr.io/nvidia/vllm:25.09", "nvcr.io/nvidia/vllm:25.09"),
    ],
)
def test_the_same_image_under_docker_s_longer_name(name: str, same: str) -> None:
    assert familiar(name) == same


def test_the_digest_of_a_registry_is_that_of_the_same_name() -> None:
    digests = (f"other@{OTHER}", f"docker.io/library/ubuntu@{ONE}", "ubuntu@sha256:short")
    assert registry_digest(digests, "ubuntu:24.04") == ONE
    assert registry_digest((f"127.0.0.1:5000/base@{ONE}",), "127.0.0.1:5000/base:1") == ONE
    assert registry_digest(digests, "127.0.0.1:5000/ubuntu") == ""


@pytest.mark.parametrize("text", ["", "sha256:", ONE[:-1], ONE + "0", ONE.upper(), f"{ONE}\n", f"x{ONE}"])
def test_only_a_whole_digest_is_one(text: str) -> None:
    assert is_digest(ONE)
    assert not is_digest(text)


def test_a_list_of_images_shows_twelve_digits() -> None:
    image = ImageIdentity("x", "i", "p", (), "c", labels={"org.sparkconsole.base": f"{NAME}@{ONE}"})
    assert built_with(image) == f"base {NAME}@{ONE[:19]}"
