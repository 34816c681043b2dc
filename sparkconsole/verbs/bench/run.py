"""`bench`: `vllm bench serve` in the head's container, streamed, read, judged and kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sparkconsole.config.paths import write_private
from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.jobs import follow_job, forget_job, job_state
from sparkconsole.fleet.serve.start import servers_on
from sparkconsole.model.bench import RESULT_MARK, SECRETS, BenchSpec, bench_argv
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.model.work.news import Advance, Output, Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.tier import Tier
from sparkconsole.parse.serve.vllm_bench import first_error, parse_bar, parse_output
from sparkconsole.verbs.grammar.bounds import checked_spec
from sparkconsole.verbs.grammar.registry import follower, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

KEPT_KEYS = ("date", "backend", "model_id", "tokenizer_id", "num_prompts", "request_rate", "max_concurrency")


@verb("bench run", ahead=True, loads=True)
async def run(
    session: Here,
    *extra: str,
    num_prompts: int = 100,
    max_concurrency: int | None = None,
    request_rate: float | None = None,
    input_len: Annotated[int | None, Parameter(name=["--input-len", "--random-input-len"])] = None,
    output_len: Annotated[int | None, Parameter(name=["--output-len", "--random-output-len"])] = None,
    dataset_name: str = "random",
    dataset_path: str | None = None,
    backend: Literal["vllm", "openai", "openai-chat"] = "vllm",
    endpoint: str | None = None,
    model: str | None = None,
    tokenizer: str | None = None,
    port: int = 8888,
    seed: int = 0,
    name: str | None = None,
) -> PlannedAction:
    """Benchmark the served model and keep the result. Fails when a request failed, though vLLM would not.

    Words after `--` are passed to `vllm bench serve` unchanged.

    Parameters
    ----------
    extra
        After `--`: extra flags of vLLM's benchmark, passed unchanged.
    num_prompts
        Requests to send.
    max_concurrency
        Most requests at a time.
    request_rate
        Requests a second; by default all at once.
    input_len
        Tokens of each request.
    output_len
        Tokens of each answer.
    dataset_name
        random, sharegpt, …
    dataset_path
        The dataset's file, in the container.
    backend
        Which API is used.
    endpoint
        Its path, where it is not the usual one.
    model
        The served name; by default asked of the server.
    tokenizer
        Where its tokenizer is; by default asked of the server.
    port
        Port of the server.
    seed
        For the random requests.
    name
        Name of the containers; without it the cluster's.
    """
    # First of all: every option by its name.
    given = dict(locals())  # a tracer sees other locals within a comprehension
    values = {key: value for key, value in given.items() if key in BenchSpec.model_fields}
    values["model"] = model or "the served one"
    checked_spec(BenchSpec, ("bench", "run"), values)  # what cannot be is said before anybody is asked
    container = name or session.cluster.container
    server = await _served(session, port, container)
    if not model:
        values["model"] = server["model"]
    if not tokenizer and server["root"] != server["model"]:
        values["tokenizer"] = server["root"]
    job = _job(session, checked_spec(BenchSpec, ("bench", "run"), values), container, server)
    argv = ("docker", "exec", job.container, *job.argv)
    step = Step(job.id, job.node, f"benchmark {job.details['model']}", argv, secrets=SECRETS, job=job)
    plan = Plan(f"benchmark {job.details['model']} with {num_prompts} requests", (step,), Tier.LOOK)

    async def execute(report: Report) -> Answer:
        session.record_jobs((job,))
        for failure in (await execute_plan(session.fleet, plan, report)).failures():
            if failure.unseen:
                raise Unreachable(
                    f"whether the benchmark started is unknown: {failure.detail}", node=job.node
                )
            raise SparkError(f"the benchmark did not start: {failure.detail}", node=job.node)
        return await follow_bench(session, session.own_run(), job, report)

    return PlannedAction(plan, execute, ())


async def _served(session: Session, port: int, container: str) -> dict[str, Any]:
    """What is measured: the served name, where it came from, its longest request, and its vLLM."""
    from sparkconsole.remote.serve.vllm import served, version

    head = session.fleet.head
    shell = await session.fleet.shell(head)
    try:
        found = await served(shell, port)
    except SparkError as error:
        hint = await _instead(session, container, port) or "sparkconsole serve MODEL"
        raise Refused(f"no model answers on port {port}: {error.cause}", hint=hint, node=head) from error
    if not found:
        raise Refused(f"the server on port {port} offers no model", node=head)
    first = found[0]
    data = {"model": first.id, "root": first.root, "max_model_len": first.max_model_len, "vllm": ""}
    with contextlib.suppress(SparkError):
        data["vllm"] = await version(shell, port)
    return data


async def _instead(session: Session, container: str, port: int) -> str:
    """The server that there is, or that is not ready yet; empty where none is seen."""
    with contextlib.suppress(SparkError):
        there = {r.port: r.name for r in await servers_on(session.fleet, container, (session.fleet.head,))}
        if port in there:
            return f"{there[port]} is not ready: sparkconsole wait-for server --port {port}"
        for other, name in there.items():
            return f"{name} is served on port {other}: --port {other}"
    return ""


def _job(session: Session, spec: BenchSpec, container: str, server: Mapping[str, Any]) -> Job:
    slug = "".join(c if c.isalnum() else "-" for c in spec.model.rsplit("/", 1)[-1].lower())[:40]
    details = {"model": spec.model, "num_prompts": spec.num_prompts, "spec": spec.model_dump(mode="json")}
    return Job(
        id=session.fleet.fresh.name(f"bench-{slug}"),
        node=session.fleet.head,
        kind=JobKind.BENCH,
        argv=bench_argv(spec),
        container=container,
        details={**details, "server": dict(server)},
    )


@follower(JobKind.BENCH)
async def follow_bench(session: Session, _: Run, job: Job, report: Report) -> Answer:
    """Brings a benchmark to its end and reads its result."""
    lines: list[str] = []
    async for line in follow_job(session.fleet, job):
        if bar := parse_bar(line):
            report(Advance(job.node, "requests", bar[0], bar[1]))
            continue
        lines.append(line)
        if not line.startswith(RESULT_MARK):
            report(Output(job.node, line))
    state = await job_state(session.fleet, job)
    try:
        return _judged(session, job, lines, state.status)
    finally:
        await forget_job(session.fleet, job)


def _keep(session: Session, job: Job, raw: Mapping[str, Any]) -> str:
    """vLLM's own result goes into a file beside the journal, as it came; where it is, empty for nowhere.

    What it says is in the answer all the same: a full disk costs the file alone.
    """
    if not raw:
        return ""
    path = session.journal.folder.parent / "bench" / f"{job.id}.json"
    try:
        write_private(path, json.dumps(raw, indent=1) + "\n")
    except OSError:
        return ""
    return str(path)


def _judged(session: Session, job: Job, lines: list[str], status: int | None) -> Answer:
    """vLLM's exit status alone says nothing: it is 0 with every request failed."""
    result, raw = parse_output(lines)
    file = _keep(session, job, raw)
    if result is None or status != 0:
        why = first_error(lines) or (lines[-1] if lines else "its log is empty")
        ended = f"ended with status {status}" if status is not None else "was killed, or its node restarted"
        cause = f"the benchmark {ended}: {session.fleet.named(why)}"
        raise SparkError(cause, hint="does the server still answer?", node=job.node)
    short = result.shortfall(int(job.details["num_prompts"]))
    kept = {k: raw[k] for k in KEPT_KEYS if k in raw}
    data: dict[str, Any] = {name: job.details.get(name, {}) for name in ("model", "spec", "server")}
    data |= {"result": result.as_data(), "said": kept, "file": file}
    if not short:
        return Answer(data, (result_sheet(result.as_data()),))
    error = session.fleet.named(first_error(lines))
    line = f"{short} of {job.details['num_prompts']} requests failed" + (f": {error}" if error else "")
    return Answer({**data, "error": line}, (result_sheet(result.as_data()), line), 1)


def result_sheet(result: Mapping[str, Any]) -> Sheet:
    """The numbers of a result, as a table."""
    rows = [
        ("requests", f"{result['completed']} completed, {result['failed'] or 0} failed"),
        ("duration", written(result["duration_s"], "s")),
        ("requests/s", written(result["requests_per_s"])),
        ("output tokens/s", written(result["output_tokens_per_s"])),
        ("total tokens/s", written(result["total_tokens_per_s"])),
    ]
    latencies = result["latencies"]
    for kind in (k for k in ("ttft", "tpot", "itl", "e2el") if f"mean_{k}" in latencies):
        measured = {word: latencies.get(f"{word}_{kind}") for word in ("mean", "median", "p99")}
        values = (f"{word} {value:.1f}" for word, value in measured.items() if value is not None)
        rows.append((f"{kind.upper()} ms", "  ".join(values)))
    return Sheet.of(("measured", ""), rows)


def written(value: float | None, unit: str = "") -> str | None:
    """With two digits; None for what was not measured."""
    return None if value is None else f"{value:.2f} {unit}".strip()
