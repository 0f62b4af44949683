"""The lineage as arrays: what is kept is never taken for another state of the tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from carnet_store.storage import arrays
from carnet_store.storage.ledger import Ledger

if TYPE_CHECKING:
    from tests.conftest import Replica, World


def used(store: Replica, src: str, dst: str) -> None:
    """Record that one thing used another."""
    store.act(src, "edge.linked", {"relation": "used", "to": dst}, f"used:{dst}")


def test_nothing_uncommitted_is_kept(world: World) -> None:
    """What a preview folds inside its transaction is gone with it."""
    ana = world.found("ana")
    db, place = ana.ledger.db, str(ana.path)
    before = arrays.load(db, place)
    run, data = ana.declare("run", "r"), ana.declare("dataset", "d")
    assert arrays.load(db, place) is not before
    kept = arrays.load(db, place)
    db.execute("BEGIN")
    db.execute("UPDATE meta SET v = 'elsewhere' WHERE k = 'sum'")
    inside = arrays.load(db, place)
    assert inside is not kept and inside.nodes == kept.nodes
    db.execute("ROLLBACK")
    assert arrays.load(db, place) is kept
    used(ana, run, data)
    assert sum(map(len, (arrays.load(db, place).up.adj, arrays.load(db, place).down.adj))) == 2


def test_another_file_in_the_same_place_is_read_anew(world: World, tmp_path: Path) -> None:
    """A restored store that went another way is no growth of what was loaded before, however alike their lengths are."""
    ana = world.found("ana")
    data = ana.declare("dataset", "d")
    fork = ana.copy("restored")
    used(ana, ana.declare("run", "one way"), data)
    place = "the same place"
    first = arrays.load(ana.ledger.db, place)
    for name in ("another way", "and on"):
        used(fork, fork.declare("run", name), data)
    moved = tmp_path / "moved.db"
    fork.ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(fork.path, moved)
    other = Ledger(moved)
    try:
        found = arrays.load(other.db, place)
        assert (len(first.up.adj), len(found.up.adj)) == (1, 2)
        arrays.forget(place)
        assert arrays.load(other.db, place).up == found.up
    finally:
        other.close()


def test_only_a_few_ledgers_are_kept(world: World) -> None:
    """A process that looks into many stores does not hold them all."""
    ana = world.found("ana")
    for at in range(arrays.KEPT_AT_MOST + 3):
        arrays.load(ana.ledger.db, f"place {at}")
    assert arrays.kept(ana.ledger.db, "place 0") is None
    assert arrays.kept(ana.ledger.db, f"place {arrays.KEPT_AT_MOST + 2}") is not None


def test_an_empty_ledger_has_an_empty_lineage(world: World) -> None:
    """Nothing declared: nothing found, nothing fails."""
    ana = world.found("ana")
    held = arrays.load(ana.ledger.db, str(ana.path))
    assert held.everything() == [] and held.strange == 0
    assert len(held.up.adj) == 0
