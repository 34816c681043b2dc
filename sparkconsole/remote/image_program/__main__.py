"""`python3 FOLDER WORDS…`: the parts of the program as one, wherever the folder lies."""

from __future__ import annotations

import os
import re

PARTS = (
    "protocol", "stores", "serving", "engine", "tunnel", "loading", "pulling", "receiving",
    "saving", "sending",
)  # fmt: skip
FUTURE, OURS = "from __future__ import annotations\n", r"(?m)^from sparkconsole\.[^(\n]*(\([^)]*\))?\n"


def text(folder: str) -> str:
    """The whole program; what one part imports of another is there already."""
    parts = []
    for part in PARTS:
        with open(os.path.join(folder, part + ".py"), encoding="utf-8") as file:
            parts.append(re.sub(OURS, "", file.read()).replace(FUTURE, ""))
    return FUTURE + "".join(parts) + "\n\nraise SystemExit(main(sys.argv[1:]))\n"


if __name__ == "__main__":
    program = text(os.path.dirname(os.path.abspath(__file__)))
    exec(compile(program, "image", "exec"), {"__name__": "image", "PROGRAM": program.encode()})  # noqa: S102
