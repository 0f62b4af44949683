"""Two and three stores that meet by files alone: joining, conflicts, staleness, increments, restored copies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk, NotFound, Project, Refused, Untrusted
from carnet_store.work.templates import packs_for

DAY = 86_400_000


class Site:
    """One person on one machine: an own key folder and an own store."""

    def __init__(self, root: Path, name: str, clock: Callable[[], int]) -> None:
        self.name = name
        self.root = root / name
        self.root.mkdir()
        environ = {"CARNET_CONFIG": str(self.root / "keys")}
        keyring = Desk.keyring_of(environ)
        keyring.new(name, f"{name.lower()}@example.org")
        self.environ, self.clock = environ, clock
        self.desk = Desk.create(self.root / "work", environ=environ, clock=clock)
        self.sent = 0

    @property
    def project(self) -> Project:
        """The one project here."""
        return self.desk.project()

    @property
    def me(self) -> str:
        """The person id."""
        return self.desk.i().person

    def acts(self) -> Any:
        """What this person can do."""
        return self.desk.acts(self.project)

    def send(self, other: Site, *, whole: bool = True, trust: str = "") -> Any:
        """Write a bundle and let the other take it in."""
        self.sent += 1
        path = self.root / f"{self.name}-{self.sent}.carnet.zip"
        self.desk.export(self.project, path, to=() if whole else (other.me,))
        return other.desk.accept(path, trust=trust)


@pytest.fixture
def sites(tmp_path: Path) -> tuple[Site, Site, Site]:
    """Ana, who founded a project with an open handoff; Tom and Grace, who hold nothing yet."""
    now = [1_772_000_000_000]

    def clock() -> int:
        now[0] += 60_000
        return now[0]

    ana, tom, grace = (Site(tmp_path, name, clock) for name in ("Ana", "Tom", "Grace"))
    ana.desk.found("churn", roles=["researcher"], team="research")
    acts = ana.acts()
    model = acts.declare("model", "churn", version="2").entity
    acts.open_handoff(model, packs_for("starter-research-to-engineering"))
    return ana, tom, grace


def item_of(site: Site, item: str) -> Any:
    """An item's status there."""
    found = site.project.look(handoff_of(site)).status.item(item)
    assert found is not None
    return found


def comments_of(site: Site) -> Any:
    """The comments on the handoff there."""
    found = site.project.handoff(handoff_of(site))
    assert found is not None
    return found.comments


def handoff_of(site: Site) -> str:
    """The one handoff there."""
    return site.project.handoff_ids()[0]


def joined(ana: Site, other: Site, role: str) -> None:
    """Let `other` join by invitation: one bundle there, one back."""
    ana.acts().invite(other.name, f"{other.name.lower()}@example.org", [role], role)
    ana.send(other, trust=ana.project.id)
    other.acts().join(other.acts().invitations()[0][0])
    other.send(ana)
    ana.acts().admit(other.me)
    ana.send(other)


def test_joining_takes_two_trips_and_nothing_is_retyped(sites: tuple[Site, Site, Site]) -> None:
    """Acts between acceptance and confirmation are kept, shown as pending, and count afterwards."""
    ana, tom, _ = sites
    ana.acts().invite("Tom", "tom@example.org", ["ml_engineer"], "engineering")
    ana.send(tom, trust=ana.project.id)
    acts = tom.acts()
    acts.join(acts.invitations()[0][0])
    written = acts.answer(handoff_of(tom), {"prod.migration": {"state": "unknown", "note": "ask Aiko"}})
    assert "once" in written.counts
    assert item_of(tom, "prod.migration").state == "open"

    tom.send(ana)
    assert item_of(ana, "prod.migration").state == "open"
    assert [n.name for n in ana.project.people.waiting_newcomers()] == ["Tom"]
    ana.acts().admit(tom.me)
    assert item_of(ana, "prod.migration").state == "unknown"

    ana.send(tom)
    assert item_of(tom, "prod.migration").state == "unknown"
    assert tom.project.ledger.projection.digest() == ana.project.ledger.projection.digest()


def test_without_an_invitation_a_request_does_the_same(sites: tuple[Site, Site, Site]) -> None:
    """Somebody who was only handed a bundle asks to join; the founder grants the roles."""
    ana, tom, _ = sites
    ana.send(tom, trust=ana.project.id)
    with pytest.raises(Refused, match="not a member"):
        tom.acts().comment(handoff_of(tom), "may I come in")
    tom.acts().join(roles=["ml_engineer"], team="engineering")
    tom.acts().comment(handoff_of(tom), "may I come in")
    tom.send(ana)
    ana.acts().admit(tom.me, ["operator"])
    assert ana.project.members().people[tom.me].roles == ("operator",)
    assert len(comments_of(ana)) == 1


def test_different_answers_given_apart_are_both_kept_and_settled_by_an_act(sites: tuple[Site, Site, Site]) -> None:
    """R093, C175, promise 4: a conflict is a value; it blocks, both sides show it, one act ends it on both."""
    ana, tom, grace = sites
    joined(ana, tom, "ml_engineer")
    joined(ana, grace, "ml_engineer")
    ana.send(tom)
    for site, text in ((tom, "shadow first"), (grace, "cut over at once")):
        row = {"step": text, "owner": site.name, "due": "2026-05-01", "way_back": "old rule"}
        site.acts().answer(handoff_of(site), {"prod.migration": {"state": "given", "rows": [row, row]}})
    tom.send(ana)
    grace.send(ana)
    status = item_of(ana, "prod.migration")
    assert status.state == "conflict" and len(status.answers) == 2

    ana.send(tom)
    kept = next(c for c in item_of(tom, "prod.migration").answers if c.person == tom.me)
    tom.acts().settle(handoff_of(tom), "prod.migration", kept.id)
    tom.send(ana)
    ana.send(grace)
    for site in (ana, tom, grace):
        assert item_of(site, "prod.migration").state == "answered"
    digests = {s.project.ledger.projection.digest() for s in (ana, tom, grace)}
    assert len(digests) == 1


def test_a_plan_says_what_a_bundle_would_do_and_leaves_no_trace(sites: tuple[Site, Site, Site]) -> None:
    """An import is a plan first: new, known, conflicts, consequences; looking writes nothing."""
    ana, tom, _ = sites
    joined(ana, tom, "ml_engineer")
    tom.acts().comment(handoff_of(tom), "a remark")
    path = tom.root / "plan.carnet.zip"
    tom.desk.export(tom.project, path)
    before = ana.project.ledger.projection.digest()
    plan = ana.desk.inspect(path)
    assert plan.new == 1 and plan.exporter == "Tom"
    assert ana.project.ledger.projection.digest() == before
    done = ana.desk.accept(path, plan=plan)
    assert done.plan.new == 1
    assert ana.desk.inspect(path).nothing_new
    assert ana.desk.accept(path).plan.new == 0


def test_an_increment_carries_only_what_the_other_lacks(sites: tuple[Site, Site, Site]) -> None:
    """What a person's own events have seen need not be sent again; into an empty store an increment is refused with a way out."""
    ana, tom, grace = sites
    joined(ana, tom, "ml_engineer")
    tom.acts().comment(handoff_of(tom), "I have seen all that")
    tom.send(ana)
    ana.acts().comment(handoff_of(ana), "one more")
    path = ana.root / "increment.carnet.zip"
    made = ana.desk.export(ana.project, path, to=(tom.me,))
    assert made.events <= 2
    assert tom.desk.accept(path).plan.new >= 1
    assert ana.desk.peers(ana.project)[0].name == "Tom"
    with pytest.raises(Exception, match=r"begins at|gap") as refusal:
        grace.desk.accept(path, trust=ana.project.id)
    assert getattr(refusal.value, "exit_code", 0) in (3, 4, 5)
    assert grace.desk.projects() == []


def test_a_new_project_needs_its_founder_confirmed(sites: tuple[Site, Site, Site]) -> None:
    """C176, THREATS 15: without the ledger id or the founder's fingerprint nothing is written; a wrong one is refused."""
    ana, tom, _ = sites
    path = ana.root / "first.carnet.zip"
    ana.desk.export(ana.project, path)
    with pytest.raises(Refused, match="not confirmed"):
        tom.desk.accept(path)
    with pytest.raises(Untrusted):
        tom.desk.accept(path, trust="0" * 64)
    with pytest.raises(NotFound):
        tom.desk.project()
    tom.desk.accept(path, confirmed=tom.desk.inspect(path).fingerprint)
    assert tom.project.name == "churn"


def test_a_restored_copy_of_a_store_opens_a_new_chain(sites: tuple[Site, Site, Site]) -> None:
    """THREATS 10: a store behind what it gave out goes on in a new chain, so that no fork is made."""
    ana, tom, _ = sites
    joined(ana, tom, "ml_engineer")
    ana.desk.store.close()
    backup = ana.root / "backup"
    shutil.copytree(ana.desk.store.root, backup)
    ana.acts().comment(handoff_of(ana), "after the backup")
    ana.send(tom)
    ana.desk.store.close()
    shutil.rmtree(ana.desk.store.root / "ledgers")
    shutil.copytree(backup / "ledgers", ana.desk.store.root / "ledgers")
    ana.desk = Desk.open(ana.desk.store.root, environ=ana.environ, clock=ana.clock)
    ana.acts().comment(handoff_of(ana), "after the restore")
    assert len({h.key for h in ana.project.ledger.heads() if ana.project.people.person_of(h.key) == ana.me}) == 2

    tom.send(ana)
    ana.send(tom)
    assert not any(ana.project.people.is_forked(h.key) for h in ana.project.ledger.heads())
    assert len(comments_of(tom)) == 2
    assert tom.project.ledger.projection.digest() == ana.project.ledger.projection.digest()


def test_erased_values_are_gone_everywhere_and_the_chain_verifies(sites: tuple[Site, Site, Site]) -> None:
    """C174, promise 8: a tombstone shreds the value on every replica; what is left says who and why."""
    ana, tom, _ = sites
    joined(ana, tom, "ml_engineer")
    secret = ana.acts().comment(handoff_of(ana), "call Ines at 555-0100")
    ana.send(tom)
    with pytest.raises(Refused, match="eraser"):
        ana.acts().erase(secret.changes, "a private telephone number")
    ana.acts().set_roles(ana.me, ["researcher", "eraser"])
    ana.acts().erase(secret.changes, "a private telephone number")
    ana.send(tom)
    for site in (ana, tom):
        assert comments_of(site) == ()
        assert site.project.ledger.verify() == []
        site.desk.store.close()
        raw = b"".join(p.read_bytes() for p in (site.desk.store.root / "ledgers").iterdir())
        assert b"555-0100" not in raw
