"""What the serve form says: its fields, what fills it, and the exact commands that come of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Store
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec, recalled
from sparkconsole.model.serve.ranks import Meeting, serve_ranks
from sparkconsole.model.serve.spec import PRESETS, notes
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.forms import fields
from sparkconsole.verbs.serve.start import spec_of

FIELDS = (
    "model", "tp", "max_model_len", "gpu_memory_utilization", "port", "load_format", "max_num_seqs", "pp",
    "dp", "dtype", "served_model_name", "offline", "trust_remote_code", "enforce_eager", "guard", "force",
    "extra",
)  # fmt: skip
LABELS = {
    "tp": "tensor par", "max_model_len": "max len", "gpu_memory_utilization": "gpu mem",
    "load_format": "load format", "max_num_seqs": "max seqs", "pp": "pipeline", "dp": "copies",
    "served_model_name": "served as", "trust_remote_code": "trust code", "enforce_eager": "eager",
    "extra": "extra args",
}  # fmt: skip
HINTS = {
    "model": "owner/name, a path in the container, or a preset: ↑ ↓ choose",
    "tp": "all nodes",
    "max_model_len": "model's",
    "gpu_memory_utilization": "default",
    "load_format": "auto",
    "max_num_seqs": "default",
    "dtype": "auto",
    "served_model_name": "its name",
    "extra": "words for vLLM, byte for byte: --kv-cache-dtype fp8",
}
CHOICES = {
    "load_format": ("auto", "safetensors", "fastsafetensors", "runai_streamer", "dummy"),
    "dtype": ("auto", "bfloat16", "float16", "float32"),
    "gpu_memory_utilization": ("0.7", "0.8", "0.9"),
    "max_model_len": ("8192", "32768", "65536", "131072"),
}
OTHER_WORDS = ("stop", "status")


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to fill the form with."""

    title: str
    detail: str
    values: Mapping[str, Any]
    kind: str = ""
    """preset, recent or cached."""


@dataclass(frozen=True, slots=True)
class ServePreview:
    """What would run, by node; or what is wrong."""

    commands: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """As it is copied: a command per line, with its node where there are several."""
        if len(self.commands) == 1:
            return next(iter(self.commands.values()))
        return "\n".join(f"# {node}\n{command}" for node, command in self.commands.items())


def preview(words: Sequence[str], store: Store, container: str) -> ServePreview:
    """The commands that these words come to on the cluster as the store knows it."""
    try:
        request = understand(words)
        spec = spec_of(*request.args, **request.kwargs)
        name = request.kwargs.get("name") or container
        launch, nodes, addresses = stage(store, name)
        ranks = serve_ranks(spec, launch.backend, nodes, addresses, Meeting(launch.master_port))
    except SparkError as error:
        return ServePreview(wrong=f"{error.cause}{' — ' + error.hint if error.hint else ''}")
    ordered = sorted(ranks, key=lambda rank: rank.rank)
    values = {r.node: shlex.join(("docker", "exec", name, *r.argv)) for r in ordered}
    return ServePreview(values, notes=notes(spec))


def stage(store: Store, container: str) -> tuple[LaunchSpec, tuple[str, ...], dict[str, str]]:
    """The launch that runs, as its containers say; Ray over all nodes while they say nothing."""
    names = tuple(store.nodes) or ("head",)
    found = {
        name: next((c for c in state.containers or () if c.name == container), None)
        for name, state in store.nodes.items()
    }
    head = found.get(names[0])
    usual = LaunchSpec(container=container, backend=Backend.RAY if len(names) > 1 else Backend.SOLO)
    launch = (recalled(head.labels) if head else None) or usual
    addresses = {
        name: (c.labels.get(LABEL_ADDRESS) if c else None) or store.nodes[name].address
        for name, c in found.items()
    }
    return launch, names[:1] if launch.backend is Backend.SOLO else names, addresses


def values_of(words: Sequence[str]) -> dict[str, Any]:
    """Every field as these words would have it, so that filling the form says them again."""
    request = understand(words)
    model, *extra = request.args
    blank = {f.name: f.default for f in fields("serve")}
    return {**blank, **request.kwargs, "model": model, "extra": shlex.join(extra)}


def presets() -> tuple[Offer, ...]:
    """The examples of the scripts this replaces."""
    blank = {f.name: f.default for f in fields("serve")}
    return tuple(
        Offer(name, _briefly(values), {**blank, "extra": "", **values}, "preset")
        for name, values in PRESETS.items()
    )


def _briefly(values: Mapping[str, Any]) -> str:
    rest = [k.replace("_", "-") if v is True else f"{k.replace('_', '-')} {v}" for k, v in values.items()][1:]
    return "  ".join((str(values["model"]), *rest))


def recent(runs: Iterable[Mapping[str, Any]], most: int = 12) -> tuple[Offer, ...]:
    """Starts of the journal, newest first, each once; what is no longer in the grammar is left out."""
    found: dict[tuple[str, ...], Offer] = {}
    for run in runs:
        words = tuple(run.get("words", ()))
        if words[:1] != ("serve",) or len(words) < 2 or words[1] in OTHER_WORDS or words in found:
            continue
        try:
            values = values_of(words)
        except SparkError:
            continue
        rest = shlex.join(w for w in words[1:] if w != values["model"])
        found[words] = Offer(
            str(values["model"]), f"{run.get('state', '')}  {rest}".strip(), values, "recent"
        )
        if len(found) == most:
            break
    return tuple(found.values())


def cached(models: Iterable[Mapping[str, Any]]) -> tuple[Offer, ...]:
    """Models that are in some cache; those that are not whole everywhere say so."""
    return tuple(
        Offer(
            str(m["name"]), "on all nodes" if m["everywhere"] else lacking(m), {"model": m["name"]}, "cached"
        )
        for m in models
    )


def lacking(model: Mapping[str, Any]) -> str:
    """Where a model is not whole, in a few words; empty when it is everywhere."""
    if model.get("everywhere"):
        return ""
    lines = [f"not on {_names(model['missing'])}"] if model.get("missing") else []
    lines += [f"incomplete on {_names(tuple(model['incomplete']))}"] if model.get("incomplete") else []
    return ", ".join(lines) or "different snapshots"


def doubts(chosen: str, models: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the caches say against the chosen model; nothing while they were not looked at."""
    model = str(PRESETS.get(chosen, {}).get("model", chosen))
    if not models or not model or model.startswith("/"):
        return ()
    found = next((m for m in models if m["name"] == model), None)
    lacks = "in no node's cache" if found is None else lacking(found)
    return (f"{lacks}: vLLM would download it first",) if lacks else ()


def models_note(models: Sequence[Mapping[str, Any]], unasked: Sequence[str]) -> str:
    """What the look at the caches found, and who could not be asked."""
    whole = sum(bool(m["everywhere"]) for m in models)
    text = f"{whole} model{'s' * (whole != 1)} in every node's cache"
    text += f", {len(models) - whole} not everywhere" if len(models) > whole else ""
    return text + (f"; could not be asked: {_names(unasked)}" if unasked else "")


def how(store: Store, container: str, *, read_only: bool) -> str:
    """The empty state says what to press."""
    if not store.nodes:
        return "There are no nodes yet. Type  :node add NAME ADDRESS  or  :node scan"
    head = next(iter(store.nodes.values()))
    if head.containers is not None and not any(c.name == container and c.running for c in head.containers):
        return f"No container {container} runs on {head.name} to serve a model: 4 ^j launches it."
    if read_only:
        return "This console is read-only: it shows what is served, and starts nothing."
    return "↑ ↓ choose a model, V serves it. tab: the fields. o: presets and recent starts."


def _names(nodes: Sequence[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= 3 else f"{len(nodes)} nodes"
