"""Exports of the lineage: valid in their format whatever names came in, the same bytes for the same set."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store.errors import Usage
from carnet_store.exchange.lineage_export import COLUMNS, FORMS, ExportEdge, ExportNode, export

LEDGER = "a" * 64
NASTY = 'x"\\];\n<b>&#39;|}-->\x1b[2J\u202e=1+1'


def nodes() -> list[ExportNode]:
    return [
        ExportNode("dataset:d", "dataset", "telco", "3", 1_770_000_000_000, "p" * 64, "Ana", {"sha256": "ab"}, {"rows": 7, "owner": "F", "odd key": 1}),
        ExportNode("run:r", "run", "train", "", 1_770_000_000_000, "p" * 64, "Ana", {}, {"started": 1_770_000_000_000}),
        ExportNode("run:s", "run", "calibrate", ""),
        ExportNode("model:m", "model", NASTY, "7"),
        ExportNode("dataset:far", "dataset", declared=False),
    ]  # fmt: skip


def edges() -> list[ExportEdge]:
    return [
        ExportEdge("run:r", "used", "dataset:d"), ExportEdge("run:r", "made", "model:m"), ExportEdge("model:m", "from", "dataset:d"),
        ExportEdge("run:s", "used", "run:r"), ExportEdge("model:m", "from", "run:s"), ExportEdge("dataset:d", "from", "dataset:far", True),
        ExportEdge("dataset:d", "made", "dataset:far"), ExportEdge("run:r", "used", "dataset:not in the set"),
    ]  # fmt: skip


def test_prov_has_entities_activities_and_the_relations_of_the_standard() -> None:
    """R061: W3C PROV-JSON; each edge under the relation that its ends allow, none lost."""
    found = json.loads(export("prov", LEDGER, nodes(), edges()))
    assert set(found["activity"]) == {"ledger:run-r", "ledger:run-s"}
    assert set(found["entity"]) == {"ledger:dataset-d", "ledger:model-m", "ledger:dataset-far"}
    relations = {
        name: sorted(tuple(sorted(one.items())) for one in rows.values())
        for name, rows in found.items()
        if name not in ("prefix", "entity", "activity", "agent")
    }
    assert {name: len(rows) for name, rows in relations.items()} == {
        "used": 1, "wasGeneratedBy": 2, "wasDerivedFrom": 2, "wasInformedBy": 1, "wasInfluencedBy": 1, "wasAttributedTo": 1, "wasAssociatedWith": 1,
    }  # fmt: skip
    assert relations["used"] == [(("prov:activity", "ledger:run-r"), ("prov:entity", "ledger:dataset-d"))]
    assert relations["wasInfluencedBy"] == [
        (("prov:influencee", "ledger:dataset-far"), ("prov:influencer", "ledger:dataset-d"))
    ]
    telco = found["entity"]["ledger:dataset-d"]
    assert (telco["prov:label"], telco["carnet:version"], telco["carnet:digest.sha256"]) == ("telco@3", "3", "ab")
    assert (telco["carnet:attr.rows"], telco["carnet:declaredAt"]["$"]) == (7, "2026-02-02T02:40:00.000Z")
    assert "carnet:attr.odd key" not in telco
    assert found["activity"]["ledger:run-r"]["prov:startTime"] == "2026-02-02T02:40:00.000Z"
    assert found["entity"]["ledger:dataset-far"]["carnet:declared"] is False
    assert found["agent"]["ledger:person-" + "p" * 64]["prov:label"] == "Ana"
    keys = [key for part in ("entity", "activity", "agent") for key in found[part]]
    assert all(re.fullmatch(r"[a-z]+:[A-Za-z0-9_.%-]+", key) for key in keys)


def test_prov_has_parameters_metrics_and_lists() -> None:
    """What a run was given and what it measured leaves with it, under names that PROV allows."""
    run = ExportNode("run:r", "run", "r", attrs={"argv": ["a", "b"], "odd key": 1, "long": ["x" * 5_000], "none": None},
                     params={"opt.lr": "0.1", "größe/x": "5"}, metrics=[("auc@holdout", "0.84"), ("auc", "NaN")])  # fmt: skip
    found = json.loads(export("prov", LEDGER, [run], []))["activity"]["ledger:run-r"]
    assert {name: value for name, value in found.items() if name.startswith("carnet:")} == {
        "carnet:attr.argv": '["a", "b"]', "carnet:attr.odd%20key": 1, "carnet:param.opt.lr": "0.1",
        "carnet:param.gr%C3%B6%C3%9Fe%2Fx": "5", "carnet:metric.auc%40holdout": "0.84", "carnet:metric.auc": "NaN",
    }  # fmt: skip


def test_a_table_opens_in_a_spreadsheet_and_runs_nothing() -> None:
    """Every edge and every node without one is a row; a name that begins like a formula is set off."""
    more = [*nodes(), ExportNode("code:c", "code", "=cmd|'/c calc'!A1")]
    rows = list(csv.reader(io.StringIO(export("csv", LEDGER, more, edges()))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1 + 7 + 2
    assert ["dataset:d", "from", "dataset:far", "yes", ""] in [[row[0], *row[6:]] for row in rows]
    assert next(row for row in rows if row[0] == "code:c")[2] == "'=cmd|'/c calc'!A1"
    assert not any(cell[:1] in ("=", "+", "-", "@") for row in rows for cell in row)


def test_what_a_recall_concerns_says_so_in_every_format() -> None:
    """The word stands at the node, and nowhere where no recall stands."""
    some = [
        ExportNode("dataset:d", "dataset", "telco", standing="recalled"),
        ExportNode("run:r", "run", "train", standing="tainted"),
        ExportNode("code:c", "code", "repo"),
    ]
    edge = [ExportEdge("run:r", "used", "dataset:d")]
    found = json.loads(export("prov", LEDGER, some, edge))
    assert found["entity"]["ledger:dataset-d"]["carnet:standing"] == "recalled"
    assert found["activity"]["ledger:run-r"]["carnet:standing"] == "tainted"
    assert "carnet:standing" not in found["entity"]["ledger:code-c"]
    assert r'label="dataset\ntelco\nrecalled"' in export("dot", LEDGER, some, edge)
    assert '"run<br/>train<br/>tainted"' in export("mermaid", LEDGER, some, edge)
    rows = {row["id"]: row["standing"] for row in csv.DictReader(io.StringIO(export("csv", LEDGER, some, edge)))}
    assert rows == {"dataset:d": "recalled", "run:r": "tainted", "code:c": ""}


def test_pictures_name_what_closes_a_cycle_and_escape_names() -> None:
    """A name stays within its quotes in DOT and in Mermaid."""
    dot = export("dot", LEDGER, nodes(), edges())
    assert "style=dashed, color=red, constraint=false" in dot
    assert '\\"\\\\];' in dot and "\x1b" not in dot and "\\\\u{202e}" in dot
    flow = export("mermaid", LEDGER, nodes(), edges())
    assert "-.->|from, made|" not in flow and "-.->|from|" in flow
    assert "<b>" not in flow and "#34;" in flow and "\x1b" not in flow
    assert all(
        re.fullmatch(r"  n\d+\S*\[.*|  n\d+[({\[]+\".*\"[)}\]]+|  n\d+ \S+\|.*\| n\d+", line)
        for line in flow.splitlines()[2:]
    )


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it() -> None:
    """The real program takes the file."""
    done = subprocess.run(
        ["dot", "-Tplain"], input=export("dot", LEDGER, nodes(), edges()), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nnode ") == 5


TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), st.sampled_from(sorted(FORMS)), st.randoms())
def test_any_name_gives_a_whole_file_and_the_order_does_not_matter(
    names: list[tuple[str, str]], form: str, chance: Any
) -> None:
    """Whatever people call things: JSON parses, rows have their cells, a line is one statement; the same set gives the same bytes."""
    given_nodes = [ExportNode(f"run:{at}{name}", "run", name, version) for at, (name, version) in enumerate(names)]
    given_edges = [ExportEdge(one.id, "used", given_nodes[0].id) for one in given_nodes[1:]]
    text = export(form, LEDGER, given_nodes, given_edges)
    chance.shuffle(given_nodes)
    chance.shuffle(given_edges)
    assert export(form, LEDGER, given_nodes, given_edges) == text
    if form == "prov":
        assert len(json.loads(text)["activity"]) == len(names)
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert {len(row) for row in rows} == {len(COLUMNS)} and len(rows) == 1 + len(names)
    else:
        head = 2 if form == "mermaid" else 5
        assert len(text.splitlines()) == head + len(names) + len(given_edges)
        assert all(char == "\n" or char.isprintable() for char in text)


def test_an_unknown_format_names_those_there_are() -> None:
    """A slip gets the list."""
    with pytest.raises(Usage, match="svg") as caught:
        export("svg", LEDGER, [], [])
    assert "mermaid" in caught.value.hint
    assert json.loads(export("prov", LEDGER, [], []))["prefix"]
