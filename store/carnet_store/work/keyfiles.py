"""The files that hold keys: private, whole or absent, never over another; secrets sealed by a passphrase; OpenSSH keys.

Whatever is wrong with such a file becomes one error that names it; nothing here prints or logs a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from carnet_store.core.keys import Signer
from carnet_store.errors import CarnetError, Invalid, NotFound, Refused, Usage

SEALED: Final = "argon2id-secretbox"
_FILE_LIMIT: Final = 64 * 1024
_ARGON_OPS, _ARGON_MEMORY = 3, 64 << 20  # RFC 9106, second recommended choice
_ARGON_MAX_OPS, _ARGON_MAX_MEMORY = 16, 256 << 20  # a file from elsewhere must not ask for more

Secret = dict[str, Any]
"""A seed as it stands in a file: open, sealed, or a reference to an OpenSSH key."""


class PassphraseNeeded(Refused):
    """The key is protected and no passphrase was given (or the session's 15 minutes are over)."""


class WrongPassphrase(Refused):
    """The passphrase does not open the key."""


def one_line(text: str) -> str:
    """Return the text on one line, without control and other invisible characters, at most 200 characters."""
    return " ".join("".join(char if unicodedata.category(char)[0] != "C" else " " for char in text).split())[:200]


def dump(values: dict[str, Any]) -> str:
    """Return the text of a key file: JSON that a person can read."""
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn what the operating system says while writing into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise CarnetError(
            f"{path} cannot be written: {error.strerror or error}.", "CARNET_CONFIG=FOLDER moves the folder of keys"
        ) from error


@contextlib.contextmanager
def damage(path: Path, hint: str = "restore it from a backup, or: carnet identity import FILE") -> Iterator[None]:
    """Turn whatever a wrong form raises into one sentence that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, Usage) as error:
        raise Invalid(f"{path} is damaged ({error}).", hint) from error


def read_text(path: Path) -> str:
    """Return a small file's text. Raises NotFound, Invalid (too large, not UTF-8) or CarnetError (not readable)."""
    try:
        with path.open("rb") as handle:
            data = handle.read(_FILE_LIMIT + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except OSError as error:
        raise CarnetError(f"{path} cannot be read: {error.strerror or error}.") from error
    with damage(path):
        if len(data) > _FILE_LIMIT:
            raise ValueError("far too large")
        return data.decode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; errors as `read_text`."""
    text = read_text(path)
    with damage(path):
        try:
            values = json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        if not isinstance(values, dict):
            raise ValueError("not an object")
    return values


def hex_text(text: object, size: int) -> str:
    """Return `text` if it is `size` bytes in lower-case hex. Raises ValueError otherwise."""
    if not isinstance(text, str) or len(text) != 2 * size or text.strip("0123456789abcdef"):
        raise ValueError(f"{size} bytes in hex are missing")
    return text


def write_new(path: Path, text: str) -> bool:
    """Write a whole, durable, private file under a name that must not exist; False if it does."""
    with disk(path):
        scratch = _scratch(path, text)
        try:
            os.link(scratch, path)  # unlike a rename, never over another file
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if path.exists():
                return False
            scratch.rename(path)
        finally:
            scratch.unlink(missing_ok=True)
        _sync_folder(path.parent)
    return True


def replace(path: Path, text: str) -> None:
    """Write a file in one step that a crash cannot halve; what was there before is gone."""
    with disk(path):
        scratch = _scratch(path, text)
        try:
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _scratch(path: Path, text: str) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return scratch


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(seed: bytes, passphrase: str, entropy: Callable[[int], bytes]) -> Secret:
    """Return `seed` closed by `passphrase`, as JSON values."""
    from nacl.bindings import crypto_secretbox

    salt, nonce = entropy(16), entropy(24)
    box = crypto_secretbox(seed, nonce, _stretch(passphrase, salt, _ARGON_OPS, _ARGON_MEMORY))
    return {
        "box": box.hex(),
        "kind": SEALED,
        "memory": _ARGON_MEMORY,
        "nonce": nonce.hex(),
        "ops": _ARGON_OPS,
        "salt": salt.hex(),
    }


def _stretch(passphrase: str, salt: bytes, ops: int, memory: int) -> bytes:
    from nacl.pwhash import argon2id

    text = unicodedata.normalize("NFC", passphrase)  # the same keys typed on another system give the same bytes
    return argon2id.kdf(32, text.encode("utf-8", "surrogatepass"), salt, opslimit=ops, memlimit=memory)


def open_seal(secret: Secret, passphrase: str | None, what: str, path: Path) -> bytes:
    """Return the 32-byte seed of a sealed secret; bounds what a file from elsewhere may ask of this machine."""
    with damage(path):
        if secret["kind"] != SEALED:
            raise ValueError("its secret is of an unknown kind")
        ops, memory = int(secret["ops"]), int(secret["memory"])
        salt, nonce, box = (
            bytes.fromhex(hex_text(secret[k], n)) for k, n in (("salt", 16), ("nonce", 24), ("box", 48))
        )
        if not (1 <= ops <= _ARGON_MAX_OPS and 1 << 20 <= memory <= _ARGON_MAX_MEMORY):
            raise ValueError("it asks for too much work")
    if passphrase is None:
        raise PassphraseNeeded(f"A passphrase protects {what}.", "type it when asked, or unlock in the terminal UI")
    from nacl.bindings import crypto_secretbox_open
    from nacl.exceptions import CryptoError

    try:
        return crypto_secretbox_open(box, nonce, _stretch(passphrase, salt, ops, memory))
    except CryptoError as error:
        raise WrongPassphrase(f"This passphrase does not open {what}.", "try again") from error


def load_ssh(path: Path, passphrase: str | None) -> tuple[Signer, bool]:
    """Read an OpenSSH private key. Returns it and whether the file is encrypted."""
    data = read_text(path).encode()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    protected = True
    try:
        try:
            found = load_ssh_private_key(data, None)
            protected = False
        except TypeError:
            if passphrase is None:
                raise PassphraseNeeded(f"A passphrase protects {path}.", "type it when asked") from None
            found = load_ssh_private_key(data, passphrase.encode("utf-8", "surrogatepass"))
    except UnsupportedAlgorithm as error:
        raise Usage(
            f"{path} cannot be opened here: {error}.",
            "encrypted OpenSSH keys need one more package: pip install bcrypt",
        ) from error
    except ValueError as error:
        if "BEGIN OPENSSH PRIVATE KEY" in data.decode() and passphrase is not None:
            raise WrongPassphrase(f"This passphrase does not open {path}.", "try again") from error
        raise Usage(
            f"{path} is not an OpenSSH private key.", "name the file without .pub, such as ~/.ssh/id_ed25519"
        ) from error
    if not isinstance(found, Ed25519PrivateKey):
        raise Usage(f"{path} is not an Ed25519 key.", "make one: ssh-keygen -t ed25519, or carnet identity new")
    return Signer(found.private_bytes_raw()), protected
