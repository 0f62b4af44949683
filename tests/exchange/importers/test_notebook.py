"""Notebooks: cells, the order they were run in, notes, and the runs of papermill."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange.capturing import _fact
from carnet_store.exchange.importers import notebook
from carnet_store.exchange.importers.notebook import cells_of, order_of
from carnet_store.exchange.importers.things import Source, Thing, Unread


def read(path: Path, **more: Any) -> tuple[list[Thing], list[Unread]]:
    found = list(notebook.read(Source(path, **more)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:  # each must be able to stand in a ledger
        canonical.encode(dict(_fact(thing, []).value))
    return things, [one for one in found if isinstance(one, Unread)]


def code(
    source: str = "x", count: int | None = None, *outputs: dict[str, Any], tags: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
        "metadata": {"tags": list(tags)},
    }


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def raw(*cells: Any, **metadata: Any) -> bytes:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


def one(tmp_path: Path, data: bytes, name: str = "n.ipynb") -> Thing:
    (tmp_path / name).write_bytes(data)
    return read(tmp_path / name)[0][0]


@pytest.fixture
def lab(real_tools: Path) -> Path:
    return real_tools / "notebooks"


def run_of(things: list[Thing], name: str) -> Thing:
    return next(thing for thing in things if thing.ref.kind == "run" and thing.name == name)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_papermill_ran_is_a_run_between_two_notebooks(lab: Path) -> None:
    """R042: a notebook is linked to its run: parameters, times, the notebook it began with and the one it made, by content."""
    things, unread = read(lab)
    assert unread == []
    run = run_of(things, "eda.executed")
    assert run.ref == ("run", "papermill", digest(lab / "eda.executed.ipynb"))
    assert run.params == {"seed": "42", "split": "0.3"}
    assert run.attrs["status"] == "finished" and run.attrs["tool"] == "papermill 2.7.0"
    assert run.attrs["command"] == "papermill eda.ipynb eda.executed.ipynb"
    assert (run.attrs["started"], run.attrs["ended"], run.at) == (1795404422343, 1795404429597, 1795404429597)
    begun, made = (
        ("document", "notebook", digest(lab / "eda.ipynb")),
        ("document", "notebook", digest(lab / "eda.executed.ipynb")),
    )
    assert run.edges == [("used", begun), ("made", made)]
    assert {begun, made} <= {thing.ref for thing in things}


def test_what_failed_says_with_what_and_where(lab: Path) -> None:
    """R042: the exception of a run is in the record: its class, its text, its cell."""
    run = run_of(read(lab)[0], "fails.executed")
    assert run.params == {"n": "9"} and run.attrs["status"] == "failed"
    assert run.attrs["exception"] == {"ename": "ValueError", "evalue": "bad n: 9", "cell": 6}
    cells = cells_of((lab / "fails.executed.ipynb").read_bytes())
    assert cells[5].source.startswith("raise ValueError") and cells[5].error == ("ValueError", "bad n: 9")
    assert "\x1b" not in cells[5].outputs[0] and "ValueError" in cells[5].outputs[0]
    assert (cells[6].count, cells[6].error) == (None, None)


def test_a_folder_gives_each_notebook_once(lab: Path) -> None:
    """Four documents, two runs, though the inputs are met twice; the bytes travel along."""
    things, _ = read(lab)
    assert sorted(thing.name for thing in things) == [
        "eda.executed", "eda.executed.ipynb", "eda.ipynb", "fails.executed", "fails.executed.ipynb", "fails.ipynb",
    ]  # fmt: skip
    for thing in things:
        if thing.ref.kind == "document":
            assert thing.keep[0].data == (lab / thing.name).read_bytes()
            assert thing.ref.key == thing.digests["sha256"] == digest(lab / thing.name)
    guess = notebook.guess(lab)
    assert guess is not None and guess.words == "4 notebooks, 2 run by papermill" and guess.things == 4
    assert notebook.guess(lab.parent / "env") is None


def test_notes_are_there_to_be_searched(lab: Path) -> None:
    """R042: Markdown notes and headings are text of the record; what papermill wrote into the notebook is none."""
    things, _ = read(lab)
    executed = next(thing for thing in things if thing.name == "eda.executed.ipynb")
    assert executed.attrs["notes"] == "# Churn EDA\nWhy *age* matters."
    assert executed.attrs["headings"] == ["Churn EDA"] and executed.attrs["title"] == "Churn EDA"
    assert executed.attrs["language"] == "python" and executed.attrs["kernel"] == "Python 3"
    failed = next(thing for thing in things if thing.name == "fails.executed.ipynb")
    assert "notes" not in failed.attrs


@pytest.mark.parametrize(
    ("counts", "order", "wrong"),
    [
        ([1, 2, 3], "in order", []),
        ([1, 5, 9], "in order", []),
        ([None, None], "never run", []),
        ([1, None, 2], "in order", []),
        ([1, 3, 2], "out of order: cell 3", [3]),
        ([4, 1, 5, 2], "out of order: cells 2, 4", [2, 4]),
        ([2, 2], "out of order: cell 2", [2]),
        ([], "no code", []),
    ],
)
def test_cells_that_were_run_out_of_order_are_flagged(
    tmp_path: Path, counts: list[int | None], order: str, wrong: list[int]
) -> None:
    """R042: notebook with out-of-order cells is flagged, each cell that was run before one above it."""
    data = raw(*(code(f"x = {i}", count) for i, count in enumerate(counts)))
    assert [cell.index for cell in cells_of(data) if cell.out_of_order] == wrong
    assert one(tmp_path, data).attrs["order"] == order_of(cells_of(data)) == order


def test_what_a_kernel_did_besides_is_told(tmp_path: Path) -> None:
    """R042: numbers that no cell bears are executions that left no cell; code that was not run is named."""
    attrs = one(tmp_path, raw(markdown("a"), code("x", 1), code("y", 7), code("z", None), code("", None))).attrs
    assert attrs["lost_executions"] == 5 and attrs["not_run"] == [4]
    assert (attrs["cells"], attrs["code_cells"]) == (5, 3)


def test_cells_hold_what_a_terminal_shows() -> None:
    """Text of every output, colours taken out; an image is named with its size, HTML only where there is no text."""
    cells = cells_of(
        raw(
            code(
                "plot()",
                1,
                {"output_type": "stream", "name": "stdout", "text": ["a\n", "\x1b[31mb\x1b[0m"]},
                {
                    "output_type": "display_data",
                    "data": {"text/plain": "<Figure>", "image/png": "AAAA" * 30, "text/html": "<b>"},
                },
                {"output_type": "execute_result", "data": {"text/html": "<script>"}, "execution_count": 1},
                {"output_type": "stream", "text": "x" * 70_000},
                tags=("parameters",),
            ),
            markdown("note"),
        )
    )
    assert cells[0].outputs[:3] == ("a\nb", "<Figure>\n[image/png, 90 bytes]", "[text/html, 8 bytes]")
    assert cells[0].outputs[3].endswith("… 4,464 characters more")
    assert cells[0].digest == hashlib.sha256(b"code\nplot()").hexdigest() and cells[0].tags == ("parameters",)
    assert cells[1].kind == "markdown" and cells[1].digest == hashlib.sha256(b"markdown\nnote").hexdigest()


def test_nbformat_3(tmp_path: Path) -> None:
    """Worksheets, `input`, `prompt_number`, heading cells, `pyout` and `pyerr`: the same cells as today's."""
    old = {
        "nbformat": 3,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": ["Old"]},
                    {"cell_type": "code", "input": ["1/0"], "language": "python", "prompt_number": 2, "outputs": [
                        {"output_type": "pyout", "prompt_number": 2, "text": ["3"], "png": "AAAA"},
                        {"output_type": "pyerr", "ename": "ZeroDivisionError", "evalue": "division", "traceback": []},
                    ]},
                    {"cell_type": "code", "input": "x", "prompt_number": 1, "outputs": []},
                ]
            }
        ],
    }  # fmt: skip
    cells = cells_of(json.dumps(old).encode())
    assert [cell.kind for cell in cells] == ["markdown", "code", "code"]
    assert cells[0].source == "## Old"
    assert cells[1].outputs == ("3\n[image/png, 3 bytes]", "ZeroDivisionError: division")
    assert cells[1].error == ("ZeroDivisionError", "division") and cells[1].count == 2
    attrs = one(tmp_path, json.dumps(old).encode()).attrs
    assert attrs["order"] == "out of order: cell 3" and attrs["headings"] == ["Old"] and attrs["failed_cells"] == [2]


def test_an_input_that_changed_since_is_no_evidence(lab: Path, tmp_path: Path) -> None:
    """R042: the run is linked with the notebook that was run, not with whatever bears its name today."""
    shutil.copyfile(lab / "eda.executed.ipynb", tmp_path / "eda.executed.ipynb")
    (run,) = [t for t in read(tmp_path)[0] if t.ref.kind == "run"]
    assert [relation for relation, _ in run.edges] == ["made"] and run.attrs["reference"] == {"papermill": "eda.ipynb"}
    changed = (lab / "eda.ipynb").read_text().replace("range(100)", "range(999)")
    (tmp_path / "eda.ipynb").write_text(changed)
    things, unread = read(tmp_path / "eda.executed.ipynb")
    run = run_of(things, "eda.executed")
    assert [relation for relation, _ in run.edges] == ["made"] and run.attrs["input_changed"] is True
    assert "differs from the cells" in unread[0].why
    (tmp_path / "eda.ipynb").write_text("{}")
    assert "input_changed" not in run_of(read(tmp_path / "eda.executed.ipynb")[0], "eda.executed").attrs


def test_an_input_elsewhere_is_found_by_the_map(lab: Path, tmp_path: Path) -> None:
    """Paths of the maker's machine are mapped to folders here, as the person says."""
    (tmp_path / "here").mkdir()
    shutil.copyfile(lab / "eda.ipynb", tmp_path / "here" / "eda.ipynb")
    text = (
        (lab / "eda.executed.ipynb")
        .read_text()
        .replace('"input_path": "eda.ipynb"', '"input_path": "/tmp/ana-lab/nb/eda.ipynb"')
    )
    (tmp_path / "out.ipynb").write_text(text)
    things, _ = read(tmp_path / "out.ipynb", maps=[("/tmp/ana-lab/nb", str(tmp_path / "here"))])
    assert run_of(things, "out").edges[0] == ("used", ("document", "notebook", digest(lab / "eda.ipynb")))
    assert [relation for relation, _ in run_of(read(tmp_path / "out.ipynb")[0], "out").edges] == ["made"]


def papermill(**more: Any) -> dict[str, Any]:
    return {
        "input_path": "-",
        "output_path": "o.ipynb",
        "start_time": "2026-01-01T00:00:00",
        "end_time": "2026-01-01T00:00:01",
        **more,
    }


def test_states_of_a_run(tmp_path: Path) -> None:
    """Still running, stopped by an exception, or finished although a cell was allowed to fail."""
    failure = {"output_type": "error", "ename": "E", "evalue": "no", "traceback": []}
    for states, cell, status in (
        (papermill(), code("x", 1), "finished"),
        (papermill(end_time=None), code("x", 1), "running"),
        (papermill(exception=True), code("x", 1), "failed"),
        (papermill(), code("x", 1, failure), "failed"),
        (papermill(), code("x", 1, failure, tags=("raises-exception",)), "finished"),
    ):
        (tmp_path / "n.ipynb").write_bytes(raw(cell, papermill=states))
        run = read(tmp_path)[0][-1]
        assert run.attrs["status"] == status
    assert "exception" not in run.attrs


def test_parameters_keep_their_values(tmp_path: Path) -> None:
    """As the source spells them, names beyond ASCII too."""
    given = {"lr": 1e-05, "n": 3, "on": True, "none": None, "name": "數據", "größe": [1, "a"], "nan": float("nan")}
    (tmp_path / "n.ipynb").write_bytes(raw(code("x", 1), papermill=papermill(parameters=given)))
    params = read(tmp_path)[0][-1].params
    assert params == {
        "lr": "1e-05",
        "n": "3",
        "on": "true",
        "none": "null",
        "name": "數據",
        "größe": '[1, "a"]',
        "nan": "NaN",
    }


@pytest.mark.parametrize(
    "data",
    [
        raw(code("x", 1), papermill=papermill(parameters={"db_password": "hush"})),
        raw(code("x", 1), papermill=papermill(parameters={"db": "postgres://ana:hush@host/x"})),
        raw(code("x", 1), papermill=papermill(environment_variables={"API_TOKEN": "hush"})),
        raw(code("read('https://ana:hush@host/x')", 1), papermill=papermill()),
        raw(markdown("# see https://ana:hush@host/x"), papermill=papermill(input_path="s3://ana:hush@b/n.ipynb")),
        raw(
            code("x", 1, {"output_type": "error", "ename": "E", "evalue": "https://ana:hush@host/"}),
            papermill=papermill(),
        ),
    ],
)
def test_no_secret_enters_the_record(tmp_path: Path, data: bytes) -> None:
    """A parameter, a variable or an address with a password: the digest alone stands for the notebook, and that is said."""
    (tmp_path / "n.ipynb").write_bytes(data)
    things, unread = read(tmp_path)
    assert len(things) == 2 and unread == []
    assert b"hush" not in repr(things).encode()
    assert things[0].attrs["redacted"] is True and things[0].keep == []


def test_long_notebooks_are_cut_where_it_is_said(tmp_path: Path) -> None:
    """Ten thousand cells, long notes, many headings: attributes stay small and say how much they leave out."""
    cells = [markdown(f"# Part {i}\n```\n# no heading\n```\n" + "wörd " * 20) for i in range(5_000)]
    attrs = one(tmp_path, raw(*cells, *(code(f"x{i}", 10_000 - i) for i in range(5_000)))).attrs
    assert attrs["cells"] == 10_000 and len(attrs["headings"]) == 50 and "no heading" not in attrs["headings"]
    assert len(attrs["notes"].encode()) == 12_000 and attrs["notes_left_out"] > 500_000
    assert attrs["order"].endswith("and 4949 more")
    assert len(canonical.encode(attrs)) < 20_000


def test_a_notebook_beyond_the_limit_is_known_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large to travel: digest and cells. Too large to be parsed: the digest, and it is told."""
    data = raw(code("x", 1))
    monkeypatch.setattr(notebook, "KEPT", 10)
    thing = one(tmp_path, data)
    assert thing.keep == [] and thing.attrs["cells"] == 1
    monkeypatch.setattr(notebook, "PARSED", 10)
    (thing,), (unread,) = read(tmp_path / "n.ipynb")
    assert thing.digests == {"sha256": hashlib.sha256(data).hexdigest()} and thing.keep == []
    assert "cells are not read" in unread.why


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "not a notebook"),
        (b'{"nbformat": 5, "cells": []}', "nbformat 5"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": {}}', "no list of cells"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xff", "UTF-8"),
    ],
)
def test_what_is_no_notebook_says_so(tmp_path: Path, data: bytes, said: str) -> None:
    """One message with the place; in a folder the others are read."""
    (tmp_path / "n.ipynb").write_bytes(data)
    with pytest.raises(Invalid, match=said):
        read(tmp_path / "n.ipynb")
    with pytest.raises(Invalid, match=said):
        cells_of(data)
    (tmp_path / "ok.ipynb").write_bytes(raw())
    things, unread = read(tmp_path)
    assert [thing.name for thing in things] == ["ok.ipynb"] and said in unread[0].why


def test_cells_that_are_none_are_told(tmp_path: Path) -> None:
    """Never a silent skip: the cell is named, the others keep their places."""
    (tmp_path / "n.ipynb").write_bytes(
        raw(7, {"cell_type": "video"}, {"cell_type": "code", "outputs": [3], "source": [1, "x"]})
    )
    things, unread = read(tmp_path)
    assert [one.where.rpartition(", ")[2] for one in unread] == ["cell 1", "cell 2"]
    assert things[0].attrs["cells"] == 1
    assert cells_of(raw(7, code("x", 1)))[0].index == 2


def test_hostile_text_stays_data(tmp_path: Path) -> None:
    """Lone surrogates of JSON, markup and steering signs do no harm to the record."""
    data = raw(
        markdown("# \ud800 [red]x[/red] \u202e\x1b]0;t\x07"),
        kernelspec={"display_name": "\udfff"},
        papermill=papermill(),
    )
    assert one(tmp_path, data).attrs["kernel"] == "?"


@pytest.mark.parametrize("name", ["eda.ipynb", "eda.executed.ipynb", "fails.executed.ipynb"])
def test_damage_ends_in_a_message_or_in_things(lab: Path, tmp_path: Path, name: str) -> None:
    """Torn and flipped files are read or refused, never anything else."""
    good, chance = (lab / name).read_bytes(), random.Random(len(name))
    path = tmp_path / name
    for turn in range(120):
        data = bytearray(good)
        if turn < 30:
            del data[chance.randrange(len(data)) :]
        for _ in range(0 if turn < 30 else chance.choice((1, 1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        notebook.guess(path)
        try:
            things, _ = read(path)
        except Invalid:
            continue
        assert things[0].digests == {"sha256": hashlib.sha256(data).hexdigest()}
