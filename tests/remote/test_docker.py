"""Docker over its socket: logs keep every line and its time, refusals are told precisely."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from sparkconsole.errors import SparkError, TimedOut, TooMuch
from sparkconsole.model.docker_host import DockerHost
from sparkconsole.model.image.bases import FromImage
from sparkconsole.remote.docker import engine as docker
from sparkconsole.remote.docker.host import _FOUND
from sparkconsole.remote.docker.log_frames import LogFrames, api_time
from sparkconsole.remote.image.bases import seen_bases
from sparkconsole.remote.local import LocalShell

T1, T2 = "2026-01-31T12:00:00.000000001Z", "2026-01-31T12:00:01.5Z"


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


BEAR = f"{T1} bär\n".encode()
LOG = (
    frame(1, BEAR[:-3])  # in the middle of a character
    + frame(2, f"{T2} bad \n".encode())
    + frame(1, BEAR[-3:])
    + frame(1, f"{T2} 10%\r20%\r\n".encode())
    + frame(2, T2.encode() + b" \xff\n")
    + frame(1, f"{T1} last".encode())
)
LINES = [
    (T2, "bad "),
    (T1, "bär"),
    (T2, "10%"),
    (T2, "20%"),
    (T2, "\ufffd"),
]


@pytest.mark.parametrize("size", [1, 3, 8, 64, len(LOG)])
def test_frames_and_characters_may_be_cut_anywhere(size: int) -> None:
    frames = LogFrames(raw=False)
    lines = [line for at in range(0, len(LOG), size) for line in frames.feed(LOG[at : at + size])]
    assert lines == LINES, "streams do not mix, a redrawn line keeps its time, broken bytes are shown"
    assert frames.end() == [(T1, "last")]


def test_a_terminals_log_has_no_frames() -> None:
    frames = LogFrames(raw=True)
    assert frames.feed(f"{T1} one\r\n{T2} tw".encode()) == [(T1, "one")]
    assert frames.feed(b"o\r\n") == [(T2, "two")]


def test_a_frame_that_promises_gigabytes_is_not_waited_for() -> None:
    frames = LogFrames(raw=False)
    assert frames.feed(b"\x01\0\0\0\xff\xff\xff\xff" + f"{T1} one\n".encode()) == [(T1, "one")]
    assert frames.feed(f"{T2} two\n".encode()) == [(T2, "two")]
    empty = LogFrames(raw=False)
    assert empty.feed(bytes(8) * 3 + b"\x01\0\0\0\0\0\0\x02x\n") == [("", "x")]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("1769860800", "1769860800"),
        ("2026-01-31T12:00:00Z", "1769860800"),
        (T2, "1769860801.500000000"),
        (T1, "1769860800.000000001"),
        ("2026-01-31T13:00:00+01:00", "1769860800"),
    ],
)
def test_times_become_what_the_api_takes(given: str, taken: str) -> None:
    assert api_time(given) == taken


def _json(data: object, status: int) -> web.Response:
    # As the engine names it; with a character set behind, aiodocker would not know it.
    return web.Response(
        body=json.dumps(data).encode(), status=status, headers={"Content-Type": "application/json"}
    )


class Engine:
    """Says what it is told to; `asked` are the paths and words of the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {}
        self.asked: list[str] = []

    def says(self, path: str, data: object, status: int = 200) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return _json(data, status)

        self.answers[path] = answer

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.split("/", 2)[2] if request.path.startswith("/v1.") else request.path.lstrip("/")
        self.asked.append(f"{request.method} {path}?{request.query_string}")
        key = path if request.method == "GET" else f"{request.method} {path}"
        if key not in self.answers:
            return _json({"message": f"No such container: {path}"}, 404)
        return await self.answers[key](request)


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    socket = tmp_path / "docker.sock"
    monkeypatch.setitem(_FOUND, SHELL, DockerHost(f"unix://{socket}"))
    engine = Engine()
    engine.says("version", {"ApiVersion": "1.41", "Version": "20.10.24"})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    yield engine
    await runner.cleanup()


SHELL = LocalShell("spark1")
SHOWN = {"Id": "c1", "Name": "/vllm_node", "Config": {"Tty": False}, "State": {"Status": "running"}}


def logs(engine: Engine, *, cut: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(LOG)
        if cut:
            assert request.transport
            request.transport.abort()
        return response

    engine.says("containers/vllm_node/json", SHOWN)
    engine.answers["containers/vllm_node/logs"] = answer


async def test_a_log_is_read_to_its_end(engine: Engine) -> None:
    logs(engine, cut=False)
    got = [line async for line in docker.container_log(SHELL, "vllm_node", since=T2, tail=5)]
    assert got == [*LINES, (T1, "last")]
    assert "since=1769860801.500000000" in engine.asked[-1]
    assert "tail=5" in engine.asked[-1]


async def test_a_log_that_is_cut_off_does_not_end_quietly(engine: Engine) -> None:
    logs(engine, cut=True)
    log = docker.container_log(SHELL, "vllm_node", follow=True)
    assert [await anext(log) for _ in LINES] == LINES
    with pytest.raises(SparkError):
        await anext(log)


async def test_the_log_of_nothing_is_an_error(engine: Engine) -> None:
    with pytest.raises(SparkError, match="No such container") as caught:
        [line async for line in docker.container_log(SHELL, "vllm_node")]
    assert caught.value.node == "spark1"


async def test_only_the_exact_name_is_a_container(engine: Engine) -> None:
    engine.says("containers/c1/json", SHOWN)
    assert await docker.container(SHELL, "c1") is None, "the engine answers to ids too"
    engine.says("containers/vllm_node/json", SHOWN)
    found = await docker.container(SHELL, "vllm_node")
    assert found is not None
    assert found.running


async def test_an_engine_that_refuses_says_why(engine: Engine) -> None:
    engine.says("images/json", {"message": "server is shutting down"}, 503)
    with pytest.raises(SparkError, match="docker says: server is shutting down"):
        await docker.images(SHELL)


async def test_an_answer_that_drips_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library has a time limit of its own, which is none."""
    monkeypatch.setattr(docker, "USAGE_TIMEOUT_S", 0.5)

    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                await response.write(b" ")
                await asyncio.sleep(0.1)
        return response

    engine.says("info", {"DockerRootDir": "/"})
    engine.answers["system/df"] = drips
    async with asyncio.timeout(30):
        with pytest.raises(TimedOut, match="docker gave no answer for"):
            await docker.disk_usage(SHELL)


@pytest.mark.parametrize(
    "question",
    [docker.outline, docker.containers, docker.images, docker.every_image],
    ids=lambda q: q.__name__,
)
async def test_an_engine_that_lists_without_end_says_too_much(
    question: Callable[[LocalShell], Awaitable[object]], engine: Engine
) -> None:
    """Each would be asked for by itself; what nests without end is no answer of Docker's."""
    rows = [
        {"Id": f"i{n}", "RepoTags": [f"a:{n}"], "Names": [f"/a{n}"]} for n in range(docker.MOST_LISTED + 1)
    ]
    for path in ("images/json", "containers/json"):
        engine.says(path, rows)
    with pytest.raises(TooMuch, match=f"docker says too much: it lists {len(rows)}") as caught:
        await question(SHELL)
    assert caught.value.node == "spark1"
    assert not any(asked.startswith("GET images/a:") for asked in engine.asked)

    async def nested(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"[" * 100_000, headers={"Content-Type": "application/json"})

    engine.answers["images/json"] = engine.answers["containers/json"] = nested
    with pytest.raises(SparkError, match="something that Docker would not say"):
        await question(SHELL)


@pytest.mark.parametrize(
    ("said", "told", "advice"),
    [
        ("missing\nstopped\nclosed\nann", "not installed", "install"),
        ("stopped\nclosed\nann", "does not run", "systemctl start"),
        ("closed\nann", "may not be used by ann", "usermod -aG docker ann"),
        ("ann", "does not answer", "systemctl status"),
    ],
)
async def test_why_docker_cannot_be_used(
    said: str, told: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "_WHY", f"printf '{said}'")
    monkeypatch.setitem(_FOUND, SHELL, DockerHost(f"unix://{tmp_path}/absent.sock"))
    with pytest.raises(SparkError, match=told) as caught:
        await docker.images(SHELL)
    assert advice in caught.value.hint
    assert caught.value.node == "spark1"


# --- images without a name, and what all of it takes up


def shown(image_id: str) -> dict[str, object]:
    return {"Id": image_id, "Os": "linux", "Architecture": "arm64", "RootFS": {"Layers": [image_id]}}


async def test_images_without_a_name_are_told_too_and_one_named_by_its_digest_has_one(engine: Engine) -> None:
    listed = [
        {"Id": "sha256:a", "RepoTags": ["n:latest", "n:1"], "RepoDigests": ["n@sha256:a"]},
        {"Id": "sha256:b", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]},
        {"Id": "sha256:c", "RepoTags": [], "RepoDigests": ["moby-dangling@sha256:c"]},
        {"Id": "sha256:d", "RepoTags": None, "RepoDigests": ["vllm/vllm@sha256:d"]},
    ]
    engine.says("images/json", listed)
    names = {"n:latest": "a", "n:1": "a", "sha256:b": "b", "sha256:c": "c", "vllm/vllm@sha256:d": "d"}
    for name, letter in names.items():
        engine.says(f"images/{name}/json", shown(f"sha256:{letter}"))
    found = await docker.every_image(SHELL)
    assert [(i.tag, i.id[-1]) for i in found] == [
        *(("n:latest", "a"), ("n:1", "a"), ("", "b"), ("", "c"), ("vllm/vllm@sha256:d", "d")),
    ]


RECORDS = [
    {"Size": 7, "Type": "regular", "LastUsedAt": None, "CreatedAt": "2026-01-01T00:00:00.123456789Z"},
    {"Size": 5, "Type": "regular", "LastUsedAt": "2026-01-20T00:00:00Z", "InUse": True},
    {"Size": 3, "Type": "regular", "LastUsedAt": "2026-01-20T00:00:00Z", "Shared": True},
    {"Size": 2, "Type": "internal", "CreatedAt": "2026-01-01T00:00:00Z"},
]
OLD = {"LayersSize": 100, "BuildCache": RECORDS}
NEW = {"ImageUsage": {"TotalSize": 100}, "BuildCacheUsage": {"TotalSize": 14, "Items": RECORDS}}


@pytest.mark.parametrize("said", [OLD, NEW], ids=["to 1.51", "since 1.52"])
async def test_what_an_engine_takes_up(engine: Engine, tmp_path: Path, said: dict[str, object]) -> None:
    engine.says("system/df", said)
    engine.says("info", {"DockerRootDir": str(tmp_path)})
    usage = await docker.disk_usage(SHELL)
    assert (usage.images_bytes, usage.cache_bytes) == (100, 14)
    assert usage.free_bytes
    assert usage.old_cache(datetime(2026, 1, 31, tzinfo=UTC), 72 * 3600) == 7
    assert any("type=build-cache" in asked and "verbose=1" in asked for asked in engine.asked)


async def test_free_space_that_df_does_not_know_is_unknown(engine: Engine) -> None:
    engine.says("system/df", OLD)
    engine.says("info", {"DockerRootDir": "/no/such/folder"})
    assert (await docker.disk_usage(SHELL)).free_bytes is None


DIGEST = f"sha256:{'1' * 64}"


async def test_a_digest_is_asked_of_the_engine_and_nothing_is_pulled(engine: Engine) -> None:
    name = "nvcr.io/nvidia/cuda:13.1"
    engine.says(f"distribution/{name}/json", {"Descriptor": {"digest": DIGEST}, "Platforms": []})
    assert await docker.digest_in_registry(SHELL, name) == DIGEST
    assert [asked.partition(" ")[0] for asked in engine.asked] == ["GET"] * len(engine.asked)


@pytest.mark.parametrize(
    "said",
    [
        {}, [], None, {"Descriptor": None}, {"Descriptor": {"digest": 1}},
        {"Descriptor": {"digest": f"{DIGEST}0"}}, {"Descriptor": {"digest": f"{DIGEST} --privileged"}},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_no_digest_goes_nowhere(engine: Engine, said: object) -> None:
    engine.says("distribution/x:1/json", said)
    with pytest.raises(SparkError, match="names no digest"):
        await docker.digest_in_registry(SHELL, "x:1")


async def test_each_base_says_what_it_is_or_why_that_is_not_known(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "REGISTRY_TIMEOUT_S", 0.5)

    over = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    local = {"Id": f"sha256:{'a' * 64}", "RepoDigests": [f"here@{DIGEST}", "\x1b[31m"]}
    engine.says("images/here:1/json", local)
    engine.says("distribution/there:1/json", {"Descriptor": {"digest": DIGEST}})
    engine.says("distribution/closed:1/json", {"message": "\x1b[31mdenied:\n access " + "x" * 999}, 403)
    engine.answers["distribution/silent:1/json"] = never
    names = ("here:1", "there:1", "closed:1", "silent:1", "absent:1", "", f"x@{DIGEST}")
    seen = await seen_bases(SHELL, [FromImage(name, name) for name in names])
    over.set()
    here, there, closed, silent, absent, unknown, named = seen
    assert (here.digest, here.image_id) == (DIGEST, local["Id"])
    assert (there.digest, there.image_id) == (DIGEST, "")
    assert (closed.digest, closed.why[:20], len(closed.why)) == ("", "denied: access xxxxx", 200)
    assert (silent.digest, silent.why) == ("", "no answer within 0 s")
    assert (absent.digest, absent.why[:7]) == ("", "No such")
    assert (unknown.digest, unknown.why) == ("", "only the builder knows its name")
    assert named.digest == DIGEST


async def test_a_builder_that_asks_the_registry_first_is_followed_in_that(engine: Engine) -> None:
    engine.says("images/x:1/json", {"Id": "sha256:" + "a" * 64})
    (local,) = await seen_bases(SHELL, [FromImage("x:1", "x:1")], registry_first=True)
    assert local.image_id, "no registry answered"
    engine.says("distribution/x:1/json", {"Descriptor": {"digest": DIGEST}})
    (registered,) = await seen_bases(SHELL, [FromImage("x:1", "x:1")], registry_first=True)
    assert (registered.digest, registered.image_id) == (DIGEST, "")
    (taken,) = await seen_bases(SHELL, [FromImage("x:1", "x:1")])
    assert (taken.digest, taken.image_id) == ("", local.image_id)


async def test_a_base_is_never_the_image_whose_id_begins_so(engine: Engine) -> None:
    engine.says("images/cafe/json", {"Id": "sha256:cafe" + "a" * 60})
    (seen,) = await seen_bases(SHELL, [FromImage("cafe", "cafe")])
    assert (seen.image_id, seen.digest) == ("", "")
    assert "images/cafe:latest/json" in str(engine.asked)
