"""Many answers as one YAML document: edited in the person's editor, or read from a file."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carnet_tui import console
from carnet_tui.commands.add import file_of
from carnet_tui.commands.answering import say_what_lacks
from carnet_tui.session import Session, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Look, Project


def _current(look: Look) -> dict[str, Any]:
    """Return the answer that stands, by item."""
    return {one.item.id: one.value for one in look.status.items if one.value is not None}


def record_sheet(here: Session, project: Project, look: Look, text: str, name: str) -> None:
    """Record every answer of a sheet as one event; with any problem nothing is recorded.

    Raises:
        Invalid: the problems, each with its line.
    """
    from carnet_store.errors import Invalid
    from carnet_store.work.answer_sheet import answers_from_yaml

    found, problems = answers_from_yaml(
        text, look.checklist, project.lookups(look), _current(look), file_of(here, project), name
    )
    if problems:
        raise Invalid(
            f"{name} has {len(problems)} problem{'' if len(problems) == 1 else 's'}; nothing was recorded",
            "mend them and repeat", [str(p) for p in problems],
        )  # fmt: skip
    if not found:
        console.talk("The sheet says nothing new; nothing was recorded.")
        return
    written = here.acts(project).answer(look.handoff.id, dict(found))
    say_what_lacks(project, look, [item_id for item_id, _ in found])
    here.wrote(written)


def edit_items(here: Session, project: Project, look: Look, *, all_items: bool, yes: bool) -> None:
    """Let the person edit the open items until nothing is wrong with them, then record them."""
    from carnet_store.errors import Invalid
    from carnet_store.work.answer_sheet import answers_from_yaml, answers_to_yaml, mark_problems
    from carnet_tui.commands.telling import answer_lines

    me = here.desk().i().person
    row = project.members().people.get(me)
    roles = set(row.roles) if row else set()
    current = _current(look)
    open_ = [
        one.item.id for one in look.status.items
        if not one.settled and one.state != "conflict" and (all_items or one.item.answers in roles)
    ]  # fmt: skip
    kept = here.desk().store.root / "drafts" / f"{look.handoff.id.partition(':')[2][:12]}-{me[:8]}.yaml"
    if kept.exists():
        text = kept.read_text(encoding="utf-8")
        console.talk(f"What you typed last time is taken up again from {kept}.")
    elif not open_:
        console.talk(f"None of the open items of {look.model.title} is yours. Next: carnet handoff edit --all")
        return
    else:
        text = answers_to_yaml(look.checklist, current, open_)
    first = text
    while True:
        edited = _in_editor(here, text)
        if edited == first and not kept.exists():
            console.talk("Nothing was changed; nothing was recorded.")
            return
        _keep(kept, edited)
        found, problems = answers_from_yaml(
            edited, look.checklist, project.lookups(look), current, file_of(here, project), kept.name
        )
        if not problems:
            break
        lines = [str(problem) for problem in problems]
        stuck = edited == text
        text = mark_problems(edited, problems)
        _keep(kept, text)
        for line in lines:
            console.talk(line)
        if stuck or (here.interactive and not here.confirm("Edit again?")):
            raise Invalid(
                f"{len(lines)} problem{'' if len(lines) == 1 else 's'} left; nothing was recorded, all is kept in {kept}",
                quoted("carnet", "handoff", "edit", look.model.title), lines,
            )  # fmt: skip
    if not found:
        kept.unlink(missing_ok=True)
        console.talk("The document says nothing new; nothing was recorded.")
        return
    for item_id, value in found:
        console.talk(f"{item_id}: {' / '.join(answer_lines(project, value))[:100]}")
    if not yes and here.interactive and not here.confirm(f"Record {plural(len(found), 'answer')}?"):
        console.talk(
            f"Nothing was recorded; all is kept. Next: {quoted('carnet', 'handoff', 'edit', look.model.title)}"
        )
        return
    written = here.acts(project).answer(look.handoff.id, dict(found))
    say_what_lacks(project, look, [item_id for item_id, _ in found])
    here.wrote(written)
    kept.unlink(missing_ok=True)


def _keep(path: Path, text: str) -> None:
    """Keep what was typed, so that nothing is lost whatever comes."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _in_editor(here: Session, text: str) -> str:
    """Return a text as the person's editor left it.

    Raises:
        Usage: the editor could not be started or ended with an error.
    """
    import os
    import shlex
    import shutil

    from carnet_store import Usage

    named = here.env.environ.get("VISUAL") or here.env.environ.get("EDITOR") or ""
    words = shlex.split(named) or [next((name for name in ("nano", "vim", "vi") if shutil.which(name)), "vi")]
    with tempfile.TemporaryDirectory(prefix="carnet-") as folder:
        path = Path(folder) / "answers.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            code = subprocess.call([*words, str(path)], cwd=here.env.folder, env={**os.environ, **here.env.environ})  # noqa: S603  the person's own editor
        except OSError as error:
            raise Usage(f"{words[0]} could not be started: {error.strerror}", "set EDITOR") from None
        if code != 0:
            raise Usage(f"{words[0]} ended with code {code}; nothing was recorded", "set EDITOR, or repeat")
        return path.read_text(encoding="utf-8", errors="replace")
