"""`verify.py` alone: on a Python with nothing installed, by the same signature rule as Carnet (THREATS 17, 19, 20, 43)."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import carnet_store.domain.decisions
import carnet_store.domain.handoff
import carnet_store.domain.people  # noqa: F401 (kinds register themselves when their subject is imported)
from carnet_store.core.kind import KINDS
from carnet_store.domain.erasure import is_erasable
from carnet_store.domain.lineage import NODES
from carnet_store.domain.package import PART_KINDS
from carnet_store.exchange import verify

VECTORS = Path(__file__).parents[1] / "core" / "ed25519_vectors.json"
SCRIPT = Path(verify.__file__)


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with no site packages, no environment and no folder of its own on the path."""
    return subprocess.run([sys.executable, "-I", "-S", *arguments], capture_output=True, text=True, check=False)


def test_vectors_on_a_bare_interpreter() -> None:
    """Every vector is judged as the file says, by the copy that travels in bundles."""
    code = (
        "import json, runpy, sys\n"
        "script = runpy.run_path(sys.argv[1])\n"
        "check = script['Ed25519']()\n"
        "cases = json.load(open(sys.argv[2]))['cases']\n"
        "wrong = [c['name'] for c in cases if check.verify(*(bytes.fromhex(c[k]) for k in ('public', 'signature',"
        " 'message'))) is not c['valid']]\n"
        "print(json.dumps([len(cases), wrong, [m for m in ('nacl', 'msgspec', 'carnet_store') if m in sys.modules]]))\n"
    )
    done = bare("-c", code, str(SCRIPT), str(VECTORS))
    assert done.returncode == 0, done.stderr
    count, wrong, loaded = json.loads(done.stdout)
    assert count == len(json.loads(VECTORS.read_text())["cases"])
    assert wrong == [] and loaded == []


def test_vectors_with_the_wide_tables() -> None:
    """A key used often gets other tables; they must judge alike."""
    check = verify.Ed25519()
    check.base.uses = verify.Multiplier.OFTEN - 1
    check.base.add(verify.IDENTITY, 1)
    assert check.base.comb.width == verify.Multiplier.WIDE
    cases = json.loads(VECTORS.read_text())["cases"]
    for case in [case for case in cases if case["valid"]] + cases[::7]:
        public, signature, message = (bytes.fromhex(case[k]) for k in ("public", "signature", "message"))
        key = check.key(public) if len(public) == 32 else None
        if key is not None:
            key.uses = verify.Multiplier.OFTEN - 1
        assert check.verify(public, signature, message) is case["valid"], case["name"]


def test_many_keys_do_not_fill_the_memory() -> None:
    check = verify.Ed25519()
    from carnet_store.core import keys

    for n in range(verify.Ed25519.KEYS_HELD + 5):
        signer = keys.Signer(n.to_bytes(32, "little"))
        assert check.verify(signer.public, signer.sign(b"x"), b"x")
    assert len(check.minus) <= verify.Ed25519.KEYS_HELD


def test_script_is_one_file_for_old_pythons() -> None:
    """Its grammar is that of Python 3.9, and it imports nothing beside the standard library."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_table_of_kinds_is_that_of_the_product() -> None:
    """Whoever may replace, sign or write a kind is the same for Carnet and for the script."""
    for name, rules in verify.KINDS.items():
        kind = KINDS[name]
        assert set(rules.on.split()) == kind.on, name
        assert rules[1:] == (kind.rule, kind.closed_by, kind.payload_type, kind.role), name
    assert set(verify.FORMS) == set(verify.KINDS)
    needed = {name for name, kind in KINDS.items() if kind.about_people or "handoff" in kind.on}
    assert needed | {"entity.declared", "value.erased"} <= set(verify.KINDS)
    assert set(verify.ABOUT_PEOPLE) == {name for name, kind in KINDS.items() if kind.about_people}
    assert set(verify.PROTECTED) == {name for name in KINDS if not is_erasable(name)}
    assert set(verify.BIRTHS) <= {name for name, kind in KINDS.items() if kind.birth}
    assert dict(PART_KINDS) == verify.PARTS and tuple(verify.NODES.split()) == NODES


def form_of(kind: msgspec.inspect.Type) -> Any:
    """Return a declared type in the script's words."""
    if isinstance(kind, msgspec.inspect.StructType):
        fields = ((field, form_of(field.type)) for field in kind.fields)
        return {field.encode_name: form if field.required else (form,) for field, form in fields}
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return [form_of(kind.item_type)]
    if isinstance(kind, msgspec.inspect.DictType):
        return {"*": form_of(kind.value_type)}
    plain: list[tuple[type[msgspec.inspect.Type], type]] = [
        (msgspec.inspect.StrType, str),
        (msgspec.inspect.IntType, int),
        (msgspec.inspect.BoolType, bool),
        (msgspec.inspect.AnyType, object),
        (msgspec.inspect.UnionType, object),
    ]
    return next(form for cls, form in plain if isinstance(kind, cls))


@pytest.mark.parametrize("name", sorted(verify.FORMS))
def test_forms_are_those_of_the_product(name: str) -> None:
    assert verify.FORMS[name] == form_of(msgspec.inspect.type_info(KINDS[name].type))


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"PK\3\4" + bytes(200), bytes(109), b"\xff" * 5000])
def test_what_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.carnet.zip"
    path.write_bytes(content)
    done = bare(str(SCRIPT), str(path))
    assert (done.returncode, done.stderr) == (4, "")
    assert "MALFORMED" in done.stdout


def test_wrong_calls(tmp_path: Path) -> None:
    assert bare(str(SCRIPT), str(tmp_path / "none")).returncode == 2
    assert bare(str(SCRIPT), str(tmp_path)).returncode == 2
    assert bare(str(SCRIPT)).returncode == 2
    assert bare(str(SCRIPT), str(tmp_path), "--trust", "short").returncode == 2
    assert "--trust" in bare(str(SCRIPT), "--help").stdout
