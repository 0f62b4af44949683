"""A small app out of the kit: what the screens are built from, shown and tested without a store.

python kit_demo.py [--first-frame] [--hostile] [--demo] [--rows N] [--theme NAME] [--crash]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

HOSTILE = (
    "a\x1b]52;c;ZXZpbA==\x07b\x1b[31mred\x1b[0m\x9b2Jc\u202eevil\u202c"
    "\u200bd\u2028e\x7ff\rg\nh\ti\udc80j\ufeffk \x1b]0;title\x07"
)


def rows(count: int, hostile: bool) -> list[object]:
    from carnet_tui.rows import InboxRow, with_heads
    from carnet_tui.text import clean

    bad = clean(HOSTILE) if hostile else ""
    made = [
        ("conflict", "churn-v7", "2 conflicts from ops-eu", "res > eng", "14/18", "2h", "needs"),
        ("stale", "fraud-2026Q3", "your sign-off went stale: +3", "eng > ops", "18/18", "5h", "needs"),
        ("review", "ltv-uplift", "review: 9 items yours", "res > eng", "9/18", "1d", "needs"),
        ("question", "churn-v7", "2 questions wait for you", "res > eng", "-", "1d", "needs"),
        ("sign", "search-rank", "sign off as ml-lead (1 of 2)", "eng > ops", "20/20", "3d", "needs"),
        ("waiting", "geo-eta", "kim (ops) to sign", "eng > ops", "20/20", "2d", "waiting"),
        ("waiting", "価格弾力性", "期限まで四日の免除", "res > eng", "16/18", "9d", "waiting"),
        ("done", "churn-v6", "deployed to eu-west", "ops", "20/20", "3d", "recent"),
    ]
    if hostile:
        made = [(a, bad, bad, bad, bad, bad, g) for a, _, _, _, _, _, g in made]
    made += [("waiting", f"model-{n}", "waits for somebody", "res > eng", "0/12", "1y", "recent") for n in range(count)]
    return list(
        with_heads(
            [
                InboxRow(state=a, subject=b, what=c, gate=d, checks=e, age=f, section=g, key=str(n))
                for n, (a, b, c, d, e, f, g) in enumerate(made)
            ]
        )
    )


def chrome_facts(args: argparse.Namespace) -> dict[str, object]:
    from carnet_tui.text import clean

    said = clean(HOSTILE) if args.hostile else "Ready."
    facts: dict[str, object] = {
        "crumb": clean(HOSTILE) if args.hostile else "acme-risk",
        "who": clean(HOSTILE)[:20] if args.hostile else "ana@research",
        "trust": "verified",
        "status": said,
    }
    if args.demo:
        facts["demo"] = "ana@research, 14 Nov 2026"
        facts["steps"] = (
            ("conflict", "done"),
            ("review", "ready"),
            ("sign", "open"),
            ("send", "open"),
            ("verify", "open"),
        )
    return facts


def detail(row: object, hostile: bool = False) -> list[list[tuple[str, str]]]:
    from carnet_tui.rows import InboxRow

    if not isinstance(row, InboxRow):
        return []
    return [
        [(f" {row.subject}", "bold"), (f"  {row.what}", "")],
        [("   data.3  Sensitive columns removed    here: yes (ana)   theirs: no (kim)", "")],
        [("   env.1   Lock file committed          here: yes (ana)   theirs: not applicable (kim)", "")],
    ]


def make_app(args: argparse.Namespace, frame: object = None) -> object:
    from textual.widget import Widget

    from carnet_tui import frame_text
    from carnet_tui.base import CarnetBase
    from carnet_tui.glyphs import choose
    from carnet_tui.rows import HeadRow, InboxRow, inbox_line
    from carnet_tui.screen import CarnetScreen, Route
    from carnet_tui.text import Line, clean, clean_lines
    from carnet_tui.widgets.dialogs import (
        ANSWERS,
        Choice,
        DigestDialog,
        LongPrompt,
        MessageBox,
        Picker,
        Preview,
        Prompt,
        Reason,
    )
    from carnet_tui.widgets.line_list import LineList, Rows
    from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs
    from carnet_tui.widgets.table_form import Column, TableForm

    glyphs = choose()
    listed = rows(args.rows, args.hostile)
    evil = HOSTILE if args.hostile else "retrain after dropping region (D-13)"

    def key(row: InboxRow | HeadRow) -> str | None:
        return row.key if isinstance(row, InboxRow) else None

    def line(row: InboxRow | HeadRow, cells: int) -> Line:
        return inbox_line(row, cells, glyphs)

    class DemoInbox(CarnetScreen):
        CONTEXTS = ("inbox",)
        PLACE = "inbox"

        def compose_content(self) -> Iterable[Widget]:
            yield TextBlock(
                lambda cells: [frame_text.headline("owner:me status:open", "7 of 41 need you", cells, glyphs)],
                classes="roomy",
            )
            yield LineList(Rows(listed, key), line, key, glyphs=glyphs)  # type: ignore[arg-type]
            if args.raw_widget:
                from textual.widgets import Static

                yield Static(f"raw:{HOSTILE}", markup=False)
            yield TextBlock(self.detail, id="detail", classes="roomy")

        def detail(self, cells: int) -> list[Line]:
            wanted = frame_text.inbox_parts(*self.app.size)[2]
            if not wanted:
                return []
            found = self.query(LineList)
            lines = detail(found.first().chosen) if found else []
            return [frame_text.rule(cells, glyphs), *lines, *([[]] * 9)][:wanted]

        def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
            self.query_one("#detail", TextBlock).show(layout=False)

        def on_line_list_selected(self, event: LineList.Selected) -> None:
            self.base.enter(Route("handoff", (event.row.subject,)))

        def available(self, action_id: str) -> str | None:
            found = self.query(LineList)
            row = found.first().chosen if found else None
            if action_id == "sign" and isinstance(row, InboxRow) and row.state == "conflict":
                return "2 conflicts"
            return None

        def hints(self) -> list[frame_text.Hint]:
            return list(frame_text.INBOX_HINTS) if args.plain_hints else super().hints()

        def first_hints(self) -> Sequence[str]:
            return ("open", "review", "sign", "question", "find")

        def copies(self) -> Sequence[tuple[str, str]]:
            return (("code", "churn-v7#data.3"), ("digest", "sha256:7f3a91c20be744d0"), ("command", clean(evil)))

        def do_open(self) -> None:
            self.query_one(LineList).action_open()

        def do_review(self) -> None:
            def then(answer: str | None) -> None:
                self.base.say(f"You answered {answer}: a draft, not signed, not shared.")

            self.app.push_screen(
                Choice("data.3  Sensitive columns removed", ANSWERS, about=[clean(evil)], glyphs=glyphs, note="answer"),
                then,
            )

        def do_sign(self) -> None:
            text = paragraphs(
                [
                    "package   18 items, 6 artifacts, 4 decisions",
                    "result    16 yes   1 waived until 12 Dec   1 not applicable",
                    f"because   {clean(evil)}",
                    "",
                    "After this: 1 of 2 signatures; still needed: eng-lead (kim or raj).",
                ]
            )
            title, package = "Sign off  churn-v7  research to engineering", "sha256:7f3a91c20be744d0"
            self.app.push_screen(
                DigestDialog(title, text, package, glyphs=glyphs, key_name="as ana, ml-lead"),
                lambda done: self.base.say("Signed." if done else "Nothing was written."),
            )

        def do_question(self) -> None:
            self.app.push_screen(
                Prompt("Ask about churn-v7", glyphs=glyphs, about=[clean(evil)], verb="ask"),
                lambda text: self.base.say(f"Asked: {text}" if text else "Nothing was written."),
            )

        def do_comment(self) -> None:
            self.app.push_screen(
                LongPrompt("Comment on churn-v7", glyphs=glyphs, verb="write", value=evil if args.hostile else ""),
                lambda text: self.base.say(f"Commented: {clean(text)}" if text else "Nothing was written."),
            )

        def do_settle(self) -> None:
            self.app.push_screen(
                Preview("Settle data.3", paragraphs([clean(evil)]), glyphs=glyphs, after="u retracts it.")
            )

        def do_rescue(self) -> None:
            self.app.push_screen(
                Reason(
                    "Recall churn-v7", glyphs=glyphs, about=["This asks all users to stop.", clean(evil)], verb="recall"
                )
            )

        def do_find(self) -> None:
            things = [(str(n), clean(f"{evil} {n}"), "2h") for n in range(60)]
            self.app.push_screen(Picker("Attach a run", things, glyphs=glyphs, note="newest first"))

        def do_edit_all(self) -> None:
            table = [Column("name"), Column("kind", choices=("int", "text")), Column("limit", number=True)]
            self.app.push_screen(
                TableForm(
                    "data.2  Schema",
                    table,
                    [["tenure", "int", "72"], [evil if args.hostile else "region", "text", ""]],
                    glyphs=glyphs,
                ),
                lambda out: self.base.say(f"Table of {len(out)} rows." if out is not None else "Nothing was written."),
            )

        def do_difference(self) -> None:
            self.app.push_screen(MessageBox("Since you signed", clean_lines(evil) * 30, glyphs=glyphs))

        def do_graph(self) -> None:
            if args.crash:
                raise RuntimeError("a bug, on purpose")
            self.work(lambda: 6 * 7, lambda answer: self.base.say(f"{answer} nodes."))

    class DemoPlace(CarnetScreen):
        CONTEXTS = ("handoff",)

        def __init__(self, route: Route) -> None:
            super().__init__()
            self._route = route

        def crumb(self) -> str:
            return " / ".join([self.base.facts.crumb, *self._route.about])

        def compose_content(self) -> Iterable[Widget]:
            yield TextView(paragraphs([f"{self._route.name} {n}  {clean(evil)}" for n in range(60)]))

    class DemoApp(CarnetBase):
        def route(self, route: Route) -> CarnetScreen:
            return DemoInbox() if route.name == "inbox" else DemoPlace(route)

        def drafts(self) -> str:
            return "2 drafts are not submitted." if args.drafts else ""

    app = DemoApp(glyphs=glyphs, start=(Route("inbox"),), theme_name=args.theme, frame=frame)  # type: ignore[arg-type]
    for name, value in chrome_facts(args).items():
        setattr(app.facts, name, value)
    return app


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for flag in (
        "--first-frame",
        "--only-frame",
        "--hostile",
        "--demo",
        "--crash",
        "--drafts",
        "--plain-hints",
        "--raw-widget",
        "--boom",
    ):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--theme", default="")
    return parser.parse_args(argv)


def main() -> int:
    args = parse(sys.argv[1:])
    frame = None
    if args.first_frame or args.only_frame:
        from carnet_tui import first_frame, frame_text
        from carnet_tui.glyphs import choose

        listed = rows(min(args.rows, 60), args.hostile)
        first = next(row for row in listed if hasattr(row, "subject"))
        inbox = frame_text.Inbox(
            listed, title="owner:me status:open", summary="7 of 41 need you", detail=detail(first)  # type: ignore[arg-type]
        )  # fmt: skip
        frame = first_frame.show(frame_text.Chrome(**chrome_facts(args)), inbox, choose())  # type: ignore[arg-type]
        if args.boom:
            raise RuntimeError("a bug before the app")
        if args.only_frame:
            sys.stdin.readline()
            if frame is not None:
                frame.close()
            return 0
    return make_app(args, frame).run_guarded()  # type: ignore[attr-defined,no-any-return]


if __name__ == "__main__":
    sys.exit(main())
