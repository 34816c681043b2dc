"""`wait-for`: returns when a condition was seen to hold, and says what is missing when it gives up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import (
    ChangedHostKey,
    Refused,
    SparkError,
    TimedOut,
    UnknownHostKey,
    Unreachable,
    WrongUsage,
)
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.model.docker import difference
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec, recalled
from sparkconsole.model.ray import RayMember, gpu_count, living
from sparkconsole.model.text.alike import suggestion
from sparkconsole.model.work.answer import Answer
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session

PAUSE_S = 2.0
TOKEN_S = 20.0
WAITED = {
    "nodes": "all answer",
    "ray": "all are members, with a GPU each",
    "server": "it completed a token",
    "image": "all have it, the same one",
}
"""What each condition is."""
Missing = tuple[str, ...]
"""What a condition still lacks, a sentence each; nothing: it holds."""


def _refuse_words(condition: str, /, **_: object) -> None:
    """A condition that there is not."""
    if condition not in WAITED:
        hint = suggestion(condition, WAITED, f"there are {', '.join(WAITED)}")
        raise WrongUsage(f"there is no condition {condition!r}", hint=hint)


@verb("wait-for", ahead=True, refuses=_refuse_words)
async def wait_for(
    session: Here,
    condition: str,
    /,
    *,
    timeout: float = 300.0,
    port: int = 8888,
    tag: Annotated[str | None, Parameter(name=["--tag", "-t"])] = None,
    name: str | None = None,
) -> Answer:
    """Wait until nodes, ray, server or image is ready; exit code 1 when it is not in time.

    Parameters
    ----------
    condition
        nodes: all answer. ray: all are members, with a GPU each. server: it completed a token.
        image: all have it, the same one.
    timeout
        Seconds after which to give up.
    port
        The server's.
    tag
        The image to wait for; without it the cluster's.
    name
        Name of the containers; without it the cluster's.
    """
    fleet, container = session.fleet, name or session.cluster.container
    fleet.head  # noqa: B018 - an empty cluster is refused
    looks: dict[str, Callable[[], Awaitable[Missing]]] = {
        "nodes": lambda: _nodes(fleet),
        "ray": lambda: _ray(fleet, container),
        "server": lambda: _server(fleet, port),
        "image": lambda: _image(fleet, tag or session.cluster.image),
    }
    look = looks[condition]
    if session.options.dry_run:
        return await _ahead(session, condition, timeout, look)
    clock = fleet.clock
    began = clock.monotonic()
    while missing := await look():
        if clock.monotonic() - began >= timeout:
            cause = f"{condition}: not seen within {timeout:g} s: {'; '.join(missing)}"
            raise TimedOut(cause, hint="sparkconsole check and sparkconsole status show more")
        await clock.sleep(min(PAUSE_S, timeout))
    waited = round(clock.monotonic() - began, 1)
    return Answer({"condition": condition, "holds": True, "waited_s": waited}, (f"{condition}: ready",))


async def _ahead(
    session: Session, condition: str, timeout: float, look: Callable[[], Awaitable[Missing]]
) -> Answer:
    """What would be waited for, and, in a script, whether the lines before it lead there."""
    data: dict[str, Any] = {"condition": condition, "waits": False, "timeout_s": timeout}
    text = f"would wait for {condition} ({WAITED[condition]}), {timeout:g} s at most"
    if not session.fleet.forecast.effects:
        return Answer(data, (text,))
    missing = await look()
    then = f"{'not ' if missing else ''}ready after the lines before"
    then += f": {'; '.join(missing)}" if missing else ""
    return Answer({**data, "missing": list(missing)}, (f"{text}: {then}",))


def _asked(fleet: Fleet, answers: dict[str, SparkError]) -> Missing:
    """The errors as sentences; a lost node is tried again next time, a wrong host key is not."""
    for node, error in answers.items():
        if isinstance(error, (UnknownHostKey, ChangedHostKey)):
            raise error
        if isinstance(error, Unreachable):
            fleet.lost(node)
    return tuple(f"{node}: {error.cause}" for node, error in answers.items())


async def _nodes(fleet: Fleet) -> Missing:
    async def answers(shell: Shell) -> None:
        (await shell.run(("true",), timeout=10)).checked()

    return _asked(fleet, failed(await fleet.ask(answers)))


async def _ray(fleet: Fleet, container: str) -> Missing:
    from sparkconsole.remote.node.site import look
    from sparkconsole.remote.ray import members

    sites = await fleet.ask(lambda shell: look(shell, container))
    if wrong := failed(sites):
        return _asked(fleet, wrong)
    found = {n: site.found for n, site in answered(sites).items() if site.running and site.found}
    head = found.get(fleet.head)
    if head is None:
        return (f"{fleet.head}: no container {container} runs",)
    spec = recalled(head.labels) or LaunchSpec()
    if spec.backend is not Backend.RAY:
        raise Refused(f"{container} was launched without Ray ({spec.backend})", hint="wait-for server")
    try:
        listed = await members(await fleet.shell(fleet.head), spec.dashboard_port)
    except SparkError as error:
        return (f"Ray's head: {error.cause}",)
    return _lacking(fleet.names, {n: c.labels.get(LABEL_ADDRESS, "") for n, c in found.items()}, listed)


def _lacking(names: tuple[str, ...], addresses: dict[str, str], listed: tuple[RayMember, ...]) -> Missing:
    """Who is no living member, and how many GPUs there are too few; a container tells its own address."""
    alive, gpus = living(listed), gpu_count(listed)
    absent = [n for n in names if addresses.get(n) not in alive]
    few = (f"{gpus} of {len(names)} GPUs",) if gpus < len(names) else ()
    return (*(f"{n} is no living member of Ray" for n in absent), *few)


async def _server(fleet: Fleet, port: int) -> Missing:
    from sparkconsole.remote.serve.vllm import complete_one_token

    answers = await fleet.ask(lambda shell: complete_one_token(shell, port, timeout=TOKEN_S), (fleet.head,))
    return _asked(fleet, failed(answers))


async def _image(fleet: Fleet, tag: str) -> Missing:
    from sparkconsole.remote.docker import engine as docker

    answers = await fleet.ask(lambda shell: docker.image(shell, tag))
    found = answered(answers)
    have = {n: i for n, i in found.items() if i is not None}
    lacking = (f"{n} does not have {tag}" for n in found if n not in have)
    first = next(iter(have), "")
    why = {n: difference(have[first], image) for n, image in have.items()}
    differing = (f"{n} has another one than {first}: {text}" for n, text in why.items() if text)
    return (*_asked(fleet, failed(answers)), *lacking, *differing)
