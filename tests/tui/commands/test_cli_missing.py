"""What is missing in the metadata, by command."""

from __future__ import annotations

import shlex
from typing import Any


def test_what_is_missing_is_listed_with_figures_and_what_to_type(ana: Any) -> None:
    """R071 R072: every dataset, feature, model and evaluation run with its missing fields; the figures at the end, to the decimal."""
    said = ana.ok("list", "--missing")
    lines = said.out.splitlines()
    assert lines[0].split()[:3] == ["dataset", "telco", "3/10"]  # digest, source, owner; the least complete is first
    assert "licence, schema, rows, time range, created by, access rule, decision" in lines[0]
    assert [line.split()[1:3] for line in lines[1:3]] == [["churn@1", "4/11"], ["r-012", "6/11"]]
    assert lines[-4:] == [
        "datasets: 30.0 % of 10 fields filled; 0 of 1 complete",
        "models: 36.4 % of 11 fields filled; 0 of 1 complete",
        "evaluation runs: 54.5 % of 11 fields filled; 0 of 1 complete",
        "all: 40.6 % of 32 fields filled; 0 of 3 complete",
    ]


def test_the_commands_that_it_names_can_be_typed(ana: Any) -> None:
    """R071: each missing attribute goes from the list by the very command that the list names."""
    data = next(
        row for row in ana.ok("list", "datasets", "--missing", "--json").json["rows"] if row["title"] == "telco"
    )
    assert (data["percent"], data["filled"]) == ("30.0", 3)
    for gone in data["missing"]:
        words = shlex.split(gone["command"])
        if words[:2] == ["carnet", "describe"]:
            ana.ok(*words[1:])
    ana.ok(
        "decide", "Which data?", "--choice", "telco", "--reason", "it has the tenure that we need", "--about", "telco"
    )
    ana.ok("link", "r-012", "made", "telco")
    whole = ana.ok("list", "datasets", "--missing", "--json").json
    assert whole["rows"][0]["missing"] == []
    assert whole["kinds"]["dataset"] == {"things": 1, "complete": 1, "filled": 10, "required": 10, "percent": "100.0"}
    assert "complete" in ana.ok("list", "datasets", "--missing").out


def test_lists_are_bounded_and_kinds_without_a_list_say_so(ana: Any) -> None:
    for at in range(3):
        ana.ok("add", "dataset", f"more-{at}")
    said = ana.ok("list", "datasets", "--missing", "--limit", "2")
    assert "Next: --start 2" in said.err
    assert ana.ok("list", "datasets", "--missing", "--name", "MORE", "--json").json["total"] == 3
    wrong = ana.call("list", "documents", "--missing")
    assert wrong.code == 2
    assert "dataset" in wrong.err
    assert "Nothing here" in ana.ok("list", "features", "--missing").err
