"""Persons' keys, chains' keys and marks on disk (THREATS 10, 33, 34; R013, R022 a person's key signs what decides)."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from carnet_store.core import keys
from carnet_store.errors import CarnetError, Invalid, NotFound, Refused, Untrusted, Usage
from carnet_store.work import keyfiles
from carnet_store.work.identity import Keyring, PassphraseNeeded, WrongPassphrase, config_dir, from_git

LEDGER, CHAIN, EVENT = "1" * 64, "2" * 64, "3" * 64


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def counting_entropy() -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda size: hashlib.shake_128(b"%d" % next(numbers)).digest(size)


@pytest.fixture(autouse=True)
def _cheap_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfiles, "_ARGON_OPS", 1)
    monkeypatch.setattr(keyfiles, "_ARGON_MEMORY", 1 << 20)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, clock: Clock) -> Keyring:
    return Keyring(tmp_path / "config", entropy=counting_entropy(), clock=clock)


def again(ring: Keyring) -> Keyring:
    """Another process with the same folder."""
    return Keyring(ring.folder)


def ssh_key(path: Path, seed: bytes = b"\x05" * 32) -> Path:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return path


# made by `ssh-keygen -t ed25519 -N "secret pass"` for this test alone
ENCRYPTED_KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAM29LNYU
52pANTRslmZMePAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIJR0xBKtFpKLE6kM
/dbre231VPTjsXia5r3+D+IKD90kAAAAkJXq2D/xgFV/tTFfAOgtI/nVzh2BoXq5KYxrzh
PI/goYx1tbyoi6yqv5t0JKm8Jqwdcg1rUj99EXJ21IZb4cNGAVTRp5V8CKKDQ1we0QBqQ4
zeLbWZheuIDmYoWopIJBTHBr08IyMOtmuUMkG+LPeuQ195tCZlJPXSGdQNuCsVKy79FdRY
Ep0v/YHHLF2hbG0g==
-----END OPENSSH PRIVATE KEY-----
"""


# --- making and choosing ----------------------------------------------------------------------------------------------


def test_new_identity_signs_after_a_restart(ring: Keyring) -> None:
    made = ring.new("Ada Lovelace", "ada@example.org")
    found = again(ring).choose(None)
    assert found == made
    assert found.person == hashlib.sha256(found.public).hexdigest()
    signer = again(ring).unlock(found)
    assert keys.verify(found.public, signer.sign(b"x"), b"x")


def test_reading_creates_nothing(ring: Keyring) -> None:
    assert ring.identities() == ()
    assert ring.mark(LEDGER, CHAIN) is None
    assert ring.loose_files() == ()
    with pytest.raises(NotFound) as caught:
        ring.choose(None)
    assert caught.value.hint == "carnet identity new"
    assert not ring.folder.exists()


def test_same_entropy_same_keys(tmp_path: Path) -> None:
    """The sample is built twice alike."""
    made = [
        (
            ring.new("Ada", passphrase="word").public,
            ring.chain_key(LEDGER, "p", "s").chain,
            ring.device(),
            ring.mac_key(),
            [p.read_bytes() for p in sorted(ring.folder.rglob("*.json"))],
        )
        for ring in (Keyring(tmp_path / name, entropy=counting_entropy()) for name in "ab")
    ]
    assert made[0] == made[1]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_only_the_owner_may_read(ring: Keyring) -> None:
    old = os.umask(0)
    try:
        ring.new("Ada")
        ring.chain_key(LEDGER, "p", "s")
        ring.set_mark(LEDGER, CHAIN, 1, EVENT)
        ring.mac_key()
        ring.device()
    finally:
        os.umask(old)
    paths = [ring.folder, *ring.folder.rglob("*")]
    assert len(paths) >= 9
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert ring.loose_files() == ()
    (ring.folder / "mac").chmod(0o644)
    assert ring.loose_files() == (ring.folder / "mac",)


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("Ada", "Ada Lovelace"),
        ("ADA LOVELACE", "Ada Lovelace"),
        ("lovel", "Ada Lovelace"),
        ("ada@", "Ada Lovelace"),
        ("Bea", "Bea"),  # exact wins over being a prefix of Beatrice
        ("beat", "Beatrice"),
    ],
)
def test_choose_by_prefix(ring: Keyring, who: str, name: str) -> None:
    for one, mail in (("Ada Lovelace", "ada@example.org"), ("Bea", "bea@example.org"), ("Beatrice", "")):
        ring.new(one, mail)
    assert ring.choose(who).name == name


def test_choose_by_key_and_person(ring: Keyring) -> None:
    ada, _ = ring.new("Ada"), ring.new("Bea")
    for who in (ada.fingerprint, ada.fingerprint[7:17], ada.person, ada.person[:12]):
        assert ring.choose(who) == ada


def test_choose_says_who_there_is(ring: Keyring) -> None:
    ada, bea = ring.new("Ada", "ada@x.org"), ring.new("Adam")
    for who in (None, "", "ad"):
        with pytest.raises(Usage) as caught:
            ring.choose(who)
        assert caught.value.reasons == (ada.label, bea.label)
        assert "CARNET_ME" in caught.value.hint
    with pytest.raises(NotFound, match="'nobody'") as missing:
        ring.choose("nobody")
    assert missing.value.reasons == (ada.label, bea.label)


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[31mred", " padded", "‮gnp", "x" * 201])
def test_a_name_that_cannot_be_one(ring: Keyring, name: str) -> None:
    with pytest.raises(Usage):
        ring.new(name)
    with pytest.raises(Usage):
        ring.new("Ada", "not a mail")


def test_a_second_key_of_a_person_keeps_the_person(ring: Keyring) -> None:
    first = ring.new("Ada")
    second = ring.new("Ada at work", person=first.person)
    assert second.person == first.person != hashlib.sha256(second.public).hexdigest()
    assert again(ring).choose("ada at work").person == first.person


# --- passphrases and the session --------------------------------------------------------------------------------------


def test_passphrase_is_kept_for_a_quarter_of_an_hour(ring: Keyring, clock: Clock) -> None:
    ada = ring.new("Ada", passphrase="pässword")
    ring.lock()
    assert ada.protected and not ring.is_unlocked(ada)
    with pytest.raises(PassphraseNeeded, match="Ada"):
        ring.unlock(ada)
    with pytest.raises(WrongPassphrase):
        ring.unlock(ada, "other")
    signer = ring.unlock(ada, "pa\u0308ssword")  # the same letters, composed in another way
    clock.now += 14 * 60
    assert ring.unlock(ada) is signer  # which counts as a use
    clock.now += 14 * 60
    assert ring.is_unlocked(ada)
    assert ring.unlock(ada) is signer
    clock.now += 15 * 60
    assert not ring.is_unlocked(ada)
    with pytest.raises(PassphraseNeeded):
        ring.unlock(ada)
    ring.unlock(ada, "pässword")
    ring.lock()
    with pytest.raises(PassphraseNeeded):
        ring.unlock(ada)


def test_a_wrong_passphrase_is_wrong_even_while_unlocked(ring: Keyring) -> None:
    ada = ring.new("Ada", passphrase="right")
    with pytest.raises(WrongPassphrase):
        ring.unlock(ada, "wrong")


def test_sealed_file_does_not_hold_the_seed(ring: Keyring) -> None:
    ada = ring.new("Ada", passphrase="word")
    seed = counting_entropy()(32)
    assert keys.public_key(seed) == ada.public
    assert seed.hex() not in ada.file.read_text()
    assert seed not in ada.file.read_bytes()


def test_secrets_do_not_show_in_reprs(ring: Keyring) -> None:
    key = ring.chain_key(LEDGER, "p", "s")
    assert key.seed.hex() not in repr(key) and repr(key.seed) not in repr(key)
    assert "Signer" in repr(key.signer())


# --- OpenSSH keys -----------------------------------------------------------------------------------------------------


def test_openssh_key_is_used_where_it_lies(ring: Keyring, tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "id_work")
    made = ring.use_ssh(path)
    assert (made.name, made.ssh, made.protected) == ("id_work", path, False)
    assert made.public == keys.public_key(b"\x05" * 32)
    assert (b"\x05" * 32).hex() not in made.file.read_text()
    assert keys.verify(made.public, again(ring).unlock(made).sign(b"x"), b"x")


def test_openssh_key_that_changed_or_went(ring: Keyring, tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "id")
    made = ring.use_ssh(path, name="Ada")
    ssh_key(path, b"\x06" * 32)
    with pytest.raises(Untrusted, match="another key"):
        again(ring).unlock(made)
    path.unlink()
    with pytest.raises(NotFound, match="id"):
        again(ring).unlock(made)


def test_encrypted_openssh_key(ring: Keyring, tmp_path: Path) -> None:
    """Reading one needs the bcrypt package; without it the error says so."""
    path = tmp_path / "id"
    path.write_text(ENCRYPTED_KEY)
    with pytest.raises(PassphraseNeeded):
        ring.use_ssh(path)
    if importlib.util.find_spec("bcrypt") is None:
        with pytest.raises(Usage, match="bcrypt") as caught:
            ring.use_ssh(path, "secret pass")
        assert "pip install bcrypt" in caught.value.hint
        return
    with pytest.raises(WrongPassphrase):
        ring.use_ssh(path, "wrong")
    made = ring.use_ssh(path, "secret pass", name="Ada")
    assert made.protected
    assert keys.verify(made.public, ring.unlock(made).sign(b"x"), b"x")
    ring.lock()
    with pytest.raises(PassphraseNeeded):
        ring.unlock(made)


def test_files_that_are_no_ed25519_key(ring: Keyring, tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 1024)
    (tmp_path / "rsa").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (tmp_path / "pub").write_text(keys.openssh_line(keys.public_key(bytes(32))))
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(Usage, match="not an Ed25519 key"):
        ring.use_ssh(tmp_path / "rsa")
    for passphrase in (None, "word"):
        with pytest.raises(Usage, match="not an OpenSSH private key"):
            ring.use_ssh(tmp_path / "pub", passphrase)
    for name in ("binary", "large"):
        with pytest.raises(Invalid, match=name):
            ring.use_ssh(tmp_path / name)
    with pytest.raises(NotFound):
        ring.use_ssh(tmp_path / "none")
    with pytest.raises(CarnetError):
        ring.use_ssh(tmp_path)
    assert ring.identities() == ()


def test_the_same_key_twice_is_refused(ring: Keyring, tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "id")
    ring.use_ssh(path, name="Ada")
    with pytest.raises(Refused, match="Ada"):
        ring.use_ssh(path, name="Bea")
    assert [one.name for one in ring.identities()] == ["Ada"]


# --- export and import ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, "here"])
def test_a_person_travels(ring: Keyring, tmp_path: Path, passphrase: str | None) -> None:
    ada = ring.new("Ada", "ada@x.org", passphrase)
    ring.export(ada, tmp_path / "ada.key", "travel", passphrase)
    there = Keyring(tmp_path / "there")
    with pytest.raises(WrongPassphrase):
        there.import_file(tmp_path / "ada.key", "wrong")
    assert there.identities() == ()
    moved = there.import_file(tmp_path / "ada.key", "travel")
    assert (moved.name, moved.mail, moved.person, moved.public) == (ada.name, ada.mail, ada.person, ada.public)
    assert moved.protected
    assert there.import_file(tmp_path / "ada.key", "travel") == moved
    assert keys.verify(ada.public, again(there).unlock(moved, "travel").sign(b"x"), b"x")


def test_export_refuses(ring: Keyring, tmp_path: Path) -> None:
    ada = ring.new("Ada", passphrase="here")
    with pytest.raises(PassphraseNeeded):  # also while the session is unlocked
        ring.export(ada, tmp_path / "a", "travel")
    with pytest.raises(Refused, match="sealed"):
        ring.export(ada, tmp_path / "a", "", "here")
    assert not (tmp_path / "a").exists()
    (tmp_path / "a").write_text("mine")
    with pytest.raises(Refused, match="exists"):
        ring.export(ada, tmp_path / "a", "travel", "here")
    assert (tmp_path / "a").read_text() == "mine"
    with pytest.raises(Refused, match="not copied"):
        ring.export(ring.use_ssh(ssh_key(tmp_path / "id")), tmp_path / "b", "travel")
    with pytest.raises(CarnetError, match="cannot be written"):
        ring.export(ada, tmp_path / "none" / "b", "travel", "here")


def changed(path: Path, **changes: object) -> None:
    values = json.loads(path.read_text())
    values.update(changes)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other/1"},
        {"name": "\x1b[2J"},
        {"mail": 3},
        {"person": "short"},
        {"secret": None},
        {"secret": {"kind": "open", "seed": "00" * 32}},
        {"secret": {"kind": "argon2id-secretbox", "ops": 10**9, "memory": 2**40, "salt": "", "nonce": "", "box": ""}},
        {"public": "zz"},
    ],
)
def test_a_crafted_export_is_refused(ring: Keyring, tmp_path: Path, changes: dict[str, object]) -> None:
    ring.export(ring.new("Ada"), tmp_path / "a", "travel")
    changed(tmp_path / "a", **changes)
    with pytest.raises(Invalid, match="a is"):
        Keyring(tmp_path / "there").import_file(tmp_path / "a", "travel")


def test_an_export_must_not_ask_for_much_work(ring: Keyring, tmp_path: Path) -> None:
    ring.export(ring.new("Ada"), tmp_path / "a", "travel")
    secret = json.loads((tmp_path / "a").read_text())["secret"]
    changed(tmp_path / "a", secret={**secret, "memory": 1 << 40})
    with pytest.raises(Invalid, match="too much work"):
        Keyring(tmp_path / "there").import_file(tmp_path / "a", "travel")


def test_an_export_naming_another_key_is_refused(ring: Keyring, tmp_path: Path) -> None:
    ring.export(ring.new("Ada"), tmp_path / "a", "travel")
    changed(tmp_path / "a", public=keys.public_key(bytes(32)).hex())
    with pytest.raises(Untrusted):
        Keyring(tmp_path / "there").import_file(tmp_path / "a", "travel")


# --- damaged files ----------------------------------------------------------------------------------------------------


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b"{}",
    b'{"format":"carnet-identity/1"}',
    b"[" * 60_000,
    b"x" * 70_000,
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_damage_is_named_and_never_overwritten(ring: Keyring, text: bytes) -> None:
    ada = ring.new("Ada")
    ring.chain_key(LEDGER, "p", "s")
    ring.set_mark(LEDGER, CHAIN, 1, EVENT)
    ring.device()
    files = [path for path in ring.folder.rglob("*") if path.is_file() and path.name != "lock"]
    assert len(files) == 4
    for path in files:
        path.write_bytes(text)
    fresh = again(ring)
    readers: list[Callable[[], object]] = [
        fresh.identities,
        lambda: fresh.unlock(ada),
        lambda: fresh.chain_key(LEDGER, "p", "s"),
        lambda: fresh.mark(LEDGER, CHAIN),
        lambda: fresh.set_mark(LEDGER, CHAIN, 9, EVENT),
        fresh.device,
    ]
    for read in readers:
        with pytest.raises(Invalid) as caught:
            read()
        assert any(str(path) in caught.value.message for path in files)
        assert caught.value.hint
    assert all(path.read_bytes() == text for path in files)


# --- chains, marks, machine -------------------------------------------------------------------------------------------


def test_one_chain_key_for_each_ledger_person_and_store(ring: Keyring) -> None:
    """THREATS 10: a copied store (another ident) gets another key."""
    places = [("a", "p", "s"), ("b", "p", "s"), ("a", "q", "s"), ("a", "p", "t")]
    made = [ring.chain_key(*place) for place in places]
    assert len({key.chain for key in made}) == 4
    assert [again(ring).chain_key(*place) for place in places] == made
    assert all(keys.public_key(key.seed).hex() == key.chain for key in made)


def test_processes_that_race_agree_on_one_chain_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Keyring(tmp_path / "c").chain_key("a", "p", "s").chain, range(16)))
        constants = list(pool.map(lambda _: Keyring(tmp_path / "c").mac_key(), range(16)))
    assert len(set(found)) == 1 and len(set(constants)) == 1


def test_a_chain_key_file_under_another_name_is_refused(ring: Keyring) -> None:
    ring.chain_key("a", "p", "s")
    (file,) = (ring.folder / "chains").iterdir()
    ring.chain_key("b", "p", "s")
    (other,) = (path for path in (ring.folder / "chains").iterdir() if path != file)
    other.write_bytes(file.read_bytes())
    with pytest.raises(Invalid, match="another store"):
        ring.chain_key("b", "p", "s")


def test_a_retired_chain_key_is_kept_aside(ring: Keyring) -> None:
    old = ring.chain_key("a", "p", "s")
    ring.retire_chain("a", "p", "s")
    assert ring.chain_key("a", "p", "s") != old
    assert any(old.seed.hex() in path.read_text() for path in (ring.folder / "chains").iterdir())
    ring.retire_chain("never", "p", "s")  # nothing to put aside


def test_a_mark_only_moves_forward(ring: Keyring) -> None:
    ring.set_mark(LEDGER, CHAIN, 5, EVENT)
    ring.set_mark(LEDGER, CHAIN, 5, EVENT)
    ring.set_mark(LEDGER, CHAIN, 4, "4" * 64)
    assert again(ring).mark(LEDGER, CHAIN) == (5, EVENT)
    with pytest.raises(Refused, match="place 5") as caught:
        ring.set_mark(LEDGER, CHAIN, 5, "4" * 64)
    assert "restored" in caught.value.hint
    ring.set_mark(LEDGER, CHAIN, 6, "4" * 64)
    assert again(ring).mark(LEDGER, CHAIN) == (6, "4" * 64)
    assert again(ring).mark("5" * 64, CHAIN) is None


def test_marks_set_at_once_end_at_the_highest(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Keyring(tmp_path / "c").set_mark(LEDGER, CHAIN, n, f"{n:064x}"), range(40)))
    assert Keyring(tmp_path / "c").mark(LEDGER, CHAIN) == (39, f"{39:064x}")


def test_machine_constants_stay(ring: Keyring) -> None:
    assert (len(ring.mac_key()), len(ring.device())) == (32, 32)
    assert again(ring).mac_key() == ring.mac_key()
    assert again(ring).device() == ring.device()


def test_unwritable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CarnetError, match="cannot be written") as caught:
        Keyring(tmp_path / "file" / "config").new("Ada")
    assert "CARNET_CONFIG" in caught.value.hint


def test_nothing_is_left_beside_the_files(ring: Keyring) -> None:
    ring.new("Ada")
    ring.set_mark(LEDGER, CHAIN, 1, EVENT)
    assert not [path for path in ring.folder.rglob(".*")]


def test_where_the_folder_is(tmp_path: Path) -> None:
    assert config_dir({"CARNET_CONFIG": str(tmp_path)}) == tmp_path
    assert config_dir({}).name == "carnet"


# --- git --------------------------------------------------------------------------------------------------------------


def test_name_and_mail_from_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for setting, value in (("user.name", "Ada \x1b[31mLovelace"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "-C", str(tmp_path), "config", setting, value], check=True)
    name, mail = from_git(tmp_path)
    assert (name, mail) == ("Ada [31mLovelace", "ada@example.org")
    assert Keyring(tmp_path / "c").new(name, mail).name == name


def test_login_name_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")
    assert from_git(tmp_path) == ("ada", "")
