"""Acts of weight on a whole handoff: return it, override its gate, pass custody on; and what belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carnet_tui.answer_dialogs import names_of
from carnet_tui.handoff_verbs import HandoffVerbs
from carnet_tui.text import clean
from carnet_tui.views import words
from carnet_tui.views.sign_view import stands_for
from carnet_tui.widgets.dialogs import Choice, DigestDialog, LongPrompt, Picker, Prompt, Reason
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Look

OFFERED = 500


def act_digest(look: Look) -> str:
    """Return the digest that one types for an act on the whole handoff: that of its package, sealed or as it stands."""
    from carnet_store.domain import package

    return look.status.package or package.digest(look.manifest)


class WeightyVerbs(HandoffVerbs):
    """A screen about a handoff as a whole."""

    def available(self, action_id: str) -> str | None:
        """Return why an act on the whole handoff cannot be done now."""
        if self.look is not None and action_id in ("return", "override", "custody", "link", "withdraw", "repack"):
            verdict = self.look.status.verdict
            if verdict == "abandoned":
                return "the handoff was ended"
            if action_id == "return":
                return self._why_not_return(self.look)
            if action_id == "withdraw":
                return None if stands_for(self.look, self.me) else "no sign-off of yours stands here"
            if action_id == "override" and verdict == "passed":
                return "the gate is passed"
            return None
        return super().available(action_id)

    def _why_not_return(self, look: Look) -> str | None:
        roles = {row.role for row in look.checklist.signoffs[1:]}
        if not roles & self.my_roles():
            who = [clean(self.project.person_name(p)) for role in sorted(roles) for p in self.holders(role)]
            return f"its receivers return it: {words.listed(list(dict.fromkeys(who)))}"
        if not look.status.package:
            return "nothing was sealed yet"
        return "it is returned already" if look.status.returned is not None else None

    def do_return(self) -> None:
        """Give the package back, with a reason for each item named."""
        self.flow(self._return())

    async def _return(self) -> None:
        look = self.the_look()
        title = f"Return {self.named()} to its givers"
        reasons: dict[str, str] = {}
        while True:
            rows = [
                (one.item.id, f"{clean(one.item.id)}  {clean(one.item.title)}", words.ITEM_STATES[one.state][1])
                for one in sorted(look.status.items, key=lambda one: one.settled)
                if one.item.id not in reasons
            ]
            rows.insert(0, ("", f"done: {words.count(len(reasons), 'item')} named", "go on"))
            chosen = await self.ask(Picker(title, rows, glyphs=self.glyphs, note="which items are not good enough?"))
            if chosen is None:
                return
            if not chosen[0]:
                break
            why = await self.ask(
                LongPrompt(chosen[1], glyphs=self.glyphs, about=["What has to change?"], verb="go on",
                           check=lambda t: "" if t.strip() else "Say what has to change.")
            )  # fmt: skip
            if why is not None:
                reasons[chosen[0]] = why.strip()
        reason = await self.ask(
            Reason(title, glyphs=self.glyphs, about=["Why does the package go back?"], verb="go on")
        )
        if reason is None:
            return
        lines = [f"because {clean(reason.strip())}", *(f"{clean(i)}: {clean(why)}" for i, why in reasons.items())]
        lines += ["", "Its givers mend it and seal anew; this round and its sign-offs stay in the record."]
        if await self.ask(
            DigestDialog(title, paragraphs(lines), act_digest(look), glyphs=self.glyphs, verb="return it")
        ):
            await self.write(lambda acts: acts.give_back(self.entity, reason.strip(), reasons))
            self.refresh_data()

    def do_override(self) -> None:
        """Let the crossing happen although the gate is shut."""
        self.flow(self._override())

    async def _override(self) -> None:
        look = self.the_look()
        title, limit = f"Override the gate of {self.named()}", look.checklist.policy.override_days
        open_reasons = [clean(reason.text) for reason in look.status.reasons[:6]]
        reason = await self.ask(
            Reason(title, glyphs=self.glyphs, about=["The gate is shut:", *open_reasons], verb="go on")
        )
        if reason is None:
            return

        def wrong(text: str) -> str:
            good = text.strip().isdigit() and 0 < int(text) <= limit
            return "" if good else f"A number of days from 1 to {limit}."

        days = await self.ask(
            Prompt(title, glyphs=self.glyphs, value="1", about=[f"For how many days, at most {limit}?"], check=wrong)
        )
        if days is None:
            return
        lines = [*open_reasons, "", f"because {clean(reason.strip())}", f"for {words.count(int(days), 'day')}",
                 "It is loud: the gate reads overridden, never passed, and everybody sees by whom."]  # fmt: skip
        if await self.ask(
            DigestDialog(title, paragraphs(lines), act_digest(look), glyphs=self.glyphs, verb="override")
        ):
            await self.write(lambda acts: acts.override(self.entity, reason.strip(), int(days)))
            self.refresh_data()

    def do_withdraw(self) -> None:
        """Sign in place of my sign-off that stands: a refusal withdraws it."""
        from carnet_tui.screens.sign import withdraw_flow

        self.flow(withdraw_flow(self, self.entity))

    def do_repack(self) -> None:
        """Move the handoff to another pack, tier or facts."""
        from carnet_tui.screens.repack import repack_flow

        self.flow(repack_flow(self, self.the_look()))

    def do_custody(self) -> None:
        """Offer, accept or refuse custody of the model version."""
        self.flow(self._custody())

    async def _custody(self) -> None:
        look = self.the_look()
        steps = look.handoff.custody
        last = steps[-1] if steps else None
        title = f"Custody of {self.named()}"
        said = [
            f"{s.what} by {clean(self.project.person_name(s.change.person))} to {clean(s.to_team)}" for s in steps[-4:]
        ]
        ways = [("y", "accept", "accepted"), ("n", "refuse", "refused")] if last and last.what == "offered" else []
        ways.append(("-", "offer to another team", "offered"))
        what = await self.ask(Choice(title, ways, glyphs=self.glyphs, about=said or ["Nobody offered it yet."]))
        if what is None:
            return
        to_team, reason = last.to_team if last else "", ""
        if what == "offered":
            teams = sorted({row.team for row in self.project.members().people.values() if row.team})
            chosen = await self.ask(Picker("To which team?", [(t, clean(t), "") for t in teams], glyphs=self.glyphs))
            if chosen is None:
                return
            to_team = chosen[0]
        if what == "refused":
            given = await self.ask(Reason(title, glyphs=self.glyphs, about=["You refuse custody."], verb="go on"))
            if given is None:
                return
            reason = given.strip()
        lines = [f"custody {what}", f"team {clean(to_team)}", *([f"because {clean(reason)}"] if reason else [])]
        if await self.ask(DigestDialog(title, paragraphs(lines), act_digest(look), glyphs=self.glyphs)):
            await self.write(lambda acts: acts.custody(self.entity, what, to_team, reason))
            self.refresh_data()

    def do_link(self) -> None:
        """Let an entity or a file belong to what crosses."""
        self.flow(self._include())

    async def _include(self) -> None:
        from pathlib import Path

        from carnet_tui.widgets.path_prompt import PathPrompt

        title = f"What belongs to {self.named()}?"
        way = await self.ask(
            Choice(title, [("y", "something recorded", "entity"), ("n", "a file", "file")], glyphs=self.glyphs)
        )
        if way == "file":
            folder = self.desk.store.root.parent
            typed = await self.ask(PathPrompt(title, folder, glyphs=self.glyphs))
            if typed is not None:
                path = folder / Path(typed.strip()).expanduser()
                await self.write(lambda acts: acts.file(self.entity, path))
        elif way == "entity":
            inside = {str(row["id"]) for row in self.the_look().manifest.get("entities", [])}
            names = names_of(self)
            rows = [
                (r.id, names.entity(r.id), clean(r.kind))
                for r in self.project.entities(limit=OFFERED)
                if r.id not in inside
            ]
            chosen = await self.ask(Picker(title, rows, glyphs=self.glyphs, note="newest first"))
            if chosen is not None and await self.preview(
                "Link this to the handoff", paragraphs([chosen[1], chosen[2]])
            ):
                await self.write(lambda acts: acts.include(self.entity, chosen[0]))
        self.refresh_data()
