"""Building an image on one node: the plan, and what brings a build to its verified end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sparkconsole
from sparkconsole.config.bounded_read import expanded
from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import folder_step, follow_job, forget_job, job_state
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.foresight.effect import ImageNamed
from sparkconsole.model.image import build as recipes
from sparkconsole.model.image.bases import RECORDED, ResolvedImage, UsedCheck, UsedImage, Way, held, used_base
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import hms, size
from sparkconsole.model.transfer.ends import CopySite
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind, JobState, Run
from sparkconsole.model.work.news import Advance, Output, Remark, Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.parse.diagnose.explain import cause_of
from sparkconsole.parse.image.bases import bases, declared
from sparkconsole.parse.image.buildkit import BuildLog, BuildStep, StepState
from sparkconsole.parse.image.dockerfile import takes_contexts
from sparkconsole.parse.image.recipe import dockerfile_labels
from sparkconsole.parse.known import During
from sparkconsole.parse.values import as_list, as_object, plain_image
from sparkconsole.remote.shell import Shell

MOST_COMPARED = 16
"""Bases that are looked at again after a build."""


@dataclass(frozen=True, slots=True)
class BuildSite:
    """What was seen on the node before the plan was made."""

    node: str
    builder: recipes.Builder
    site: CopySite
    before: str = ""
    """Id of the image that has the tag now; empty: none has."""
    commit: str = ""
    """vLLM commit that the reference names now; empty: not known."""
    ref_kind: str = ""
    bases: tuple[ResolvedImage, ...] = ()
    """What it begins with."""
    records_bases: bool = False
    """Its Dockerfile takes them as an argument, and keeps them in the image."""


def recipe_folder(recipe: str) -> Path:
    """The folder of a shipped recipe, or the person's own; WrongUsage when it has no Dockerfile."""
    package, shipped = Path(sparkconsole.__file__).parent, ", ".join(recipes.RECIPES)
    places = [package / "dockerfiles" / recipe, package.parent / "dockerfiles" / recipe]
    folder = next((p for p in places if p.is_dir()), None) if recipe in recipes.RECIPES else expanded(recipe)
    if folder is None or not (folder / "Dockerfile").is_file():
        raise WrongUsage(
            f"no recipe {recipe!r}: neither one of {shipped} nor a folder with a Dockerfile",
            hint="for example --recipe vllm-node-wheels, or --recipe ./my-image",
        )
    return folder.resolve()


async def look(fleet: Fleet, node: str, spec: recipes.BuildSpec, folder: Path) -> BuildSite:
    """Asks the node what the plan depends on; changes nothing."""
    from sparkconsole.remote.docker.engine import image
    from sparkconsole.remote.image.bases import seen_bases
    from sparkconsole.remote.image.build import builder, vllm_commit
    from sparkconsole.remote.node.site import copy_site

    shell = await fleet.shell(node)
    present = await image(shell, spec.tag)
    commit = await vllm_commit(shell, spec.vllm_ref) if spec.recipe == recipes.SOURCE_RECIPE else ("", "")
    before, text = present.id if present else "", _dockerfile(folder)
    with_it, site = await builder(shell), await copy_site(shell)
    asked = bases(text, dict(spec.build_args), site.architecture)
    contexts = with_it.contexts and takes_contexts(text)
    by_digest = bool(site.driver) and not site.containerd_store
    registry_first = with_it.asks_registry_first(containerd_store=site.containerd_store)
    seen = await seen_bases(shell, asked, registry_first=registry_first)
    begins = tuple(held(base, contexts=contexts, local_digests=by_digest) for base in seen)
    return BuildSite(node, with_it, site, before, *commit, begins, RECORDED in declared(text))


def _dockerfile(folder: Path) -> str:
    return (folder / "Dockerfile").read_text(encoding="utf-8", errors="replace")


def require_room(spec: recipes.BuildSpec, seen: BuildSite, least_free_gb: float | None) -> None:
    """Refused, with numbers, when the node has too little room for a build."""
    usual = recipes.LEAST_FREE_GB.get(spec.recipe, recipes.LEAST_FREE_OTHER_GB)
    needed = int(1e9 * (usual if least_free_gb is None else least_free_gb))
    free = seen.site.free_bytes
    if free is not None and free < needed:
        cause = f"{size(free)} are free in {seen.site.folder}, {spec.recipe} needs about {size(needed)}"
        hint = "make room (docker builder prune, docker image prune), or say --least-free GB"
        raise Refused(cause, hint=hint, node=seen.node)


def require_builder(folder: Path, seen: BuildSite) -> None:
    """SparkError when the recipe needs BuildKit and the node's docker has none."""
    if seen.builder.kind is recipes.BuilderKind.CLASSIC and "--mount=" in _dockerfile(folder):
        cause = "its docker has no BuildKit, which this recipe needs (RUN --mount)"
        hint = "install the plugin there: apt install docker-buildx-plugin (docker-buildx on Debian)"
        raise SparkError(cause, hint=hint, node=seen.node)


def build_job(fleet: Fleet, spec: recipes.BuildSpec, seen: BuildSite, *, full_log: bool = False) -> Job:
    """The job, with all that its follower has to know."""
    dated = recipes.dated_tag(spec.tag, fleet.fresh.minute("the build"))
    asked = {"tag": spec.tag, "dated": dated, "recipe": spec.recipe, "vllm_ref": spec.vllm_ref}
    found = {"ref_kind": seen.ref_kind, "commit": seen.commit, "before": seen.before}
    now, name = fleet.fresh.second("the build"), fleet.fresh.name(f"build-{recipes.slug(spec.tag)}")
    argv = recipes.build_argv(
        spec, now_epoch=now, dated=dated, builder=seen.builder, bases=seen.bases,
        records_bases=seen.records_bases,
    )  # fmt: skip
    begins = [base.as_data() for base in seen.bases]
    details = {**asked, **found, "full_log": full_log, "bases": begins}
    return Job(id=name, node=seen.node, kind=JobKind.BUILD, argv=argv, details=details)


def build_plan(spec: recipes.BuildSpec, seen: BuildSite, job: Job, folder: Path) -> Plan:
    """What the person is shown, and what runs: the context goes into the job's folder and is built there."""
    sends = f"send the recipe {folder.name} to the job's folder"
    builds = f"build {job.details['tag']}, also kept as {job.details['dated']}"
    upload = folder_step("context", job, recipes.CONTEXT, folder, sends)
    steps = (upload, Step("build", job.node, builds, job.argv, needs=("context",), job=job))
    free = size(seen.site.free_bytes) if seen.site.free_bytes is not None else "an unknown number of bytes"
    notes = [f"built with {seen.builder.kind} in the job's folder; {free} free in {seen.site.folder or '?'}"]
    notes += [base.sentence(seen.node) for base in seen.bases]
    if spec.recipe == recipes.SOURCE_RECIPE:
        unknown = "could not be resolved; the image's label will show it"
        commit = f"is {seen.commit[:12]}" if seen.commit else unknown
        notes.append(f"the commit of vLLM {spec.vllm_ref} {commit}")
    moves = Moves(f"from the network to {seen.node}, what the build lacks")
    return Plan(f"Build {spec.tag} on {seen.node}", steps, notes=tuple(notes), moves=moves)


def built(
    fleet: Fleet, spec: recipes.BuildSpec, node: str, site: CopySite, dated: str, folder: Path
) -> tuple[ImageNamed, ...]:
    """What the node has afterwards under the name and the date: content that is a named blank, but for what
    the recipe says of it."""
    content = fleet.fresh.unknown(f"digest of {spec.tag}")
    image = ImageIdentity(
        tag=spec.tag,
        id=fleet.fresh.unknown(f"id of {spec.tag} on {node}"),
        platform=f"linux/{site.architecture}",
        layers=(content,),
        config_digest=content,
        labels={k: v for k, v in dockerfile_labels(_dockerfile(folder)).items() if "$" not in v},
    )
    return tuple(ImageNamed(node, replace(image, tag=tag)) for tag in (spec.tag, dated))


async def running_build(fleet: Fleet, journal: Journal, node: str, tag: str) -> Job | None:
    """A build of that tag which the journal knows and which still runs on the node."""
    for run in journal.runs():
        if not run.state.open:
            continue
        for job in run.jobs:
            ours = (job.kind, job.node, job.details.get("tag")) == (JobKind.BUILD, node, tag)
            if ours and (await job_state(fleet, job)).running:
                return job
    return None


async def follow(fleet: Fleet, journal: Journal, run: Run, job: Job, report: Report) -> Answer:
    """Follows a build to its end and reads the image back; SparkError with the failing step when it failed.

    May start in the middle or after the end; a build whose folder is gone is judged by its dated tag alone.
    """
    watch = _BuildWatch(fleet, journal, run, job, report)
    state = await job_state(fleet, job)
    if state.known:
        await watch.to_the_end()
        state = await job_state(fleet, job)
    if state.known and state.status != 0:
        await forget_job(fleet, job)
        raise failure(job, watch.log, state, report)
    answer = await read_back(fleet, run, job, report, watch.log)
    await forget_job(fleet, job)
    return answer


@dataclass(slots=True)
class _BuildWatch:
    """Turns a build's lines into news, and keeps each of them once in the journal."""

    fleet: Fleet
    journal: Journal
    run: Run
    job: Job
    report: Report
    log: BuildLog = field(default_factory=BuildLog)
    _reported: tuple[Any, ...] = ()

    async def to_the_end(self) -> None:
        mark = f"{self.job.node} | "
        kept = sum(line.startswith(mark) for line in self.journal.output(self.run).splitlines())
        count = 0
        async for line in follow_job(self.fleet, self.job):
            count += 1
            step = self.log.feed(printable(line))
            if count <= kept:
                continue
            # What is reported is kept by the face; what is not, here.
            if self.job.details.get("full_log"):
                self.report(Output(self.job.node, f"| {line}"))
            else:
                self.journal.append_output(self.run, f"{mark}{line}")
            if step is not None:
                self._report(step)

    def _report(self, step: BuildStep) -> None:
        progress = step.progress
        news = (step.id, step.state, progress and 100 * progress[0] // progress[1])
        if news == self._reported:
            return
        ended_now = self._reported[:2] != news[:2] and step.state is not StepState.RUNNING
        self._reported = news
        node, (done, known) = self.job.node, self.log.counts()
        elapsed = (self.fleet.clock.now() - self.run.started).total_seconds()
        what = f"steps of {self.job.details.get('tag', '')}"
        self.report(Advance(node, what, done, known or None, elapsed_s=elapsed))
        if step.total and step.progress:
            self.report(Advance(node, step.name[:60], *step.progress))
        if ended_now and step.total:
            took = f"{step.seconds:.1f} s" if step.seconds is not None else step.state.value
            level = "error" if step.state is StepState.FAILED else "info"
            self.report(Remark(f"{step.name[:100]} ({took})", node, level))


def failure(job: Job, log: BuildLog, state: JobState, report: Report) -> SparkError:
    """The failing step and why, after its last lines were told."""
    last = log.last_lines()
    for line in last:
        report(Remark(line, job.node, "error"))
    if state.status in (None, 130, 137, 143) and log.failed() is None:
        cause = "the build was ended before its end (stopped, killed, or the node restarted)"
        return SparkError(cause, hint="its finished steps are cached: build again", node=job.node)
    text = "\n".join((*last, log.fatal))
    known = cause_of(text, During.BUILD)
    hint = known.remedy if known else "the whole output: sparkconsole runs show"
    step, why = log.failed(), log.fatal or (last[-1] if last else "it said nothing")
    why = f"{step.name[:120]}: {step.reason or why}" if step else why
    return SparkError(f"the build of {job.details.get('tag')} failed: {why}", hint=hint, node=job.node)


async def read_back(fleet: Fleet, run: Run, job: Job, report: Report, log: BuildLog) -> Answer:
    """The image as the node has it now; SparkError when this build's dated tag is not there."""
    from sparkconsole.remote.docker.engine import image

    tag, dated = str(job.details["tag"]), str(job.details["dated"])
    shell = await fleet.shell(job.node)
    kept, now = await image(shell, dated), await image(shell, tag)
    if kept is None:
        raise SparkError(f"the build left no image {dated}", hint="build again", node=job.node)
    if now is None or now.id != kept.id:
        report(Remark(f"{tag} names another image by now; this build is {dated}", job.node, "warning"))
    built = kept.labels.get(recipes.COMMIT_LABEL, "") or await _recorded_commit(shell, dated, job)
    wanted, ref = str(job.details.get("commit", "")), job.details.get("vllm_ref")
    check, changed = recipes.compare_commit(wanted, built), kept.id != job.details.get("before")
    begun_with = await _used_bases(shell, job, log, report)
    took = (fleet.clock.now() - run.started).total_seconds()
    rows = [
        ("image", f"{tag} = {dated}"),
        ("id", kept.id),
        ("size", size(kept.size_bytes)),
        ("created", str(kept.created)),
        ("changed", "yes" if changed else "no, every step was cached"),
        ("vLLM", _commit_sentence(ref, wanted[:12], built[:12], check)),
        *(("base", base.sentence()) for base in begun_with),
        *sorted((key, value) for key, value in kept.labels.items() if key.startswith("org.sparkconsole.")),
        ("time", hms(took)),
    ]
    data = {
        "node": job.node,
        "tag": tag,
        "dated": dated,
        "id": kept.id,
        "size_bytes": kept.size_bytes,
        "created": str(kept.created),
        "changed": changed,
        "labels": dict(kept.labels),
        "bases": [base.as_data() for base in begun_with],
        "vllm": {"ref": ref, "wanted": job.details.get("commit"), "built": built, "check": check},
        "seconds": round(took, 1),
    }
    return Answer(data, (Sheet.of(("", job.node), rows),), exit_code=_commit_exit(job, check))


async def _used_bases(shell: Shell, job: Job, log: BuildLog, report: Report) -> tuple[UsedImage, ...]:
    """What it was built from, as far as that is known; another than the plan showed is a warning."""
    from sparkconsole.remote.docker.engine import image

    used, printed = [], log.digests()
    for kept in map(as_object, as_list(job.details.get("bases"))[:MOST_COMPARED]):
        name = str(kept.get("name", ""))
        loose = kept.get("way") == Way.COMPARED and plain_image(name)
        used.append(used_base(kept, printed, await image(shell, recipes.full_name(name)) if loose else None))
    for base in used:
        if base.check is UsedCheck.DIFFERENT:
            report(Remark(f"base {base.sentence()}", job.node, "warning"))
    return tuple(used)


async def _recorded_commit(shell: Shell, tag: str, job: Job) -> str:
    """The commit that the build found out by itself and wrote into the image; a label cannot hold it."""
    if job.details.get("recipe") != recipes.SOURCE_RECIPE:
        return ""
    read = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "cat", tag, recipes.COMMIT_FILE)
    done = await shell.run(read, timeout=60)
    return done.text.strip() if done.ok and recipes.is_commit(done.text.strip()) else ""


def _commit_sentence(ref: str | None, wanted: str, built: str, check: recipes.CommitCheck) -> str:
    if check is recipes.CommitCheck.EQUAL:
        return f"{built}, which is {ref}"
    if check is recipes.CommitCheck.DIFFERENT:
        return f"{built}, but {ref} is {wanted}: an older state was cached; build with --rebuild-vllm"
    return f"{built or 'the image does not say its commit'}; whether that is {ref} is not known"


def _commit_exit(job: Job, check: recipes.CommitCheck) -> int:
    """A fixed reference must be what was built; a branch may have moved on since its layer was cached."""
    fixed = job.details.get("ref_kind") in ("commit", "tag")
    return 1 if fixed and check is recipes.CommitCheck.DIFFERENT else 0
