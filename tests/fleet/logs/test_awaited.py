"""A node whose logs are awaited is named again and again: one sentence for all its logs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.logs import merge
from sparkconsole.fleet.logs.merge import LogMerge
from sparkconsole.fleet.logs.sources import CommandLog, ContainerLog
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.shell import Shell

CLUSTER = Cluster(name="lab", nodes=(Node(name="spark1", address="192.0.2.1"),))


async def refuses(_: Node) -> Shell:
    raise Unreachable("no route to host")


async def test_all_the_logs_of_a_node_share_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "REMIND_S", 0.3)
    sources = [ContainerLog("spark1", "vllm_node"), CommandLog("spark1", "kernel")]
    said: list[str] = []
    async with Fleet(CLUSTER, refuses) as fleet:
        coming = LogMerge(fleet, sources, remind=True).followed()
        async with asyncio.timeout(60), aclosing(coming) as entries:
            async for some in entries:
                said += [entry.text for entry in some]
                if any("still waiting" in text for text in said):
                    break
    (reminder,) = [text for text in said if "still waiting" in text]
    assert reminder.startswith("container, kernel: still waiting for the node, ")
