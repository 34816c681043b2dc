"""Every check of the table: looks that make it speak up, and looks that do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.weights import Checkpoint, WeightFile
from sparkconsole.model.checks import CHECKS, ClusterEvidence, Finding, Look, Pace, Severity, judge, networks
from sparkconsole.model.checks.rules import Rule
from sparkconsole.model.checks.skew import skew
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev
from sparkconsole.model.facts import (
    Bystander,
    DeepProbe,
    DockerAccess,
    Gpu,
    GpuProcess,
    Listener,
    Memory,
    NodeFacts,
)
from sparkconsole.model.launch.site import Site
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.engine import LiveRank

GB = 1_000_000_000
IMAGE = ImageIdentity("vllm-node", "sha256:1", "linux/arm64", ("a", "b"), "c")
CONTENTS = {"vllm": "0.15.1", "ray": "2.53.0", "python": "3.12.3", "nccl": "2.28.9", "cuda": "13.0"}
RAY = {"org.sparkconsole.launch": '{"backend": "ray"}', "org.sparkconsole.cluster": "c"}
SOLO = {"org.sparkconsole.launch": '{"backend": "solo"}', "org.sparkconsole.cluster": "c"}
WHOLE = Checkpoint("/home/ann/x", "abc", files=(WeightFile("model.safetensors", 9),))
FIRST, TWIN, MANAGEMENT = "enp1s0f1np1", "enP2p1s0f1np1", "enP7s7"
DEEP = DeepProbe(
    uid=1000, ssh_folder=True, docker_group=("ann",), hotplug=True, reboot_required=False, lingers=False,
    login={"KillUserProcesses": "no", "RemoveIPC": "yes"}, firmware={"rocep1s0f1": "28.45.4028"}, cuda="13.0",
    default_routes=(MANAGEMENT,), listeners=(Listener("0.0.0.0", 22), Listener("127.0.0.1", 8265)),
    containers=(), nic_updater=False, uptime_s=9_000.0, ended=True,
)  # fmt: skip


def fabric(number: int, **changes: Any) -> Fabric:
    """Two halves of one cable, addressed as NVIDIA's guide says; and the 10G port."""
    first, twin, far = (f"192.168.177.{number}/24",), (f"192.168.178.{number}/24",), (f"10.0.0.{number}/24",)
    netdevs = {
        FIRST: Netdev(FIRST, first, 9000, True, speed_mbit=200_000),
        TWIN: Netdev(TWIN, twin, 9000, True, speed_mbit=200_000),
        MANAGEMENT: Netdev(MANAGEMENT, far, 1500, True, speed_mbit=10_000),
    }
    for name, changed in changes.items():
        netdevs[name] = replace(netdevs[name], **changed)
    hcas = (
        Hca("rocep1s0f1", FIRST, up=True, image_guid=str(number)),
        Hca("roceP2p1s0f1", TWIN, up=True, image_guid=str(number)),
    )
    return Fabric(hcas, tuple(netdevs.values()))


def found(running: bool = True, labels: Mapping[str, str] | None = None, **more: Any) -> Container:
    state, code = ("running", 0) if running else ("exited", 137)
    usual = {"exit_code": code, "labels": RAY if labels is None else labels}
    return Container("vllm_node", "c1", "vllm-node", "sha256:1", state, **(usual | more))


def look(number: int, *, image: ImageIdentity | None = IMAGE, container: Container | None = None,
         checkpoint: Checkpoint | None = None, ahead: float = 0.0, deep: Mapping[str, Any] | None = None,
         **facts: Any) -> Look:  # fmt: skip
    usual: dict[str, Any] = {
        "hostname": f"spark{number}",
        "kernel": "6.11.0-1016-nvidia",
        "machine": "aarch64",
        "user": "ann",
        "home": "/home/ann",
        "cache_owner": "ann",
        "clock_synced": True,
        "fabric": fabric(number),
        "gpus": (Gpu("NVIDIA GB10", driver="580.95.05"),),
        "memory": Memory(128 * GB, 120 * GB, 16 * GB, 16 * GB),
        "docker": DockerAccess(True, True, True, "29.2.1", "overlay2", "/var/lib/docker"),
        "free": {"docker": 900 * GB, "home": 900 * GB, "cache": 900 * GB},
        "deep_probe": replace(DEEP, **(deep or {})),
    }
    site = Site(f"spark{number}", "/home/ann", 120 * GB, frozenset(), container)
    return Look(NodeFacts(f"spark{number}", **(usual | facts)), site, image, None, ahead, checkpoint)


@dataclass
class Case:
    """Looks at two nodes and what else is known; what is expected is `CHECK SEVERITY NODE: words`."""

    expected: str
    first: Look = field(default_factory=lambda: look(1))
    second: Look | SparkError = field(default_factory=lambda: look(2))
    more: dict[str, Any] = field(default_factory=dict)

    def findings(self) -> tuple[Finding, ...]:
        looks = {"spark1": self.first, "spark2": self.second}
        cluster = Cluster(nodes=(Node(name="spark1", address="a"), Node(name="spark2", address="b")))
        short = IMAGE.short
        usual: dict[str, Any] = {"versions": {short: CONTENTS}, "rules": (RULE,)}
        return judge(
            ClusterEvidence(
                cluster, "vllm-node", "vllm_node", looks, networks(cluster, looks), **(usual | self.more)
            )
        )


PACE = Pace("r1", "the same", 20.0)
RULE = Rule.model_validate(
    {"id": "bad-pair", "when": {"driver": ">=590", "vllm": "<1"}, "severity": "fail", "what": "they hang"}
)
MEMBERS = tuple(RayMember(str(n), f"192.168.177.{n}", head=n == 1, alive=True, gpus=1) for n in (1, 2))
RUNS = {"container": found()}
OTHER_DRIVER = (Gpu("NVIDIA GB10", driver="590.10"),)
CASES = {
    "no ssh folder": Case("login warn spark2: no ~/.ssh", second=look(2, deep={"ssh_folder": False})),
    "jobs die with the login": Case(
        "login warn spark1: KillUserProcesses=yes", look(1, deep={"login": {"KillUserProcesses": "yes"}})
    ),
    "other users": Case("login warn : spark1 ann, spark2 bob", second=look(2, user="bob", cache_owner="bob")),
    "docker for the next login": Case(
        "docker fail spark1: older than the group", look(1, docker=DockerAccess(True, True, False))
    ),
    "other firmware": Case(
        "firmware warn : NIC firmware differs", second=look(2, deep={"firmware": {"x": "28.43.1000"}})
    ),
    "known bad": Case(
        "known bad fail spark1: they hang (bad-pair: driver 590.10, vllm 0.15.1)",
        look(1, gpus=OTHER_DRIVER),
        look(2),
    ),
    "kernel log": Case(
        "kernel log warn spark2: held at a tenth",
        second=look(2, deep={"kernel_log": {"slot power capability was not advertised": 2}}),
    ),
    "reboot": Case("reboot warn spark1: waits for a reboot", look(1, deep={"reboot_required": True})),
    "half a cable": Case(
        "fabric warn : RDMA devices differs",
        second=look(2, fabric=replace(fabric(2), hcas=fabric(2).hcas[:1])),
    ),
    "switch at 100G": Case(
        "speed warn spark2: enp1s0f1np1 100000",
        second=look(2, fabric=fabric(2, **{FIRST: {"speed_mbit": 100_000}})),
    ),
    "address twice": Case(
        "address fail spark2: 192.168.177.1 is the address of spark1 and of spark2",
        second=look(2, fabric=fabric(1)),
    ),
    "one twin without": Case(
        "address warn spark2: enP2p1s0f1np1 has no IPv4",
        second=look(2, fabric=fabric(2, **{TWIN: {"addresses": ()}})),
    ),
    "fast and slow in one subnet": Case(
        "address warn spark1: same subnet as enP7s7",
        look(1, fabric=fabric(1, **{MANAGEMENT: {"addresses": ("192.168.177.99/24",)}})),
    ),
    "way out over the fast link": Case(
        "default route warn spark1: leads over the fast link",
        look(1, deep={"default_routes": (FIRST, MANAGEMENT)}),
    ),
    "another MTU": Case(
        "mtu warn spark2: spark1 9000, spark2 1500",
        second=look(2, fabric=fabric(2, **{FIRST: {"mtu": 1500}, TWIN: {"mtu": 1500}})),
    ),
    "another processor": Case(
        "image fits fail spark2: the machine is x86_64", second=look(2, machine="x86_64")
    ),
    "newer CUDA": Case(
        "image fits warn spark1: CUDA 13.0, the driver offers 12.8", look(1, deep={"cuda": "12.8"})
    ),
    "no Ray": Case("image fits warn : has no Ray", more={"versions": {IMAGE.short: {"vllm": "0.15.1"}}}),
    "other versions": Case(
        "versions warn : ray in the image differs: spark1 2.53.0, spark2 2.52.0",
        second=look(2, image=replace(IMAGE, layers=("z",))),
        more={"versions": {IMAGE.short: CONTENTS, replace(IMAGE, layers=("z",)).short: {"ray": "2.52.0"}}},
    ),
    "old container": Case(
        "container warn spark2: an old container vllm_node is left (exit status 137)",
        second=look(2, container=found(running=False)),
    ),
    "never started": Case(
        "container warn spark1: made and never started",
        look(1, container=found(running=False), deep={"containers": (Bystander("vllm_node", "created"),)}),
    ),
    "paused": Case(
        "container fail spark2: is paused",
        look(1, **RUNS),
        look(2, **RUNS, deep={"containers": (Bystander("vllm_node", "paused"),)}),
        {"members": MEMBERS},
    ),
    "half a cluster": Case(
        "container fail spark2: runs on spark1 and not here", look(1, **RUNS), more={"members": MEMBERS[:1]}
    ),
    "worker ended": Case(
        "container fail spark2: ended here (the kernel killed it",
        look(1, **RUNS),
        look(2, container=found(running=False, oom_killed=True)),
        {"members": MEMBERS[:1]},
    ),
    "Ray without a worker": Case(
        "ray fail spark2: no living member at 192.168.177.2: it never joined",
        look(1, **RUNS),
        look(2, **RUNS),
        {"members": MEMBERS[:1]},
    ),
    "Ray is silent": Case(
        "ray warn spark1: does not answer",
        look(1, **RUNS),
        look(2, **RUNS),
        {"members": None, "ray_asked": True},
    ),
    "model on one node": Case(
        "model fail spark2: o/m is not there",
        look(1, checkpoint=WHOLE),
        look(2, checkpoint=Checkpoint()),
        {"model": "o/m"},
    ),
    "model cut off": Case(
        "model fail spark2: model.safetensors (cut off)",
        look(1, checkpoint=WHOLE),
        look(2, checkpoint=replace(WHOLE, files=(WeightFile("model.safetensors", 4, "cut off"),))),
        {"model": "o/m"},
    ),
    "other revisions": Case(
        "model warn : revision of o/m differs",
        look(1, checkpoint=WHOLE),
        look(2, checkpoint=replace(WHOLE, revision="def")),
        {"model": "o/m"},
    ),
    "cache of root": Case("cache warn spark2: belongs to root", second=look(2, cache_owner="root")),
    "folder of root": Case(
        "cache warn spark1: may not write to /c/hub", look(1, deep={"cache_closed": "/c/hub"})
    ),
    "compiled code on NFS": Case(
        "cache warn spark1: ~/.cache/vllm is on NFS", look(1, deep={"compile_cache_types": {"vllm": "nfs4"}})
    ),
    "port of a container": Case(
        "ports fail spark1: port 6379 is in use by the container redis",
        look(
            1,
            listening=frozenset({6379}),
            deep={"containers": (Bystander("redis", "running", "", "", "0.0.0.0:6379->6379/tcp"),)},
        ),
    ),
    "port of a program": Case(
        "ports warn spark1: port 8888 is in use by python3",
        look(1, listening=frozenset({8888}), deep={"listeners": (Listener("0.0.0.0", 8888, "python3"),)}),
    ),
    "open dashboard": Case(
        "exposed warn spark1: Ray's dashboard listens on 0.0.0.0:8265",
        look(1, deep={"listeners": (Listener("0.0.0.0", 8265),)}),
    ),
    "an engine without its server": Case(
        "memory warn spark1: VLLM::EngineCore (pid 7",
        look(1, gpu_processes=(GpuProcess(7, "VLLM::EngineCore", GB),)),
    ),
    "swapping": Case(
        "swap warn spark1: swapped out",
        look(1, memory=Memory(128 * GB, 20 * GB, 16 * GB, 4 * GB), **RUNS),
        look(2, **RUNS),
        {"members": MEMBERS},
    ),
    "no room for models": Case(
        "disk fail spark2: where models are kept", second=look(2, free={"docker": 900 * GB, "cache": GB // 2})
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_check_speaks_up_and_nothing_else_does(name: str) -> None:
    case = CASES[name]
    head, _, words = case.expected.partition(": ")
    wrong = [f for f in case.findings() if f.severity is not Severity.OK]
    told = {f"{f.check} {f.severity} {f.node}": f.sentence for f in wrong if words in f.sentence}
    assert list(told) == [head], [f.as_data() for f in wrong]
    allowed = {case.expected.split(" warn")[0].split(" fail")[0], *_GO_ALONG.get(name, ())}
    assert {f.check for f in wrong} <= allowed


_GO_ALONG = {
    "known bad": {"driver"},
    "half a cable": {"fabric"},
    "one twin without": {"fabric"},
    "fast and slow in one subnet": {"fabric"},
    "address twice": {"fabric"},
    "other versions": {"image"},
    "half a cluster": {"ray"},
}
"""What the same trouble also shows as."""


def test_a_healthy_pair_idle_or_serving_has_nothing_wrong_and_every_check_spoke() -> None:
    idle = Case("", more={"model": "o/m"}, first=look(1, checkpoint=WHOLE), second=look(2, checkpoint=WHOLE))
    busy = {"memory": Memory(128 * GB, 12 * GB, 16 * GB, 16 * GB), "listening": frozenset({22, 6379, 8888})}
    ranks = {"spark1": (LiveRank("spark1", 7, ("vllm", "serve", "o/m")),)}
    known = {"members": MEMBERS, "ranks": ranks, "placements": 1, "paces": (PACE, PACE)}
    serving = Case("", look(1, **RUNS, **busy), look(2, **RUNS, **busy), known)
    solo = Case("", look(1, container=found(labels=SOLO)), look(2))
    bare = look(1, gpu_processes=(GpuProcess(7, "VLLM::EngineCore", GB),), listening=frozenset({8000}))
    for case in (idle, serving, solo, Case("", bare)):
        assert [f for f in case.findings() if f.severity is not Severity.OK] == []
    elsewhere = {"reach", "route", "mtu path"}
    silent = {"versions", "kernel log", *elsewhere}
    spoke = {f.check for case in (idle, serving) for f in case.findings()}
    assert spoke == {c.id for c in CHECKS} - silent, "unequal versions and the kernel's words alone are told"


def test_what_was_judged_elsewhere_stands_in_its_place() -> None:
    told = Finding("mtu path", Severity.FAIL, "spark1", "eaten")
    found = Case("", more={"others": (told,)}).findings()
    assert found.index(told) < [f.check for f in found].index("image")


def test_a_node_that_nobody_looked_at_closely_is_not_accused() -> None:
    shallow = look(2)
    bare = replace(shallow, facts=replace(shallow.facts, deep_probe=None, gpus=shallow.facts.gpus))
    assert [f for f in Case("", second=bare).findings() if f.severity is not Severity.OK] == []


def test_checks_are_told_apart_and_never_worse_than_they_say() -> None:
    assert len({c.id for c in CHECKS}) == len(CHECKS)
    worst = {c.id: c.worst for c in CHECKS}
    for case in CASES.values():
        for f in case.findings():
            assert f.severity is not Severity.FAIL or worst[f.check] is Severity.FAIL, f
    assert all(c.question.endswith("?") and c.why and c.needs for c in CHECKS)
    assert {c.after for c in CHECKS if c.after} <= {c.id for c in CHECKS}


def test_safe_remedies_carry_their_command_and_ask_for_no_password() -> None:
    fixes = {f.check: f.fix.argv for n, c in CASES.items() if n != "paused" for f in c.findings() if f.fix}
    assert fixes["mtu"] == ("sudo", "-n", "ip", "link", "set", "dev", FIRST, "mtu", "9000")
    assert fixes["container"] == ("docker", "rm", "--", "vllm_node")
    assert fixes["cache"][:2] == ("docker", "run"), "root in a container needs no password"
    assert fixes["cache"][-3:] == ("-R", "1000", "/cache")
    as_root = Case("", second=look(2, fabric=fabric(2, **{FIRST: {"mtu": 1500}}), deep={"uid": 0}))
    assert next(f.fix.argv[0] for f in as_root.findings() if f.fix and f.check == "mtu") == "ip"


def test_skew_names_the_majority_and_who_differs() -> None:
    cluster = Cluster(nodes=tuple(Node(name=f"spark{n}", address=str(n)) for n in (1, 2, 3)))
    looks = {"spark1": look(1), "spark2": look(2, kernel="6.17"), "spark3": look(3)}
    evidence = ClusterEvidence(cluster, "vllm-node", "vllm_node", looks, networks(cluster, looks),
                        versions={IMAGE.short: CONTENTS})  # fmt: skip
    rows = {row.what: row for row in skew(evidence)}
    assert rows["kernel"].majority == "6.11.0-1016-nvidia"
    assert rows["kernel"].differing == {"spark2": "6.17"}
    assert {w for w, row in rows.items() if row.differing} == {"kernel"}
    assert rows["NIC firmware"].majority == "28.45.4028"
    assert rows["vllm"].majority == "0.15.1"
