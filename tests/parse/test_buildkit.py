"""What builders print, as steps; a line that says nothing changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.parse.image.buildkit import BuildLog, BuildStep, StepState, size_bytes

PLAIN = """\
#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 312B done
#1 DONE 0.0s

#2 [internal] load metadata for docker.io/library/tiny:1
#2 DONE 0.8s

#4 [builder 1/3] FROM docker.io/library/tiny:1
#4 resolve docker.io/library/tiny:1 done
#4 sha256:aaaa 12.58MB / 30.20MB 1.2s
#4 sha256:bbbb 9.80MB / 9.80MB 0.7s done
#4 sha256:aaaa 30.20MB / 30.20MB 2.1s done
#4 extracting sha256:aaaa 0.5s done
#4 DONE 2.9s

#5 [builder 2/3] RUN make wheels
#5 0.201 collecting
#5 1.118 [17/340] Building CUDA object a.cu.o
#5 ...

#6 [runner 2/2] COPY start.sh /start.sh
#6 CACHED

#5 [builder 2/3] RUN make wheels
#5 2.900 [170/340] Building CUDA object b.cu.o
#5 DONE 66.2s

#7 [builder 3/3] RUN true
#7 DONE 0.3s

#8 exporting to image
#8 exporting layers 0.2s done
#8 writing image sha256:1234 done
#8 naming to docker.io/library/vllm-node done
#8 DONE 0.3s
"""

FAILED = """\
#5 [2/3] RUN pip install nothing-of-that-name
#5 0.812 Looking in indexes
#5 1.044 ERROR: No matching distribution found for nothing-of-that-name
#5 ERROR: process "/bin/sh -c pip install nothing-of-that-name" did not complete successfully: exit code: 1
------
 > [2/3] RUN pip install nothing-of-that-name:
#5 1.044 ERROR: No matching distribution found for nothing-of-that-name
------
Dockerfile:2
--------------------
   2 | >>> RUN pip install nothing-of-that-name
--------------------
ERROR: failed to solve: process "/bin/sh -c pip install nothing-of-that-name" did not complete: exit code: 1
"""

OLD_FAILED = """\
#5 [2/2] RUN false
#5 sha256:0f3c4f1d
#5 ERROR: executor failed running [/bin/sh -c false]: exit code: 1
------
 > [2/2] RUN false:
------
failed to solve with frontend dockerfile.v0: failed to build LLB: executor failed running [/bin/sh -c false]
"""

CLASSIC = """\
Sending build context to Docker daemon  3.072kB
Step 1/3 : FROM tiny:1
 ---> 0123456789ab
Step 2/3 : RUN echo hello
 ---> Using cache
 ---> 123456789abc
Step 3/3 : RUN echo bye
 ---> Running in 23456789abcd
bye
Removing intermediate container 23456789abcd
 ---> 3456789abcde
Successfully built 3456789abcde
Successfully tagged vllm-node:latest
"""


def _read(text: str) -> BuildLog:
    log = BuildLog()
    for line in text.splitlines():
        log.feed(line)
    return log


def test_steps_their_ends_and_their_times() -> None:
    log = _read(PLAIN)
    assert {s.id: s.state for s in log.steps.values()}["6"] is StepState.CACHED
    make = log.steps["5"]
    assert (make.name, make.stage, make.index, make.total) == (
        "[builder 2/3] RUN make wheels",
        "builder",
        2,
        3,
    )
    assert (make.state, make.seconds) == (StepState.DONE, 66.2)
    assert log.failed() is None
    assert log.steps["1"].total == 0


def test_dockerfile_steps_are_counted_over_the_stages_seen_so_far() -> None:
    log = BuildLog()
    seen = []
    for line in PLAIN.splitlines():
        if log.feed(line):
            seen.append(log.counts())
    assert seen[-1] == (5, 5)
    assert (0, 3) in seen


def test_downloads_give_bytes() -> None:
    log = BuildLog()
    log.feed("#4 [1/2] FROM docker.io/library/tiny:1")
    assert log.steps["4"].progress is None
    step = log.feed("#4 sha256:aaaa 12.58MB / 30.20MB 1.2s")
    assert step is not None
    assert step.parts == {"sha256:aaaa": (12_580_000, 30_200_000)}
    log.feed("#4 sha256:bbbb 30.20MB / 30.20MB 1.2s done")
    assert step.progress == (42_780_000, 60_400_000, "B")


def test_a_compilers_own_count_is_the_progress_of_its_step() -> None:
    log = BuildLog()
    log.feed("#5 [2/3] RUN make")
    step = log.feed("#5 12.9 [170/340] Building CUDA object b.cu.o")
    assert step is not None
    assert step.progress == (170, 340, "")


def test_a_failed_step_is_named_with_its_cause_and_its_last_lines() -> None:
    log = _read(FAILED)
    step = log.failed()
    assert step is not None
    assert step.name == "[2/3] RUN pip install nothing-of-that-name"
    assert step.error.endswith("exit code: 1")
    assert log.last_lines()[-1] == "ERROR: No matching distribution found for nothing-of-that-name"
    assert log.fatal.startswith("ERROR: failed to solve")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "executor failed running [/bin/sh -c echo x; a[1]]: write /x: no space left",
            "write /x: no space left",
        ),
        (
            'process "/bin/bash -c pip install \\"x\\"" did not complete successfully: exit code: 137',
            "exit code: 137",
        ),
        ('process "/bin/sh -c make" did not complete: context canceled', "context canceled"),
        ("The command '/bin/sh -c make' returned a non-zero code: 2", "exit code: 2"),
        ("failed to compute cache key: not found", "failed to compute cache key: not found"),
        ("executor failed running [", "executor failed running ["),
        ("", ""),
    ],
)
def test_the_reason_is_without_the_command_that_the_step_names(said: str, reason: str) -> None:
    assert BuildStep("5", "[2/2] RUN make", error=said).reason == reason


def test_docker_20s_own_words_for_a_failure() -> None:
    log = _read(OLD_FAILED)
    step = log.failed()
    assert step is not None
    assert step.error == "executor failed running [/bin/sh -c false]: exit code: 1"
    assert step.reason == "exit code: 1"
    assert log.fatal.startswith("failed to solve with frontend")


def test_a_builder_that_never_began_says_why() -> None:
    log = _read("ERROR: BuildKit is enabled but the buildx component is missing or broken.\n  Install it")
    assert log.failed() is None
    assert "buildx component is missing" in log.fatal
    assert log.last_lines()[0] == log.fatal


def test_a_cancelled_step_is_no_failed_step() -> None:
    log = _read("#5 [2/3] RUN sleep 9\n#5 CANCELED\n#6 [x 1/1] RUN false\n#6 ERROR: exit code: 1")
    assert log.steps["5"].state is StepState.CANCELLED
    assert log.failed() is log.steps["6"]


def test_the_classic_builder() -> None:
    log = _read(CLASSIC)
    assert [s.state for s in log.steps.values()] == [StepState.DONE, StepState.CACHED, StepState.DONE]
    assert log.counts() == (3, 3)
    assert "bye" in log.steps["3"].tail


def test_a_classic_failure() -> None:
    end = "The command '/bin/sh -c false' returned a non-zero code: 1"
    log = _read(f"Step 1/2 : FROM tiny\nStep 2/2 : RUN false\n{end}\n")
    step = log.failed()
    assert step is not None
    assert step.name == "RUN false"


@pytest.mark.parametrize(
    "line",
    ["", "{", "{}", "[1]", "#x y", "#1", "null", "hello"],
)
def test_a_line_that_says_nothing_changes_nothing(line: str) -> None:
    log = BuildLog()
    assert log.feed(line) is None
    assert log.steps == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [("12.58MB", 12_580_000), ("129B", 129), ("3.072kB", 3072), ("1.5GB", 1_500_000_000), ("1MiB", 1048576)],
)
def test_sizes_are_bytes(text: str, count: int) -> None:
    assert size_bytes(text) == count


@pytest.mark.parametrize("text", ["", "MB", "1.2.3MB", ".B", "12 parsecs"])
def test_what_is_no_size_stays_unknown(text: str) -> None:
    assert size_bytes(text) is None


def test_captures_of_others(captures_of_others: Path) -> None:
    plain = _read((captures_of_others / "docker" / "buildkit-plain-doc-example.txt").read_text())
    assert [s.state for s in plain.steps.values()] == [StepState.DONE, StepState.DONE]


def test_a_step_that_stages_share_is_told_once_and_counted_for_each() -> None:
    log = _read("#1 [runner 1/2] FROM tiny:1\n#1 DONE 0.1s\n#2 [builder 2/2] RUN make\n#2 DONE 1.0s\n")
    assert log.counts() == (3, 4)
