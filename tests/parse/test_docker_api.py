"""What engines say becomes containers, images and facts: both image stores, old and new engines."""

from __future__ import annotations

from typing import Any

from sparkconsole.model.docker import same_content
from sparkconsole.parse.image.docker import container_from, image_from

LAYERS = {"Type": "layers", "Layers": ["sha256:a", "sha256:b"]}
OVERLAY2: dict[str, Any] = {
    "Id": "sha256:adc8",
    "RepoTags": ["vllm-node:latest"],
    "Os": "linux",
    "Architecture": "arm64",
    "RootFS": LAYERS,
    "Size": 100,
    "Created": "2026-07-01T00:00:00Z",
    "Config": {
        "Hostname": "", "Env": ["PATH=/bin"], "Cmd": None, "Entrypoint": [], "WorkingDir": "/w",
        "User": "", "Labels": {"a": "1"}, "Image": "sha256:parent", "OnBuild": None, "Volumes": None,
    },
}  # fmt: skip
CONTAINERD: dict[str, Any] = {
    **OVERLAY2,
    "Id": "sha256:b1d0",
    "Size": 250,
    "Config": {"Env": ["PATH=/bin"], "WorkingDir": "/w", "Labels": {"a": "1"}},
    "Descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json"},
}


def test_two_stores_tell_the_same_image() -> None:
    one, other = image_from(OVERLAY2), image_from(CONTAINERD)
    assert same_content(one, other)
    assert one.id != other.id
    assert (one.tag, one.platform, one.labels) == ("vllm-node:latest", "linux/arm64", {"a": "1"})


def test_another_command_is_another_image() -> None:
    other = {**OVERLAY2, "Config": {**OVERLAY2["Config"], "Cmd": ["bash"]}}
    assert not same_content(image_from(OVERLAY2), image_from(other))
    variant = {**OVERLAY2, "Variant": "v8"}
    assert image_from(variant).platform == "linux/arm64/v8"


def test_of_an_environment_only_what_is_no_secret_is_kept() -> None:
    words = [
        "HF_TOKEN=hush",
        "NCCL_IB_GID_INDEX=3",
        "GLOO_SOCKET_IFNAME=a=b",
        "VLLM_HOST_IP=1.2.3.4",
        "NCCL_X",
    ]
    image = image_from({**OVERLAY2, "Config": {**OVERLAY2["Config"], "Env": words}})
    assert image.settings == {
        "NCCL_IB_GID_INDEX": "3",
        "GLOO_SOCKET_IFNAME": "a=b",
        "VLLM_HOST_IP": "1.2.3.4",
    }


def test_nulls_and_absences_are_nothing() -> None:
    image = image_from({"Id": "sha256:1", "Config": None, "RootFS": None, "RepoTags": None, "Size": None})
    assert (image.tag, image.layers, image.platform, image.size_bytes) == ("", (), "", 0)
    container = container_from({"Name": "/x", "State": None, "Config": None})
    assert (container.name, container.running, container.exit_code) == ("x", False, None)


def test_a_container_ran_or_runs() -> None:
    data = {
        "Name": "/vllm_node",
        "Id": "c1",
        "Image": "sha256:1",
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "Pid": 0},
        "Config": {"Image": "vllm-node", "Labels": {"l": "v"}, "Env": ["A=b=c", "ODD"]},
    }
    ended = container_from(data)
    assert (ended.name, ended.exit_code, ended.oom_killed) == ("vllm_node", 137, True)
    assert (ended.environment, ended.labels, ended.image) == ({"A": "b=c"}, {"l": "v"}, "vllm-node")
    running = container_from({**data, "State": {"Status": "running", "ExitCode": 0, "Pid": 7}})
    assert (running.running, running.exit_code) == (True, None)
