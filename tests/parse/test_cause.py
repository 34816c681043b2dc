"""One catalogue: a build, a copy, a launch and `explain` know the same causes, each with its own remedy."""

from __future__ import annotations

import pytest

from sparkconsole.parse.diagnose.explain import cause_of, explain
from sparkconsole.parse.known import KNOWN, During

SAID = {
    "c++: fatal error: Killed signal terminated program x": (
        "compiler-killed",
        During.BUILD,
        "--build-jobs",
    ),
    "#9 812.1 /src/x.cu: error: Killed": ("compiler-killed", During.BUILD, "--build-jobs"),
    "did not complete successfully: exit code: 137": ("worker-killed", During.BUILD, "--build-jobs"),
    "write /var/lib/docker/x: no space left on device": ("disk-full", During.BUILD, "docker builder prune"),
    "rsync: write failed: No space left on device (28)": ("disk-full", During.COPY, "copy again"),
    "Temporary failure in name resolution": ("name-not-resolved", During.BUILD, "--network host"),
    "ERROR: BuildKit is enabled but the buildx component is missing or broken.": (
        "buildkit-missing",
        During.BUILD,
        "docker-buildx-plugin",
    ),
    "pull access denied for nvidia/cuda, repository does not exist": (
        "docker-no-image",
        During.BUILD,
        "BASE_IMAGE",
    ),
    "Error response from daemon: No such image: vllm-node:x": (
        "docker-no-image",
        During.LAUNCH,
        "image copy vllm-node:x",
    ),
    "unexpected EOF": ("archive-cut-short", During.COPY, "copy it again"),
    'exec: "ray": executable file not found in $PATH': ("image-without-ray", During.LAUNCH, "--backend none"),
    "Error: No such option: --no-such": ("ray-option-unknown", During.LAUNCH, "ray start --help"),
}


@pytest.mark.parametrize(("said", "known"), SAID.items(), ids=SAID)
def test_explain_knows_what_the_others_know(said: str, known: tuple[str, During, str]) -> None:
    name, during, remedy = known
    cause = cause_of(f"it began\n{said}\nit ended", during)
    assert cause is not None
    assert (cause.id, explain([said])[0].id) == (name, name)
    assert remedy in cause.remedy


@pytest.mark.parametrize("during", During)
@pytest.mark.parametrize("known", [k for k in KNOWN if k.kind == "cause"], ids=lambda k: k.id)
def test_what_explain_knows_is_known_to_all(known: object, during: During) -> None:
    entry = next(k for k in KNOWN if k is known)
    cause = cause_of(entry.example, during)
    assert cause is not None
    assert cause.id == entry.id
    assert cause.remedy


def test_what_only_follows_is_no_cause() -> None:
    assert cause_of("RuntimeError: Engine core initialization failed.", During.SERVE) is None
    assert cause_of("all went well", During.BUILD) is None
