"""Locking from elsewhere: what one process unlocked, another can make it forget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carnet_store.work.identity import Keyring, PassphraseNeeded


def test_lock_all_reaches_other_processes(tmp_path: Path) -> None:
    """A passphrase is kept for a session, and `carnet lock` ends that session wherever it is."""
    running = Keyring(tmp_path / "keys")
    ada = running.new("Ada", passphrase="correct horse")
    Keyring(tmp_path / "keys").lock_all()
    assert not running.is_unlocked(ada)
    with pytest.raises(PassphraseNeeded):
        running.unlock(ada)
    assert running.unlock(ada, "correct horse").public == ada.public
    assert running.is_unlocked(ada)  # one lock is heard once
    running.lock_all()
    assert not running.is_unlocked(ada)


def test_locking_where_there_is_nothing_makes_nothing(tmp_path: Path) -> None:
    Keyring(tmp_path / "none").lock_all()
    assert not (tmp_path / "none").exists()


def test_the_lock_is_as_private_as_the_keys(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    ring.new("Ada")
    ring.lock_all()
    if os.name == "posix":
        assert ring.loose_files() == ()
