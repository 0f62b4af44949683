"""Finding events in files: where they lie, their times, and what damaged or foreign files cost."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, openlineage, openlineage_log
from carnet_store.exchange.importers.things import Source, Thing, Unread


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    """Read a path; every thing must be fit for the record."""
    found = list(importer("openlineage").read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return things, [one for one in found if isinstance(one, Unread)]


def only(things: Iterable[Thing], kind: str, key: str = "") -> Thing:
    """Return the one thing of a kind whose key ends so."""
    (found,) = [thing for thing in things if thing.ref.kind == kind and thing.ref.key.endswith(key)]
    return found


def event(state: str = "COMPLETE", run: Any = "r1", minute: int = 0, **more: Any) -> dict[str, Any]:
    """Return a run event of job `ns|job`; `run` is its id or the whole run, `more` replaces other parts."""
    made: dict[str, Any] = {
        "eventTime": f"2026-03-02T04:{minute:02}:00Z", "eventType": state, "producer": "p", "schemaURL": "s",
        "run": {"runId": run, "facets": {}} if isinstance(run, str) else run, "job": {"namespace": "ns", "name": "job", "facets": {}}, "inputs": [], "outputs": [],
    }  # fmt: skip
    return made | more


def data(name: str, **more: Any) -> dict[str, Any]:
    """Return a dataset of namespace `db`."""
    return {"namespace": "db", "name": name, **more}


def lines(path: Path, *events: Any) -> Path:
    """Write events, one a line; text is written as it is."""
    path.write_text(
        "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in events), encoding="utf-8"
    )
    return path


# -- time ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-03-02T04:00:30+00:00", 1_772_424_030_000_000_000),
        ("2026-03-02T04:00:30Z", 1_772_424_030_000_000_000),
        ("2026-03-02T04:00:30", 1_772_424_030_000_000_000),
        ("2026-03-02T14:00:30+10:00", 1_772_424_030_000_000_000),
        ("2026-03-02T04:00:30.123456789Z", 1_772_424_030_123_456_789),
        ("2026-03-02T04:00:30.9Z", 1_772_424_030_900_000_000),
        ("2026-03-02 04:00:30.5 -0000", 1_772_424_030_500_000_000),
        ("2026-03-02T04:00:30.12+01:00[Europe/Berlin]", 1_772_420_430_120_000_000),
        ("2026-03-02T04:00", 1_772_424_000_000_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_799_000_000_000),
        ("2026-02-30T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
        (1772424030, None),
        (None, None),
    ],
)
def test_times_as_producers_write_them(text: object, ns: int | None) -> None:
    """No zone is UTC; nanoseconds are kept for the order; what is no time is none."""
    assert openlineage_log.time_ns(text) == ns


def test_nanoseconds_decide_the_order(tmp_path: Path) -> None:
    """Two events within one microsecond stand in their own order."""
    early, late = event("RUNNING"), event("START")
    early["eventTime"], late["eventTime"] = "2026-03-02T04:00:00.000000001", "2026-03-02T04:00:00.000000002Z"
    early["producer"], late["producer"] = "first", "second"
    assert only(read(lines(tmp_path / "e.ndjson", late, early))[0], "run").attrs["producer"] == "second"


def test_an_event_without_time_is_read_and_reported(tmp_path: Path) -> None:
    """Its datasets and state count; when it was stays open."""
    broken = event(inputs=[data("x")])
    broken["eventTime"] = "soon"
    things, unread = read(lines(tmp_path / "e.ndjson", broken))
    assert [(one.where, "eventTime" in one.why) for one in unread] == [("e.ndjson:1", True)]
    run = only(things, "run")
    assert (run.attrs["state"], run.at, "ended" in run.attrs, len(run.edges)) == ("COMPLETE", 0, False, 1)


# -- damage --------------------------------------------------------------------------------------------------------------


def test_a_torn_last_line_costs_itself(tmp_path: Path) -> None:
    """What stands before is kept; the line is named."""
    whole, torn = json.dumps(event()), json.dumps(event(run="r2"))
    things, unread = read(lines(tmp_path / "e.ndjson", whole, torn[:90]))
    assert [thing.ref.key for thing in things] == ["r1"]
    assert [one.where for one in unread] == ["e.ndjson:2"] and "JSON" in unread[0].why


def test_a_torn_first_line_costs_itself(tmp_path: Path) -> None:
    """A log that was cut at its start is still one event a line."""
    things, unread = read(lines(tmp_path / "e.ndjson", json.dumps(event())[40:], event(run="r2"), "", event(run="r3")))
    assert [thing.ref.key for thing in things] == ["r2", "r3"]
    assert [one.where for one in unread] == ["e.ndjson:1"]


@pytest.mark.parametrize(
    ("text", "runs", "why"),
    [
        ('[{0},\n{1},\n{2}', 3, "not closed"),
        ('[{0},\n{1},\n{"eventTime": "2026', 2, "middle of an event"),
        ('[{0},\n{1}, 5,\n{2}]', 3, "no event"),
        ('[{0}, {1}, oops]', 2, "no event"),
        ('{\n"eventTime": "2026", "run": {', 0, "middle of an event"),
        ('[{0}, [{1}]]', 1, "not a JSON object"),
        ('{0}\nsome words\n{1}\n', 2, "not JSON"),
        ('{0}\n{"a": 1}\n', 1, "no OpenLineage event"),
        ('{0}\n{"eventTime": "2026-03-02T04:00:00Z", "run": {}, "producer": "p"}\n', 1, "runId"),
        ("{0}\n" + "[" * 100_000 + "\n", 1, "nested too deep"),
        ('{0}\n{"n": ' + "9" * 5_000 + "}\n", 1, "number too long"),
    ],
)  # fmt: skip
def test_damaged_files_give_what_is_whole(tmp_path: Path, text: str, runs: int, why: str) -> None:
    """Each whole event is read; each other place is reported with its reason."""
    for number in range(3):
        text = text.replace(f"{{{number}}}", json.dumps(event(run=f"r{number}")))
    (tmp_path / "e.json").write_text(text, encoding="utf-8")
    if not runs:
        with pytest.raises(Invalid, match="no OpenLineage event") as refused:
            read(tmp_path / "e.json")
        assert why in " ".join(refused.value.reasons)
        return
    things, unread = read(tmp_path / "e.json")
    assert sorted(thing.ref.key for thing in things) == [f"r{n}" for n in range(runs)]
    assert len(unread) == 1 and why in unread[0].why, unread


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A line that is no UTF-8 is reported; its neighbours are read."""
    good = json.dumps(event()).encode()
    (tmp_path / "e.ndjson").write_bytes(good + b"\n" + good.replace(b'"job"', b'"j\xff"', 1) + b"\n")
    things, unread = read(tmp_path / "e.ndjson")
    assert (len(things), [(one.where, one.why) for one in unread]) == (1, [("e.ndjson:2", "it is not UTF-8")])


def test_many_unreadable_lines_are_counted(tmp_path: Path) -> None:
    """Twenty are named, the others stand in one line with their number."""
    _, unread = read(lines(tmp_path / "e.ndjson", event(), *["{broken"] * 1_000))
    assert len(unread) == openlineage_log.NAMED + 1
    assert unread[-1].why.startswith("980 more places")


def test_an_event_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, and its neighbours are found where they are, also by their place."""
    monkeypatch.setattr(openlineage_log, "LONGEST_EVENT", 2_000)
    long = event(run="long", producer="x" * 5_000)
    for path in (lines(tmp_path / "e.ndjson", event(), long, event(run="r2")), tmp_path / "e.json"):
        if path.suffix == ".json":
            path.write_text(json.dumps([event(), long, event(run="r2")]), encoding="utf-8")
        things, unread = read(path)
        assert [thing.ref.key for thing in things] == ["r1", "r2"]
        assert len(unread) == 1 and "longer than 2,000 bytes" in unread[0].why


def test_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    """What was scanned and is no longer there is reported; nothing else is read in its stead."""
    path = lines(tmp_path / "e.ndjson", event(outputs=[data("x" * 70_000)]), event(run="r2"))
    reading = importer("openlineage").read(Source(path))
    assert isinstance(next(reading), Thing)
    path.write_bytes(path.read_bytes().replace(b'"ns"', b'"no"'))
    rest = list(reading)
    assert all(isinstance(one, Unread) and "changed while it was read" in one.why for one in rest) and len(rest) == 2


def test_what_producers_write_beside_the_standard(tmp_path: Path) -> None:
    """NaN, infinity and half a surrogate pair are read; they can stand in the record."""
    text = json.dumps(
        event(run={"runId": "r1", "facets": {"m": {"nan": float("nan"), "inf": float("inf"), "k\ud800": "v\udc00"}}})
    )
    assert "NaN" in text and "\\ud800" in text
    things, unread = read(lines(tmp_path / "e.ndjson", text))
    assert not unread
    assert only(things, "run").attrs["facets"]["m"] == {"nan": "NaN", "inf": "Infinity", "k?": "v?"}


# -- what is there at all ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"[]", b"{}", b"null", b'{"cells": []}', b"\x00\xff\x00", b"a,b\n1,2\n", b"[1, 2", b"{"]
)
def test_files_without_events_are_refused(tmp_path: Path, content: bytes) -> None:
    """One error that says what was expected, never a traceback; `guess` sees nothing in it."""
    (tmp_path / "x.json").write_bytes(content)
    for path in (tmp_path / "x.json", tmp_path):
        assert openlineage.guess(path) is None
        with pytest.raises(Invalid, match="no OpenLineage event"):
            read(path)


def test_folders_without_files_are_refused(tmp_path: Path) -> None:
    """An empty folder, a path that is not there, and a pipe, which must not be waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        assert openlineage.guess(path) is None
        with pytest.raises(Invalid):
            read(path)


def test_a_folder_with_other_files(tmp_path: Path) -> None:
    """JSON that is no event is reported; files of other names and folders inside are not looked at; a link that leads out is not followed."""
    lines(tmp_path / "e.ndjson", event())
    (tmp_path / "package.json").write_text('{"name": "x", "job": {}}')
    (tmp_path / "README.md").write_text("no events")
    (tmp_path / "sub.json").mkdir()
    lines(tmp_path / "sub.json" / "deep.json", event(run="deep"))
    (tmp_path / "near.json").symlink_to("e.ndjson")
    (tmp_path / "far.json").symlink_to(lines(tmp_path.parent / f"{tmp_path.name}.json", event(run="far")))
    things, unread = read(tmp_path)
    assert [thing.ref.key for thing in things] == ["r1"]
    assert [(one.where, one.why.partition(";")[0]) for one in unread] == [
        ("far.json", "a link that leads out of the folder"), ("package.json:1", "it is JSON, but no OpenLineage event"),
    ]  # fmt: skip


def test_guess_says_what_is_there(real_tools: Path, tmp_path: Path) -> None:
    """Events, runs, and the last job; a part of a large file is enough."""
    found = openlineage.guess(real_tools / "openlineage" / "churn_daily.ndjson")
    assert found is not None
    assert (found.kind, found.words, found.things) == (
        "openlineage",
        "OpenLineage, 17 events, 6 runs, last churn_daily.score",
        11,
    )
    folder = openlineage.guess(real_tools / "openlineage")
    assert folder is not None and folder.words.startswith("OpenLineage, 31 events, 13 runs")
    big = lines(tmp_path / "big.log", *(event(run=f"r{n}", producer="x" * 900) for n in range(3_000)))
    large = openlineage.guess(big)
    assert large is not None and "about" in large.words and 2_500 < large.things < 3_500
    assert len(read(big)[0]) == 3_000, "a file that is named may be called anything"


@pytest.mark.parametrize("form", ["lines", "list"])
def test_no_damage_breaks_it(real_tools: Path, tmp_path: Path, form: str) -> None:
    """Cut anywhere, any byte flipped: only `Invalid` may come; of a file cut off, every run whose events are whole is there."""
    raw = (real_tools / "openlineage" / "churn_daily.ndjson").read_bytes()
    if form == "list":
        raw = b"[" + b",\n".join(raw.splitlines()) + b"]"
    path = tmp_path / "e.json"
    rng = random.Random(7)
    for number in range(60):
        cut = rng.randrange(len(raw)) if number % 2 else len(raw)
        damaged = bytearray(raw[:cut])
        for _ in range(0 if number % 2 else rng.randrange(1, 9)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            things, _ = read(path)
        except Invalid:
            assert cut < 4_000
            continue
        whole = damaged.count(b"\n")
        if number % 2 and whole > 1:
            assert sum(sum(t.attrs["events"].values()) for t in things if t.ref.kind == "run") >= min(whole, 15)


@pytest.mark.slow
@pytest.mark.thorough
def test_memory_is_bounded_by_runs_and_datasets(tmp_path: Path) -> None:
    """20,000 events of 4 kB in 10,000 runs are folded in less than a tenth of their size."""
    events = (
        event("START" if n % 2 else "COMPLETE", run=f"{n // 2:032x}", producer="x" * 3_800, inputs=[data(f"t{n % 50}")])
        for n in range(20_000)
    )
    path = tmp_path / "e.ndjson"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in events)
    assert path.stat().st_size > 80_000_000
    tracemalloc.start()
    try:
        runs = sum(isinstance(one, Thing) and one.ref.kind == "run" for one in openlineage.read(Source(path)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert runs == 10_000
    assert peak < 15_000_000, f"{peak:,} bytes"
