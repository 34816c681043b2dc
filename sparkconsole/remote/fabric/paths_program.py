"""Runs on a node, from standard input: commands side by side, and what they said as one JSON line.

Python 3.8 and its standard library only. Nothing is written, and no command outlives its limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

MOST = 64
"""Commands that run at a time."""
KEPT = 4000


def output_of(argv: list[str], limit_s: float) -> tuple[int | None, str]:
    """Status and both outputs of one command; None: it was ended; 127: it is not there."""
    ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(argv, timeout=limit_s, check=False, **ends)  # type: ignore[call-overload]
    except FileNotFoundError:
        return 127, ""
    except PermissionError as error:
        return 126, str(error)
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode("utf-8", "replace")[:KEPT]
    return done.returncode, done.stdout.decode("utf-8", "replace")[:KEPT]


def main(limit_s: float, commands: list[list[str]]) -> None:
    """Prints what each said, in their order."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    os.environ["LC_ALL"] = "C"
    with ThreadPoolExecutor(MOST) as pool:
        outputs = list(pool.map(lambda argv: output_of(argv, limit_s), commands))
    sys.stdout.write(f"{json.dumps(outputs)}\n")


if __name__ == "__main__":
    main(float(sys.argv[2]), json.loads(sys.argv[3]))
