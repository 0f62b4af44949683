"""A whole store in one file, and back: every ledger as one moment had it, all objects, the store's own templates. No keys.

A backup is a zip of the store's own files with their digests in `backup.json`. It is for the one who made it: what goes to others is a bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from carnet_store.errors import Invalid, NotFound, Refused, TooNew, Untrusted
from carnet_store.storage.objects import CHUNK
from carnet_store.storage.store import FOLDER, Store

FORMAT: Final = "carnet-backup/1"
INDEX: Final = "backup.json"
_NAMES: Final = re.compile(
    r"ledgers/[0-9a-f]{64}\.db|objects/sha256/([0-9a-f]{2})/\1[0-9a-f]{62}|templates/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml"
)
_MAX_INDEX: Final = 64 << 20

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a backup holds, or what was restored: where, how many ledgers and objects, bytes of the file or folder."""

    path: Path
    ledgers: int
    objects: int
    size: int


def backup(store: Store, path: Path, progress: Progress | None = None) -> Kept:
    """Write the store to a new file; it gets its name when it is whole.

    Raises:
        Refused: the file exists. Invalid: it cannot be written. Untrusted: an object was altered on disk.
    """
    if path.exists():
        raise Refused(f"{path} exists already; nothing was written", "choose another name")
    digests: dict[str, str] = {}
    objects = list(store.objects.all())
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".carnet-backup-", dir=path.parent) as folder,
            zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
        ):
            ledgers = store.project_ids()
            for done, ledger in enumerate(ledgers):
                copy = Path(folder) / f"{ledger}.db"
                store.project(ledger).ledger.db.execute("VACUUM INTO ?", (str(copy),))
                digests[f"ledgers/{ledger}.db"] = _add(out, f"ledgers/{ledger}.db", copy)
                copy.unlink()
                if progress is not None:
                    progress("ledgers", done + 1, len(ledgers))
            for done, digest in enumerate(objects):
                name = f"objects/sha256/{digest[:2]}/{digest}"
                if _add(out, name, store.objects.path(digest)) != digest:
                    raise Untrusted(
                        f"the object sha256:{digest[:16]}… was altered on disk", "import a bundle that has it"
                    )
                digests[name] = digest
                if progress is not None:
                    progress("objects", done + 1, len(objects))
            for own in sorted((store.root / "templates").glob("*.yaml")):
                if _NAMES.fullmatch(f"templates/{own.name}"):
                    digests[f"templates/{own.name}"] = _add(out, f"templates/{own.name}", own)
            out.writestr(INDEX, json.dumps({"format": FORMAT, "files": digests}, indent=1, sort_keys=True))
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise Invalid(f"{path} cannot be written: {error}", "choose a folder with room that you may write to") from None
    finally:
        part.unlink(missing_ok=True)
    return Kept(path, len(ledgers), len(objects), path.stat().st_size)


def restore(path: Path, beside: Path, progress: Progress | None = None) -> Kept:
    """Make a store from a backup beside the work in `beside`, where none is; it appears when it is whole.

    Raises:
        NotFound: no such file. Refused: there is a store already. Invalid, TooNew, Untrusted: it is no backup, of a newer
        Carnet, or was altered; nothing was written.
    """
    target = beside if beside.name == FOLDER else beside / FOLDER
    if target.exists():
        raise Refused(
            f"there is a store at {target} already; nothing was written",
            "restore beside another folder, or move it away",
        )
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    part = target.with_name(f"{FOLDER}.restoring-{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(path) as source:
            digests = _index(source, path)
            (part / "ledgers").mkdir(mode=0o700, parents=True)
            (part / "objects").mkdir(mode=0o700)
            part.chmod(0o700)
            for done, (name, digest) in enumerate(sorted(digests.items())):
                if _take(source, name, part / name) != digest:
                    raise Untrusted(f"{path.name}: {name} was altered; nothing was written", "take another backup")
                if progress is not None:
                    progress("files", done + 1, len(digests))
        part.rename(target)
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise Invalid(f"{path} cannot be restored: {error}", "nothing was written") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    ledgers = sum(name.startswith("ledgers/") for name in digests)
    objects = sum(name.startswith("objects/") for name in digests)
    return Kept(target, ledgers, objects, path.stat().st_size)


def _index(source: zipfile.ZipFile, path: Path) -> dict[str, str]:
    """Return the digests of a backup's files, once they are the files it has."""
    names = [info.filename for info in source.infolist()]
    if INDEX not in names or source.getinfo(INDEX).file_size > _MAX_INDEX:
        raise Invalid(f"{path.name} is not a backup", "a bundle is taken in by: carnet import FILE")
    try:
        read: Any = json.loads(source.read(INDEX))
        kind, files = read["format"], read["files"]
        digests = {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Invalid(f"{path.name}: its {INDEX} cannot be read", "take another backup") from None
    if kind != FORMAT:
        raise TooNew(
            f"{path.name} has the format {str(kind)[:60]}, this Carnet knows {FORMAT}", "install a newer Carnet"
        )
    if sorted(names) != sorted([*digests, INDEX]):
        raise Untrusted(f"{path.name}: its files are not those it lists", "take another backup")
    strange = [name for name in digests if not _NAMES.fullmatch(name)]
    if strange:
        raise Untrusted(f"{path.name} names a file that no store has: {strange[0][:80]!r}", "take another backup")
    return digests


def _add(out: zipfile.ZipFile, name: str, path: Path) -> str:
    with path.open("rb") as source, out.open(name, "w", force_zip64=True) as target:
        return _copy(source, target)


def _take(source: zipfile.ZipFile, name: str, target: Path) -> str:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as out, source.open(name) as member:
        digest = _copy(member, out)
        out.flush()
        os.fsync(out.fileno())
        return digest


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()
