"""DVC's files from unknown hands: cut off, altered, endless, leading elsewhere. What can be read is read, the rest is named, nothing breaks."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange.importers import dvc, dvc_files, dvc_gto
from carnet_store.exchange.importers.git_reading import Tag
from carnet_store.exchange.importers.things import Source, Thing, Unread, plain

Found = tuple[list[Thing], list[Unread]]
MUTATED = ("dvc.lock", "dvc.yaml", "data/raw.csv.dvc", "metrics.json", "params.yaml", ".dvc/config")


def read(path: Path) -> Found:
    """Read a folder; whatever is yielded can stand in a record."""
    found = list(dvc.read(Source(path)))
    for one in found:
        if isinstance(one, Thing):
            canonical.encode(
                [*one.ref, one.name, one.version, one.where, one.digests, *one.params.values(), one.metrics]
            )
            plain(one.attrs)
            assert all(len(value) in (32, 64) for value in one.digests.values())
        else:
            assert one.where and one.why
    return [one for one in found if isinstance(one, Thing)], [one for one in found if isinstance(one, Unread)]


@pytest.fixture
def snapshot(real_tools: Path, tmp_path: Path) -> Path:
    """The real project's folder, to be spoiled."""
    folder = tmp_path / "churn"
    shutil.copytree(real_tools / "dvc" / "snapshot", folder)
    return folder


def spoil(data: bytes, dice: random.Random) -> bytes:
    """Return data cut, altered, doubled or stuffed somewhere."""
    at = dice.randrange(len(data) + 1)
    other = dice.randrange(len(data) + 1)
    ways: list[Callable[[], bytes]] = [
        lambda: data[:at], lambda: data[at:], lambda: data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :], lambda: data[:at] + data[other:],
        lambda: data[:at] + dice.choice([b"&a ", b"*a", b"!!x ", b"<<: ", b"\xff", b"\0", b"${", b"}", b"[", b"{", b": ", b"\n", b"- ", b"~", b"9" * 99]) + data[at:],
        lambda: b"\n".join(sorted(data.split(b"\n"), key=lambda _: dice.random())),
    ]  # fmt: skip
    return dice.choice(ways)()


@pytest.mark.parametrize("name", MUTATED)
def test_spoiled_files_break_nothing(name: str, snapshot: Path) -> None:
    """Eighty spoilings of each file, with fixed seeds: things or a sentence, never another error, and nothing is silently empty."""
    path = snapshot / name
    whole = path.read_bytes()
    for number in range(80):
        dice = random.Random(f"{name} {number}")
        data = whole
        for _ in range(dice.randrange(1, 4)):
            data = spoil(data, dice)
        path.write_bytes(data)
        try:
            things, unread = read(snapshot)
        except Invalid as error:
            assert error.message and error.hint
        else:
            assert things or unread


def test_a_lock_cut_at_each_line(snapshot: Path) -> None:
    """What stands before the cut is read as far as it is whole; a cut within a digest is named."""
    path = snapshot / "dvc.lock"
    lines = path.read_text().splitlines(keepends=True)
    (snapshot / "dvc.yaml").unlink()
    counts = []
    for end in range(len(lines)):
        path.write_text("".join(lines[:end]))
        counts.append(sum(one.ref.kind == "run" for one in read(snapshot)[0]))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 5)
    path.write_text("".join(lines[:8])[:-10] + "\n")
    things, unread = read(snapshot)
    assert [(one.where, one.why) for one in unread] == [
        ("dvc.lock: stage prepare, deps: data/raw.csv", "has an MD5 that is none: 'd90baa40a9759f151dfa33f'")
    ] or unread[0].where.startswith("dvc.lock"), unread
    assert sum(one.ref.kind == "run" for one in things) <= 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stages:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"  b{n}: &b{n} [{','.join(['*a' if n == 0 else f'*b{n - 1}'] * 10)}]\n" for n in range(9)), "unfold to more"),
        ("stages: " + "[" * 100_000, "nested deeper"), ("stages: {a: {cmd: x}, a: {cmd: y}}", "stands twice"), ("stages: !!python/name:os.system {}", "is not read"),
        ("- 1", "no lock of DVC"), ("schema: '3.0'\nstages: {}", "has the schema '3.0'"), ("schema: '2.0'\nstages: 7", "no set of keys under `stages`"),
        ("schema: '2.0'\nstages:\n  a:\n    deps: []\n", "has no command"), ("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    deps: 7\n", "is no list"),
        ("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    params: [1]\n", "no set of files with keys"), ("schema: '2.0'\nstages:\n  a:\n    cmd: x\n    params: {p: 1}\n", "holds no keys"),
        ("schema: '2.0'\nstages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n", "stands twice"), ("schema: '2.0'\nstages:\n  a:\n    cmd: [\n  b:\n    cmd: x\n", "is not YAML"),
    ],
)  # fmt: skip
def test_hostile_locks_are_named(text: str, words: str, tmp_path: Path) -> None:
    """Each fault is said with the file (and the line or the stage); nothing grows, nothing is executed."""
    (tmp_path / "dvc.lock").write_text(text)
    _, unread = read(tmp_path)
    assert len(unread) == 1
    assert words in unread[0].why
    assert unread[0].where.startswith("dvc.lock")


def test_hostile_pipelines_and_metrics_are_named(tmp_path: Path) -> None:
    """A broken pipeline does not hide its lock; deep, double and endless figures are named; a large matrix is bounded."""
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    (tmp_path / "dvc.lock").write_text(
        json.dumps({"schema": "2.0", "stages": {"a": {"cmd": "x", "outs": [{"path": "m.json", "md5": digest}]}}})
    )
    for text, words in (
        ("stages: [", "is not YAML"),
        ("7", "no pipeline of DVC"),
        ("stages: 7", "no set of keys"),
        ("artifacts: {m: {}}", "has no path"),
    ):
        (tmp_path / "dvc.yaml").write_text(text)
        things, unread = read(tmp_path)
        assert [one.name for one in things if one.ref.kind == "run"] == ["a"]
        assert [words in one.why for one in unread] == [True], unread
    (tmp_path / "dvc.yaml").write_text(
        json.dumps({"stages": {"m": {"matrix": {k: list(range(100)) for k in "abcdef"}, "cmd": "x"}}})
    )
    assert len(read(tmp_path)[1]) == 10_000
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"a": {"cmd": "x", "metrics": ["m.json"]}}}))
    for text in (
        "[" * 100_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"a": 1, "a": 2}',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin1"),
        "9" * 5_000,
    ):
        (tmp_path / "m.json").write_text(text)
        (tmp_path / "dvc.lock").write_text(
            json.dumps(
                {
                    "stages": {
                        "a": {
                            "cmd": "x",
                            "outs": [{"path": "m.json", "hash": "md5", "md5": hashlib.md5(text.encode()).hexdigest()}],
                        }
                    }
                }
            )
        )
        things, unread = read(tmp_path)
        assert [one.where for one in unread] == ["m.json"], text[:20]


def test_text_from_files_is_data(tmp_path: Path) -> None:
    """Markup, escape sequences, wide and reversing characters and lone surrogates pass as text that a record can hold."""
    odd = "[red]x[/red] \x1b[31m \u202e 漢字 e\u0301 \U0001f600"
    figures = b'{"\\ud800": "\\udfff", "k": 1, "l": ["\\ud800"], "' + odd.replace("\x1b", "").encode() + b'": 2}'
    digest = hashlib.md5(figures).hexdigest()
    outs = [{"path": "m.json", "hash": "md5", "md5": digest}]
    stage = {
        "cmd": f"echo {odd}",
        "params": {"p.yaml": {odd: odd}},
        "deps": [{"path": odd, "md5": "0" * 32}],
        "outs": outs,
    }
    text = json.dumps({"schema": "2.0", "stages": {odd: stage}}, ensure_ascii=False).replace("\x1b", "\\u001b")
    (tmp_path / "dvc.lock").write_text(text)
    (tmp_path / "dvc.yaml").write_text("metrics: [m.json]\n")
    (tmp_path / "m.json").write_bytes(figures)
    things, unread = read(tmp_path)
    assert unread == []
    assert things[-1].params == {odd: odd}
    assert (things[-1].name, things[-1].attrs["command"]) == (odd, f"echo {odd}")
    assert things[-1].attrs["results"] == {"?": "?", "l": '["?"]'}
    assert {one["name"]: one["value"] for one in things[-1].metrics} == {"k": "1", odd.replace("\x1b", ""): "2"}
    assert f"{odd}:{'0' * 32}" in {one.ref.key for one in things}


def test_links_and_pipes_are_not_followed_out(tmp_path: Path) -> None:
    """A lock that is a link to a private file, a pipe, or no file at all is named and never read."""
    private = tmp_path / "private.yaml"
    private.write_text("secret: diary\n")
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "dvc.lock").symlink_to(private)
    (folder / "gone.dvc").symlink_to("nowhere")
    (folder / "folder.dvc").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.dvc")
    _, unread = read(folder)
    assert {one.where.partition("/")[0]: one.why for one in unread} == {
        "dvc.lock": "is a link that leads out of the folder", "gone.dvc": "cannot be read: No such file or directory",
        **({"pipe.dvc": "is not a regular file"} if hasattr(os, "mkfifo") else {}),
    }  # fmt: skip
    assert "diary" not in str(unread)


def test_paths_that_climb_out_are_names_and_nothing_more(tmp_path: Path) -> None:
    """An input outside the folder is recorded by what the lock says of it; its bytes are not looked for there."""
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "p"
    folder.mkdir()
    md5 = "03c7c0ace395d80182db07ae2c30f034"  # of what the file holds
    rows = [
        {"path": path, "hash": "md5", "md5": md5}
        for path in ("../secret", str(tmp_path / "secret"), "../../../../../x", "a/../../secret")
    ]
    (folder / "dvc.lock").write_text(json.dumps({"stages": {"s": {"cmd": "x", "deps": rows}}}))
    things, _ = read(folder)
    assert {one.attrs["uri"]: sorted(one.digests) for one in things if one.ref.kind == "dataset"} == {
        "../secret": ["md5"], str(tmp_path / "secret"): ["md5"], "../../../../../x": ["md5"],
    }  # fmt: skip


def git(folder: Path, *args: str, given: bytes = b"") -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = {f"GIT_{role}_{key}": "x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *args], cwd=folder, env={**os.environ, **settings, **who}, input=given, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_a_tree_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    """A repository of ten objects with ten billion paths to one lock is named, quickly and in little memory."""
    git(tmp_path, "init", "-q", "-b", "main", "bomb")
    folder = tmp_path / "bomb"
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"stages: {s: {cmd: x}}\n")
    tree = git(folder, "mktree", given=f"100644 blob {blob}\tdvc.lock\n".encode())
    for _ in range(10):
        tree = git(folder, "mktree", given="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode())
    # Nothing is checked out: that would be the bomb.
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", "-m", "x", tree))
    git(tmp_path, "clone", "-q", "--bare", "bomb", "bare.git")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(dvc, "_HISTORY_SECONDS", 5.0)
    try:
        things, unread = read(tmp_path / "bare.git")
    except Invalid as error:
        assert "took longer than" in error.message
    else:
        assert things == []
        assert unread[0].why == f"more than {dvc_files.MOST_FILES:,} files of DVC in one commit"
    finally:
        monkey.undo()


def test_a_fault_in_many_commits_is_told_once(tmp_path: Path) -> None:
    """A lock that is broken through ten commits is named at the first; the results around it are read."""
    git(tmp_path, "init", "-q", "-b", "main", "p")
    folder = tmp_path / "p"
    for number in range(10):
        (folder / "dvc.lock").write_text(
            "stages: [" if number % 4 else json.dumps({"stages": {"s": {"cmd": f"x {number}"}}})
        )
        (folder / "dvc.yaml").write_text(f"stages: {{}}\n# {number}\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", str(number))
    things, unread = read(folder)
    assert [one.attrs["command"] for one in things if one.ref.kind == "run"] == ["x 0", "x 4", "x 8"]
    assert len(unread) == 2  # at the first such commit, and now in the work tree
    assert unread[0].where.startswith("dvc.lock at ")
    assert unread[1].where.startswith("dvc.lock in the work tree")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@v1.0.0",
        "#prod",
        "a" * 5_000 + "@v1.0.0",
        "a-" * 3_000 + "#x",
        "x@v1.0.0-" + "a." * 3_000,
        "x#" + "y/" * 3_000,
        "=@v1.0.0",
        "x@v1.0.0!!",
    ],
)
def test_odd_tags_cost_nothing(name: str) -> None:
    """A tag's name of any form and length is told apart at once."""
    event = dvc_gto.event_of(Tag(name, "c", "a", 1, ""))
    assert event is None or event.artifact


def test_thousands_of_stages(tmp_path: Path) -> None:
    """A lock of three thousand stages is read whole."""
    rows = "".join(
        f"  s@{n}:\n    cmd: run {n}\n    deps:\n    - path: in/{n}.csv\n      hash: md5\n      md5: '{n:032x}'\n    outs:\n    - path: out/{n}.bin\n      hash: md5\n      md5: '{n + 7:032x}'\n"
        for n in range(3_000)
    )  # fmt: skip
    (tmp_path / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n{rows}")
    things, unread = read(tmp_path)
    assert len(things) == 9_000
    assert [one.why[:22] for one in unread] == []
