"""Bytes by their SHA-256: `objects/sha256/<aa>/<64 hex>`, shared by all ledgers of a store."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from carnet_store.errors import Invalid, NotFound, Untrusted

CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Objects:
    """The folder of objects. Written under a temporary name, then renamed: a name is never seen before its bytes."""

    root: Path

    def path(self, sha256: str) -> Path:
        """Return where the object of that digest lies or would lie."""
        if len(sha256) != 64 or sha256.strip("0123456789abcdef"):
            raise Invalid(f"not a SHA-256 digest: {sha256!r:.80}")
        return self.root / "sha256" / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Say whether an object is here (its bytes are checked by `verify` and whenever they are read)."""
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int:
        """Return an object's size in bytes, -1 where it is not here."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return -1

    def put(self, data: bytes) -> str:
        """Keep `data`, durably; return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            self._move_in(self._spool(iter([data])), digest)
        return digest

    def put_file(self, path: Path) -> tuple[str, int]:
        """Keep a copy of a file; return digest and size in bytes.

        Raises:
            NotFound: no such file. Invalid: not a regular file, or it changed while it was read.
        """
        if not path.exists():
            raise NotFound(f"there is no file {path}")
        if not path.is_file():
            raise Invalid(f"{path} is not a regular file")
        with path.open("rb") as handle:
            return self.put_stream(handle)

    def put_stream(self, handle: BinaryIO, expect: str = "", limit: int = -1) -> tuple[str, int]:
        """Keep what a stream yields; return digest and size in bytes.

        Raises:
            Untrusted: `expect` is given and the digest is another; nothing is kept.
            Invalid: more than `limit` bytes.
        """
        digest, size = hashlib.sha256(), 0

        def chunks() -> Iterator[bytes]:
            nonlocal size
            while chunk := handle.read(CHUNK):
                size += len(chunk)
                if 0 <= limit < size:
                    raise Invalid(f"an object is larger than the {limit:,} bytes it declares")
                digest.update(chunk)
                yield chunk

        spooled = self._spool(chunks())
        name = digest.hexdigest()
        if expect and name != expect:
            spooled.unlink()
            raise Untrusted(f"an object's bytes have digest {name[:16]}…, not {expect[:16]}…")
        if self.has(name):
            spooled.unlink()
        else:
            self._move_in(spooled, name)
        return name, size

    def put_many(self, blobs: Iterable[bytes]) -> list[str]:
        """Keep many small objects, durably when this returns; return their digests.

        One flush of the disk serves all (thousands of single ones take minutes); where the platform's does not wait, each is flushed.
        """
        digests: list[str] = []
        moves: list[tuple[Path, str]] = []
        coming: set[str] = set()
        at_once = sys.platform == "linux"
        try:
            for data in blobs:
                digest = hashlib.sha256(data).hexdigest()
                digests.append(digest)
                if digest not in coming and not self.has(digest):
                    coming.add(digest)
                    moves.append((self._spool(iter([data]), flush=not at_once), digest))
            if moves and at_once:
                os.sync()
        except BaseException:
            for spooled, _ in moves:
                spooled.unlink(missing_ok=True)
            raise
        folders = set()
        for spooled, digest in moves:
            target = self.path(digest)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            spooled.replace(target)
            folders.add(target.parent)
        for folder in sorted(folders):
            sync_folder(folder)
        return digests

    def get(self, sha256: str) -> bytes:
        """Return an object's bytes, checked.

        Raises:
            NotFound: it is not here. Untrusted: its bytes do not have this digest.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"the object sha256:{sha256[:16]}… is not here", "ask its sender for a bundle with objects"
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Untrusted(f"the object sha256:{sha256[:16]}… was altered on disk", "import a bundle that has it")
        return data

    def check(self, sha256: str) -> bool:
        """Say whether the object's bytes are here and have this digest."""
        try:
            with self.path(sha256).open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def forget(self, sha256: str) -> bool:
        """Delete an object's bytes; say whether they were here."""
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def all(self) -> Iterator[str]:
        """Yield the digests of all objects here, in order."""
        for folder in sorted(self.root.glob("sha256/??")):
            yield from sorted(p.name for p in folder.iterdir() if len(p.name) == 64)

    def _spool(self, chunks: Iterator[bytes], *, flush: bool = True) -> Path:
        folder = self.root / "tmp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / secrets.token_hex(8)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                if flush:
                    out.flush()
                    os.fsync(out.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _move_in(self, spooled: Path, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        spooled.replace(target)
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable (where the platform can)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
