"""Annotating notebooks by command."""

from __future__ import annotations

import json
from typing import Any

import pytest


def save(ana: Any, *sources: str, name: str = "explore.ipynb") -> None:
    """Write a notebook with these code cells beside the store."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "source": one, "outputs": [], "metadata": {}, "execution_count": None} for one in sources
    ]
    (ana.folder / name).write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def noted(ana: Any) -> Any:
    """A notebook in the record, its bytes kept."""
    save(ana, "load()", "split(seed=7)", "fit()")
    ana.ok("add", "document", "explore.ipynb", "--file", "explore.ipynb", "--keep")
    return ana


def test_annotate_edit_list_reply_resolve(noted: Any) -> None:
    """R117: annotate; edit the notebook; the annotation is shown at its cell, or as orphaned; threads are answered and resolved."""
    change = noted.ok("annotate", "explore.ipynb", "--cell", "2", "why seven?").out.strip()
    assert (
        noted.ok("annotate", "--list", "explore.ipynb")
        .out.splitlines()[0]
        .startswith(f"cell 2  {change[:12]}  split(seed=7)")
    )
    save(noted, "import x", "load()", "split(seed=8)", "fit()")
    (row,) = noted.ok("annotate", "--list", "explore.ipynb", "--json").json
    assert (row["cell"], row["how"], row["state"], row["text"], row["name"]) == (3, "near", "open", "why seven?", "Ana")
    assert "cell 3, changed since" in noted.ok("annotate", "--list", "explore.ipynb").out
    noted.ok("annotate", "explore.ipynb", "--reply", change[:8], "no reason")
    noted.ok("annotate", "explore.ipynb", "--resolve", change[:8], "eight is as good")
    (row,) = noted.ok("annotate", "--list", "explore.ipynb", "--json").json
    assert [reply["text"] for reply in row["replies"]] == ["no reason"]
    assert (row["state"], row["resolved"]["note"]) == ("resolved", "eight is as good")
    save(noted, "nothing")
    said = noted.ok("annotate", "--list", "explore.ipynb")
    assert "no cell, its cell is gone, resolved by Ana" in said.out
    assert "resolved: eight is as good" in said.out
    assert "1 of 1 fit no cell any more" in said.err
    assert noted.call("annotate", "explore.ipynb", "--resolve", change[:8]).code == 3


def test_a_document_is_read_from_the_store_or_from_a_file_that_is_named(noted: Any) -> None:
    """R117: the bytes kept in the record will do; where they are not kept, a file of it does."""
    noted.ok("annotate", "explore.ipynb", "--cell", "1", "from where?")
    (noted.folder / "explore.ipynb").unlink()
    (row,) = noted.ok("annotate", "--list", "explore.ipynb", "--json").json
    assert (row["cell"], row["how"]) == (1, "exact")
    save(noted, "x", name="bare.ipynb")
    noted.ok("add", "document", "bare", "--file", "bare.ipynb")
    (noted.folder / "bare.ipynb").rename(noted.folder / "moved.ipynb")
    gone = noted.call("annotate", "bare", "--cell", "1", "hm")
    assert gone.code == 2
    assert "--file" in gone.err
    noted.ok("annotate", "bare", "--cell", "1", "hm", "--file", "moved.ipynb")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("explore.ipynb",), 2), (("explore.ipynb", "text"), 2), (("explore.ipynb", "--cell", "1"), 2), (("explore.ipynb", "--cell", "9", "x"), 2),
        (("explore.ipynb", "--cell", "0", "x"), 2), (("explore.ipynb", "--cell", "1", "--list", "x"), 2), (("explore.ipynb", "--reply", "zzzz", "x"), 2),
        (("explore.ipynb", "--reply", "ab", "x"), 2), (("nowhere.ipynb", "--list"), 2), (("telco.csv", "--list"), 2), (("telco", "--list"), 2),
        (("explore.ipynb", "--list", "--file", "gone.ipynb"), 2), (("explore.ipynb", "--list", "--file", "telco.csv"), 4),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_to_type(noted: Any, words: tuple[str, ...], code: int) -> None:
    said = noted.call("annotate", *words)
    assert said.code == code, said.err
    assert "Next:" in said.err


def test_secrets_of_a_cell_do_not_travel_in_its_excerpt(ana: Any) -> None:
    """The excerpt is signed and goes out in bundles: what looks like a secret is taken out of it."""
    token = "ghp_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
    save(ana, f"client = Client(token='{token}')")
    ana.ok("add", "document", "explore.ipynb", "--file", "explore.ipynb")
    ana.ok("annotate", "explore.ipynb", "--cell", "1", "take this out")
    (row,) = ana.ok("annotate", "--list", "explore.ipynb", "--json").json
    assert token not in row["excerpt"]
    assert row["excerpt"].startswith("client = Client(token=")
    assert (row["cell"], row["how"]) == (1, "exact")


def test_hostile_notebooks_steer_nothing(ana: Any) -> None:
    """Promise 7: cells, texts and names from elsewhere are data."""
    evil = "\x1b]0;owned\x07\x1b[31m‮print(1)"
    save(ana, evil)
    ana.ok("add", "document", "explore.ipynb", "--file", "explore.ipynb")
    ana.ok("annotate", "explore.ipynb", "--cell", "1", evil)
    for words in (
        ["annotate", "--list", "explore.ipynb"],
        ["annotate", "--list", "explore.ipynb", "--json"],
        ["log"],
        ["find", "print"],
    ):
        done = ana.ok(*words)
        assert not set(done.out + done.err) & set("\x1b\x07‮"), words


def test_an_annotation_travels(noted: Any, machine: Any) -> None:
    """R117: annotations go out with a bundle and are read on the other side."""
    noted.ok("annotate", "explore.ipynb", "--cell", "2", "why seven?")
    tom = machine("Tom")
    bundle = noted.send(tom)
    ledger = noted.ok("verify", "--json").json["projects"][0]["ledger"]
    tom.ok("import", bundle.name, "--trust", ledger)
    (row,) = tom.ok("annotate", "--list", "explore.ipynb", "--json").json
    assert (row["cell"], row["text"]) == (2, "why seven?")
    assert [hit["where"] for hit in tom.ok("find", "why", "seven", "--json").json] == ["annotation"]
