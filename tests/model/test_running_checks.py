"""What runs, held against its node and against what was meant; and GPUs that no tool calls ill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sparkconsole.model.checks import Finding, Pace, Severity
from sparkconsole.model.fabric.links import Fabric, Gid
from sparkconsole.model.facts import Bystander, Gpu, GpuProcess
from sparkconsole.model.serve.engine import LiveRank
from tests.model.test_check_table import FIRST, IMAGE, MEMBERS, SOLO, Case, fabric, found, look

V1, V2 = "IB/RoCE v1", "RoCE v2"
MAPPED = "0000:0000:0000:0000:0000:ffff:c0a8:b10b"


def with_gids(number: int, *gids: tuple[int, str]) -> Fabric:
    plain = fabric(number)
    table = tuple(Gid(index, MAPPED, kind) for index, kind in gids)
    return replace(plain, hcas=tuple(replace(h, gids=table) for h in plain.hcas))


def said(case: Case, check: str) -> list[tuple[Severity, str, str]]:
    return [(f.severity, f.node, f.sentence) for f in case.findings() if f.check == check]


def wrong(case: Case) -> list[Finding]:
    return [f for f in case.findings() if f.severity is not Severity.OK]


def set_to(settings: Mapping[str, str], gids: Fabric | None = None, **labels: Any) -> Case:
    """Worker with these variables in its container; the head's are as launched."""
    second = look(2, container=found(environment=settings, **labels), fabric=gids or fabric(2))
    return Case("", look(1, container=found(**labels)), second, {"members": MEMBERS})


LAUNCHED = {
    "VLLM_HOST_IP": "192.168.177.2",
    "GLOO_SOCKET_IFNAME": FIRST,
    "NCCL_SOCKET_IFNAME": "enP7s7",
    "NCCL_IB_HCA": "rocep1s0f1,roceP2p1s0f1",
    "NCCL_IB_DISABLE": "0",
    "RAY_memory_monitor_refresh_ms": "0",
}


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"NCCL_IB_GID_INDEX": "5"}, Severity.FAIL, "GID 5 of rocep1s0f1 is empty"),
        ({"NCCL_IB_GID_INDEX": "2"}, Severity.FAIL, "GID 2 of rocep1s0f1 is IB/RoCE v1"),
        ({"NCCL_IB_DISABLE": "1"}, Severity.WARN, "keeps NCCL off RDMA"),
        ({"NCCL_IB_HCA": "rocep1s0f1"}, Severity.WARN, "leaves out roceP2p1s0f1"),
        ({"VLLM_HOST_IP": "192.168.177.9"}, Severity.FAIL, "no interface here has that address"),
        ({"GLOO_SOCKET_IFNAME": "enp9s0"}, Severity.FAIL, "there is no such interface"),
        ({"RAY_memory_monitor_refresh_ms": "250"}, Severity.WARN, "Ray will kill vLLM"),
    ],
)
def test_variables_that_do_not_suit_the_node(
    changed: Mapping[str, str], severity: Severity, words: str
) -> None:
    told = wrong(set_to(LAUNCHED | changed, with_gids(2, (2, V1), (3, V2))))
    assert {(f.check, f.severity, f.node) for f in told} == {("settings", severity, "spark2")}
    assert words in told[0].sentence
    assert told[0].remedy


@pytest.mark.parametrize(
    "settings",
    [
        {},
        LAUNCHED,
        LAUNCHED | {"NCCL_IB_GID_INDEX": "3"},
        LAUNCHED | {"NCCL_IB_HCA": "rocep,roceP2"},
        LAUNCHED | {"NCCL_IB_HCA": "=rocep1s0f1"},
        LAUNCHED | {"NCCL_SOCKET_IFNAME": "=enP7s7"},
        LAUNCHED | {"NCCL_IB_GID_INDEX": "-1"},
    ],
)
def test_variables_that_suit_it(settings: Mapping[str, str]) -> None:
    assert wrong(set_to(settings, with_gids(2, (2, V1), (3, V2)))) == []


def test_a_device_left_out_on_purpose_is_meant() -> None:
    meant = {"org.sparkconsole.launch": '{"backend": "ray", "ib_if": ["rocep1s0f1"]}'}
    assert wrong(set_to(LAUNCHED | {"NCCL_IB_HCA": "rocep1s0f1"}, labels=meant)) == []


def test_the_image_counts_where_no_container_runs_and_alone_nothing_does() -> None:
    pins = replace(IMAGE, settings={"NCCL_IB_GID_INDEX": "7"})
    both = Case("", look(1, image=pins, fabric=with_gids(1, (3, V2))), look(2, fabric=with_gids(2, (3, V2))))
    assert [(f.check, f.node) for f in wrong(both)] == [("settings", "spark1")] * 2, "each of its devices"
    unknown = Case("", look(1, image=pins), look(2))
    assert wrong(unknown) == [], "nobody said what its GIDs are"


def test_a_container_that_is_alone_finds_nobody_and_need_not() -> None:
    own = found(labels=SOLO, environment={"VLLM_HOST_IP": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"})
    assert wrong(Case("", look(1, container=own), look(2))) == []


# --- the servers

RANK = ("vllm", "serve", "o/m", "--port", "8888", "-tp", "2", "--max-model-len", "8192", "--nnodes", "2",
        "--master-addr", "192.168.177.1", "--master-port", "29501", "--node-rank", "0")  # fmt: skip
SECOND = (*RANK[:-1], "1", "--headless")
NO_RAY = {"org.sparkconsole.launch": '{"backend": "none"}', "org.sparkconsole.cluster": "c"}


def served(first: tuple[str, ...], second: tuple[str, ...] = (), job: str = "serve-m-1", **more: Any) -> Case:
    ranks = {"spark1": (LiveRank("spark1", 5, first, job),)}
    ranks |= {"spark2": (LiveRank("spark2", 6, second, "serve-m-2"),)} if second else {}
    runs = found(labels=NO_RAY)
    return Case("", look(1, container=runs), look(2, container=runs), {"ranks": ranks, **more})


def test_ranks_with_other_words_hang() -> None:
    other = tuple("4096" if word == "8192" else word for word in SECOND)
    (finding,) = wrong(served(RANK, other))
    assert (finding.check, finding.severity, finding.node) == ("engine", Severity.FAIL, "spark2")
    assert "--max-model-len 4096 (--max-model-len 8192)" in finding.sentence
    lacking = tuple(w for w in SECOND if w not in ("-tp",))
    assert "no --tensor-parallel-size" in wrong(served(RANK, lacking))[0].sentence


def test_ranks_may_be_said_in_other_ways() -> None:
    same = tuple("--tensor-parallel-size" if w == "-tp" else w for w in SECOND if w != "8192")
    same = tuple("--max_model_len=8192" if w == "--max-model-len" else w for w in same)
    assert wrong(served(RANK, same)) == []
    assert said(served(RANK, same), "engine")[0][0] is Severity.OK


def test_a_rank_that_does_not_run() -> None:
    (finding,) = wrong(served(RANK))
    assert "rank 1 of 2 does not run" in finding.sentence
    assert wrong(served(RANK[:7])) == [], "with Ray there is one"


def test_words_that_a_restart_brought_back() -> None:
    before = {"o/m": ("vllm", "serve", "o/m", "--port", "8888", "-tp", "2", "--max-model-len", "4096")}
    now = RANK[:9]
    (finding,) = wrong(served(now, job="", last_known=before))
    assert (finding.check, finding.severity, finding.node) == ("engine", Severity.WARN, "spark1")
    assert "--max-model-len 8192 (--max-model-len 4096)" in finding.sentence
    assert wrong(served(now, last_known=before)) == [], "this console's own job has its own words"
    assert wrong(served(now, job="", last_known={"o/m": now})) == []
    assert wrong(served(now, job="", last_known={"another": before["o/m"]})) == []


def test_a_key_in_a_command_is_not_repeated() -> None:
    (finding,) = wrong(served((*RANK[:9], "--api-key", "hush"), job="", last_known={"o/m": RANK[:9]}))
    assert "hush" not in finding.sentence
    assert "--api-key ***" in finding.sentence


def test_gpus_that_ray_keeps_for_nobody() -> None:
    runs = {"container": found()}
    case = Case("", look(1, **runs), look(2, **runs), {"members": MEMBERS, "placements": 1})
    (finding,) = wrong(case)
    assert (finding.check, finding.severity, finding.node) == ("ray", Severity.WARN, "spark1")
    rank = {"ranks": {"spark1": (LiveRank("spark1", 5, RANK[:7]),)}}
    assert wrong(replace(case, more={**case.more, **rank})) == [], "it is served"
    busy = look(1, **runs, gpu_processes=(GpuProcess(7, "VLLM::EngineCore", 9),))
    assert wrong(replace(case, first=busy)) == [], "somebody computes there"
    for placements in (0, None):
        assert wrong(replace(case, more={"members": MEMBERS, "placements": placements})) == []
    alone = Case("", look(1, container=found(labels=SOLO)), look(2), {"placements": 1})
    assert wrong(alone) == []


# --- what nvidia-smi calls no error


def gpu(use: float, mhz: float, watt: float, heat: float = 45.0) -> Gpu:
    return Gpu("NVIDIA GB10", driver="580.95.05", utilisation=use, clock_mhz=mhz, power_w=watt,
               temperature_c=heat, pstate="P0")  # fmt: skip


def test_a_gpu_that_is_stuck_slow() -> None:
    (finding,) = wrong(Case("", second=look(2, gpus=(gpu(96, 850, 20),))))
    assert (finding.check, finding.severity, finding.node) == ("gpu", Severity.WARN, "spark2")
    assert "power cords" in finding.remedy


@pytest.mark.parametrize(
    "sound",
    [gpu(0, 208, 4.5), gpu(96, 2411, 45), gpu(96, 2411, 21), gpu(3, 850, 11), gpu(96, 850, 20, heat=88)],
)
def test_a_gpu_that_idles_or_works_or_is_hot_is_not(sound: Gpu) -> None:
    assert wrong(Case("", look(1, gpus=(sound,)), look(2, gpus=(sound,)))) == []


def test_a_clamp_that_is_not_in_force() -> None:
    clamps = {"deep": {"clamps": {"gpu-clock.service": 2150}}}
    (finding,) = wrong(Case("", second=look(2, gpus=(gpu(96, 2411, 45),), **clamps)))
    assert (finding.check, finding.node) == ("gpu", "spark2")
    assert finding.fix is not None
    assert finding.fix.argv == ("sudo", "-n", "systemctl", "restart", "gpu-clock.service")
    for held in (gpu(96, 2150, 40), gpu(0, 208, 4)):
        assert wrong(Case("", second=look(2, gpus=(held,), **clamps))) == []


def went(ended: bool | None, uptime_s: float, status: str = "Exited (255) 2 minutes ago") -> Case:
    left = (Bystander("job", "exited", status),)
    return Case("", second=look(2, deep={"ended": ended, "uptime_s": uptime_s, "containers": left}))


def test_power_that_went_while_a_container_ran() -> None:
    (finding,) = wrong(went(False, 120.0))
    assert (finding.check, finding.severity, finding.node) == ("power", Severity.WARN, "spark2")
    assert "00:02:00 ago, while job ran" in finding.sentence
    for sound in (
        went(False, 120.0, "Exited (0) 2 minutes ago"),
        went(False, 900_000.0),
        went(True, 120.0),
        went(None, 120.0),
    ):
        assert wrong(sound) == [], "a cord that somebody pulled is no fault"
    assert any("without a shutdown" in told for _, _, told in said(went(False, 900_000.0), "power"))
    assert len(said(went(None, 120.0), "power")) == 1, "of a node whose journal is closed nothing is said"


def test_tokens_that_come_slower_than_they_did() -> None:
    fast, slow = Pace("20261101-bench", "a", 20.0), Pace("20261124-bench", "a", 41.0)
    (finding,) = wrong(Case("", more={"paces": (slow, fast)}))
    assert (finding.check, finding.severity) == ("pace", Severity.WARN)
    assert "41.0 ms a token in 20261124-bench, 20.0 ms in 20261101-bench" in finding.sentence
    other = replace(fast, asked="b")
    for paces in ((), (slow,), (slow, other), (fast, slow), (replace(fast, token_ms=22.0), fast)):
        assert wrong(Case("", more={"paces": paces})) == []
