"""`python3 FOLDER WORDS…`: the parts of the program as one, wherever the folder lies."""

from __future__ import annotations

import os
import re
import sys

PARTS = ("hashes", "looking", "listing", "headers", "receiving", "sending", "downloading", "words")
FUTURE, OURS = "from __future__ import annotations\n", r"(?m)^from sparkconsole\.[^(\n]*(\([^)]*\))?\n"


def text(folder: str) -> str:
    """The whole program; what one part imports of another is there already."""
    parts = []
    for part in PARTS:
        with open(os.path.join(folder, part + ".py"), encoding="utf-8") as file:
            parts.append(re.sub(OURS, "", file.read()).replace(FUTURE, ""))
    return FUTURE + "".join(parts) + "\n\nraise SystemExit(main(sys.argv[2:]))\n"


if __name__ == "__main__":
    program = text(os.path.dirname(os.path.abspath(__file__)))
    sys.argv.insert(1, "model")
    exec(compile(program, "model", "exec"), {"__name__": "model", "PROGRAM": program.encode()})  # noqa: S102
