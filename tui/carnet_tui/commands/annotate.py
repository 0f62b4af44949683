"""Annotate the cells of a notebook: annotate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from carnet_tui import console
from carnet_tui.commands import PATH, command, session
from carnet_tui.session import Session, quoted

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.annotation import Anchored, Cell, Thread

MOST: Final = 64 << 20
"""Bytes of a notebook that are read."""
_SHAPE: Final = (
    'with --list [{"id", "cell": number or null, "how": "exact"|"moved"|"near"|"orphaned", "state": "open"|"resolved", "text", "excerpt", '
    '"name", "t": ms, "document", "replies": [{"id", "text", "name", "t"}], "resolved": {"name", "note", "t"} or null}]; '
    'else {"written", "entity", "changes": [id], "unblocked", "next", "counts"}'
)


@command(
    "annotate",
    "carnet annotate explore.ipynb --cell 4 'tenure is zero for new customers: left out on purpose?'",
    "carnet annotate --list explore.ipynb",
    "carnet annotate explore.ipynb --reply 3fa94c 'yes, see D-3'",
    "carnet annotate explore.ipynb --resolve 3fa94c",
    shape=_SHAPE,
)
@click.argument("notebook", metavar="NOTEBOOK")
@click.argument("text", required=False, default="")
@click.option("--cell", "cell", type=click.IntRange(1), help="Which cell, counted from 1, Markdown too.")
@click.option("--list", "list_", is_flag=True, help="Show the annotations where the cells are now.")
@click.option("--reply", default="", metavar="ID", help="Reply in the thread of this annotation.")
@click.option(
    "--resolve", "resolve", default="", metavar="ID", help="Settle the thread of this annotation; anybody may."
)
@click.option("--file", "file", type=PATH, help="The notebook as it is now, where it lies elsewhere.")
def annotate(
    notebook: str, text: str, cell: int | None, list_: bool, reply: str, resolve: str, file: Path | None
) -> None:
    """Remark on a cell of a notebook: NOTEBOOK is a file, or a document of the record.

    An annotation is anchored by what the cell holds. It finds its cell again wherever that is moved to, finds a changed one by its
    neighbours, and is shown as orphaned where the cell is gone. It is in no package and moves no verdict.
    """
    here = session()
    project = here.project()
    if sum((cell is not None, list_, bool(reply), bool(resolve))) != 1:
        raise click.UsageError("give one of --cell, --list, --reply, --resolve")
    if (cell is not None or reply) and not text.strip():
        raise click.UsageError("give the text", ctx=click.get_current_context())
    document, raw = _document(here, project, notebook, file)
    again = quoted("carnet", "annotate", "--list", notebook)
    if list_:
        _show(here, project, document, _cells(here, project, document, raw))
    elif cell is not None:
        from carnet_store.domain import secrets

        cells = _cells(here, project, document, raw)
        source = cells[cell - 1].source if cell <= len(cells) else ""
        excerpt = secrets.redact(source, secrets.search(source))  # what is signed travels
        written = here.acts(project).annotate(document, cells, cell - 1, text, excerpt=excerpt)
        here.wrote(written, show=written.changes[0], next_=again)
    elif reply:
        here.wrote(here.acts(project).reply_annotation(_thread(project, document, reply).id, text), next_=again)
    else:
        here.wrote(here.acts(project).resolve_annotation(_thread(project, document, resolve).id, text), next_=again)


def _document(here: Session, project: Project, text: str, file: Path | None) -> tuple[str, bytes | None]:
    """Return the document that is meant, and the notebook's bytes where a file of them is named."""
    import hashlib

    from carnet_store import NotFound, Usage

    path = here.env.path(file or text)
    raw = _bytes(path) if path.is_file() else None
    if file is not None and raw is None:
        raise NotFound(f"there is no file {file}", "name the notebook as it lies there now")
    if file is not None or raw is None:
        return project.resolve(text, "document"), raw
    digest = hashlib.sha256(raw).hexdigest()
    named = [row for row in project.entities("document", text=path.name, limit=1000) if row.name == path.name]
    for row in named:
        node = project.node(row.id)
        if node is not None and node.digests.get("sha256") == digest:
            return row.id, raw
    if not named:
        raise NotFound(
            f"{path.name} is not in the record",
            quoted("carnet", "add", "document", path.name, "--file", text, "--keep"),
        )
    if len({row.id for row in named}) > 1 and len({_source(project, row.id) for row in named}) > 1:
        raise Usage(
            f"several documents are called {path.name}",
            "name one by its id, and --file",
            [row.id for row in named[:20]],
        )
    return named[0].id, raw


def _source(project: Project, document: str) -> str:
    """Return what system a document came from: imports of one notebook, edited between them, are several documents."""
    node = project.node(document)
    return node.source[0] if node is not None and node.source else document


def _bytes(path: Path) -> bytes:
    from carnet_store import Invalid

    if path.stat().st_size > MOST:
        raise Invalid(f"{path.name} is larger than {console.size(MOST)}", "clear its outputs")
    return path.read_bytes()


def _cells(here: Session, project: Project, document: str, raw: bytes | None) -> list[Cell]:
    """Return the cells as they are now: in the file named, else in the bytes that the store keeps, else in a file of its path."""
    from carnet_store import Invalid, NotFound
    from carnet_store.domain.annotation import Cell
    from carnet_store.exchange.importers.notebook import cells_of

    node = project.node(document)
    if raw is None and node is not None:
        digest = node.digests.get("sha256", "")
        path = here.env.path(str(node.attrs.get("path") or node.name))
        if digest and project.objects.size(digest) >= 0:
            raw = project.objects.get(digest)
        elif path.is_file():
            raw = _bytes(path)
    if raw is None:
        raise NotFound(f"the bytes of {project.title(document)} are not here", "name the notebook's file: --file FILE")
    try:
        return [Cell(one.digest, one.kind, one.source) for one in cells_of(raw)]
    except Invalid as error:
        raise Invalid(error.message, error.hint or "give a notebook: a file that ends in .ipynb") from None


def _thread(project: Project, document: str, text: str) -> Thread:
    """Return the thread meant by the start of the id of its annotation or of a reply."""
    from carnet_store import NotFound, Usage

    wanted = text.strip().lower()
    threads = project.annotations(document)
    found = [
        t for t in threads if any(one.startswith(wanted) for one in (t.id, *(reply.change for reply in t.replies)))
    ]
    if not found or len(wanted) < 4:
        raise NotFound(
            f"there is no annotation {text!r} of {project.title(document)}",
            "--list shows them; give four signs or more of the id",
        )
    if len(found) > 1:
        raise Usage(f"{text!r} may mean {len(found)} annotations", "write more of it", [t.id for t in found[:20]])
    return found[0]


def _show(here: Session, project: Project, document: str, cells: Sequence[Cell]) -> None:
    from carnet_store.domain.annotation import anchored

    found = anchored(project.annotations(document), cells)
    if here.json:
        console.out_json([_row(project, one) for one in found])
        return
    for one in found:
        thread = one.thread
        place = f"cell {one.at + 1}" if one.at is not None else "no cell"
        how = {"exact": "", "moved": ", moved", "near": ", changed since", "orphaned": ", its cell is gone"}[one.how]
        state = f", resolved by {project.person_name(thread.resolved.person)}" if thread.resolved else ""
        excerpt = " ".join(thread.annotation.excerpt.split())[:60]
        console.out(f"{place}{how}{state}  {thread.id[:12]}" + (f"  {excerpt}" if excerpt else ""))
        for who, t, said in (
            (thread.person, thread.t, thread.annotation.text),
            *((reply.person, reply.t, reply.text) for reply in thread.replies),
            *(((thread.resolved.person, thread.resolved.t, f"resolved: {thread.resolved.text}"),) if thread.resolved and thread.resolved.text else ()),
        ):  # fmt: skip
            console.paragraph(f"{project.person_name(who)}, {console.moment(t)}: {said}", indent="    ")
    lost = sum(one.at is None for one in found)
    if not found:
        console.talk(f"{project.title(document)} has no annotations yet.")
    elif lost:
        console.talk(f"{lost} of {len(found)} fit no cell any more.")


def _row(project: Project, one: Anchored) -> dict[str, Any]:
    thread = one.thread
    settled = thread.resolved
    return {
        "id": thread.id, "cell": None if one.at is None else one.at + 1, "how": one.how, "state": thread.state, "text": thread.annotation.text,
        "excerpt": thread.annotation.excerpt, "name": project.person_name(thread.person), "t": thread.t, "document": thread.document,
        "replies": [{"id": r.change, "text": r.text, "name": project.person_name(r.person), "t": r.t} for r in thread.replies],
        "resolved": {"name": project.person_name(settled.person), "note": settled.text, "t": settled.t} if settled else None,
    }  # fmt: skip
