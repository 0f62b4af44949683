"""Packs of gates: template list, show, lint, new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import PATH, Group, add_to, session
from carnet_tui.session import Session

if TYPE_CHECKING:
    from carnet_store.work.templates import Loaded

template = Group("template", help="Packs: what gates ask. Shipped ones, and your own.")


def _packs(here: Session) -> dict[str, tuple[Loaded, str]]:
    """Return the packs at hand with where they are from; the store's own stand before the shipped ones."""
    from typing import cast

    from carnet_store import CarnetError, NotFound
    from carnet_store.work.templates import builtin_packs

    found = {name: (loaded, "shipped") for name, loaded in builtin_packs().items()}
    try:
        desk = here.desk()
        rows = desk.projects()
    except NotFound:
        return found
    if rows:
        try:
            own = desk.own_packs(desk.project(rows[0].id))
        except CarnetError as error:
            console.talk(f"{error.message}; the store's own packs are left out")
            own = {}
        for name, loaded in own.items():
            found[name] = (
                cast("Loaded", loaded),
                "this store, before the shipped one" if name in found else "this store",
            )
    return found


@add_to(
    template, "list", "carnet template list", "carnet template list --json",
    shape='[{"id", "version", "kind": "gate"|"rubric", "title", "items", "from", "sha256"}]',
)  # fmt: skip
def list_() -> None:
    """List the packs at hand, gates first."""
    here = session()
    rows: list[dict[str, Any]] = [
        {"id": loaded.pack.id, "version": loaded.pack.version, "kind": loaded.pack.kind, "title": loaded.pack.title,
         "items": len(loaded.pack.items()), "from": origin, "sha256": loaded.sha256}
        for loaded, origin in _packs(here).values()
    ]  # fmt: skip
    if here.json:
        console.out_json(rows)
        return
    console.table(
        [[r["kind"], r["id"], r["version"], f"{r['items']} items", r["title"], "" if r["from"] == "shipped" else r["from"]] for r in rows],
        ("kind", "pack", "version", "", "title", ""),
    )  # fmt: skip


@add_to(
    template, "show", "carnet template show starter-research-to-engineering", "carnet template show llm --raw",
    shape='{"id", "version", "kind", "title", "summary", "facts": [...], "signoffs": [...], "items": [{"id", "type", "title", '
    '"severity", "answers", "verifies", "help", "why"}]}',
)  # fmt: skip
@click.argument("pack")
@click.option("--raw", is_flag=True, help="Print the YAML as it is.")
def show(pack: str, raw: bool) -> None:
    """Show what a pack asks."""
    from difflib import get_close_matches

    from carnet_store import NotFound

    here = session()
    known = _packs(here)
    if pack not in known:
        near = get_close_matches(pack, list(known), 3)
        raise NotFound(
            f"there is no pack {pack!r}", f"did you mean {' or '.join(near)}?" if near else "carnet template list"
        )
    loaded = known[pack][0]
    if raw:
        console.document(loaded.raw.decode("utf-8"))
        return
    found = loaded.pack
    if here.json:
        console.out_json(
            {"id": found.id, "version": found.version, "kind": found.kind, "title": found.title, "summary": found.summary,
             "facts": [{"id": f.id, "type": f.type, "question": f.question, "options": f.options} for f in found.facts],
             "signoffs": [{"role": s.role, "meaning": s.meaning, "quorum": s.quorum, "tiers": s.tiers} for s in found.signoffs],
             "items": [
                 {"id": i.id, "type": i.type, "title": i.title, "severity": i.severity, "answers": i.answers,
                  "verifies": i.verifies, "help": i.help, "why": i.why}
                 for i in found.items()
             ]}
        )  # fmt: skip
        return
    console.out(f"{found.title}  {found.id} {found.version}, a {found.kind}")
    console.paragraph(found.summary, "  ")
    for section in found.sections:
        console.out(section.title.upper())
        console.table(
            [[i.id, i.type, i.severity, i.title, f"answered by {i.answers}"] for i in section.items], indent="  "
        )
    if found.facts:
        console.out("FACTS")
        console.table([[f.id, "/".join(f.options) or f.type, f.question] for f in found.facts], indent="  ")
    if found.signoffs:
        console.out("SIGNATURES")
        console.table(
            [[s.role, s.meaning, f"quorum {s.quorum}", "".join(s.tiers)] for s in found.signoffs], indent="  "
        )


@add_to(
    template, "lint", "carnet template lint my-gate.yaml", "carnet template lint *.yaml --json",
    shape='[{"file", "line", "column", "text", "mend"}]',
)  # fmt: skip
@click.argument("files", nargs=-1, required=True, type=PATH)
def lint(files: tuple[Path, ...]) -> None:
    """Tell every problem of packs with file, line, column and mend; exit 4 where there is one."""
    from carnet_store import CarnetError, NotFound
    from carnet_store.work.templates import builtin_packs, load_pack
    from carnet_store.work.templates import lint as problems_of

    here = session()
    raws: dict[str, bytes] = {}
    for path in files:
        try:
            raws[str(path)] = here.env.path(path).read_bytes()
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}") from None
    others = {loaded.pack.id: loaded.pack for loaded in builtin_packs().values()}
    for name, data in raws.items():
        try:
            pack = load_pack(data, name)
        except CarnetError:
            continue
        others[pack.id] = pack
    found = [problem for name, data in raws.items() for problem in problems_of(data, name, others)]
    if here.json:
        console.out_json(
            [{"file": p.file, "line": p.line, "column": p.column, "text": p.text, "mend": p.mend} for p in found]
        )
    else:
        for problem in found:
            console.out(str(problem))
        if not found:
            console.talk(f"{', '.join(raws)}: nothing to mend.")
    click.get_current_context().exit(4 if found else 0)


@add_to(
    template,
    "new",
    "carnet template new my-team-gate",
    "carnet template new my-team-gate --to .carnet/templates/my-team-gate.yaml",
)
@click.argument("pack")
@click.option("--to", type=PATH, metavar="FILE", help="The file; default: PACK.yaml here. - prints it.")
def new(pack: str, to: Path | None) -> None:
    """Begin a pack of your own from a small one that is in order."""
    from carnet_store import Refused
    from carnet_store.work.templates import new_pack

    here = session()
    text = new_pack(pack)
    if to is not None and str(to) == "-":
        console.raw(text)
        return
    path = here.env.path(to or f"{pack}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise Refused(f"{path} exists already; nothing was written", "choose another name with --to") from None
    console.out(str(path))
    console.talk(f"wrote {path.name}. Next: carnet template lint {path.name}; in .carnet/templates/ the store uses it")
