"""Every flag of the scripts that this replaces is a word here, and does what it did: seen in the plan."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

import pytest

from sparkconsole import cli
from sparkconsole.config.inventory import Inventory, choose
from sparkconsole.demo import cluster as demo
from sparkconsole.demo import stories
from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.spark.machine import Machine, image_json
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.verbs.grammar.dispatch import understand
from tests.global_options import read_globals

SCRIPTS = {
    "build-and-copy.sh": (
        "-t --tag --rebuild-deps --rebuild-vllm --triton-ref --vllm-ref -c --copy-to --copy-to-host "
        "--copy-to-hosts --copy-parallel -j --build-jobs -u --user --no-build -h --help"
    ),
    "launch-cluster.sh": (
        "-n --nodes -t --name --eth-if --ib-if --nccl-debug --check-config -d -h --help "
        "start stop status exec"
    ),
    "run-cluster-node.sh": "-r --role -h --host-ip -e --eth-if -i --ib-if -m --head-ip",
    "environment": "VLLM_SPARK_EXTRA_DOCKER_ARGS",
}
TWELVE = (
    *("VLLM_HOST_IP", "RAY_NODE_IP_ADDRESS", "RAY_OVERRIDE_NODE_IP_ADDRESS", "RAY_memory_monitor_refresh_ms"),
    *("MN_IF_NAME", "UCX_NET_DEVICES", "OMPI_MCA_btl_tcp_if_include", "GLOO_SOCKET_IFNAME"),
    *("TP_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "NCCL_IB_HCA", "NCCL_IB_DISABLE"),
)
COPY = "image build -t fresh:1 --no-build"
TO_2, TO_3 = r"copy fresh:1 to spark@192\.168\.177\.12", r"copy fresh:1 to spark@192\.168\.177\.13"
TAGS = ("vllm-node", "mine:2")


@dataclass(frozen=True)
class Row:
    """A flag, the words that have its meaning here, and what the commands of the plan then say."""

    script: str
    flags: str
    words: str
    seen: tuple[str, ...]
    """Regular expressions; every one is found in the plan."""
    unseen: tuple[str, ...] = ()


BUILD, LAUNCH, NODE = "build-and-copy.sh", "launch-cluster.sh", "run-cluster-node.sh"
TABLE = (
    Row(BUILD, "-t", "image build -t mine:2", (r"docker build -t mine:2 ",)),
    Row(BUILD, "--tag", "image build --tag mine:2", (r"docker build -t mine:2 ",)),
    Row(
        BUILD, "--rebuild-deps", "image build --rebuild-deps", (r"CACHEBUST_DEPS=\d+ ",), ("CACHEBUST_VLLM",)
    ),
    Row(
        BUILD, "--rebuild-vllm", "image build --rebuild-vllm", (r"CACHEBUST_VLLM=\d+ ",), ("CACHEBUST_DEPS",)
    ),
    Row(BUILD, "--triton-ref", "image build --triton-ref v9", ("TRITON_REF=v9 ", "VLLM_REF=main ")),
    Row(BUILD, "--vllm-ref", "image build --vllm-ref v0.12.0", ("VLLM_REF=v0.12.0 ", "TRITON_REF=v3.5.1 ")),
    Row(BUILD, "-j", "image build -j 4", ("BUILD_JOBS=4 ",)),
    Row(BUILD, "--build-jobs", "image build --build-jobs 4", ("BUILD_JOBS=4 ",)),
    Row(BUILD, "--no-build -c", f"{COPY} -c spark-02", (TO_2,), ("docker build", TO_3)),
    Row(BUILD, "--copy-to", f"{COPY} --copy-to spark-02,spark-03", (TO_2, TO_3)),
    Row(BUILD, "--copy-to-host", f"{COPY} --copy-to-host spark-02 spark-03", (TO_2, TO_3)),
    Row(BUILD, "--copy-to-hosts", f"{COPY} --copy-to-hosts spark-02 -c spark-03", (TO_2, TO_3)),
    Row(LAUNCH, "start", "launch", ("spark-01: start the head container", "spark-02: start the worker")),
    Row(
        LAUNCH,
        "-n",
        "launch -n spark-02,spark-01",
        ("spark-02: start the head", "spark-01: start the worker"),
        ("spark-03",),
    ),
    Row(
        LAUNCH,
        "--nodes",
        "--nodes spark-03,spark-01 launch",
        ("spark-03: start the head", "spark-01: start the worker"),
        ("spark-02",),
    ),
    Row(LAUNCH, "-t", "launch -t mine:2", ("mine:2 ray start --block --head",)),
    Row(LAUNCH, "--name", "launch --name other", ("--name other ",), ("--name vllm_node",)),
    Row(
        LAUNCH, "--eth-if", "launch --eth-if enP7s7", ("NCCL_SOCKET_IFNAME=enP7s7", "VLLM_HOST_IP=10.77.0.12")
    ),
    Row(LAUNCH, "--ib-if", "launch --ib-if roceP2p1s0f1", ("NCCL_IB_HCA=roceP2p1s0f1 ",)),
    Row(LAUNCH, "--nccl-debug", "launch --nccl-debug", ("NCCL_DEBUG=INFO",)),
    Row(LAUNCH, "--nccl-debug", "launch --nccl-debug TRACE", ("NCCL_DEBUG=TRACE",)),
    Row(LAUNCH, "--nccl-debug", "launch --nccl-debug version -d", ("NCCL_DEBUG=VERSION",)),
    Row(LAUNCH, "--nccl-debug", "launch --nccl-debug --name x", ("NCCL_DEBUG=INFO", "--name x ")),
    Row(LAUNCH, "-d", "launch -d", ("docker run -d ",)),
    Row(
        NODE,
        "-r --role",
        "launch",
        (r"spark-01\$ .* ray start --block --head ", r"spark-02\$ .* ray start --block --address="),
    ),
    Row(
        NODE,
        "-h --host-ip",
        "launch",
        (r"spark-02\$ .*VLLM_HOST_IP=192.168.177.12 .*--node-ip-address 192.168.177.12",),
    ),
    Row(NODE, "-e --eth-if", "launch", (r"spark-02\$ .*GLOO_SOCKET_IFNAME=enp1s0f1np1 ",)),
    Row(NODE, "-i --ib-if", "launch", (r"spark-02\$ .*NCCL_IB_HCA=rocep1s0f1,roceP2p1s0f1 ",)),
    Row(NODE, "-m --head-ip", "launch", (r"spark-02\$ .*--address=192.168.177.11:6379",)),
)
ELSEWHERE = {
    (BUILD, "-u"): "test_the_user_of_the_copy_is_the_login",
    (BUILD, "--user"): "test_the_user_of_the_copy_is_the_login",
    (BUILD, "--copy-parallel"): "test_copies_go_one_after_another_unless_parallel",
    (BUILD, "-h"): "test_help_is_help_and_a_success",
    (BUILD, "--help"): "test_help_is_help_and_a_success",
    (LAUNCH, "-h"): "test_help_is_help_and_a_success",
    (LAUNCH, "--help"): "test_help_is_help_and_a_success",
    (LAUNCH, "--check-config"): "test_check_config_looks_and_starts_nothing",
    (LAUNCH, "stop"): "test_actions_are_verbs",
    (LAUNCH, "status"): "test_actions_are_verbs",
    (LAUNCH, "exec"): "test_exec_takes_the_rest_of_the_line_as_it_is",
    ("environment", "VLLM_SPARK_EXTRA_DOCKER_ARGS"): "test_extra_words_for_docker_come_from_the_environment",
}
"""Flags whose effect is not a word of a plan, and the test below that shows it."""


@pytest.fixture(autouse=True)
def _images_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def equipped(name: str, number: int, clock: DemoClock, cluster: dict[str, Machine]) -> Machine:
        machine = Machine(name, number, clock, cluster)
        for tag in (*TAGS, *(("fresh:1",) if number == 1 else ())):
            machine.take(tag, image_json(tag, "7", "2025-12-19T14:05:00Z"))
        return machine

    monkeypatch.setattr(demo, "Machine", equipped)


def plan(capsys: pytest.CaptureFixture[str], words: str) -> dict[str, Any]:
    """The plan of these words on three pretend nodes; nothing runs."""
    code = cli.run(["--demo=3", "--dry-run", "--json", *shlex.split(words)])
    out, err = capsys.readouterr()
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)["plan"]
    return found


def spoken(found: dict[str, Any]) -> str:
    """The sentences and the commands of a plan, a line each."""
    lines = []
    for step in found["steps"]:
        lines += [f"{step['node']}: {step['sentence']}", f"{step['node']}$ {' '.join(step['argv'])}"]
    return "\n".join([found["title"], *lines])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.script} {row.words}")
def test_a_flag_means_what_it_meant(row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    _, words = read_globals(shlex.split(row.words))
    understand(words)
    text = spoken(plan(capsys, row.words))
    missing = [pattern for pattern in row.seen if not re.search(pattern, text)]
    assert missing == [], text
    assert [pattern for pattern in row.unseen if re.search(pattern, text)] == []


def test_no_flag_is_forgotten() -> None:
    shown = {(row.script, flag) for row in TABLE for flag in row.flags.split()} | set(ELSEWHERE)
    assert shown == {(script, flag) for script, flags in SCRIPTS.items() for flag in flags.split()}
    assert [name for name in ELSEWHERE.values() if name not in globals()] == []


# --- the commands as a whole


def test_the_build_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of the script; besides, a dated name, its bases, progress as lines, the folder."""
    steps = plan(capsys, "image build -t mine:2 --rebuild-deps --rebuild-vllm -j 8")["steps"]
    argv = " ".join(steps[-1]["argv"])
    assert re.fullmatch(
        r"env DOCKER_BUILDKIT=1 docker build -t mine:2 -t mine:\S+ --build-arg CACHEBUST_DEPS=\d{10} "
        r"--build-arg CACHEBUST_VLLM=\d{10} --build-arg TRITON_REF=v3.5.1 --build-arg VLLM_REF=main "
        r"--build-arg BUILD_JOBS=8 "
        r"(--label org\.sparkconsole\.\S+ |--build-arg (BASE_IMAGES|CUDA_BASE)=\S+ )*"
        r"--progress=plain context",
        argv,
    )


def test_the_head_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    argv = _started(plan(capsys, "launch"), "spark-01")
    assert argv[:4] == ["docker", "run", "-d", "--privileged"]
    assert {"--ipc=host", "--gpus", "--network", "--name"} <= set(argv)
    assert "--rm" not in argv, "its log is kept, then it is removed by us"
    assert "NCCL_IGNORE_CPU_AFFINITY=1" in argv
    assert "/home/spark/.cache/huggingface:/root/.cache/huggingface" in argv
    given = {word.partition("=")[0] for word in argv if re.match(r"[A-Za-z_]+=", word)}
    assert given >= set(TWELVE)
    assert "NCCL_DEBUG" not in given


def _started(found: dict[str, Any], node: str) -> list[str]:
    """The docker run of one node."""
    return next(s["argv"] for s in found["steps"] if s["node"] == node and s["argv"][:2] == ["docker", "run"])


# --- what is not a word of a plan


def test_extra_words_for_docker_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_SPARK_EXTRA_DOCKER_ARGS", "-v '$HOME/my models:/models' --shm-size=8g")
    argv = _started(plan(capsys, "launch"), "spark-02")
    at = argv.index("/home/spark/my models:/models")
    assert (argv[at - 1], argv[at + 1]) == ("-v", "--shm-size=8g")


def test_the_user_of_the_copy_is_the_login() -> None:
    options, words = read_globals(["image", "build", "-u", "bob", "--no-build", "-c", "b"])
    assert (options.user, words) == ("bob", ["image", "build", "--no-build", "-c", "b"])
    assert read_globals(["--user", "bob", "status"])[0].user == "bob"
    lab = Cluster(nodes=(Node(name="a", address="10.0.0.1"), Node(name="b", address="10.0.0.2", user="eve")))
    chosen = choose(Inventory(default="lab", clusters={"lab": lab}), user=options.user)
    assert [n.user for n in chosen.nodes] == ["bob", "bob"]


@pytest.mark.parametrize(("more", "together"), [("", False), (" --copy-parallel", True)])
def test_copies_go_one_after_another_unless_parallel(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, more: str, together: bool
) -> None:
    for name in ("COPY_S", "LOAD_S"):
        monkeypatch.setattr(stories, name, 4.0)
    assert cli.run(f"--demo=3 --yes {COPY} -c spark-02 spark-03{more}".split()) == 0
    told = capsys.readouterr().err
    ends = [told.index(f"copy to {node} completed in 00:00:") for node in ("spark-02", "spark-03")]
    begins = [told.index(f"{node} copy fresh:1") for node in ("spark-02", "spark-03")]
    assert (max(begins) < min(ends)) is together


def test_no_build_without_a_host_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo", "--yes", "image", "build", "--no-build"]) == 2
    assert "leaves nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["image build -c", "image build -c ,", "image build --copy-to-host --copy-parallel"]
)
def test_a_list_of_hosts_without_a_host_is_refused(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert cli.run(["--demo", "--yes", *words.split()]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words", ["image build --help", "image build -h", "launch --help", "launch -h", "--help", "-h"]
)
def test_help_is_help_and_a_success(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert cli.run(words.split()) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["launch --check-config", "check", "launch --check-config -d --nccl-debug"])
def test_check_config_looks_and_starts_nothing(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert cli.run(["--demo", "--read-only" if words == "check" else "--yes", *words.split()]) == 0
    shown = capsys.readouterr().out
    assert "head spark-01" in shown
    assert "enp1s0f1np1" in shown
    assert "rocep1s0f1" in shown
    assert "ready" not in shown


@pytest.mark.parametrize("words", ["stop", "status"])
def test_actions_are_verbs(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert cli.run(["--demo", "--yes", "--json", words]) == 0
    assert {n["node"] for n in json.loads(capsys.readouterr().out)["nodes"]} == {"spark-01", "spark-02"}


@pytest.mark.parametrize(
    "words", [("exec", "vllm", "serve", "-tp", "2"), ("exec", "--", "vllm", "serve", "-tp", "2")]
)
def test_exec_takes_the_rest_of_the_line_as_it_is(words: tuple[str, ...]) -> None:
    json_word = '{"a b": "$x"}'
    _, rest = read_globals([*words, json_word, "--json", "-n", "3"])
    assert understand(rest).args == ("vllm", "serve", "-tp", "2", json_word, "--json", "-n", "3")


@pytest.mark.parametrize(
    "words", ["--bogus status", "launch --nccl-debug loud", "start", "launch --nccl-debug=loud"]
)
def test_what_is_no_word_never_runs_as_a_command(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """The scripts started the cluster, ran `--bogus status` in it, and stopped it."""
    assert cli.run(["--demo", "--yes", *words.split()]) == 2
    assert capsys.readouterr().out == ""
