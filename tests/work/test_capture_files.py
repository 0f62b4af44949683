"""What a run read and wrote: digests of the bytes it saw, folders as lists, changes noticed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from carnet_store.errors import Invalid, NotFound
from carnet_store.work import capture_files as files
from carnet_store.work.capture_files import Inputs, Reading


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_and_a_folder_are_read(tmp_path: Path) -> None:
    """A folder is the list of its files as `sha256sum` writes it; caches and git's own folder are no part of it."""
    data = tmp_path / "data"
    for name in ("b.csv", "a/x.csv", "a/größe 模型.csv", ".git/HEAD", "__pycache__/x.pyc", ".hidden"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    reading = Reading(tmp_path)
    found = reading.read(Path("data"))
    assert found is not None
    assert found.is_folder
    assert [path for path, _, _ in found.files] == [".hidden", "a/größe 模型.csv", "a/x.csv", "b.csv"]
    assert found.sha256 == sha(found.listing)
    (tmp_path / "list").write_bytes(found.listing)
    subprocess.run(["sha256sum", "--check", "--status", str(tmp_path / "list")], cwd=data, check=True)
    single = reading.read(data / "b.csv")
    assert single is not None
    assert (single.path, single.sha256, single.size) == ("data/b.csv", sha(b"b.csv"), 5)


def test_the_order_on_the_disk_does_not_matter(tmp_path: Path) -> None:
    """The same files make the same list, whichever was made first; an empty folder has one too."""
    for folder, names in (("one", ["a", "b", "B"]), ("two", ["b", "B", "a"])):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(name)
    (tmp_path / "empty").mkdir()
    reading = Reading(tmp_path)
    one, two, empty = (reading.read(Path(name)) for name in ("one", "two", "empty"))
    assert one is not None and two is not None and empty is not None
    assert one.sha256 == two.sha256
    assert (empty.sha256, empty.is_folder) == (sha(b""), True)


def test_names_with_line_feeds_are_written_as_sha256sum_does(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a\nb\\c").write_text("x")
    found = Reading(tmp_path).read(Path("d"))
    assert found is not None
    assert found.listing == f"\\{sha(b'x')}  a\\nb\\\\c\n".encode()


def test_what_cannot_be_read_becomes_a_note(tmp_path: Path) -> None:
    """A pipe, a broken link, a file that is not there: named, and nothing waits for ever."""
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "pipe")
    (tmp_path / "d" / "broken").symlink_to("nowhere")
    (tmp_path / "d" / "ok").write_text("x")
    reading = Reading(tmp_path)
    found = reading.read(Path("d"))
    assert found is not None
    assert [path for path, _, _ in found.files] == ["ok"]
    assert reading.read(Path("gone")) is None
    assert len(reading.notes) == 2
    assert "broken" in reading.notes[0] and "pipe" in reading.notes[0]
    assert "gone cannot be read" in reading.notes[1]


def test_reading_can_be_stopped(tmp_path: Path) -> None:
    """Whoever does not want to wait for digests gets a note in their place."""
    (tmp_path / "big").write_bytes(bytes(3 << 20))
    reading = Reading(tmp_path, stop=lambda: True)
    assert reading.read(Path("big")) is None
    assert "you stopped it" in reading.notes[0]


def test_paths_are_written_as_they_can_be_found_again(tmp_path: Path) -> None:
    """Relative to where the command runs within one project, whole outside of it."""
    (tmp_path / "p" / "sub").mkdir(parents=True)
    reading = Reading(tmp_path / "p" / "sub", tmp_path / "p")
    assert reading.name(Path("x/y.csv")) == "x/y.csv"
    assert reading.name(Path("../data.csv")) == "../data.csv"
    assert reading.name(Path("../../data.csv")) == (tmp_path / "data.csv").as_posix()


# -- inputs --------------------------------------------------------------------------------------------------------------


def test_arguments_name_inputs(tmp_path: Path) -> None:
    """`FILE`, `--flag=FILE`, `key=FILE`; the program itself, folders and what is not there are none."""
    for name in ("a.csv", "b.csv", "c.csv", "prog"):
        (tmp_path / name).write_text(name)
    (tmp_path / "dir").mkdir()
    argv = ["./prog", "a.csv", "--data=b.csv", "k=c.csv", "dir", "nope.csv", "a.csv", "x" * 5000, "-v", "\0"]
    assert [path.name for path in files.named_in(argv, tmp_path)] == ["a.csv", "b.csv", "c.csv"]


def test_a_small_input_is_read_before_the_run_can_change_it(tmp_path: Path) -> None:
    """What a command writes over is recorded as it was when the command began."""
    state = tmp_path / "state.json"
    state.write_text("before")
    reading = Reading(tmp_path)
    inputs = Inputs(reading, [Path("state.json"), Path("state.json")], files.file_clock())
    state.write_text("afterwards")
    inputs.finish()
    (found,) = inputs.contents()
    assert (found.sha256, found.changed) == (sha(b"before"), True)
    assert reading.notes == []


def test_a_large_input_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    """Read while the command runs, its digest may not be of what was read: that is said."""
    big = tmp_path / "big.csv"
    big.write_bytes(bytes(files.READ_FIRST + 1))
    (tmp_path / "still.csv").write_bytes(bytes(files.READ_FIRST + 1))
    reading = Reading(tmp_path)
    inputs = Inputs(reading, [Path("big.csv"), Path("still.csv")], files.file_clock())
    with big.open("ab") as handle:
        handle.write(b"more")
    inputs.finish()
    assert [one.changed for one in inputs.contents()] == [True, False]
    assert len(reading.notes) == 1
    assert "big.csv was written to while the run went on" in reading.notes[0]


def test_a_folder_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("x")
    os.utime(tmp_path / "d" / "old", (1, 1))
    inputs = Inputs(Reading(tmp_path), [Path("d")], files.file_clock())
    inputs.finish()
    assert [one.changed for one in inputs.contents()] == [False]
    (tmp_path / "d" / "old").write_text("y")
    assert [one.changed for one in inputs.contents()] == [True]


def test_an_input_that_is_not_there_stops_everything(tmp_path: Path) -> None:
    """A wrong name is told before anything runs; so is what is neither file nor folder."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound, match=r"nope\.csv"):
        Inputs(Reading(tmp_path), [Path("nope.csv")], 0)
    with pytest.raises(Invalid, match="pipe"):
        Inputs(Reading(tmp_path), [Path("pipe")], 0)


# -- outputs -------------------------------------------------------------------------------------------------------------


def test_what_came_to_be_is_found(tmp_path: Path) -> None:
    """New, changed, moved here with its old time; what was only read, and what tools keep for themselves, is not."""
    for name in ("read.csv", "changed.csv", "gone.csv"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000, 1000))
    elsewhere = tmp_path.parent / "elsewhere.csv"
    elsewhere.write_text("moved")
    os.utime(elsewhere, (1000, 1000))
    before, begun = files.look(tmp_path), files.file_clock()
    (tmp_path / "changed.csv").write_text("xy")
    (tmp_path / "gone.csv").unlink()
    elsewhere.rename(tmp_path / "moved.csv")
    for name in ("new/deep.csv", ".git/index", ".venv/lib.py", "node_modules/a.js", "__pycache__/a.pyc", ".cache/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "read.csv").read_text()
    assert sorted(files.written(before, files.look(tmp_path), begun)) == ["changed.csv", "moved.csv", "new/deep.csv"]


def test_a_file_written_before_the_look_is_found_by_its_time(tmp_path: Path) -> None:
    """The look at what is there takes place while the command runs already: what it wrote by then is new all the same."""
    begun = files.file_clock()
    (tmp_path / "fast.csv").write_text("x")
    before = files.look(tmp_path)
    assert files.written(before, files.look(tmp_path), begun) == ["fast.csv"]


def test_a_file_with_the_time_of_another_is_found(tmp_path: Path) -> None:
    """`cp -p`, `tar x`, `mv` and tools that set times back: written before the look and after it; what got a right or a name alone was not written."""
    for name in ("a", "here", "same", "right", "linked"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000, 1000))
    begun = files.file_clock()
    shutil.copy2(tmp_path / "a", tmp_path / "first")
    (tmp_path / "here").rename(tmp_path / "there")
    before, marked = files.look(tmp_path), files.mark(tmp_path / "same")
    files.file_clock()
    shutil.copy2(tmp_path / "a", tmp_path / "second")
    (tmp_path / "same").write_text("y")
    os.utime(tmp_path / "same", (1000, 1000))
    (tmp_path / "right").chmod(0o700)
    os.link(tmp_path / "linked", tmp_path / "link")
    found = files.written(before, files.look(tmp_path), begun)
    assert sorted(found) == ["first", "link", "same", "second", "there"]
    assert files.differs(marked, files.mark(tmp_path / "same"))
    assert not files.differs(marked, marked)
    assert files.differs(None, marked) and files.differs(marked, files.mark(tmp_path / "nowhere"))


def test_too_many_files_are_not_looked_at(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / str(number)).touch()
    assert files.look(tmp_path, 12).whole
    assert not files.look(tmp_path, 11).whole


@pytest.mark.parametrize(
    ("name", "kind"),
    [("m.pkl", "model"), ("a/M.ONNX", "model"), ("train.py", "code"), ("n.ipynb", "code"), ("report.md", "document"),
     ("x.csv", "dataset"), ("m.json", "dataset"), ("noend", "dataset"), (".pkl", "model")],
)  # fmt: skip
def test_names_tell_what_a_file_is(name: str, kind: str) -> None:
    assert files.kind_of(name) == kind
