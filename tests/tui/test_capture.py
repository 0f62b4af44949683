"""A command's result is kept as it was: command line, exit code, all of its output."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from carnet_store.errors import Invalid, NotFound
from carnet_tui import capture


def test_keeps_output_and_exit_code(tmp_path: Path) -> None:
    """R049: standard output and error in order, the exit code as it was, each line told as it comes."""
    kept: list[bytes] = []
    lines: list[str] = []

    def put(stream: BinaryIO) -> tuple[str, int]:
        kept.append(stream.read())
        return hashlib.sha256(kept[0]).hexdigest(), len(kept[0])

    script = "import sys; print('a b', flush=True); print('bad', file=sys.stderr, flush=True); sys.exit(3)"
    found = capture.run_and_keep([sys.executable, "-c", script], tmp_path, put, lines.append)
    assert kept == [b"a b\nbad\n"] and lines == ["a b", "bad"]
    assert found["exit_code"] == 3
    assert found["output"] == {"sha256": hashlib.sha256(b"a b\nbad\n").hexdigest(), "size": 8}
    assert str(found["command"]).endswith(f"-c '{script}'") or "print" in str(found["command"])


def test_what_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command, no such program, too much output: said, and nothing is kept."""

    def put(stream: BinaryIO) -> tuple[str, int]:
        raise AssertionError("nothing is to be kept")

    with pytest.raises(Invalid, match="no command"):
        capture.run_and_keep([], tmp_path, put, print)
    with pytest.raises(NotFound, match="could not be started"):
        capture.run_and_keep(["no-such-program-here"], tmp_path, put, print)
    monkeypatch.setattr(capture, "MAX_OUTPUT", 10)
    with pytest.raises(Invalid, match="larger than"):
        capture.run_and_keep([sys.executable, "-c", "print('x' * 100)"], tmp_path, put, lambda line: None)
