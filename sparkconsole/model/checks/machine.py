"""Judgements of a machine by itself: Docker, GPU, memory, disk, clock, login."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import models_at
from sparkconsole.model.checks.evidence import ClusterEvidence, Look, as_root, equal
from sparkconsole.model.docker_host import DockerHost, where_to_look
from sparkconsole.model.finding import Finding, Fix, fail, ok, warn
from sparkconsole.model.serve.memory_guard import FREEZE_LINE
from sparkconsole.model.text.units import size

LEAST_DISK = 1_000_000_000
ENOUGH_DISK = 40_000_000_000
"""An image is 20 to 35 GB, and its build needs more."""
LITTLE_DISK = 10_000_000_000
"""Where no image goes."""
LEAST_MEMORY = 0.2
SWAPPED = 1 << 30
MOST_SKEW_S = 2.0
API_PORTS = {8000, 8888}
NTP = "sudo timedatectl set-ntp true"


def reachable(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Everything else is unknown of a node that does not answer."""
    for node, look in evidence.looks.items():
        if isinstance(look, SparkError):
            yield fail("reachable", node, look.cause, look.hint)
        else:
            yield ok("reachable", node, "answers")


def docker(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """It runs, and the login may use it."""
    access, user = look.facts.docker, look.facts.user or "this user"
    if not access.installed:
        yield fail("docker", node, "docker is not installed", "DGX OS has it: sudo apt install docker.io")
    elif access.host is not None and not (access.running and access.permitted):
        yield _no_engine(node, access.host, user, running=access.running)
    elif access.running and not access.permitted:
        yield _not_permitted(node, look, user)
    elif not access.running and access.permitted and access.socket:
        why = look.docker_error or SparkError("docker does not answer", hint="sudo systemctl status docker")
        yield fail("docker", node, why.cause, why.hint)
    elif not access.running:
        start = as_root(look, "systemctl", "start", "docker")
        fix = Fix("start docker", start, ("systemctl", "is-active", "--quiet", "docker"))
        yield fail("docker", node, "docker does not run", "sudo systemctl start docker", fix)
    elif look.docker_error is not None:
        yield fail("docker", node, look.docker_error.cause, look.docker_error.hint)
    else:
        yield ok("docker", node, f"docker {access.version} ({access.driver})")


def _no_engine(node: str, at: DockerHost, user: str, *, running: bool) -> Finding:
    """One that somebody named: how it is started and who may use it is theirs to know."""
    if at.refused:
        return fail("docker", node, at.refused, at.remedy)
    if running:
        look_there = f"look there: ls -l {at.socket}"
        return fail("docker", node, f"docker's socket {at.socket} may not be used by {user}", look_there)
    return fail("docker", node, f"no docker engine answers at {at.url}", where_to_look(at))


def _not_permitted(node: str, look: Look, user: str) -> Finding:
    """A group that was given counts from the next login on."""
    text = f"docker may not be used by {user}"
    if user in look.facts.found.docker_group:
        return fail("docker", node, f"{text} yet: this login is older than the group", "log in again")
    add = as_root(look, "usermod", "-aG", "docker", user)
    fix = Fix(f"let {user} use docker, from the next login on", add) if look.facts.user else None
    remedy = f"sudo usermod -aG docker {look.facts.user or '$USER'}, then log in again"
    return fail("docker", node, text, remedy, fix)


def gpu(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """nvidia-smi sees it, and has nothing to complain of."""
    if look.facts.gpus:
        names, trouble = ", ".join(g.name for g in look.facts.gpus), look.facts.gpu_error
        text = f"{names}: nvidia-smi says {trouble}" if trouble else names
        remedy = "stop what runs there and boot it: sparkconsole node reboot"
        yield fail("gpu", node, text, remedy) if trouble else ok("gpu", node, text)
        return
    text = f"no GPU is visible: {look.facts.gpu_error or 'nvidia-smi is not there'}"
    if look.for_cpu:
        yield ok("gpu", node, f"{text} (the image needs none)")
    elif look.facts.gpu_silent:
        remedy = "sudo dmesg | grep -i nvrm; a reboot frees a hung driver"
        yield fail("gpu", node, f"its GPU is unknown: {look.facts.gpu_error}", remedy)
    else:
        remedy = "nvidia-smi must work on the node; a reboot after a driver update helps"
        yield fail("gpu", node, text, remedy)


def gpu_counts(evidence: ClusterEvidence) -> Iterator[Finding]:
    """One rank runs per GPU."""
    counts = {n: len(look.facts.gpus) or None for n, look in evidence.seen.items()}
    yield from equal("gpu", "number of GPUs", counts, "one rank runs per GPU: use nodes of one kind")


def memory(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Enough to start with; while something is served, enough not to freeze."""
    seen = look.facts.memory
    if seen is None:
        yield warn("memory", node, "nobody said how much memory is available")
        return
    text = f"{size(seen.available)} of {size(seen.total)} available"
    remedy = "see who holds it: ps aux --sort=-rss"
    if look.running:
        remedy = "what is served takes it: sparkconsole serve stop, then less --gpu-memory-utilization"
    enough = seen.available >= (FREEZE_LINE if look.running else LEAST_MEMORY * seen.total)
    yield ok("memory", node, text) if enough else warn("memory", node, text, remedy)


def orphans(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """An engine whose server is gone keeps its memory. One that is served without a container answers."""
    if look.site is None or look.site.running or look.facts.listening & API_PORTS:
        return
    left = [p for p in look.facts.gpu_processes if p.name.startswith("VLLM::")]
    others = any(c.state == "running" for c in look.facts.found.containers or ())
    if left and not others:
        holders = ", ".join(f"{p.name} (pid {p.pid}, {size(p.used or 0)})" for p in left)
        text = f"no container runs, and an engine still holds memory: {holders}"
        remedy = f"wait a minute; if it stays: sudo kill -9 {' '.join(str(p.pid) for p in left)}"
        yield warn("memory", node, text, remedy)


def swap(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Swapped weights make every token slow."""
    seen = look.facts.memory
    if seen is None or not seen.swap_total:
        return
    used = seen.swap_total - seen.swap_free
    if used > SWAPPED and look.running:
        remedy = "serve with less --gpu-memory-utilization or a shorter --max-model-len"
        yield warn("swap", node, f"{size(used)} are swapped out while it serves", remedy)
    else:
        yield ok("swap", node, f"{size(used)} of {size(seen.swap_total)} in use")


def disk(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Where Docker keeps its data, and where models are."""
    free = look.facts.free.get("docker", look.facts.free.get("home"))
    if free is None:
        yield warn("disk", node, "nobody said how much disk is free")
        return
    text = f"{size(free)} free where docker keeps its data"
    # An image for CPUs is a tenth of one for GPUs.
    if free >= (LITTLE_DISK if look.for_cpu else ENOUGH_DISK):
        yield ok("disk", node, text)
    else:
        remedy = "docker system df shows what could go; an image needs up to 35 GB"
        yield _low_disk(free, node, text, remedy)
    yield from _models_disk(node, look, free)


def _models_disk(node: str, look: Look, docker_free: int) -> Iterator[Finding]:
    """Said only of a place that is another one."""
    places = {"cache": f"where models are kept ({models_at(look.facts)})", "home": "in the home folder"}
    bytes_free = {k: n for k in places if (n := look.facts.free.get(k)) is not None and n != docker_free}
    for place, free in bytes_free.items():
        if free < LITTLE_DISK and not (place == "home" and bytes_free.get("cache") == free):
            remedy = "remove models that nobody needs: sparkconsole model list"
            yield _low_disk(free, node, f"{size(free)} free {places[place]}", remedy)


def _low_disk(free: int, node: str, text: str, remedy: str) -> Finding:
    return (fail if free < LEAST_DISK else warn)("disk", node, text, remedy)


def clock(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Against the median, so that one wrong clock, or the console's own, blames nobody else."""
    for node, look in evidence.seen.items():
        if evidence.joined and look.facts.clock_synced is False:
            text = "nothing keeps its clock right (NTP is not synchronised)"
            yield warn("clock", node, text, NTP, _ntp(look))
    ahead = {n: s for n, look in evidence.seen.items() if (s := look.clock_ahead_s) is not None}
    if len(ahead) < 2:
        return
    middle = median(ahead.values())
    doubt = max(evidence.seen[n].clock_doubt_s for n in ahead)
    off = {n: s - middle for n, s in ahead.items() if abs(s - middle) - doubt > MOST_SKEW_S}
    for node, seconds in off.items():
        way = "ahead of" if seconds > 0 else "behind"
        text = f"its clock is {abs(seconds):.0f} s {way} the others"
        yield warn("clock", node, text, NTP, _ntp(evidence.seen[node]))
    if not off:
        yield ok("clock", "", "the clocks agree")


def _ntp(look: Look) -> Fix:
    return Fix("let NTP keep the clock", as_root(look, "timedatectl", "set-ntp", "true"))


def login(evidence: ClusterEvidence) -> Iterator[Finding]:
    """What the login is, and what happens to its processes when it ends."""
    for node, (look, deep_probe) in evidence.deep.items():
        if deep_probe.ssh_folder is False:
            make = Fix("make ~/.ssh", ("mkdir", "-m", "700", f"{look.facts.home}/.ssh"))
            text = "there is no ~/.ssh: nodes cannot copy images to each other by keys"
            yield warn("login", node, text, "mkdir -m 700 ~/.ssh", make)
        if deep_probe.login.get("KillUserProcesses") == "yes" and deep_probe.lingers is False:
            linger = Fix("let jobs outlive the login", ("loginctl", "enable-linger", look.facts.user))
            text = "a build or a copy would end with the connection (KillUserProcesses=yes, no linger)"
            yield warn("login", node, text, " ".join(linger.argv), linger)
        elif deep_probe.ssh_folder is not False:
            yield ok("login", node, _login_sentence(look))
    yield from _different_users(evidence)


def _login_sentence(look: Look) -> str:
    """With RemoveIPC, that matters to what runs outside a container alone."""
    deep_probe, user = look.facts.found, look.facts.user or "the login"
    ends = deep_probe.login.get("RemoveIPC") == "yes" and deep_probe.lingers is False
    return f"{user}; RemoveIPC ends what shares memory outside of containers" if ends else user


def _different_users(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Other users are as meant where somebody wrote them down."""
    meant = any(evidence.cluster.effective(n).user for n in evidence.cluster.nodes)
    users = {n: look.facts.user for n, look in evidence.seen.items() if look.facts.user}
    if len(set(users.values())) > 1 and not meant:
        text = ", ".join(f"{n} {u}" for n, u in users.items())
        remedy = "say which one is meant in cluster.toml: user = …"
        yield warn("login", "", f"the logins differ: {text}", remedy)


def reboot(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """An update waits for it."""
    if look.facts.found.reboot_required:
        text = "an update waits for a reboot: what runs is not what is installed"
        yield warn("reboot", node, text, "when nothing runs there: sparkconsole node reboot")
    elif look.facts.found.reboot_required is False:
        yield ok("reboot", node, "no update waits for a reboot")


KERNEL_WORDS = {
    "NV_ERR_NO_MEMORY": ("the GPU driver ran out of memory", "less --gpu-memory-utilization, and a reboot"),
    "fallen off the bus": ("the GPU fell off its bus", "pull the power cord for a minute, then boot"),
    "NVRM: Xid": ("the GPU reported an error (Xid)", "journalctl -k -g Xid says which; boot the node"),
    "CmpltTO": ("a PCIe device did not answer (completion timeout)", "boot it; if it comes back, its vendor"),
    "CMD_SYNC timeout": ("the SMMU hung (CMD_SYNC timeout)", "boot it; if it comes back, its vendor"),
    "slot power capability was not advertised": (
        "the cable was plugged in while it ran: the ConnectX-7 may be held at a tenth of its speed",
        "boot both ends with the cable in",
    ),
}
"""What the kernel says when something broke for good: what it means, and what to do."""


def kernel_log(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Only what lasts until the next boot; nothing where the log may not be read."""
    for words, count in look.facts.found.kernel_log.items():
        if words in KERNEL_WORDS:
            meaning, remedy = KERNEL_WORDS[words]
            yield warn("kernel log", node, f"{meaning}; said {count} times since it booted", remedy)
