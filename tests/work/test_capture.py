"""A command run and watched, from its start to what would be recorded of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store.errors import Invalid, NotFound
from carnet_store.work import capture, capture_files
from carnet_store.work.capture import Asked, Captured, Thing, collect, default_name

STARTED = 1_776_157_200_000


def sha(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder in no repository."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


Ran = Callable[..., Captured]


@pytest.fixture
def ran(work: Path) -> Iterator[Ran]:
    """Run a Python script in the folder with arguments and options."""

    def run(code: str, *words: str, environ: dict[str, str] | None = None, **options: Any) -> Captured:
        script = work / "train.py"
        if not script.exists() or script.read_text() != code:
            script.write_text(code)
        around = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})}
        argv = (sys.executable, "train.py", *words)
        return collect(Asked(argv, work, around, **{"root": work, **options}), lambda: STARTED)

    yield run


def things(captured: Captured, relation: str, kind: str = "") -> list[Thing]:
    return [one for one in captured.things if one.relation == relation and kind in ("", one.kind)]


def test_a_run_is_described_whole(ran: Ran, work: Path) -> None:
    """R012, R034, R036, R037, R046, R047: one command around an existing one, nothing declared."""
    (work / "data.csv").write_text("x\n1\n")
    captured = ran(
        "import json, random, sys\nrandom.seed(7)\nopen('model.pkl', 'wb').write(b'fit ' + open('data.csv', 'rb').read())\n"
        "json.dump({'metrics': {'val/auc': 0.8, 'loss': float('nan')}, 'seeds': {'split': 3}}, open('carnet.json', 'w'))\n",
        "--data", "data.csv", "--lr", "0.1",
    )  # fmt: skip
    assert (captured.status, captured.code, captured.at) == ("finished", 0, STARTED)
    assert captured.params == {"data": "data.csv", "lr": "0.1"}
    assert captured.metrics == [{"name": "auc", "value": "0.8", "split": "val"}, {"name": "loss", "value": "NaN"}]
    attrs = captured.attrs
    assert attrs["argv"] == [sys.executable, "train.py", "--data", "data.csv", "--lr", "0.1"]
    assert (attrs["cwd"], attrs["exit_code"], attrs["status"]) == (".", 0, "finished")
    assert attrs["ended"] - attrs["started"] == round(float(attrs["seconds"]) * 1000)
    assert attrs["seeds"] == {"random.seed": "7", "split": "3"}
    assert attrs["seeds_set_where"] == {"random.seed": "train.py:2", "split": "carnet.json"}
    assert attrs["controls"]["generators.random"] == "seeded"
    (data,) = things(captured, "used", "dataset")
    assert (data.name, data.key, data.digests) == ("data.csv", ("file", sha("x\n1\n")), {"sha256": sha("x\n1\n")})
    (model,) = things(captured, "made")
    assert (model.kind, model.name, model.keep[0].data) == ("model", "model.pkl", b"fit x\n1\n")
    (place,) = things(captured, "used", "environment")
    assert place.attrs["packages"]["msgspec"]
    assert place.attrs["python"] == ".".join(map(str, sys.version_info[:3]))
    (code,) = things(captured, "used", "code")
    assert (code.attrs["dirty"], attrs["code"]) == ("no git", {"dirty": "no git"})
    assert captured.notes == []
    json.dumps(attrs)


def test_the_same_run_again_has_the_same_things(ran: Ran, work: Path) -> None:
    """What two runs have in common is one thing; the runs themselves are two."""
    (work / "data.csv").write_text("x")
    one, two = (ran("open('out.csv', 'w').write('y')", "data.csv") for _ in range(2))
    assert [thing.key for thing in one.things] == [thing.key for thing in two.things]
    assert one.key != two.key


def test_a_failure_is_recorded_as_one(ran: Ran) -> None:
    """The exit code is the command's; what it wrote before it failed is there."""
    captured = ran("open('part.csv', 'w').write('y'); raise SystemExit(3)")
    assert (captured.status, captured.code, captured.attrs["exit_code"]) == ("failed", 3, 3)
    assert [one.name for one in things(captured, "made")] == ["part.csv"]
    captured = ran("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (captured.code, captured.attrs["signal"], captured.attrs["probe"]) == (137, "SIGKILL", "cut off")
    assert "without a word" in captured.notes[0]


def test_code_in_no_repository_is_kept_by_its_files(ran: Ran, work: Path) -> None:
    """R034: the script and the modules of the folder that it loaded, by digest, with their bytes; libraries are not among them."""
    (work / "lib").mkdir()
    (work / "lib" / "__init__.py").write_text("")
    (work / "lib" / "part.py").write_text("x = 1\n")
    captured = ran("import lib.part, json\n")
    (code,) = things(captured, "used", "code")
    assert [row["path"] for row in code.attrs["files"]] == ["lib/__init__.py", "lib/part.py", "train.py"]
    assert {one.path: one.data for one in code.keep if not one.name}["lib/part.py"] == b"x = 1\n"
    (work / "lib" / "part.py").write_text("x = 2\n")
    assert things(ran("import lib.part, json\n"), "used", "code")[0].key != code.key


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_a_changed_tree_is_recorded_with_its_patch(ran: Ran, work: Path) -> None:
    """R034: never refused, never called clean; the commit stands behind it."""
    (work / "train.py").write_text("pass\n")
    git(work, "init", "-q")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "first")
    clean = ran("pass\n")
    assert clean.attrs["code"]["dirty"] is False
    (commit,) = things(clean, "used", "code")
    assert commit.attrs["dirty"] is False
    (work / "notes.txt").write_text("new\n")
    os.utime(work / "notes.txt", (1, 1))
    dirty = ran("pass  # more\n")
    assert dirty.attrs["code"]["dirty"] is True
    (changed,) = things(dirty, "used", "code")
    assert changed.origin == ("code", *commit.key)
    assert b"pass  # more" in (changed.keep[0].data or b"")
    assert [(one.path, one.data) for one in changed.keep[1:]] == [("notes.txt", b"new\n")]
    assert changed.key == ("git", f"{commit.key[1]}+{changed.keep[0].sha256}")


def test_a_module_that_git_ignores_is_recorded_and_the_tree_not_called_clean(ran: Ran, work: Path) -> None:
    """The commit alone does not give this run again."""
    (work / "secretsauce.py").write_text("lr = 3\n")
    (work / "known.py").write_text("x = 3\n")
    (work / ".gitignore").write_text("secretsauce.py\n")
    (work / "train.py").write_text("import secretsauce, known\n")
    git(work, "init", "-q")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "first")
    captured = ran("import secretsauce, known\n")
    assert captured.attrs["code"]["dirty"] is True
    _, own = things(captured, "used", "code")
    assert [row["path"] for row in own.attrs["files"]] == ["secretsauce.py"]
    assert [one.data for one in own.keep if one.path == "secretsauce.py"] == [b"lr = 3\n"]
    assert "code that ran and that git does not know: secretsauce.py" in captured.notes


def test_an_interpreter_below_the_folder_is_no_code_of_the_script(ran: Ran, work: Path) -> None:
    """A conda environment lies in a project's folder, its standard library with it."""
    (work / "env" / "lib").mkdir(parents=True)
    (work / "env" / "lib" / "std.py").write_text("x = 1\n")
    captured = ran("import sys; sys.prefix = sys.path[0] + '/env'; sys.path.append(sys.prefix + '/lib'); import std\n")
    (code,) = things(captured, "used", "code")
    assert [row["path"] for row in code.attrs["files"]] == ["train.py"]


def test_each_interpreter_that_takes_part_has_its_environment(work: Path, tmp_path: Path) -> None:
    """`make train` calls a helper of the system first and then trains with its own packages."""
    venv.create(tmp_path / "other", symlinks=True, with_pip=False)
    other = tmp_path / "other" / "bin" / "python"
    site = next((tmp_path / "other").glob("lib/python*/site-packages"))
    (site / "churnlib-7.1.dist-info").mkdir()
    (site / "churnlib-7.1.dist-info" / "METADATA").write_text("Name: churnlib\nVersion: 7.1\n\n")
    (work / "helper.py").write_text("x = 1\n")
    (work / "train.py").write_text("import helper\n")
    argv = ("sh", "-c", f"{sys.executable} -c 'pass' && {other} train.py")
    captured = collect(Asked(argv, work, {"PATH": os.environ["PATH"]}, root=work), lambda: STARTED)
    assert captured.attrs["interpreter"] == str(other)
    first, second = things(captured, "used", "environment")
    assert first.attrs["packages"]["churnlib"] == "7.1"
    assert "churnlib" not in second.attrs["packages"]
    assert any(note.startswith("2 interpreters took part") for note in captured.notes)


# -- inputs and outputs --------------------------------------------------------------------------------------------------


def test_what_is_named_is_what_is_recorded(ran: Ran, work: Path) -> None:
    """Files and folders; a folder is one thing, models in it things of their own; what was not named is left alone."""
    (work / "raw").mkdir()
    (work / "raw" / "a.csv").write_text("a")
    (work / "other.csv").write_text("o")
    captured = ran(
        "import os\nos.makedirs('out')\nopen('out/m.pkl', 'w').write('m')\nopen('out/r.md', 'w').write('r')\nopen('stray.csv', 'w')",
        "other.csv", inputs=(Path("raw"),), outputs=(Path("out"), Path("never.csv")),
    )  # fmt: skip
    assert [(one.kind, one.name, one.key[0]) for one in things(captured, "used", "dataset")] == [
        ("dataset", "raw", "files")
    ]
    assert [(one.kind, one.name) for one in things(captured, "made")] == [("dataset", "out"), ("model", "out/m.pkl")]
    assert captured.attrs["outputs"][0]["files"] == 2
    assert captured.notes == ["never.csv was not written"]


@pytest.mark.parametrize("first", [True, False])
def test_a_folder_that_a_run_adds_to_was_another_before(
    ran: Ran, work: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """`--in data --out data`: it read the one and made the other, also where the folder is too large to be read before."""
    if not first:
        monkeypatch.setattr(capture_files, "READ_FIRST", 0)
    (work / "data").mkdir()
    (work / "data" / "a.csv").write_text("a")
    captured = ran("open('data/b.csv', 'w').write('b')\n", inputs=(Path("data"),), outputs=(Path("data"),))
    (used,) = things(captured, "used", "dataset")
    (made,) = things(captured, "made")
    assert (used.attrs["files"], made.attrs["files"]) == (1, 2)
    assert used.key != made.key
    assert not [note for note in captured.notes if note.startswith("data ")]
    captured = ran("import os; os.remove('data/b.csv')\n", inputs=(Path("data"),))
    (used,) = things(captured, "used", "dataset")
    if first:
        assert used.key == made.key
    else:
        assert "data was written to while the run went on: its digest may not be of what was read" in captured.notes


def test_empty_files_join_no_runs(ran: Ran, work: Path) -> None:
    """A flag file of one run and a log without lines of another have the same bytes: they stand in their runs alone."""
    (work / "in.txt").touch()
    code = "open('done.flag', 'w').close(); open('out.csv', 'w').write('a')\n"
    captured = ran(code, inputs=(Path("in.txt"),))
    assert [one.name for one in things(captured, "made")] == ["out.csv"]
    assert things(captured, "used", "dataset") == []
    assert [(row["path"], row["size"]) for row in captured.attrs["outputs"]] == [("done.flag", 0), ("out.csv", 1)]
    assert [row["path"] for row in captured.attrs["inputs"]] == ["in.txt"]
    assert "empty, and so no results of their own: done.flag" in captured.notes


def test_a_model_has_the_name_that_it_was_given(ran: Ran) -> None:
    captured = ran("open('weights.bin', 'w').write('w')", models=(("weights.bin", "churn@3"),))
    (model,) = things(captured, "made")
    assert (model.kind, model.name, model.version, model.attrs["path"]) == ("model", "churn", "3", "weights.bin")


def test_what_the_run_wrote_over_is_its_output_only(ran: Ran, work: Path) -> None:
    """`--out model.json` of the last run is no input of this one."""
    (work / "model.json").write_text("old")
    captured = ran("import sys; open(sys.argv[1], 'w').write('newer')", "model.json")
    assert things(captured, "used", "dataset") == []
    assert [one.digests["sha256"] for one in things(captured, "made")] == [sha("newer")]


def test_a_file_written_with_the_bytes_that_were_read_is_no_result(ran: Ran, work: Path) -> None:
    """Else the run would come from what it made."""
    (work / "a.csv").write_text("same")
    captured = ran("open('b.csv', 'w').write(open('a.csv').read())", "a.csv")
    assert things(captured, "made") == []
    assert "very bytes that the run read" in captured.notes[0]


def test_what_was_there_before_is_not_made(ran: Ran, work: Path) -> None:
    """A named result that the run did not write to, metrics and a word of an earlier run: told, and not taken."""
    for name in ("old.csv", "old.json", "carnet.json"):
        (work / name).write_text('{"metrics": {"auc": 1}}')
    captured = ran("pass", outputs=(Path("old.csv"),), metrics=(Path("old.json"),))
    assert things(captured, "made") == []
    assert captured.metrics == []
    assert len(captured.notes) == 3


def test_a_source_file_that_somebody_edits_meanwhile_is_no_result(ran: Ran, work: Path) -> None:
    (work / "other.py").write_text("x")
    captured = ran("import time; time.sleep(0.1); open('other.py', 'w').write('changed')")
    assert things(captured, "made") == []
    assert "other.py" in captured.notes[0]


def test_many_results_are_one_list(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand small files do not become ten thousand things."""
    from carnet_store.work import capture_assembly

    monkeypatch.setattr(capture_assembly, "OUTPUTS_AT_MOST", 5)
    captured = ran("[open(f'{n:02}.csv', 'w').write(str(n)) for n in range(20)]; open('m.pkl', 'w').write('m')")
    made = things(captured, "made")
    assert [(one.kind, one.name) for one in made] == [("model", "m.pkl"), ("dataset", "outputs")]
    assert made[1].attrs["files"] == 20
    assert (made[1].keep[0].data or b"").count(b"\n") == 20
    assert "20 files were written" in captured.notes[0]


def test_too_many_files_to_look_at_are_told(ran: Ran, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_files.look, "__defaults__", (3,))
    for number in range(5):
        (work / f"{number}.csv").touch()
    captured = ran("open('new.csv', 'w')")
    assert things(captured, "made") == []
    assert "name it with --out" in captured.notes[0]


@pytest.mark.parametrize(("keep", "kept"), [(None, ["small.csv"]), (True, ["big.csv", "small.csv"]), (False, [])])
def test_bytes_are_kept_where_they_are_few(ran: Ran, keep: bool | None, kept: list[str]) -> None:
    """Digests of everything, bytes of small results, of all or of none."""
    captured = ran(
        f"open('big.csv', 'wb').write(bytes({capture.KEPT_FILE + 1})); open('small.csv', 'w').write('s')", keep=keep
    )
    made = things(captured, "made")
    assert [one.name for one in made] == ["big.csv", "small.csv"]
    assert all(len(one.digests["sha256"]) == 64 for one in made)
    assert [row.path for one in made for row in one.keep] == kept


def test_keys_are_never_recorded(ran: Ran, work: Path) -> None:
    """Neither found, nor named, nor in a folder that is named, nor through a link, nor as untracked files of a repository."""
    keys = work / "keys"
    keys.mkdir()
    (keys / "old.json").write_text("SECRET-BYTES")
    os.utime(keys / "old.json", (1, 1))
    (work / "link.json").symlink_to(keys / "old.json")
    code = "open('keys/new.json', 'w').write('SECRET-' + 'BYTES'); open('out.csv', 'w').write('x')"
    environ = {"CARNET_CONFIG": str(keys)}
    everything = [
        ran(code, environ=environ, keep=True),
        ran(
            code,
            environ=environ,
            keep=True,
            inputs=(Path("keys"), Path(), Path("link.json")),
            outputs=(Path(), Path("keys/new.json")),
        ),
        ran(code, private=(keys,), keep=True),
    ]
    git(work, "init", "-q")
    git(work, "commit", "-q", "--allow-empty", "-m", "first")
    everything.append(ran(code, environ=environ, keep=True))
    assert [one.name for one in things(everything[0], "made")] == ["out.csv"]
    assert any("it lies among keys" in note for note in everything[1].notes)
    for captured in everything:
        kept = [row for one in captured.things for row in one.keep]
        assert kept
        assert not any(b"SECRET-BYTES" in (row.data or b"") for row in kept)
        assert not any(row.path.startswith("keys") for row in kept)


# -- figures -------------------------------------------------------------------------------------------------------------


def test_parameters_of_several_sources(ran: Ran, work: Path) -> None:
    """R036: files, then variables, then the command line, then what the command says itself; the last word counts."""
    (work / "p.json").write_text('{"a": 1, "b": 1, "c": 1, "d": 1, "größe": 5}')
    captured = ran(
        "open('carnet.json', 'w').write('{\"params\": {\"d\": 4}}')", "--c", "3", "--d", "3",
        params=(Path("p.json"),), environ={"CARNET_PARAM_b": "2", "CARNET_PARAM_c": "2"},
    )  # fmt: skip
    assert captured.params == {"a": "1", "b": "2", "c": "3", "d": "4", "gr%C3%B6%C3%9Fe": "5"}


def test_a_history_is_one_object(ran: Ran) -> None:
    """R037: the last values stand in the record, every step in one file."""
    captured = ran("open('h.csv', 'w').write('epoch,train/loss\\n1,0.5\\n2,0.25\\n')", metrics=(Path("h.csv"),))
    assert captured.metrics == [{"name": "loss", "value": "0.25", "split": "train", "step": 2}]
    (history,) = captured.keep
    assert (history.name, (history.data or b"").count(b"\n")) == ("metrics_history", 2)
    assert things(captured, "made") == []


def test_a_history_that_was_there_is_another_runs(ran: Ran, work: Path) -> None:
    """Two runs append to one table: each has its own lines."""
    code = "import sys; open('h.csv', 'a').write(sys.argv[1])\n"
    ran(code, "epoch,auc,f1\n1,0.5,0.25\n", metrics=(Path("h.csv"),))
    captured = ran(code, "1,0.75,\n2,0.", metrics=(Path("h.csv"),))
    assert captured.metrics == [{"name": "auc", "value": "0.75", "step": 1}]
    assert "h.csv was there before: only what the run added to it was read" in captured.notes
    assert any(note.startswith("h.csv: line 4 has") for note in captured.notes)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"metrics": {"auc": "good"}}', '{"params": ' + "[" * 5000 + "]" * 5000 + "}", "\x00"]
)
def test_broken_words_of_the_command_are_noted(ran: Ran, text: str) -> None:
    """A run is never lost for a file that it wrote wrong."""
    captured = ran(f"open('carnet.json', 'w').write({text!r})")
    assert captured.status == "finished"
    assert captured.metrics == []
    assert len(captured.notes) == 1


def test_very_many_parameters_are_kept_whole_beside_the_record(ran: Ran, work: Path) -> None:
    """Ten thousand parameters: what an event can hold stands in it, all of them in a file, and it says so."""
    (work / "p.json").write_text(json.dumps({f"p{n}": "x" * 50 for n in range(10_000)}))
    captured = ran("pass", "--long", "y" * 5000, params=(Path("p.json"),))
    assert len(captured.params) == capture.PARAMS_AT_MOST
    (whole,) = captured.keep
    assert len(json.loads(whole.data or b"")) == 10_001
    assert any("params.json" in note for note in captured.notes)


def test_lists_of_files_have_an_end(ran: Ran, work: Path) -> None:
    """Long names by the hundred do not make an event too large: what is cut is counted."""
    for number in range(300):
        (work / f"{number:03}{'x' * 240}").write_text(str(number))
    captured = ran("pass", inputs=tuple(Path(path.name) for path in sorted(work.iterdir())), keep=False)
    assert captured.attrs["inputs_count"] == 300
    assert 0 < len(captured.attrs["inputs"]) < 300
    assert len(json.dumps(captured.attrs)) < 150_000


def test_code_is_kept_whatever_is_kept_of_results(ran: Ran) -> None:
    captured = ran("pass\n", keep=False)
    assert [one.path for one in things(captured, "used", "code")[0].keep] == ["train.py", "files.sha256"]


def test_a_very_long_command_line_is_kept_whole_beside_the_record(ran: Ran) -> None:
    captured = ran("pass", *(f"word{n}" for n in range(4000)))
    assert len(captured.attrs["argv"]) == 100
    (whole,) = captured.keep
    assert (whole.data or b"").count(b"\n") == 4002


def test_bytes_that_are_no_text_are_no_trouble(ran: Ran, work: Path) -> None:
    """Arguments and names of files that are not UTF-8, wide and combining characters."""
    raw = os.fsdecode(b"\xff\xfe")
    (work / "模型 e\u0301.csv").write_text("x")
    captured = ran("import os; open(b'\\xff.csv', 'w').write('x')", raw, "模型 e\u0301.csv", f"--x={raw}")
    assert captured.params["x"] == raw
    assert {one.name for one in things(captured, "used", "dataset")} == {"模型 e\u0301.csv"}


# -- the rest ------------------------------------------------------------------------------------------------------------


def test_without_a_probe_nothing_is_put_before_the_command(ran: Ran) -> None:
    """Its variables are exactly ours."""
    code = "import json, os; json.dump(dict(os.environ), open('e.json', 'w'))"
    environ = {"PYTHONPATH": "/x", "FOO": "bar"}
    captured = ran(code, probe=False, environ=environ, keep=True)
    seen = json.loads(things(captured, "made")[0].keep[0].data or b"")
    assert {name: seen[name] for name in ("PYTHONPATH", "FOO")} == environ
    assert "CARNET_PROBE" not in seen
    assert (captured.attrs["probe"], things(captured, "used", "environment")) == ("off", [])


def test_the_probe_leaves_nothing_behind(ran: Ran, work: Path, tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    ran("pass", environ={"TMPDIR": str(place)})
    assert list(place.iterdir()) == []
    captured = ran("pass", environ={"TMPDIR": str(tmp_path / "gone")})
    assert "seeds and packages were not watched" in captured.notes[0]


def test_a_command_that_is_no_python_is_captured_too(work: Path) -> None:
    """Shells, compiled programs: files, parameters and the machine; of an interpreter nothing is claimed."""
    captured = collect(Asked(("sh", "-c", "echo x > made.csv"), work, {"PATH": os.environ["PATH"]}), lambda: STARTED)
    assert [one.name for one in things(captured, "made")] == ["made.csv"]
    assert captured.attrs["probe"] == "silent"
    assert captured.attrs["machine"]["cores"]
    assert "seeds" not in captured.attrs


def test_what_is_asked_wrongly_is_told_before_anything_runs(work: Path) -> None:
    """A missing input, a broken parameter file, a model without a version, no command: nothing ran."""
    (work / "p.json").write_text("{")
    touch = ("sh", "-c", "touch ran")
    environ = {"PATH": os.environ["PATH"]}
    for error, options in (
        (NotFound, {"inputs": (Path("gone.csv"),)}), (Invalid, {"params": (Path("p.json"),)}), (NotFound, {"params": (Path("gone.json"),)}),
        (Invalid, {"models": (("m.pkl", "churn"),)}), (Invalid, {"argv": ()}), (NotFound, {"argv": ("no-such-program-here",)}),
    ):  # fmt: skip
        asked: dict[str, Any] = {"argv": touch, "folder": work, "environ": environ, **options}
        with pytest.raises(error):
            collect(Asked(**asked), lambda: STARTED)
    assert not (work / "ran").exists()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("python src/train.py --x", "train"), ("python -m pkg.train", "pkg.train"), ("./bin/fit a", "fit"), ("sh -c x", "sh"),
        ("python '学 习.py'", "学-习"), ("/", "run"),
    ],
)  # fmt: skip
def test_a_run_without_a_name_gets_one(line: str, name: str) -> None:
    import shlex

    assert default_name(shlex.split(line), STARTED) == f"{name}-20260414-090000"


def test_the_command_begins_before_what_is_read_beside_it(work: Path) -> None:
    """A large input does not hold it up: it ends before the digest is there."""
    with (work / "big.bin").open("wb") as handle:
        handle.truncate(200 << 20)
    asked = Asked(("sh", "-c", "touch began"), work, {"PATH": os.environ["PATH"]}, inputs=(Path("big.bin"),))
    with capture.Run(asked, lambda: STARTED) as run:
        while run.child.running:
            time.sleep(0.005)
        assert (work / "began").exists()
        captured = run.finish()
    assert captured.hash_ms > 0
    assert things(captured, "used")[0].attrs["size"] == 200 << 20
