"""Which code a run was: commit, difference, untracked files; git runs nothing else and is never written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from carnet_store.exchange.importers.git import snapshot
from carnet_store.work import capture_code
from carnet_store.work.capture_code import Code, read_code, without_userinfo

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
LATER = time.time_ns() + 3600 * 10**9
"""A start that lies ahead: everything that is there was there before."""


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(
        ["git", "-c", "user.name=Ana", "-c", "user.email=a@example.org", *words],
        cwd=folder,
        env=ENVIRON,
        check=True,
        capture_output=True,
    ).stdout


def read(folder: Path, since: int = LATER) -> Code:
    found = read_code(folder, since, ENVIRON)
    assert found is not None
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, on branch `main`, with a remote."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("lr = 0.1\n")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 8)
    (folder / ".gitignore").write_text("ignored/\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "remote", "add", "origin", "https://ana:hunter2@example.org/team/churn.git?token=x")
    return folder


def change(folder: Path) -> None:
    """Change what git tracks in text and in binary, delete, stage, add what it does not track."""
    (folder / "train.py").write_text("lr = 0.2\n")
    (folder / "data.bin").write_bytes(bytes(range(255, -1, -1)) * 8)
    (folder / ".gitignore").unlink()
    (folder / "staged.py").write_text("x = 1\n")
    git(folder, "add", "staged.py")
    (folder / "größe x.py").write_text("no end of line")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "empty.txt").touch()


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    """R034: commit, branch, and where it comes from without user, password and parameters."""
    (repository / "ignored").mkdir()
    (repository / "ignored" / "x.py").write_text("x")
    code = read(repository)
    assert code.commit == git(repository, "rev-parse", "HEAD").decode().strip()
    assert (code.dirty, code.key, code.branch) == (False, code.commit, "main")
    assert (code.remote, code.name, code.inside) == ("https://example.org/team/churn.git", "churn", "")
    (repository / "sub").mkdir()
    assert read(repository / "sub").inside == "sub"


def test_a_changed_tree_can_be_made_again(repository: Path, tmp_path: Path) -> None:
    """R034: commit, patch and untracked files restored elsewhere give the identical tree."""
    change(repository)
    code = read(repository)
    assert code.dirty
    assert code.notes == []
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repository), str(other))
    subprocess.run(["git", "apply", "-"], cwd=other, env=ENVIRON, input=code.text, check=True)
    rows = {row["path"]: row for row in code.untracked}
    for path, data in code.kept:
        (other / path).write_bytes(data)
        if rows[path].get("executable"):
            (other / path).chmod(0o755)
    trees = []
    for folder in (repository, other):
        git(folder, "add", "-A")
        trees.append(git(folder, "write-tree"))
    assert trees[0] == trees[1]


def test_what_another_reader_calls_the_same_tree_is_the_same(repository: Path) -> None:
    """`carnet capture git` and `carnet run` meet on one entity, whatever is changed."""
    for step in range(3):
        if step == 1:
            change(repository)
        elif step == 2:
            (repository / "l").symlink_to("train.py")
        thing = snapshot(repository)
        assert thing is not None
        assert thing.ref.key == read(repository).key


@pytest.fixture
def nested(repository: Path, tmp_path: Path) -> Path:
    """The repository with a submodule `vendor`, which has one `deep/er`; all clean."""
    for name in ("inner", "outer"):
        other = tmp_path / name
        other.mkdir()
        git(other, "init", "-q", "-b", "main")
        (other / "lib.py").write_text(f"{name} = 1\n")
        if name == "outer":
            git(
                other,
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                str(tmp_path / "inner"),
                "deep/er",
            )
        git(other, "add", "-A")
        git(other, "commit", "-q", "-m", "first")
    git(
        repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "outer"), "vendor"
    )
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    git(repository, "commit", "-q", "-m", "a submodule")
    return repository


def same_elsewhere(folder: Path) -> bool:
    """Say whether `carnet capture git` names the tree as `carnet run` does."""
    thing = snapshot(folder)
    return thing is not None and thing.ref.key == read(folder).key


def test_a_submodule_that_is_changed_within_is_not_called_clean(nested: Path) -> None:
    """Edited, added, however deep: what stands in the patch can be applied at the top."""
    assert not read(nested).dirty
    assert same_elsewhere(nested)
    (nested / "vendor" / "lib.py").write_text("outer = 2\n")
    code = read(nested)
    assert code.dirty
    assert b"diff --git a/vendor/lib.py b/vendor/lib.py" in code.text
    assert same_elsewhere(nested)
    git(nested / "vendor", "checkout", "-q", "lib.py")
    (nested / "vendor" / "deep" / "er" / "new.py").write_text("x = 1\n")
    (nested / "vendor" / "deep" / "er" / "lib.py").write_text("inner = 2\n")
    code = read(nested)
    assert [row["path"] for row in code.untracked] == ["vendor/deep/er/new.py"]
    assert code.kept == [("vendor/deep/er/new.py", b"x = 1\n")]
    assert same_elsewhere(nested)
    git(nested / "vendor" / "deep" / "er", "checkout", "-q", "lib.py")
    (nested / "vendor" / "deep" / "er" / "new.py").unlink()
    subprocess.run(["git", "apply"], cwd=nested, env=ENVIRON, check=True, input=code.text)
    assert (nested / "vendor" / "deep" / "er" / "lib.py").read_text() == "inner = 2\n"


def test_a_submodule_that_nobody_can_read_is_not_called_clean(nested: Path) -> None:
    """A work tree whose own repository is gone says nothing of itself."""
    (nested / "vendor" / ".git").write_text("gitdir: /nowhere\n")
    code = read(nested)
    assert (code.dirty, code.trouble) == (True, "the submodule vendor cannot be read")


def test_nothing_that_a_submodule_names_is_run(nested: Path, tmp_path: Path) -> None:
    """Its configuration comes from elsewhere as much as that of the repository."""
    seen = tmp_path / "seen"
    module = nested / "vendor"
    git(module, "config", "core.fsmonitor", f"touch {seen}")
    git(module, "config", "filter.x.clean", f"touch {seen}; cat")
    (module / ".gitattributes").write_text("* filter=x\n")
    (module / "lib.py").write_text("outer = 3\n")
    assert read(nested).dirty
    assert same_elsewhere(nested)
    assert not seen.exists()


def test_files_of_a_submodule_are_known(nested: Path) -> None:
    """They are no code of their own; a repository that only lies in the tree is."""
    other = nested / "ignored" / "other"
    other.mkdir(parents=True)
    git(other, "init", "-q")
    paths = [nested / "vendor" / "lib.py", nested / "vendor" / "deep" / "er" / "lib.py", other / "x.py"]
    paths[2].write_text("x")
    assert capture_code.tracked(read(nested).tops, paths, ENVIRON) == set(paths[:2])


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_was_told_not_to_watch_are_compared(repository: Path, flag: str) -> None:
    """A local edit hidden from `git status` is what ran all the same."""
    git(repository, "update-index", flag, "train.py")
    assert not read(repository).dirty
    assert same_elsewhere(repository)
    (repository / "train.py").write_text("lr = 9\n")
    assert git(repository, "status", "--porcelain") == b""
    code = read(repository)
    assert code.dirty
    assert code.text.startswith(b"# hidden sha256:")
    assert code.kept == [("train.py", b"lr = 9\n")]
    assert any("told not to watch" in note for note in code.notes)
    assert same_elsewhere(repository)
    (repository / "train.py").unlink()
    assert read(repository).dirty is (flag == "--assume-unchanged")  # a sparse checkout lacks files on purpose
    assert same_elsewhere(repository)


def test_files_of_lfs_are_compared_with_their_pointers(repository: Path) -> None:
    """In a copy no stamp is as git noted it: a clean tree stays clean, and no model goes into the patch."""
    data = bytes(range(256)) * 4000
    digest = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n"
    (repository / ".gitattributes").write_text("*.model filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "a.model").write_text(pointer)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "with a model")
    assert not read(repository).dirty  # checked out without its content
    (repository / "a.model").write_bytes(data)
    assert not read(repository).dirty
    assert same_elsewhere(repository)
    (repository / "a.model").write_bytes(b"other" + data)
    code = read(repository)
    assert code.text.startswith(b"# changed sha256:") and len(code.text) < 200
    assert [row["path"] for row in code.large] == ["a.model"]
    assert same_elsewhere(repository)


def test_results_of_the_run_are_no_part_of_its_code(repository: Path) -> None:
    """An untracked file that is newer than the start was written by the run."""
    (repository / "model.json").write_text("{}")
    assert read(repository).dirty
    assert not read(repository, 0).dirty


def test_a_tracked_file_that_changes_meanwhile_is_told(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 0.3\n")
    code = read(repository, 0)
    assert code.dirty
    assert "written to while the code was read: train.py" in code.notes[0]


def test_before_the_first_commit_and_outside_there_is_none(tmp_path: Path) -> None:
    """R034: no repository is told apart from one that has no commit yet."""
    assert read_code(tmp_path, LATER, ENVIRON) is None
    git(tmp_path, "init", "-q")
    assert read(tmp_path).commit == ""


def test_a_worktree_and_a_detached_head_are_read(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    code = read(tmp_path / "tree")
    assert (code.commit, code.branch, code.dirty) == (read(repository).commit, "", False)


def test_without_git_it_is_not_called_clean(repository: Path) -> None:
    """Nobody could tell: that is said, and nothing is claimed."""
    code = read_code(repository, LATER, {"PATH": "/nonexistent"})
    assert code is not None
    assert code.dirty
    assert "git is not installed" in code.notes[0]


def test_a_damaged_repository_is_not_called_clean(repository: Path) -> None:
    for path in (repository / ".git" / "objects").rglob("??*"):
        if path.is_file():
            path.unlink()
    code = read(repository)
    assert code.dirty
    assert code.notes


def test_nothing_that_the_configuration_names_is_run(repository: Path, tmp_path: Path) -> None:
    """Promise 7: hooks, filters, file system monitors, external and textual diffs of a repository from anywhere stay unused."""
    mark = tmp_path / "ran"
    program = tmp_path / "evil.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {mark}\ncat\n')
    program.chmod(0o755)
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.evil.command", "diff.evil.textconv", "diff.external",
                 "core.pager", "core.sshCommand", "core.askPass", "credential.helper"):  # fmt: skip
        git(repository, "config", name, str(program))
    git(repository, "config", "filter.evil.required", "true")
    hooks = repository / ".git" / "hooks"
    for hook in ("post-index-change", "pre-commit", "reference-transaction"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (repository / "train.py").write_text("lr = 0.5\n")
    code = read(repository)
    assert code.dirty
    assert code.text
    assert not mark.exists()
    git_config = repository / ".git" / "config"
    git_config.write_text(git_config.read_text() + f'[filter "a=b"]\n\tclean = {program}\n')
    code = read(repository)
    assert code.dirty
    assert "names a program under" in code.notes[0]
    assert not mark.exists()


def test_reading_writes_nothing(repository: Path) -> None:
    change(repository)
    before = {path: path.stat().st_mtime_ns for path in (repository / ".git").rglob("*")}
    read(repository)
    assert {path: path.stat().st_mtime_ns for path in (repository / ".git").rglob("*")} == before


def test_a_patch_that_is_too_large_has_a_digest_and_no_bytes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_code, "PATCH", 100)
    change(repository)
    code = read(repository)
    assert (code.text, len(code.sha256)) == (b"", 64)
    assert any("its bytes are not kept" in note for note in code.notes)


def test_untracked_files_that_are_large_or_no_text_are_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the digest of the state, so that two states never look alike; their bytes are not kept."""
    (repository / "blob.bin").write_bytes(b"\0" * 100)
    first = read(repository)
    assert first.kept == []
    assert [row["path"] for row in first.untracked] == ["blob.bin"]
    assert "blob.bin" in first.notes[0]
    (repository / "blob.bin").write_bytes(b"\0" * 99 + b"\1")
    assert read(repository).key != first.key
    monkeypatch.setattr(capture_code, "UNTRACKED", 1)
    (repository / "zz.txt").write_text("x")
    counted = read(repository)
    assert (len(counted.untracked), counted.untracked_count) == (1, 2)
    assert b"# untracked 1 more\n" in counted.text


def test_a_slow_git_is_left(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that does not end is ended, and told."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(capture_code, "SECONDS", 0.2)
    code = read_code(repository, LATER, {"PATH": f"{program.parent}:{os.environ['PATH']}"})
    assert code is not None
    assert code.dirty
    assert "took longer" in code.notes[0]


def test_scripts_that_git_knows_need_no_record_of_their_own(repository: Path, tmp_path: Path) -> None:
    (repository / "new.py").write_text("x")
    (repository / "ignored").mkdir()
    (repository / "ignored" / "x.py").write_text("x")
    (tmp_path / "out.py").write_text("x")
    paths = [repository / "train.py", repository / "new.py", repository / "ignored" / "x.py", tmp_path / "out.py"]
    assert capture_code.tracked([repository], paths, ENVIRON) == {repository / "train.py", repository / "new.py"}


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://ana:pw@host/x?token=y#z", "https://host/x"), ("git@host:team/x.git", "host:team/x.git"), ("/srv/x.git", "/srv/x.git"),
        ("ssh://git@host:22/x", "ssh://host:22/x"), ("https://a@b:c@host/x", "https://host/x"), ("", ""),
    ],
)  # fmt: skip
def test_addresses_lose_user_and_password(url: str, clean: str) -> None:
    assert without_userinfo(url) == clean


def test_anything_may_be_a_name(repository: Path) -> None:
    """Quotes, line feeds, bytes that are no text: the state has a key and the record can hold it."""
    names: list[Any] = ["a\nb.py", 'q"x.py', b"\xff.py", " lead.py", "-x.py"]
    for name in names:
        (repository / os.fsdecode(name)).write_text("x")
    code = read(repository)
    assert len(code.untracked) == 5
    for row in code.untracked:
        row["path"].encode()
