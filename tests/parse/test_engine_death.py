"""Which lines end a server, and which only quote such words."""

from __future__ import annotations

import pytest

from sparkconsole.parse.serve.engine_death import tells_of_death, tells_of_start

ENDS = (
    "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] ray.exceptions.ActorDiedError: The actor died",
    "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.",
    "(APIServer pid=1) ERROR 11-23 10:00:00 [async_llm.py:1] vllm.v1.engine.exceptions.EngineDeadError: x",
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
    "(EngineCore_DP0 pid=7) ERROR 11-12 13:42:18 [core.py:708] EngineCore encountered a fatal error.",
    "ERROR 11-12 13:42:18 [core_client.py:600] Engine core proc EngineCore_DP0 died unexpectedly.",
    "(EngineCore pid=4) ERROR 11-23 07:58:31 [ray_executor_v2.py:5] RayWorkerProc rank=[1] died unexpectedly",
    "(EngineCore pid=4) (raylet) A worker died or was killed while executing a task by an unexpected error.",
    "\x1b[36m(RayWorkerProc pid=2, ip=10.0.0.2)\x1b[0m (Worker_TP1 pid=2) ERROR 11-23 07:37:39 [m.py:1] "
    "WorkerProc hit an exception.",
    "(EngineCore pid=2) torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
    "RuntimeError: CUDA error: unspecified launch failure",
    "[rank1]: torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3135",
    "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
    "[rank0]:[E1123 10:00:00.000000000 ProcessGroupNCCL.cpp:683] [Rank 0] Watchdog caught collective "
    "operation timeout: WorkNCCL(SeqNum=7)",
    "(RayWorkerProc pid=2158, ip=192.168.10.254) double free or corruption (fasttop)",
    "Fatal Python error: Segmentation fault",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    "Out of memory: Killed process 4242 (VLLM::Worker_TP) total-vm:131072000kB",
    "  | ray.exceptions.RayActorError: The actor died because its node has died.",
    "ERROR Engine core proc EngineCore_DP0 died unexpectedly",
)
QUOTES = (
    "(APIServer pid=1) INFO 11-23 10:00:00 [x.py:1] Received request: 'EngineDeadError'",
    "(APIServer pid=1) INFO 11-23 10:00:00 [logger.py:40] Received request cmpl-1: prompt: 'why did "
    "ray.exceptions.ActorDiedError: The actor died come?', params: SamplingParams(n=1)",
    "(APIServer pid=1) ERROR 11-23 10:00:00 [serving_chat.py:9] Error in preprocessing prompt: "
    "EngineCore died, why?",
    "(APIServer pid=1) ERROR 11-23 10:00:00 [serving.py:9] invalid request \"EngineDeadError: x\" refused",
    "DEBUG 11-23 10:00:00 [x.py:1] EngineCore encountered a fatal error.",
    "(APIServer pid=1) WARNING 11-23 10:00:00 [x.py:1] a user asked about ActorDiedError",
    '(APIServer pid=1) INFO:     10.0.0.9:1 - "POST /v1/EngineDeadError HTTP/1.1" 404 Not Found',
    "INFO 11-23 10:00:00 [x.py:1] log of the earlier server: ray.exceptions.ActorDiedError: The actor died",
    '  File "/vllm/v1/engine/async_llm.py", line 9, in f',
    "    raise EngineDeadError() from None",
    "the last run said: EngineCore encountered a fatal error",
    "",
)  # fmt: skip


@pytest.mark.parametrize("line", ENDS, ids=range(len(ENDS)))
def test_what_ends_an_engine_is_known_in_every_spelling(line: str) -> None:
    assert tells_of_death(line)
    assert not tells_of_start(line)


@pytest.mark.parametrize("line", QUOTES, ids=range(len(QUOTES)))
def test_what_only_quotes_such_words_ends_nothing(line: str) -> None:
    assert not tells_of_death(line)


def test_a_start_makes_what_was_said_before_it_anothers() -> None:
    assert tells_of_start(
        "(APIServer pid=9) INFO 11-23 10:00:00 [api_server.py:1] vLLM API server version 0.13"
    )
    assert tells_of_start("(APIServer pid=9) INFO:     Application startup complete.")
    assert not tells_of_start("ERROR 11-23 10:00:00 [x.py:1] non-default args")
