"""What a node says of itself never becomes an option, a second command, or a line to paste."""

from __future__ import annotations

import json

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import as_word
from sparkconsole.model.cluster import Node
from sparkconsole.model.fabric.links import Fabric
from sparkconsole.model.transfer.ends import Receiver, known_hosts, ssh_argv, way_to
from sparkconsole.parse.checkpoint.files import parse_holding
from sparkconsole.parse.checkpoint.hf_cache import parse_hf_cache
from sparkconsole.parse.image.docker import container_from, image_from, names_from
from sparkconsole.parse.machine.deep_probe import parse_deep_probe
from sparkconsole.parse.machine.facts import parse_facts
from sparkconsole.parse.machine.scan import parse_identity
from sparkconsole.parse.transfer.ends import copy_site
from sparkconsole.parse.values import plain_address, plain_image, plain_name, plain_path

HOSTILE = [
    "-oProxyCommand=id",
    "--privileged",
    "a b",
    "a;id",
    "$(id)",
    "`id`",
    "|id",
    "a\x1b[2J",
    "x" * 5000,
    "'a'",
    "a&b",
]
WORD = [word for word in HOSTILE if " " not in word]


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_that_is_more_than_a_name_is_none(word: str) -> None:
    assert (plain_name(word), plain_image(word), plain_path(word), plain_address(word)) == ("", "", "", "")


@pytest.mark.parametrize(
    "name", ["nvidia", "a.b", "_x", "svc$", "user@realm", "enp1s0f0np0", "mlx5_0", "uid-1", "1000"]
)
def test_a_name_stays(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize(
    "name", ["vllm-node", "reg.local:5000/a/b:1@sha256:" + "a" * 64, "sha256:" + "a" * 64]
)
def test_an_image_stays(name: str) -> None:
    assert plain_image(name) == name


@pytest.mark.parametrize("path", ["/", "/home/ada", "/mnt/Große Platte", "/a;b"])
def test_a_path_stays(path: str) -> None:
    assert plain_path(path) == path


@pytest.mark.parametrize("word", WORD)
def test_a_receiver_chooses_nothing_of_the_senders_ssh(word: str) -> None:
    seen = copy_site(
        f"login {word}\naddress {word}\nport {word}\nfolder {word}\nkey {word} AAAA\nkey ssh-rsa {word}"
    )
    node = Node(name="spark-02", address="192.0.2.2")
    address, _ = way_to(node, Fabric(), (), seen)
    receiver = Receiver(node.name, address, seen.login, seen.port, seen.host_keys)
    argv = ssh_argv(receiver)
    assert argv[-2:] == ("--", "192.0.2.2")
    assert not [word_ for word_ in argv if word in word_]
    assert known_hosts(receiver) == ""
    assert seen.folder == ""


def test_a_receivers_own_name_stands_behind_the_options() -> None:
    argv = ssh_argv(Receiver("spark-02", "192.0.2.2", "nvidia", 2222))
    assert argv[-4:] == ("-p", "2222", "--", "nvidia@192.0.2.2")


@pytest.mark.parametrize("word", WORD)
def test_facts_keep_no_such_name(word: str) -> None:
    rows = [{"ifname": word, "addr_info": []}, {"ifname": "lo", "addr_info": []}]
    parts = {
        "host": f"{word}\n6.11\naarch64\n{word}\n{word}\n",
        "cache": word,
        "ip": json.dumps(rows),
        "links": f"{word} 1500 1 up 100\n",
        "rdma": f"port {word} 1 {word} -\n",
        "docker": f"installed\nsocket\npermitted\ninfo 29.0|overlay2|{word}",
    }
    text = "".join(f"\nM {name}\n{body}\n" for name, body in parts.items())
    facts = parse_facts(text, "M", "spark-01")
    assert (facts.hostname, facts.user, facts.home, facts.cache_owner, facts.docker.root) == (
        "",
        "",
        "",
        "",
        "",
    )
    assert [n.name for n in facts.fabric.netdevs] == ["lo"]
    assert facts.fabric.hcas == ()


@pytest.mark.parametrize("word", WORD)
def test_a_thorough_look_keeps_none_either(word: str) -> None:
    parts = {
        "thorough": f"docker-group {word},ada\nclamp {word} 1200\nclosed {word}\n",
        "containers": f"{word}|image|Up|a|b\nvllm_node|image|Up|a|b\nasked",
    }
    probe = parse_deep_probe(parts)
    assert probe.docker_group == ("ada",)
    assert [unit for unit in probe.clamps if unit] == []
    assert probe.cache_closed == ""
    assert [c.name for c in probe.containers or ()] == ["vllm_node"]


@pytest.mark.parametrize("word", HOSTILE)
def test_docker_names_nothing_that_is_no_name(word: str) -> None:
    container = container_from({"Name": f"/{word}", "Id": word, "Image": word, "Config": {"Image": word}})
    assert (container.name, container.id, container.image, container.image_id) == ("", "", "", "")
    image = image_from({"RepoTags": [word, "vllm-node:latest"], "Id": word})
    assert (image.tag, image.id) == ("vllm-node:latest", "")
    assert names_from({"RepoTags": [word], "RepoDigests": [word]}) == ("",)


@pytest.mark.parametrize("word", HOSTILE)
def test_a_folder_of_models_is_a_path(word: str) -> None:
    cache = parse_hf_cache(f"home /home/ada\nHF_HOME={word}", "spark-01")
    assert cache.home == "/home/ada/.cache/huggingface"
    with pytest.raises(SparkError, match="home"):
        parse_hf_cache(f"home {word}", "spark-01")
    held = parse_holding(json.dumps({"user": word, "owner": word, "root": word, "home": word, "there": word}))
    assert (held.user, held.owner, held.root, held.home, held.there) == ("", "", "", "", "")


@pytest.mark.parametrize("word", HOSTILE)
def test_a_machine_that_is_found_has_a_name_or_none(word: str) -> None:
    assert parse_identity(f"{word}\n--gpus\n--product\n").hostname == ""


@pytest.mark.parametrize(
    ("path", "word"),
    [("~/.cache/huggingface", "~/.cache/huggingface"), ("/a;id", "'/a;id'"), ("~/$(id)", "~/'$(id)'")],
)
def test_a_path_in_a_command_to_paste_is_one_word(path: str, word: str) -> None:
    assert as_word(path) == word
