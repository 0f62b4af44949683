"""Search: what is found, that it follows the ledger, and that nothing erased stays in it."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store import Desk, Project, Usage
from carnet_store.errors import Busy
from carnet_store.storage import search as search_of
from carnet_store.storage import search_rows
from carnet_store.storage.objects import Objects
from carnet_store.storage.search import Hit, SearchIndex
from carnet_store.work.identity import Keyring

if TYPE_CHECKING:
    from tests.conftest import Replica, World


class Lab:
    """A desk of Ana, who is researcher and eraser, with runs, data, a decision, a question and a document."""

    def __init__(self, folder: Path) -> None:
        clock = iter(range(1_772_000_000_000, 1_773_000_000_000, 1000))
        salts = random.Random(1)
        keyring = Keyring(folder / "keys", entropy=salts.randbytes)
        me = keyring.new("Ana", "ana@example.org")
        self.desk = Desk.with_keyring(folder / "work", keyring, me, clock=lambda: next(clock), entropy=salts.randbytes)
        self.project, _ = self.desk.found("churn", roles=["researcher", "eraser"], team="research")
        acts = self.acts = self.desk.acts(self.project)
        self.data = acts.declare("dataset", "telco", attrs={"owner": "Farid", "licence": "CC BY"}).entity
        self.run = acts.declare(
            "run", "r-011", params={"max_depth": "12", "learning_rate": "0.3"}, attrs={"outcome": "rejected"},
            metrics=[{"name": "auc", "value": "0.79", "split": "holdout"}], edges=[("used", self.data)],
        ).entity  # fmt: skip
        self.good = acts.declare("run", "r-012", params={"max_depth": "4", "learning_rate": "0.1"}).entity
        self.decision = acts.decide(
            "Which trees?", "Shallow trees", "Deep ones learn single customers by heart", outcome="rejected", about=[self.run],
            options=[{"title": "Überanpassung hinnehmen", "why": "schneller fertig"}], constraints=["explainable to agents"],
        ).entity  # fmt: skip
        self.question = acts.ask("Which holdout is this?", about=[self.run]).entity
        self.reply = acts.reply(self.question, "The one of March, telco@2").changes[0]
        self.notebook = acts.declare(
            "document", "explore.ipynb", attrs={"notes": ["客户流失很高", "tenure lies"]}
        ).entity
        self.remark = acts.comment(self.data, "Refreshed on Mondays").changes[0]

    @property
    def index(self) -> Path:
        """The file of the index."""
        return self.desk.store.index_path

    def found(self, text: str, **more: Any) -> list[str]:
        """The titles of what is found."""
        return [hit.title for hit in self.project.search(text, **more)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.desk.close()


@pytest.fixture(params=["words", "like"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """With FTS5 and without it."""
    if request.param == "like":
        monkeypatch.setattr(search_rows, "has_full_text", lambda: False)
    made = Lab(tmp_path)
    yield made
    made.desk.close()


def one(hits: list[Hit]) -> Hit:
    assert len(hits) == 1, hits
    return hits[0]


# -- what is found -----------------------------------------------------------------------------------------------------


def test_a_parameter_finds_the_rejected_run_and_the_decision_that_rejected_it(either: Lab) -> None:
    """R006: negative results are found as results, although the decision does not name the parameter."""
    run, decision = either.project.search("max_depth=12")
    assert (run.entity, run.field, run.outcome) == (either.run, "parameter", "rejected")
    assert run.snippet == "max_depth=12"
    assert run.marks == ((0, 12),)
    assert (decision.entity, decision.field, decision.outcome) == (either.decision, "about", "rejected")
    assert decision.snippet == "r-011"
    assert one(either.project.search("max_depth=12", kinds=["decision"])).entity == either.decision
    assert one(either.project.search("max_depth=12", kinds=["run"])).entity == either.run
    assert either.project.search("max_depth=12", kinds=["model"]) == []


@pytest.mark.parametrize(
    ("text", "kind", "field"),
    [
        ("telco CC", "dataset", "licence"), ("farid", "dataset", "owner"), ("mondays", "dataset", "comment"),
        ("auc 0.79", "run", "metric"), ("by heart", "decision", "reason"), ("uberanpassung", "decision", "option"),
        ("explainable agents", "decision", "constraint"), ("which trees", "decision", "question"), ("which holdout", "question", "question"),
        ("march", "question", "reply"), ("tenure", "document", "notes"), ("流失", "document", "notes"), ("explore", "document", "name"),
        ('"learn single"', "decision", "reason"), ("Überanp*", "decision", "option"), ("Überanpass", "decision", "option"),
        ("anpass", "decision", "option"),
    ],
)  # fmt: skip
def test_everything_that_was_said_is_found_where_it_stands(either: Lab, text: str, kind: str, field: str) -> None:
    """R006 R042 R122: names, attributes, metrics, decisions, talk and notebook notes; accents folded; parts as the last resort."""
    hit = either.project.search(text)[0]
    assert (hit.kind, hit.field) == (kind, field)
    assert hit.marks


def test_words_of_two_changes_meet_on_their_entity(either: Lab) -> None:
    """A name from one act and a comment from another are one thing's texts; a phrase stays within one of them."""
    assert either.found("telco mondays") == ["telco"]
    assert either.found('"telco farid"') == []
    assert either.found("telco nowhere") == []


def test_answers_findings_and_waivers_are_found_at_their_item(either: Lab) -> None:
    from carnet_store.work.templates import packs_for

    acts = either.acts
    model = acts.declare("model", "churn", version="2").entity
    handoff = acts.open_handoff(model, packs_for("starter-research-to-engineering"), tier="B").entity
    acts.answer(handoff, {"framing.problem": {"state": "given", "text": "Retention calls the customers at risk."}})
    acts.comment(handoff, "say which month", "framing.problem")
    acts.ask("Who holds the pager?", about=[handoff])
    answer = one(either.project.search("retention calls"))
    assert (answer.entity, answer.item, answer.field, answer.title) == (handoff, "framing.problem", "answer", "churn@2")
    assert one(either.project.search("which month customers")).item == "framing.problem"
    acts.answer(handoff, {"framing.problem": {"state": "given", "text": "Marketing writes letters to them."}})
    assert either.project.search("retention calls") == []
    assert one(either.project.search("marketing")).item == "framing.problem"


def test_what_is_set_anew_or_taken_back_is_found_no_more(either: Lab) -> None:
    either.acts.describe(either.data, "owner", "Grace")
    assert either.found("farid") == []
    assert either.found("grace") == ["telco"]
    either.acts.retract(either.remark)
    assert either.found("mondays") == []


def test_a_closed_finding_is_found_as_closed(world: World, tmp_path: Path) -> None:
    """R006: what was found wrong once is found, also after it was mended; erased it is not."""
    ana = world.found("ana", roles=["researcher", "eraser"])
    handoff = ana.handoff()
    finding = ana.act(handoff, "finding.raised", {"text": "leaks the target"}, "data.split")
    project = Project(ana.ledger, Objects(tmp_path), None, lambda: 0)  # type: ignore[arg-type]
    project.searching = SearchIndex(opener(tmp_path / "index.db"))
    assert [(hit.item, hit.field) for hit in project.search("leaks")] == [("data.split", "finding")]
    ana.act(handoff, "finding.closed", {"text": "split by customer"}, "data.split", [finding])
    assert [(hit.item, hit.field) for hit in project.search("leaks")] == [("data.split", "finding, closed")]
    assert [hit.field for hit in project.search("split customer")] == ["finding closed"]
    ana.erase(finding)
    assert project.search("leaks") == []
    assert b"leaks" not in bytes_of(tmp_path / "index.db")


def test_hits_are_ranked_bounded_and_of_the_kinds_asked_for(either: Lab) -> None:
    acts = either.acts
    for at in range(30):
        acts.declare("run", f"sweep-{at}", attrs={"command": "python train.py --data telco"})
    assert either.found("telco")[0] == "telco" or search_rows.has_full_text() is False
    assert len(either.found("sweep", limit=10)) == 10
    assert len(either.found("sweep", limit=1)) == 1
    assert len(either.found("sweep", kinds=["run"])) == 30
    assert either.found("sweep", kinds=["dataset"]) == []


def test_a_rejection_is_not_cut_off_by_a_thousand_runs(either: Lab) -> None:
    """R006: of many hits a fifth may be decisions against one of them."""
    acts = either.acts
    sweep = [acts.declare("run", f"sweep-{at}", params={"gamma": str(at)}).entity for at in range(60)]
    acts.decide("Keep it?", "no", "it does not converge at all", about=[sweep[0]], outcome="rejected")
    hits = either.project.search("gamma", limit=20)
    assert len(hits) == 20
    assert [hit.outcome for hit in hits].count("rejected") == 1


@pytest.mark.parametrize(
    "text", ['a"b', "a AND", "NEAR(", "name:", "*", "%", "_", "\\", ">=", "a' OR 1=1", "\x1ex", "\ue000", "x" * 900]
)
def test_nothing_that_is_typed_breaks_the_search_or_the_index(either: Lab, text: str) -> None:
    either.project.search(text)
    assert either.found("farid") == ["telco"]


def test_signs_alone_are_looked_for_as_they_stand(either: Lab) -> None:
    either.acts.comment(either.data, "score >= 50 % of all_customers")
    assert one(either.project.search(">=")).snippet.startswith("score >= 50 %")
    assert either.found("50 %") == ["telco"]
    assert either.found("<=") == []
    assert either.found("l%c") == []
    assert either.found("l_c") == ["telco"]
    with pytest.raises(Usage):
        either.project.search(" ")


def test_hostile_texts_are_data(either: Lab) -> None:
    """Separators of the index within a text change nothing about the others, and labels may be anything."""
    evil = "\x1b]0;x\x07\x1e\ue000\x1eforged\x1ffield‮"
    thing = either.acts.declare("dataset", evil, attrs={"own\x1eer": evil, '"]': "harmless"}).entity
    hit = one(either.project.search("forged"))
    assert (hit.entity, hit.field) == (thing, "name")
    assert one(either.project.search("harmless")).field == '"]'


# -- following the ledger ----------------------------------------------------------------------------------------------


def test_who_counts_decides_what_is_found(world: World, tmp_path: Path) -> None:
    """R016 R050: what a newcomer said is found once admitted, what lies beyond a revocation no more, though it came long before."""
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"])
    data = ana.declare("dataset", "telco")
    bob = world.replica("bob")
    carl = world.replica("carl", open_chain=False)
    bob.pull(ana)
    good = {head.key: head.place for head in bob.ledger.heads() if head.key == bob.key}
    bob.comment(data, "pears")
    carl.join(ana)
    carl.comment(data, "apples")
    ana.pull(bob)
    ana.pull(carl)
    project = Project(ana.ledger, Objects(tmp_path), None, lambda: 0)  # type: ignore[arg-type]
    project.searching = SearchIndex(opener(tmp_path / "index.db"))
    assert [hit.title for hit in project.search("pears")] == ["telco"]
    assert project.search("apples") == []
    ana.roster(by=["ana", "bob"], joined=ana.ledger.projection.people.waiting_newcomers()[0].change, carl=["deployer"])
    assert [hit.title for hit in project.search("apples")] == ["telco"]
    ana.revoke("bob", good, by=["ana"])
    assert project.search("pears") == []
    assert [hit.title for hit in project.search("apples")] == ["telco"]


def test_both_searches_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite without FTS5 reads the rows by LIKE and finds the same things; the index is made anew for it."""
    lab = Lab(tmp_path)
    texts = ("telco", "max_depth", "trees", "Über*", "流失", '"by heart"', "which", "r-0", "ee", "march telco")
    with_words = {text: sorted(lab.found(text)) for text in texts}
    monkeypatch.setattr(search_rows, "has_full_text", lambda: False)
    lab.index.unlink()
    assert {text: sorted(lab.found(text)) for text in texts} == with_words
    monkeypatch.undo()
    assert {text: sorted(lab.found(text)) for text in texts} == with_words
    lab.desk.close()


def test_a_write_is_found_at_once_and_many_wait_for_the_next_search(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write takes a few changes into the index on its way; after a large import the next search does."""
    assert lab.found("farid") == ["telco"]

    def held() -> int:
        db = sqlite3.connect(lab.index)
        count = int(db.execute("SELECT count(*) FROM said").fetchone()[0])
        db.close()
        return count

    before = held()
    lab.acts.declare("dataset", "zeta")
    assert held() == before + 1
    monkeypatch.setattr(search_rows, "AT_ONCE", 2)
    monkeypatch.setattr("carnet_store.storage.store.AT_ONCE", 2)
    lab.acts.declare("dataset", "eta", edges=[("from", lab.data), ("used", lab.run), ("used", lab.good)])
    assert held() == before + 1
    heard: list[tuple[int, int]] = []
    assert [hit.title for hit in lab.project.search("eta", progress=lambda *pair: heard.append(pair))] == ["eta"]
    assert heard
    assert held() == before + 2


def test_the_search_over_the_store_tells_the_project(lab: Lab) -> None:
    other, _ = lab.desk.found("fraud", roles=["researcher"], team="research")
    lab.desk.acts(other).declare("dataset", "telco")
    assert {hit.project for hit in lab.desk.store.search("telco")} == {lab.project.id, other.id}
    assert {hit.project for hit in other.search("telco")} == {other.id}
    assert [hit.title for hit in other.search("farid")] == []


def test_rows_that_another_put_there_are_gone_after_a_rebuild(lab: Lab) -> None:
    """The index is derived: what was forged in it is made anew by `verify --rebuild`, as the tables are."""
    assert lab.found("farid") == ["telco"]
    db = sqlite3.connect(lab.index)
    db.execute("UPDATE said SET body = 'forged' WHERE entity = ?", (lab.data,))
    db.commit()
    db.close()
    lab.desk.verify_anew(lab.project)
    assert lab.found("forged") == []
    assert lab.found("farid") == ["telco"]


def test_a_damaged_index_costs_no_answer(lab: Lab) -> None:
    lab.index.write_bytes(b"no database" * 1000)
    assert lab.found("farid") == ["telco"]
    assert lab.found("farid") == ["telco"]


def test_an_index_that_is_held_by_another_costs_no_answer_and_is_not_thrown_away(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock is no damage: the search answers from memory, a write says nothing, and the file stays."""
    lab.found("farid")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, **{**more, "timeout": 0}))
    other = connect(lab.index, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    lab.acts.comment(lab.data, "written while it was held")
    assert lab.found("written while") == ["telco"]
    with pytest.raises(Busy):
        lab.desk.store.searching.follow(lab.project)
    other.execute("ROLLBACK")
    other.close()
    assert lab.index.exists()
    assert lab.found("written while") == ["telco"]


def test_a_ledger_that_was_replaced_by_an_older_copy_is_read_anew(lab: Lab, tmp_path: Path) -> None:
    """R014: after a restore the index tells nothing of what the restored ledger does not hold."""
    path = lab.project.path
    lab.project.ledger.db.execute("VACUUM INTO ?", (str(tmp_path / "older.db"),))
    lab.acts.comment(lab.data, "after the backup")
    assert lab.found("after the backup") == ["telco"]
    lab.desk.close()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    (tmp_path / "older.db").replace(path)
    lab.project = lab.desk.project()
    assert lab.found("after the backup") == []
    assert lab.found("mondays") == ["telco"]


def test_without_a_store_the_same_is_found_from_memory(world: World, tmp_path: Path) -> None:
    ana = world.found("ana")
    ana.declare("dataset", "telco")
    project = Project(ana.ledger, Objects(tmp_path), None, lambda: 0)  # type: ignore[arg-type]
    assert [hit.title for hit in project.search("telco")] == ["telco"]


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_what_was_erased_is_gone_from_the_answer_and_from_the_file(either: Lab) -> None:
    """C174 R110: an erased value leaves the index at once, its bytes too, as words, beginnings and inbox rows."""
    acts = either.acts
    said = [acts.comment(either.data, f"SECRETWORD{at:03} " + "filler " * at).changes[0] for at in range(40)]
    acts.ask("SECRETWORD999 asked of all", to_role="researcher", blocking=True)
    asked = either.project.search("SECRETWORD999")[0].entity
    birth = next(c.id for c in either.project.changes(asked))
    assert either.found("SECRETWORD007") == ["telco"]
    assert b"secretword007" in bytes_of(either.index).lower()
    written = acts.erase([*said[:39], birth], "a person asked to be forgotten")
    assert written.unblocked == ()
    left = bytes_of(either.index).lower()
    assert b"secretword007" not in left
    assert b"retword00" not in left
    assert b"secretword999" not in left
    assert b"secretword039" in left
    assert either.found("SECRETWORD007") == []
    assert either.found("SECRETWORD039") == ["telco"]
    assert either.found("mondays") == ["telco"]


def test_no_page_of_the_index_keeps_what_was_moved_within_it(lab: Lab) -> None:
    """C174: of many erased among many kept, none is left in any page of the index, nor in its segments of words."""
    chance = random.Random(7)
    things = [lab.acts.declare("dataset", f"SECRET{at:05}" + "x" * chance.randrange(1500)).entity for at in range(150)]
    gone = [at for at in range(150) if chance.random() < 0.7]
    lab.acts.erase([lab.project.changes(things[at])[0].id for at in gone], "a person asked to be forgotten")
    left = {int(found) for found in re.findall(rb"SECRET(\d{5})", bytes_of(lab.index))}
    assert left == set(range(150)) - set(gone)


def bytes_of(path: Path) -> bytes:
    """The bytes of a database and of what lies beside it."""
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(path.name + "*")))


def test_inbox_rows_of_others_do_not_keep_what_was_erased(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """C174: a question's text stands in the inboxes of everybody at this machine; all of them are cleared."""
    tom = lab.desk.keyring.new("Tom", "tom@example.org")
    lab.acts.invite("Tom", "tom@example.org", ["ml_engineer"], "engineering")
    lab.desk.become(tom)
    joining = lab.desk.acts(lab.project)
    joining.join(joining.invitations()[0][0])
    lab.desk.become(lab.desk.keyring.choose("Ana"))
    lab.acts.admit(tom.person)
    question = lab.acts.ask("SECRETWORD of a person", to_role="ml_engineer").entity
    assert lab.desk.store.inbox(tom.person)
    assert b"SECRETWORD" in bytes_of(lab.index)
    mine = [lab.desk.keyring.choose("Ana")]
    monkeypatch.setattr(lab.desk.keyring, "identities", lambda: mine)
    lab.acts.erase([lab.project.changes(question)[0].id], "a person asked to be forgotten")
    assert b"SECRETWORD" not in bytes_of(lab.index)


def test_an_erasure_is_taken_out_even_where_much_else_waits(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """C174: what a write leaves to the next search is never an erasure."""
    secret = lab.acts.comment(lab.data, "SECRETWORD here").changes[0]
    assert lab.found("SECRETWORD") == ["telco"]
    monkeypatch.setattr("carnet_store.storage.store.AT_ONCE", 0)
    lab.acts.declare("dataset", "waits")
    lab.acts.erase([secret], "a person asked to be forgotten")
    assert b"secretword" not in bytes_of(lab.index).lower()
    assert lab.found("waits") == ["waits"]


def test_traces_that_could_not_be_cleared_are_told_and_cleared_by_the_next_search(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = lab.acts.comment(lab.data, "SECRETWORD here").changes[0]
    assert lab.found("SECRETWORD") == ["telco"]
    monkeypatch.setattr(search_rows, "scrub", lambda db: False)
    written = lab.acts.erase([secret], "a person asked to be forgotten")
    assert "verify --rebuild" in written.unblocked[-1]
    monkeypatch.undo()
    assert lab.found("SECRETWORD") == []
    assert b"secretword" not in bytes_of(lab.index).lower()


# -- whatever happens --------------------------------------------------------------------------------------------------


def rows_of(index: SearchIndex, project: Project) -> list[tuple[Any, ...]]:
    """All rows of a project as the index has them after following."""
    index.follow(project)
    with index._opened() as db:
        return sorted(
            db.execute(
                "SELECT entity, item, kind, t, outcome, fields, name, body FROM said ORDER BY entity, item"
            ).fetchall()
        )


@pytest.mark.parametrize("number", range(8))
def test_following_step_by_step_is_as_reading_it_all(world: World, tmp_path: Path, number: int) -> None:
    """R001: whatever happens in whatever order, the index that followed equals one that is made from nothing."""
    chance = random.Random(number)
    ana = world.found(
        "ana", admins=["ana", "bob"], roles=["researcher", "eraser"], bob=["deployer", "eraser"], carl=["auditor"]
    )
    handoff = ana.handoff()
    stores = [ana]
    for name in ("bob", "carl"):
        stores.append(world.replica(name))
        stores[-1].pull(ana)
    things = [ana.declare("dataset", "telco"), handoff]
    index = SearchIndex(opener(tmp_path / "index.db"))
    project = Project(ana.ledger, Objects(tmp_path), None, lambda: 0)  # type: ignore[arg-type]
    for _ in range(40):
        act(world, chance, stores, things)
        if chance.random() < 0.4:
            index.follow(project, chance.choice((None, 0, 1, 3, 500)))
    world.meet()
    assert rows_of(index, project) == rows_of(SearchIndex(opener(tmp_path / "anew.db")), project)


def act(world: World, chance: random.Random, stores: list[Replica], things: list[str]) -> None:
    store = chance.choice(stores)
    held = [t for t in things if store.live(t)]
    word = chance.choice(
        (
            "declare",
            "comment",
            "describe",
            "answer",
            "retract",
            "erase",
            "pull",
            "pull",
            "pull",
            "revoke",
            "roster",
            "join",
        )
    )
    if word == "declare":
        things.append(store.declare(chance.choice(("run", "dataset")), f"thing {chance.random()}"))
    elif word == "pull":
        store.pull(chance.choice([s for s in stores if s is not store]))
    elif word == "revoke" and chance.random() < 0.3:
        store.revoke(chance.choice(("bob", "carl")))
    elif word == "roster":
        people: dict[str, Any] = {chance.choice(("bob", "carl")): chance.choice((["deployer"], ["eraser"], []))}
        store.roster(by=["ana", "bob"], **people)
    elif word == "join" and len(stores) < 5:
        new = world.replica(f"new{len(stores)}", open_chain=False)
        new.join(store, store.invite(new.name))
        stores.append(new)
    elif held:
        thing = chance.choice(held)
        mine = [c for c in store.live(thing) if c.person == store.person and c.kind != "entity.declared"]
        if word == "comment":
            store.comment(thing, f"said {chance.random()}")
        elif word == "describe" and not thing.startswith("handoff:"):
            store.act(
                thing,
                "entity.described",
                {"value": str(chance.random())},
                "owner",
                [c.id for c in mine if c.field == "owner"],
            )
        elif word == "answer" and thing.startswith("handoff:"):
            store.answer(
                thing,
                chance.choice(("a", "b")),
                str(chance.random()),
                over=[c.id for c in mine if c.kind == "item.answered"],
            )
        elif word == "retract" and mine:
            store.retract(thing, [mine[0].id], mine[0].field)
        elif word == "erase":
            targets = [c.id for c in store.live(thing) if c.kind in ("comment.added", "item.answered")][:2]
            if targets:
                store.erase(*targets, by=chance.choice(([store.name], ["ana", "bob"])))


def opener(path: Path) -> search_of.Opener:
    """An index in a file of its own."""
    import contextlib

    @contextlib.contextmanager
    def opened() -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            yield db
        finally:
            db.close()

    return opened
