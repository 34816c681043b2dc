"""Each judgement of `check`, on values: what is fine, what warns, what fails, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.checks import ClusterEvidence, Finding, Look, Severity, judge, networks
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev
from sparkconsole.model.facts import DockerAccess, Gpu, Memory, NodeFacts
from sparkconsole.model.launch.site import Site

IMAGE = ImageIdentity("vllm-node", "sha256:1", "linux/arm64", ("a", "b"), "c")
OTHER = replace(IMAGE, layers=("a", "x"))
NODES = ("spark1", "spark2", "spark3")
GB = 1_000_000_000


def facts(index: int, **changes: Any) -> NodeFacts:
    name = NODES[index]
    usual: dict[str, Any] = {
        "hostname": name,
        "kernel": "6.11",
        "user": "ann",
        "cache_owner": "ann",
        "fabric": link(f"192.168.177.{11 + index}/24"),
        "gpus": (Gpu("NVIDIA GB10", driver="580"),),
        "memory": Memory(100 * GB, 90 * GB),
        "docker": DockerAccess(True, True, True, "28", "overlay2", "/var/lib/docker"),
        "free": {"docker": 500 * GB, "home": 500 * GB},
    }
    return NodeFacts(name, **(usual | changes))


def link(address: str, mtu: int = 9000) -> Fabric:
    twins = tuple(
        Hca(d, n, up=True, image_guid=address) for d, n in (("rocep1s0f1", "e1"), ("roceP2p1s0f1", "e2"))
    )
    twins = (replace(twins[0], netdev="enp1s0f1np1"), replace(twins[1], netdev="enP2p1s0f1np1"))
    return Fabric(
        twins, (Netdev("enp1s0f1np1", (address,), mtu, True), Netdev("enP2p1s0f1np1", (), mtu, True))
    )


def look(index: int, *, image: ImageIdentity | None = IMAGE, running: bool = False, ahead: float = 0.0,
         docker_error: SparkError | None = None, **changes: Any) -> Look:  # fmt: skip
    found = Container("vllm_node", "c1", "vllm-node", "sha256:1", "running") if running else None
    site = None if docker_error else Site(NODES[index], "/home/ann", 90 * GB, frozenset(), found)
    return Look(facts(index, **changes), site, image, docker_error, ahead)


def findings(*looks: Look | SparkError) -> tuple[Finding, ...]:
    nodes = tuple(Node(name=n, address=n) for n in NODES[: len(looks)])
    cluster, by_node = Cluster(nodes=nodes), dict(zip(NODES, looks, strict=False))
    chosen = networks(cluster, by_node, eth_if=None, ib_if=())
    return judge(ClusterEvidence(cluster, "vllm-node", "vllm_node", by_node, chosen))


def wrong(*looks: Look | SparkError) -> list[tuple[str, str, str]]:
    return [(f.check, f.severity.value, f.node) for f in findings(*looks) if f.severity is not Severity.OK]


def only(*looks: Look | SparkError) -> Finding:
    """The one finding that is not fine."""
    (finding,) = [f for f in findings(*looks) if f.severity is not Severity.OK]
    return finding


def test_a_good_pair_has_nothing_wrong_and_every_check_spoke() -> None:
    found = findings(look(0), look(1))
    assert {f.severity for f in found} == {Severity.OK}
    assert {f.check for f in found} == {
        "reachable", "docker", "gpu", "fabric", "ports", "disk", "memory", "cache", "speed", "address",
        "subnet", "mtu", "clock", "kernel", "driver", "image", "container", "settings",
    }, "what was not looked at thoroughly says nothing"  # fmt: skip


def test_an_unreachable_node_is_told_and_the_others_are_judged() -> None:
    lost = Unreachable("no answer", hint="is it on?", node="spark2")
    assert only(look(0), lost, look(2)) == Finding(
        "reachable", Severity.FAIL, "spark2", "no answer", "is it on?"
    )


@pytest.mark.parametrize(
    ("standing", "sentence", "remedy"),
    [
        (DockerAccess(), "not installed", "apt install docker.io"),
        (DockerAccess(installed=True), "does not run", "systemctl start docker"),
        (DockerAccess(installed=True, running=True), "may not be used by ann", "usermod -aG docker ann"),
    ],
)
def test_docker_in_the_way(standing: DockerAccess, sentence: str, remedy: str) -> None:
    finding = only(look(0, docker=standing))
    assert (finding.check, finding.severity) == ("docker", Severity.FAIL)
    assert sentence in finding.sentence
    assert remedy in finding.remedy


def test_an_engine_that_does_not_answer_fails_and_its_images_are_unknown() -> None:
    stuck = look(1, docker_error=SparkError("docker gave no answer for", hint="restart it"), image=None)
    assert wrong(look(0), stuck) == [("docker", "fail", "spark2")]


def test_no_gpu_fails_unless_the_image_needs_none() -> None:
    finding = only(look(0, gpus=(), gpu_error="no driver"))
    assert (finding.check, finding.severity) == ("gpu", Severity.FAIL)
    assert "no driver" in finding.sentence
    cpu = replace(IMAGE, labels={"org.sparkconsole.accelerator": "cpu"})
    assert wrong(look(0, gpus=(), image=cpu)) == []


def test_alone_no_fast_link_is_needed() -> None:
    assert wrong(look(0, fabric=Fabric())) == []


def test_together_every_node_needs_one() -> None:
    finding = only(look(0), look(1, fabric=Fabric()))
    assert (finding.check, finding.severity, finding.node) == ("fabric", Severity.FAIL, "spark2")
    assert "QSFP" in finding.remedy


def test_another_subnet_fails_and_another_mtu_warns() -> None:
    assert ("subnet", "fail", "spark2") in wrong(look(0), look(1, fabric=link("10.9.9.12/24")))
    finding = only(look(0), look(1, fabric=link("192.168.177.12/24", mtu=1500)))
    assert (finding.check, finding.severity) == ("mtu", Severity.WARN)
    assert "spark1 9000, spark2 1500" in finding.sentence


def test_ports_of_ray_fail_and_those_of_later_warn_on_the_head_only() -> None:
    taken = frozenset({22, 6379, 8888})
    assert wrong(look(0, listening=taken), look(1, listening=taken)) == [
        ("ports", "fail", "spark1"),
        ("ports", "warn", "spark1"),
    ]
    assert wrong(look(0, listening=taken, running=True), look(1, running=True)) == [], "our own container"
    assert wrong(look(0, listening=taken)) == [("ports", "warn", "spark1")] * 2, "alone Ray is not started"


@pytest.mark.parametrize(
    ("free", "severity"), [(40 * GB, None), (40 * GB - 1, "warn"), (GB, "warn"), (GB - 1, "fail")]
)
def test_disk(free: int, severity: str | None) -> None:
    expected = [("disk", severity, "spark1")] if severity else []
    assert wrong(look(0, free={"docker": free, "home": 9000 * GB})) == expected


def test_memory_below_a_fifth_warns_and_knows_who_takes_it() -> None:
    assert wrong(look(0, memory=Memory(100 * GB, 20 * GB))) == []
    assert "ps aux" in only(look(0, memory=Memory(100 * GB, 19 * GB))).remedy
    assert wrong(look(0, memory=Memory(100 * GB, 19 * GB), running=True)) == [], "that is what serving takes"
    assert "serve stop" in only(look(0, memory=Memory(100 * GB, 3 * GB), running=True)).remedy


def test_unknown_is_said_and_not_taken_for_good() -> None:
    assert wrong(look(0, memory=None, free={})) == [("memory", "warn", "spark1"), ("disk", "warn", "spark1")]


def test_the_wrong_clock_is_blamed_alone() -> None:
    finding = only(look(0, ahead=100.0), look(1, ahead=110.0), look(2, ahead=100.5))
    assert (finding.check, finding.severity, finding.node) == ("clock", Severity.WARN, "spark2")
    assert "10 s ahead of" in finding.sentence
    assert wrong(look(0, ahead=-500.0), look(1, ahead=-501.0)) == [], "the console's own clock blames nobody"


def test_a_slow_answer_is_no_wrong_clock() -> None:
    slow = replace(look(1, ahead=8.0), clock_doubt_s=8.0)
    assert wrong(look(0), slow, look(2)) == []
    assert wrong(look(0), replace(slow, clock_ahead_s=90.0), look(2)) == [("clock", "warn", "spark2")]


def test_other_kernels_and_drivers_warn() -> None:
    other = (Gpu("NVIDIA GB10", driver="590"),)
    assert wrong(look(0), look(1, kernel="6.17", gpus=other)) == [
        ("driver", "warn", ""),
        ("kernel", "warn", ""),
    ]


def test_images_missing_everywhere_somewhere_or_differing() -> None:
    nowhere = findings(look(0, image=None), look(1, image=None))
    told = [f for f in nowhere if f.check == "image"]
    assert [(f.node, f.severity, f.remedy) for f in told] == [
        (n, Severity.WARN, "sparkconsole image build -t vllm-node") for n in ("spark1", "spark2")
    ]
    assert only(look(0), look(1, image=None)).remedy == "sparkconsole image copy vllm-node"
    differs = only(look(0), look(1, image=OTHER))
    assert (differs.check, differs.severity, differs.node) == ("image", Severity.WARN, "spark2")
    assert "the first 1 of them shared" in differs.sentence
    assert wrong(look(0), look(1, image=replace(IMAGE, id="sha256:manifest"))) == [], "ids say nothing"


def test_a_cache_of_root_is_told_with_the_command() -> None:
    assert wrong(look(0, cache_owner="")) == []
    assert only(look(0, cache_owner="root")).remedy == "sudo chown -R ann ~/.cache/huggingface"


def test_a_nodes_own_word_beats_the_clusters_and_what_is_said_now_beats_both() -> None:
    fabric = replace(
        link("192.168.177.11/24"),
        netdevs=(*link("192.168.177.11/24").netdevs, Netdev("eno1", ("10.0.0.1/24",), 1500, True),
                 Netdev("eno2", ("10.0.1.1/24",), 1500, True)),
    )  # fmt: skip
    cluster = Cluster(
        eth_if="eno1",
        nodes=(Node(name="spark1", address="a"), Node(name="spark2", address="b", eth_if="eno2")),
    )
    looks = {"spark1": look(0, fabric=fabric), "spark2": look(1, fabric=fabric)}

    def chosen(**said: Any) -> list[Any]:
        found = networks(cluster, looks, **({"eth_if": None, "ib_if": ()} | said))
        return [getattr(n, "eth_if", n) for n in found.values()]

    assert chosen() == ["eno1", "eno2"]
    assert chosen(eth_if="enp1s0f1np1") == ["enp1s0f1np1", "enp1s0f1np1"]
    assert all(isinstance(n, SparkError) for n in chosen(eth_if="enp9"))


def test_a_gpu_that_needs_a_reset_is_not_a_good_one() -> None:
    finding = only(look(0, gpu_error="GPU requires reset"))
    assert (finding.check, finding.severity) == ("gpu", Severity.FAIL)
    assert "NVIDIA GB10" in finding.sentence
    assert "requires reset" in finding.sentence


def test_nodes_with_different_numbers_of_gpus_warn() -> None:
    two = (Gpu("NVIDIA GB10", driver="580"), Gpu("NVIDIA GB10", driver="580"))
    finding = only(look(0), look(1, gpus=two))
    assert (finding.check, finding.severity) == ("gpu", Severity.WARN)
    assert "spark1 1, spark2 2" in finding.sentence


def test_a_clock_that_nobody_keeps_warns_where_nodes_work_together() -> None:
    assert wrong(look(0, clock_synced=False)) == []
    assert wrong(look(0, clock_synced=True), look(1, clock_synced=None)) == []
    finding = only(look(0), look(1, clock_synced=False))
    assert (finding.check, finding.severity, finding.node) == ("clock", Severity.WARN, "spark2")


def test_lines_that_were_not_understood_are_shown() -> None:
    finding = only(look(0), look(1, unparsed=("ibdev2netdev: what is this",)))
    assert (finding.severity, finding.node) == (Severity.WARN, "spark2")
    assert "what is this" in finding.sentence


def test_nodes_with_different_numbers_of_rdma_devices_warn() -> None:
    both = link("192.168.177.12/24")
    half = replace(both, hcas=(both.hcas[0],))
    finding = only(look(0), look(1, fabric=half))
    assert (finding.check, finding.severity) == ("fabric", Severity.WARN)
    assert "spark1 2, spark2 1" in finding.sentence
