"""Names of images are Docker's, and a hint never suggests what the next word would refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sparkconsole.model.image_reference import how_to_get, image_reference, image_tag
from sparkconsole.model.launch.spec import LaunchSpec

SHA = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest"),
    [
        ("vllm-node", "", "vllm-node", "", ""),
        ("vllm-node:20261129-1200", "", "vllm-node", "20261129-1200", ""),
        (f"vllm-node@{SHA}", "", "vllm-node", "", SHA),
        (f"a/b__c/d--e.f:V1@{SHA}", "", "a/b__c/d--e.f", "V1", SHA),
        ("MyReg.local/x:1", "MyReg.local", "x", "1", ""),
        ("MyReg/x", "MyReg", "x", "", ""),
        ("localhost/x", "localhost", "x", "", ""),
        ("reg:5000/a/b/c:t", "reg:5000", "a/b/c", "t", ""),
        ("[fe80::1]:5000/a:t", "[fe80::1]:5000", "a", "t", ""),
        ("nvcr.io/nvidia/vllm:25.10-py3", "nvcr.io", "nvidia/vllm", "25.10-py3", ""),
        ("vllm/vllm-openai:latest", "", "vllm/vllm-openai", "latest", ""),
    ],
)
def test_a_name_has_its_parts(text: str, registry: str, path: str, tag: str, digest: str) -> None:
    found = image_reference(text)
    assert (found.registry, found.path, found.tag, found.digest) == (registry, path, tag, digest)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Vllm", "must be lower-case"),
        ("reg.local/Team/x", "must be lower-case"),
        ("", "no image's name"),
        ("a b", "no image's name"),
        ("-x", "no image's name"),
        ("x:", "cannot be a tag"),
        ("x:-1", "cannot be a tag"),
        ("x:" + "t" * 129, "cannot be a tag"),
        ("x@sha256:12", "no digest"),
        ("x@", "no digest"),
        ("a//b", "no image's name"),
        ("a..b", "no image's name"),
        ("reg.local:port/x", "no image's name"),
        ("ab" * 32, "64 hexadecimal digits"),
        ("a/" * 130 + "a", "at most 255"),
        ("x\n", "no image's name"),
        ("x:1\n", "cannot be a tag"),
    ],
)
def test_what_is_no_name_is_refused_with_dockers_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        image_reference(text)
    with pytest.raises(ValidationError, match=why):
        LaunchSpec(image=text)


@pytest.mark.parametrize(
    ("tag", "others", "hint"),
    [
        ("vllm-node", False, "sparkconsole image build -t vllm-node"),
        ("vllm-node", True, "sparkconsole image copy vllm-node"),
        (f"x@{SHA}", False, f"sparkconsole node exec --node a --node b -- docker pull x@{SHA}"),
        (f"x@{SHA}", True, f"sparkconsole node exec --node a --node b -- docker pull x@{SHA}"),
        ("MyReg.local/x:1", False, "sparkconsole node exec --node a --node b -- docker pull MyReg.local/x:1"),
        ("MyReg.local/x:1", True, "sparkconsole image copy MyReg.local/x:1"),
        (
            "vllm/vllm-openai",
            False,
            "sparkconsole node exec --node a --node b -- docker pull vllm/vllm-openai",
        ),
    ],
)
def test_a_hint_is_a_word_that_takes_the_name(tag: str, others: bool, hint: str) -> None:
    assert how_to_get(tag, ("a", "b"), others_have_it=others) == hint
    if " image " in hint:
        assert image_tag(tag) == tag


def test_a_digest_is_not_built() -> None:
    with pytest.raises(ValueError, match="it is pulled, not built"):
        image_tag(f"x@{SHA}")
