"""Commits as code snapshots, read by git's own program from repositories that nobody vouches for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store.errors import Invalid
from carnet_store.exchange.importers import git, git_changes, git_program, git_reading
from carnet_store.exchange.importers.things import Source, Thing, Unread

WHO = {
    "GIT_AUTHOR_NAME": "Ana Ruiz", "GIT_AUTHOR_EMAIL": "ana@example.org", "GIT_COMMITTER_NAME": "Ana Ruiz", "GIT_COMMITTER_EMAIL": "ana@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the machine's reaches git, neither in the tests nor in what they test."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def run(folder: Path, *args: str, at: int = 1_770_000_000, given: bytes = b"", **more: str) -> str:
    """Run git in a folder; commits have a fixed time (seconds)."""
    when = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
    done = subprocess.run(
        ["git", *args],
        cwd=folder,
        env={**os.environ, **WHO, **when, **more},
        input=given,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def repository(folder: Path, commits: int = 2, *init: str) -> Path:
    """Make a repository with a file that changes at each commit, one a minute."""
    folder.mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main", *init)
    for number in range(commits):
        (folder / "train.py").write_text(f"lr = {number}\n")
        run(folder, "add", "-A")
        run(folder, "commit", "-q", "-m", f"Step {number}", at=1_770_000_000 + 60 * number)
    return folder


def things(path: Path) -> list[Thing]:
    found = list(git.read(Source(path)))
    assert all(isinstance(one, Thing) for one in found), found
    return [one for one in found if isinstance(one, Thing)]


# -- commits -----------------------------------------------------------------------------------------------------------


def test_a_bundle_yields_its_commits_as_its_maker_lists_them(real_tools: Path) -> None:
    """Ids, times and subjects of the real project are git's own; each commit comes from its parent; mails are not taken (R096)."""
    found = things(real_tools / "dvc" / "churn.gitbundle")
    wanted = (real_tools / "dvc" / "expected-commits.txt").read_text().splitlines()
    assert [(one.ref.key, one.attrs["subject"]) for one in reversed(found)] == [
        (row.split(" ", 2)[0], row.split(" ", 2)[2]) for row in wanted
    ]  # fmt: skip
    assert [one.at for one in found] == [1_770_022_800_000, 1_770_633_000_000, 1_771_599_600_000]
    assert [one.edges for one in found] == [[], [("from", found[0].ref)], [("from", found[1].ref)]]
    newest = found[-1]
    assert (newest.ref.kind, newest.ref.system, newest.version, newest.name) == (
        "code",
        "git",
        newest.ref.key[:12],
        "churn",
    )
    assert newest.attrs["branch"] == "main"
    assert newest.attrs["tags"] == ["churn-model#staging#3", "churn-model@v2.0.0"]
    assert newest.attrs["author"] == "Ana"
    assert "example.org" not in str(found)


def test_what_is_said_of_a_repository_holds_no_password(tmp_path: Path) -> None:
    """Remote addresses lose user, password and parameters; its last part names the project."""
    folder = repository(tmp_path / "my-clone")
    run(folder, "remote", "add", "origin", "https://ana:s3cret@git.example.org/models/churn.git?private_token=s3cret#x")
    found = things(folder)
    assert found[-1].attrs["repository"] == "https://git.example.org/models/churn.git"
    assert found[-1].name == "churn"
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("git@github.com:ana/churn.git", "github.com:ana/churn.git"),
        ("ssh://git@host:22/x", "ssh://host:22/x"),
        ("https://tok@en:x@host/a@b", "https://host/a@b"),
        ("/srv/git/churn.git", "/srv/git/churn.git"),
        ("C:\\git\\churn", "C:\\git\\churn"),
        ("../churn", "../churn"),
    ],
)
def test_addresses_without_their_user(address: str, kept: str) -> None:
    """Every spelling that git takes loses its user and nothing else."""
    assert git_reading.without_user(address) == kept


def test_only_the_newest_commits_and_the_tagged_ones_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound only what a tag stands on is read; the guess says how many there are; no edge leads to what was left out."""
    monkeypatch.setattr(git, "NEWEST", 3)
    folder = repository(tmp_path / "long", 8)
    run(folder, "tag", "v1", "HEAD~6")
    found = things(folder)
    assert [one.attrs["subject"] for one in found] == ["Step 1", "Step 5", "Step 6", "Step 7"]
    assert [len(one.edges) for one in found] == [0, 0, 1, 1]
    assert len(found[1].attrs["parents"]) == 1
    guess = git.guess(folder)
    assert guess is not None
    seen = "commits on main (older ones only where tagged), 1 tag, newest "
    assert guess.words.startswith(f"git, the newest 3 of 8 {seen}")
    monkeypatch.setattr(git, "_COUNTING", 0.0)
    guess = git.guess(folder)
    assert guess is not None
    assert guess.words.startswith((f"git, the newest 3 {seen}", f"git, the newest 3 of 8 {seen}"))


def test_thousands_of_commits(tmp_path: Path) -> None:
    """Of 3,000 commits the newest 1,000 are read, in the same order each time."""
    folder = tmp_path / "many"
    folder.mkdir()
    run(folder, "init", "-q", "-b", "main")
    lines = []
    for number in range(3_000):
        lines.append(
            f"commit refs/heads/main\ncommitter A <a@b> {1_700_000_000 + number} +0000\ndata 2\n{number % 10}\n"
        )
    run(folder, "fast-import", "--quiet", given="".join(lines).encode())
    run(folder, "reset", "-q", "--hard")
    found = things(folder)
    assert [one.at for one in found] == [(1_700_000_000 + number) * 1000 for number in range(2_000, 3_000)]
    assert found == things(folder)


def test_tags_of_every_kind(tmp_path: Path) -> None:
    """Light, annotated and nested tags lead to their commit; one that leads to no commit is said."""
    folder = repository(tmp_path / "tags", 1)
    run(folder, "tag", "light")
    run(folder, "tag", "-a", "heavy", "-m", "x", at=1_780_000_000)
    run(folder, "tag", "-a", "nested", "-m", "x", "heavy")
    run(folder, "tag", "a-file", run(folder, "rev-parse", "HEAD:train.py"))
    found = list(git.read(Source(folder)))
    assert found[0] == Unread("tags: tag a-file", "leads to no commit")
    assert isinstance(found[1], Thing)
    assert found[1].attrs["tags"] == ["heavy", "light", "nested"]
    with git_reading.Repository(git_reading.Place(folder / ".git", folder)) as opened:
        assert {tag.name: tag.at for tag in opened.tags()[0]}["heavy"] == 1_780_000_000_000


def test_replaced_objects_are_not_believed(tmp_path: Path) -> None:
    """A commit and its parents are told as its id has them, also where the repository says to show others instead."""
    folder = repository(tmp_path / "r", 2)
    head = run(folder, "rev-parse", "HEAD")
    other = run(folder, "commit-tree", "-m", "Forged", "HEAD^{tree}")
    run(folder, "replace", head, other)
    assert run(folder, "log", "-1", "--format=%s") == "Forged"
    assert things(folder)[-1].attrs["subject"] == "Step 1"
    run(folder, "replace", "-d", head)
    (folder / ".git" / "info" / "grafts").write_text(f"{head}\n")
    assert [len(one.edges) for one in things(folder)] == [0, 1]


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 and control characters pass as data, in the same spelling each time."""
    folder = repository(tmp_path / "n", 1)
    run(folder, "config", "i18n.commitEncoding", "latin1")
    (folder / "x").write_text("1")
    run(folder, "add", "x")
    message = "Gr\xfc\xdfe \x1b[31mrot".encode("latin1")
    run(folder, "commit", "-q", "-F", "-", given=message)
    with (folder / ".git" / "packed-refs").open("ab") as handle:
        handle.write(
            b"# pack-refs with: peeled fully-peeled sorted \n"
            + run(folder, "rev-parse", "HEAD").encode()
            + b" refs/heads/caf\xe9\n"
        )
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/d\xe9j\xe0"))
    odd.mkdir()
    (odd / "a\nb").write_text("x")
    found = things(folder)
    assert found[1].attrs["subject"] == "Grüße \x1b[31mrot"
    assert found[1].attrs["branch"] == "caf\\xe9, main"
    assert [row["path"] for row in found[2].attrs["untracked"]] == ["d\\xe9j\\xe0/a\nb"]
    assert found == things(folder)


# -- what is changed ---------------------------------------------------------------------------------------------------


def test_what_is_not_committed_is_a_snapshot_of_its_own(tmp_path: Path) -> None:
    """Its patch travels and gives the same files on a clean clone; it comes from HEAD; the capture of a run names the same thing (R096)."""
    folder = repository(tmp_path / "w")
    (folder / "train.py").write_text("lr = 0.5\nzeile = 'größe'\n")
    (folder / "model.bin").write_bytes(bytes(range(256)))
    run(folder, "add", "-N", "model.bin")
    (folder / "notes.txt").write_text("not tracked\n")
    head, changed = things(folder)[-2:]
    assert changed.attrs["dirty"] is True
    assert changed.attrs["commit"] == head.ref.key
    assert changed.edges == [("from", head.ref)]
    note = hashlib.sha256(b"not tracked\n").hexdigest()
    assert changed.attrs["untracked"] == [{"path": "notes.txt", "size": 12, "digests": {"sha256": note}}]
    (kept,) = changed.keep
    assert changed.ref.key == f"{head.ref.key}+{hashlib.sha256(kept.data).hexdigest()}"
    clone = tmp_path / "clone"
    run(tmp_path, "clone", "-q", str(folder), str(clone))
    run(clone, "apply", "-", given=kept.data)
    assert (clone / "train.py").read_bytes() == (folder / "train.py").read_bytes()
    assert (clone / "model.bin").read_bytes() == bytes(range(256))
    assert git.snapshot(folder / "..") is None
    assert git.snapshot(folder) == changed
    assert [one.ref for one in git.snapshots(folder)] == [head.ref, changed.ref]
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "done")
    clean = git.snapshot(folder)
    assert clean is not None
    assert (clean.ref.key, clean.attrs.get("dirty")) == (run(folder, "rev-parse", "HEAD"), None)


def test_a_guess_calls_a_changed_tree_dirty_and_none_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R012: the welcome says that git is dirty; where looking takes too long nothing is said of it."""
    folder = repository(tmp_path / "r")

    def words() -> str:
        guess = git.guess(folder)
        assert guess is not None
        return guess.words

    assert words().startswith("git, 2 commits on main")
    (folder / "new.txt").write_text("new")
    (folder / ".carnet").mkdir()
    (folder / ".carnet" / "store.db").write_text("its own")
    assert words().startswith("git, dirty (1 file), 2 commits on main")
    (folder / "train.py").write_text("other")
    assert words().startswith("git, dirty (2 files), 2 commits on main")
    monkeypatch.setattr(git, "_LOOKING", 0.0)
    assert words().startswith("git, 2 commits on main") and "clean" not in words()


def test_a_patch_does_not_hang_on_anybodys_settings(tmp_path: Path) -> None:
    """The same change has the same id, however the person likes differences shown and whatever the clock of a file says."""
    folder = repository(tmp_path / "s")
    (folder / "train.py").write_text("lr = 7\n\n\nx = 1\n")
    before = git.snapshot(folder)
    for setting in (
        "noprefix=true",
        "mnemonicPrefix=true",
        "context=0",
        "algorithm=patience",
        "renames=copies",
        "external=false",
        "submodule=log",
    ):
        run(folder, "config", f"diff.{setting.partition('=')[0]}", setting.partition("=")[2])
    run(folder, "config", "core.quotePath", "false")
    run(folder, "config", "color.ui", "always")
    os.utime(folder / "train.py", (1, 1))
    assert git.snapshot(folder) == before
    os.environ["GIT_DIFF_OPTS"] = "-u0"
    try:
        assert git.snapshot(folder) == before
    finally:
        del os.environ["GIT_DIFF_OPTS"]


def test_what_changes_the_id_of_a_change(tmp_path: Path) -> None:
    """Other bytes, another untracked file or another link are another snapshot; Carnet's own store and ignored files are none."""
    folder = repository(tmp_path / "i")
    seen: set[str] = set()

    def key() -> str:
        found = git.snapshot(folder)
        assert found is not None
        return found.ref.key

    seen.add(key())
    (folder / ".carnet" / "objects").mkdir(parents=True)
    (folder / ".carnet" / "objects" / "x").write_text("1")
    (folder / ".git" / "info" / "exclude").write_text("*.log\n")
    (folder / "run.log").write_text("1")
    assert {key()} == seen
    for name, text in (("train.py", "lr = 9"), ("new.py", "1"), ("new.py", "2")):
        (folder / name).write_text(text)
        assert key() not in seen
        seen.add(key())
    (folder / "link").symlink_to("/etc/hostname")
    assert key() not in seen
    changed = git.snapshot(folder)
    assert changed is not None
    assert changed.attrs["untracked"][0] == {"path": "link", "link": "/etc/hostname"}


def test_a_patch_over_the_limit_leaves_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch that is too large is not kept, has the same id, and that is said; so are untracked files beyond the limits."""
    folder = repository(tmp_path / "p")
    (folder / "train.py").write_text("x" * 5_000)
    (folder / "large.bin").write_bytes(bytes(100))
    (folder / "other.bin").write_bytes(bytes(10))
    whole = git.snapshot(folder)
    assert whole is not None
    monkeypatch.setattr(git_changes, "PATCH", 1_000)
    found = list(git.read(Source(folder)))
    assert isinstance(found[-2], Thing)
    assert (found[-2].ref, found[-2].keep) == (whole.ref, [])
    assert found[-2].attrs["patch_left_out"] == {
        "size": len(whole.keep[0].data),
        "digests": {"sha256": whole.ref.key.partition("+")[2]},
    }
    assert isinstance(found[-1], Unread)
    assert found[-1].why.startswith("the patch has 0 MiB")
    monkeypatch.setattr(git_changes, "HASHED", 50)
    monkeypatch.setattr(git_changes, "UNTRACKED", 1)
    short = git.snapshot(folder)
    assert short is not None
    assert (short.attrs["untracked"], short.attrs["untracked_more"]) == ([{"path": "large.bin", "size": 100}], 1)


def test_files_of_git_lfs_are_compared_with_their_pointer(tmp_path: Path) -> None:
    """Content that its pointer names is no change, though git without the filter takes it for one; other content is, by digest and without its bytes."""
    folder = repository(tmp_path / "lfs", 1)
    data = os.urandom(5_000)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize 5000\n"
    (folder / "model.bin").write_text(pointer)
    (folder / "notes.ipynb").write_text("{}\n")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "pointer")
    (folder / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n*.ipynb filter=nbstripout\n")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "attributes")
    assert "dirty" not in things(folder)[-1].attrs
    (folder / "model.bin").write_bytes(data)
    assert run(folder, "status", "--porcelain") == "M model.bin"
    assert "dirty" not in things(folder)[-1].attrs
    other = bytes(5_000)
    (folder / "model.bin").write_bytes(other)
    (folder / "notes.ipynb").write_text("{1}\n")
    changed = git.snapshot(folder)
    assert changed is not None
    assert changed.attrs["large"] == [
        {"path": "model.bin", "size": 5_000, "digests": {"sha256": hashlib.sha256(other).hexdigest()}}
    ]
    assert changed.attrs["unfiltered"] == ["notes.ipynb"]
    assert len(changed.keep[0].data) < 500
    assert f'# changed sha256:{hashlib.sha256(other).hexdigest()} 5000 "model.bin"\n'.encode() in changed.keep[0].data


# -- every kind of repository ------------------------------------------------------------------------------------------


def test_no_commit_yet(tmp_path: Path) -> None:
    """An empty repository ends in a sentence, and a run captured in it simply has no code."""
    folder = repository(tmp_path / "e", 0)
    with pytest.raises(Invalid, match="has no commit yet"):
        list(git.read(Source(folder)))
    assert git.snapshot(folder) is None
    guess = git.guess(folder)
    assert guess is not None
    assert guess.words == "git, no commit yet"


def test_detached_bare_shallow_and_linked_repositories(tmp_path: Path) -> None:
    """All read the same commits as the repository they come from."""
    folder = repository(tmp_path / "o", 4)
    all_of_it = [one.ref.key for one in things(folder)]
    run(tmp_path, "clone", "-q", "--bare", str(folder), "bare.git")
    assert [one.ref.key for one in things(tmp_path / "bare.git")] == all_of_it
    run(folder, "branch", "feature/eu", "HEAD~1")
    run(tmp_path, "clone", "-q", str(folder), "clone")
    of_the_clone = {one.ref: one.attrs.get("branch") for one in things(tmp_path / "clone")}
    assert {one.ref: one.attrs.get("branch") for one in things(folder)} == of_the_clone
    assert list(of_the_clone.values()) == [None, None, "feature/eu", "main"]
    run(tmp_path, "clone", "-q", "--depth=2", f"file://{folder}", "shallow")
    shallow = things(tmp_path / "shallow")
    assert [one.ref.key for one in shallow] == all_of_it[2:]
    guess = git.guess(tmp_path / "shallow")
    assert guess is not None
    assert "2 commits on main, 0 tags, a shallow clone, newest" in guess.words
    run(folder, "worktree", "add", "-q", "../linked", "HEAD~1")
    (tmp_path / "linked" / "train.py").write_text("changed here\n")
    linked = things(tmp_path / "linked")
    assert [one.ref.key for one in linked[:-1]] == all_of_it[:3]
    assert linked[-1].attrs["dirty"] is True
    assert "branch" not in linked[-1].attrs
    run(folder, "checkout", "-q", "--detach", "HEAD~2")
    guess = git.guess(folder)
    assert guess is not None
    assert guess.words.startswith("git, 2 commits of a detached HEAD")
    (folder / "sub").mkdir()
    assert [one.ref.key for one in things(folder / "sub")] == all_of_it[:2]


def test_submodules_are_pinned(tmp_path: Path) -> None:
    """A snapshot names the submodules' commits and addresses, without passwords; what is changed inside one is told, and nothing runs (C176)."""
    inner = repository(tmp_path / "inner", 1)
    folder = repository(tmp_path / "outer", 1)
    run(folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib/inner")
    run(folder, "config", "-f", ".gitmodules", "submodule.lib/inner.url", "https://bo:pw@host/inner.git")
    run(folder, "commit", "-q", "-a", "-m", "with a submodule")
    pinned = run(inner, "rev-parse", "HEAD")
    found = things(folder)[-1]
    assert found.attrs["submodules"] == [{"path": "lib/inner", "url": "https://host/inner.git", "commit": pinned}]
    assert [one.ref.key for one in things(folder / "lib" / "inner")] == [pinned]
    flag = tmp_path / "flag"
    trap(folder / "lib" / "inner", flag)
    (folder / "lib" / "inner" / "train.py").write_text("changed inside\n")
    changed = git.snapshot(folder)
    assert changed is not None
    assert changed.attrs["dirty"] is True
    assert f"-Subproject commit {pinned}".encode() in changed.keep[0].data
    assert b"diff --git a/lib/inner/train.py b/lib/inner/train.py" in changed.keep[0].data
    assert b"+changed inside" in changed.keep[0].data
    assert not flag.exists(), flag.read_text()


def test_sha256_repositories(tmp_path: Path) -> None:
    """Commits of 64 hex are read from a repository and from its bundle."""
    folder = repository(tmp_path / "s", 2, "--object-format=sha256")
    run(folder, "bundle", "create", "-q", "../s.bundle", "--branches")
    found = things(folder)
    assert [len(one.ref.key) for one in found] == [64, 64]
    assert [one.ref for one in things(tmp_path / "s.bundle")] == [one.ref for one in found]


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed that is the sentence, in the guess too."""
    folder = repository(tmp_path / "g", 1)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(Invalid, match="git is not installed here"):
        list(git.read(Source(folder)))
    guess = git.guess(folder)
    assert guess is not None
    assert (guess.words, guess.things) == ("git, but git is not installed here", 0)


def test_what_is_no_repository(tmp_path: Path) -> None:
    """Folders and files that are no repository are no guess, and reading them ends in a sentence."""
    (tmp_path / "x").mkdir()
    (tmp_path / "file").write_bytes(b"# v2 git bundl")
    (tmp_path / "astray").mkdir()
    (tmp_path / "astray" / ".git").write_text("gitdir: ../nowhere\n")
    for name in ("x", "file", "missing", "astray", "file/inside"):
        assert git.guess(tmp_path / name) is None, name
        with pytest.raises(Invalid):
            list(git.read(Source(tmp_path / name)))


# -- bundles -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def _rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; empty again at the end."""
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rooms))
    yield rooms
    assert list(rooms.iterdir()) == []


def test_a_bundle_leaves_nothing_behind(real_tools: Path, _rooms: Path) -> None:
    """What a bundle is unpacked to goes away, also where the reader stops in the middle."""
    reading = git.read(Source(real_tools / "dvc" / "churn.gitbundle"))
    next(reading)
    assert list(_rooms.iterdir()) != []
    reading.close()  # type: ignore[attr-defined]


def test_bundles_that_cannot_be_read(real_tools: Path, tmp_path: Path, _rooms: Path) -> None:
    """Cut off anywhere, altered, or holding only the newest commits: a sentence, and nothing is left behind."""
    data = (real_tools / "dvc" / "churn.gitbundle").read_bytes()
    path = tmp_path / "b.bundle"
    pack = data.index(b"PACK")
    altered = bytearray(data)
    altered[pack + 400] ^= 0xFF
    for cut in (b"", data[:10], data[: pack - 1], data[: pack + 5], data[:-21], data[:-1], bytes(altered)):
        path.write_bytes(cut)
        with pytest.raises(Invalid):
            list(git.read(Source(path)))
    folder = repository(tmp_path / "r", 3)
    run(folder, "bundle", "create", "-q", str(path), "HEAD~1..main")
    with pytest.raises(Invalid, match="only what is new since") as refused:
        list(git.read(Source(path)))
    assert "git bundle create" in refused.value.hint


# -- nothing runs ------------------------------------------------------------------------------------------------------


def trap(folder: Path, flag: Path) -> Path:
    """Set every program that a repository's configuration can name to one that leaves its name in `flag`."""
    script = folder.parent / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> "{flag}"\ncat 2>/dev/null\n')
    script.chmod(0o755)
    (folder / ".gitattributes").write_text("*.py diff=evil filter=evil\n*.bin filter=worse merge=evil\n")
    (folder / "a.bin").write_bytes(b"\0\1")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "attributes")
    for name in (
        "core.fsmonitor", "diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge", "filter.worse.process",
        "merge.evil.driver", "core.pager", "core.sshCommand", "gpg.program", "core.editor", "credential.helper", "core.askPass",
        "uploadpack.packObjectsHook", "core.alternateRefsCommand", "alias.diff", "alias.rev-list", "pager.diff",
    ):  # fmt: skip
        value = f"!{script}" if name.startswith("alias.") else str(script)
        run(folder, "config", name, value)
    run(folder, "config", "log.showSignature", "true")
    run(folder, "config", "filter.evil.required", "true")
    hooks = folder.parent / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / name).write_bytes(script.read_bytes())
        (hooks / name).chmod(0o755)
    run(folder, "config", "core.hooksPath", str(hooks))
    flag.unlink(missing_ok=True)
    return script


def test_a_repository_from_elsewhere_runs_nothing(tmp_path: Path) -> None:
    """No hook, monitor, filter, textconv, external diff, pager or signature program runs, though plain git runs them (C176)."""
    flag = tmp_path / "flag"
    folder = repository(tmp_path / "evil", 2)
    trap(folder, flag)
    (folder / "train.py").write_text("changed = 1\n")
    (folder / "a.bin").write_bytes(b"\0\2")
    (folder / "new.py").write_text("1")
    plain = {**os.environ, **WHO}
    subprocess.run(["git", "diff", "HEAD"], cwd=folder, env=plain, capture_output=True, check=False)
    assert flag.read_text().count("trap.sh") > 1, "the trap does not close: this test would prove nothing"
    flag.unlink()
    before = {path: path.stat().st_mtime_ns for path in (folder / ".git").rglob("*")}
    assert git.guess(folder) is not None
    found = things(folder)
    assert found[-1].attrs["dirty"] is True
    assert b"+changed = 1" in found[-1].keep[0].data
    assert git.snapshot(folder) == found[-1]
    assert not flag.exists(), flag.read_text()
    assert {path: path.stat().st_mtime_ns for path in (folder / ".git").rglob("*")} == before


def test_a_filter_that_cannot_be_overruled_is_refused(tmp_path: Path) -> None:
    """A program under a name that `-c` cannot spell stops the reading of the work tree."""
    flag = tmp_path / "flag"
    folder = repository(tmp_path / "eq", 1)
    script = trap(folder, flag)
    with (folder / ".git" / "config").open("a") as handle:
        handle.write(f'[filter "a=b"]\n\tclean = {script}\n')
    (folder / ".gitattributes").write_text("*.py filter=a=b\n")
    (folder / "train.py").write_text("changed = 1\n")
    with pytest.raises(Invalid, match=r"names a program under 'filter\.a=b\.clean'"):
        git.snapshot(folder)
    assert not flag.exists()


def test_a_missing_object_is_not_fetched(tmp_path: Path) -> None:
    """A partial clone whose remote is a program of somebody's asks nobody for what it lacks."""
    flag = tmp_path / "flag"
    folder = repository(tmp_path / "partial", 1)
    script = trap(folder, flag)
    run(folder, "config", "core.repositoryFormatVersion", "1")
    run(folder, "config", "extensions.partialClone", "origin")
    run(folder, "config", "remote.origin.promisor", "true")
    run(folder, "config", "remote.origin.url", f"ext::{script}")
    run(folder, "config", "protocol.ext.allow", "always")
    run(folder, "config", "protocol.file.allow", "always")
    flag.unlink(missing_ok=True)
    lacking = "1" * 40
    with git_reading.Repository(git_reading.Place(folder / ".git", folder)) as opened:
        assert opened.size(lacking) == -1
    run(folder, "config", "remote.origin.url", str(folder))
    run(folder, "config", "remote.origin.uploadpack", str(script))
    with git_reading.Repository(git_reading.Place(folder / ".git", folder)) as opened:
        assert opened.size(lacking) == -1
    assert not flag.exists(), flag.read_text()


def test_a_work_tree_does_not_lead_elsewhere(tmp_path: Path) -> None:
    """A configured work tree is not looked into: a repository cannot have somebody's private files copied into a patch."""
    secret = tmp_path / "private"
    secret.mkdir()
    (secret / "train.py").write_text("my diary\n")
    (secret / "id_ed25519").write_text("key\n")
    folder = repository(tmp_path / "w", 1)
    run(folder, "config", "core.worktree", str(secret))
    found = things(folder)
    assert len(found) == 1
    assert "diary" not in str(found)


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_git_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """Configuration that never ends costs the time limit and no more."""
    folder = repository(tmp_path / "t", 1)
    os.mkfifo(tmp_path / "pipe")
    with (folder / ".git" / "config").open("a") as handle:
        handle.write(f"[include]\n\tpath = {tmp_path / 'pipe'}\n")
    program = git_program.Program(folder / ".git", folder)
    with pytest.raises(Invalid, match="took longer than 0 s"):
        program.run("rev-parse", "HEAD", seconds=0.2)


def test_a_git_that_says_too_much_is_ended(tmp_path: Path) -> None:
    """Output beyond the limit is an error, not memory."""
    folder = repository(tmp_path / "l", 3)
    program = git_program.Program(folder / ".git", folder)
    with pytest.raises(Invalid, match="says more than 0 MiB"):
        program.run("log", limit=100)


def test_forged_objects_are_refused(tmp_path: Path) -> None:
    """An object whose bytes have another id than its name is not believed, though git shows it."""
    folder = repository(tmp_path / "f", 1)
    blob = run(folder, "rev-parse", "HEAD:train.py")
    tree = run(folder, "rev-parse", "HEAD^{tree}")
    for oid, kind, data in ((blob, b"blob", b"lr = 1\n"), (tree, b"tree", b"100644 evil.py\0" + bytes.fromhex(blob))):
        path = folder / ".git" / "objects" / oid[:2] / oid[2:]
        path.chmod(0o644)
        path.write_bytes(zlib.compress(kind + b" %d\0" % len(data) + data))
    assert run(folder, "cat-file", "blob", blob) == "lr = 1"
    with git_reading.Repository(git_reading.Place(folder / ".git", folder)) as opened:
        for oid in (blob, tree):
            with pytest.raises(Invalid, match="its bytes have another id"):
                opened.read(oid)
        with pytest.raises(Invalid, match="not the id of an object"):
            opened.read("HEAD:train.py\nHEAD")
        with pytest.raises(Invalid, match="at most 3 are read"):
            opened.read(blob, 3)


def test_reading_an_object_in_part(tmp_path: Path) -> None:
    """A reader that stops in the middle does not spoil what is read next."""
    folder = repository(tmp_path / "h", 1)
    (folder / "large").write_bytes(os.urandom(1 << 16) * 40)
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "large")
    with git_reading.Repository(git_reading.Place(folder / ".git", folder)) as opened:
        pieces: Any = opened.pieces(run(folder, "rev-parse", "HEAD:large"), 1 << 30)
        next(pieces)
        pieces.close()
        assert opened.read(run(folder, "rev-parse", "HEAD:train.py")) == b"lr = 0\n"
        tree = run(folder, "rev-parse", "HEAD^{tree}")
        entry = opened.find(tree, b"large")
        assert entry is not None
        assert entry.mode == "100644"
        assert opened.find(tree, b"large/x") is None
        assert opened.find(tree, b"no") is None
