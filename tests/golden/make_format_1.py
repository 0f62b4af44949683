"""How `format-1` was made: a bundle, a store and what they say, as of the release that fixed format 1. Run once, never again.

    python tests/golden/make_format_1.py FOLDER

The bundle is the finished story of the churn sample (`sample_projects/churn-telco/built`), the store is what `Desk.accept` makes of it,
zipped; `expected.json` is what that release said of both on the day of the last event. The files under `format-1` stay as they are for ever:
whatever later versions write, they read these, and say the same.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

from carnet_store import Desk, Project
from carnet_store.exchange.bundle import open_bundle
from carnet_store.work.identity import Keyring

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "churn-telco" / "built" / "churn-telco.carnet.zip"


def told(project: Project, clock: int) -> dict[str, Any]:
    """Return what a project says of itself: its state, and each gate with its sign-offs."""
    gates = {}
    for handoff in sorted(project.handoff_ids()):
        look = project.look(handoff)
        gates[handoff] = {
            "gate": look.handoff.gate.id,
            "verdict": look.status.verdict,
            "round": look.status.round,
            "package": look.status.package,
            "items": {one.item.id: one.state for one in look.status.items},
            "signed": {
                row.row.role: [[s.change.person, s.change.t] for s in (*row.signed, *row.stale)]
                for row in look.status.rows
            },
            "stale": sum(len(row.stale) for row in look.status.rows),
        }
    return {
        "clock": clock,
        "ledger": project.id,
        "name": project.name,
        "events": project.ledger.count(),
        "changes": project.count_changes(),
        "heads": project.ledger.places(),
        "state": project.ledger.projection.digest(),
        "people": {person: [row.name, sorted(row.roles)] for person, row in sorted(project.members().people.items())},
        "gates": gates,
    }


def main(folder: Path) -> None:
    """Make the files in a folder that does not have them yet."""
    folder.mkdir(parents=True)
    bundle = folder / "churn-telco.carnet.zip"
    shutil.copyfile(SAMPLE, bundle)
    with open_bundle(bundle) as opened:
        ledger, identity = opened.ledger, opened.identity
    made = folder / "made"
    clock = [0]
    with Desk.with_keyring(made, Keyring(folder / "keys"), clock=lambda: clock[0] or 4_000_000_000_000) as desk:
        desk.accept(bundle, trust=ledger)
        project = desk.project()
        clock[0] = max(head.t for head in project.ledger.heads())
        expected = {"bundle": identity, **told(project, clock[0])}
        project.ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    root = made / ".carnet"
    with zipfile.ZipFile(folder / "store.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and name.startswith(("ledgers/", "objects/")) and not name.endswith(("-wal", "-shm")):
                out.writestr(
                    zipfile.ZipInfo(f".carnet/{name}", (1980, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED
                )
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(made)
    shutil.rmtree(folder / "keys", ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
