"""A bundle and a store of format 1, made when it was fixed: every later version opens them, verifies them and says the same of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carnet_store import Desk
from carnet_store.exchange import verify
from carnet_store.work.identity import Keyring

HERE = Path(__file__).parent
FORMAT = HERE / "format-1"
BUNDLE = FORMAT / "churn-telco.carnet.zip"
KEPT = {
    "churn-telco.carnet.zip": "45b1a6a19135c663d1661de10841f8902c358e26cc046dd41aed885803168469",
    "expected.json": "4c483288f89c9550a2b32b95a6ffe0bad6e2905905904b0db8dfc59b123f770d",
    "store.zip": "ca479c44776bb649a05462203c061c18a8b882600d648eb1c2aa78d3b81e399d",
}
"""What the files are. Nobody makes them anew: what reads them is mended instead."""


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What was said when they were made."""
    found: dict[str, Any] = json.loads((FORMAT / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    """The module that made them: it tells what a project says of itself."""
    spec = importlib.util.spec_from_file_location("make_format_1", HERE / "make_format_1.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(golden: ModuleType, desk: Desk, expected: dict[str, Any]) -> None:
    project = desk.project()
    assert project.ledger.verify() == []
    found = json.loads(json.dumps(golden.told(project, expected["clock"])))
    assert {key: found[key] for key in expected if key != "bundle"} == {
        k: v for k, v in expected.items() if k != "bundle"
    }


@pytest.mark.parametrize("name", sorted(KEPT))
def test_nobody_touched_them(name: str) -> None:
    """The files are those that were made."""
    assert hashlib.sha256((FORMAT / name).read_bytes()).hexdigest() == KEPT[name]


def test_the_store_opens(tmp_path: Path, golden: ModuleType, expected: dict[str, Any]) -> None:
    """A store of format 1, on a machine that has never seen it: verified, and the same gates stand as they stood."""
    with zipfile.ZipFile(FORMAT / "store.zip") as packed:
        packed.extractall(tmp_path)
    with Desk.with_keyring(tmp_path, Keyring(tmp_path / "keys"), clock=lambda: int(expected["clock"])) as desk:
        same(golden, desk, expected)


def test_the_bundle_is_taken_in(tmp_path: Path, golden: ModuleType, expected: dict[str, Any]) -> None:
    """A bundle of format 1, taken into a new store: the same record, the same state, the same gates."""
    with Desk.with_keyring(tmp_path, Keyring(tmp_path / "keys"), clock=lambda: int(expected["clock"])) as desk:
        plan = desk.inspect(BUNDLE)
        assert (plan.bundle, plan.ledger) == (expected["bundle"], expected["ledger"])
        desk.accept(BUNDLE, trust=expected["ledger"])
        same(golden, desk, expected)


def test_carnet_verifies_the_bundle(tmp_path: Path, expected: dict[str, Any]) -> None:
    """`carnet verify`, told which ledger is meant."""
    command = [sys.executable, "-m", "carnet_tui", "verify", str(BUNDLE), "--trust", expected["ledger"]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["its own", "today's"])
def test_the_script_verifies_the_bundle(tmp_path: Path, expected: dict[str, Any], which: str) -> None:
    """`verify.py`, the one in the bundle and the one of this version, on a Python that knows nothing else."""
    script = tmp_path / "verify.py"
    with zipfile.ZipFile(BUNDLE) as bundle:
        own = bundle.read("verify.py")
    script.write_bytes(own if which == "its own" else Path(verify.__file__).read_bytes())
    command = [sys.executable, "-I", str(script), str(BUNDLE), "--trust", expected["ledger"]]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    for gate in expected["gates"].values():
        assert (
            gate["package"][:8] in done.stdout.replace(" ", "") or not gate["package"] or gate["verdict"] == "blocked"
        )


def test_a_changed_byte_is_found(tmp_path: Path, expected: dict[str, Any]) -> None:
    """The script does not pass whatever it is given."""
    with zipfile.ZipFile(BUNDLE) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    name = max((n for n in members if n.startswith("objects/")), key=lambda n: len(members[n]))
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    with zipfile.ZipFile(tmp_path / "changed.carnet.zip", "w") as out:
        for each, data in members.items():
            out.writestr(each, data)
    command = [
        sys.executable,
        "-I",
        str(Path(verify.__file__)),
        str(tmp_path / "changed.carnet.zip"),
        "--trust",
        expected["ledger"],
    ]
    assert subprocess.run(command, capture_output=True).returncode != 0
