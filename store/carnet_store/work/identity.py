"""Who one is on this machine: the keys of one's persons and of this machine's chains, and what they have given out.

All of it lives outside every store, in the user's configuration folder (or where `CARNET_CONFIG` says), so that a
copied or restored store arrives without keys:

    identities/<32 hex>.json   one person's key: sealed by a passphrase, open, or a reference to an OpenSSH key file
    chains/<64 hex>.json       the key of one chain, made silently for each (ledger, person, store)
    marks/<64 hex>.json        the last place of a chain that left this machine
    device, mac                this machine's id, and the key that vouches for derived tables

The folder is 0700, its files 0600. A key file is written once and never over another; a mark only moves forward.
An OpenSSH key is referred to, never copied: its passphrase and its removal stay where its owner keeps them.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from carnet_store.core import keys
from carnet_store.core.keys import Signer
from carnet_store.errors import Invalid, NotFound, Refused, Untrusted, Usage
from carnet_store.work import keyfiles
from carnet_store.work.keyfiles import SEALED, PassphraseNeeded, WrongPassphrase, damage, disk, hex_text, one_line

__all__ = ["ChainKey", "Identity", "Keyring", "PassphraseNeeded", "WrongPassphrase", "config_dir", "from_git"]

SESSION_SECONDS: Final = 15 * 60
"""How long an unlocked key stays usable in one process after its last use."""

_GIT_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """One person that one may act as here.

    `person` is the person's id (of the first key, which need not be this one); `public` this key's raw 32 bytes; `ssh`
    the OpenSSH key file it refers to, or None; `protected` whether a passphrase is needed to sign.
    """

    name: str
    mail: str
    person: str
    public: bytes
    protected: bool
    ssh: Path | None
    file: Path

    @property
    def fingerprint(self) -> str:
        """The key as `ssh-keygen -l` shows it."""
        return keys.fingerprint(self.public)

    @property
    def label(self) -> str:
        """Name, mail and a short fingerprint: one line for a person to choose by."""
        mail = f" <{self.mail}>" if self.mail else ""
        return f"{self.name}{mail}  {self.fingerprint[:19]}…"


@dataclass(frozen=True, slots=True)
class ChainKey:
    """The key of one chain: `chain` is its id (the public key in hex), `seed` its secret 32 bytes."""

    chain: str
    seed: bytes

    def signer(self) -> Signer:
        """Return the key ready to sign."""
        return Signer(self.seed)

    def __repr__(self) -> str:
        return f"ChainKey({self.chain})"


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of keys: `CARNET_CONFIG`, or `carnet` in the platform's place for configuration."""
    chosen = environ.get("CARNET_CONFIG", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_config_path

    return user_config_path("carnet", appauthor=False)


def from_git(folder: Path) -> tuple[str, str]:
    """Return name and mail for a new identity: git's `user.name` and `user.email`, else the login name and no mail."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):
        login = "me"
    return _git(folder, "user.name") or one_line(login) or "me", _git(folder, "user.email")


def _git(folder: Path, setting: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (fixed words)
            ["git", "config", "--get", setting],  # noqa: S607 (the user's own git is what is meant)
            cwd=folder,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return one_line(done.stdout.decode(errors="replace")) if done.returncode == 0 else ""


class Keyring:
    """The keys in one configuration folder. Nothing is read before it is asked for, nothing created by reading.

    `entropy` gives n random bytes and `clock` seconds that never fall; both are handed in so that a sample can be built
    twice alike and a test need not wait.
    """

    def __init__(
        self,
        folder: Path,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._entropy = entropy
        self._clock = clock
        self._unlocked: dict[bytes, tuple[float, Signer]] = {}  # public key -> (last use, key)
        self._locked_at: int | None = None  # when `lock_all` was last heard of; None before the first look

    # --- persons ------------------------------------------------------------------------------------------------------

    def identities(self) -> tuple[Identity, ...]:
        """Return all identities, sorted by name. Raises Invalid naming the file that is damaged."""
        found = [_read_identity(path) for path in _listed(self.folder / "identities")]
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.mail, one.public)))

    def new(self, name: str, mail: str = "", passphrase: str | None = None, *, person: str = "") -> Identity:
        """Make a person's key and keep it; `person` only where it is a further key of a person already known.

        Raises Usage for a name or mail that cannot be one.
        """
        seed = self._entropy(keys.SEED_BYTES)
        return self._keep_seed(seed, _checked_name(name), _checked_mail(mail), passphrase, person)

    def use_ssh(self, path: Path, passphrase: str | None = None, *, name: str = "", mail: str = "") -> Identity:
        """Use an existing OpenSSH Ed25519 key where it lies. Without a name the key file's own name is taken.

        Raises NotFound; PassphraseNeeded or WrongPassphrase where it is encrypted; Usage where it is no OpenSSH private
        key or not of type Ed25519.
        """
        path = path.expanduser().absolute()
        signer, protected = keyfiles.load_ssh(path, passphrase)
        values = {
            "mail": _checked_mail(mail),
            "name": _checked_name(name or path.stem),
            "person": keys.person_id(signer.public),
            "public": signer.public.hex(),
            "secret": {"kind": "ssh", "path": str(path), "protected": protected},
        }
        identity = self._keep(values, signer.public)
        self._heed_lock()
        self._unlocked[signer.public] = (self._clock(), signer)
        return identity

    def choose(self, who: str | None) -> Identity:
        """Return the identity meant: by a name, mail, fingerprint or person id, whole or by a prefix that only one has.

        None or "" means the only one there is. Raises NotFound or Usage, listing the candidates.
        """
        known = self.identities()
        if not known:
            raise NotFound("There is no identity on this machine yet.", "carnet identity new")
        if not who:
            if len(known) == 1:
                return known[0]
            raise _several("There is more than one identity here; which one are you?", known)
        wanted = who.strip().casefold()
        exact = [one for one in known if wanted in _spellings(one)]
        found = exact or [one for one in known if any(text.startswith(wanted) for text in _spellings(one))]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound(
                f"No identity here is called {one_line(who)!r}.",
                "choose one of these with --me or CARNET_ME, or make one: carnet identity new",
                [one.label for one in known],
            )
        raise _several(f"{one_line(who)!r} fits more than one identity.", found)

    # --- signing ------------------------------------------------------------------------------------------------------

    def unlock(self, identity: Identity, passphrase: str | None = None) -> Signer:
        """Return the person's key, and keep it usable for 15 minutes after each use.

        Raises PassphraseNeeded where the key is protected, not in the session, and no passphrase was given;
        WrongPassphrase; Invalid or NotFound naming a file that is damaged or gone; Untrusted where an OpenSSH key file
        now holds another key than the one that was chosen.
        """
        cached = self._in_session(identity.public)
        if cached is not None and passphrase is None:
            return cached
        signer = self._load(identity, passphrase)
        if signer.public != identity.public:
            raise Untrusted(
                f"{identity.ssh or identity.file} holds another key than {identity.fingerprint}.",
                "put the old key file back, or choose the new key: carnet identity use-ssh PATH",
            )
        self._unlocked[identity.public] = (self._clock(), signer)
        return signer

    def is_unlocked(self, identity: Identity) -> bool:
        """Say whether signing would ask for nothing now; does not count as a use."""
        self._heed_lock()
        entry = self._unlocked.get(identity.public)
        return not identity.protected or (entry is not None and self._clock() - entry[0] < SESSION_SECONDS)

    def lock(self) -> None:
        """Forget every unlocked key of this process."""
        self._unlocked.clear()

    def lock_all(self) -> None:
        """Forget every unlocked key of this process and, from their next use on, of every other that uses this folder."""
        self.lock()
        if self.folder.is_dir():
            keyfiles.replace(self.folder / "locked", self._entropy(8).hex() + "\n")

    def _heed_lock(self) -> None:
        """Forget what is unlocked where another process has locked everything since the last look."""
        try:
            at = (self.folder / "locked").stat().st_mtime_ns
        except OSError:
            at = 0
        if self._locked_at not in (None, at):
            self._unlocked.clear()
        self._locked_at = at

    def _in_session(self, public: bytes) -> Signer | None:
        self._heed_lock()
        now = self._clock()
        for key in [key for key, (used, _) in self._unlocked.items() if now - used >= SESSION_SECONDS]:
            del self._unlocked[key]
        entry = self._unlocked.get(public)
        if entry is None:
            return None
        self._unlocked[public] = (now, entry[1])
        return entry[1]

    def _load(self, identity: Identity, passphrase: str | None) -> Signer:
        if identity.ssh is not None:
            return keyfiles.load_ssh(identity.ssh, passphrase)[0]
        return Signer(self._seed(identity, passphrase))

    def _seed(self, identity: Identity, passphrase: str | None) -> bytes:
        values = keyfiles.read_json(identity.file)
        with damage(identity.file):
            secret = values["secret"]
            if secret["kind"] == "open":
                return bytes.fromhex(hex_text(secret["seed"], keys.SEED_BYTES))
        return keyfiles.open_seal(secret, passphrase, f"the key of {identity.name}", identity.file)

    # --- carrying a person to another machine -------------------------------------------------------------------------

    def export(self, identity: Identity, path: Path, new_passphrase: str, passphrase: str | None = None) -> None:
        """Write the person's key to a new file, sealed by `new_passphrase`. `passphrase` opens it here, if it must be.

        Raises Refused where the file exists, no passphrase was given for it, or the key is an OpenSSH key (copy its own
        file); otherwise as `unlock`, except that exporting never uses the session.
        """
        if identity.ssh is not None:
            raise Refused(
                f"{identity.label} is an OpenSSH key; it is not copied.",
                f"copy {identity.ssh} by your own means, then there: carnet identity use-ssh PATH",
            )
        if not new_passphrase:
            raise Refused("An exported key is always sealed by a passphrase.", "give one")
        seed = self._seed(identity, passphrase)
        values = {
            "format": "carnet-identity-export/1",
            "mail": identity.mail,
            "name": identity.name,
            "person": identity.person,
            "public": identity.public.hex(),
            "secret": keyfiles.seal(seed, new_passphrase, self._entropy),
        }
        if not keyfiles.write_new(path, keyfiles.dump(values)):
            raise Refused(f"{path} exists already; nothing was written.", "choose another name")

    def import_file(self, path: Path, passphrase: str) -> Identity:
        """Keep the person of a file that `export` wrote, sealed by the same passphrase. Twice is the same as once.

        Raises NotFound, Invalid, WrongPassphrase, or Untrusted where the file's parts do not fit together.
        """
        values = keyfiles.read_json(path)
        with damage(path, "ask for a new export: carnet identity export"):
            if values["format"] != "carnet-identity-export/1":
                raise Invalid(f"{path} is not an exported identity.")
            name, mail = _checked_name(values["name"]), _checked_mail(values["mail"])
            person, public, secret = hex_text(values["person"], 32), bytes.fromhex(values["public"]), values["secret"]
        seed = keyfiles.open_seal(secret, passphrase, f"the identity in {path}", path)
        if keys.public_key(seed) != public:
            raise Untrusted(f"{path} names another key than the one it holds.", "ask for a new export")
        for known in self.identities():
            if known.public == public:
                return known
        return self._keep_seed(seed, name, mail, passphrase, person)

    # --- chains and their marks ---------------------------------------------------------------------------------------

    def chain_key(self, ledger: str, person: str, store: str) -> ChainKey:
        """Return the chain key of (ledger id, person id, store's ident), made and kept at the first call.

        `store` is what tells this store from a copy (device, inode, machine). Raises Invalid naming a damaged file.
        """
        path = self._chain_file(ledger, person, store)
        if not path.exists():
            seed = self._entropy(keys.SEED_BYTES)
            values = {
                "chain": keys.public_key(seed).hex(),
                "format": "carnet-chain/1",
                "ledger": ledger,
                "person": person,
                "seed": seed.hex(),
                "store": store,
            }
            self._write(path, keyfiles.dump(values))  # where another process was first, its key is read below
        values = keyfiles.read_json(path)
        with damage(path, "restore it, or move it away: a new chain will be opened, which goes on from this one"):
            found = ChainKey(values["chain"], bytes.fromhex(hex_text(values["seed"], 32)))
            if (values["ledger"], values["person"], values["store"]) != (ledger, person, store):
                raise ValueError("made for another store")
            if keys.public_key(found.seed).hex() != found.chain:
                raise ValueError("its two halves do not fit")
        return found

    def retire_chain(self, ledger: str, person: str, store: str) -> None:
        """Put a chain's key aside, as after a restored backup; the next `chain_key` makes a new one."""
        path = self._chain_file(ledger, person, store)
        if path.exists():
            chain = self.chain_key(ledger, person, store).chain
            path.replace(path.with_name(f"{path.stem}.{chain[:16]}.retired"))

    def mark(self, ledger: str, chain: str) -> tuple[int, str] | None:
        """Return (seq, event id) of the chain's last event that left this machine, or None; or raise Invalid."""
        path = self._mark_file(ledger, chain)
        if not path.exists():
            return None
        values = keyfiles.read_json(path)
        with damage(path, "move it away only if no backup of this store was restored since the last export"):
            if (values["ledger"], values["chain"]) != (ledger, chain):
                raise ValueError("made for another chain")
            seq, event = values["seq"], hex_text(values["event"], 32)
            if type(seq) is not int or seq < 0:
                raise ValueError("seq is not a number")
        return seq, event

    def set_mark(self, ledger: str, chain: str, seq: int, event: str) -> None:
        """Remember that the chain's event `event` at `seq` left this machine, and with it all before. Never goes back.

        Raises Refused where another event left at the same place: the store was restored from a backup meanwhile.
        """
        path = self._mark_file(ledger, chain)
        with self._exclusive():
            held = self.mark(ledger, chain)
            if held is not None and held[0] == seq and held[1] != event:
                raise Refused(
                    f"This chain has already given out another event at place {seq}.",
                    "this store was restored from a backup: open a new chain with carnet doctor",
                )
            if held is None or held[0] < seq:
                values = {"chain": chain, "event": event, "format": "carnet-mark/1", "ledger": ledger, "seq": seq}
                keyfiles.replace(path, keyfiles.dump(values))

    def _chain_file(self, ledger: str, person: str, store: str) -> Path:
        name = hashlib.sha256(f"{ledger}\0{person}\0{store}".encode()).hexdigest()
        return self.folder / "chains" / f"{name}.json"

    def _mark_file(self, ledger: str, chain: str) -> Path:
        return self.folder / "marks" / f"{hashlib.sha256(f'{ledger}{chain}'.encode()).hexdigest()}.json"

    # --- this machine -------------------------------------------------------------------------------------------------

    def device(self) -> str:
        """Return this machine's id, 32 hex, made at the first call. It says nothing about the machine."""
        return self._constant("device", 16).hex()

    def mac_key(self) -> bytes:
        """Return the 32-byte key that vouches for tables derived in stores of this user, made at the first call."""
        return self._constant("mac", 32)

    def loose_files(self) -> tuple[Path, ...]:
        """Return the files and folders that other users of this machine may read: for `doctor` to name."""
        if os.name != "posix" or not self.folder.exists():
            return ()
        return tuple(p for p in [self.folder, *sorted(self.folder.rglob("*"))] if p.lstat().st_mode & 0o077)

    def _constant(self, name: str, size: int) -> bytes:
        path = self.folder / name
        if not path.exists():
            self._write(path, self._entropy(size).hex() + "\n")
        with damage(path, "restore it, or move it away: a new one is made"):
            return bytes.fromhex(hex_text(keyfiles.read_text(path).strip(), size))

    # --- writing ------------------------------------------------------------------------------------------------------

    def _keep_seed(self, seed: bytes, name: str, mail: str, passphrase: str | None, person: str) -> Identity:
        signer = Signer(seed)
        secret = keyfiles.seal(seed, passphrase, self._entropy) if passphrase else {"kind": "open", "seed": seed.hex()}
        values = {
            "mail": mail,
            "name": name,
            "person": person or keys.person_id(signer.public),
            "public": signer.public.hex(),
            "secret": secret,
        }
        identity = self._keep(values, signer.public)
        self._heed_lock()
        self._unlocked[signer.public] = (self._clock(), signer)
        return identity

    def _keep(self, values: dict[str, Any], public: bytes) -> Identity:
        path = self.folder / "identities" / f"{public.hex()[:32]}.json"
        if not self._write(path, keyfiles.dump({"format": "carnet-identity/1", **values})):
            held = _read_identity(path)
            raise Refused(f"This key is here already, as {held.label}.", f"carnet --me {held.name!r} …")
        return _read_identity(path)

    def _write(self, path: Path, text: str) -> bool:
        """Write a new file in the folder of keys; False if it exists (written by another process, or earlier)."""
        with disk(path):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        return keyfiles.write_new(path, text)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the folder of marks for this process alone, where the platform has file locks."""
        path = self.folder / "marks" / "lock"
        with disk(path):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                import fcntl
            except ImportError:  # Windows: two exports in one instant by one user are not guarded there
                pass
            else:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _checked_name(name: str) -> str:
    if one_line(name) != name or not name:
        raise Usage(f"{one_line(str(name))!r} cannot be a name.", "1 to 200 characters on one line")
    return name


def _checked_mail(mail: str) -> str:
    if mail and (one_line(mail) != mail or " " in mail or "@" not in mail.strip("@") or set(mail) & set("<>,")):
        raise Usage(f"{one_line(str(mail))!r} cannot be a mail address.", "like ada@example.org, or leave it out")
    return mail


def _spellings(one: Identity) -> list[str]:
    fingerprint = one.fingerprint.casefold()
    words = [one.name, *one.name.split(), one.mail, fingerprint, fingerprint.removeprefix("sha256:"), one.person]
    return [word.casefold() for word in words if word]


def _several(message: str, candidates: tuple[Identity, ...] | list[Identity]) -> Usage:
    return Usage(message, "say --me NAME, or set CARNET_ME", [one.label for one in candidates])


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _read_identity(path: Path) -> Identity:
    values = keyfiles.read_json(path)
    with damage(path):
        if values["format"] != "carnet-identity/1":
            raise ValueError("of another format")
        secret = values["secret"]
        kind = secret["kind"]
        if kind not in ("open", SEALED, "ssh"):
            raise ValueError("its secret is of an unknown kind")
        public = bytes.fromhex(hex_text(values["public"], 32))
        if not keys.is_public_key(public):
            raise ValueError("its public key is not one")
        return Identity(
            name=_checked_name(values["name"]),
            mail=_checked_mail(values["mail"]),
            person=hex_text(values["person"], 32),
            public=public,
            protected=kind == SEALED or (kind == "ssh" and bool(secret["protected"])),
            ssh=Path(secret["path"]) if kind == "ssh" else None,
            file=path,
        )
