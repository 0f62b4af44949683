"""What was erased is gone from the file's bytes too."""

from __future__ import annotations

import random
import re
from typing import Any


def test_no_page_keeps_bytes_of_what_was_erased(world: Any) -> None:
    """C174: SQLite overwrites what it deletes and not what it moved before; scrubbing rewrites the file."""
    ana = world.found("ana", roles=["researcher", "eraser"])
    rng = random.Random(7)
    said = [ana.comment(world.entity, f"SECRET{i:05d}" + "x" * rng.randrange(20, 1500)) for i in range(300)]
    gone = [i for i in range(300) if rng.random() < 0.7]
    ana.erase(*[said[i] for i in gone])
    assert ana.ledger.scrub()
    path = ana.ledger.path
    data = path.read_bytes()
    assert not path.with_name(path.name + "-wal").stat().st_size
    found = {int(match) for match in re.findall(rb"SECRET(\d{5})", data)}
    assert found == set(range(300)) - set(gone)
    assert ana.ledger.verify() == []
