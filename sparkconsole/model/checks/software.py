"""Judgements of what runs on the machines: versions, the image, the containers, Ray, the model, listeners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sparkconsole.model.checkpoint.hf_cache import as_word, models_at, usual_cache
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.model.checks.evidence import ClusterEvidence, Judgement, Look, as_root, copied, equal
from sparkconsole.model.docker import Container, difference
from sparkconsole.model.facts import Bystander, Listener
from sparkconsole.model.finding import Finding, Fix, Severity, fail, ok, warn
from sparkconsole.model.image_reference import how_to_get
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec
from sparkconsole.model.ray import last_words, living
from sparkconsole.model.text.alike import some

HEAD_PORTS = {6379: "launch --ray-port", 8265: "launch --dashboard-port"}
LATER_PORTS = {29501: "launch --master-port", 8888: "serve --port"}
UPDATE = "bring every node to the same release: sudo apt full-upgrade"
PLATFORMS = {"aarch64": "linux/arm64", "x86_64": "linux/amd64"}
JIT = "keep ~/.cache/vllm and its like on the node's own disk"
RISKY = {8265: "Ray's dashboard", 2375: "Docker's own API"}
"""Who listens there lets anybody who reaches it run commands."""


def one_release(check: str, what: str) -> Judgement:
    """The same version of it on every node, by the name that rules use."""

    def judged(evidence: ClusterEvidence) -> Iterator[Finding]:
        versions = {n: known_versions(evidence, n).get(check) for n in evidence.seen}
        return equal(check, what, versions, UPDATE)

    return judged


def firmware(evidence: ClusterEvidence) -> Iterator[Finding]:
    """One NIC firmware; news of fwupd are only mentioned."""
    values = {n: ", ".join(sorted(set(t.firmware.values()))) or None for n, (_, t) in evidence.deep.items()}
    update = "sudo fwupdmgr refresh, sudo fwupdmgr update on every node, then boot"
    yield from equal("firmware", "NIC firmware", values, update)
    for node, (_, deep_probe) in evidence.deep.items():
        if deep_probe.firmware_news:
            yield ok("firmware", node, f"fwupd: {deep_probe.firmware_news}", update)
        if deep_probe.nic_updater:
            note = "mlnx-fw-updater is installed: one report blames it for a dead NIC"
            yield ok("firmware", node, note, "sudo apt-mark hold mlnx-fw-updater")


def known_bad(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Combinations that others met."""
    deep = evidence.deep
    if not deep or not evidence.rules:
        return
    found = [f for n, (look, _) in deep.items() for f in _met(evidence, n, look)]
    yield from found
    if not found:
        yield ok("known bad", "", f"none of the {len(evidence.rules)} known bad combinations")


def _met(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    values = known_versions(evidence, node)
    for rule in evidence.rules:
        if rule.holds(values, look.facts.found.kernel_log, len(evidence.looks)):
            bounds = rule.when.model_dump(exclude_none=True)
            seen = ", ".join(f"{k} {values[k]}" for k in bounds if k in values)
            sentence = f"{rule.what} ({rule.id}: {seen})" if seen else f"{rule.what} ({rule.id})"
            yield Finding("known bad", Severity(rule.severity), node, sentence, rule.remedy)


def known_versions(evidence: ClusterEvidence, node: str) -> dict[str, str]:
    """What a node is and has, by the names that rules use; what is not known is left out."""
    look = evidence.seen[node]
    own = {
        "kernel": look.facts.kernel,
        "release": look.facts.release.rpartition(" ")[2],
        "driver": next((g.driver for g in look.facts.gpus if g.driver), ""),
        "firmware": min(look.facts.found.firmware.values(), default=""),
        "docker": look.facts.docker.version,
    }
    return {k: v for k, v in (own | dict(evidence.contents(node))).items() if v}


def image(evidence: ClusterEvidence) -> Iterator[Finding]:
    """A missing or an old image is a warning: building and copying come after checking."""
    asked = {n: look for n, look in evidence.seen.items() if look.site is not None}
    have = {n: look.image for n, look in asked.items() if look.image is not None}
    missing = [n for n in asked if n not in have]
    tag = evidence.image
    for node in missing:
        remedy = how_to_get(tag, missing, others_have_it=bool(have))
        fix = copied("image", tag, next(iter(have)), node) if have else None
        yield warn("image", node, f"image missing ({tag})", remedy, fix)
    if not have:
        return
    first, *others = have
    differing = {n: why for n in others if (why := difference(have[first], have[n]))}
    for node, why in differing.items():
        text = f"the image {tag} is another one than on {first}: {why}"
        yield warn("image", node, text, f"sparkconsole image copy {tag}")
    if not missing and not differing:
        yield ok("image", "", f"{tag} {have[first].short}, the same on every node asked")


def image_fits(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Built for these machines, for this driver, and with Ray where nodes are joined."""
    for node, look in evidence.seen.items():
        if look.image is None:
            continue
        platform = PLATFORMS.get(look.facts.machine)
        if platform and not look.image.platform.startswith(platform):
            text = f"the image is for {look.image.platform}, the machine is {look.facts.machine}"
            yield fail("image fits", node, text, "build it here: sparkconsole image build")
        yield from _cuda(evidence, node, look)
    yield from _contents(evidence)


def _cuda(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Within one major version older drivers do; code that is compiled at run time may not."""
    offered, built = look.facts.found.cuda, evidence.contents(node).get("cuda", "")
    if offered and built and _numbers(built)[:2] > _numbers(offered)[:2]:
        text = f"the image has CUDA {built}, the driver offers {offered}: kernels may not load (error 222)"
        yield warn("image fits", node, text, "a newer driver, or an image for this one")


def _contents(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Of the first image whose contents are known."""
    known = next((contents for node in evidence.seen if (contents := evidence.contents(node))), None)
    if known and evidence.joined and "ray" not in known:
        text = f"the image {evidence.image} has no Ray"
        yield warn("image fits", "", text, "launch --backend none, or build an image with ray[default]")
    elif known:
        yield ok("image fits", "", ", ".join(f"{name} {version}" for name, version in known.items()))


def versions(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Head and workers start together only with the same Ray, Python, NCCL and vLLM."""
    for name in ("vllm", "ray", "python", "nccl"):
        values = {n: evidence.contents(n).get(name) for n in evidence.seen}
        found = equal("versions", f"{name} in the image", values, "sparkconsole image copy")
        yield from (finding for finding in found if finding.severity is not Severity.OK)


def container(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The containers of one launch: all of them, or none."""
    sites = {n: look.site for n, look in evidence.seen.items() if look.site is not None}
    running = [n for n, site in sites.items() if site.running]
    solo = any(spec.backend is Backend.SOLO for spec in _launched(evidence))
    half = bool(running) and len(running) < len(sites) and not solo
    wrong = [f for n in sites if (f := _container_on(evidence, n, running if half else [])) is not None]
    yield from wrong
    if sites and not wrong:
        text = "runs" if running else "does not run, and none is left over"
        yield ok("container", "", f"{evidence.container} {text}")


def _container_on(evidence: ClusterEvidence, node: str, half: Sequence[str]) -> Finding | None:
    """`half`: where it runs, while it does not everywhere."""
    name, site = evidence.container, evidence.seen[node].site
    found, listed = site.found if site else None, _listed(evidence, node)
    if listed and listed.state == "paused":
        resume = Fix(f"let {name} go on", ("docker", "unpause", name))
        text = f"{name} is paused: its rank answers nobody"
        return fail("container", node, text, " ".join(resume.argv), resume)
    if found and not found.running:
        return _left(evidence, node, found, half=bool(half))
    if not found and half:
        text = f"{name} runs on {', '.join(half)} and not here"
        return fail("container", node, text, "sparkconsole launch --repair")
    if found and found.oom_killed:
        text = "the kernel killed a process of it for its memory"
        return warn("container", node, text, "less --gpu-memory-utilization; sparkconsole model fit MODEL")
    return None


def _left(evidence: ClusterEvidence, node: str, found: Container, *, half: bool) -> Finding:
    """One that ended, or was never started; while the others run it is missing."""
    name, listed = evidence.container, _listed(evidence, node)
    why = f"exit status {found.exit_code}"
    if found.oom_killed:
        why = "the kernel killed it for its memory"
    if listed and listed.state == "created":
        why = "it was made and never started"
    if half:
        text = f"{name} ended here ({why}) while it runs on the others"
        return fail("container", node, text, "sparkconsole launch --repair")
    remove = Fix(f"remove the container {name} that ended", ("docker", "rm", "--", name))
    text = f"an old container {name} is left ({why})"
    return warn("container", node, text, "sparkconsole stop, which keeps its log", remove)


def _listed(evidence: ClusterEvidence, node: str) -> Bystander | None:
    """As `docker ps -a` has it; None where it was not asked."""
    found = evidence.seen[node].facts.found.containers or ()
    return next((c for c in found if c.name == evidence.container), None)


def _launched(evidence: ClusterEvidence) -> list[LaunchSpec]:
    return [spec for look in evidence.seen.values() if (spec := look.launched) is not None]


def ray(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Ray has every node whose container runs."""
    members = evidence.members
    if not any(spec.backend is Backend.RAY for spec in _launched(evidence)):
        return
    if members is None:
        if evidence.ray_asked:
            text = "its container runs, and Ray's dashboard does not answer"
            yield warn("ray", evidence.head, text, "sparkconsole launch --repair")
        return
    alive = living(members)
    places = {n: a for n, look in evidence.seen.items() if (a := _ray_address(evidence, n, look))}
    missing = {n: address for n, address in places.items() if address not in alive}
    for node, address in missing.items():
        why = last_words(members, address) or "it never joined, or has left"
        text = f"Ray has no living member at {address}: {why}"
        yield fail("ray", node, text, "sparkconsole launch --repair")
    if not missing:
        yield ok("ray", "", f"Ray has {len(alive)} living members")


def _ray_address(evidence: ClusterEvidence, node: str, look: Look) -> str:
    """Where a running container told Ray that it is; empty for one that does not run."""
    found = look.site.found if look.site and look.running else None
    chosen = evidence.chosen.get(node)
    return (found.labels.get(LABEL_ADDRESS) or (chosen.address if chosen else "")) if found else ""


def model(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The model that was asked for, or served last, is whole on every node."""
    name = evidence.model
    checkpoints = {n: c for n, look in evidence.seen.items() if (c := look.checkpoint) is not None}
    if not name or not checkpoints:
        return
    copy, anywhere = f"sparkconsole model copy {name}", any(c.there for c in checkpoints.values())
    whole = {n: c for n, c in checkpoints.items() if c.there and not _broken(c)}
    source = next(iter(whole), "")
    for node, found in checkpoints.items():
        fix = copied("model", name, source, node) if source else None
        if not found.there:
            remedy = copy if anywhere else f"sparkconsole model download {name}"
            yield (fail if anywhere else warn)("model", node, f"{name} is not there", remedy, fix)
        elif why := _broken(found):
            yield fail("model", node, f"{name} is broken: {why}", copy, fix)
    revisions = {n: c.revision[:12] or None for n, c in whole.items()}
    if len({r for r in revisions.values() if r}) > 1:
        yield from equal("model", f"revision of {name}", revisions, copy)
    elif len(whole) == len(checkpoints):
        yield ok("model", "", f"{name} is whole on {len(whole)} nodes")


def _broken(found: Checkpoint) -> str:
    """What is wrong with its files, three of them at most; empty for a whole one."""
    if not found.files and not found.other:
        return "it has no weights"
    return some([f"{file.name} ({file.problem})" for file in found.broken])


def cache(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """The login can write to the cache that the containers share, and it is the node's own."""
    owner, user, closed = look.facts.cache_owner, look.facts.user, look.facts.found.cache_closed
    if owner not in ("", user) or closed:
        text = f"{user} may not write to {closed}: a container made it as root"
        if owner not in ("", user):
            text = f"{models_at(look.facts)} belongs to {owner}, not to {user}: downloads will fail"
        remedy = f"sudo chown -R {user or '$USER'} {as_word(models_at(look.facts))}"
        yield warn("cache", node, text, remedy, _give_back(evidence, look))
    else:
        text = "the model cache is the user's" if owner else "no cache yet"
        yield ok("cache", node, text)
    for name, kind in look.facts.found.compile_cache_types.items():
        if kind.startswith("nfs"):
            text = f"~/.cache/{name} is on NFS: nodes overwrite each other's compiled code"
            yield warn("cache", node, text, JIT)


def _give_back(evidence: ClusterEvidence, look: Look) -> Fix:
    """Root in a container may do it where Docker may be used; no password is needed then."""
    uid = look.facts.found.uid
    folder = look.facts.hf_cache or usual_cache(look.facts.home).home
    text = f"give {models_at(look.facts)} back to {look.facts.user}"
    proof = ("sh", "-c", 'test -z "$(find "$1" ! -user "$2" -print -quit)"', "owned", folder, look.facts.user)
    owner = look.facts.user if uid is None else str(uid)
    if look.image is None or not look.facts.docker.permitted or not owner.isdigit():
        return Fix(text, as_root(look, "chown", "-R", owner, folder), proof)
    inside = ("docker", "run", "--rm", "--network", "none", "-v", f"{folder}:/cache", "--entrypoint", "chown")
    return Fix(text, (*inside, evidence.image, "-R", owner, "/cache"), proof)


def ports(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Only the head listens on ports that are told beforehand."""
    if node != evidence.head or look.running:
        return
    taken = sorted(look.facts.listening & {*HEAD_PORTS, *LATER_PORTS})
    for port in taken:
        holder = _holder(look, port)
        if not holder and look.site is None:
            text = f"port {port} is in use; by what is unknown, for docker did not say what runs"
            yield warn("ports", node, text, "see who listens there: ss -ltnp")
            continue
        bad = fail if port in HEAD_PORTS and evidence.joined else warn
        text = f"port {port} is in use by {holder or 'something else'}"
        remedy = f"see who listens there: ss -ltnp; or choose another: {(HEAD_PORTS | LATER_PORTS)[port]}"
        yield bad("ports", node, text, remedy)
    if not taken:
        yield ok("ports", node, "the ports of Ray and vLLM are free")


def _holder(look: Look, port: int) -> str:
    """A container that publishes the port, else the program, where anybody may know."""
    found = look.facts.found
    name = next((c.name for c in found.containers or () if f":{port}->" in c.ports), "")
    program = next((one.program for one in found.listeners if one.port == port), "")
    return f"the container {name}" if name else program


def exposed(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Whoever reaches Ray's dashboard or Docker's API runs what they like."""
    for node, (look, deep_probe) in evidence.deep.items():
        open_to_all = [one for one in deep_probe.listeners if one.open]
        risky = [one for one in open_to_all if one.port in RISKY]
        for one in {o.port: o for o in risky}.values():
            text = f"{RISKY[one.port]} listens on {one.address}:{one.port}, for everybody who reaches it"
            remedy = "launch here binds it to loopback; stop what started it" if one.port == 8265 else \
                "take the tcp:// host out of docker's configuration"  # fmt: skip
            yield warn("exposed", node, text, remedy)
        if not risky:
            yield ok("exposed", node, _apis(look, open_to_all))


def _apis(look: Look, listeners: list[Listener]) -> str:
    """An API without a key is how most run it: told, and nothing more."""
    served = sorted({one.port for one in listeners if one.port in LATER_PORTS})
    if look.running and served:
        closes = "VLLM_API_KEY in the environment of `serve` closes it"
        return f"the API on port {served[-1]} is open to the network; {closes}"
    return "no dashboard and no Docker API is open to the network"


def _numbers(version: str) -> list[int]:
    return [int(n) for n in version.split(".") if n.isdecimal()]
