"""`examples`: the scripts that come with this program."""

from __future__ import annotations

from sparkconsole.config.paths import SCRIPT_SUFFIX, examples
from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.alike import suggestion
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


@verb("examples list", local=True)
@verb("examples", default=True, local=True)
async def list_examples(session: Here) -> Answer:
    """List the scripts that come with this program, and how to run one."""
    first = {name: path.read_text(encoding="utf-8").partition("\n")[0] for name, path in examples().items()}
    rows = [(name, comment.lstrip("# ")) for name, comment in first.items()]
    data = {"examples": [{"name": name, "summary": summary} for name, summary in rows]}
    example = (
        "run one on the pretend cluster: sparkconsole --demo --yes --script NAME",
        "see its plan only: sparkconsole --demo --dry-run --script NAME",
        "begin your own with one: sparkconsole examples show NAME > mine.spark",
    )
    return Answer(data, (Sheet.of(("name", "what it does"), rows), *example))


@verb("examples show", local=True)
async def show_example(session: Here, name: str, /) -> Answer:
    """Print one of the scripts that come with this program.

    Parameters
    ----------
    name
        As `examples list` names it.
    """
    there = examples()
    path = there.get(name.removeprefix("examples/").removesuffix(SCRIPT_SUFFIX))
    if path is None:
        hint = suggestion(name, there, f"there are {', '.join(there)}")
        raise WrongUsage(f"there is no example {name}", hint=hint)
    text = path.read_text(encoding="utf-8")
    return Answer({"name": path.stem, "path": str(path), "text": text}, (text.rstrip("\n"),))
