"""What `git diff` alone does not tell of a work tree: files that the index marks as not to be watched, the insides of submodules, files of Git LFS.

Two readers of work trees share it (`carnet run` and `carnet capture git`), so that both name the same tree the same. Git is asked elsewhere; here
its answer is read and files are compared with what the index holds, byte for byte, no filter between.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

INDEX: Final = ("ls-files", "--stage", "-v", "-z")
"""What to ask git for `marked`."""
DEPTH: Final = 8
"""Submodules within submodules are looked into so deep."""
LFS: Final = ":(top,attr:filter=lfs)"
NO_LFS: Final = ":(top,exclude,attr:filter=lfs)"
_READ: Final = 64 << 20
_POINTER: Final = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n")


class Marked(NamedTuple):
    """An entry of the index that a diff passes over: `path` as git writes it, `oid` the blob or commit it stands for."""

    path: bytes
    oid: str
    is_submodule: bool
    may_be_gone: bool
    """It was left out of the work tree on purpose (a sparse checkout)."""


def marked(pieces: Iterable[bytes]) -> Iterator[Marked]:
    """Yield the submodules, and the files marked `assume-unchanged` or `skip-worktree`, of what `INDEX` prints."""
    rest = b""
    for piece in pieces:
        *rows, rest = (rest + piece).split(b"\0")
        for row in rows:
            if row.startswith(b"H ") and not row.startswith(b"H 160000 "):
                continue
            about, mark, path = row.partition(b"\t")
            words = about.split(b" ")
            if not mark or len(words) != 4:
                continue
            tag, mode, oid, _ = words
            if mode == b"160000":
                yield Marked(path, oid.decode("ascii", "replace"), True, False)
            elif tag.islower() or tag == b"S":
                yield Marked(path, oid.decode("ascii", "replace"), False, tag in b"Ss")


def differing(folder: Path, files: Iterable[Marked], name: Callable[[bytes], str]) -> list[dict[str, Any]]:
    """Return a row (path, size, digests) for each of `files` whose bytes are not those of the index; `name` makes text of a path."""
    rows = []
    for one in sorted(files):
        path = folder / os.fsdecode(one.path)
        row: dict[str, Any] = {"path": name(one.path)}
        try:
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                data = os.fsencode(path.readlink())
                row["link"] = name(data)
            elif not stat.S_ISREG(about.st_mode):
                continue
            else:
                row["size"] = about.st_size
                if about.st_size > _READ:
                    rows.append(row)
                    continue
                data = path.read_bytes()
                row["digests"] = {"sha256": hashlib.sha256(data).hexdigest()}
        except FileNotFoundError:
            if not one.may_be_gone:
                rows.append({**row, "gone": True})
            continue
        except (OSError, ValueError):
            rows.append(row)
            continue
        algorithm = hashlib.sha1 if len(one.oid) == 40 else hashlib.sha256
        if algorithm(b"blob %d\0" % len(data) + data).hexdigest() != one.oid:  # as git names a blob
            rows.append(row)
    return rows


def large(
    folder: Path, names: Iterable[bytes], pointer: Callable[[bytes], bytes], name: Callable[[bytes], str]
) -> Iterator[dict[str, Any]]:
    """Yield a row (path, size, digests) for each file of Git LFS that is not what its pointer says; git alone cannot tell, for it would need the filter.

    `pointer` gives what the commit holds under a path, nothing where it holds nothing.
    """
    for path in sorted(one for one in names if one):
        kept = pointer(path)
        wanted = _POINTER.search(kept)
        row: dict[str, Any] = {"path": name(path)}
        with contextlib.suppress(OSError, ValueError):
            place = folder / os.fsdecode(path)
            about = place.lstat()
            if stat.S_ISREG(about.st_mode):
                row["size"] = about.st_size
                same_size = wanted is not None and int(wanted[2]) == about.st_size
                if same_size or about.st_size <= _READ:
                    with place.open("rb") as handle:
                        row["digests"] = {"sha256": hashlib.file_digest(handle, "sha256").hexdigest()}
                if about.st_size <= 1024 and place.read_bytes() == kept:
                    continue  # the pointer itself lies there: it was checked out without its content
        if wanted is None or row.get("digests") != {"sha256": wanted[1].decode()}:
            yield row
