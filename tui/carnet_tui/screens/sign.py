"""Signing off: what exactly is signed, what changed since, what follows, then decision, reason and the digest typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from carnet_store.errors import Refused
from carnet_tui.answer_dialogs import names_of
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.text import Line, clean, digest
from carnet_tui.views import sign_view, words
from carnet_tui.views.item_view import block
from carnet_tui.widgets.dialogs import Choice, MessageBox
from carnet_tui.widgets.lines import paragraphs
from carnet_tui.widgets.sign_sheet import SignSheet

if TYPE_CHECKING:
    from carnet_store import Look
    from carnet_store.domain.gate import RowStatus


async def seal(screen: DeskScreen, look: Look) -> bool:
    """Seal the package after a preview, and say what still waits then; True where it was sealed."""
    from carnet_store.domain import package

    manifest = screen.project.manifest(look.handoff, look.handoff.round + 1)
    now_digest = package.digest(manifest)
    names = names_of(screen)
    lines = [
        f"{clean(look.model.title)}: the package as it stands, round {look.handoff.round + 1}",
        f"digest   {digest(now_digest)}",
        "",
    ]
    for row in manifest.get("entities", []):
        lines.append(f"{clean(str(row['kind']))}  {names.entity(str(row['id']))}")
    lines += [f"file  {clean(file.path)}" for file in look.handoff.files]
    if look.handoff.seal is not None:
        sealed = look.handoff.manifest(look.handoff.seal)
        lines += ["", "since it was sealed:"]
        for sign, what, kind in package.difference(sealed, manifest):
            lines.append(f"{sign} {names.entity(what) if ':' in what else clean(what)}  {clean(kind)}")
    lines += ["", "From here on everybody means the same bytes. Sign-offs on an earlier package turn stale."]
    if not await screen.preview("Seal the package", paragraphs(lines), verb="seal"):
        return False
    if await screen.write(lambda acts: acts.seal(look.handoff.id)) is None:
        return False
    after = screen.project.look(look.handoff.id)
    if waits := _waits(screen, after, rows_of(after, screen.me)):
        said = [
            f"The package is sealed: {digest(after.status.package, 2)}, round {after.status.round}.",
            "",
            f"{waits}.",
        ]
        if rows_of(after, screen.me):
            said += ["", "Nothing was signed. s on the handoff signs all the same."]
        await screen.ask(MessageBox("Sealed", said, glyphs=screen.glyphs))
    return True


def rows_of(look: Look, person: str) -> list[RowStatus]:
    """Return the sign-off rows that wait for a person."""
    return [row for row in look.status.rows if row.missing and person in row.could]


def _waits(screen: DeskScreen, look: Look, rows: Sequence[RowStatus]) -> str:
    """Return what still waits among what these rows cover; among all items where there is no row."""
    covers = {item for row in rows for item in row.row.covers} or {one.item.id for one in look.status.items}
    return sign_view.still_waits(
        look, covers, screen.me, names_of(screen).person, lambda role: screen.project.members().holders(role)
    )


async def sign_flow(screen: DeskScreen, handoff: str) -> None:
    """Seal where that is due, choose the role, read, sign.

    What was just sealed is signed at once only where nothing that the signature covers waits for others: it would turn
    stale at the first of their acts. Called again, it signs all the same, with that said first.
    """
    look = screen.project.look(handoff)
    codes = {reason.code for reason in look.status.reasons}
    if codes & {"unsealed", "changed"}:
        if not await seal(screen, look):
            return
        look = screen.project.look(handoff)
        if _waits(screen, look, rows_of(look, screen.me)):
            return
    row = await _choose_row(screen, rows_of(look, screen.me))
    if row is not None:
        await sign_as(screen, look, row)


async def withdraw_flow(screen: DeskScreen, handoff: str) -> None:
    """Choose one of my sign-offs that stand, and sign in its place: a refusal withdraws it."""
    look = screen.project.look(handoff)
    row = await _choose_row(screen, sign_view.stands_for(look, screen.me))
    if row is not None:
        await sign_as(screen, look, row)


async def sign_as(screen: DeskScreen, look: Look, row: RowStatus) -> None:
    """Show what a row's signature would cover, ask for decision, reason and digest, and sign.

    Where my sign-off stands there already, what I sign replaces it.
    """
    handoff, names, now = look.handoff.id, names_of(screen), screen.project.now()
    waits = _waits(screen, look, [row])
    replaces = sign_view.replaced_lines(look, row, screen.me, now)
    sections = (
        *((("NOT YET", [f"! {waits}"]),) if waits else ()),
        *((("IN PLACE", replaces),) if replaces else ()),
        ("YOU SIGN", sign_view.signed_lines(look, row, now)),
        ("SINCE", sign_view.since_lines(look, screen.me, names, now)),
        *((("AFTER", sign_view.after_lines(look, row, screen.me, names)),) if not replaces else ()),
    )

    def build(cells: int) -> list[Line]:
        out: list[Line] = []
        for number, (label, texts) in enumerate(sections):
            styled = [(text, "bad" if text.startswith("! ") else "") for text in texts]
            out += block(label, styled[:1], cells, gap=number > 0)
            out += block("", styled[1:], cells, gap=False)
        return out

    crossing = words.crossing(look.handoff.opened.from_stage, look.handoff.opened.to_stage)
    title = f"Sign off  {clean(look.model.title)}  {crossing}"
    me = screen.desk.i()
    who = f"as {clean(me.name)}, {words.role(row.row.role)}  key {clean(me.fingerprint[:14])}"
    done = await screen.ask(SignSheet(title, build, look.status.package, glyphs=screen.glyphs, who=who))
    if done is None:
        screen.base.say("Nothing was written.")
        return
    decision, reason = done
    again = screen.project.look(handoff)
    if again.status.package != look.status.package or any(
        again.status.item(i.item.id) != i for i in look.status.items if i.item.id in row.row.covers
    ):
        raise Refused("the handoff changed while you read it; nothing was signed", "look again: s")
    await screen.write(
        lambda acts: acts.sign(handoff, row.row.role, reason, decision=decision, meaning=row.row.meaning)
    )
    screen.refresh_data()


async def _choose_row(screen: DeskScreen, mine: Sequence[RowStatus]) -> RowStatus | None:
    if not mine:
        screen.base.say("No sign-off here waits for you.")
        return None
    if len(mine) == 1:
        return mine[0]
    ways = [
        (letter, f"{words.role(row.row.role)}: {clean(row.row.meaning.replace('-', ' '))}", row.row.id)
        for letter, row in zip("abcdefghi", mine, strict=False)
    ]
    chosen = await screen.ask(Choice("Sign as what?", ways, glyphs=screen.glyphs))
    return next((row for row in mine if row.row.id == chosen), None)
