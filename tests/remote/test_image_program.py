"""The program of both ends of a copy: stores that were written here, an engine of a few lines in between.

Real engines, ssh and containers: tests/real.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.model.image.prune import CHECKPOINT_LABEL
from sparkconsole.remote.image.layers import FOLDER
from sparkconsole.remote.image_program.__main__ import text
from sparkconsole.remote.image_program.engine import Engine
from sparkconsole.remote.image_program.loading import LABEL, Load, header, parts
from sparkconsole.remote.image_program.protocol import Wrong, last_line
from sparkconsole.remote.image_program.saving import filtered
from sparkconsole.remote.image_program.serving import Answers, Shelf, Turns
from sparkconsole.remote.image_program.stores import BlobImage, SplitImage, chain_ids, digest_of, open_image
from sparkconsole.remote.image_program.tunnel import Tunnel
from tests.pretend_engine import PretendEngine, listening

PLATFORM = "linux/arm64"
LARGE = 17 << 20
"""A layer that makes a part by itself."""


def _layer(name: str, size: int = 5000) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo(f"files/{name} ü")
        entry.size = size
        tar.addfile(entry, io.BytesIO((name.encode() * (size // len(name) + 1))[:size]))
    return made.getvalue()


def graph_store(root: Path, layers: dict[str, bytes]) -> str:
    """An overlay2 store with an image of these layers; the image's id."""
    diffs = [digest_of(layer) for layer in layers.values()]
    for (name, layer), chain in zip(layers.items(), chain_ids(diffs), strict=True):
        entry = root / "image/overlay2/layerdb/sha256" / chain.removeprefix("sha256:")
        entry.mkdir(parents=True)
        (entry / "cache-id").write_text(name)
        (folder := root / "overlay2" / name / "diff/files").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            at, size = (found := tar.getmembers()[0]).offset_data, found.size
        (folder / f"{name} ü").write_bytes(layer[at : at + size])
        pieces = [
            {"type": 2, "payload": base64.b64encode(layer[:at]).decode()},
            {"type": 1, "name": f"files/{name} ü", "size": size},
            {"type": 2, "payload": base64.b64encode(layer[at + size :]).decode()},
        ]
        lines = "".join(json.dumps(piece) + "\n" for piece in pieces)
        (entry / "tar-split.json.gz").write_bytes(gzip.compress(lines.encode()))
    config = _config(diffs)
    content = root / "image/overlay2/imagedb/content/sha256"
    content.mkdir(parents=True)
    (content / digest_of(config).removeprefix("sha256:")).write_bytes(config)
    return digest_of(config)


def blob_store(root: Path, layers: dict[str, bytes]) -> str:
    """A containerd store with packed layers of two platforms under one index; the index's digest."""
    blobs = root / "containerd/daemon/io.containerd.content.v1.content/blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> str:
        (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
        return digest_of(data)

    packed = [gzip.compress(layer, mtime=0) for layer in layers.values()]
    config = put(_config([digest_of(layer) for layer in layers.values()]))
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    told = [{"mediaType": kind, "digest": put(data), "size": len(data)} for data in packed]
    manifest = put(json.dumps({"config": {"digest": config}, "layers": told}).encode())
    oci = "application/vnd.oci.image.manifest.v1+json"
    other = {"mediaType": oci, "digest": f"sha256:{'0' * 64}"}
    entries = [
        {**other, "platform": {"os": "linux", "architecture": "amd64"}},
        {"mediaType": oci, "digest": manifest, "platform": {"os": "linux", "architecture": "arm64"}},
    ]
    return put(json.dumps({"manifests": entries}).encode())


def _config(diffs: list[str]) -> bytes:
    rootfs = {"type": "layers", "diff_ids": diffs}
    return json.dumps({"os": "linux", "architecture": "arm64", "config": {}, "rootfs": rootfs}).encode()


@contextlib.contextmanager
def served(image: SplitImage | BlobImage) -> Iterator[int]:
    """The image at a port of the loopback, where ssh would have brought it."""
    answers = type("Bound", (Answers,), {"shelf": Shelf(image)})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=20)) as link:
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        return answer, answer.read()


LAYERS = {name: _layer(name) for name in ("one", "two", "three")}
STORES: dict[str, Callable[[Path, dict[str, bytes]], str]] = {"graph": graph_store, "blobs": blob_store}


def test_both_ends_get_one_text_in_which_no_name_means_two_things() -> None:
    tree = ast.parse(text(str(FOLDER)))
    found = Counter[str]()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] += 1
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    assert [name for name, times in found.items() if times > 1] == []
    assert "sparkconsole." not in "".join(ast.unparse(n) for n in tree.body if isinstance(n, ast.ImportFrom))


def test_the_label_of_what_arrived_is_the_one_that_pruning_knows() -> None:
    assert LABEL == CHECKPOINT_LABEL


@pytest.mark.parametrize("store", STORES)
def test_a_layer_arrives_bit_for_bit_from_either_store(store: str, tmp_path: Path) -> None:
    image = open_image(str(tmp_path), "", STORES[store](tmp_path, LAYERS), PLATFORM)
    with served(image) as port:
        for place, layer in enumerate(LAYERS.values()):
            answer, data = ask(port, f"/layers/{place}")
            assert int(answer.headers["Content-Length"]) == len(data)
            assert (data if store == "graph" else gzip.decompress(data)) == layer
        assert ask(port, "/layers/3")[0].status == 404


@pytest.mark.parametrize("store", STORES)
def test_a_registrys_questions_are_answered_with_digests_that_are_true(store: str, tmp_path: Path) -> None:
    image = open_image(str(tmp_path), "", STORES[store](tmp_path, LAYERS), PLATFORM)
    with served(image) as port:
        assert ask(port, "/v2/")[0].status == 200
        answer, manifest = ask(port, "/v2/any/copy/manifests/latest")
        assert answer.headers["Docker-Content-Digest"] == digest_of(manifest)
        told = json.loads(manifest)
        for part in (told["config"], *told["layers"]):
            answer, data = ask(port, f"/v2/any/copy/blobs/{part['digest']}")
            assert digest_of(data) == part["digest"]
        last = told["layers"][-1]
        assert last["size"] == len(data)
        answer, rest = ask(port, f"/v2/any/copy/blobs/{last['digest']}", Range="bytes=20-")
        assert (answer.status, rest) == (206, data[20:])
        assert ask(port, f"/v2/any/copy/blobs/{last['digest']}", Range="bytes=99999-")[0].status == 416
        answer, nothing = ask(port, f"/v2/any/copy/blobs/{last['digest']}", "HEAD")
        assert (int(answer.headers["Content-Length"]), nothing) == (len(data), b"")
        assert ask(port, f"/v2/any/copy/blobs/sha256:{'a' * 64}")[0].status == 404


def test_a_greeting_in_tls_is_refused_in_the_words_that_containerd_understands(tmp_path: Path) -> None:
    import socket

    image = open_image(str(tmp_path), "", graph_store(tmp_path, LAYERS), PLATFORM)
    with served(image) as port, socket.create_connection(("127.0.0.1", port), 20) as link:
        link.sendall(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 hello\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 400")


def test_a_part_for_another_platform_is_never_sent(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="no part for linux/riscv64"):
        open_image(str(tmp_path), "", blob_store(tmp_path, LAYERS), "linux/riscv64")


def test_a_damaged_configuration_is_not_sent(tmp_path: Path) -> None:
    image = graph_store(tmp_path, LAYERS)
    (tmp_path / "image/overlay2/imagedb/content/sha256" / image.removeprefix("sha256:")).write_bytes(b"{}")
    with pytest.raises(ValueError, match="damaged"):
        open_image(str(tmp_path), "", image, PLATFORM)


def test_turns_go_to_the_lowest_that_waits() -> None:
    turns, order, begun = Turns(), list[int](), threading.Barrier(3)

    def take(place: int) -> None:
        begun.wait()
        with turns.of(place):
            order.append(place)

    with turns.of(9):
        waiting = [threading.Thread(target=take, args=(place,)) for place in (5, 3)]
        for thread in waiting:
            thread.start()
        begun.wait()
        while len(turns._waiting) < 2:
            pass
    for thread in waiting:
        thread.join(20)
    assert order == [3, 5]


# --- loading


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[PretendEngine, Engine]]:
    pretend = PretendEngine()
    with listening(pretend, tmp_path / "docker.sock") as path:
        yield pretend, Engine(path)


BIG = {name: _layer(name, LARGE) for name in ("one", "two", "three")}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, list[str]]]:
    """An image whose layers travel by themselves: its port, id and layers."""
    root = tmp_path_factory.mktemp("big")
    image = graph_store(root, BIG)
    with served(open_image(str(root), "", image, PLATFORM)) as port:
        yield port, image, [digest_of(layer) for layer in BIG.values()]


def _load(engine: Engine, port: int, names: list[str]) -> Load:
    return Load(engine, Tunnel(port), names)


def _told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_layers_are_loaded_one_by_one_and_nothing_but_the_image_is_left(
    engine: tuple[PretendEngine, Engine], big: tuple[int, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    pretend, api = engine
    port, image, layers = big
    sent = _load(api, port, ["t:1", "t:20261128-1200"]).run(PLATFORM, api.images())
    assert sent == sum(map(len, BIG.values()))
    assert pretend.received == [[f"blobs/sha256/{diff[7:]}"] for diff in layers]
    assert pretend.names == {"t:1": image, "t:20261128-1200": image}
    assert pretend.nameless() == []
    told = _told(capsys)
    assert told[0] == {"total": sent, "layers": 3}
    assert {news["layer"] for news in told if "layer" in news} == {1, 2, 3}
    assert max(news["sent"] for news in told if "sent" in news) == sent


def test_what_arrived_before_an_interruption_does_not_travel_again(
    engine: tuple[PretendEngine, Engine], big: tuple[int, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    pretend, api = engine
    port, image, layers = big
    pretend.fail_after = 2
    with pytest.raises(Wrong, match="no space left") as failed:
        _load(api, port, ["t:1"]).run(PLATFORM, api.images())
    assert failed.value.final, "all of the image would need more room still"
    assert (pretend.names, len(pretend.nameless())) == ({}, 2)
    pretend.fail_after = 99
    assert _load(api, port, ["t:1"]).run(PLATFORM, api.images()) == len(BIG["three"])
    assert pretend.received[2:] == [[f"blobs/sha256/{layers[2][7:]}"]]
    assert (pretend.names, pretend.nameless()) == ({"t:1": image}, [])


def test_an_image_whose_layers_are_all_there_needs_no_byte_of_them(
    engine: tuple[PretendEngine, Engine], big: tuple[int, str, list[str]]
) -> None:
    pretend, api = engine
    port, image, _ = big
    _load(api, port, ["t:1"]).run(PLATFORM, api.images())
    pretend.names.clear()
    assert _load(api, port, ["u:1"]).run(PLATFORM, api.images()) == 0
    assert pretend.names == {"u:1": image}


def test_who_does_not_want_it_any_more_leaves_nothing(
    engine: tuple[PretendEngine, Engine], big: tuple[int, str, list[str]]
) -> None:
    pretend, api = engine
    port, _, _ = big
    pretend.fail_after = 2
    load = _load(api, port, ["t:1"])
    with pytest.raises(Wrong):
        load.run(PLATFORM, api.images())
    load.stop(wanted=True)
    assert len(pretend.nameless()) == 2, "a sender that is gone may come back"
    load.stop(wanted=False)
    assert (pretend.images, pretend.names) == ({}, {})


def test_a_checkpoint_of_another_image_stays(
    engine: tuple[PretendEngine, Engine], big: tuple[int, str, list[str]]
) -> None:
    pretend, api = engine
    pretend.images["sha256:other"] = {
        "os": "linux", "architecture": "arm64", "config": {"Labels": {LABEL: "other:1"}},
        "rootfs": {"diff_ids": ["sha256:x"]},
    }  # fmt: skip
    _load(api, big[0], ["t:1"]).run(PLATFORM, api.images())
    assert pretend.nameless() == ["sha256:other"]


def test_a_file_that_became_shorter_ends_the_copy_and_leaves_no_image(
    engine: tuple[PretendEngine, Engine], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend, api = engine
    image = graph_store(tmp_path / "store", LAYERS)
    (tmp_path / "store/overlay2/two/diff/files/two ü").write_bytes(b"short")
    with (
        served(open_image(str(tmp_path / "store"), "", image, PLATFORM)) as port,
        pytest.raises(Wrong, match="could not be read to its end"),
    ):
        _load(api, port, ["t:1"]).run(PLATFORM, api.images())
    assert "is shorter than the image says" in capsys.readouterr().err
    assert (pretend.images, pretend.names) == ({}, {})


def test_a_wrong_byte_is_the_engines_to_find(engine: tuple[PretendEngine, Engine], tmp_path: Path) -> None:
    pretend, api = engine
    image = graph_store(tmp_path / "store", LAYERS)
    file = tmp_path / "store/overlay2/two/diff/files/two ü"
    file.write_bytes(b"X" + file.read_bytes()[1:])
    with (
        served(open_image(str(tmp_path / "store"), "", image, PLATFORM)) as port,
        pytest.raises(Wrong, match="invalid diffID for layer 1"),
    ):
        _load(api, port, ["t:1"]).run(PLATFORM, api.images())
    assert pretend.names == {}


def test_small_layers_travel_together_large_ones_alone() -> None:
    assert parts([1, 2, 30, 4, 40, 5], least=10) == [range(3), range(3, 5), range(5, 6)]
    assert parts([]) == []
    assert parts([1, 2]) == [range(2)]


def test_a_layer_of_more_than_eight_gib_has_a_size_that_tar_reads() -> None:
    size = 20 << 30
    assert tarfile.TarInfo.frombuf(header("blobs/sha256/x", size), "utf-8", "strict").size == size


# --- docker save without what is there


def _archive(format_: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format_) as tar:
        for name, data in (
            ("blobs/sha256/aa", b"a" * 700),
            ("blobs/sha256/bb", b"b" * 1500),
            ("manifest.json", b"[]"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1.5
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize("known", [set(), {"blobs/sha256/aa"}, {"blobs/sha256/aa", "blobs/sha256/bb"}])
def test_only_known_blobs_are_left_out_with_all_that_belongs_to_them(known: set[str]) -> None:
    out = io.BytesIO()
    assert filtered(io.BytesIO(_archive()), out.write, known) == len(known)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
        assert [m.mtime for m in tar.getmembers()] == [1.5] * len(names)
    assert names == [n for n in ("blobs/sha256/aa", "blobs/sha256/bb", "manifest.json") if n not in known]


def test_an_archive_with_nothing_left_out_is_copied_byte_for_byte() -> None:
    out = io.BytesIO()
    filtered(io.BytesIO(_archive()), out.write, set())
    assert out.getvalue() == _archive()


@pytest.mark.parametrize("at", [2000, 600, 100, 1])
def test_an_archive_that_ends_early_is_no_success(at: int) -> None:
    out = io.BytesIO()
    with pytest.raises(Wrong, match="in the middle"):
        filtered(io.BytesIO(_archive()[:at]), out.write, set())
    assert not out.getvalue().endswith(bytes(1024))


def test_one_that_ends_between_two_entries_gets_no_end_here() -> None:
    """`docker load` refuses what has no end; here its sender's exit code says that it failed."""
    whole, out = _archive(), io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        second = tar.getmembers()[1].offset
    filtered(io.BytesIO(whole[:second]), out.write, set())
    assert out.getvalue() == whole[:second]


def test_what_is_no_header_in_the_middle_is_no_success() -> None:
    whole, out = _archive(), io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        second = tar.getmembers()[1].offset
    with pytest.raises(Wrong, match="in the middle"):
        filtered(io.BytesIO(whole[:second] + b"not a header" * 60), out.write, set())


NO_PYTHON = (
    "docker: Error response from daemon: failed to create task for container: failed to create shim task: "
    'exec: "python3": executable file not found in $PATH: unknown.'
)


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (
            'time="2026-01-01T10:00:00Z" level=error msg="error waiting for container: context canceled"',
            NO_PYTHON,
        ),
        ("See 'docker run --help'.", NO_PYTHON),
        ("\nRun 'docker run --help' for more information", NO_PYTHON),
        ("no space left on device", "no space left on device"),
        ("", NO_PYTHON),
    ],
)
def test_the_reason_of_docker_is_not_what_it_adds_to_it(after: str, cause: str) -> None:
    assert last_line(io.BytesIO(f"{NO_PYTHON}\n{after}\n".encode())) == cause


def test_a_process_that_says_only_that_is_quoted_all_the_same() -> None:
    assert last_line(io.BytesIO(b"See 'docker run --help'.\n")) == "See 'docker run --help'."
    assert last_line(io.BytesIO(b"")) == ""
