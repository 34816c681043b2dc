"""Downloads a revision of a model from the hub into the login's cache, as huggingface_hub lays it out.

Arguments: model, revision, endpoint, number of connections. The token is in HF_TOKEN or the login's own file.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from sparkconsole.remote.model_program.hashes import CHUNK, STOP, Counted, Incoming, ModelWrong, say
from sparkconsole.remote.model_program.looking import cache_folder, hub_folder
from sparkconsole.remote.model_program.receiving import make_link, write_text

TRIES, PATIENCE_S = 5, 60
WHY = {
    401: "the hub wants a login: the model is private, gated or not there, and there is no valid token",
    403: "the hub refuses: the licence of this model was not accepted by the owner of the token",
    404: "the hub has no such model or revision",
}


class Redirects(urllib.request.HTTPRedirectHandler):
    """The token is for the hub alone, never for the servers that it sends us to."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request."""
        found = super().redirect_request(req, fp, code, msg, headers, newurl)
        if found and urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            found.remove_header("Authorization")
        return found


def token() -> str:
    """From the environment, else where `hf auth login` keeps it."""
    if os.environ.get("HF_TOKEN"):
        return os.environ["HF_TOKEN"].strip()
    with contextlib.suppress(OSError), open(os.path.join(cache_folder(), "token")) as file:
        return file.read().strip()
    return ""


def fetch(url: str, offset: int = 0) -> Any:
    """An open answer; Wrong, in words, for what trying again does not mend."""
    request = urllib.request.Request(url, headers={"User-Agent": "sparkconsole"})  # noqa: S310 - a person's
    if token():
        request.add_unredirected_header("Authorization", "Bearer " + token())
    if offset:
        request.add_header("Range", "bytes=%d-" % offset)  # noqa: UP031
    try:
        return urllib.request.build_opener(Redirects).open(request, timeout=PATIENCE_S)
    except urllib.error.HTTPError as error:
        code = error.headers.get("X-Error-Code", "")
        why = WHY[403] if code == "GatedRepo" and token() else WHY.get(error.code)
        if why:
            raise ModelWrong(f"{why} ({error.code} {code})".replace(" )", ")")) from None
        raise


def patient(task: Any) -> Any:
    """Again after what passes: lost connections, busy servers."""
    for attempt in range(TRIES):
        try:
            return task()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if STOP.is_set() or attempt == TRIES - 1 or getattr(error, "errno", None) == errno.ENOSPC:
                raise ModelWrong(getattr(error, "strerror", None) or str(error)) from None
            time.sleep(min(30, 2**attempt))
    return None


def listing(endpoint: str, model: str, revision: str) -> dict[str, Any]:
    """The commit, and every file with its size and hash."""
    quoted = urllib.parse.quote(revision, safe="")
    with fetch(f"{endpoint}/api/models/{model}/revision/{quoted}?blobs=true") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def rows_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, blob and size of each file; Wrong for names that lead out of the model's folder."""
    rows = []
    for row in found["siblings"]:
        name, large = row["rfilename"], row.get("lfs") or {}
        blob, size = large.get("sha256") or row["blobId"], large.get("size", row.get("size", 0))
        if os.path.normpath("/" + name) != "/" + name or not re.fullmatch("[0-9a-f]{40,64}", blob):
            raise ModelWrong(f"the hub names a file that cannot be one of a model: {name!r}")
        rows.append({"name": name, "blob": blob, "size": size})
    return rows


def get(url: str, path: str, size: int, counted: Counted) -> None:
    """One file, going on where an earlier try ended."""
    for attempt in (0, 1):
        coming = Incoming(path, size, attempt > 0)
        counted.add(coming.have)
        if coming.have < size:
            try:
                pour(url, coming, counted)
            except OSError as error:
                coming.drop() if error.errno == errno.ENOSPC else coming.file.close()
                counted.add(-coming.have)
                raise
        if coming.finish(os.path.basename(path)):
            return
        counted.add(-size)
    raise ModelWrong("it arrived wrong twice")


def pour(url: str, coming: Incoming, counted: Counted) -> None:
    """What is missing of it."""
    with fetch(url, coming.have) as answer:
        if coming.have and answer.status != 206:
            counted.add(-coming.have)
            coming.restart()
        while chunk := answer.read(CHUNK):
            if STOP.is_set():
                coming.drop()
                raise ModelWrong("stopped")
            coming.add(chunk)
            counted.add(len(chunk))
    if coming.have < coming.size:
        raise OSError("the connection ended early")


def download(words: list[str]) -> int:
    """All files, several at once; the links and the name of the revision only when every file is there."""
    os.umask(0o022)  # the folder of a job is private, a model in the cache is not
    model, revision, endpoint, streams = words[0], words[1], words[2].rstrip("/"), int(words[3])
    folder = os.path.join(hub_folder(), "models--" + model.replace("/", "--"))
    failed: dict[str, str] = {}
    try:
        found = patient(lambda: listing(endpoint, model, revision))
        rows = rows_of(found)
        say(revision=found["sha"], files=len(rows), total=sum(r["size"] for r in rows))
        require_room(folder, rows)
        fetch_all(f"{endpoint}/{model}/resolve/{found['sha']}/", folder, rows, streams, failed)
        if not failed and not STOP.is_set():
            name_all(folder, found["sha"], revision, rows)
    except ModelWrong as error:
        failed[""] = str(error)
    except OSError as error:
        failed[error.filename or ""] = error.strerror or str(error)
    say(end=True, failed=failed if not STOP.is_set() else {"": "stopped; what was whole stays"})
    return 1 if failed or STOP.is_set() else 0


def require_room(folder: str, rows: list[dict[str, Any]]) -> None:
    """Refuses what would fill the disk."""
    os.makedirs(os.path.join(folder, "blobs"), exist_ok=True)
    missing = sum(r["size"] for r in rows if not os.path.exists(os.path.join(folder, "blobs", r["blob"])))
    seen = os.statvfs(folder)
    if missing > seen.f_bavail * seen.f_frsize:
        free = seen.f_bavail * seen.f_frsize
        raise ModelWrong(f"{missing / 1e9:.1f} GB are to come and {free / 1e9:.1f} GB are free in {folder}")


def fetch_all(
    base: str, folder: str, rows: list[dict[str, Any]], streams: int, failed: dict[str, str]
) -> None:
    """Every blob that is not there."""
    counted = Counted(sum(r["size"] for r in rows))

    def bring(row: dict[str, Any]) -> None:
        path, url = os.path.join(folder, "blobs", row["blob"]), base + urllib.parse.quote(row["name"])
        if STOP.is_set() or failed:
            return
        if os.path.isfile(path) and os.stat(path).st_size == row["size"]:
            counted.add(row["size"])
            return
        try:
            patient(lambda: get(url, path, row["size"], counted))
        except ModelWrong as error:
            failed[row["name"]] = str(error)

    with ThreadPoolExecutor(max(1, streams)) as several:
        coming = [several.submit(bring, row) for row in sorted(rows, key=lambda r: -int(r["size"]))]
        while wait(coming, 0.3).not_done:
            counted.tell()
    for one in coming:
        one.result()  # what nobody expected is no success
    counted.tell()


def name_all(folder: str, commit: str, revision: str, rows: list[dict[str, Any]]) -> None:
    """The snapshot's links, and the branch that leads to it."""
    for row in rows:
        path = os.path.join(folder, "snapshots", commit, row["name"])
        make_link(path, os.path.relpath(os.path.join(folder, "blobs", row["blob"]), os.path.dirname(path)))
    if revision != commit:
        write_text(os.path.join(folder, "refs", revision), commit)
