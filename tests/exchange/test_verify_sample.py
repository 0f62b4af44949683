"""`verify.py` on the sample's bundles says of every sign-off what the product says of it (fresh or not), offline and bare."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from carnet_store import desk
from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake, verify
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects
from carnet_store.storage.project import Project

BUNDLES = sorted((Path(__file__).parents[2] / "sample_projects").rglob("*.carnet.zip"))


def report(path: Path, *options: str) -> dict[str, Any]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        verify.main([str(path), "--json", *options])
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_there_are_samples() -> None:
    assert len(BUNDLES) >= 4


@pytest.mark.parametrize("path", BUNDLES, ids=[path.stem for path in BUNDLES])
def test_says_what_the_product_says(path: Path, tmp_path: Path) -> None:
    said = report(path)
    assert report(path, "--trust", said["ledger"])["exit"] == 0
    objects = Objects(tmp_path / "objects")
    with bundles.open_bundle(path) as opened:
        target, _ = intake.accept_new(opened, tmp_path / "ledgers", objects, trust=said["ledger"])
    ledger = Ledger(target)
    try:
        project = Project(ledger, objects, desk._read_pack, lambda: int(said["newest"]))
        assert said["project"] == project.name
        compared = 0
        for handoff in said["handoffs"]:
            look = project.look(handoff["handoff"])
            live = {one["change"]: one for one in handoff["signoffs"] if one["state"] != "replaced"}
            assert live.keys() == {one.change.id for one in look.status.signoffs}
            for one in look.status.signoffs:
                mine = live[one.change.id]
                assert (mine["state"] == "fresh") == one.fresh, (mine, one.reasons)
                assert all(item in mine["why"] for item in [*one.changed_items, *one.changed_parts])
                assert mine["person"]["id"] == one.change.person and mine["role"] == one.predicate.role
                assert mine["package"] == one.predicate.package
                compared += 1
            assert handoff["round"] == look.status.round
            assert handoff["packages"] == ([look.status.package] if look.status.sealed else [])
            assert handoff["gate"] == look.handoff.gate.id
        assert compared >= 4
    finally:
        ledger.close()
