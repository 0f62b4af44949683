"""Signing off: what exactly is signed, what changed since, what follows, then decision, reason and the digest typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from carnet_store.errors import Refused
from carnet_tui import frame_text
from carnet_tui.answer_dialogs import names_of
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, digest
from carnet_tui.views import sign_view, words
from carnet_tui.views.item_view import block
from carnet_tui.widgets.dialogs import TYPED, Choice
from carnet_tui.widgets.lines import Builder, TextBlock, TextView, paragraphs
from carnet_tui.widgets.sheet import Field, Sheet

if TYPE_CHECKING:
    from carnet_store import Look
    from carnet_store.domain.gate import RowStatus

DECISIONS = (("approve", "approve"), ("approve-with-conditions", "approve with conditions"), ("refuse", "refuse"))
"""Decision as recorded, and its words. None is preset."""


class Decision(TextBlock, can_focus=True):
    """One of the decisions, chosen by the arrows; Enter goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False),
        Binding("right,space", "step(1)", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(self._draw)
        self._glyphs = glyphs
        self.at = -1

    @property
    def value(self) -> str:
        """The decision, empty while none was chosen."""
        return DECISIONS[self.at][0] if self.at >= 0 else ""

    def _draw(self, cells: int) -> list[Line]:
        mark = self._glyphs["cursor"] if self.has_focus else " "
        line: Line = [(mark, "cursor"), ("decision ", "dim")]
        if cells < 66:  # one at a time, the arrows show the others
            said = DECISIONS[self.at][1] if self.at >= 0 else "left and right choose"
            return [
                [
                    *line,
                    (
                        f"{self._glyphs['left arrow']} {said} {self._glyphs['right arrow']}",
                        "bold" if self.at >= 0 else "dim",
                    ),
                ]
            ]
        for number, (_, said) in enumerate(DECISIONS):
            chosen = number == self.at
            line.append((f"({'x' if chosen else ' '}) ", "key" if chosen else "dim"))
            line.append((f"{said}   ", ("chosen" if self.has_focus else "bold") if chosen else ""))
        return [line]

    def action_step(self, step: int) -> None:
        """Choose the next one."""
        self.at = max(0, min(self.at + step, len(DECISIONS) - 1)) if self.at >= 0 else 0
        self.show(layout=False)

    def on_focus(self) -> None:
        """Show that arrows choose here."""
        self.show(layout=False)

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.show(layout=False)

    def on_click(self, event: events.Click) -> None:
        """Choose what is under the pointer."""
        x = 10
        for number, (_, said) in enumerate(DECISIONS):
            x += len(said) + 7
            if event.x < x:
                self.at = number
                self.focus()
                self.show(layout=False)
                return


class SignSheet(Sheet[tuple[str, str]]):
    """The dialog; its result is (decision, reason). Nothing is preset; the digest's first characters are typed."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "read('up')", show=False),
        Binding("down", "read('down')", show=False),
        Binding("pageup", "read('page_up')", show=False),
        Binding("pagedown", "read('page_down')", show=False),
    ]

    def __init__(self, title: str, build: Builder, package: str, *, glyphs: Glyphs, who: str) -> None:
        super().__init__(title, glyphs=glyphs, note=who)
        self._build = build
        self._package = digest(package)

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what is signed, decision, reason, digest."""
        yield TextView(self._build)
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)])
        yield Decision(self.glyphs)
        yield TextBlock(self._reason)
        yield Field(placeholder="why, in a sentence")
        yield TextBlock(self._ask)
        yield Field(placeholder="_" * TYPED, max_length=TYPED)

    def _reason(self, cells: int) -> list[Line]:
        if frame_text.compact(*self.app.size):
            return []  # the field says it by itself
        return [[(" reason, for the record (a refusal or conditions need one)", "dim")]]

    def _ask(self, cells: int) -> list[Line]:
        start, _, rest = self._package.partition(" ")
        return [
            [
                (" digest  ", "dim"),
                (start, "accent"),
                (f" {rest}", ""),
                ("   type its first four characters to sign", "dim"),
            ]
        ]

    def hints(self) -> Sequence[Hint]:
        """Return the keys."""
        return [
            ("tab", "next field", ""),
            ("←→", "decision", ""),
            ("↑↓", "read", ""),
            ("⏎", "sign", ""),
            ("esc", "leave, nothing written", ""),
        ]

    def on_mount(self) -> None:
        """Begin at the decision."""
        self.query_one(TextView).can_focus = False
        self.query_one(Decision).focus()

    def on_key(self, event: events.Key) -> None:
        """Enter on the decision goes on to the reason."""
        if event.key == "enter" and isinstance(self.focused, Decision):
            event.stop()
            self.query(Input).first().focus()

    def action_read(self, name: str) -> None:
        """Scroll what is signed."""
        self.query_one(TextView).action_move(name)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """From the reason to the digest; from the digest: sign, if all is there."""
        event.stop()
        reason, typed = self.query(Input)
        if event.input is reason:
            typed.focus()
            return
        decision = self.query_one(Decision)
        if not decision.value:
            self.complain("Choose a decision first: left and right.")
            decision.focus()
        elif decision.value != "approve" and not reason.value.strip():
            self.complain("That decision needs a reason.")
            reason.focus()
        elif typed.value.strip().casefold() != self._package.replace(" ", "")[:TYPED].casefold():
            self.complain(f"That is not {self._package[:TYPED]}; nothing was written.")
            typed.value = ""
        else:
            self.dismiss((decision.value, reason.value.strip()))


async def seal(screen: DeskScreen, look: Look) -> bool:
    """Seal the package after a preview; True where it was sealed."""
    from carnet_store.domain import package

    now_digest = package.digest(look.manifest)
    names = names_of(screen)
    lines = [
        f"{clean(look.model.title)}: the package as it stands, round {look.handoff.round + 1}",
        f"digest   {digest(now_digest)}",
        "",
    ]
    for row in look.manifest.get("entities", []):
        lines.append(f"{clean(str(row['kind']))}  {names.entity(str(row['id']))}")
    lines += [f"file  {clean(file.path)}" for file in look.handoff.files]
    if look.handoff.seal is not None:
        sealed = look.handoff.manifest(look.handoff.seal)
        lines += ["", "since it was sealed:"]
        for sign, what, kind in package.difference(sealed, look.manifest):
            lines.append(f"{sign} {names.entity(what) if ':' in what else clean(what)}  {clean(kind)}")
    lines += ["", "From here on everybody means the same bytes. Sign-offs on an earlier package turn stale."]
    if not await screen.preview("Seal the package", paragraphs(lines), verb="seal"):
        return False
    return await screen.write(lambda acts: acts.seal(look.handoff.id)) is not None


async def sign_flow(screen: DeskScreen, handoff: str) -> None:
    """Seal where that is due, choose the role, read, sign."""
    look = screen.project.look(handoff)
    codes = {reason.code for reason in look.status.reasons}
    if codes & {"unsealed", "changed"}:
        if not await seal(screen, look):
            return
        look = screen.project.look(handoff)
    mine = [row for row in look.status.rows if row.missing and screen.me in row.could]
    row = await _choose_row(screen, mine)
    if row is None:
        return
    names, now = names_of(screen), screen.project.now()
    sections = (
        ("YOU SIGN", sign_view.signed_lines(look, row, now)),
        ("SINCE", sign_view.since_lines(look, screen.me, names, now)),
        ("AFTER", sign_view.after_lines(look, row, screen.me, names)),
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
