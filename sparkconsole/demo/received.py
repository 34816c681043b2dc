"""What comes into the folder of a pretend job: enough of it is kept to say that it arrived."""

from __future__ import annotations

import hashlib
import io
import tarfile

from sparkconsole.demo.machine import Machine


def take_in(machine: Machine, argv: tuple[str, ...], data: bytes | None) -> None:
    """Standard input of `job-put` and `job-unpack`; of every other command it is passed over."""
    if data is None or len(argv) < 6:
        return
    key = (argv[4], argv[5])
    if argv[3] == "job-put":
        machine.received[key] = hashlib.sha256(data).hexdigest()
    elif argv[3] == "job-unpack":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            machine.received[key] = str(sum(member.isfile() for member in tar))
