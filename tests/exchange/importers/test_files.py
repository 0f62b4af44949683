"""What every importer leans on: limits, links, JSON and YAML of strangers, secrets in addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet_store.errors import Invalid
from carnet_store.exchange.importers import files
from carnet_store.exchange.importers.files import Unreadable, load_json, load_yaml, redacted
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread


def test_yaml_scalars_stay_the_text_that_was_written() -> None:
    """No reader's opinion of `no`, `1.10`, `85e91351` or a date comes between."""
    value, unread = load_yaml("a: no\nb: 1.10\nc: 85e91351\nd: 2024-01-02\ne: ~\nf: 'null'\ng:\nh: [on, 0x1F]\n", "f")
    assert value == {
        "a": "no",
        "b": "1.10",
        "c": "85e91351",
        "d": "2024-01-02",
        "e": None,
        "f": "null",
        "g": None,
        "h": ["on", "0x1F"],
    }
    assert unread == []


def test_yaml_aliases_unfold_only_so_far() -> None:
    """A few hundred bytes must not become a billion values; an honest alias is read."""
    assert load_yaml("a: &x [1, 2]\nb: *x\nc: {<<: {d: '3'}, e: '4'}\n", "f")[0] == {
        "a": ["1", "2"],
        "b": ["1", "2"],
        "c": {"d": "3", "e": "4"},
    }
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    with pytest.raises(Unreadable, match="aliases unfolded"):
        load_yaml(bomb, "f")
    with pytest.raises(Unreadable, match="names nothing"):
        load_yaml("a: &x [*x]\n", "f")


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 50_000, "- " * 50_000, "? " * 5_000])
def test_yaml_nesting_is_limited(text: str) -> None:
    """Depth is refused where it is met, not by the machine's stack."""
    with pytest.raises(Unreadable):
        load_yaml(text, "f")


def test_yaml_says_what_it_did_not_take() -> None:
    """Tags, keys that stand twice, a second document: each is named with its line, counted from the file's first one."""
    value, unread = load_yaml("a: !!python/object/apply:os.system ['x']\nb: 1\nb: 2\n--- \nc: 3\n", "f", before=10)
    assert value == {"a": None, "b": "2"}
    assert [one.where for one in unread] == ["f:11", "f:13", "f:14"]


def test_json_of_strangers_ends_in_a_message() -> None:
    """Nesting, numbers beyond bounds, torn text: never a traceback."""
    for raw in (b"[" * 100_000, b"9" * 10_000, b'{"a": ', b"\xff\xfe{", b"\x80", b""):
        with pytest.raises(Unreadable):
            load_json(raw, "f")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ana:pw@host/simple", "https://***@host/simple"),
        ("https://ana:p/w#x@host/simple", "https://***@host/simple"),
        ("https://ghp_abc@host/x", "https://***@host/x"),
        ("git+ssh://git@host/x.git@main", "git+ssh://git@host/x.git@main"),
        ("https://host:8443/x.git@v1", "https://host:8443/x.git@v1"),
        ("https://${USER}:${TOKEN}@host/", "https://${USER}:${TOKEN}@host/"),
        ("https://host/x?token=abc&y=1", "https://host/x?token=***&y=1"),
        ("https://host/x?X-Amz-Signature=abc", "https://host/x?X-Amz-Signature=***"),
        ("https://conda.host/t/tk-0123456789abcdef0123/main", "https://conda.host/t/***/main"),
        ("mail ana@example.org about https://host/", "mail ana@example.org about https://host/"),
    ],
)
def test_secrets_in_addresses_are_taken_out(text: str, left: str) -> None:
    """What is taken out stays out, and what is harmless stays as it is."""
    assert redacted(text) == left
    assert redacted(left) == left


def test_looking_for_secrets_takes_time_in_proportion() -> None:
    """Text made to make a search slow is searched all the same."""
    for unit in ("://a:b", "?token", "https://", "a://b@", "&k=", "://h/t/"):
        assert len(redacted(unit * 100_000)) > 0


def _names(path: Path) -> Iterator[Thing | Unread]:
    files.read_bytes(path, 100)
    yield Thing(Ref("document", "test", path.name.partition(".")[0]), path.name)


def _txt(path: Path) -> bool:
    return path.suffix == ".txt"


def test_a_folder_is_looked_through_not_walked(tmp_path: Path) -> None:
    """Hidden files, folders within, other files and what is no file stay out; one `Ref` comes once, what fails is told."""
    for name in ("b.txt", "a.txt", ".hidden.txt", "c.md", "a.more.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "big.txt").write_text("x" * 101)
    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "d.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.txt")
    found = list(files.each(Source(tmp_path), "text", _txt, _names))
    assert [one.name for one in found if isinstance(one, Thing)] == ["a.more.txt", "b.txt"]
    assert [one.where.rpartition("/")[2] for one in found if isinstance(one, Unread)] == ["big.txt"]
    assert [path.name for path in files.guessed(tmp_path, _txt)[0]] == ["a.more.txt", "a.txt", "b.txt", "big.txt"]


def test_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    """A folder from elsewhere must not bring the reader's own files into the record; named itself, a link is followed."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "key.txt").write_text("secret")
    folder = tmp_path / "fetched"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "own" / "key.txt")
    (folder / "b.txt").write_text("x")
    (folder / "c.txt").symlink_to("b.txt")
    found = list(files.each(Source(folder), "text", _txt, _names))
    assert [one.name for one in found if isinstance(one, Thing)] == ["b.txt", "c.txt"]
    assert [one.where for one in found if isinstance(one, Unread)] == [str(folder / "a.txt")]
    assert len(list(files.each(Source(folder / "a.txt"), "text", _txt, _names))) == 1


def test_a_snapshot_of_the_hub_cache_is_at_home_with_its_blobs(tmp_path: Path) -> None:
    """There each file is a link to `blobs` beside `snapshots`."""
    snapshot = tmp_path / "models--acme--churn" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    blobs = tmp_path / "models--acme--churn" / "blobs"
    blobs.mkdir()
    (blobs / "abc").write_text("x")
    (snapshot / "a.txt").symlink_to("../../blobs/abc")
    assert [one.name for one in files.each(Source(snapshot), "text", _txt, _names) if isinstance(one, Thing)] == [
        "a.txt"
    ]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing path, a folder without anything that fits, a pipe."""
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(Invalid, match=str(path)):
            list(files.each(Source(path), "text", _txt, _names))
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(Invalid, match="not a regular file"):
        list(files.each(Source(tmp_path / "pipe.txt"), "text", _txt, _names))
    assert files.guessed(tmp_path / "no", _txt) == files.guessed(Path("a\0b"), _txt) == ([], "")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T00:00:01.5+00:00", 1_500),
        ("1970-01-01T01:00:01", 3_601_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("yesterday", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        (None, 0),
        (7, 0),
    ],
)
def test_times(text: object, ms: int) -> None:
    """ISO 8601, UTC where no zone stands; nothing where it is none."""
    assert files.time_ms(text) == ms


def test_text_becomes_what_a_ledger_holds() -> None:
    """No lone surrogate, nothing longer than asked."""
    assert files.sound("a\ud800b") == "a?b"
    assert files.short("x" * 300, 10) == "x" * 9 + "…"
    assert files.short("https://ana:hush@host/", 14) == "https://***@h…", (
        "a secret is taken out before it could be cut in two"
    )
    assert files.decode("x=1".encode("utf-16"), "f") == files.decode(b"\xef\xbb\xbfx=1", "f") == "x=1"


def test_a_guess_looks_at_so_many_entries_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a million files is guessed as fast as any other."""
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("x")
    monkeypatch.setattr(files, "MOST_GUESSED", 3)
    found, least = files.guessed(tmp_path, _txt)
    assert (len(found), least) == (3, "at least ")
    monkeypatch.setattr(files, "MOST_GUESSED", 5)
    assert files.guessed(tmp_path, _txt)[1] == ""
