"""Bytes by their digest: durable, checked whenever they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet_store.errors import Invalid, NotFound, Untrusted
from carnet_store.storage.objects import Objects


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


def test_put_and_get(objects: Objects) -> None:
    digest = objects.put(b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert (objects.get(digest), objects.size(digest), objects.has(digest)) == (b"hello", 5, True)
    assert objects.put(b"hello") == digest
    assert list(objects.all()) == [digest]


def test_file_and_stream(objects: Objects, tmp_path: Path) -> None:
    data = b"x" * (3 << 20)
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    digest, size = objects.put_file(path)
    assert (digest, size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert objects.put_stream(io.BytesIO(data), expect=digest) == (digest, size)
    assert objects.check(digest)


def test_altered_bytes_are_found_when_read(objects: Objects) -> None:
    digest = objects.put(b"hello")
    objects.path(digest).write_bytes(b"hullo")
    assert not objects.check(digest)
    with pytest.raises(Untrusted, match="altered"):
        objects.get(digest)


def test_what_is_not_here(objects: Objects, tmp_path: Path) -> None:
    gone = "0" * 64
    assert (objects.has(gone), objects.size(gone), objects.check(gone), objects.forget(gone)) == (
        False,
        -1,
        False,
        False,
    )
    with pytest.raises(NotFound):
        objects.get(gone)
    with pytest.raises(NotFound):
        objects.put_file(tmp_path / "none")
    with pytest.raises(Invalid):
        objects.put_file(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "0" * 63, ""])
def test_only_a_digest_is_a_name(objects: Objects, name: str) -> None:
    """A hostile name reaches no path."""
    with pytest.raises(Invalid):
        objects.path(name)


def test_stream_with_another_digest_or_too_long_leaves_nothing(objects: Objects) -> None:
    with pytest.raises(Untrusted):
        objects.put_stream(io.BytesIO(b"a"), expect="0" * 64)
    with pytest.raises(Invalid, match="larger"):
        objects.put_stream(io.BytesIO(b"abc"), limit=2)
    assert list(objects.all()) == []
    assert list((objects.root / "tmp").iterdir()) == []


def test_forget(objects: Objects) -> None:
    digest = objects.put(b"x")
    assert objects.forget(digest)
    assert not objects.has(digest)


def test_many_at_once_are_kept_or_none(tmp_path: Path) -> None:
    """Many objects share one flush; a failure in the middle leaves nothing, not even under temporary names."""
    objects = Objects(tmp_path)
    blobs = [b"a", b"b", b"a", b"c" * 3000]
    digests = objects.put_many(blobs)
    assert [objects.get(one) for one in digests] == blobs
    assert len(list(objects.all())) == 3 and not list((tmp_path / "tmp").iterdir())

    def breaks() -> Iterator[bytes]:
        yield b"new"
        raise OSError("no space")

    with pytest.raises(OSError):
        objects.put_many(breaks())
    assert len(list(objects.all())) == 3 and not list((tmp_path / "tmp").iterdir())
