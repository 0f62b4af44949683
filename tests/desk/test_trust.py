"""A verdict rests only on tables that this user's Carnet made or verified on this machine (THREATS 34)."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from carnet_store import Desk, Untrusted
from carnet_store.work.identity import Keyring

Company = Any


def doctor(company: Company, sql: str) -> None:
    """Change the ledger's file behind Carnet's back."""
    path = company.project.path
    company.desk.close()
    db = sqlite3.connect(path)
    db.execute(sql)
    db.commit()
    db.close()


def reopened(company: Company, keyring: Keyring | None = None) -> Any:
    """Open the store again; return the handoff's status."""
    desk = company.desk
    if keyring is not None:
        desk.keyring = keyring
    desk._actors.clear()
    company.project = desk.project()
    return company.look().status


FORGE = "UPDATE change SET live = 0 WHERE kind = (SELECT no FROM word WHERE text = 'handoff.returned!')"


def test_a_doctored_table_is_made_anew_before_anything_is_shown(company: Company) -> None:
    """THREATS 34: a return that was hidden in the tables is there again, because the sum over the rows does not hold."""
    company.fill()
    company.sign_all()
    company.acts("Tom").give_back(company.ids["handoff"], "the figure does not come back here")
    doctor(company, FORGE)

    assert reopened(company).verdict == "returned"


def test_without_the_rule_the_doctored_table_would_be_believed(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack is real: with trust taken for granted, the hidden return opens the gate."""
    company.fill()
    company.sign_all()
    company.acts("Tom").give_back(company.ids["handoff"], "the figure does not come back here")
    doctor(company, FORGE)
    monkeypatch.setattr(company.desk.store, "on_open", lambda project: None)

    assert reopened(company).verdict == "passed"


def test_a_store_handed_over_is_verified_by_whoever_gets_it(company: Company, tmp_path: Any) -> None:
    """THREATS 34: with the sum set right as well, another user's key still finds no word of its own and folds anew."""
    company.fill()
    company.sign_all()
    company.acts("Tom").give_back(company.ids["handoff"], "the figure does not come back here")
    doctor(company, FORGE)
    db = sqlite3.connect(company.desk.store.ledger_path(company.project.id))
    db.close()
    other = Keyring(tmp_path / "other")
    other.new("Auditor")

    assert reopened(company, other).verdict == "returned"


def test_a_changed_event_stops_the_store_from_being_opened(company: Company) -> None:
    """R013: a byte changed in an event is named, and no verdict is given."""
    doctor(
        company,
        "UPDATE event SET line = CAST(replace(CAST(line AS TEXT), 'telco', 'telca') AS BLOB)"
        " WHERE CAST(line AS TEXT) LIKE '%telco%'",
    )
    doctor_sum = sqlite3.connect(company.desk.store.ledger_path(company.desk.store.project_ids()[0]))
    doctor_sum.execute("DELETE FROM meta WHERE k = 'mac'")
    doctor_sum.commit()
    doctor_sum.close()

    with pytest.raises(Untrusted, match="does not verify"):
        company.desk.project()


def test_acts_keep_the_word(company: Company) -> None:
    """After any number of acts the store opens without being verified anew."""
    ledger = company.project.ledger
    assert ledger.vouched(company.desk.keyring.mac_key())
    company.acts("Ana").comment(company.ids["handoff"], "one more")
    assert ledger.vouched(company.desk.keyring.mac_key())
    assert isinstance(company.desk, Desk)
