"""Taking in what other tools recorded: read a source once, say what it would add, then write that in one transaction.

A plan holds what was read in files without a name, so that exactly what was shown is written, also when the source goes on changing.
Nothing is skipped silently: what could not be read is counted and named.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import msgspec

from carnet_store.core import canonical
from carnet_store.domain import secrets
from carnet_store.domain.secrets import Found
from carnet_store.errors import CarnetError, Invalid
from carnet_store.exchange.importers import OWN, importer
from carnet_store.exchange.importers.things import LONG_TEXT, Source, Thing, Unread, plain
from carnet_store.storage.acts import Acts, Written
from carnet_store.storage.fact_acts import Fact, News, bytes_of, sourced

NAMED_UNREAD: Final = 200
"""So many unreadable places are named; the rest is counted."""
SHOWN: Final = 500
"""So many things are listed in a plan; the rest is counted."""
LONG_ATTRIBUTE: Final = 16_000
"""Bytes of one attribute that stand in the record; what is longer is kept as an object."""

LISTINGS: Final = frozenset({"packages"})
LONG_LISTING: Final = 300_000
"""Bytes of an attribute that is compared part by part, such as the packages of an environment."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing of a plan. `state` is `new`, `changed` or `known`."""

    entity: str
    kind: str
    title: str
    state: str


@dataclass(slots=True)
class CapturePlan:
    """What a source would add to the record. Close it, or leave its `with`: the spool goes away.

    Attributes:
        sources: (kind of importer, path) in the order read.
        counts: (kind of thing, state) to how many.
        edges: edges that are new.
        objects: files that would be kept, with `object_bytes` in all.
        unread: the first places that could not be read; `unread_count` has all of them.
        things: the first things, for a list.
        newest: entity, title and ms of the run that started last and was not deleted there, empty where there is none.
        unreachable: things whose files the source names and that are not to be found here; they keep their address.
    """

    sources: tuple[tuple[str, Path], ...]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    edges: int = 0
    objects: int = 0
    object_bytes: int = 0
    unread: list[Unread] = field(default_factory=list)
    unread_count: int = 0
    things: list[Planned] = field(default_factory=list)
    newest: tuple[str, str, int] = ("", "", 0)
    unreachable: int = 0
    _facts: BinaryIO = field(default_factory=tempfile.TemporaryFile, repr=False)
    _blobs: BinaryIO = field(default_factory=tempfile.TemporaryFile, repr=False)
    _sizes: list[int] = field(default_factory=list, repr=False)
    _seen: dict[str, bytes] = field(default_factory=dict, repr=False)
    _mentions: dict[str, tuple[Thing, Fact, list[bytes]]] = field(default_factory=dict, repr=False)

    def __enter__(self) -> CapturePlan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was read."""
        self._facts.close()
        self._blobs.close()

    def count(self, state: str) -> int:
        """Return how many things are `new`, `changed` or `known`."""
        return sum(number for (_, one), number in self.counts.items() if one == state)

    @property
    def nothing_new(self) -> bool:
        """Whether the record holds all of it already."""
        return not (self.count("new") or self.count("changed") or self.edges)

    def facts(self) -> Iterator[Fact]:
        """Yield what was read, as facts."""
        self._facts.seek(0)
        for line in self._facts:
            entity, value, edges = _decode(line)
            yield Fact(entity, value, tuple((relation, to) for relation, to in edges))

    def blobs(self) -> Iterator[bytes]:
        """Yield the bytes to keep."""
        self._blobs.seek(0)
        for size in self._sizes:
            yield self._blobs.read(size)


_decode = msgspec.json.Decoder(tuple[str, dict[str, Any], list[tuple[str, str]]]).decode


def plan(
    acts: Acts | None, sources: Sequence[tuple[str, Source]], progress: Progress | None = None, *,
    also: Iterable[Thing] = (),
) -> CapturePlan:  # fmt: skip
    """Read sources (kind of importer, source) and say what they would add to the record; nothing is written.

    Without `acts` there is no record yet: everything is new.

    Raises:
        Usage: an unknown kind. Invalid: nothing of a source can be read at all; the message says what was expected where.
    """
    made = CapturePlan(tuple((kind, source.path) for kind, source in sources))
    try:
        for thing in also:
            _take(acts, made, thing)
        failed = 0
        for kind, source in sources:
            try:
                _read(acts, made, kind, source, progress)
            except Invalid as error:
                failed += 1
                if failed == len(sources):
                    raise
                _note(
                    made, Unread(f"{kind} {source.path}", error.message.removeprefix(f"{source.path} "))
                )  # the other sources are read all the same
        for old, new in dict.fromkeys(one for _, source in sources for one in source.maps):
            if all((old, new) not in source.fitted for _, source in sources):
                _note(made, Unread(f"--map {old}={new}", "no address in what was read begins with that"))
            elif not Path(new).exists():
                _note(made, Unread(f"--map {old}={new}", f"there is no {new} here"))
        _settle_mentions(acts, made)
    except BaseException:
        made.close()
        raise
    return made


def _read(acts: Acts | None, made: CapturePlan, kind: str, source: Source, progress: Progress | None) -> None:
    """Take what one source holds into a plan."""
    own, reader = OWN.get(kind, frozenset()), importer(kind)
    guess = reader.guess(source.path) if progress is not None else None
    total = guess.things if guess is not None else 0
    for read, found in enumerate(reader.read(source), 1):
        if isinstance(found, Unread):
            _note(made, found)
        else:
            _take(acts, made, found, mention=found.ref.system not in own)
        if progress is not None and read % 100 == 0:
            progress(f"things of {kind}", read, total if read <= total else 0)


def write(acts: Acts, made: CapturePlan, progress: Progress | None = None) -> Written:
    """Write what a plan shows: files first, then all events in one transaction.

    Raises:
        Refused, Busy, Invalid: as every act; nothing was written to the record.
    """
    acts.project.objects.put_many(made.blobs())
    total = sum(made.counts.values())
    told = 0

    def counted() -> Iterator[Fact]:
        nonlocal told
        for fact in made.facts():
            told += 1
            if progress is not None and told % 500 == 0:
                progress("things", told, total)
            yield fact

    new, changed = made.count("new"), made.count("changed")
    words = [f"{number:,} {word}" for number, word in ((new, "new"), (changed, "changed")) if number] or ["edges"]
    kinds = ", ".join(dict.fromkeys(kind for kind, _ in made.sources))
    return acts.record(counted(), lambda count: f"took in {' and '.join(words)} from {kinds}: {count:,} changes")


def _note(made: CapturePlan, found: Unread) -> None:
    made.unread_count += 1
    if len(made.unread) < NAMED_UNREAD:
        made.unread.append(found)


def _settle_mentions(acts: Acts | None, made: CapturePlan) -> None:
    """Add what was only mentioned and neither told in full nor known already."""
    for entity, (thing, fact, blobs) in made._mentions.items():
        if entity not in made._seen and (acts is None or acts.project.node(entity) is None):
            _add(acts, made, thing, fact, blobs)
    made._mentions.clear()


def _take(acts: Acts | None, made: CapturePlan, thing: Thing, *, mention: bool = False) -> None:
    """Add one thing to a plan; what cannot stand in a ledger, and what is a secret, is noted and left out."""
    blobs: list[bytes] = []
    for one in _without_secrets(thing):
        _note(made, Unread(thing.where or thing.name, f"{one.where} was left out: it holds {one.seems}"))
    if held := secrets.known_shapes(thing.ref.key):  # what a source calls it stands in the record for ever
        where = secrets.redact(thing.ref.key, held)
        _note(made, Unread(thing.where or where, f"it was left out: its id holds what looks like {held[0].what}"))
        return
    try:
        fact = _fact(thing, blobs)
    except CarnetError as error:
        _note(made, Unread(thing.where or thing.name, error.message))
        return
    if mention:
        made._mentions.setdefault(fact.entity, (thing, fact, blobs))
    else:
        _add(acts, made, thing, fact, blobs)


def _add(acts: Acts | None, made: CapturePlan, thing: Thing, fact: Fact, blobs: list[bytes]) -> None:
    try:
        raw = bytes_of(fact)
        mark = blake2b(raw, digest_size=16).digest()
        before = made._seen.get(fact.entity)
        if before is not None and before != mark:
            raise Invalid("the same source says something else of the same thing", "its first form was taken")
        news = acts.news(fact) if acts is not None else News("new", (), fact.edges, fact.value)
    except CarnetError as error:
        _note(made, Unread(thing.where or thing.name, error.message))
        return
    for algorithm, old, new in news.apart:
        what = f"its bytes are not those that were recorded: {algorithm} {old[:12]}, now {new[:12]}; the record keeps the first"
        _note(made, Unread(thing.where or thing.name, what))
    title = f"{thing.name}@{thing.version}" if thing.version else thing.name
    made.edges += len(news.edges)
    if before is None:
        made._seen[fact.entity] = mark
        made.counts[thing.ref.kind, news.state] += 1
        if len(made.things) < SHOWN and news.state != "known":
            made.things.append(Planned(fact.entity, thing.ref.kind, title, news.state))
        made.unreachable += bool(thing.attrs.get("unreachable"))
        if thing.ref.kind == "run" and thing.at >= made.newest[2] and thing.attrs.get("lifecycle") != "deleted":
            made.newest = (fact.entity, title, thing.at)
        if news.state != "known":
            for data in blobs:
                made._blobs.write(data)
                made._sizes.append(len(data))
                made.objects += 1
                made.object_bytes += len(data)
    elif not news.edges:
        return
    made._facts.write(canonical.encode([fact.entity, dict(fact.value), [list(edge) for edge in fact.edges]]) + b"\n")


def _without_secrets(thing: Thing) -> list[Found]:
    """Take secrets out of a thing, and files that hold one; return what was found.

    A file's digest stays where its bytes do not. Histories of metrics hold names and numbers alone.
    """
    found: list[Found] = []
    thing.name, thing.version = (
        secrets.without(thing.name, "its name", found),
        secrets.without(thing.version, "its version", found),
    )
    thing.where = secrets.redact(thing.where, secrets.search(thing.where))
    thing.params = secrets.without(thing.params, "parameter", found, certain=True, join=" ")
    thing.attrs = {
        name: secrets.without(value, f"attribute {name}", found, name=name) for name, value in thing.attrs.items()
    }
    thing.metrics = [secrets.without(row, "a metric", found) for row in thing.metrics]
    kept = []
    for one in thing.keep:
        text = ""
        if not one.path.endswith("metrics.jsonl") and b"\0" not in one.data[:8000]:
            text = one.data.decode("utf-8", "replace")
        named, held = secrets.search(one.path), secrets.search(text)
        if not named and not held:
            kept.append(one)
            continue
        path, what = secrets.redact(one.path, named), (held or named)[0].what
        line = f" (line {text.count(chr(10), 0, held[0].start) + 1})" if held else ""
        found.append(Found(f"{path}{line}", what))
        digests = {"sha256": canonical.sha256_hex(one.data)}
        thing.attrs[one.name] = {"path": path, "size": len(one.data), "left_out": what, "digests": digests}
    thing.keep = kept
    return found


def _fact(thing: Thing, blobs: list[bytes]) -> Fact:
    """Return a thing as a fact; what is long or has no ASCII name is brought into the form that a ledger takes."""
    attrs: dict[str, Any] = {}
    for key, value in thing.attrs.items():
        shaped = _keys(plain(value))
        size = len(canonical.encode(shaped))
        most = LONG_LISTING if key in LISTINGS else LONG_ATTRIBUTE
        attrs[name_of(key)] = _kept(f"{key}.json", canonical.encode(shaped), blobs) if size > most else shaped
    params = {}
    for key, text in thing.params.items():
        params[name_of(key)] = text if len(text) <= LONG_TEXT else f"{text[:200]}… ({len(text):,} characters)"
        if len(text) > LONG_TEXT:
            attrs.setdefault("long_params", {})[name_of(key)] = _kept(f"{key}.txt", text.encode(), blobs)
    for one in thing.keep:
        attrs[name_of(one.name)] = _kept(one.path, one.data, blobs)
    return sourced(
        thing.ref.kind, thing.ref.system, thing.ref.key, name=thing.name or thing.ref.key[:12], version=thing.version,
        attrs=attrs, digests=thing.digests, params=params, metrics=[dict(plain(one)) for one in thing.metrics],
        at=max(0, thing.at), edges=[(relation, to.entity) for relation, to in thing.edges],
    )  # fmt: skip


def _kept(path: str, data: bytes, blobs: list[bytes]) -> dict[str, Any]:
    blobs.append(data)
    return {"path": path, "sha256": canonical.sha256_hex(data), "size": len(data)}


def name_of(key: str) -> str:
    """Return a name as the keys of a ledger are: ASCII; others are percent-encoded (docs/format.md section 2)."""
    key = key.encode("utf-8", "replace").decode()
    return key if key.isascii() else quote(key, safe="".join(chr(n) for n in range(33, 127) if chr(n) != "%") + " ")


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name_of(str(key)): _keys(inner) for key, inner in value.items()}
    return [_keys(inner) for inner in value] if isinstance(value, list) else value
