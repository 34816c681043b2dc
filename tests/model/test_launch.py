"""The exact command of each node, word for word."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from pydantic import ValidationError

from sparkconsole.errors import WrongUsage
from sparkconsole.model.checkpoint.hf_cache import HfCache
from sparkconsole.model.docker import Container
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.launch.docker_run import (
    at_home,
    bind_sources,
    container_argv,
    container_environment,
    ray_argv,
)
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat, recalled, without_secret_values
from sparkconsole.model.launch.steps import Condition, broken, condition, start_plan
from sparkconsole.model.ray import RayMember


def network(address: str, eth_if: str = "enp1s0f1np1") -> NodeNetwork:
    return NodeNetwork(
        eth_if=eth_if, address=address, hcas=("rocep1s0f1", "roceP2p1s0f1"), mtu=9000, gid_index=3
    )


HEAD = Seat("spark1", Role.HEAD, "/home/ann", network("192.168.177.11"), "192.168.177.11")
WORKER = Seat("spark2", Role.WORKER, "/home/bob", network("192.168.177.12", "enp1s0f0np0"), "192.168.177.11")

SEED_ENVIRONMENT = {
    "VLLM_HOST_IP": "192.168.177.11",
    "RAY_NODE_IP_ADDRESS": "192.168.177.11",
    "RAY_OVERRIDE_NODE_IP_ADDRESS": "192.168.177.11",
    "MN_IF_NAME": "enp1s0f1np1",
    "UCX_NET_DEVICES": "enp1s0f1np1",
    "NCCL_SOCKET_IFNAME": "enp1s0f1np1",
    "NCCL_IB_HCA": "rocep1s0f1,roceP2p1s0f1",
    "NCCL_IB_DISABLE": "0",
    "OMPI_MCA_btl_tcp_if_include": "enp1s0f1np1",
    "GLOO_SOCKET_IFNAME": "enp1s0f1np1",
    "TP_SOCKET_IFNAME": "enp1s0f1np1",
    "RAY_memory_monitor_refresh_ms": "0",
}
HEAD_RUN = """docker run -d --privileged --gpus all --ipc=host --network host --name vllm_node \
--label org.sparkconsole.cluster=default --label org.sparkconsole.role=head \
--label org.sparkconsole.address=192.168.177.11 --label org.sparkconsole.launch={} \
-e NCCL_IGNORE_CPU_AFFINITY=1 -v /home/ann/.cache/huggingface:/root/.cache/huggingface ENVIRONMENT \
vllm-node ray start --block --head --port 6379 --node-ip-address 192.168.177.11 --include-dashboard=True \
--dashboard-host 127.0.0.1 --dashboard-port 8265 --disable-usage-stats --object-store-memory 1073741824"""
WORKER_RUN = """docker run -d --privileged --gpus all --ipc=host --network host --name vllm_node \
--label org.sparkconsole.cluster=default --label org.sparkconsole.role=worker \
--label org.sparkconsole.address=192.168.177.12 --label org.sparkconsole.launch={} \
-e NCCL_IGNORE_CPU_AFFINITY=1 -v /home/bob/.cache/huggingface:/root/.cache/huggingface ENVIRONMENT \
vllm-node ray start --block --address=192.168.177.11:6379 --node-ip-address 192.168.177.12 \
--disable-usage-stats --object-store-memory 1073741824"""


def _with_environment(line: str, environment: dict[str, str]) -> tuple[str, ...]:
    words: list[str] = []
    for word in line.split():
        pairs = (w for k, v in environment.items() for w in ("-e", f"{k}={v}"))
        words += pairs if word == "ENVIRONMENT" else [word]
    return tuple(words)


def test_the_heads_docker_run() -> None:
    spec = LaunchSpec()
    environment = container_environment(spec, HEAD)
    assert environment == SEED_ENVIRONMENT
    assert container_argv(spec, HEAD) == _with_environment(HEAD_RUN, environment)


def test_a_workers_docker_run_has_its_own_home_interface_and_address() -> None:
    spec = LaunchSpec()
    environment = container_environment(spec, WORKER)
    mine = {k: v.replace("enp1s0f1np1", "enp1s0f0np0").replace(".177.11", ".177.12")
            for k, v in SEED_ENVIRONMENT.items()}  # fmt: skip
    assert environment == mine
    assert container_argv(spec, WORKER) == _with_environment(WORKER_RUN, environment)


def test_ray_start_without_limits_is_the_seeds_but_for_the_dashboards_address() -> None:
    spec = LaunchSpec(ray_object_store=None)
    assert shlex.join(ray_argv(spec, HEAD)) == (
        "ray start --block --head --port 6379 --node-ip-address 192.168.177.11 --include-dashboard=True "
        "--dashboard-host 127.0.0.1 --dashboard-port 8265 --disable-usage-stats"
    )
    assert shlex.join(ray_argv(spec, WORKER)) == (
        "ray start --block --address=192.168.177.11:6379 --node-ip-address 192.168.177.12 "
        "--disable-usage-stats"
    )


def test_limits_and_ports_are_given_to_ray() -> None:
    spec = LaunchSpec(ray_num_cpus=2, ray_num_gpus=1, ray_port=6380, dashboard_port=8266)
    line = shlex.join(ray_argv(spec, HEAD))
    assert "--port 6380" in line
    assert "--dashboard-port 8266" in line
    assert line.endswith("--num-cpus 2 --num-gpus 1 --object-store-memory 1073741824")


@pytest.mark.parametrize("level", ["VERSION", "warn", "Info", "TRACE"])
def test_nccl_debug_comes_after_the_twelve(level: str) -> None:
    argv = container_argv(LaunchSpec(nccl_debug=level), HEAD)
    assert f"NCCL_DEBUG={level.upper()}" in argv
    assert "NCCL_DEBUG" not in " ".join(container_argv(LaunchSpec(), HEAD))


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="VERSION, WARN, INFO, TRACE"):
        LaunchSpec(nccl_debug="loud")


def test_ports_of_rays_own_workers_are_refused() -> None:
    with pytest.raises(ValidationError, match="10002 to 19999"):
        LaunchSpec(ray_port=16479)


@pytest.mark.parametrize("backend", [Backend.NONE, Backend.SOLO])
def test_without_ray_the_container_idles_under_a_process_that_reaps(backend: Backend) -> None:
    argv = container_argv(LaunchSpec(backend=backend), HEAD)
    assert argv[-3:] == ("vllm-node", "sleep", "infinity")
    assert "--init" in argv
    assert "--init" not in container_argv(LaunchSpec(), HEAD)


def test_solo_needs_no_fast_link() -> None:
    seat = replace(HEAD, network=None)
    spec = LaunchSpec(backend=Backend.SOLO, nccl_debug="INFO")
    assert container_environment(spec, seat) == {
        "VLLM_HOST_IP": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_DEBUG": "INFO",
    }


def test_extra_words_keep_their_order_and_the_home_is_the_nodes() -> None:
    spec = LaunchSpec(docker_args=("-v", "$HOME/models:/models", "--shm-size=64g"), volumes=("~/x:/x:ro",))
    argv = container_argv(spec, WORKER)
    at = argv.index("/home/bob/x:/x:ro")
    assert argv[at - 1 : at + 4] == (
        "-v",
        "/home/bob/x:/x:ro",
        "-v",
        "/home/bob/models:/models",
        "--shm-size=64g",
    )
    assert bind_sources(spec, WORKER) == (
        "/home/bob/.cache/huggingface",
        "/home/bob/x",
        "/home/bob/models",
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("${HOME}/a:/b", "/h/a:/b"),
        ("type=bind,src=~/a", "type=bind,src=/h/a"),
        ("$HOMER", "$HOMER"),
        ("a~b", "a~b"),
        ("/x/~/y", "/x/~/y"),
        ("~", "/h"),
    ],
)
def test_home(word: str, meant: str) -> None:
    assert at_home(word, "/h") == meant


def test_no_gpus_drops_nothing_else() -> None:
    with_gpus, without = container_argv(LaunchSpec(), HEAD), container_argv(LaunchSpec(gpus=False), HEAD)
    assert [w for w in with_gpus if w not in ("--gpus", "all")][:4] == list(without[:4])
    assert "--gpus" not in without


def test_a_secret_never_stands_in_the_command() -> None:
    words = without_secret_values(("-e", "HF_TOKEN=hf_abcdefgh", "X=1"), {"HF_TOKEN": "hf_abcdefgh"})
    assert words == ("-e", "HF_TOKEN", "X=1")
    spec = LaunchSpec(docker_args=words[:2], env=("API_KEY", "A=b"))
    assert set(spec.secrets()) == {"HF_TOKEN", "API_KEY"}
    with pytest.raises(WrongUsage, match="HF_TOKEN"):
        without_secret_values(("HF_TOKEN=other",), {})


def test_a_launch_can_be_read_back_from_its_containers_label() -> None:
    spec = LaunchSpec(image="x:1", env=("A=ü b",), backend=Backend.NONE, nccl_debug="INFO")
    assert recalled({"org.sparkconsole.launch": spec.recorded()}) == spec
    assert recalled({}) is None
    assert recalled({"org.sparkconsole.launch": '{"from":"a later version"}'}) is None


def _site(node: str, running: bool | None) -> Site:
    state, code = ("running", 0) if running else ("exited", 137)
    own = Container("vllm_node", "c1", "vllm-node", "sha256:1", state, exit_code=code)
    found = None if running is None else own
    return Site(node, f"/home/{node}", 1, frozenset(), found)


HEAD_MEMBER = RayMember("h", "192.168.177.11", head=True, alive=True, gpus=1)
WORKER_MEMBER = RayMember("w", "192.168.177.12", alive=True, gpus=1)


@pytest.mark.parametrize(
    ("head", "worker", "members", "expected", "again"),
    [
        (None, None, None, Condition.NOTHING, ("spark1", "spark2")),
        (False, False, None, Condition.NOTHING, ("spark1", "spark2")),
        (True, True, (HEAD_MEMBER, WORKER_MEMBER), Condition.COMPLETE, ()),
        (True, None, (HEAD_MEMBER,), Condition.HALF, ("spark2",)),
        (True, False, (HEAD_MEMBER,), Condition.HALF, ("spark2",)),
        (True, True, (HEAD_MEMBER, replace(WORKER_MEMBER, alive=False)), Condition.HALF, ("spark2",)),
        (None, True, None, Condition.HALF, ("spark1", "spark2")),
        (True, True, None, Condition.HALF, ("spark1", "spark2")),
    ],
)
def test_what_stands_and_what_a_repair_starts(
    head: bool | None,
    worker: bool | None,
    members: tuple[RayMember, ...] | None,
    expected: Condition,
    again: tuple[str, ...],
) -> None:
    spec, seats = LaunchSpec(), (HEAD, WORKER)
    sites = {"spark1": _site("spark1", head), "spark2": _site("spark2", worker)}
    assert condition(spec, seats, sites, members) is expected
    assert tuple(broken(spec, seats, sites, members)) == again


def test_without_ray_only_what_is_missing_starts_again() -> None:
    sites = {"spark1": _site("spark1", None), "spark2": _site("spark2", True)}
    assert tuple(broken(LaunchSpec(backend=Backend.NONE), (HEAD, WORKER), sites, None)) == ("spark1",)


def test_old_containers_go_before_anything_starts_and_their_log_is_kept_first() -> None:
    sites = {"spark1": _site("spark1", None), "spark2": _site("spark2", False)}
    plan = start_plan(LaunchSpec(), (HEAD, WORKER), sites, ("spark1", "spark2"), title="launch")
    order: list[str] = []
    while ready := plan.ready(order, order):
        order += [step.id for step in ready]
    assert order[:2] == ["spark2:old-log", "spark2:old-remove"]
    assert set(order[-2:]) == {"spark1:start", "spark2:start"}
    assert all(s.undo and s.verify for s in plan.steps if s.id.endswith(":start"))


def test_models_on_another_disk_are_mounted_where_vllm_looks() -> None:
    seat = replace(WORKER, cache=HfCache("/data/hf", "/nvme/hub", usual=False))
    argv = " ".join(container_argv(LaunchSpec(), seat))
    assert "-v /data/hf:/root/.cache/huggingface -v /nvme/hub:/root/.cache/huggingface/hub" in argv
    assert "/home/bob/.cache" not in argv
    assert bind_sources(LaunchSpec(), seat) == ("/data/hf", "/nvme/hub")
