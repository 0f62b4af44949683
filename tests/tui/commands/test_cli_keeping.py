"""Keeping, forgetting, checking, carrying: backup, restore, shred, verify, doctor, import, identities."""

from __future__ import annotations

import sqlite3
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

PROBLEM = "Each month retention calls the customers whose score is over one half, at most two thousand."


def ledger(here: Any) -> str:
    """Return the id of the one project's ledger."""
    found: str = here.ok("verify", "--json").json["projects"][0]["ledger"]
    return found


def test_a_backup_brings_the_store_back_and_its_author_goes_on_in_a_new_chain(opened: Any, machine: Any) -> None:
    """R082: what was written after the backup is not silently written over; both histories come together again."""
    opened.ok("answer", "churn@1", "problem", PROBLEM)
    said = opened.ok("backup", "b.zip", "--json").json
    assert (said["ledgers"], said["size"] > 0) == (1, True)
    assert opened.call("backup", "b.zip").code == 3
    before = opened.ok("verify", "--json").json["projects"][0]["events"]
    opened.ok("comment", "churn@1", "written after the backup")
    opened.ok("export", "after.carnet.zip")
    taken = opened.folder / "taken"
    opened.ok("restore", "b.zip", "--to", str(taken))
    assert opened.call("restore", "b.zip", "--to", str(taken)).code == 3
    inside = ["--store", str(taken)]
    assert opened.ok("verify", *inside, "--json").json["projects"][0]["events"] == before
    opened.ok("comment", *inside, "churn@1", "written in the restored store")
    opened.ok("import", *inside, "after.carnet.zip")
    done = opened.ok("verify", *inside, "--json").json
    assert done["holds"]
    said_both = {
        row["value"]["text"] for row in opened.ok("log", *inside, "--json").json if row["kind"] == "comment.added"
    }
    assert said_both == {"written after the backup", "written in the restored store"}
    assert all(row["counts"] == "counts" for row in opened.ok("log", *inside, "--json").json)


@pytest.mark.parametrize("harm", ["bytes", "name", "extra", "format", "none", "cut"])
def test_a_harmed_backup_is_refused_and_leaves_nothing(ana: Any, harm: str) -> None:
    """A restored file is what was backed up, or nothing is written."""
    ana.ok("backup", "b.zip")
    source = zipfile.ZipFile(ana.folder / "b.zip")
    bad = ana.folder / "bad.zip"
    with zipfile.ZipFile(bad, "w") as out:
        for info in source.infolist():
            data = source.read(info)
            name = info.filename
            if harm == "bytes" and name.endswith(".db"):
                data = data[:5000] + b"\x01" + data[5001:]
            if harm == "name" and name.endswith(".db"):
                name = "../../evil.db"
            if harm == "format" and name == "backup.json":
                data = data.replace(b"carnet-backup/1", b"carnet-backup/9")
            if harm == "none" and name == "backup.json":
                continue
            out.writestr(name, data)
        if harm == "extra":
            out.writestr("objects/extra", b"x")
    if harm == "cut":
        bad.write_bytes((ana.folder / "b.zip").read_bytes()[:-40])
    done = ana.call("restore", "bad.zip", "--to", str(ana.folder / "r"))
    assert done.code == {"format": 6, "none": 4, "cut": 4}.get(harm, 5), done.err
    assert "Traceback" not in done.err
    assert not (ana.folder / "r").exists() or list((ana.folder / "r").iterdir()) == []
    assert not (ana.folder.parent / "evil.db").exists()


def test_shredding_leaves_a_tombstone_and_the_chain_verifies(opened: Any) -> None:
    """C174: erased by a signed act; nothing of the text is left, and everything still holds."""
    secret = "Mrs Miller of 5 High Street said that she would leave us."
    opened.ok("comment", "churn@1", secret)
    (opened.folder / "private.csv").write_text("name\nMiller\n")
    opened.ok("add", "document", "private", "--file", "private.csv", "--keep")
    change = opened.ok("log", "churn@1", "--json").json[0]["change"]
    digest = opened.ok("lineage", "private", "--json").json["node"]["digests"]["sha256"]
    refused = opened.call("shred", change[:16], "--reason", "she asked to be forgotten")
    assert refused.code == 3
    assert "eraser" in refused.err
    opened.ok("people", "role", "Ana", "researcher", "eraser")
    opened.ok("shred", change[:16], digest, "--reason", "she asked to be forgotten")
    assert opened.ok("verify", "--json").json["holds"]
    files = [p for p in (opened.folder / ".carnet").rglob("*") if p.is_file()]
    assert not any(b"Miller" in path.read_bytes() for path in files if "wal" not in path.name)
    rows = {row["change"]: row for row in opened.ok("log", "--json").json}
    assert rows[change]["counts"] == "its value was erased"
    assert rows[change]["value"] is None


def test_verify_names_what_was_altered(opened: Any) -> None:
    """R013: an altered event, table or object is named; exit 5."""
    (opened.folder / "plan.md").write_text("# Plan\n")
    opened.ok("add", "document", "plan", "--file", "plan.md", "--keep")
    assert opened.call("verify").code == 0
    kept = next(
        p for p in (opened.folder / ".carnet" / "objects").rglob("*") if p.is_file() and p.read_bytes() == b"# Plan\n"
    )
    kept.chmod(0o600)
    kept.write_bytes(b"# Plaz\n")
    done = opened.call("verify")
    assert done.code == 5
    assert kept.name[:16] in done.out
    kept.write_bytes(b"# Plan\n")
    file = next((opened.folder / ".carnet" / "ledgers").glob("*.db"))
    with sqlite3.connect(file) as db:
        line = bytes(db.execute("SELECT line FROM event WHERE instr(line, CAST('telco' AS BLOB)) > 0").fetchone()[0])
        db.execute("UPDATE event SET line = ? WHERE line = ?", (line.replace(b"telco", b"telcx"), line))
    db.close()
    done = opened.call("verify", "--json")
    assert done.code == 5
    fault = done.json["projects"][0]["faults"][0]
    assert fault["seq"] > 0
    assert fault["chain"]


def test_verify_rebuild_mends_the_derived_tables(opened: Any) -> None:
    file = next((opened.folder / ".carnet" / "ledgers").glob("*.db"))
    with sqlite3.connect(file) as db:
        db.execute("UPDATE entity SET name = 'other' WHERE name = 'telco'")
    db.close()
    assert opened.call("verify").code == 5
    assert opened.call("verify", "--rebuild").code == 0
    assert "telco" in opened.ok("list", "datasets").out


def test_doctor_asks_for_a_second_root_until_there_is_one(ana: Any, machine: Any) -> None:
    """Issue 2, section 2: a second root can be named at init, and doctor asks for one until it is."""
    said = ana.ok("doctor")
    assert "one key alone can name admins" in said.out
    other = machine("Zoe")
    other.ok("init", "--project", "safe", "--second-root", "ab" * 32)
    assert "one key alone" not in other.ok("doctor").out
    pub = ana.folder / "id.pub"
    pub.write_text("ssh-rsa AAAA nobody")
    assert other.call("init", str(other.root / "x"), "--second-root", str(pub)).code == 4
    bare = machine("Nobody", identity=False)
    told = bare.call("doctor", "--json")
    assert told.code == 0
    assert any(row["subject"] == "store" and row["level"] == "note" for row in told.json)
    (ana.root / "keys").chmod(0o755)
    assert ana.call("doctor").code == 3


def test_import_shows_the_plan_and_a_new_project_must_be_trusted(opened: Any, machine: Any) -> None:
    """Issue 2, section 4: verified, shown, then written; idempotent; a founder is compared before anything is kept."""
    other = machine("Zoe", identity=False)
    opened.send(other)
    looked = other.ok("b.carnet.zip")
    assert "churn, founded by Ana" in looked.out
    assert list(other.folder.iterdir()) == [other.folder / "b.carnet.zip"]
    dry = other.ok("import", "b.carnet.zip", "--dry-run", "--json").json
    assert (dry["written"], dry["new"] > 5) == (False, True)
    refused = other.call("import", "b.carnet.zip")
    assert refused.code == 3
    assert f"--trust {ledger(opened)}" in refused.err
    assert not (other.folder / ".carnet").exists()
    assert other.call("import", "b.carnet.zip", "--trust", "1" * 64).code == 5
    done = other.ok("import", "b.carnet.zip", "--trust", ledger(opened))
    assert "Next: carnet people join" in done.last
    again = other.ok("import", "b.carnet.zip", "--json").json
    assert (again["new"], again["written"]) == (0, True)
    stranger = other.call("answer", "churn@1", "problem", PROBLEM)
    assert stranger.code == 3
    assert "carnet people join" in stranger.err


def test_a_bundle_that_is_none_is_refused_in_one_line(ana: Any) -> None:
    (ana.folder / "x.carnet.zip").write_bytes(b"PK\x03\x04 no zip at all")
    for words in (["x.carnet.zip"], ["import", "x.carnet.zip"], ["verify", "x.carnet.zip"],
                  ["gate", "churn@1", "--bundle", "x.carnet.zip", "--trust", "0" * 64]):  # fmt: skip
        done = ana.call(*words)
        assert done.code in (4, 5), words
        assert "Traceback" not in done.err
    assert ana.call("gone.carnet.zip").code == 2
    assert ana.call("gate", "churn@1", "--bundle", "x.carnet.zip").code == 2


def test_increments_by_person_and_by_bundle(opened: Any, machine: Any) -> None:
    other = machine("Zoe")
    opened.ok("people", "invite", "Zoe <zoe@example.org>", "--role", "ml_engineer", "--team", "engineering")
    opened.send(other)
    other.ok("import", "b.carnet.zip", "--trust", ledger(opened))
    other.ok("people", "join")
    other.send(opened, "z.carnet.zip")
    opened.ok("import", "z.carnet.zip")
    opened.ok("people", "admit", "Zoe")
    to = opened.ok("export", "to.carnet.zip", "--to", "engineering", "--json").json
    since = opened.ok("export", "since.carnet.zip", "--since", "z.carnet.zip", "--json").json
    whole = opened.ok("export", "all.carnet.zip", "--json").json
    assert to["events"] == since["events"] == 1
    assert whole["events"] > 5
    assert opened.call("export", "x.carnet.zip", "--to", "Zoe", "--since", "z.carnet.zip").code == 2
    assert opened.call("export", "x.carnet.zip", "--to", "nobody").code == 2
    (other.folder / "to.carnet.zip").write_bytes((opened.folder / "to.carnet.zip").read_bytes())
    other.ok("import", "to.carnet.zip")
    roles = {row["name"]: row["roles"] for row in other.ok("people", "list", "--json").json["people"]}
    assert roles["Zoe"] == ["ml_engineer"]


def test_what_would_leave_is_told_before(opened: Any, machine: Any) -> None:
    """`export --dry-run` writes nothing and foretells the bundle; an increment alone is no record to verify."""
    dry = opened.ok("export", "x.carnet.zip", "--dry-run")
    assert "your keys and passphrases" in dry.out and "Nothing was written" in dry.last
    told = opened.ok("export", "x.carnet.zip", "--dry-run", "--json").json
    assert not (opened.folder / "x.carnet.zip").exists() and told["written"] is False
    made = opened.ok("export", "x.carnet.zip", "--json").json
    assert (told["events"], told["objects"], told["missing"]) == (made["events"], made["objects"], made["missing"])
    assert 0 < made["size"] < told["event_bytes"] + told["object_bytes"] + 200_000
    opened.ok("comment", "churn@1", "one more")
    opened.ok("export", "more.carnet.zip", "--since", "x.carnet.zip")
    assert opened.ok("export", "more.carnet.zip", "--since", "x.carnet.zip", "--dry-run", "--json").json["events"] == 1
    other = machine("Zoe")
    (other.folder / "more.carnet.zip").write_bytes((opened.folder / "more.carnet.zip").read_bytes())
    said = other.call("verify", "more.carnet.zip", "--trust", made["ledger"])
    assert (said.code, "whole bundle" in said.err) == (4, True)


def test_a_protected_key_signs_with_the_passphrase_file_and_asks_for_it_otherwise(machine: Any) -> None:
    """Issue 2, section 2: no passphrase, no signature; the error says what to do."""
    here = machine("Zoe", identity=False)
    (here.root / "pass").write_text("correct horse\n")
    asked = here.call("identity", "new", "Zoe", "--passphrase")
    assert asked.code == 2
    here.environ["CARNET_PASSPHRASE_FILE"] = str(here.root / "pass")
    here.ok("identity", "new", "Zoe", "--mail", "zoe@example.org", "--passphrase")
    assert here.ok("whoami", "--json").json["protected"] is True
    here.ok("init", "--project", "sealed")
    exported = here.ok("identity", "export", "zoe.json")
    assert "carnet identity import" in exported.last
    del here.environ["CARNET_PASSPHRASE_FILE"]
    refused = here.call("people", "role", "Zoe", "operator")
    assert refused.code not in (0, 1), refused.err
    assert "assphrase" in refused.err
    (here.root / "pass").write_text("wrong\n")
    here.environ["CARNET_PASSPHRASE_FILE"] = str(here.root / "pass")
    assert here.call("people", "role", "Zoe", "operator").code not in (0, 1)
    (here.root / "pass").write_text("correct horse\n")
    here.ok("people", "role", "Zoe", "operator")
    away = machine("Away", identity=False)
    away.environ["CARNET_PASSPHRASE_FILE"] = str(here.root / "pass")
    (away.folder / "zoe.json").write_bytes((here.folder / "zoe.json").read_bytes())
    away.ok("identity", "import", "zoe.json")
    assert away.ok("whoami", "--json").json["person"] == here.ok("whoami", "--json").json["person"]


def test_an_ssh_key_will_do_and_several_identities_are_told_apart(machine: Any, tmp_path: Path) -> None:
    here = machine("Zoe")
    key = tmp_path / "id"
    made = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("ssh-keygen is not here")
    here.ok("identity", "use-ssh", str(key), "--name", "Zoe at work")
    assert len(here.ok("identity", "list", "--json").json) == 2
    several = here.call("init", "--project", "p")
    assert several.code == 2
    assert "say --me NAME" in several.err
    here.ok("init", "--project", "p", "--me", "Zoe at work")
    assert here.ok("whoami", "--me", "work", "--json").json["projects"][0]["admin"] is True
    here.environ["CARNET_ME"] = "Zoe at work"
    here.ok("handoff", "open", "m@1")


def test_several_projects_in_one_store(ana: Any) -> None:
    ana.ok("init", "--project", "fraud")
    several = ana.call("list")
    assert several.code == 2
    assert "--project" in several.err
    assert ana.ok("--project", "fraud", "list", "--json").json["total"] == 0
    assert ana.ok("list", "--project", "churn", "--json").json["total"] == 4
    assert ana.call("init", "--project", "fraud").code == 3


def test_templates_by_command(ana: Any) -> None:
    rows = ana.ok("template", "list", "--json").json
    assert rows[0]["id"].startswith("starter")
    assert len([row for row in rows if row["kind"] == "gate"]) >= 4
    assert "framing.problem" in ana.ok("template", "show", "starter-research-to-engineering").out
    ana.ok("template", "new", "my-gate")
    assert ana.call("template", "new", "my-gate").code == 3
    ana.ok("template", "lint", "my-gate.yaml")
    text = (ana.folder / "my-gate.yaml").read_text()
    (ana.folder / "bad.yaml").write_text(text.replace("severity: blocker", "severity: dire", 1))
    bad = ana.call("template", "lint", "bad.yaml", "--json")
    assert bad.code == 4
    assert bad.json[0]["line"] > 10
    assert ana.call("template", "lint", "none.yaml").code == 2
    ana.ok("template", "new", "team-gate", "--to", ".carnet/templates/team-gate.yaml")
    ana.ok("handoff", "open", "churn@1", "--gate", "team-gate")
    assert ana.ok("handoff", "show", "churn@1", "--json").json["gate"] == "team-gate"


def test_people_by_command(ana: Any) -> None:
    ana.ok("people", "invite", "Tom <tom@example.org>", "--role", "operator")
    told = ana.ok("people", "list", "--json").json
    assert told["invited"][0]["name"] == "Tom"
    assert told["people"][0]["admin"] is True
    assert ana.call("people", "invite", "Tom").code == 2
    assert ana.call("people", "admit", "Tom").code == 2
    assert ana.call("people", "role", "Ana").code == 2
    assert ana.call("people", "role", "Zoe", "operator").code == 2
    ana.ok("people", "role", "Ana", "--none")
    assert ana.ok("people", "list", "--json").json["people"][0]["roles"] == []
    assert ana.call("people", "join").code in (2, 3)
