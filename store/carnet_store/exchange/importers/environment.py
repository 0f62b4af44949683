"""Lock files and listings of packages as environments: exact versions, hashes, what is left open, and what differs between two.

Rules: one thing a file, known by its bytes (and those of the listings it includes); the bytes travel with it unless they hold a secret, which
never enters the record; nothing is resolved, installed or asked of a network. `packages.py` reads the formats.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.files import (
    KEPT,
    MIB,
    Unreadable,
    each,
    guessed,
    head,
    read_bytes,
    short,
    sound,
)
from carnet_store.exchange.importers.packages import Listing, listing
from carnet_store.exchange.importers.things import Guess, Keep, Ref, Source, Thing, Unread, plain

WHAT: Final = "listing of packages (requirements, uv.lock, pylock.toml, poetry.lock, conda YAML, pip inspect)"
MOST: Final = 16 * MIB
NAMED: Final = 50
"""Packages that a list in an attribute names; the count stands beside it."""
MOST_TEXT: Final = 400_000
"""Characters of names and versions in `packages`: an event is 1 MiB at most."""
MOST_INCLUDED: Final = 100
_LOCKS: Final = re.compile(r"uv\.lock|poetry\.lock|pylock(?:\.[^.]+)?\.toml")
_REQUIREMENTS: Final = re.compile(r"(?:.*[-_.])?(?:requirements|constraints|freeze)(?:[-_.].*)?\.txt")
_CONDA: Final = re.compile(r"(?:.*[-_.])?(?:environment|conda|env)(?:[-_.].*)?\.ya?ml")
_ROWS: Final = re.compile(
    rb"^(?:\[\[packages?\]\]|[A-Za-z0-9][\w.-]*(?:\[[^\]\n]*\])?\s*(?:[=~!<>]=|@|<|>))", re.MULTILINE
)


class Difference(NamedTuple):
    """Between two environments, by normalised name: versions added and removed, and (old, new) where both have the package."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]


def guess(path: Path) -> Guess | None:
    """Say in under 50 ms what listings of packages `path` holds."""
    found, least = guessed(path, _fits)
    if not found:
        return None
    named = ", ".join(sound(one.name) for one in found[:3])
    named += f" and {least}{len(found) - 3} more" if len(found) > 3 else ""
    if len(found) == 1 and (rows := len(_ROWS.findall(head(found[0], MIB)))):
        named += f", {rows} packages"
    return Guess("environment", f"packages: {named}", len(found))


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield each listing of packages as an environment, those that it includes before it.

    Raises:
        Invalid: no listing is there, or the one file cannot be read.
    """
    yield from each(source, WHAT, _fits, _read)


def packages_of(path: Path) -> dict[str, str]:
    """Return the packages of a listing, included ones too, as normalised name to version.

    Raises:
        Invalid: it cannot be read.
    """
    try:
        return _Merged(_closure(path, path.parent.resolve(), {})).versions
    except Unreadable as problem:
        raise Invalid(f"{problem.where}: {problem.why}", problem.hint) from None


def diff(a: Mapping[str, str], b: Mapping[str, str]) -> Difference:
    """Return what changes from packages `a` to packages `b`, as `packages_of` or the attribute `packages` gives them."""
    return Difference(
        added={name: b[name] for name in sorted(b.keys() - a.keys())},
        removed={name: a[name] for name in sorted(a.keys() - b.keys())},
        changed={name: (a[name], b[name]) for name in sorted(a.keys() & b.keys()) if a[name] != b[name]},
    )


def _fits(path: Path) -> bool:
    name = path.name.lower()
    if _LOCKS.fullmatch(name) or _REQUIREMENTS.fullmatch(name):
        return True
    if _CONDA.fullmatch(name):
        return re.search(rb"^dependencies:", head(path, 65_536), re.MULTILINE) is not None
    return name.endswith(".json") and b'"pip_version"' in head(path, 512)


@dataclass(slots=True)
class _File:
    """A listing with its bytes; `parts` are the listings that it includes itself, and where it says so."""

    path: Path
    data: bytes
    digest: str
    listing: Listing
    parts: dict[Path, str] = field(default_factory=dict)


def _read(path: Path) -> Iterator[Thing | Unread]:
    known: dict[Path, _File] = {}
    folder = path.parent.resolve()
    files = _closure(path, folder, known)
    for one in reversed(files[1:]):
        yield _thing(_closure(one.path, folder, known), folder)
    yield _thing(files, folder)
    for one in files:
        yield from one.listing.problems(str(one.path))


def _closure(path: Path, folder: Path, known: dict[Path, _File]) -> list[_File]:
    """Return a listing and all that it includes, directly or not, itself first; each is read once and kept in `known`.

    Listings that do not lie below `folder` are not read.

    Raises:
        Unreadable: the listing itself cannot be read. An included one that cannot is a problem of the listing that names it.
    """
    found, have = [_load(path, known)], {path.resolve()}
    for file in found:  # which grows as further ones are met
        for line, target in file.listing.includes:
            part = _included(file, line, target, folder, known)
            if part is not None and part.resolve() not in have:
                have.add(part.resolve())
                found.append(_load(part, known))
    return found


def _load(path: Path, known: dict[Path, _File]) -> _File:
    key = path.resolve()
    if key not in known:
        data = read_bytes(path, MOST)
        known[key] = _File(path, data, hashlib.sha256(data).hexdigest(), listing(path.name, data, str(path)))
    return known[key]


def _included(file: _File, line: int, target: str, folder: Path, known: dict[Path, _File]) -> Path | None:
    """Return the listing that `-r target` names; where it cannot be had, that is noted once in `file`."""
    where, why = f"{file.path}:{line}" if line else str(file.path), ""
    path = file.path.parent / target
    try:
        if "://" in target or not path.resolve().is_relative_to(folder):
            why = f"includes {short(target, 120)!a}, which does not lie in the folder and was not read"
        elif path.resolve() not in known and len(known) > MOST_INCLUDED:
            why = f"includes {short(target, 120)!a}, but {MOST_INCLUDED} listings are read already"
        else:
            _load(path, known)
    except Unreadable as problem:
        why = f"includes {short(target, 120)!a}, which {problem.why}"
    except (OSError, ValueError, RuntimeError):  # a loop of links, a name that no file can have
        why = f"includes {short(target, 120)!a}, which cannot be read"
    if not why:
        file.parts.setdefault(path, where)
        return path
    if all(one.where != where or one.why != why for one in file.listing.unread):
        file.listing.note(where, why)
    return None


class _Merged:
    """What a listing and those it includes say together."""

    def __init__(self, files: list[_File]) -> None:
        lists = [file.listing for file in files]
        names = sorted({name for one in lists for name in one.versions})
        self.versions: dict[str, str] = {}
        for name in names:
            given = list(dict.fromkeys(v for one in lists for v in one.versions.get(name, ())))
            self.versions[name] = short(" | ".join(sorted(given)) if len(given) > 1 else given[0], 300)
        self.unhashed = sorted({name for one in lists for name in one.unhashed})
        self.loose = sorted({name for one in lists for name in one.loose})
        self.local = list(dict.fromkeys(path for one in lists for path in one.local))
        self.options = list(dict.fromkeys(option for one in lists for option in one.options))
        self.whole = not any(one.unread for one in lists)

    def table(self, lists: list[Listing], which: str) -> dict[str, str]:
        """Return a table of the listings (`markers`, `extras`, `sources`), the first listing that says something deciding."""
        found: dict[str, str] = {}
        for one in reversed(lists):
            found |= getattr(one, which)
        return dict(sorted(found.items())[: NAMED * 4])


def _thing(files: list[_File], folder: Path) -> Thing:
    own, lists = files[0], [file.listing for file in files]
    merged = _Merged(files)
    shown, size = {}, 0
    for name, version in merged.versions.items():
        size += len(name) + len(version) + 8
        if size > MOST_TEXT:
            break
        shown[name] = version
    left_out = len(merged.versions) - len(shown)
    attrs: dict[str, Any] = {
        "format": own.listing.format,
        "packages": shown,
        "packages_left_out": left_out,
        "hashed": len(merged.versions) - len(merged.unhashed),
        "unhashed": merged.unhashed[:NAMED],
        "pinned": bool(merged.versions) and merged.whole and not merged.loose and not merged.local,
        "unpinned": merged.loose[:NAMED],
        "local": merged.local[:NAMED],
        "python": next((one.python for one in lists if one.python), ""),
        "platform": own.listing.platform,
        "project": own.listing.project,
        "options": merged.options[:NAMED],
        "redacted": own.listing.secret,
    }
    attrs |= {which: merged.table(lists, which) for which in ("markers", "extras", "sources")}
    attrs["includes"] = [sound(path.name) for path in list(own.parts)[:NAMED]]
    always = ("packages", "hashed", "pinned")
    thing = Thing(
        Ref("environment", "content", _key(files)),
        _name(own.path),
        attrs=plain({key: value for key, value in attrs.items() if value or key in always}),
        digests={"sha256": own.digest},
        where=str(own.path),
    )
    if not own.listing.secret and len(own.data) <= KEPT:
        thing.keep.append(Keep("lock", sound(own.path.name), own.data))
    known = {file.path.resolve(): file for file in files}
    for path, where in own.parts.items():
        part = _closure(path, folder, known)
        if path.resolve() != own.path.resolve() and all(one.path.resolve() != own.path.resolve() for one in part):
            thing.edges.append(("from", Ref("environment", "content", _key(part))))
        else:
            own.listing.note(where, f"includes {short(path.name)!a}, which includes it in turn")
    return thing


def _key(files: list[_File]) -> str:
    """Return the id of a listing's content: the digest of its bytes; where it includes others, one over all their digests."""
    if len(files) == 1:
        return files[0].digest
    parts = [files[0].digest, *sorted({file.digest for file in files[1:]})]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _name(path: Path) -> str:
    return sound(f"{path.parent.resolve().name}/{path.name}".lstrip("/"))
