"""The catalogue entry of a dataset: what is known and missing, filling it, its users, and the jumps from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_store.domain import columns
from carnet_tui.screens import inbox, opening
from carnet_tui.views import catalogue_reading, catalogue_view, inbox_view
from carnet_tui.widgets.line_list import LineList

Text = Callable[[Any], str]
DAY = 86_400_000


@pytest.fixture(scope="module")
def read_only(places: ModuleType, tmp_path_factory: Any) -> Iterator[Any]:
    """The tour with a dataset that a run made, in two versions, asked and decided about; the clock stands."""
    folder = tmp_path_factory.mktemp("catalogue")
    tour = places.build(folder, {"CARNET_CONFIG": str(folder / "config")}, runs=3)
    enrich(tour)
    tour.clock.step = 0
    yield tour
    tour.desk.close()


@pytest.fixture
def small(places: ModuleType, tmp_path: Any) -> Iterator[Any]:
    """A project with a dataset that nothing is known of."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.ids["bare"] = tour.acts().declare("dataset", "telco raw").entity
    yield tour
    tour.desk.close()


def enrich(tour: Any) -> None:
    """Declare `orders` twice: what is known of a dataset where much is."""
    acts = tour.acts()
    ids = tour.ids
    attrs = {
        "owner": "Farid", "source": "s3://lake/orders", "licence": "internal use", "classification": "personal data",
        "access_rule": "role researcher, until 2027", "size": 4_299_161, "rows": "7043", "refresh": "Mondays",
        "schema": ["customer_id: string", "tenure: long", "churned: boolean"], "time_range": "2025-01-01..2026-06-30",
    }  # fmt: skip
    ids["old"] = acts.declare(
        "dataset", "orders", version="1", attrs={"owner": "Farid"}, digests={"sha256": "b" * 64}
    ).entity
    ids["orders"] = acts.declare("dataset", "orders", version="2", attrs=attrs, digests={"sha256": "b" * 64},
                                 source=("openlineage", "s3://lake orders"), edges=[("from", ids["old"])]).entity  # fmt: skip
    ended = tour.clock.now - 3 * DAY
    ids["maker"] = acts.declare(
        "run", "extract", attrs={"command": "make orders", "ended": ended}, edges=[("made", ids["orders"])]
    ).entity
    ids["trained"] = acts.declare(
        "run", "r-900", attrs={"command": "python train.py"}, edges=[("used", ids["orders"])]
    ).entity
    ids["scorer"] = acts.declare("model", "scorer", version="1", edges=[("from", ids["orders"])]).entity
    ids["asked"] = acts.ask("Does a missing day mean closed?", about=[ids["orders"]]).entity
    tour.acts("Tom").reply(ids["asked"], "Yes; Yara knows the shops.")
    ids["chosen"] = (
        tour.acts()
        .decide("Which orders?", "those of the lake", "The warehouse loses returns.", about=[ids["orders"]])
        .entity
    )
    tour.acts().comment(ids["orders"], "Refreshed on Mondays.")


def choose(pilot: Any, key: str) -> None:
    """Put the cursor on the first row whose key begins so."""
    rows = pilot.app.screen.query_one("#list", LineList)
    found = next(row.key for row in map(rows.row, range(rows.row_count)) if row.key and row.key.startswith(key))
    assert rows.choose(found)


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_golden(
    read_only: Any, visit: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """R043: the entry of a dataset of which much is known, at three sizes."""
    async with visit(read_only, ("lineage", "orders"), ("catalogue", "orders"), size=size) as pilot:
        golden(f"catalogue_{size[0]}x{size[1]}", screen_text(pilot.app))
        await pilot.press(*["right"] * 4)
        golden(f"catalogue_users_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_an_entry_says_owner_licence_freshness_schema_and_who_uses_it(
    read_only: Any, visit: Any, screen_text: Text
) -> None:
    """R043: schema, owner, licence, freshness, users, versions, external ids, decisions and questions stand in one entry."""
    async with visit(read_only, ("lineage", "orders"), ("catalogue", "orders"), size=(110, 80)) as pilot:
        text = " ".join(screen_text(pilot.app).split())
    for said in (
        "10 of 10 required fields filled", "complete 100.0 %", "owner Farid", "licence internal use", "classification personal data",
        "access rule role researcher, until 2027", "size 4.1 MiB (4,299,161 bytes)", "schema 3 fields", "tenure long",
        "freshness made by extract 3d ago", "known as s3://lake orders in openlineage", "sha256 bbbb bbbb bbbb bbbb",
        "replied: Does a missing day mean closed?", "those of the lake", "it comes from this", "made it", "run r-900",
        "USED BY MODELS 1", "model scorer@1", "this one orders@2", "older orders@1 bbbb bbbb, the same bytes", "Refreshed on Mondays.", "refresh Mondays",
    ):  # fmt: skip
        assert said in text, said


async def test_from_a_dataset_one_jumps_to_runs_models_gates_and_what_was_asked(
    read_only: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R043, R044, R122: Enter opens the run, the model, the handoff, the question, the other version; esc comes back."""
    async with visit(read_only, ("lineage", "data"), ("catalogue", "data")) as pilot:
        for key, said in (("user run:", "[ r-0"), ("user model:", "[ churn@2 ]"), ("gate ", "━━◆ engineering")):
            choose(pilot, key)
            await pilot.press("enter")
            assert said in screen_text(pilot.app)
            await pilot.press("escape")
            assert "dataset telco@3" in screen_text(pilot.app)
    async with visit(read_only, ("lineage", "orders"), ("catalogue", "orders")) as pilot:
        for key, said in (("talk question:", "Yes; Yara knows the shops."), ("from made", "[ extract ]"), ("fact freshness", "[ extract ]"),
                          ("version", "dataset orders@1")):  # fmt: skip
            choose(pilot, key)
            if key == "version":
                await pilot.press("down")
            await pilot.press("enter")
            assert said in screen_text(pilot.app)
            await pilot.press("escape")


async def test_what_is_missing_is_named_with_its_command_and_filled_in_place(
    small: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R043: each missing field says what fills it; Enter and e write it after a preview, and completeness follows."""
    async with visit(small, ("lineage", "bare"), ("catalogue", "bare"), size=(80, 30)) as pilot:
        text = screen_text(pilot.app)
        assert "0 of 10 required fields filled" in text and "NOT SAID YET" in text and "age not said" in text
        choose(pilot, "field licence")
        await settled(pilot)
        assert "carnet describe 'telco raw' licence=TEXT" in screen_text(pilot.app) and "⏎ fill" in screen_text(
            pilot.app
        )
        await pilot.press("enter", list("CC BY 4.0"), "enter")
        assert "nothing written yet" in screen_text(pilot.app)
        assert "licence" not in small.project.node(small.ids["bare"]).attrs
        await pilot.press("enter")
        assert "1 of 10 required fields filled" in screen_text(pilot.app)
        choose(pilot, "field schema")
        await pilot.press("e", list("id: long"), "enter", list("name"), "ctrl+d", "enter")
        assert "2 fields" in screen_text(pilot.app)
        choose(pilot, "field licence")
        await pilot.press("e", "end", *["backspace"] * 3, list("3.0"), "enter")
        assert "before: CC BY 4.0" in screen_text(pilot.app)
        await pilot.press("enter", "e", "enter")
        assert "Nothing was changed." in screen_text(pilot.app)
        choose(pilot, "field created by")
        await pilot.press("e")
        assert "Cannot edit now: this is no attribute." in screen_text(pilot.app)
        assert "carnet link RUN made 'telco raw'" in screen_text(pilot.app)
    attrs = small.project.node(small.ids["bare"]).attrs
    assert attrs["licence"] == "CC BY 3.0" and attrs["schema"] == ["id: long", "name"]


async def test_a_placeholder_fills_nothing_and_what_made_it_tells_its_source(
    small: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R043: `tbd` is shown as missing; a source that a run tells is no gap; a value of parts is not edited as text."""
    data = small.acts().declare("dataset", "made", attrs={"licence": "tbd", "profile": {"rows": 3, "cut": True}}).entity
    small.acts().declare("run", "r-1", attrs={"ended": "2026-09-01"}, edges=[("made", data)])
    small.ids["made"] = data
    async with visit(small, ("lineage", "made"), ("catalogue", "made"), size=(100, 50)) as pilot:
        text = screen_text(pilot.app)
        assert "missing: tbd says nothing" in text and "told by what it came from" in text
        assert "made by r-1" in text and "1 Sep 2026" in text and "cut yes, rows 3" in text
        choose(pilot, "attr profile")
        await pilot.press("e")
        assert "Cannot edit now" in screen_text(pilot.app)
        choose(pilot, "field licence")
        await pilot.press("enter", *["backspace"] * 3, list("none known"), "enter", "enter")
        assert small.project.node(data).attrs["licence"] == "none known"


async def test_a_question_about_data_becomes_a_note_in_its_entry(
    small: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R122: asked from the entry, the question stands in it, and its reply is found by searching."""
    async with visit(small, ("lineage", "bare"), ("catalogue", "bare")) as pilot:
        await pilot.press("q", list("Are returns in it?"), "ctrl+d", "enter", "n", "enter")
        assert "Are returns in it?" in screen_text(pilot.app)
    [asked] = small.project.questions()
    small.acts().reply(asked.id, "Only from March on.")
    async with visit(small, ("lineage", "bare"), ("catalogue", "bare")) as pilot:
        choose(pilot, "talk question:")
        await settled(pilot)
        assert "Only from March on." in screen_text(pilot.app)
    assert any(hit.entity == asked.id for hit in small.project.search("March"))


async def test_find_goes_to_a_line_and_copying_offers_what_there_is(
    read_only: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """A field and a user are found by typing; y offers the line, the id and the digest."""
    async with visit(read_only, ("lineage", "orders"), ("catalogue", "orders")) as pilot:
        await pilot.press("slash", list("r-900"), "enter")
        assert pilot.app.screen.chosen.text == "r-900"
        await pilot.press("y")
        text = screen_text(pilot.app)
        assert "id of it" in text and "bbbb" in text and "carnet lineage" in text
        await pilot.press("escape", "g")
        assert "[ r-900 ]" in screen_text(pilot.app)


async def test_the_palette_and_links_open_the_entry(
    read_only: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """A dataset's name in the palette goes to its entry, with the lineage around it behind; a decision's subject too."""
    async with visit(read_only, ("inbox",)) as pilot:
        await pilot.press("colon", list("orders@2"), "enter")
        assert "dataset orders@2" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "[ orders@2 ]" in screen_text(pilot.app)
    async with visit(read_only, ("decisions",), ("decision", "chosen")) as pilot:
        await pilot.press("enter")
        assert "dataset orders@2" in screen_text(pilot.app)


async def test_what_is_only_referred_to_has_its_users_and_says_so(small: Any, visit: Any, screen_text: Text) -> None:
    """A dataset that no bundle brought is shown with what uses it; one that nobody mentions is an error in words."""
    small.ids["gone"] = "dataset:" + "0" * 32
    small.ids["never"] = "dataset:" + "1" * 32
    small.acts().declare("run", "r-1", edges=[("used", small.ids["gone"])])
    async with visit(small, ("lineage", "gone"), ("catalogue", "gone")) as pilot:
        text = screen_text(pilot.app)
        assert "not declared in this store" in text and "USED BY RUNS" in text and "r-1" in text
    async with visit(small, ("lineage", "bare"), ("catalogue", "never")) as pilot:
        assert "is not in this store" in screen_text(pilot.app)


async def test_hostile_entries_show_as_signs(small: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """C174: names, attributes, schema, ids, talk and versions of another team reach the screen as visible signs alone."""
    evil = "x\x1b]52;c;eA==\x07\x1b[31m\u202ey\u2028\nz"
    attrs = {
        "owner": evil,
        "schema": [{"name": evil, "type": evil, "description": evil}],
        evil[:1] + "\x7fk": evil,
        "list": [evil],
    }
    acts = small.acts()
    data = acts.declare(
        "dataset", evil, version=evil, attrs=attrs, params={"p": evil}, digests={"md5": evil}, source=(evil, evil)
    ).entity
    acts.declare("dataset", evil, version="2")
    acts.declare("run", evil, attrs={"ended": evil}, edges=[("made", data), ("used", data)])
    acts.ask(evil, about=[data])
    acts.decide(evil, evil, evil, about=[data])
    acts.comment(data, evil)
    small.ids["evil"] = data
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(small, ("lineage", "evil"), ("catalogue", "evil"), size=size) as pilot:
            for key in ("enter", "escape", "e", "escape", "y", "escape", "slash", "escape", *["right"] * 5):
                await pilot.press(key)
                text = screen_text(pilot.app)
                assert not any(sign in text for sign in "\x1b\x07\u202e\u2028\x7f")
            assert "x␛]52" in text


def test_each_thing_opens_where_it_is_read_best(read_only: Any) -> None:
    """R043, R117: a dataset opens its entry, a notebook its cells, a run the lineage, a decision its own screen; the palette keeps the way back."""
    ids, project = read_only.ids, read_only.project
    book = read_only.acts().declare("document", "a.ipynb", attrs={"type": "notebook"}).entity
    opened = {
        name: opening.route(project, ids[name]).name for name in ("orders", "trained", "contract", "chosen", "handoff")
    }
    assert opened == {
        "orders": "catalogue", "trained": "lineage", "contract": "lineage", "chosen": "decision", "handoff": "handoff",
    }  # fmt: skip
    assert opening.route(project, book).name == "notebook" and opening.page(project, ids["trained"]) is None
    assert [one.name for one in opening.path(project, ids["orders"])] == ["lineage", "catalogue"]
    assert [one.name for one in opening.path(project, ids["trained"])] == ["lineage"]


async def test_evidence_of_an_item_opens_the_entry(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R043: what an item links is one key away: o on an item that names a dataset opens its catalogue entry."""
    tour = places.build(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")}, runs=0)
    tour.acts().answer(tour.ids["handoff"], {"framing.criteria": {"state": "given", "links": [tour.ids["data"]]}})
    tour.ids["item"] = "framing.criteria"
    async with visit(tour, ("inbox",), ("handoff", "handoff"), ("item", "handoff", "item")) as pilot:
        await pilot.press("o")
        assert "dataset telco@3" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "framing.criteria" in screen_text(pilot.app)
    tour.desk.close()


def test_users_are_read_a_page_at_a_time(read_only: Any) -> None:
    """Thousands of users are rows that are read when they come into view; each is found again by its key."""
    project = read_only.project
    entry = catalogue_reading.with_users(project, catalogue_reading.read(project, read_only.ids["data"]))
    rows = catalogue_view.sections(project, entry, project.now())
    every = list(rows.page(0, rows.count()))
    assert len(every) == rows.count()
    assert [rows.find(row.key) for row in every if row.key] == [at for at, row in enumerate(every) if row.key]
    parts = [*rows.page(0, 9), *rows.page(9, 5), *rows.page(14, 1_000)]
    assert parts == every
    runs = [row for row in every if row.key and row.key.startswith("user run:")]
    assert len(runs) == entry.user_count() - 1 == 4 and all(row.opens.startswith("run:") for row in runs)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (["a: int", "b"], [("a", "int", ""), ("b", "", "")]),
        ({"a": "int"}, [("a", "int", "")]),
        ([{"name": "a", "type": "struct", "fields": [{"name": "b", "type": "int"}]}], [("a", "struct", ""), ("a.b", "int", "")]),
        ('{"fields": [{"name": "a", "type": "int", "description": "why"}]}', [("a", "int", "why")]),
        ("a, b; c", [("a", "", ""), ("b", "", ""), ("c", "", "")]),
        ("[" * 5_000, []), ('{"cut": ', []), (12, []), (None, []), ("", []), ([], []),
    ],
)  # fmt: skip
def test_a_schema_is_read_in_whatever_shape_it_was_taken(value: Any, fields: Any) -> None:
    """Lists, objects, JSON text and names in a row; what is none of these has no fields."""
    assert columns.schema_fields(value) == fields


@pytest.mark.parametrize(
    ("value", "ms"),
    [(1_790_000_000_000, 1_790_000_000_000), ("1790000000000", 1_790_000_000_000), ("2026-09-21", 1_789_948_800_000),
     ("2026-09-21T02:00:00+02:00", 1_789_948_800_000), ("yesterday", 0), (True, 0), (-5, 0), (None, 0), ("2026", 0)],
)  # fmt: skip
def test_times_of_attributes(value: Any, ms: int) -> None:
    """Milliseconds and ISO dates are times; nothing else is."""
    assert catalogue_reading.instant_of(value) == ms


async def test_what_two_people_said_apart_is_settled_on_its_row(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R093: the inbox lists it and opens the entry; there e says it anew, also with the words that are shown, and it waits no more."""
    environ = {"CARNET_CONFIG": str(tmp_path / "config")}
    tour = places.build(tmp_path, environ)
    places.apart(tour, environ, tour.ids["data"], "owner")
    row = next(duty for _, duty in tour.desk.inbox() if duty.kind == "apart")
    assert inbox.target(inbox_view.entries([(tour.desk.projects()[0], row)], row.t)[0])[-1].name == "catalogue"
    async with visit(tour, ("lineage", "data"), ("catalogue", "data"), size=(100, 50)) as pilot:
        assert "owner said apart by two people" in screen_text(pilot.app)
        choose(pilot, "fact conflict owner")
        await settled(pilot)
        assert "e writes it anew, which settles it" in screen_text(pilot.app)
        await pilot.press("e", "enter", "enter")
        assert "said apart" not in screen_text(pilot.app)
    assert tour.project.node(tour.ids["data"]).conflicts == ()
    assert not any(duty.kind == "apart" for _, duty in tour.desk.inbox())
    tour.desk.close()
