"""The page of all kinds is the registry's (docs/reference/events.md)."""

from __future__ import annotations

import runpy
from pathlib import Path

from carnet_store.core.kind import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_events_page_is_what_the_registry_says() -> None:
    """Made anew by `python docs/make_reference.py`."""
    made = runpy.run_path(str(DOCS / "make_reference.py"))["page"]()
    assert (DOCS / "reference" / "events.md").read_text(encoding="utf-8") == made


def test_every_kind_is_on_the_page_with_a_sentence() -> None:
    text = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    for known in KINDS.values():
        heading = f"### `{known.name}{'!' if known.critical else ''}`"
        assert heading in text
        sentence = text.split(heading, 1)[1].strip().splitlines()[0]
        assert sentence.endswith(".") and len(sentence) > 20
