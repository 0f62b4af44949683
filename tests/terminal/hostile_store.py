"""A store whose every text is hostile: what an author who writes the format by hand may put into a bundle.

    python hostile_store.py FOLDER

Makes `FOLDER/mine` (Ana's store, with all keys in `FOLDER/keys`) and `FOLDER/theirs.carnet.zip`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carnet_store import Acts, CarnetError, Desk, Project
from carnet_store.core import canonical
from carnet_store.domain.annotation import Cell
from carnet_store.domain.answer_input import parse_answer
from carnet_store.exchange.importers.notebook import cells_of
from carnet_store.work.identity import Identity, Keyring
from carnet_store.work.templates import Loaded, builtin_packs, load_pack

EVIL = (
    "\x1b]52;c;ZXZpbA==\x07\x1b[31mevil\x1b[0m\x9b2J\x1bP1$r\x1b\\\u202egnol\u202c\u2066\u200b\u2028\x7f\r\n\t\ufeff"
    "[bold red on blue]m[/] [@click=app.quit]c[/] <script>alert(1)</script> 価格👩\u200d👩 e\u0301 \x1b]0;title\x07\x85"
)
LONG = EVIL * 60  # about 10,000 characters
NAME_AT_MOST = 200
START = 1_770_000_000_000
PACK = "starter-research-to-engineering"


class Author:
    """Writes hostile texts, each with a word that tells where it stands."""

    def __init__(self) -> None:
        self.now = START

    def clock(self) -> int:
        """Return a later time, ms."""
        self.now += 60_000
        return self.now

    @staticmethod
    def evil(word: str, long: bool = False) -> str:
        """Return a hostile text that begins with a word."""
        return f"{word} {LONG if long else EVIL}"


def hostile_pack() -> tuple[Loaded, ...]:
    """Return the starter gate with hostile titles and helps."""
    raw = builtin_packs()[PACK].raw.decode()
    lines = []
    for line in raw.splitlines():
        head, colon, _ = line.partition(": ")
        bare = head.strip().removeprefix("- ")
        if colon and bare in ("title", "help", "why", "guidance") and "{" not in head:
            escaped = "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in Author.evil(bare))
            line = f'{head}: "{escaped}"'
        lines.append(line)
    data = "\n".join(lines).encode()
    return (Loaded(load_pack(data, "hostile"), data, canonical.sha256_hex(data)),)


def hostile_notebook(acts: Acts) -> None:
    """Declare a notebook whose cells, outputs and annotations are hostile, as one who writes the format by hand would."""
    evil = Author.evil
    error = {
        "output_type": "error",
        "ename": evil("ename"),
        "evalue": evil("evalue"),
        "traceback": [evil("trace", long=True)],
    }
    outputs = [{"output_type": "stream", "text": evil("output", long=True)}, error]
    rows = [
        {"cell_type": "markdown", "metadata": {}, "source": f"# {evil('heading')}"},
        {"cell_type": "code", "metadata": {"tags": [evil("tag")]}, "source": evil("source", long=True), "execution_count": 2, "outputs": outputs},
        {"cell_type": "code", "metadata": {}, "source": evil("second"), "execution_count": 1, "outputs": []},
    ]  # fmt: skip
    raw = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": rows}).encode()
    kept = {"path": evil("path"), "sha256": acts.project.objects.put(raw), "size": len(raw)}
    attrs = {"type": "notebook", "notebook": kept, "notes": evil("notes"), "order": evil("order")}
    notebook = acts.declare("document", evil("notebook"), attrs=attrs).entity
    cells = [Cell(one.digest, one.kind, one.source) for one in cells_of(raw)]
    said = acts.annotate(notebook, cells, 1, evil("annotation", long=True))
    acts.reply_annotation(said.changes[-1], evil("reply"))
    gone = acts.annotate(notebook, [Cell("0" * 64, "code", evil("gone"))], 0, evil("orphan"))
    acts.resolve_annotation(gone.changes[-1], evil("resolved"))


def build(folder: Path) -> None:
    """Make the stores and the bundle."""
    evil, author = Author.evil, Author()
    keyring = Keyring(folder / "keys")
    people: dict[str, Identity] = {
        name: dataclasses.replace(
            keyring.new(name, f"{name.lower()}@example.org"), name=evil(name), mail=evil(f"mail {name}")
        )
        for name in ("Ana", "Tom")
    }
    desk = Desk.with_keyring(folder / "mine", keyring, people["Ana"], clock=author.clock)
    project, _ = desk.found(
        evil("project"), roles=["researcher", "product_owner", "ml_engineer", "ops of \x1b[5m"], team=evil("team")
    )
    acts = desk.acts(project)
    acts.invite(
        evil("Tom"),
        evil("mail Tom"),
        ["ml_engineer", "product_owner", "operator", "risk_officer", evil("role")],
        evil("team"),
    )
    acts.invite(evil("Eve"), evil("mail Eve"), ["operator"], evil("team"))
    theirs = _joined(desk, project, folder, keyring, people["Tom"], author)
    data = acts.declare(
        "dataset", evil("data", long=True), attrs={"source": evil("source"), "owner": evil("owner"), "location": evil("location")},
        digests={"sha256": "a" * 64},
    )  # fmt: skip
    metrics = [{"name": evil("auc"), "value": "0.84", "split": evil("split"), "slice": evil("slice")}]
    run = acts.declare(
        "run", evil("run"), attrs={"command": evil("command")}, params={"lr": evil("param")}, metrics=metrics,
        edges=[("used", data.entity)],
    )  # fmt: skip
    model = acts.declare("model", evil("model"), version=evil("2"), attrs={"purpose": evil("purpose")})
    acts.link(run.entity, "made", model.entity)
    for kind in ("code", "environment", "document"):
        made = acts.declare(kind, evil(kind), attrs={"path": evil("path")})
        acts.link(run.entity, "used", made.entity)
    acts.declare(
        "dataset", evil("data", long=True), version=evil("other"), attrs={"schema": [{"name": evil("column"), "type": evil("type")}], "key \x1b[31m\x07": evil("value")},
        params={"p": evil("param")}, source=(evil("system"), evil("id")),
    )  # fmt: skip
    acts.comment(data.entity, evil("comment"))
    acts.ask(evil("nuance"), about=[data.entity])
    hostile_notebook(acts)
    handoff = acts.open_handoff(model.entity, hostile_pack(), entities=[run.entity, data.entity]).entity
    acts.decide(
        evil("question"), evil("choice"), evil("reason", long=True), options=[{"title": evil("option"), "why": evil("why")}],
        constraints=[evil("constraint")], context=evil("context"), consequences=evil("consequence"), about=[model.entity],
        revisit=evil("revisit"),
    )  # fmt: skip
    question = acts.ask(evil("question", long=True), about=[handoff], item="framing.problem", blocking=True)
    acts.reply(question.entity, evil("reply"))
    acts.ask(evil("question"), about=[model.entity], to_role="researcher")
    acts.comment(handoff, evil("comment", long=True))
    acts.comment(model.entity, evil("comment"))
    note = folder / "note.txt"
    note.write_text(evil("file"))
    acts.file(handoff, note, evil("path/../"))
    _answer(desk, project, handoff, "framing.problem", evil("answer", long=True))
    _send(desk, project, folder / "all.carnet.zip")
    theirs.accept(folder / "all.carnet.zip")
    _conflict(desk, theirs, project, handoff)
    other = theirs.project(project.id)
    there = theirs.acts(other)
    for what in (
        lambda: there.verify(handoff, "framing.problem", agree=False, reason=evil("disagree")),
        lambda: there.raise_finding(handoff, "framing.problem", evil("finding")),
        lambda: there.waive(handoff, "prod.migration", evil("waived"), evil("mitigation"), 5),
        lambda: there.comment(handoff, evil("theirs")),
        lambda: there.assign(handoff, "role:ml_engineer", people["Ana"].person, reason=evil("assigned")),
    ):
        _if_allowed(what)
    _send(theirs, other, folder / "one.carnet.zip")
    desk.accept(folder / "one.carnet.zip")
    acts.seal(handoff)
    for what in (
        lambda: acts.sign(handoff, "researcher", evil("signed")),
        lambda: acts.custody(handoff, "offered", evil("team"), evil("custody")),
        lambda: acts.give_back(handoff, evil("returned"), {"framing.problem": evil("item")}),
    ):
        _if_allowed(what)
    there.ask(evil("late"), about=[handoff])
    _send(theirs, other, folder / "theirs.carnet.zip")
    desk.inbox()
    desk.close()
    theirs.close()


def _joined(
    desk: Desk, project: Project, folder: Path, keyring: Keyring, tom: Identity, author: Author
) -> Desk:  # fmt: skip
    _send(desk, project, folder / "invite.carnet.zip")
    theirs = Desk.with_keyring(folder / "theirs", keyring, tom, clock=author.clock)
    theirs.accept(folder / "invite.carnet.zip", trust=project.id)
    other = theirs.project(project.id)
    acts = theirs.acts(other)
    acts.join(acts.invitations()[0][0])
    _send(theirs, other, folder / "join.carnet.zip")
    desk.accept(folder / "join.carnet.zip")
    desk.acts(project).admit(tom.person)
    return theirs


def _answer(desk: Desk, project: Project, handoff: str, item: str, raw: Any) -> None:
    asked = project.look(handoff).checklist.item(item)
    assert asked is not None
    desk.acts(project).answer(handoff, {item: parse_answer(asked, raw)})


def _conflict(desk: Desk, theirs: Desk, project: Project, handoff: str) -> None:
    """Both answer what both may answer, unseen by the other."""
    rows = [
        {
            "step": Author.evil("step"),
            "owner": Author.evil("owner"),
            "due": "2026-03-18",
            "way_back": Author.evil("back"),
        }
    ] * 2
    for who in (desk, theirs):
        _if_allowed(lambda who=who: _answer(who, who.project(project.id), handoff, "prod.migration", rows))  # type: ignore[misc]


def _send(desk: Desk, project: Project, path: Path) -> None:
    desk.export(project, path)


REFUSED: list[str] = []


def _if_allowed(what: Callable[[], Any]) -> None:
    try:
        what()
    except CarnetError as error:
        REFUSED.append(str(error))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
    print(*REFUSED, sep="\n")
