"""A handoff's files, out of the store into a folder: what the receiver needs to rebuild it.

Names come from elsewhere: one that would lead out of the folder is refused before anything is written, and nothing that lies there is replaced.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from carnet_store.domain.handoff import Answered, Handoff
from carnet_store.errors import Invalid, Refused
from carnet_store.storage.project import Project

_STRANGE = re.compile(r"[\x00-\x1f\x7f\\:*?\"<>|\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out: paths written, paths that lay there already with the same bytes, and names whose bytes are not here."""

    written: tuple[Path, ...]
    same: tuple[Path, ...]
    missing: tuple[str, ...]


def files_of(handoff: Handoff) -> dict[str, str]:
    """Return `{relative path: SHA-256}` of what crosses: the handoff's files, and those attached to its live answers.

    Raises:
        Invalid: two different files bear one name.
    """
    found: dict[str, str] = {}
    rows: list[tuple[str, str]] = [(f.path, f.sha256) for f in handoff.files]
    for item, changes in handoff.answers.items():
        for change in changes:
            value: Any = change.value.answer if isinstance(change.value, Answered) else {}
            rows += [(str(f["path"]), str(f["sha256"])) for f in value.get("files", ())]
            output = value.get("result", {}).get("output")
            if output:
                rows.append((f"outputs/{item}.txt", str(output["sha256"])))
    for path, sha256 in rows:
        if found.setdefault(path, sha256) != sha256:
            path = f"{sha256[:8]}/{path}"
            found[path] = sha256
    return found


def unpack(project: Project, handoff: Handoff, folder: Path) -> Unpacked:
    """Write a handoff's files below `folder`; every digest is checked.

    Raises:
        Invalid: a name leads out of the folder. Refused: another file lies where one would go. Untrusted: bytes were altered.
    """
    wanted = {place(folder, name): sha256 for name, sha256 in files_of(handoff).items()}
    missing, same, todo = [], [], {}
    for path, sha256 in wanted.items():
        if not project.objects.has(sha256):
            missing.append(path.relative_to(folder).as_posix())
            continue
        data = project.objects.get(sha256)
        if path.exists():
            if not path.is_file() or path.read_bytes() != data:
                raise Refused(f"another file lies at {path}", "name an empty folder")
            same.append(path)
        else:
            todo[path] = data
    for path, data in todo.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        os.replace(part, path)  # noqa: PTH105 (atomic, and over nothing: it was looked at above)
    return Unpacked(tuple(todo), tuple(same), tuple(missing))


def place(folder: Path, name: str) -> Path:
    """Return where a file of that name goes.

    Raises:
        Invalid: it is absolute, climbs out, or holds characters that no file of ours has.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith(("/", "~")) or ".." in parts or _STRANGE.search(name) or len(name) > 400:
        raise Invalid(f"the name {name!a:.120} leads elsewhere; nothing was written", "ask its author to file it anew")
    return folder.joinpath(*parts)
