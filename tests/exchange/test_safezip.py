"""The reader refuses every zip that is not exactly what a bundle may be, before it inflates a byte (THREATS 21, 22)."""

from __future__ import annotations

import hashlib
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carnet_store.errors import CarnetError, Invalid, NotFound, Refused, Untrusted
from carnet_store.exchange import safezip, zipwriter
from carnet_store.exchange.safezip import COMMENT_BYTES, MAX_SMALL, MIB, Archive
from carnet_store.exchange.zipwriter import Packed, ZipWriter, pack_bytes, pack_lines, pack_object, writing

OBJECT = "objects/sha256/aa/" + "aa" * 32


@dataclass
class Entry:
    """One entry as a hostile hand would write it; what is None is as it should be."""

    name: bytes
    data: bytes = b"x"
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    stamp: tuple[int, int] = (0, 33)
    system: int = 3
    extra: bytes = b""
    note: bytes = b""
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    offset: int | None = None
    gap: bytes = b""


@dataclass
class Forger:
    """Writes a zip byte by byte, with a comment whose digest is right."""

    folder: Path
    before: bytes = b""
    after: bytes = b""
    comment: bytes | None = None
    count: int | None = None
    entries: list[Entry] = field(default_factory=list)

    def write(self, *entries: Entry) -> Path:
        out, rows = bytearray(self.before), b""
        for e in entries or self.entries:
            body = _deflated(e.data) if e.method == 8 else e.data
            crc = zlib.crc32(e.data) if e.crc is None else e.crc
            size = len(e.data) if e.size is None else e.size
            packed = len(body) if e.packed is None else e.packed
            out += e.gap
            offset = len(out) if e.offset is None else e.offset
            name = e.name if e.local_name is None else e.local_name
            own = size if e.local_size is None else e.local_size
            out += struct.pack(
                "<4s5H3L2H", b"PK\3\4", 20, e.flags, e.method, *e.stamp, crc, packed, own, len(name), len(e.extra)
            )
            out += name + e.extra + body
            rows += struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", e.system << 8 | 20, 20, e.flags, e.method, *e.stamp, crc, packed, size, len(e.name),
                len(e.extra), len(e.note), 0, 0, e.mode << 16, offset,
            ) + e.name + e.extra + e.note  # fmt: skip
        out += self.after
        count = len(entries) if self.count is None else self.count
        start = len(out)
        out += rows
        out += struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, min(count, 65535), min(count, 65535), len(rows), start, COMMENT_BYTES
        )
        stated = hashlib.sha256(out).hexdigest().encode()
        path = self.folder / "forged.carnet.zip"
        path.write_bytes(out + (b"carnet-bundle/1 sha256:" + stated if self.comment is None else self.comment))
        return path


def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


@pytest.fixture
def forger(tmp_path: Path) -> Forger:
    return Forger(tmp_path)


def test_the_forger_can_write_a_good_one(forger: Forger) -> None:
    with Archive(forger.write(Entry(b"README.html", b"page" * 9, 8), Entry(b"carnet.json", b"{}"))) as archive:
        assert list(archive.members) == ["README.html", "carnet.json"]
        assert (archive.read("README.html"), archive.read("carnet.json")) == (b"page" * 9, b"{}")


BAD_NAMES = [
    b"../carnet.json", b"/carnet.json", b"ledger/../../x", b"C:\\carnet.json", b"ledger\\x", b"carnet.json\0.txt", b"CARNET.JSON",
    b"readme.html", b"objects/sha256/aa/" + b"bb" * 32, b"objects/sha256/aa/" + b"AA" * 32, b"objects/sha256/aa/", b"ledger/", b"",
    b"carnet.json ", b"carnet.json\n", b"\xef\xbc\xa3arnet.json", b"ledger/" + b"0" * 64 + b"/00-1.jsonl", b".carnet.json",
    b"ledger/" + b"0" * 64 + b"/0-1.jsonl/x", b"attestations/x.intoto.jsonl", b"verify.pyc", b"__init__.py", b"carnet.json.sig.sig",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names(forger: Forger, name: bytes) -> None:
    with pytest.raises(Invalid, match="name that no bundle holds"):
        Archive(forger.write(Entry(name)))


GOOD = Entry(b"carnet.json")
FORGERIES: dict[str, tuple[str, Callable[[Forger], Path]]] = {
    "the same name twice": ("there twice", lambda f: f.write(GOOD, Entry(b"carnet.json", b"y"))),
    "not sorted": ("not in sorted order", lambda f: f.write(GOOD, Entry(b"README.html"))),
    "encrypted": ("encrypted", lambda f: f.write(Entry(b"carnet.json", flags=1))),
    "sizes after the data": ("options", lambda f: f.write(Entry(b"carnet.json", flags=8))),
    "UTF-8 flag": ("options", lambda f: f.write(Entry(b"carnet.json", flags=0x800))),
    "bzip2": ("options", lambda f: f.write(Entry(b"carnet.json", method=12))),
    "a symbolic link": ("a link", lambda f: f.write(Entry(b"carnet.json", mode=0o120777))),
    "a folder": ("a link, a folder", lambda f: f.write(Entry(b"carnet.json", mode=0o040755))),
    "executable": ("another mode", lambda f: f.write(Entry(b"verify.py", mode=0o100755))),
    "made on Windows": ("another mode", lambda f: f.write(Entry(b"verify.py", system=0))),
    "a time stamp": ("time stamp", lambda f: f.write(Entry(b"carnet.json", stamp=(0, 34)))),
    "an extra field": ("extra fields", lambda f: f.write(Entry(b"carnet.json", extra=b"UT\4\0abcd"))),
    "a note": ("options", lambda f: f.write(Entry(b"carnet.json", note=b"hidden"))),
    "bytes before": ("lies before it", lambda f: Forger(f.folder, before=b"#!/bin/sh\n").write(GOOD)),
    "bytes between": ("lies before it", lambda f: f.write(GOOD, Entry(b"verify.py", gap=b"hidden"))),
    "bytes after the entries": ("between or after", lambda f: Forger(f.folder, after=b"hidden").write(GOOD)),
    "overlap": ("overlaps", lambda f: f.write(GOOD, Entry(b"verify.py", offset=0, local_name=b"carnet.json"))),
    "another name inside": ("another name", lambda f: f.write(Entry(b"carnet.json", local_name=b"verify.pyxx"))),
    "another size inside": ("contradicts", lambda f: f.write(Entry(b"carnet.json", local_size=7))),
    "packed beyond the file": (
        "outside the file",
        lambda f: f.write(Entry(OBJECT.encode(), packed=9 << 20, size=9 << 20)),
    ),
    "two sizes though stored": ("two sizes", lambda f: f.write(Entry(b"carnet.json", size=9, local_size=9))),
    "a bomb": ("more than 200 to one", lambda f: f.write(Entry(OBJECT.encode(), bytes(64 << 20), 8))),
    "a large manifest": ("at most", lambda f: f.write(Entry(b"carnet.json", bytes(MAX_SMALL + 1)))),
    "the wrong count": ("contradicts the file|cut short", lambda f: Forger(f.folder, count=3).write(GOOD)),
    "no entries": ("entries", lambda f: Forger(f.folder, count=0).write(GOOD)),
    "no comment": ("not a zip|no end record", lambda f: Forger(f.folder, comment=b"").write(GOOD)),
    "another comment": ("comment", lambda f: Forger(f.folder, comment=b"x" * COMMENT_BYTES).write(GOOD)),
    "64-bit record that is not there": ("contradicts|cut short", lambda f: Forger(f.folder, count=65535).write(GOOD)),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_forgeries(forger: Forger, what: str) -> None:
    message, make = FORGERIES[what]
    with pytest.raises(Invalid, match=message):
        Archive(make(forger))


def test_what_does_not_hold_inside(forger: Forger) -> None:
    """A wrong checksum, a size that lies either way, broken deflate: untrusted when read, and never more than declared."""
    lies = [
        Entry(OBJECT.encode(), b"data", crc=1),
        Entry(OBJECT.encode(), b"data" * 99, 8, size=12),
        Entry(OBJECT.encode(), b"data" * 99, 8, size=4000),
    ]
    for entry in lies:
        with Archive(forger.write(entry)) as archive:
            given = b""
            with pytest.raises(Untrusted, match="does not hold what it declares"):
                for chunk in archive.chunks(OBJECT):
                    given += chunk
            assert len(given) <= max(entry.size or 0, 4)


def test_many_entries_are_refused_at_once(forger: Forger) -> None:
    """250,000 entries and a directory of 100 MB end in a refusal before they are read."""
    names = [Entry(b"objects/sha256/aa/aa%062x" % i, b"") for i in range(2000)]
    path = forger.write(*names)
    data = path.read_bytes()
    end = len(data) - COMMENT_BYTES - 22
    start = end - 2000 * (46 + len(OBJECT))
    fake = data[:end] + struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 250_000, 250_000, end - start, start)
    fake += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    fake += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, end - start, start, COMMENT_BYTES)
    path.write_bytes(fake + b"carnet-bundle/1 sha256:" + hashlib.sha256(fake).hexdigest().encode())
    began = time.process_time()
    with pytest.raises(Invalid, match="250,000 entries"):
        Archive(path)
    assert time.process_time() - began < 0.5


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Archive(tmp_path / "nothing.carnet.zip")
    with pytest.raises(Invalid):
        Archive(tmp_path)
    for data in (b"", b"PK\3\4", b"hello" * 50, bytes(5000)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(Invalid, match="not a bundle"):
            Archive(tmp_path / "x")


def test_bytes_cut_added_and_altered(tmp_path: Path) -> None:
    """THREATS 25: what was cut, lengthened or altered is refused; the digest in the comment covers every byte before it."""
    path = tmp_path / "x.carnet.zip"
    writing(path, lambda out: out.add("carnet.json", pack_bytes(b"{}" * 100)))
    good = path.read_bytes()
    Archive(path).close()
    for data in (good[:-1], good[1:], good + b"\n", good[:50], good + good, good[:40] + b"\0" + good[40:]):
        path.write_bytes(data)
        with pytest.raises((Invalid, Untrusted)):
            Archive(path)
    path.write_bytes(good[:45] + bytes([good[45] ^ 1]) + good[46:])
    with pytest.raises(Untrusted, match="altered"):
        Archive(path)


# --- the writer -------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Lines, small files and objects of every kind come back as they were; others' readers agree."""
    path, store = tmp_path / "x.carnet.zip", tmp_path / "objects"
    store.mkdir()
    plain = {
        "text": b"compressible " * 400_000,
        "noise": hashlib.shake_256(b"n").digest(3 * MIB),
        "zeros": bytes(3 * MIB),
        "small": b"ab",
    }
    names = {}
    for name, data in plain.items():
        digest = hashlib.sha256(data).hexdigest()
        (store / digest).write_bytes(data)
        names[f"objects/sha256/{digest[:2]}/{digest}"] = name
    lines = [b"line %d" % i for i in range(300_000)]
    segment = f"ledger/{'0' * 64}/0-299999.jsonl"

    def fill(out: ZipWriter) -> None:
        out.add("carnet.json", pack_bytes(b"{}"))
        out.add(segment, pack_lines(iter(lines), tmp_path))
        for name in sorted(names):
            out.add(name, pack_object(store / name[-64:], name[-64:], tmp_path))

    size = writing(path, fill)
    assert size == path.stat().st_size
    with Archive(path) as archive, zipfile.ZipFile(path) as other:
        assert other.testzip() is None and other.namelist() == list(archive.members)
        digest = archive.sha256(segment)
        assert list(archive.lines(segment, digest)) == lines
        with pytest.raises(Untrusted, match="not the digest"):
            list(archive.lines(segment, "0" * 64))
        for name, what in names.items():
            assert b"".join(archive.chunks(name)) == plain[what] == other.read(name)
            assert archive.members[name].deflated == (what == "text"), (
                what
            )  # zeros would be a bomb, noise gains nothing
    assert sorted(p.name for p in tmp_path.iterdir()) == ["objects", "x.carnet.zip"]


def test_large_files_are_streamed(tmp_path: Path) -> None:
    """Memory stays bounded whatever the object's size."""
    big = tmp_path / "big"
    with big.open("wb") as out:
        for i in range(48):
            out.write(hashlib.shake_256(b"%d" % i).digest(MIB))
    with big.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    name = f"objects/sha256/{digest[:2]}/{digest}"
    path = tmp_path / "x.carnet.zip"
    tracemalloc.start()
    writing(path, lambda out: out.add(name, pack_object(big, digest, tmp_path)))
    with Archive(path) as archive:
        assert archive.sha256(name) == digest
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MIB


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """THREATS 2, 4: under its name a bundle is whole or not there; the temporary file goes."""
    path = tmp_path / "x.carnet.zip"
    path.write_bytes(b"the bundle before")

    def fill(out: ZipWriter) -> None:
        out.add("carnet.json", pack_bytes(b"{}"))
        raise OSError(28, "No space left on device")

    with pytest.raises(Invalid, match="No space left"):
        writing(path, fill)
    with pytest.raises(KeyboardInterrupt):
        writing(path, lambda _out: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"the bundle before"


def test_the_writer_keeps_the_limits(tmp_path: Path) -> None:
    out = ZipWriter(tmp_path / "x.carnet.zip")
    try:
        out.add("carnet.json", pack_bytes(b"{}"))
        for name in ("README.html", "carnet.json", "../x", "zzz"):
            with pytest.raises(ValueError):
                out.add(name, pack_bytes(b""))
        with pytest.raises(Refused, match="limit"):
            out.add("carnet.json.sig", pack_bytes(hashlib.shake_256(b"").digest(MAX_SMALL + 1)))
    finally:
        out.discard()
    with pytest.raises(CarnetError):
        pack_object(tmp_path / "gone", "0" * 64, tmp_path)


def test_many_entries_use_the_wide_end_record(tmp_path: Path) -> None:
    """Beyond 65,535 entries the 64-bit end record is written; ours and Python's reader find all of them."""
    path, empty = tmp_path / "x.carnet.zip", pack_object_of(b"")
    names = [f"objects/sha256/{i >> 16:02x}/{i >> 16:02x}{i & 0xFFFF:062x}" for i in range(65_600)]

    def fill(out: ZipWriter) -> None:
        for name in names:
            out.add(name, empty)

    writing(path, fill)
    with Archive(path) as archive, zipfile.ZipFile(path) as other:
        assert list(archive.members) == names == other.namelist()


def pack_object_of(data: bytes) -> Packed:
    return Packed(hashlib.sha256(data).hexdigest(), len(data), zlib.crc32(data), len(data), 0, lambda: iter([data]))


def test_large_sizes_use_the_wide_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the border of 4 GiB lowered on both sides, sizes and offsets beyond it come back by their 64-bit fields."""
    path = tmp_path / "x.carnet.zip"
    noise = hashlib.shake_256(b"").digest(9000)
    names = [f"objects/sha256/{i:02x}/{i:02x}{'0' * 62}" for i in range(4)]
    datas = [b"short", noise, b"again", noise * 2]
    for module in (safezip, zipwriter):
        monkeypatch.setattr(module, "WIDE", 5000)

    def fill(out: ZipWriter) -> None:
        for name, data in zip(names, datas, strict=True):
            out.add(name, pack_object_of(data))

    writing(path, fill)
    with Archive(path) as archive:
        assert [b"".join(archive.chunks(name)) for name in names] == datas
        assert max(member.start for member in archive.members.values()) > 5000
    data = path.read_bytes()
    broken = data.replace(struct.pack("<2H2Q", 1, 16, 9000, 9000), struct.pack("<2H2Q", 1, 16, 9000, 8999), 1)
    assert broken != data
    body = broken[:-64]
    path.write_bytes(body + hashlib.sha256(broken[:-COMMENT_BYTES]).hexdigest().encode())
    with pytest.raises(Invalid, match="contradicts"):
        Archive(path)
