"""DVC with git's history: results once, wherever they stand; GTO's tags; what stands only in the work tree; the whole way into a record."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk, Project
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import dvc, dvc_gto, git, git_reading
from carnet_store.exchange.importers.things import Source, Thing, Unread
from carnet_store.work.identity import Keyring

Found = tuple[list[Thing], list[Unread]]


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the machine's reaches git."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def run(folder: Path, *args: str, at: int = 1_770_000_000, who: str = "Ana", given: bytes = b"") -> str:
    """Run git in a folder; commits and tags have a fixed time (seconds)."""
    more = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", who), ("EMAIL", f"{who}@x"), ("DATE", f"{at} +0000"))
    }
    more |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return (
        subprocess.run(
            ["git", *args], cwd=folder, env={**os.environ, **more}, input=given, capture_output=True, check=True
        )
        .stdout.decode()
        .strip()
    )


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("_S_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commit(folder: Path, number: int, who: str = "Ana") -> str:
    """Commit all of a folder, minute by minute; return the commit's id."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(folder, "init", "-q", "-b", "main")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "--allow-empty", "-m", f"Step {number}", at=1_770_000_000 + 60 * number, who=who)
    return run(folder, "rev-parse", "HEAD")


def trained(lr: str = "0.1", out: str = "1", data: str = "d") -> str:
    """Return a lock with one stage."""
    return json.dumps({"schema": "2.0", "stages": {"train": {
        "cmd": "python train.py", "deps": [{"path": "data.csv", "hash": "md5", "md5": md5(data)}, {"path": "train.py", "hash": "md5", "md5": md5("code\n")}],
        "params": {"params.yaml": {"lr": float(lr)}}, "outs": [{"path": "model.bin", "hash": "md5", "md5": md5(out)}],
    }}})  # fmt: skip


def read(path: Path) -> Found:
    found = list(dvc.read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    assert len({one.ref for one in things}) == len(things)
    known = {one.ref for one in things}
    assert [to for one in things for _, to in one.edges if to not in known] == []
    return things, [one for one in found if isinstance(one, Unread)]


def runs(things: list[Thing]) -> list[Thing]:
    return [one for one in things if one.ref.kind == "run"]


# -- history -----------------------------------------------------------------------------------------------------------


def test_a_result_at_ten_commits_is_one_run(tmp_path: Path) -> None:
    """It belongs to the first commit in which it stands, by whoever made that; commits that change nothing of DVC's are not looked at."""
    folder = tmp_path / "p"
    folder.mkdir()
    write(folder, README="1")
    commit(folder, 0)
    write(folder, dvc__lock=trained(), train__py="code\n")
    first = commit(folder, 1, "Bo")
    for number in range(2, 12):
        write(folder, README=str(number), dvc__lock=trained() + "\n" * (number % 3))
        commit(folder, number)
    things, unread = read(folder)
    (only,) = runs(things)
    assert unread == []
    assert (only.attrs["commit"], only.attrs["user"], only.at) == (first, "Bo", 1_770_000_060_000)
    assert [one.ref.key for one in things if one.ref.system == "git"] == [first]
    (code,) = [one for one in things if one.name == "train.py"]
    assert (code.ref.kind, code.digests["sha256"], code.attrs["commit"]) == (
        "code",
        hashlib.sha256(b"code\n").hexdigest(),
        first,
    )
    again, _ = read(folder)
    assert again == things


def test_branches_tags_and_experiments_are_read(tmp_path: Path) -> None:
    """A result counts on any branch, behind a tag alone, and as an experiment of DVC's with its name; what no ref leads to does not."""
    folder = tmp_path / "p"
    write(folder, dvc__lock=trained())
    base = commit(folder, 1)
    made = {}
    for number, (name, ref) in enumerate([
        ("branch", "refs/heads/other"), ("remote", "refs/remotes/origin/x"), ("tag", "refs/tags/t"), ("exp", f"refs/exps/{base[:2]}/{base[2:]}/lr-high"),
        ("stash", "refs/exps/stash"), ("gone", ""),
    ], 2):  # fmt: skip
        run(folder, "checkout", "-q", "--detach", base)
        write(folder, dvc__lock=trained(out=name))
        made[name] = commit(folder, number)
        if ref:
            run(folder, "update-ref", ref, made[name])
    run(folder, "checkout", "-q", "main")
    things, _ = read(folder)
    assert [(one.attrs["commit"], one.attrs.get("experiment")) for one in runs(things)] == [
        (base, None), *((made[name], None) for name in ("branch", "remote", "tag")), (made["exp"], "lr-high"),
    ]  # fmt: skip
    run(folder, "bundle", "create", "-q", "../all.bundle", "--all")
    bundled, _ = read(tmp_path / "all.bundle")
    assert [one.ref for one in runs(bundled)] == [one.ref for one in runs(things)]


def test_merges_and_a_project_in_a_folder_of_the_repository(tmp_path: Path) -> None:
    """Results of both sides of a merge are read; paths are told from the repository's top, also when a folder in it is named."""
    folder = tmp_path / "mono"
    write(folder, ml_S_dvc__lock=trained(), **{"other*_S_dvc__lock": trained(out="o")})
    commit(folder, 1)
    run(folder, "checkout", "-q", "-b", "side")
    write(folder, ml_S_dvc__lock=trained(out="side"))
    commit(folder, 2)
    run(folder, "checkout", "-q", "main")
    write(folder, ml_S_dvc__lock=trained(out="main"))
    commit(folder, 3)
    run(folder, "merge", "-q", "-s", "ours", "side", at=1_770_000_300)
    everything, _ = read(folder)
    assert [one.attrs["stage"] for one in runs(everything)] == [
        "ml/dvc.yaml:train",
        "other*/dvc.yaml:train",
        *["ml/dvc.yaml:train"] * 2,
    ]
    here, _ = read(folder / "ml")
    assert [one.ref for one in runs(here)] == [
        one.ref for one in runs(everything) if one.attrs["stage"].startswith("ml/")
    ]
    assert {one.ref.key.rpartition(":")[0] for one in here if one.ref.kind == "dataset"} == {
        "ml/data.csv",
        "ml/model.bin",
    }
    there, _ = read(folder / "other*")
    assert len(runs(there)) == 1


def test_older_commits_beyond_the_bound_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are read, how many were left out is said; a version registered at an old commit is still whole."""
    monkeypatch.setattr(dvc, "MOST_COMMITS", 3)
    folder = tmp_path / "p"
    write(folder, dvc__yaml=json.dumps({"artifacts": {"m": {"path": "model.bin", "type": "model"}}}))
    for number in range(8):
        write(folder, dvc__lock=trained(out=str(number)))
        commit(folder, number)
    run(folder, "tag", "-a", "m@v1.0.0", "-m", "x", "HEAD~6")
    things, unread = read(folder)
    assert [one.attrs["commit"] for one in runs(things)] == [
        *run(folder, "rev-list", "--reverse", "-n", "3", "HEAD").split(),
        run(folder, "rev-parse", "HEAD~6"),
    ]
    assert unread == [Unread("p: history", "5 older commits were left out; the newest 3 with changes of DVC were read")]
    (version,) = [one for one in things if one.ref.system == "gto"]
    assert version.digests == {"md5": md5("1")}


def test_what_stands_only_in_the_work_tree(tmp_path: Path) -> None:
    """A lock that is not committed is read too; its run used the changed code, which is a snapshot of its own."""
    folder = tmp_path / "p"
    write(folder, dvc__lock=trained(), train__py="code\n", model__bin="new")
    head = commit(folder, 1)
    clean, _ = read(folder)
    write(
        folder,
        dvc__lock=trained(out="new"),
        extra__csv__dvc=json.dumps({"outs": [{"path": "extra.csv", "hash": "md5", "md5": md5("e")}]}),
    )
    things, unread = read(folder)
    assert unread == []
    assert things[: len(clean)] == clean
    latest = runs(things)[-1]
    assert (latest.attrs["commit"], latest.attrs["dirty"], latest.at) == (head, True, 0)
    snapshot = git.snapshot(folder)
    assert snapshot is not None
    assert snapshot in things
    assert ("used", snapshot.ref) in latest.edges
    assert {one.name for one in things} - {one.name for one in clean} == {"extra.csv"}
    (made,) = [one for one in things if one.name == "model.bin" and one.ref not in {c.ref for c in clean}]
    assert made.digests["sha256"] == hashlib.sha256(b"new").hexdigest()


def test_code_is_the_same_thing_for_both_importers(tmp_path: Path) -> None:
    """A commit that DVC's importer yields has the values that git's importer gives it, with and without changes on it (R096)."""
    folder = tmp_path / "p"
    write(folder, dvc__lock=trained())
    commit(folder, 1)
    run(folder, "tag", "v1")
    run(folder, "remote", "add", "origin", "https://a:b@host/churn.git")
    write(folder, dvc__lock=trained(out="new"))
    of_git = {one.ref: one for one in git.read(Source(folder)) if isinstance(one, Thing)}
    codes = [one for one in read(folder)[0] if one.ref.system == "git"]
    assert len(codes) == 2
    for one in codes:
        other = of_git[one.ref]
        assert (one.name, one.version, one.attrs, one.at, one.keep) == (
            other.name,
            other.version,
            other.attrs,
            other.at,
            other.keep,
        )


def test_carriage_returns_that_git_took_out(tmp_path: Path) -> None:
    """On Windows DVC hashes a text as it lies there, while git stores it without carriage returns: it is found, with the digest of what was hashed."""
    text = "auc: 0.84\r\nn: 7\r\n"
    folder = tmp_path / "p"
    lock = {
        "stages": {"e": {"cmd": "x", "outs": [{"path": "m.yaml", "hash": "md5", "md5": md5(text), "size": len(text)}]}}
    }
    write(
        folder,
        dvc__lock=json.dumps(lock),
        dvc__yaml=json.dumps({"stages": {"e": {"cmd": "x", "metrics": ["m.yaml"]}}}),
        m__yaml="auc: 0.84\nn: 7\n",
    )
    commit(folder, 1)
    (folder / "m.yaml").unlink()
    things, unread = read(folder)
    assert unread == []
    assert runs(things)[0].metrics == [{"name": "auc", "value": "0.84"}, {"name": "n", "value": "7"}]
    (file,) = [one for one in things if one.name == "m.yaml"]
    assert file.digests == {"md5": md5(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_stale_is_judged_by_what_stands_now(tmp_path: Path) -> None:
    """A run that stands now is stale when its input was made anew since; one that was replaced is judged at its own commit."""
    folder = tmp_path / "p"
    tracked = json.dumps({"outs": [{"path": "data.csv", "hash": "md5", "md5": md5("d")}]})
    write(folder, dvc__lock=trained(), data__csv__dvc=tracked)
    commit(folder, 1)
    write(folder, dvc__lock=trained(out="2"))
    commit(folder, 2)
    assert ["stale" in one.attrs for one in runs(read(folder)[0])] == [False, False]
    write(folder, data__csv__dvc=tracked.replace(md5("d"), md5("newer")))
    commit(folder, 3)
    old, now = runs(read(folder)[0])
    assert "stale" not in old.attrs
    assert now.attrs["stale"] == [{"path": "data.csv", "used": md5("d"), "made": md5("newer"), "by": "data.csv.dvc"}]


# -- repositories that lack something -----------------------------------------------------------------------------------


def test_without_git_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed what stands in the folder is read, and that the history was not is said."""
    folder = tmp_path / "p"
    write(folder, dvc__lock=trained())
    commit(folder, 1)
    with_git, _ = read(folder)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    things, unread = read(folder)
    assert [one.ref for one in runs(things)] == [one.ref for one in runs(with_git)]
    assert unread == [
        Unread(f"{folder}: history", "git is not installed here; only what stands in the folder was read")
    ]


def test_a_folder_that_a_foreign_repository_does_not_know(tmp_path: Path) -> None:
    """A copy of a project inside another repository is read as it stands, with its own paths; one not committed yet as well."""
    folder = tmp_path / "p"
    write(folder, README="1")
    commit(folder, 0)
    write(folder, copy_S_dvc__lock=trained())
    (only,) = runs(read(folder / "copy")[0])
    assert (only.name, "commit" in only.attrs) == ("train", False)
    with pytest.raises(Invalid, match=r"holds no dvc\.yaml"):
        (folder / "empty").mkdir()
        read(folder / "empty")
    fresh = tmp_path / "fresh"
    write(fresh, dvc__lock=trained())
    run(fresh, "init", "-q", "-b", "main")
    (only,) = runs(read(fresh)[0])
    assert "commit" not in only.attrs


def test_a_repository_without_dvc(tmp_path: Path) -> None:
    """A repository that never held anything of DVC's, bare or not, ends in a sentence."""
    folder = tmp_path / "p"
    write(folder, README="1")
    commit(folder, 0)
    run(tmp_path, "clone", "-q", "--bare", "p", "bare.git")
    for path in (folder, tmp_path / "bare.git"):
        with pytest.raises(Invalid, match=r"now or in its history"):
            read(path)


# -- GTO ---------------------------------------------------------------------------------------------------------------


def test_every_kind_of_tag(tmp_path: Path) -> None:
    """Versions, stages, what was taken back and laid to rest are as `gto show` (1.10.1) told them of the same tags; tags about nothing are named."""
    folder = tmp_path / "p"
    artifacts = {
        "tx": {"path": "model.bin", "type": "model", "desc": "XGB"},
        "data": {"path": "data.csv", "type": "dataset"},
        "git-model": {"path": "w.bin"},
        "far": {"path": "s3://bucket/m.pt", "type": "model"},
    }
    write(folder, dvc__yaml=json.dumps({"artifacts": artifacts}), dvc__lock=trained(), w__bin="weights",
          data__csv__dvc=json.dumps({"outs": [{"path": "data.csv", "hash": "md5", "md5": md5("d")}]}),
          sub_S_pipe_S_dvc__yaml=json.dumps({"artifacts": {"deep-model": {"path": "out.txt"}}}),
          sub_S_pipe_S_dvc__lock=json.dumps({"s": {"cmd": "x", "outs": [{"path": "out.txt", "hash": "md5", "md5": md5("o")}]}}))  # fmt: skip
    one = commit(folder, 1)
    clock = iter(range(1_780_000_000, 1_790_000_000))
    for name in (
        "sub/pipe=deep-model@v0.1.0",
        "tx@v0.0.1",
        "data@v0.0.1",
        "loose@v3.0.0-rc.1",
        "git-model@v1.0.0",
        "far@v1.0.0",
        "tx#prod#1",
        "tx#dev#2",
    ):
        run(folder, "tag", "-a", name, "-m", "x", at=next(clock))
    two = commit(folder, 2)
    for name in ("tx@v0.1.0", "tx#prod#3", "tx#dev#4"):
        run(folder, "tag", "-a", name, "-m", "x", two, at=next(clock))
    run(folder, "tag", "-a", "data@deprecated", "-m", "x", one, at=next(clock))
    run(folder, "tag", "-a", "tx#dev!#5", "-m", "x", two, at=next(clock))
    run(folder, "tag", "-a", "tx@v0.0.1!", "-m", "x", one, at=next(clock))
    for name in (
        "nobody#prod#1",
        "loose#prod",
        "x@v1",
        "v1.0.0",
        "y@v01.0.0",
        "tx@v1.0.0?" if os.name == "nt" else "tx@v1.0",
    ):
        run(folder, "tag", "-a", name, "-m", "x", two, at=next(clock))
    things, unread = read(folder)
    versions = {f"{x.name}@{x.version}": x for x in things if x.ref.system == "gto"}
    assert set(versions) == {
        "sub/pipe:deep-model@v0.1.0",
        "tx@v0.0.1",
        "tx@v0.1.0",
        "data@v0.0.1",
        "loose@v3.0.0-rc.1",
        "git-model@v1.0.0",
        "far@v1.0.0",
    }
    assert {name: x.attrs["stages"] for name, x in versions.items() if "stages" in x.attrs} == {"tx@v0.1.0": ["prod"]}
    assert [name for name, x in versions.items() if x.attrs.get("deregistered")] == ["tx@v0.0.1"]
    assert [name for name, x in versions.items() if x.attrs.get("deprecated")] == ["data@v0.0.1"]
    assert {name: x.ref.kind for name, x in versions.items()}["data@v0.0.1"] == "dataset"
    assert [event["event"] for event in versions["tx@v0.1.0"].attrs["history"]] == [
        "registration",
        "assignment",
        "assignment",
        "unassignment",
    ]
    of = {x.ref: x for x in things}
    sources = {name: [of[to].name for _, to in x.edges] for name, x in versions.items()}
    assert sources["sub/pipe:deep-model@v0.1.0"] == ["sub/pipe:deep-model"]
    assert sources["loose@v3.0.0-rc.1"] == sources["git-model@v1.0.0"] == ["p"]
    assert (sources["far@v1.0.0"], versions["far@v1.0.0"].attrs["uri"]) == (["p"], "s3://bucket/m.pt")
    assert versions["git-model@v1.0.0"].digests == {"sha256": hashlib.sha256(b"weights").hexdigest()}
    assert unread == [
        Unread(f"tag {name}", "no version is registered at its commit") for name in ("nobody#prod#1", "loose#prod")
    ]


def test_the_newest_assignment_holds_a_stage(tmp_path: Path) -> None:
    """A stage assigned anew leaves the version before; taken back from the newer one it is the older one's again; equal times go by number."""

    def tag(name: str, commit: str, at: int) -> git_reading.Tag:
        return git_reading.Tag(name, commit, "Ana", at, "")

    tags = [tag("m@v1.0.0", "a", 1), tag("m@v2.0.0", "b", 1), tag("m#prod#1", "a", 2), tag("m#prod#2", "b", 2)]

    def holders(*more: git_reading.Tag) -> dict[str, list[str]]:
        return {one.version: one.stages for one in dvc_gto.registry([*tags, *more])[0]}

    assert holders() == {"v1.0.0": [], "v2.0.0": ["prod"]}
    assert holders(tag("m#prod!#3", "b", 3)) == {"v1.0.0": ["prod"], "v2.0.0": []}
    assert holders(tag("m@v2.0.0!", "b", 3)) == {"v1.0.0": ["prod"], "v2.0.0": []}
    assert holders(tag("m#prod#3", "a", 3)) == {"v1.0.0": ["prod"], "v2.0.0": []}
    many = [tag(f"m@v0.0.{n}", f"c{n}", n) for n in range(10_000)] + [
        tag(f"m#prod#{n}", f"c{n}", n + 1) for n in range(10_000)
    ]
    versions, unread = dvc_gto.registry(many)
    assert [one.version for one in versions if one.stages] == ["v0.0.9999"]
    assert unread == []


# -- the whole way -------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Desk, Project]]:
    """Ana's desk with a project of hers."""
    keyring = Keyring(tmp_path / "keys")
    ana = keyring.new("Ana Ruiz", "ana@example.org")
    with Desk.with_keyring(tmp_path / "work", keyring, ana) as found:
        project, _ = found.found("churn")
        yield found, project


def test_a_project_is_taken_in_once(real_tools: Path, desk: tuple[Desk, Project]) -> None:
    """The real project goes into a record whole, with git's view of the same commits beside it; taken in again it adds nothing (R096)."""
    bundle = real_tools / "dvc" / "churn.gitbundle"
    sources: list[Any] = [("dvc", Source(bundle)), ("git", Source(bundle))]

    def capture() -> capturing.CapturePlan:
        with desk[0].capture_plan(desk[1], sources) as made:
            desk[0].capture(desk[1], made)
        return made

    first = capture()
    assert (first.unread, first.unread_count) == ([], 0)
    assert {kind: number for (kind, state), number in first.counts.items()} == {
        "code": 8,
        "dataset": 13,
        "model": 6,
        "run": 13,
    }
    assert first.newest[1] == "report"
    again = capture()
    assert again.nothing_new
    assert {state for _, state in again.counts} == {"known"}
