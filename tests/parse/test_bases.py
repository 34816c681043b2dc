"""A Dockerfile is read as its builder reads it: which images it is made from, by which names."""

from __future__ import annotations

import random

import pytest

from sparkconsole.model.image.build import RECIPES
from sparkconsole.parse.image.bases import bases, declared
from sparkconsole.parse.image.dockerfile import filled_in, instructions, takes_contexts
from sparkconsole.parse.image.recipe import dockerfile_labels
from tests.conftest import ROOT


def found(text: str, architecture: str = "aarch64", **given: str) -> list[tuple[str, tuple[str, ...]]]:
    """Names, and the arguments that hold them."""
    return [(base.name, base.arguments) for base in bases(text, given, architecture)]


def names(text: str, **given: str) -> list[str]:
    return [name for name, _ in found(text, **given)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_base_of_every_recipe_is_held_by_its_argument(recipe: str) -> None:
    text = (ROOT / "dockerfiles" / recipe / "Dockerfile").read_text()
    ((name, arguments),) = found(text)
    assert f"ARG {arguments[0]}={name}" in text
    assert found(text, **{arguments[0]: "mine:1"}) == [("mine:1", arguments)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM ubuntu:24.04", ["ubuntu:24.04"]),
        ("from\tubuntu AS x\nFROM x\nFROM X AS y\nFROM y", ["ubuntu"]),
        ("FROM scratch\nFROM SCRATCH", []),
        ("FROM later\nFROM ubuntu AS later", ["later", "ubuntu"]),
        ("FROM --platform=linux/amd64 a:1 AS b\nFROM --platform=$BUILDPLATFORM c", ["a:1", "c"]),
        ("# FROM no\n  # FROM no\nFROM a\n#FROM no", ["a"]),
        ("FROM \\\n  # a comment between\n\n  a:1 \\\n  AS b\nFROM b", ["a:1"]),
        ("FROM ubu\\\nntu", ["ubuntu"]),
        ("FROM a\nRUN echo 'b \\\n  && FROM c'\nFROM d", ["a", "d"]),
        ("FROM a\r\nRUN x \\\r\n FROM b\r\nFROM c\r\n", ["a", "c"]),
        ("\ufeffFROM a", ["a"]),
        ("# escape=`\nFROM a`\n:1\nRUN dir C:\\\nFROM b", ["a:1", "b"]),
        ("#syntax=docker/dockerfile:1\n# escape = `\nFROM a`\n:1", ["a:1"]),
        ("# a comment first\n# escape=`\nFROM a:\\\n1", ["a:1"]),
        ("FROM a\nRUN cat <<EOF >/f\nFROM no\nEOF\nFROM b", ["a", "b"]),
        ("FROM a\nRUN <<-'E' sh && <<\"F\" sh\n\tFROM no\n\tE\nFROM no\nF\nFROM b", ["a", "b"]),
        ("FROM a\nCOPY <<one 3<<two /to/\nFROM no\none\nFROM no\ntwo\nFROM b", ["a", "b"]),
        ("FROM a\nRUN echo '<<EOF' \"x <<EOF\" y<<EOF <<<EOF\nFROM b", ["a", "b"]),
        ("FROM a\nLABEL x=<<EOF\nENV y <<EOF\nFROM b", ["a", "b"]),
        ("FROM a\nRUN <<EOF\nFROM never ended", ["a"]),
        ('FROM "a:1"', ["a:1"]),
        ("FROM a@sha256:" + "0" * 64, ["a@sha256:" + "0" * 64]),
        ("FROM a\nCOPY --from=0 /x /y\nCOPY --chown=1 --from=b:2 /x /y\nADD --link /x /y", ["a", "b:2"]),
        ("FROM a AS one\nFROM c\nRUN --mount=type=bind,from=One,target=/x true", ["a", "c"]),
        ("FROM a\nRUN --mount=target=/x,from=b --mount=type=cache,target=/c x --mount=from=no", ["a", "b"]),
        ("FROM a\nFROM a\nCOPY --from=a /x /y", ["a"]),
        ("FROM \x1b[31mx\x00", [""]),
        ("", []),
        ("FROM", [""]),
    ],
)
def test_the_images_of_a_dockerfile(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG A=x\nFROM $A", "x"),
        ("ARG A=x\nFROM ${A}:${B:-1}", "x:1"),
        ("ARG A\nFROM ${A:-x}", "x"),
        ("ARG A=\nFROM ${A-x}y", "y"),
        ("ARG A=\nFROM ${A:-x}y", "xy"),
        ("ARG A=1\nFROM x${A:+:$A}", "x:1"),
        ("ARG A=1 B=x:$A\nFROM $B", "x:1"),
        ("ARG A='x' \\\n  B=\"$A:1\"\nFROM ${C:-${B}}", "x:1"),
        ("ARG A=x\nFROM \\$A", ""),
        ("ARG A=x\nFROM '$A'", ""),
        ("ARG A=x-1\nFROM ${A%-*}", ""),
        ("FROM $UNKNOWN", ""),
        ("FROM ${A", ""),
        ("FROM x:${TARGETARCH}", "x:arm64"),
        ("FROM x AS for-arm64\nARG A=late\nFROM for-$TARGETARCH", "x"),
    ],
)
def test_arguments_are_filled_in_or_the_name_is_not_known(text: str, expected: str) -> None:
    assert names(text)[:1] == [expected]


def test_what_is_given_goes_before_what_is_written() -> None:
    text = "ARG A=x\nARG B=$A\nFROM $B"
    assert names(text, A="y") == ["y"]
    assert names(text, A="y", B="z") == ["z"]
    assert names("FROM ${A:-x}", A="y") == ["x"], "an argument that is not declared is not taken"


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("ARG A=x\nFROM $A", ("A",)),
        ('ARG A\nFROM "${A:-x}"', ("A",)),
        ("ARG A=x\nFROM ${A} AS b\nFROM b\nFROM $A", ("A",)),
        ("ARG A=x B=x\nFROM $A\nFROM $B", ("A", "B")),
        ("FROM x", ()),
        ("FROM ${A:-x}", ()),
        ("ARG A=x\nFROM $A\nFROM x", ()),
        ("ARG A=x\nFROM $A\nCOPY --from=x /a /b", ()),
        ("ARG A=x\nFROM x:$A", ()),
        ("ARG A=x\nFROM $A\nFROM y:$A", ()),
        ("ARG A=x\nARG B=$A-slim\nFROM $A", ()),
        ("ARG A=x\nFROM --platform=$A $A", ()),
        ("ARG A=x\nFROM $A\nARG A\nRUN test $A = x", ()),
    ],
)
def test_an_argument_holds_a_base_only_where_it_changes_nothing_else(
    text: str, arguments: tuple[str, ...]
) -> None:
    assert found(text)[0][1] == arguments


def test_an_argument_is_declared_wherever_it_stands() -> None:
    assert declared("ARG A=1 B\nFROM x\nARG C='d e'\nRUN <<E\nARG no\nE\n") == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("first", "takes"),
    [
        ("", True),
        ("# a comment\n# syntax=docker/dockerfile:1.2\n", True),
        ("# syntax=docker/dockerfile:1\n", True),
        ("#syntax=docker/dockerfile:1.14.0\n", True),
        ("# syntax=docker.io/docker/dockerfile:1.4-labs\n", True),
        ("# syntax=docker/dockerfile:1.3\n", False),
        ("# syntax=docker/dockerfile:experimental\n", False),
        ("# syntax=example.org/mine\n", False),
    ],
)
def test_whether_its_reader_takes_contexts(first: str, takes: bool) -> None:
    assert takes_contexts(f"{first}FROM x\n") is takes


def test_a_label_in_a_heredoc_is_none() -> None:
    text = "FROM a\nLABEL one=1 \\\n  # between\n  two='2 2'\nRUN <<E\nLABEL three=3\nE\n"
    assert dockerfile_labels(text) == {"one": "1", "two": "2 2"}


def test_whatever_is_written_is_read_without_a_complaint() -> None:
    chance = random.Random(14)
    pieces = ("FROM ", "ARG ", "COPY --from=", "RUN ", "\n", "\\\n", "<<E", "E\n", *"Ax1-=${}:\\\"'`\r\t #@/")
    for _ in range(3_000):
        text = "".join(chance.choices(pieces, k=chance.randrange(60)))
        assert len(bases(text, {"A": text}, text)) <= len(text)
        assert all(i.word == i.word.upper() for i in instructions(text))


def test_a_deep_or_a_long_word_is_given_up_or_read() -> None:
    assert filled_in("${A:-" * 100_000, {}) is None
    assert filled_in("${A:-" * 9 + "x" + "}" * 9, {}) is None
    assert filled_in("${A:-" * 8 + "x" + "}" * 8, {}) == "x"
    assert names("FROM a\n" + "RUN x \\\n" * 50_000 + "FROM b") == ["a"]
    assert names("FROM " + "a" * 1_000_000) == [""]
