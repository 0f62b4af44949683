"""Lists for each requirement which tests show it: those whose docstring names it (R013, C174).

python docs/make_coverage.py             every requirement with its tests
python docs/make_coverage.py --missing   only those that no test names
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CONSEQUENCES: Final = frozenset({57, *range(170, 178)})
"""Numbers of the requirements that follow from others and are written C…; all others are written R…."""
REQUIREMENTS: Final = tuple(f"{'C' if number in CONSEQUENCES else 'R'}{number:03}" for number in range(1, 178))
_NAMED: Final = re.compile(r"\b[RC]\d{3}\b")


def named(tests: Path) -> Iterator[tuple[str, str]]:
    """Give (requirement, test) for each that a docstring of a test, its class or its file names."""
    for path in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = path.relative_to(tests.parent).as_posix()
        for found in _NAMED.findall(ast.get_docstring(tree) or ""):
            yield found, place
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name.lower().startswith(
                "test"
            ):
                for found in _NAMED.findall(ast.get_docstring(node) or ""):
                    yield found, f"{place}::{node.name}"


def coverage(tests: Path) -> Mapping[str, list[str]]:
    """Return the tests of each requirement, in order, each once; requirements that nobody names have none."""
    found: dict[str, list[str]] = {requirement: [] for requirement in REQUIREMENTS}
    for requirement, test in named(tests):
        held = found.setdefault(requirement, [])
        if test not in held:
            held.append(test)
    return found


def main() -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", action="store_true", help="only what no test names")
    missing = parser.parse_args().missing
    found = coverage(ROOT / "tests")
    for requirement, tests in found.items():
        if missing and not tests:
            sys.stdout.write(f"{requirement}\n")
        elif not missing:
            sys.stdout.write(f"{requirement}  {', '.join(tests) or '-'}\n")
    shown = sum(bool(tests) for tests in found.values())
    sys.stderr.write(f"{shown} of {len(found)} requirements are named by a test\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
