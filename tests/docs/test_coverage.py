"""The list of requirements and the tests that show them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def listing() -> ModuleType:
    """The script."""
    spec = importlib.util.spec_from_file_location("make_coverage", ROOT / "docs" / "make_coverage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_requirements_are_those_of_the_project(listing: ModuleType) -> None:
    assert len(listing.REQUIREMENTS) == len(set(listing.REQUIREMENTS)) == 177
    assert [r for r in listing.REQUIREMENTS if r[0] == "C"] == ["C057", *(f"C{n}" for n in range(170, 178))]


def test_docstrings_of_tests_alone_count(listing: ModuleType, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_a.py").write_text(
        '"""The whole file (R001)."""\n# R002\ndef helper():\n    """R003"""\ndef test_one():\n    """One (R004, C174); R004 again."""\n'
        '    x = "R005"\nclass TestTwo:\n    async def test_two(self):\n        """R006"""\n',
        encoding="utf-8",
    )
    found = listing.coverage(tests)
    assert {requirement: where for requirement, where in found.items() if where} == {
        "R001": ["tests/test_a.py"],
        "R004": ["tests/test_a.py::test_one"],
        "C174": ["tests/test_a.py::test_one"],
        "R006": ["tests/test_a.py::test_two"],
    }


def test_no_test_names_a_requirement_that_is_none(listing: ModuleType) -> None:
    """A mistyped number would be lost unseen."""
    assert set(listing.coverage(ROOT / "tests")) == set(listing.REQUIREMENTS)
