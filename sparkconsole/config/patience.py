"""A folder that may never answer (a dead NFS, a FUSE whose program hangs) is not waited for without end."""

from __future__ import annotations

import concurrent.futures
import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 3.0
"""A slow disk answers within that; who asks cannot do anything else meanwhile."""
_Work = tuple["Future[Any]", Callable[[], Any]]
_silent: list[tuple[Path, Future[Any]]] = []
"""What is still asked of folders that did not answer in time."""
_idle: list[SimpleQueue[_Work]] = []


def patiently(folder: Path, work: Callable[[], T]) -> T:
    """What `work` on files of `folder` returns or raises; OSError (EIO) when that takes too long.

    Until the first such work has come to an end nothing more is asked of the folder: each refusal is
    immediate then, and nothing older can overwrite what is newer. The work itself cannot be ended; it is left
    to a thread that keeps nobody from leaving.
    """
    _refuse_silent(folder)
    queue = _idle.pop() if _idle else _started()
    result: Future[T] = Future()
    queue.put((result, work))
    if concurrent.futures.wait((result,), PATIENCE_S).not_done:
        _silent.append((folder, result))
        raise _no_answer(folder)
    _idle.append(queue)
    return result.result()


def _refuse_silent(folder: Path) -> None:
    _silent[:] = [(silent, asked) for silent, asked in _silent if not asked.done()]
    for silent, _ in _silent:
        if folder.is_relative_to(silent):
            raise _no_answer(silent)


def _no_answer(folder: Path) -> OSError:
    return OSError(errno.EIO, "the disk does not answer", str(folder))


def _started() -> SimpleQueue[_Work]:
    queue: SimpleQueue[_Work] = SimpleQueue()
    threading.Thread(target=_serve, args=(queue,), name="files", daemon=True).start()
    return queue


def _serve(queue: SimpleQueue[_Work]) -> None:
    while True:
        result, work = queue.get()
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the asker's
            result.set_exception(error)
        del result, work
