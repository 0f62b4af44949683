"""What two people say apart of one thing: shown to both with what settles it, settled by who has seen both; readings of a source are none."""

from __future__ import annotations

from typing import Any


def conflicts(here: Any, name: str) -> list[str]:
    """Return the names of what is in conflict."""
    found: list[str] = here.ok("lineage", name, "--json").json["node"]["conflicts"]
    return found


def swap(ana: Any, other: Any) -> None:
    """Each takes in what the other holds."""
    other.send(ana)
    ana.ok("import", "b.carnet.zip")
    ana.send(other)
    other.ok("import", "b.carnet.zip")


def test_one_attribute_said_apart_waits_for_both_and_saying_it_anew_settles_it(pair: tuple[Any, Any]) -> None:
    """R093: status names the command; the one who runs it goes over both, also with the same words as before."""
    ana, other = pair
    ana.ok("describe", "telco", "owner=Ana")
    other.ok("describe", "telco", "owner=Bo")
    other.send(ana)
    assert "1 conflict to settle. Next: carnet status" in ana.ok("import", "b.carnet.zip").err
    ana.send(other)
    other.ok("import", "b.carnet.zip")
    for here in pair:
        assert conflicts(here, "telco") == ["owner"]
        shown = here.ok("status").out
        assert "owner said apart: carnet describe telco owner=TEXT" in shown
    for words in (
        ("comment", "r-012", "seen"),
        ("answer", "churn@1", "framing.problem", "--unknown"),
        ("describe", "telco", "licence=MIT"),
    ):
        ana.ok(*words)  # what is written elsewhere takes nothing off the list
        assert ana.ok("status").out.count("owner said apart") == 1
    ana.ok("describe", "telco", "owner=Ana")
    assert conflicts(ana, "telco") == [] and "said apart" not in ana.ok("status").out
    ana.send(other)
    assert "to settle" not in other.ok("import", "b.carnet.zip").err
    assert conflicts(other, "telco") == [] and "said apart" not in other.ok("status").out
    assert other.ok("lineage", "telco", "--json").json["node"]["attrs"]["owner"] == "Ana"


def test_criteria_set_apart_wait_for_both_too(pair: tuple[Any, Any]) -> None:
    ana, other = pair
    ana.ok("add", "criteria", "churn", "--row", "primary: auc >= 0.80")
    swap(ana, other)
    ana.ok("add", "criteria", "churn", "--row", "primary: auc >= 0.83")
    other.ok("add", "criteria", "churn", "--row", "primary: auc >= 0.85")
    swap(ana, other)
    assert "criteria said apart: carnet add criteria churn" in other.ok("status").out
    other.ok("add", "criteria", "churn", "--row", "primary: auc >= 0.84")
    assert "said apart" not in other.ok("status").out
    swap(ana, other)
    assert "said apart" not in ana.ok("status").out


def test_two_readings_of_one_source_are_no_conflict(pair: tuple[Any, Any]) -> None:
    """A source that went on between two readings: the later one is shown, and nobody is asked to settle anything."""
    ana, other = pair
    for here, note, loss in ((ana, "first", "0.9"), (other, "second", "0.4")):
        here.ok(
            "add", "run", "r-77", "--source-id", "mlflow=r-77", "--attr", f"note={note}", "--metric", f"loss={loss}"
        )
    swap(ana, other)
    for here in pair:
        assert conflicts(here, "r-77") == [] and "said apart" not in here.ok("status").out
    first, second = (here.ok("lineage", "r-77", "--json").json["node"] for here in pair)
    assert first["attrs"] == second["attrs"] and first["metrics"] == second["metrics"]
    assert second["attrs"]["note"] == "second" and second["metrics"][0]["value"] == "0.4"
