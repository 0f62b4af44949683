"""A handoff's files come out as they went in, and never anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from carnet_store.errors import Invalid
from carnet_store.work.unpacking import place


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "~/x", "a\\b", "C:x", "x\n", "", "a/\u202etxt", "y" * 401]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """THREATS 21: names of files come from other people."""
    with pytest.raises(Invalid, match="leads elsewhere"):
        place(tmp_path, name)


def test_a_plain_name_goes_below_the_folder(tmp_path: Path) -> None:
    """R087: a packaged experiment unpacks on a clean machine."""
    assert place(tmp_path, "project/train.py") == tmp_path / "project" / "train.py"
