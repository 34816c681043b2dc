"""`model fit`: does a model fit on the nodes, and with which flags; the arithmetic is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import exit_code_of_look
from sparkconsole.fleet.checkpoint.fit import Fitting, fit_model
from sparkconsole.model.checkpoint.fit import SYSTEM_BYTES, Ask, Fit
from sparkconsole.model.checkpoint.weights import Split
from sparkconsole.model.serve.memory_left import listed as served
from sparkconsole.model.serve.spec import PRESETS
from sparkconsole.model.text.units import vllm_gib
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here


@verb("model fit")
async def fit(
    session: Here,
    model: str,
    *,
    tp: Annotated[int | None, Parameter(name=["--tp", "-tp", "--tensor-parallel-size"])] = None,
    pp: Annotated[int | None, Parameter(name=["--pp", "-pp", "--pipeline-parallel-size"])] = None,
    dp: Annotated[int | None, Parameter(name=["--dp", "-dp", "--data-parallel-size"])] = None,
    max_model_len: int | None = None,
    concurrency: int = 1,
    kv_cache_dtype: str = "auto",
    gpu_memory_utilization: float | None = None,
    max_num_batched_tokens: int = 2048,
    speculative_tokens: int = 0,
    enforce_eager: Annotated[bool, FLAG] = False,
    language_model_only: Annotated[bool, FLAG] = False,
) -> Answer:
    """Say whether a model fits on the nodes, the longest requests, and the memory share that holds them.

    Reads the headers of its files where they are; nothing is downloaded or loaded. Exit code 1 when it does
    not fit, 3 when it fits by what is known and a node could not be asked.

    Parameters
    ----------
    model
        `owner/name` in the nodes' caches, or a folder on the nodes.
    tp
        Ranks that share every layer; without tp, pp and dp every sensible way is judged.
    pp
        Ranks that each keep a part of the layers.
    dp
        Copies of the model (experts are shared by all of them).
    max_model_len
        Tokens of the longest request; by default as many as the model was made for.
    concurrency
        Requests of that length at the same time.
    kv_cache_dtype
        auto, fp8, bfloat16, …
    gpu_memory_utilization
        vLLM's share of all memory; by default the largest that leaves the system its part.
    max_num_batched_tokens
        Tokens that vLLM computes in one step.
    speculative_tokens
        Tokens drafted by the model's own draft layers.
    enforce_eager
        No CUDA graphs.
    language_model_only
        Without the part of the model that sees or hears.
    """
    ask = Ask(
        max_model_len,
        concurrency,
        gpu_memory_utilization,
        kv_cache_dtype,
        max_num_batched_tokens,
        speculative_tokens,
        enforce_eager,
        language_model_only,
    )
    name = str(PRESETS[model]["model"]) if model in PRESETS else model
    split = Split(tp or 1, pp or 1, dp or 1) if tp or pp or dp else None
    return fit_answer(await fit_model(session.fleet, name, split, ask, session.cluster.container))


def fit_answer(found: Fitting) -> Answer:
    """The verdict, its arithmetic, and the other ways that were judged."""
    chosen = found.chosen
    parts: list[Sheet | str] = [verdict(found), arithmetic(found)]
    parts += [*(f"why not: {text}" for text in chosen.problems), *chosen.warnings, *_advice(found)]
    if len(found.fits) > 1:
        parts.append(_ways(found.fits))
    parts += list(_remarks(found))
    code = 1 if not chosen.fits else exit_code_of_look(found.unknown.values())
    return Answer(_data(found), tuple(parts), code)


def verdict(found: Fitting) -> str:
    """One line: fits or not, how, and what the most is."""
    chosen = found.chosen
    how = f"{found.model} on {chosen.split.words}"
    if not chosen.fits:
        fewer = f" with {chosen.length:,} tokens; {chosen.longest:,} would fit"
        return f"{how}: does not fit{fewer if 0 < chosen.longest < chosen.length else ''}"
    share = f"--gpu-memory-utilization from {chosen.least:.2f} to {_most(chosen):.2f}"
    return f"{how}: fits; {share}, --max-model-len up to {chosen.longest:,}"


def _most(chosen: Fit) -> float:
    return chosen.advised if chosen.advised >= chosen.least else chosen.accepted


def arithmetic(found: Fitting) -> Sheet:
    """Every figure with where it comes from; the tightest rank of them."""
    return Sheet.of(("what", "", "how"), list(_figures(found)), title="memory of one node")


def _figures(found: Fitting) -> Iterator[tuple[str, str, str]]:
    chosen, need = found.chosen, found.chosen.tightest
    layout, many = need.layout, f"{chosen.concurrency} × {chosen.length:,} tokens"
    free = f"{vllm_gib(chosen.available)} free now, page cache counted as free"
    yield "total", vllm_gib(chosen.total), free
    start = f"it must be free at the start (now up to {chosen.accepted:.2f})"
    yield "vLLM's budget", vllm_gib(chosen.budget), f"{chosen.utilization:.2f} × total; {start}"
    stored = vllm_gib(found.checkpoint.read_bytes + found.checkpoint.unread_bytes)
    source = f"of {stored} in all, by {found.checkpoint.source} on {found.node}"
    yield "weights", vllm_gib(need.weights), source
    yield "overhead", vllm_gib(need.overhead), "CUDA context, work space, graphs: as measured on GB10"
    yield "left for the KV cache", vllm_gib(chosen.cache_bytes), "budget − weights − overhead"
    if layout is None:
        yield "KV cache", vllm_gib(0), "the model keeps none"
        return
    kind = f"{layout.request_bytes(chosen.length) / max(1, chosen.length) / 1024:,.1f} KiB a token"
    yield "KV cache asked for", vllm_gib(need.cache(chosen.length, chosen.concurrency)), f"{many}, {kind}"
    yield "fits at once", f"{chosen.at_once or 0:.1f} ×", f"requests of {chosen.length:,} tokens"
    limit = f"the model's own limit is {chosen.limit:,}" if chosen.limit else "the model says no limit"
    yield "longest request", f"{chosen.longest:,}", f"{chosen.concurrency} at once; {limit}"


def _advice(found: Fitting) -> Iterator[str]:
    """The line that starts it; else what would make it fit."""
    chosen = found.chosen
    ways = {"-tp": chosen.split.tensor, "-pp": chosen.split.pipeline}
    words = "".join(f" {flag} {n}" for flag, n in ways.items() if n > 1 or flag == "-tp")
    if chosen.fits or chosen.longest >= 1024:
        length = min(chosen.length, chosen.longest) // 16 * 16 or chosen.longest
        share = chosen.utilization if chosen.fits else min(chosen.utilization, chosen.accepted)
        words += f" --gpu-memory-utilization {share:.2f} --max-model-len {length}{found.ask_words}"
        yield f"→ sparkconsole serve {found.model}{words}"
    if not chosen.fits:
        yield "→ more room: --kv-cache-dtype fp8, more nodes (--tp), fewer tokens, free memory first"


def _ways(fits: tuple[Fit, ...]) -> Sheet:
    rows = []
    for f in fits:
        memory = (vllm_gib(f.tightest.weights), vllm_gib(f.cache_bytes), f"{f.longest:,}")
        share = f"{f.least:.2f}–{_most(f):.2f}" if f.fits else None
        rows.append((f.split.words, "fits" if f.fits else "no", *memory, share, "".join(f.problems[:1])))
    columns = ("ranks", "", "weights", "KV cache", "longest", "utilization", "why not")
    return Sheet.of(columns, rows, title="ways of sharing it")


def _remarks(found: Fitting) -> Iterator[str]:
    if found.own:
        yield f"{served(found.own)} is a server of this model: judged as if that server had ended"
    if others := [rank for rank in found.servers if rank not in found.own]:
        yield f"part of the memory is taken by {served(others)}"
    if found.lacking:
        yield f"not on {', '.join(found.lacking)}: every node that takes part needs it"
    for node, why in found.broken.items():
        yield f"{node}: files that are not whole: {why}"
    if not found.checkpoint.gpu:
        yield "no NVIDIA GPU here: vLLM on a CPU takes VLLM_CPU_KVCACHE_SPACE for its cache, not a share"
    left = vllm_gib(SYSTEM_BYTES)
    yield f"{left} are left for the system, Ray and vLLM's own processes: the memory is the same"
    for node, error in found.unknown.items():
        yield f"{node}: unknown: {error.cause}"


def _data(found: Fitting) -> dict[str, Any]:
    return {
        "model": found.model,
        "node": found.node,
        "revision": found.checkpoint.revision,
        "architecture": found.shape.architecture,
        "source": found.checkpoint.source,
        "stored_bytes": found.checkpoint.read_bytes + found.checkpoint.unread_bytes,
        "fits": found.chosen.fits,
        "chosen": _fit_data(found.chosen),
        "ways": [_fit_data(f) for f in found.fits],
        "missing": list(found.lacking),
        "served": sorted({rank.port for rank in found.own}),
        "others": sorted({rank.port for rank in found.servers} - {rank.port for rank in found.own}),
        "broken": dict(found.broken),
        "unknown": {node: error.as_data() for node, error in found.unknown.items()},
    }


def _fit_data(chosen: Fit) -> dict[str, Any]:
    need = chosen.tightest
    return {
        "tp": chosen.split.tensor,
        "pp": chosen.split.pipeline,
        "dp": chosen.split.data,
        "fits": chosen.fits,
        "problems": list(chosen.problems),
        "warnings": list(chosen.warnings),
        "max_model_len": chosen.length,
        "longest": chosen.longest,
        "concurrency": chosen.concurrency,
        "at_once": round(chosen.at_once, 2) if chosen.at_once is not None else None,
        "utilization": {
            "judged": chosen.utilization,
            "least": chosen.least,
            "advised": chosen.advised,
            "accepted": chosen.accepted,
        },
        "bytes": {
            "total": chosen.total,
            "available": chosen.available,
            "weights": need.weights,
            "overhead": need.overhead,
            "kv_cache": chosen.cache_bytes,
            "kv_cache_asked": need.cache(chosen.length, chosen.concurrency),
        },
    }
