"""Every check as data: what is asked, what it needs, who judges, why it matters; and asking all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sparkconsole.model.checks import machine, network, power, running, software
from sparkconsole.model.checks.evidence import ClusterEvidence, Judgement, each
from sparkconsole.model.finding import Finding, Severity
from sparkconsole.model.probes import Probe


@dataclass(frozen=True, slots=True)
class Check:
    """One check. It says nothing where its evidence is missing."""

    id: str
    question: str
    why: str
    needs: str
    """The evidence, in words."""
    asks: tuple[Probe, ...] = ()
    """The same, as it is asked for; who a node is, its memory and its ports are told anyway."""
    judges: tuple[Judgement, ...] = ()
    """Empty: it is judged elsewhere, of the paths between nodes."""
    worst: Severity = Severity.WARN
    after: str = ""
    """The check without which nothing is known of a node here."""
    between: bool = False
    """Of nodes against each other: one that is not named is right."""
    several: bool = False
    """It is about several nodes: of one alone it says nothing."""
    matters_to: frozenset[str] = frozenset()
    """The verbs that refuse when it fails."""


E = Probe
LAUNCH, SERVE = frozenset({"launch"}), frozenset({"serve"})
FAIL = Severity.FAIL

CHECKS = (
    Check("reachable", "Does every node answer?",
          "Everything goes over one SSH connection per node; without it a node is unknown.",
          "an SSH login", (), (machine.reachable,), FAIL, matters_to=LAUNCH | SERVE),
    Check("docker", "Does Docker run, and may the login use it?",
          "The model runs in a container, started as the user who is logged in.",
          "the engine's socket", (E.DOCKER, E.DEEP), (each(machine.docker),), FAIL,
          matters_to=LAUNCH | SERVE),
    Check("login", "Is the login the same, and do its jobs outlive it?",
          "Builds and copies go on when the connection ends; images go from node to node by keys.",
          "~/.ssh, logind's settings, the user's name", (E.DEEP,), (machine.login,)),
    Check("gpu", "Is the GPU visible and well?", "One rank of the model runs on each GPU.",
          "nvidia-smi",
          (E.GPU, E.DOCKER, E.DEEP),
          (each(machine.gpu), machine.gpu_counts, each(power.stuck), each(power.clamped)), FAIL,
          matters_to=LAUNCH),
    Check("driver", "Is the GPU driver the same on every node?",
          "A driver that differs may lack what the image was built for.",
          "nvidia-smi", (E.GPU,), (software.one_release("driver", "GPU driver"),), after="gpu", between=True),
    Check("kernel", "Is the kernel the same on every node?",
          "Nodes on different releases are the first suspects when it worked yesterday.",
          "uname", (), (software.one_release("kernel", "kernel"),), between=True),
    Check("firmware", "Is the NIC's firmware the same on every node?",
          "Old ConnectX-7 firmware was measured at two thirds of the bandwidth.",
          "fw_ver in sysfs, fwupd's news", (E.DEEP,), (software.firmware,), between=True),
    Check("known bad", "Is this a combination that others had trouble with?",
          "Some versions work alone and hang or slow down together.",
          "the versions of everything, and rules.toml", (E.GPU, E.DOCKER, E.DEEP, E.KERNEL, E.CONTENTS),
          (software.known_bad,), FAIL),
    Check("kernel log", "Did the kernel see hardware fail since it booted?",
          "A GPU or a NIC that failed stays slow or wrong until the next boot.",
          "journalctl -k, where the login may read it", (E.KERNEL,), (each(machine.kernel_log),),
          between=True),
    Check("power", "Was it shut down before it booted?",
          "A machine that goes off under load does so again, and takes the whole cluster with it.",
          "the end of the journal of the boot before, where the login may read it",
          (E.BOOT, E.DEEP, E.CONTAINERS), (each(power.went),)),
    Check("pace", "Do tokens come as fast as they did?",
          "A GPU may run at half its pace for days, and nvidia-smi shows nothing of it.",
          "the benchmarks that were kept", (E.RECORDS,), (power.pace,), between=True),
    Check("reboot", "Does an update wait for a reboot?",
          "A driver that was replaced and not loaded yet does not fit its own libraries.",
          "/var/run/reboot-required", (E.DEEP,), (each(machine.reboot),)),
    Check("fabric", "Has every node a fast link with an address and RDMA?",
          "The ranks talk over the fast link. On the wrong interface they are ten times slower, or hang.",
          "sysfs, ibdev2netdev, ip addr", (E.FABRIC, E.DEEP), (each(network.fabric), network.devices), FAIL,
          several=True, matters_to=LAUNCH),
    Check("speed", "Does the link run at its full speed?",
          "A switch that negotiates settles on 100G: half of what the cable can do.",
          "the speed in sysfs", (E.FABRIC,), (network.speed,), after="fabric", several=True),
    Check("address", "Is every address there once, on both halves alike?",
          "Half-addressed twins end in NCCL's errno 22, doubled addresses in a node that cannot be found.",
          "ip addr, the GIDs in sysfs", (E.FABRIC,), (network.addresses, network.unmatched), FAIL,
          after="fabric", between=True, several=True, matters_to=LAUNCH),
    Check("subnet", "Are the fast links in one subnet?",
          "NCCL and Ray connect from any node to any other by these addresses.",
          "ip addr", (E.FABRIC,), (network.subnet,), FAIL, after="fabric", between=True, several=True,
          matters_to=LAUNCH),
    Check("default route", "Does the way out spare the fast link?",
          "Downloads over the fast link slow the ranks down, and a gateway there may lead nowhere.",
          "ip route", (E.FABRIC, E.DEEP), (network.default_route,)),
    Check("mtu", "Is the MTU the same everywhere?",
          "Unequal MTUs drop or fragment large packets without a word.",
          "the MTU in sysfs", (E.FABRIC, E.DEEP), (network.mtu,), after="fabric", between=True, several=True),
    Check("reach", "Does every node answer every other over the fast link?",
          "A link that is up on both ends may still lead to nobody.",
          "a ping each way", (E.FABRIC, E.PATHS), worst=FAIL, after="fabric", between=True),
    Check("route", "Does the kernel send it over the interface that is meant?",
          "Two interfaces in one subnet, and the 10G port carries what the fast link should.",
          "ip route get", (E.FABRIC, E.PATHS), worst=FAIL, after="fabric", between=True),
    Check("mtu path", "Do whole frames arrive?",
          "A switch with a smaller MTU eats large frames: connections open and then hang.",
          "a ping that must not be fragmented", (E.FABRIC, E.PATHS), worst=FAIL, after="fabric",
          between=True),
    Check("image", "Is the image there, and the same one everywhere?",
          "Ranks of different versions of vLLM or Ray do not start together.",
          "the engine's word on platform, layers and configuration", (E.DOCKER,), (software.image,),
          after="docker", between=True),
    Check("image fits", "Is the image for this machine, and has it what a cluster needs?",
          "An image for another processor, driver or without Ray fails minutes later, in its own words.",
          "the image's labels, or one throw-away container per image content",
          (E.DOCKER, E.CONTENTS, E.CUDA, E.GPU), (software.image_fits,), FAIL, after="docker", between=True,
          matters_to=LAUNCH),
    Check("versions", "Are Ray, Python, NCCL and vLLM the same in every image?",
          "Ray refuses other versions of itself and of Python, NCCL other versions of NCCL.",
          "what is in the image", (E.DOCKER, E.CONTENTS), (software.versions,), after="docker", between=True),
    Check("container", "Do the containers run on all nodes, or on none?",
          "With a rank missing the head goes on answering for minutes, and serves nothing.",
          "docker inspect", (E.DOCKER, E.CONTAINERS), (software.container,), FAIL, after="docker",
          between=True, matters_to=SERVE),
    Check("ray", "Has Ray every node?",
          "vLLM waits for ever for GPUs of a node that Ray does not have.",
          "Ray's REST API on the head", (E.DOCKER, E.FABRIC, E.RAY, E.RANKS, E.GPU),
          (software.ray, running.held), FAIL, between=True, matters_to=SERVE),
    Check("settings", "Do the container's variables suit its node?",
          "An address, a GID or an interface that moved since ends in NCCL's errno 61, or in the slow way.",
          "of the container's or the image's environment what is no secret, sysfs", (E.DOCKER, E.FABRIC),
          (running.settings,), FAIL, after="docker", several=True),
    Check("engine", "Has every rank of the server the words that were meant?",
          "Ranks with other words than the first wait for ever; a start by hand brings old words back.",
          "the processes in the containers, and the journal", (E.DOCKER, E.RANKS, E.RECORDS),
          (running.engine,), FAIL, after="docker", between=True),
    Check("model", "Is the model whole on every node?",
          "What a worker lacks is downloaded there in silence, for hours; a file cut off ends the start.",
          "the headers and lengths of its files", (E.MODEL,), (software.model,), FAIL, between=True,
          matters_to=SERVE),
    Check("cache", "May the login write to the model cache?",
          "The container downloads and reads models in the user's cache.",
          "who owns the model cache, and on what it is", (E.CACHE, E.DEEP, E.DOCKER),
          (each(software.cache),)),
    Check("ports", "Are the ports of Ray and vLLM free?",
          "Ray and vLLM listen on fixed ports of the head.",
          "/proc/net/tcp, ss", (E.DOCKER, E.LISTENERS, E.CONTAINERS), (each(software.ports),), FAIL,
          matters_to=LAUNCH),
    Check("exposed", "Can strangers run commands here?",
          "Whoever reaches Ray's dashboard or Docker's API can run anything on the node.",
          "ss", (E.DOCKER, E.LISTENERS), (software.exposed,)),
    Check("memory", "Is there enough memory?",
          "GPU and programs share it: a Spark that runs out of memory freezes before anything is killed.",
          "/proc/meminfo, nvidia-smi", (E.DOCKER, E.GPU, E.CONTAINERS),
          (each(machine.memory), each(machine.orphans)), FAIL, matters_to=SERVE),
    Check("swap", "Is what is served in memory?",
          "Weights that are swapped out make every token slow.",
          "/proc/meminfo", (E.DOCKER,), (each(machine.swap),)),
    Check("disk", "Is there room for images and models?",
          "An image is 20 to 35 GB, a model may be hundreds.",
          "df", (E.DISK, E.DOCKER, E.DEEP), (each(machine.disk),), FAIL, matters_to=LAUNCH),
    Check("clock", "Do the clocks agree?",
          "Logs of all nodes are merged by time; certificates and tokens depend on it too.",
          "date, timedatectl", (E.NTP, E.DEEP), (machine.clock,), between=True),
)  # fmt: skip
"""In the order in which they are shown: what others need comes first."""
BY_ID = {check.id: check for check in CHECKS}


def judge(evidence: ClusterEvidence, only: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Every finding, check by check; `only` those checks."""
    wanted = frozenset(only) or frozenset(BY_ID)
    found: list[Finding] = []
    for check in (check for check in CHECKS if check.id in wanted):
        judges = check.judges if evidence.joined or not check.several else ()
        found += [finding for judged in judges for finding in judged(evidence)]
        found += [finding for finding in evidence.others if finding.check == check.id]
    return tuple(found)


def probes(only: Iterable[str] = ()) -> frozenset[Probe]:
    """All that these checks ask for; without any, that all checks do."""
    wanted = frozenset(only) or frozenset(BY_ID)
    return frozenset(e for check in CHECKS if check.id in wanted for e in check.asks)
