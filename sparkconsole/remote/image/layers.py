"""The transfer that sends only the layers a receiver lacks; nothing is installed and no `sudo` is needed.

remote/image_program runs at both ends. What cannot be read or taken that way is followed by `docker save`
without the layers that are there, then by the whole image, and the log says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.layers_to_send import ImageWay, Transport, docker_load
from sparkconsole.model.transfer.ends import PROGRAMS, Receiver, ssh_argv
from sparkconsole.remote.image.transfer import STREAM
from sparkconsole.remote.image_program.protocol import FALL_BACK
from sparkconsole.remote.shell import Shell

FOLDER = Path(__file__).parent.parent / "image_program"
"""Runs at both ends."""
WORDS = "copy.json"
"""What the job's folder is given beside the program: what it is to do."""

LAYERS = f"""
tag=$1; shared=$2; shift 2
python3 {PROGRAMS} send {WORDS} "$shared"; rc=$?
[ $rc -eq {FALL_BACK} ] || exit $rc
set -- "$tag" "$@"
"""


@dataclass(frozen=True, slots=True)
class Layers:
    """A Transfer: what the receiver lacks, then, if that cannot be done, the whole image."""

    image: ImageIdentity
    way: ImageWay
    total_bytes: int
    root: str
    """The sender's engine keeps its images below this folder."""
    names: tuple[str, ...] = ()
    """Dated names that the image has beside its tag; they travel too, so that the receiver can go back."""

    shared: str = ""
    """Before the image is built: a named blank for how many layers the receiver has."""

    folder, program = str(FOLDER), "layers"

    @property
    def amount(self) -> str:
        """How much of the image goes."""
        return "the layers it lacks" if self.shared else f"{self.way.missing} of {self.way.layers} layers"

    @property
    def sentence(self) -> str:
        """What it does, for the plan."""
        carrier = "docker pull from the sender" if self.way.carrier is Transport.PULL else "docker load"
        return f"{self.amount} by {carrier}: {self.way.why}"

    def files(self, receiver: Receiver) -> Mapping[str, str]:
        """What the program is to do."""
        words = {
            "way": self.way.carrier,
            "image": self.image.id,
            "platform": self.image.platform,
            "layers": self.image.layers,
            "names": [full_name(self.image.tag), *self.names],
            "root": self.root,
            "ssh": ssh_argv(receiver),
            "docker_host": receiver.docker_host,
        }
        return {WORDS: json.dumps(words, indent=1, ensure_ascii=False)}

    def argv(self, tag: str, receiver: Receiver) -> tuple[str, ...]:
        """The program and, behind it, the pipeline of the whole image, as one script."""
        shared = self.shared or str(self.way.shared)
        words = (full_name(tag), shared, *ssh_argv(receiver), *docker_load(receiver))
        return ("sh", "-c", LAYERS + STREAM, "copy", *words)


async def layer_sizes(shell: Shell, image: str) -> tuple[int, ...]:
    """The sizes of the image's steps in bytes, newest first."""
    asked = ("docker", "history", "--human=false", "--format", "{{.Size}}", image)
    done = (await shell.run(asked, timeout=30)).checked()
    return tuple(int(word) for word in done.text.split() if word.isdecimal())
