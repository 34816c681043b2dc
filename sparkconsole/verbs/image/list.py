"""`image list`: which image is on which node, what it was built from, and what all of it takes up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, exit_code_of_look
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.image.build import age, full_name
from sparkconsole.model.image.history import built_from, built_with
from sparkconsole.model.image.matrix import usage_sheet
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session

Have = Mapping[str, Mapping[str, ImageIdentity]]
"""By node, then by name."""


@verb("image list")
async def list_images(session: Here, tag: str | None = None) -> Answer:
    """Show which image is on which node, what it was built from, and what all of it takes up.

    Every build keeps its date beside its name (vllm-node:20261124-0915); `image rollback` goes back to one,
    `image prune` removes the old ones.

    Parameters
    ----------
    tag
        Only this image; by default all that have a name.
    """
    from sparkconsole.remote.docker import engine as docker

    ask = session.fleet.ask
    asked, counted = await together(ask(docker.images), ask(docker.disk_usage))
    have = {node: {i.tag: i for i in found if _wanted(i.tag, tag)} for node, found in answered(asked).items()}
    errors = failed(asked)
    usages = {node: usage for node, usage in counted.items() if node in have}
    tags = sorted({name for found in have.values() for name in found})
    images = {t: {n: found[t].as_data() for n, found in have.items() if t in found} for t in tags}
    data = {
        "images": images if have else None,
        "verdicts": {name: _verdict(name, have, errors) for name in tags} if have else None,
        "usage": {node: usage.as_data() for node, usage in answered(usages).items()} if have else None,
        "unknown": {node: error.as_data() for node, error in errors.items()},
    }
    lines = [f"{node}: unknown: {error.cause}" for node, error in errors.items()]
    lines += [f"{node}: docker's disk is unknown: {e.cause}" for node, e in failed(usages).items()]
    if not have:
        lines.insert(0, "which images there are is unknown: no node could be asked")
    disk = usage_sheet({node: answered(usages).get(node) for node in session.fleet.names})
    sheets = (_matrix(session, tags, have, errors), *_versions(tags, have), disk)
    return Answer(data, (*sheets, *lines), exit_code_of_look(errors.values()))


def _wanted(name: str, tag: str | None) -> bool:
    return bool(name) and "<none>" not in name and (tag is None or full_name(name) == full_name(tag))


def _matrix(session: Session, tags: list[str], have: Have, errors: Mapping[str, SparkError]) -> Sheet:
    nodes, now = session.fleet.names, session.fleet.clock.now()
    rows = [(t, *(_cell(have.get(n), t, now) for n in nodes), _verdict(t, have, errors)) for t in tags]
    return Sheet.of(("image", *nodes, "content"), rows)


def _cell(found: Mapping[str, ImageIdentity] | None, name: str, now: datetime) -> str | None:
    if found is None:
        return "unknown"
    image = found.get(name)
    return f"{image.short} {size(image.size_bytes)} {age(image.created, now)}" if image else None


def _verdict(name: str, have: Have, errors: Mapping[str, SparkError]) -> str:
    there = [found[name] for found in have.values() if name in found]
    missing = [node for node, found in have.items() if name not in found]
    if not all(same_content(there[0], other) for other in there[1:]):
        return "differs"
    if missing:
        return f"missing on {', '.join(missing)}"
    return f"same, {', '.join(errors)} unknown" if errors else "same"


def _versions(tags: list[str], have: Have) -> tuple[Sheet, ...]:
    """What our recipes' images say of themselves: a line per content, with the nodes that have it."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for tag in tags:
        for node, images in have.items():
            if tag in images and (versions := (built_from(images[tag]), built_with(images[tag]))) != ("", ""):
                found.setdefault((tag, images[tag].short, *versions), []).append(node)
    rows = [(tag, short, ", ".join(on), vllm or None, rest) for (tag, short, vllm, rest), on in found.items()]
    return (Sheet.of(("image", "content", "on", "vLLM", "built with"), rows, "versions"),) if rows else ()
