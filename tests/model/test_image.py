"""The build command word for word, host lists, dated tags, and the ssh line of a copy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.model.cluster import Node
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev
from sparkconsole.model.image.build import (
    Builder,
    BuilderKind,
    BuildSpec,
    CommitCheck,
    build_argv,
    compare_commit,
    dated_tag,
    full_name,
    host_list,
    key_values,
)
from sparkconsole.model.image.layers_to_send import loading_needs, saving_needs
from sparkconsole.model.transfer.ends import (
    CopySite,
    Receiver,
    authorise_hint,
    known_hosts,
    ssh_argv,
    way_to,
)

NOW = datetime(2025, 12, 19, 14, 5, tzinfo=UTC)
EPOCH = 1766153100
ALWAYS = (
    *("--build-arg", "TRITON_REF=v3.5.1"),
    *("--build-arg", "VLLM_REF=main"),
    *("--build-arg", "BUILD_JOBS=16"),
)


def _argv(**words: object) -> tuple[str, ...]:
    return build_argv(BuildSpec.model_validate(words), now_epoch=EPOCH, dated="vllm-node:20251219-1405")


def test_the_default_build_is_the_seeds_command_with_a_dated_tag() -> None:
    assert _argv() == (
        *("env", "DOCKER_BUILDKIT=1", "docker", "build", "-t", "vllm-node", "-t", "vllm-node:20251219-1405"),
        *ALWAYS,
        *("--progress=plain", "context"),
    )


def test_every_flag_of_the_seed_in_the_seeds_order() -> None:
    words = {"tag": "mine:2", "triton_ref": "main", "vllm_ref": "v0.12.0", "build_jobs": 4}
    argv = _argv(**words, rebuild_deps=True, rebuild_vllm=True)
    assert argv[argv.index("-t") :] == (
        *("-t", "mine:2", "-t", "vllm-node:20251219-1405"),
        *("--build-arg", f"CACHEBUST_DEPS={EPOCH}"),
        *("--build-arg", f"CACHEBUST_VLLM={EPOCH}"),
        *("--build-arg", "TRITON_REF=main"),
        *("--build-arg", "VLLM_REF=v0.12.0"),
        *("--build-arg", "BUILD_JOBS=4"),
        *("--progress=plain", "context"),
    )


@pytest.mark.parametrize(("flag", "buster"), [("rebuild_deps", "DEPS"), ("rebuild_vllm", "VLLM")])
def test_a_rebuild_sets_its_cache_buster_and_changes_nothing_else(flag: str, buster: str) -> None:
    extra = ("--build-arg", f"CACHEBUST_{buster}={EPOCH}")
    argv = _argv(**{flag: True})
    at = argv.index(extra[1])
    assert argv[at - 1 : at + 1] == extra
    assert argv[: at - 1] + argv[at + 1 :] == _argv()


def test_extra_arguments_network_and_no_cache_come_after_the_seeds() -> None:
    argv = _argv(build_args=(("BASE_IMAGE", "a b:1"),), network="host", no_cache=True)
    assert argv[-7:] == (
        *("--build-arg", "BASE_IMAGE=a b:1", "--network", "host", "--no-cache"),
        *("--progress=plain", "context"),
    )


def test_the_classic_builder_is_not_asked_for_what_it_does_not_know() -> None:
    used = Builder("/usr/bin/docker", BuilderKind.CLASSIC)
    argv = build_argv(BuildSpec(), now_epoch=1, builder=used)
    assert argv[:4] == ("env", "DOCKER_BUILDKIT=0", "/usr/bin/docker", "build")
    assert "--progress=plain" not in argv


@pytest.mark.parametrize(
    "words",
    [
        {"tag": "Upper"},
        {"tag": "-t"},
        {"tag": ""},
        {"vllm_ref": ""},
        {"vllm_ref": "--upload-pack=x"},
        {"triton_ref": "a b"},
        {"build_jobs": 0},
        {"tga": "x"},
    ],
)
def test_a_spec_that_cannot_be_is_refused(words: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BuildSpec.model_validate(words)


@pytest.mark.parametrize("tag", ["vllm-node", "vllm-node:0.12", "registry.local:5000/team/vllm-node:x_1"])
def test_tags_as_docker_takes_them(tag: str) -> None:
    assert BuildSpec(tag=tag).tag == tag


@pytest.mark.parametrize(
    ("tag", "dated"),
    [
        ("vllm-node", "vllm-node:20251219-1405"),
        ("vllm-node:exp", "vllm-node:exp-20251219-1405"),
        ("registry:5000/vllm", "registry:5000/vllm:20251219-1405"),
    ],
)
def test_a_build_is_kept_under_a_dated_name(tag: str, dated: str) -> None:
    assert dated_tag(tag, NOW) == dated


def test_a_tag_without_a_version_is_the_latest() -> None:
    assert full_name("vllm-node") == "vllm-node:latest"
    assert full_name("registry:5000/vllm") == "registry:5000/vllm:latest"
    assert full_name("vllm-node:1") == "vllm-node:1"


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        (["a", "b"], ("a", "b")),
        (["a,b"], ("a", "b")),
        (["a, b", "", " ", ",c,"], ("a", "b", "c")),
        (["a b"], ("a", "b")),
        ([], ()),
        ([" , "], ()),
    ],
)
def test_hosts_are_separated_by_spaces_or_commas_and_blanks_are_dropped(
    words: list[str], hosts: tuple[str, ...]
) -> None:
    assert host_list(words) == hosts


def test_a_host_named_twice_is_refused() -> None:
    with pytest.raises(WrongUsage, match="spark2 is named twice"):
        host_list(["spark2,spark3", "spark2"])


def test_build_arguments_keep_every_character_of_their_value() -> None:
    assert key_values(["A=b=c", "D="]) == (("A", "b=c"), ("D", ""))
    for word in ("sesame", "BAD NAME=sesame"):
        with pytest.raises(WrongUsage, match="not KEY=VALUE") as caught:
            key_values([word])
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "word",
    ["PIP_INDEX_URL=https://ann:pw@index.lab/simple", "HF_TOKEN=hf_abcdefGHIJ", "NPM=ghp_" + "a1" * 18],
)
def test_a_build_argument_with_a_secret_is_refused(word: str) -> None:
    """It would stay in the image's history, which goes wherever the image goes."""
    with pytest.raises(WrongUsage, match="stay in the image's history") as caught:
        key_values([word])
    assert word.partition("=")[2] not in str(caught.value)
    assert key_values(["PIP_INDEX_URL=http://index.lab:8099/simple", "TORCH_VERSION=2.11"])


@pytest.mark.parametrize(
    ("wanted", "built", "said"),
    [
        ("a" * 40, "a" * 40, CommitCheck.EQUAL),
        ("a" * 40, "a" * 9, CommitCheck.EQUAL),
        ("a" * 40, "b" * 40, CommitCheck.DIFFERENT),
        ("", "b" * 40, CommitCheck.UNKNOWN),
        ("a" * 40, "", CommitCheck.UNKNOWN),
        ("a" * 40, "aaa", CommitCheck.UNKNOWN),
    ],
)
def test_what_is_not_known_is_never_called_equal(wanted: str, built: str, said: CommitCheck) -> None:
    assert compare_commit(wanted, built) is said


def test_the_senders_ssh_never_asks_and_believes_only_our_keys() -> None:
    receiver = Receiver("spark2", "192.168.177.12", "nvidia", 2222, ("ssh-ed25519 AAAA", "ssh-rsa BBBB"))
    argv = ssh_argv(receiver)
    assert argv[-4:] == ("-p", "2222", "--", "nvidia@192.168.177.12")
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "HostKeyAlias=spark2",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ConnectTimeout=10",
        "RemoteCommand=none",
        "RequestTTY=no",
        "ClearAllForwardings=yes",
        "ControlPath=none",
    ):
        assert argv[argv.index(option) - 1] == "-o"
    assert next(a for a in argv if a.startswith("Ciphers=")).startswith("Ciphers=aes128-gcm@openssh.com,")
    assert known_hosts(receiver) == "spark2 ssh-ed25519 AAAA\nspark2 ssh-rsa BBBB\n"
    assert "ssh-copy-id -p 2222 nvidia@192.168.177.12" in authorise_hint(receiver, "spark1")


def _links(*addresses: str) -> Fabric:
    names = [f"enp1s0f{i}np{i}" for i in range(len(addresses))]
    hcas = tuple(Hca(f"rocep1s0f{i}", name, up=True) for i, name in enumerate(names))
    office = Netdev("enP7s7", ("10.77.0.12/24",), 1500, up=True)
    return Fabric(
        hcas, (*(Netdev(n, (a,), 9000, up=True) for n, a in zip(names, addresses, strict=True)), office)
    )


HERE, THERE = _links("192.168.177.11/24"), _links("192.168.9.12/24", "192.168.177.12/24")
SEEN = CopySite(address="10.77.0.12")
SPARK2 = Node(name="spark2", address="spark2.lan")


@pytest.mark.parametrize(
    ("words", "links", "address", "warned"),
    [
        ({}, THERE, "192.168.177.12", ""),
        ({"fabric_address": "192.168.9.12"}, THERE, "192.168.9.12", ""),
        ({"fabric_address": "10.77.0.12"}, THERE, "10.77.0.12", "addresses: 192.168.9.12, 192.168.177.12"),
        ({"eth_if": "enP7s7"}, THERE, "10.77.0.12", "slower way"),
        ({}, Fabric(), "10.77.0.12", "no ConnectX-7 address"),
        ({}, _links("192.168.9.12/24"), "10.77.0.12", "does not reach 192.168.9.12"),
    ],
)
def test_the_way_to_a_receiver(words: dict[str, str], links: Fabric, address: str, warned: str) -> None:
    chosen, warning = way_to(SPARK2.model_copy(update=words), links, (HERE,), SEEN)
    assert chosen == address
    assert (warned in warning) if warned else warning == ""


def test_an_interface_that_a_person_named_wrongly_is_an_error() -> None:
    with pytest.raises(SparkError, match="no interface eth9"):
        way_to(SPARK2.model_copy(update={"eth_if": "eth9"}), THERE, (HERE,), SEEN)


def test_room_for_loading_is_twice_the_image_and_only_graph_drivers_spool_a_save() -> None:
    assert loading_needs(20) == 40
    assert saving_needs(20, CopySite(driver="overlay2")) == 20
    assert saving_needs(20, CopySite(driver="overlayfs", containerd_store=True)) == 0
