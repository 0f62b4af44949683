"""`carnet lineage`: one node, a selection, trees, ways, differences, impact, overviews, exports; text and JSON of the same sets."""

from __future__ import annotations

import csv
import io
import json
import shlex
from typing import Any

import pytest

from carnet_store import Desk


@pytest.fixture
def line(ana: Any) -> Any:
    """A second run and model version from the same data, a slice of it, and a deployment."""
    ana.ok("add", "dataset", "telco eu", "--source", "x", "--owner", "Farid")
    ana.ok("link", "telco eu", "from", "telco")
    ana.ok("add", "run", "r-013", "--command", "python train.py", "--used", "telco", "--used", "telco eu", "--param", "lr=0.3",
           "--metric", "auc=0.8500:holdout")  # fmt: skip
    ana.ok("add", "model", "churn@2", "--made-by", "r-013")
    with Desk.open(start=ana.folder, environ=ana.environ, clock=ana.clock) as desk:
        project = desk.project()
        desk.acts(project).declare("deployment", "eu rollout", edges=[("used", project.resolve("churn@2"))])
    return ana


def titles(said: Any, part: str = "nodes") -> set[str]:
    return {row["title"] for row in said.json[part]}


def test_a_tree_draws_each_node_once_and_points_at_it(line: Any) -> None:
    """R061: up by default; a later mention names the line; hops fold what lies further, with its count."""
    said = line.ok("lineage", "churn@2", "--tree").out.splitlines()
    assert said == [
        "COMES FROM  3 nodes (2 datasets, 1 run)",
        "1 model churn@2",
        "2 └─ made by run r-013",
        "3    ├─ used dataset telco eu",
        "4    │  └─ comes from dataset telco  ↓ line 5",
        "5    └─ used dataset telco",
    ]
    short = line.ok("lineage", "churn@2", "--tree", "--up", "1").out.splitlines()
    assert short[1:] == ["model churn@2", "└─ made by run r-013", "   └─ … 2 more"]
    down = line.ok("lineage", "telco eu", "--tree", "--down", "9").out.splitlines()
    assert down[0].startswith("CAME OF IT  3 nodes (1 deployment, 1 run, 1 model)")
    assert down[-1].endswith("└─ used by deployment eu rollout")
    both = line.ok("lineage", "r-013", "--tree", "--up", "9", "--down", "9", "--json").json
    assert [(row["line"], row["parent"], row["seen"]) for row in both["up"]] == [
        (1, None, None),
        (2, 1, None),
        (3, 2, 4),
        (4, 1, None),
    ]
    assert both["totals"] == {"up": {"dataset": 2}, "down": {"deployment": 1, "model": 1}}


def test_plain_ascii_where_the_terminal_has_no_more(line: Any) -> None:
    """The signs follow CARNET_GLYPHS as everywhere."""
    line.environ["CARNET_GLYPHS"] = "ascii"
    for words in (
        ("churn@2", "--tree"),
        ("telco", "--why", "churn@2"),
        ("churn@1", "--diff", "churn@2"),
        ("--overview", "kind"),
    ):
        assert line.ok("lineage", *words).out.isascii()
    assert "4    |  `- comes from dataset telco  v line 5" in line.ok("lineage", "churn@2", "--tree").out


def test_list_tree_and_json_name_the_same_set(line: Any) -> None:
    """One selection, one set, whichever way it is asked for and shown."""
    wanted = {"churn@2", "r-013", "telco", "telco eu"}
    text = "+model:churn@2"
    assert titles(line.ok("lineage", text, "--json")) == wanted
    assert titles(line.ok("lineage", text, "--tree", "--json"), "up") == wanted
    assert titles(line.ok("lineage", "churn@2", "--tree", "--json"), "up") == wanted
    up = line.ok("lineage", "churn@2", "--up", "9", "--json").json["up"]
    assert {row["title"] for row in up} | {"churn@2"} == wanted
    plain = line.ok("lineage", "churn@2", "--plain", "--up", "9", "--json").json
    assert {row["title"] for row in plain["nodes"]} == wanted and plain["selection"].startswith("9+model:")
    assert titles(line.ok("lineage", plain["selection"], "--json")) == wanted
    listed = line.ok("lineage", text).out.splitlines()
    assert len(listed) == 4 and all(any(title in row for row in listed) for title in wanted)
    found = line.ok("lineage", text, "--json").json
    assert found["count"] == 4 and len(found["edges"]) == 4
    assert found["edges"][0].keys() == {"src", "relation", "dst", "back"}
    table = list(csv.reader(io.StringIO(line.ok("lineage", text, "--export", "csv").out)))
    assert {row[0] for row in table[1:]} == {row["id"] for row in found["nodes"]}


def test_selections_of_every_kind_and_what_is_wrong_with_one(line: Any) -> None:
    """Fields and sets by command; a slip tells its column, a name that is nowhere is no empty list."""
    assert titles(line.ok("lineage", "kind:run", "--json")) == {"r-012", "r-013"}
    assert titles(line.ok("lineage", "param.lr:0.3", "--json")) == {"r-013"}
    assert titles(line.ok("lineage", "churn", "--json")) == {"churn", "churn@1", "churn@2"}
    assert titles(line.ok("lineage", "churn@1 ^ churn@2", "--json")) == {
        "churn@1",
        "r-012",
        "churn@2",
        "r-013",
        "telco eu",
    }
    assert titles(line.ok("lineage", "'telco eu'..churn@2", "--json")) == {"telco eu", "r-013", "churn@2"}
    assert titles(line.ok("lineage", "r-013", "--plain", "--up", "1", "--json")) == {"r-013", "telco", "telco eu"}
    some = line.ok("lineage", "*", "--limit", "2")
    assert len(some.out.splitlines()) == 2 and "2 of 8; --limit" in some.err
    assert "Nothing is selected." in line.ok("lineage", "kind:drill").err
    wrong = line.call("lineage", "knd:run")
    assert (wrong.code, "column 1" in wrong.err, "Did you mean `kind:`?" in wrong.err) == (4, True, True)
    assert line.call("lineage", "nowhere").code == 2
    assert line.call("lineage", "model:churn@9").code == 2
    assert line.call("lineage").code == 2
    assert line.call("lineage", "churn@1", "--why", "telco", "--impact").code == 2
    several = line.call("lineage", "churn", "--why", "telco")
    assert several.code == 2 and "names 3 nodes" in several.err and "churn@1" in several.err


def test_why_names_ways_and_what_stands_on_all_of_them(line: Any) -> None:
    """Either order; shortest first; nothing where no way leads."""
    said = line.ok("lineage", "eu rollout", "--why", "telco").out.splitlines()
    assert said[0] == "dataset telco › deployment eu rollout   2 shortest of 2; 3 nodes lie between"
    assert said[1] == " 1  telco › used by run r-013 › made model churn@2 › used by deployment eu rollout"
    assert said[-1] == "on every way: run r-013, model churn@2"
    found = line.ok("lineage", "telco", "--why", "eu rollout", "--json").json
    assert (found["total"], found["between"], found["turned"], len(found["paths"])) == (2, 3, False, 2)
    assert [row["relation"] for row in found["paths"][0]] == ["", "used", "made", "used"]
    assert [row["title"] for row in found["choke"]] == ["r-013", "churn@2"]
    assert "no way leads" in line.ok("lineage", "r-012", "--why", "r-013").out


def test_diff_lists_the_frontier_of_change(line: Any) -> None:
    """Two versions: what changed in the run, which input is new; JSON has all of it."""
    said = line.ok("lineage", "churn@1", "--diff", "churn@2").out
    assert said.splitlines()[0] == "model churn@1 › churn@2   same 1   only churn@1 0   only churn@2 1   changed 1"
    assert "~ run r-012 › r-013  made churn@1" in said
    assert "param  lr  0.6 › 0.3  -0.3" in said and "auc (holdout)  0.8405 › 0.8500  +0.0095" in said
    assert "+ dataset telco eu  input of r-013" in said
    found = line.ok("lineage", "r-012", "--diff", "r-013", "--json").json
    assert [one["name"] for one in found["root"]["differences"]] == ["lr", "auc (holdout)"]
    assert [one["thing"]["name"] for one in found["added"]] == ["telco eu"]
    assert line.call("lineage", "r-012", "--diff", "churn@1").code == 2


def test_impact_counts_what_came_of_it_and_names_packages(line: Any) -> None:
    """Deployments first; handoffs whose package holds it, or of what came of it."""
    line.ok("handoff", "open", "churn@2")
    said = line.ok("lineage", "telco", "--impact").out
    assert said.splitlines()[0] == "dataset telco   came of it: 6 nodes (1 deployment, 1 dataset, 2 runs, 2 models)"
    assert "no sign-off would turn stale" in said and "churn@2, research to engineering  package holds it" in said
    assert "DEPLOYMENTS\n  eu rollout" in said
    found = line.ok("lineage", "telco", "--impact", "--json").json
    assert (found["kinds"]["run"], len(found["packages"]), found["stale"], found["steps"]) == (2, 1, [], 3)


def test_overviews_and_exports_take_a_selection_or_everything(line: Any) -> None:
    """The graph in the large; files for other tools."""
    whole = line.ok("lineage", "--overview", "kind", "--json").json
    assert dict(map(tuple, whole["groups"]))["run"] == 2 and sorted(whole["components"]) == [1, 7]
    assert ["dataset", "run", 3] in whole["links"]
    assert "2  run" in line.ok("lineage", "--overview", "kind").out
    assert dict(map(tuple, line.ok("lineage", "+churn@1", "--overview", "kind", "--json").json["groups"])) == {
        "dataset": 1, "run": 1, "model": 1,
    }  # fmt: skip
    assert line.call("lineage", "--overview", "colour").code == 2
    prov = json.loads(line.ok("lineage", "--export", "prov").out)
    assert len(prov["activity"]) == 2 and len(prov["entity"]) == 6 and len(prov["used"]) == 3
    assert line.ok("lineage", "churn@2", "--up", "9", "--export", "dot").out.count("->") == 4
    assert line.ok("lineage", "+churn@2", "--export", "mermaid").out.count("-->") == 4


def test_names_from_elsewhere_steer_nothing(ana: Any) -> None:
    """Escapes, direction marks and line breaks in a name come out as signs in every form."""
    evil = "a\x1b]52;c;x\x07\u202eb\nc"
    for kind, name in (("dataset", evil), ("run", "r" + evil)):
        assert ana.call("add", kind, name, *(["--used", evil] if kind == "run" else [])).code == 0
    ids = [row["id"] for row in ana.ok("list", "--json").json["rows"] if "52" in row["name"]]
    data = next(one for one in ids if one.startswith("dataset"))
    run = next(one for one in ids if one.startswith("run"))
    for words in (
        (data,), (data, "--tree"), (run, "--tree"), (data, "--plain"), ("1+" + run,), (data, "--why", run), (run, "--diff", "r-012"), (data, "--impact"),
        ("--overview", "kind"), (run, "--export", "dot"), (run, "--export", "mermaid"), ("--export", "csv"), ("--export", "prov"),
        (data, "--json"), (data, "--tree", "--json"), ("1+" + run, "--json"),
    ):  # fmt: skip
        said = ana.ok("lineage", *words)
        assert not any(sign in said.out + said.err for sign in "\x1b\x07\u202e"), words


def test_the_ways_of_a_column(line: Any) -> None:
    """LINEAGE 4: a column is a line when it is asked for; text and JSON tell the same, wrong names are told with the right ones."""
    line.ok("describe", "telco", "schema=customer: string, tenure: int")
    line.ok("add", "feature", "tenure view@2", "--from", "telco")
    origins = {"months": [{"dataset": "telco", "field": "tenure", "kind": "cast"}]}
    line.ok("describe", "tenure view@2", f"columns={json.dumps(origins)}")
    assert line.ok("lineage", "telco", "--column", "tenure").out.splitlines() == [
        "COMES FROM  nothing",
        "tenure  of telco",
        "CAME OF IT  1 column",
        "tenure  of telco",
        "└─ months  of tenure view@2  (cast)",
    ]
    said = line.ok("lineage", "tenure view@2", "--column", "months", "--json").json
    assert [(row["title"], row["field"], row["how"], row["depth"]) for row in said["up"]] == [
        ("tenure view@2", "months", "", 0),
        ("telco", "tenure", "cast", 1),
    ]
    assert (said["column"]["field"], said["ups"], said["downs"], said["down"][0]["more"]) == ("months", 1, 0, 0)
    assert line.ok("lineage", "telco", "--column", "tenure", "--up", "1").out.splitlines()[-1] == "tenure  of telco"
    assert titles(line.ok("lineage", "col:telco.tenure+", "--json")) == {"telco", "tenure view@2"}
    for wrong in (("telco", "--column", "age"), ("col:telco.age+",)):
        failed = line.call("lineage", *wrong)
        assert failed.code == 2 and "Its columns: customer, tenure." in failed.err
    both = line.call("lineage", "telco", "--column", "tenure", "--impact")
    assert both.code == 2 and "two things" in both.err


def test_everything_that_the_screens_declare_can_be_declared_here(line: Any) -> None:
    """Each kind of node has its command; the edges go along."""
    for kind in ("feature", "deployment", "check", "review", "drill", "incident", "glossary", "environment"):
        line.ok("add", kind, f"a {kind}@3", "--from", "telco", "--attr", "owner=Farid")
        said = line.ok("lineage", f"a {kind}@3", "--json").json
        assert (said["node"]["kind"], said["node"]["attrs"]["owner"], said["ups"]) == (kind, "Farid", 1)


def test_a_recall_is_told_in_every_form(line: Any) -> None:
    """What is recalled and what came of it says so: the node with who and why, each line of lists and trees, every node of JSON."""
    shown = line.ok("lineage", "telco", "--json").json
    assert shown["node"]["standing"] == "" and {row["standing"] for row in shown["down"]} == {""}
    line.ok("recall", "telco", "--reason", "ages of minors were exported by mistake")
    own = " ".join(line.ok("lineage", "telco").out.split())
    assert "recalled by Ana" in own and "ages of minors" in own
    run = " ".join(line.ok("lineage", "r-013").out.split())
    assert "tainted telco was recalled by Ana" in run and "dataset telco recalled" in run
    assert "telco  recalled" in line.ok("lineage", "r-013", "--plain").out
    tree = line.ok("lineage", "churn@2", "--tree").out.splitlines()
    assert all(row.partition("  ↓")[0].endswith(("tainted", "recalled")) for row in tree[1:])
    assert "churn@2  tainted" in line.ok("lineage", "kind:model").out
    told = line.ok("lineage", "telco", "--json").json
    assert told["node"]["standing"] == "recalled" and {row["standing"] for row in told["down"]} == {"tainted"}
    assert {row["standing"] for row in line.ok("lineage", "kind:model", "--json").json["nodes"]} == {"tainted"}


def test_a_decision_and_a_question_are_told_in_full(line: Any) -> None:
    """R044: by their codes, with what they are about and where they are cited."""
    line.ok("decide", "Which holdout?", "--choice", "the last month", "--reason", "It is what we will score.", "--about", "churn@2",
            "--option", "a random tenth: it leaks")  # fmt: skip
    line.ok("ask", "Is it complete?", "--about", "D-1")
    said = line.ok("lineage", "D-1").out
    assert said.startswith("D-1  the last month  decision:") and "a random tenth: it leaks" in said
    assert "cited by    Q-1  Is it complete?" in said and "about       churn@2" in said
    told = line.ok("lineage", "D-1", "--json").json
    assert (told["code"], told["decision"]["choice"], told["about"][0]["title"]) == ("D-1", "the last month", "churn@2")
    assert [one["code"] for one in told["cited"]["questions"]] == ["Q-1"]
    asked = line.ok("lineage", "Q-1", "--json").json
    assert (asked["state"], asked["about"][0]["id"], asked["replies"]) == ("open", told["id"], [])
    assert "Is it complete?" in line.ok("lineage", "Q-1").out


def test_a_recall_is_told_by_ways_differences_impact_overviews_exports_and_lists(line: Any) -> None:
    """Every further form says it too, in words and in JSON; nothing is said where no recall stands."""
    quiet = [("telco", "--why", "churn@2"), ("churn@1", "--diff", "churn@2"), ("telco", "--impact"), ("--overview", "kind"), ("telco", "--export", "csv")]  # fmt: skip
    for words in quiet:
        said = line.ok("lineage", *words).out
        assert "recalled" not in said and "tainted" not in said, words
    line.ok("handoff", "open", "churn@2")
    line.ok("recall", "telco", "--reason", "ages of minors were exported by mistake")
    why = line.ok("lineage", "telco", "--why", "churn@2").out.splitlines()
    assert why[0].startswith("dataset telco (recalled) › model churn@2 (tainted)")
    assert why[1] == " 1  telco (recalled) › used by run r-013 (tainted) › made model churn@2 (tainted)"
    assert why[-1] == "on every way: run r-013 (tainted)"
    diff = line.ok("lineage", "churn@1", "--diff", "churn@2").out
    assert diff.startswith("model churn@1 (tainted) › churn@2 (tainted)") and "+ dataset telco eu (tainted)" in diff
    found = line.ok("lineage", "churn@1", "--diff", "churn@2", "--json").json
    assert found["root"]["left"]["standing"] == found["added"][0]["thing"]["standing"] == "tainted"
    impact = line.ok("lineage", "telco", "--impact").out
    assert impact.startswith("dataset telco (recalled)   came of it") and "churn@2 (tainted), research to" in impact
    assert "eu rollout  tainted" in impact
    assert "recalled: 1, tainted: 6" in line.ok("lineage", "--overview", "kind").out
    assert line.ok("lineage", "+churn@1", "--overview", "kind", "--json").json["recalls"] == {
        "recalled": 1,
        "tainted": 2,
    }
    table = csv.DictReader(io.StringIO(line.ok("lineage", "--export", "csv").out))
    told = {row["name"] + row["version"]: row["standing"] for row in table}
    assert (told["telco"], told["churn2"], told["eu rollout"]) == ("recalled", "tainted", "tainted")
    assert "telco\\nrecalled" in line.ok("lineage", "telco", "--export", "dot").out
    assert "churn@2  tainted" in line.ok("list", "models").out
    assert {row["standing"] for row in line.ok("list", "models", "--json").json["rows"]} == {"tainted"}
    assert "telco  recalled" in line.ok("find", "telco").out
    hits = {row["title"]: row["standing"] for row in line.ok("find", "telco", "--json").json}
    assert (hits["telco"], hits["telco eu"]) == ("recalled", "tainted")


def test_a_recall_is_told_at_the_lines_of_a_column(line: Any) -> None:
    """What holds a column stands as it stands."""
    line.ok("describe", "telco", "schema=customer: string, tenure: int")
    origins = {"months": [{"dataset": "telco", "field": "tenure"}]}
    line.ok("describe", "telco eu", f"columns={json.dumps(origins)}")
    line.ok("recall", "telco", "--reason", "ages of minors were exported by mistake")
    said = line.ok("lineage", "telco", "--column", "tenure").out.splitlines()
    assert (said[1], said[-1]) == ("tenure  of telco  recalled", "└─ months  of telco eu  tainted")
    told = line.ok("lineage", "telco", "--column", "tenure", "--json").json
    assert told["column"]["standing"] == told["up"][0]["standing"] == "recalled"
    assert [row["standing"] for row in told["down"]] == ["recalled", "tainted"]


def test_an_export_of_one_node_is_the_set_of_the_list(line: Any) -> None:
    """Without hops one each way, with its edges, whichever format; with hops, those."""
    for hops in ((), ("--up", "2")):
        listed = line.ok("lineage", "r-013", "--plain", *hops, "--json").json
        table = list(csv.DictReader(io.StringIO(line.ok("lineage", "r-013", *hops, "--export", "csv").out)))
        assert {row["id"] for row in table} == {row["id"] for row in listed["nodes"]}
        assert sum(bool(row["relation"]) for row in table) == len(listed["edges"]) > 0
    assert line.ok("lineage", "r-013", "--export", "dot").out.count("->") == 4
    assert line.ok("lineage", "r-013", "--export", "mermaid").out.count("-->") == 4
    assert len(json.loads(line.ok("lineage", "r-013", "--export", "prov").out)["used"]) == 2
    one = csv.DictReader(io.StringIO(line.ok("lineage", "model:churn@2", "--export", "csv").out))
    assert [row["name"] for row in one] == ["churn"], "a selection is what it says"


def test_an_overview_by_project_counts_every_project_of_the_store(line: Any) -> None:
    """As on the screen; no project has to be chosen for it."""
    line.ok("init", "--project", "second", "--team", "research")
    first, second = line.ok("lineage", "--overview", "project").out.splitlines()
    assert first == "8  churn   1 deployment, 2 datasets, 2 runs, 2 models, 1 set of criteria"
    assert second == "0  second  nothing recorded"
    found = line.ok("lineage", "--overview", "project", "--json").json
    assert found["groups"] == [["churn", 8], ["second", 0]]
    assert (found["projects"][0]["kinds"]["run"], found["projects"][1]["kinds"]) == (2, {})
    wrong = line.call("lineage", "kind:run", "--overview", "project")
    assert wrong.code == 2 and "every project of the store" in wrong.err


def test_a_dataset_tells_how_fresh_it_is_and_who_uses_it(line: Any) -> None:
    """What the catalogue's entry says, by command; other kinds have no entry."""
    told = line.ok("lineage", "telco", "--json").json
    assert told["catalogue"]["users"] == {"model": 2, "deployment": 1, "run": 2, "dataset": 1}
    assert told["catalogue"]["fresh"] == {"t": told["node"]["t"], "by": "declared", "run": ""}
    said = " ".join(line.ok("lineage", "telco").out.split())
    assert "users 2 models, 1 deployment, 2 runs, 1 dataset" in said and ", declared users" in said
    line.ok("add", "dataset", "scores")
    line.ok("link", "r-013", "made", "scores")
    made = line.ok("lineage", "scores", "--json").json["catalogue"]
    assert made["fresh"]["by"].startswith("made by r-013") and made["fresh"]["run"].startswith("run:")
    assert made["users"] == {} and "nothing came of it" in line.ok("lineage", "scores").out
    assert "catalogue" not in line.ok("lineage", "r-013", "--json").json


def test_names_and_stages_that_are_not_there_are_met_halfway(line: Any) -> None:
    """Capitals, slips, stages nobody stands at."""
    assert line.ok("lineage", "CHURN@2", "--json").json["node"]["title"] == "churn@2"
    assert titles(line.ok("lineage", "model:CHURN@2", "--json")) == {"churn@2"}
    slip = line.call("lineage", "chrun@2")
    assert (slip.code, slip.last) == (2, "Next: did you mean churn@2?")
    for more in ((), ("--json",)):
        empty = line.ok("lineage", "stage:operations", *more)
        assert "No model version stands at 'operations'; stages here: research." in empty.err
    assert line.ok("lineage", "stage:operations", "--json").json["nodes"] == []
    assert "stands at" not in line.ok("lineage", "stage:Research").err


def test_counts_are_words(line: Any) -> None:
    """One of a kind is one, several are several, in every form."""
    line.ok("add", "code", "repo")
    line.ok("add", "code", "second repo")
    for name in ("repo", "second repo"):
        line.ok("link", "r-013", "used", name)
    assert line.ok("lineage", "churn@2", "--tree").out.startswith(
        "COMES FROM  5 nodes (2 datasets, 1 run, 2 code snapshots)"
    )
    assert "; 1 node lies between" in line.ok("lineage", "telco", "--why", "churn@1").out
    assert "All of it hangs together: 3 nodes." in line.ok("lineage", "+churn@1", "--overview", "kind").err
    line.ok("link", "telco", "from", "telco eu")
    assert "1 edge closes a cycle" in line.ok("lineage", "--overview", "kind").err


def test_instants_of_sources_are_moments(line: Any) -> None:
    """What a tool's history tells in ms is told as a time, in the node and where two are compared."""
    ids = {}
    with Desk.open(start=line.folder, environ=line.environ, clock=line.clock) as desk:
        project = desk.project()
        for version, at in (("8", 1_795_403_652_000), ("9", 1_795_403_712_000)):
            attrs = {"history": [{"at": at, "event": "registration"}], "rows": 1_795_403_652_000}
            ids[version] = desk.acts(project).declare("model", "churn", version=version, attrs=attrs).entity
    said = line.ok("lineage", "churn@8").out
    assert '[{"at": "2026-11-23 03:14", "event": "registration"}]' in said
    assert "rows 1795403652000" in " ".join(said.split()), "a count stays one"
    diff = line.ok("lineage", "churn@8", "--diff", "churn@9").out
    assert "at 2026-11-23 03:14, event registration › at 2026-11-23 03:15" in diff
    assert line.ok("lineage", "churn@8", "--json").json["node"]["attrs"]["history"][0]["at"] == 1_795_403_652_000


@pytest.mark.parametrize("name", ["-dash", "--up", "esc\x1b[31mred", "two\nlines", "plain name", "a\u202eb"])
def test_the_command_that_comes_next_can_be_pasted(ana: Any, name: str) -> None:
    """A name that is no word of a command line is named by its id."""
    said = ana.ok("add", "dataset", "--", name)
    words = shlex.split(said.last.partition("Next: ")[2])
    assert words[:2] == ["carnet", "lineage"]
    assert ana.ok(*words[1:], "--json").json["node"]["id"] == said.out.strip()


def test_a_change_of_what_is_deployed_nowhere_says_so(ana: Any) -> None:
    """Nothing said is not the same as nowhere."""
    assert "deployed: nowhere that the record knows of" in ana.ok("lineage", "telco", "--impact").out
    assert ana.ok("lineage", "telco", "--impact", "--json").json["deployments"] == []
