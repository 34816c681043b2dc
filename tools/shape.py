"""How the code is cut: `python tools/shape.py [FOLDER]` prints it, and fails over a limit.

A function's lines are its body's, without signature and docstring. Code lines are without blanks, comments
and docstrings.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip
LIMITS = {"median": 6, "p90": 16, "p99": 30, "longest": 60}
SMALL = 40
"""Lines of a file; what has fewer is small."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: Function) -> int:
    """From the first statement behind the docstring to the last line."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function, those within others too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def code_lines(text: str) -> int:
    """Lines that a reader has to understand."""
    said: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            said |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
            said -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(said)


def shape(texts: list[str]) -> dict[str, int]:
    """The figures of these files together."""
    trees = [ast.parse(text) for text in texts]
    lengths = sorted(body_lines(function) for tree in trees for function in functions(tree))
    return {
        "files": len(texts),
        "small files": sum(text.count("\n") < SMALL for text in texts),
        "code lines": sum(map(code_lines, texts)),
        "functions": len(lengths),
        "median": lengths[len(lengths) // 2],
        "p90": lengths[len(lengths) * 90 // 100],
        "p99": lengths[len(lengths) * 99 // 100],
        "longest": lengths[-1],
    }


def main(folder: str = "sparkconsole") -> int:
    """Prints a line a figure; 1 where one is over its limit."""
    found = shape([path.read_text() for path in sorted(Path(folder).rglob("*.py"))])
    for name, value in found.items():
        limit = LIMITS.get(name)
        print(f"{name:>12} {value:>6}" + (f"   at most {limit}" if limit else ""))
    return int(any(found[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
