"""What the receiver takes out of the store to rebuild it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carnet_store import Refused
from carnet_store.work.unpacking import unpack

Company = Any


def test_the_files_that_cross_come_out_with_their_bytes(company: Company, tmp_path: Path) -> None:
    """R045, R087: files of the handoff and of answers; a second time nothing is written; nothing is replaced."""
    source = tmp_path / "train.py"
    source.write_text("print('train')\n")
    company.acts("Ana").file(company.ids["handoff"], source, "project/train.py")
    company.answer("Ana", "rep.env.lock", company.a_file())
    company.answer("Tom", "rebuild.receiver_rerun", company.command())
    handoff = company.look().handoff
    out = tmp_path / "out"

    found = unpack(company.project, handoff, out)

    names = {p.relative_to(out).as_posix() for p in found.written}
    assert names == {"project/train.py", "requirements.txt", "outputs/rebuild.receiver_rerun.txt"}
    assert (out / "project/train.py").read_text() == "print('train')\n"
    assert len(unpack(company.project, handoff, out).same) == 3
    (out / "requirements.txt").write_text("mine\n")
    with pytest.raises(Refused, match="another file lies"):
        unpack(company.project, handoff, out)
