"""What the serve form says: its fields, what fills it, and the exact commands that come of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Store
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec, recalled
from sparkconsole.model.serve.ranks import Meeting, serve_ranks
from sparkconsole.model.serve.spec import PRESETS, notes
from sparkconsole.tui.draw.bars import named
from sparkconsole.tui.draw.node_state import own_container
from sparkconsole.tui.draw.preview import CommandPreview
from sparkconsole.tui.views.serve.start import is_start
from sparkconsole.tui.widgets.form import Form
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.forms import fields, words
from sparkconsole.verbs.serve.start import spec_of

FIELDS = (
    "model", "tp", "max_model_len", "gpu_memory_utilization", "port", "load_format", "max_num_seqs", "pp",
    "dp", "dtype", "served_model_name", "offline", "trust_remote_code", "enforce_eager", "guard", "force",
    "extra",
)  # fmt: skip
LABELS = {
    "tp": "TP size", "max_model_len": "max len", "gpu_memory_utilization": "GPU memory",
    "load_format": "load format", "max_num_seqs": "max seqs", "pp": "PP size", "dp": "DP size",
    "served_model_name": "served name", "trust_remote_code": "trust code", "enforce_eager": "eager",
    "extra": "extra flags",
}  # fmt: skip
HINTS = {
    "model": "owner/name, a path in the container, or a preset: ↑ ↓ choose",
    "tp": "all nodes",
    "max_model_len": "model's max",
    "gpu_memory_utilization": "default",
    "load_format": "auto",
    "max_num_seqs": "default",
    "dtype": "auto",
    "served_model_name": "model name",
    "extra": "vLLM flags, passed unchanged: --kv-cache-dtype fp8",
}
CHOICES = {
    "model": tuple(PRESETS),
    "load_format": ("auto", "safetensors", "fastsafetensors", "runai_streamer", "dummy"),
    "dtype": ("auto", "bfloat16", "float16", "float32"),
    "gpu_memory_utilization": ("0.7", "0.8", "0.9"),
    "max_model_len": ("8192", "32768", "65536", "131072"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to fill the form with."""

    title: str
    detail: str
    values: Mapping[str, Any]
    kind: str = ""
    """preset, recent or cached."""


def form() -> Form:
    """The server's fields."""
    return Form("serve", FIELDS, labels=LABELS, hints=HINTS, choices=CHOICES, long=("model", "extra"))


def commands(words: Sequence[str], store: Store, container: str) -> CommandPreview:
    """What these words run on the cluster as the store knows it, a command a rank."""
    request = understand(words)
    spec = spec_of(*request.args, **request.kwargs)
    name = request.kwargs.get("name") or container
    launch, nodes, addresses = stage(store, name)
    ranks = serve_ranks(spec, launch.backend, nodes, addresses, Meeting(launch.master_port))
    begin = ("docker", "exec", name)
    ordered = sorted(ranks, key=lambda rank: rank.rank)
    lines = ((r.node if len(ranks) > 1 else "", shlex.join((*begin, *r.argv))) for r in ordered)
    return CommandPreview(commands=tuple(lines), notes=notes(spec))


def stage(store: Store, container: str) -> tuple[LaunchSpec, tuple[str, ...], dict[str, str]]:
    """The launch that runs, as its containers say; Ray over all nodes while they say nothing."""
    names = tuple(store.nodes) or ("head",)
    found = {name: own_container(state, container) for name, state in store.nodes.items()}
    head = found.get(names[0])
    usual = LaunchSpec(container=container, backend=Backend.RAY if len(names) > 1 else Backend.SOLO)
    launch = (recalled(head.labels) if head else None) or usual
    labels = {name: c.labels.get(LABEL_ADDRESS) if c else None for name, c in found.items()}
    addresses = {name: address or store.nodes[name].address for name, address in labels.items()}
    return launch, names[:1] if launch.backend is Backend.SOLO else names, addresses


def values_of(words: Sequence[str]) -> dict[str, Any]:
    """Every field as these words would have it, so that filling the form says them again."""
    request = understand(words)
    model, *extra = request.args
    return {**_blank(), **request.kwargs, "model": model, "extra": shlex.join(extra)}


def _blank() -> dict[str, Any]:
    return {f.name: f.default for f in fields("serve")} | {"extra": ""}


def presets() -> tuple[Offer, ...]:
    """The examples of the scripts this replaces."""
    shown = ((name, shlex.join(words("serve", values)[1:]), values) for name, values in PRESETS.items())
    return tuple(Offer(name, detail, {**_blank(), **values}, "preset") for name, detail, values in shown)


def recent(runs: Iterable[Mapping[str, Any]], most: int = 12) -> tuple[Offer, ...]:
    """Starts of the journal, newest first, each once; what is no longer in the grammar is left out."""
    found: dict[tuple[str, ...], Offer] = {}
    for run in runs:
        start = tuple(run.get("words", ()))
        if not is_start(start) or start in found or len(found) == most:
            continue
        with suppress(SparkError):
            values = values_of(start)
            rest = shlex.join(w for w in start[1:] if w != values["model"])
            detail = f"{run.get('state', '')}  {rest}".strip()
            found[start] = Offer(str(values["model"]), detail, values, "recent")
    return tuple(found.values())


def cached(models: Iterable[Mapping[str, Any]]) -> tuple[Offer, ...]:
    """Models that are in some cache; those that are not whole everywhere say so."""
    named = ((str(m["name"]), lacking(m) or "on all nodes") for m in models)
    return tuple(Offer(name, detail, {"model": name}, "cached") for name, detail in named)


def lacking(model: Mapping[str, Any]) -> str:
    """Where a model is not whole, in a few words; empty when it is everywhere."""
    if model.get("everywhere"):
        return ""
    lines = [f"not on {named(model['missing'])}"] if model.get("missing") else []
    lines += [f"incomplete on {named(tuple(model['incomplete']))}"] if model.get("incomplete") else []
    return ", ".join(lines) or "different snapshots"


def doubts(chosen: str, models: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the caches say against the chosen model; nothing while they were not looked at."""
    model = str(PRESETS.get(chosen, {}).get("model", chosen))
    if not models or not model or model.startswith("/"):
        return ()
    found = next((m for m in models if m["name"] == model), None)
    lacks = "not cached on any node" if found is None else lacking(found)
    return (f"{lacks}: vLLM would download it first",) if lacks else ()


def models_note(models: Sequence[Mapping[str, Any]], unasked: Sequence[str]) -> str:
    """What the look at the caches found, and who could not be asked."""
    whole = sum(bool(m["everywhere"]) for m in models)
    text = f"{whole} model{'s' * (whole != 1)} cached on every node"
    text += f", {len(models) - whole} on some nodes" if len(models) > whole else ""
    return text + (f"; unknown on {named(unasked)}" if unasked else "")


def how(store: Store, container: str, *, read_only: bool) -> str:
    """The empty state says what to press."""
    if not store.nodes:
        return "No nodes yet. Add one with :node add NAME ADDRESS or :node scan"
    head = next(iter(store.nodes.values()))
    if head.containers is not None and not any(c.name == container and c.running for c in head.containers):
        return f"Container {container} is not running on {head.name}: 4 ^j launches it."
    if read_only:
        return "This console is read-only: it shows the server and cannot start one."
    return "↑ ↓ pick a model, V serves it. tab: form fields. o: presets and recent starts."
