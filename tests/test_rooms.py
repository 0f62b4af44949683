"""What the static import graph cannot see: what is really loaded, how large files are, that documents name what exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("textual", "rich", "sqlite_utils", "yaml", "nacl", "cryptography", "msgspec")

# One file by its nature: it travels alone in every bundle and must be readable from top to bottom.
WHOLE = {"store/carnet_store/exchange/verify.py"}


def loaded_by(code: str) -> set[str]:
    """Run `code` in a fresh interpreter; return which heavy packages it loaded."""
    probe = f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import carnet_store", set()),
        ("import carnet_tui.cli", set()),
        ("import carnet_tui.start", set()),
        ("import carnet_tui.first_frame", set()),
        ("from carnet_store import Desk", {"msgspec"}),
    ],
)
def test_a_room_loads_only_what_it_needs(code: str, allowed: set[str]) -> None:
    """Starting must not wait for what a command does not use."""
    assert loaded_by(code) <= allowed


def test_the_store_never_loads_a_screen() -> None:
    """`store` knows no screen, neither at the top nor deferred."""
    for path in (ROOT / "store").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"^\s*(from|import) (textual|rich|carnet_tui)\b", text, re.MULTILINE), path


def test_files_stay_readable() -> None:
    """What people cannot find sits in files of thousands of lines."""
    for folder in ("store", "tui"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            lines = len(path.read_text().splitlines())
            assert lines <= 700 or name in WHOLE, f"{name} has {lines} lines: is there a second subject inside?"


def test_the_architecture_page_names_what_exists() -> None:
    """Every path on the page is there."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path in re.findall(
        r"`((?:store|tui|docs|tests|benchmarks|storage|domain|core|exchange|screens)/[\w./*-]+)`", text
    ):
        bases = (ROOT, ROOT / "store/carnet_store", ROOT / "tui/carnet_tui")
        assert any(list(base.glob(path)) for base in bases), path


def test_no_page_names_a_machine_or_a_registry() -> None:
    """The project speaks of the product alone: no local paths, no registry hosts."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".tcss"} and path.exists():
            text = path.read_text()
            assert not re.search(
                r"files\.pythonhosted\.org|pypi\.org/simple|/root/\.|/work/main", text
            ) or path == Path(__file__), name


def test_whoever_folds_knows_every_kind() -> None:
    """A fold that did not know a kind would take it for a newer Carnet's: the storage room registers them all."""
    probe = "from carnet_store.core.kind import KINDS; print(*sorted(KINDS))"
    alone = subprocess.run(
        [sys.executable, "-c", f"import carnet_store.storage.ledger; {probe}"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = [p.stem for p in (ROOT / "store/carnet_store/domain").glob("*.py") if p.stem != "__init__"]
    everything = "; ".join(f"import carnet_store.domain.{name}" for name in sorted(modules))
    full = subprocess.run([sys.executable, "-c", f"{everything}; {probe}"], capture_output=True, text=True, check=True)
    assert alone.stdout == full.stdout


def test_numbered_sql_parameters_are_given_by_name() -> None:
    """Python 3.14 refuses `?1` with a sequence of values."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for room in ("store", "tui")
        for path in sorted((ROOT / room).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"(?:=|IN \(|json_each\(|json_extract\(|AND|LIMIT) ?\?[1-9]", line)
    ]
    assert found == []
