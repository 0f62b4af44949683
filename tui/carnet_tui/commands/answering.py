"""Answer and verify items: answer, verify-item, settle, finding."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import HANDOFF, ITEM, PATH, command, session
from carnet_tui.commands.add import file_of
from carnet_tui.session import Session, find_item, quoted

if TYPE_CHECKING:
    from carnet_store import Look, Project
    from carnet_store.domain.template import Item


@command(
    "answer",
    "carnet answer churn@2 framing.problem 'Each month retention calls the customers with a score over one half.'",
    "carnet answer churn@2 approach.evaluation --metric r-012:auc",
    "carnet answer churn@2 rep.env.lock --file requirements.lock",
    "carnet answer churn@2 data.lineage --na 'no data was used'",
    "carnet answer churn@2 people.responsibilities --from raci.csv",
    "carnet answer churn@2 --from answers.yaml",
    "carnet answer churn@2 rebuild.receiver_rerun --run -- python train.py --seed 7",
    writes=True,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("item", type=ITEM, required=False, default="", metavar="[ITEM]")
@click.argument("value", nargs=-1, type=click.UNPROCESSED)
@click.option("--link", "links", multiple=True, metavar="NODE", help="An entity as answer or evidence. Repeatable.")
@click.option("--url", "urls", multiple=True, help="An address as evidence. Repeatable.")
@click.option("--file", "files", type=PATH, multiple=True, help="A file; its bytes go into the store. Repeatable.")
@click.option("--metric", default="", metavar="RUN:NAME", help="A number from a run's metric.")
@click.option("--na", default="", metavar="REASON", help="It does not apply, and why.")
@click.option("--unknown", is_flag=True, help="You do not know; it stays open.")
@click.option("--note", default="", help="A remark with the answer.")
@click.option(
    "--spoken-by",
    default="",
    metavar="NAME",
    help="Somebody else said it and you type it; it counts once they confirm.",
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    default="",
    help="A YAML sheet of answers, or for one table item its rows as CSV; - is stdin.",
)
@click.option(
    "--run", "run_", is_flag=True, help="Run the command after -- and keep command line, exit code and output."
)
def answer(
    which: str, item: str, value: tuple[str, ...], links: tuple[str, ...], urls: tuple[str, ...], files: tuple[Path, ...],
    metric: str, na: str, unknown: bool, note: str, spoken_by: str, source: str, run_: bool,
) -> None:  # fmt: skip
    """Answer an item of a handoff: with a value, or by the options; or many at once --from a sheet."""
    from carnet_store import Usage

    here = session()
    project, look = here.handoff(which)
    if not item:
        if not source:
            raise Usage("which item?", f"{quoted('carnet', 'handoff', 'show', look.model.title, '--mine')} lists yours")
        from carnet_tui.commands.sheet import record_sheet

        record_sheet(here, project, look, _read(here, source), source)
        return
    asked = find_item(look, item)
    if value and not run_ and len(value) > 1:
        raise Usage(f"{len(value)} values were given", "put a text of several words in quotes")
    given = [name for name, on in (("VALUE", bool(value)), ("--metric", bool(metric)), ("--na", bool(na)),
             ("--unknown", unknown), ("--from", bool(source))) if on]  # fmt: skip
    if run_:
        if given != ["VALUE"]:
            raise Usage(
                "--run needs the command after --, and nothing else", f"carnet answer {which} {item} --run -- CMD"
            )
        raw: Any = _captured(here, project, value)
    elif len(given) > 1:
        raise Usage(f"{' and '.join(given)} exclude each other", "give one of them")
    else:
        raw = _raw(here, project, asked, value[0] if value else "", metric, na, unknown, source, links, files)
    written = _write(
        here, project, look, asked, raw, links=links, urls=urls, files=files, note=note, spoken_by=spoken_by
    )
    say_what_lacks(project, look, [asked.id])
    here.wrote(written)


def say_what_lacks(project: Project, before: Look, item_ids: Sequence[str]) -> None:
    """Tell what still keeps answers just given from being complete."""
    after = project.look(before.handoff.id)
    for item_id in item_ids:
        status = after.status.item(item_id)
        if status is not None and status.state in ("incomplete", "failed", "conflict", "unconfirmed", "outsider"):
            for reason in status.reasons:
                console.talk(f"{item_id}: {reason}")


def _write(
    here: Session, project: Project, look: Look, asked: Item, raw: Any, *, links: tuple[str, ...], urls: tuple[str, ...],
    files: tuple[Path, ...], note: str, spoken_by: str,
) -> Any:  # fmt: skip
    """Put the parts of an answer together and record it."""
    from carnet_store.domain.answer import shape_problem
    from carnet_store.domain.answer_input import parse_answer
    from carnet_store.errors import Invalid

    put = file_of(here, project)
    value = parse_answer(asked, raw, project.lookups(look), put)
    if links and asked.type != "link":
        value["links"] = [project.resolve(text) for text in links]
    if urls:
        value["urls"] = list(urls)
    if files and asked.type != "file":
        raise Invalid(f"{asked.id} is no file item", "carnet add document NAME --file PATH --keep, then --link NAME")
    if note:
        value["note"] = note
    if spoken_by:
        value |= {"spoken_by": here.person(project, spoken_by), "typed_by": here.desk().i().person}
    if (trouble := shape_problem(asked, value)) is not None:
        raise Invalid(f"{asked.id}: {trouble}")
    return here.acts(project).answer(look.handoff.id, {asked.id: value})


def _raw(
    here: Session, project: Project, asked: Item, value: str, metric: str, na: str, unknown: bool, source: str,
    links: tuple[str, ...], files: tuple[Path, ...],
) -> Any:  # fmt: skip
    """Return what was given in the form that `parse_answer` reads."""
    from carnet_store import Usage

    if na:
        return {"na": na}
    if unknown:
        return "unknown"
    if metric:
        run, sign, name = metric.rpartition(":")
        if not sign or not run:
            raise Usage(f"{metric!r} names no metric", "--metric RUN:NAME")
        return {"run": run, "metric": name}
    if source:
        return _rows(here, asked, source)
    if value == "-":
        return sys.stdin.read().strip()
    if value and asked.type in ("table", "command") and value[:1] in "[{":
        return _document(asked, value)
    if value and asked.type == "link":
        return [value, *links]
    if not value and asked.type == "link" and links:
        return list(links)
    if asked.type == "file" and (files or value):
        return [str(path) for path in files] + ([value] if value else [])
    if asked.type == "choice" and "," in value and asked.many:
        return [part.strip() for part in value.split(",")]
    if not value:
        raise Usage(f"no answer to {asked.id} was given", _how(asked))
    return value


def _how(asked: Item) -> str:
    forms = {
        "confirm": "yes, no, --unknown or --na REASON", "link": "--link NODE", "file": "--file PATH",
        "number": "--metric RUN:NAME", "table": "--from rows.csv", "command": "--run -- CMD ...",
        "signoff": "carnet sign fills it",
    }  # fmt: skip
    options = " | ".join(option.id for option in asked.options)
    return options or forms.get(asked.type, "a text in quotes, or - to read it from stdin")


def _rows(here: Session, asked: Item, source: str) -> Any:
    from carnet_store import Usage
    from carnet_store.domain.answer_input import rows_from_csv

    text = _read(here, source)
    if asked.type == "table":
        return _document(asked, text) if text.lstrip()[:1] in ("[", "-") else rows_from_csv(asked, text)
    if asked.type in ("text", "readback"):
        return text.strip()
    raise Usage(f"{asked.id} is a {asked.type}; --from with an item is for tables and texts", _how(asked))


def _document(asked: Item, text: str) -> Any:
    from carnet_store.errors import Invalid
    from carnet_store.work.yaml_text import read_yaml

    root, problems = read_yaml(text.encode("utf-8", "replace"), asked.id, scalars_are_text=True)
    if root is None or problems:
        raise Invalid(f"{asked.id}: this cannot be read", "write rows as YAML or CSV", [str(p) for p in problems])
    return root.bare()


def _read(here: Session, source: str) -> str:
    from carnet_store import Invalid, NotFound

    try:
        return sys.stdin.read() if source == "-" else here.env.path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{source} is not UTF-8 text", "save it as UTF-8") from None


def _captured(here: Session, project: Project, words: tuple[str, ...]) -> Mapping[str, Any]:
    """Run a command, show what it prints on stderr, and keep all of it as an object."""
    from carnet_tui.capture import run_and_keep

    here.desk().i()  # whoever may not answer learns so before the command has run
    result = run_and_keep(words, here.env.folder, project.objects.put_stream, lambda line: console.talk(f"| {line}"))
    kept = result["output"]
    size = console.size(kept["size"]) if isinstance(kept, dict) else ""
    console.talk(f"exit code {result['exit_code']}, output of {size}; recorded, not run by Carnet")
    return result


@command(
    "verify-item",
    "carnet verify-item churn@2 framing.problem --agree",
    "carnet verify-item churn@2 approach.evaluation --disagree --reason 'our re-run gives AUC .84, not .91'",
    writes=True,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("items", nargs=-1, required=True, type=ITEM, metavar="ITEM...")
@click.option("--agree/--disagree", "agree", default=None, help="Your verdict.")
@click.option("--reason", default="", help="Why; needed to disagree.")
def verify_item(which: str, items: tuple[str, ...], agree: bool | None, reason: str) -> None:
    """Agree or disagree with answers, in their verifying role."""
    from carnet_store import Usage

    if agree is None:
        raise Usage("do you agree?", "--agree, or --disagree --reason TEXT")
    here = session()
    project, look = here.handoff(which)
    ids = [find_item(look, item).id for item in items]
    for item_id in ids:
        here.wrote(here.acts(project).verify(look.handoff.id, item_id, agree=agree, reason=reason))


@command("settle", "carnet settle churn@2 observe.plan", "carnet settle churn@2 observe.plan --keep Aiko", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("item", type=ITEM, metavar="ITEM")
@click.option("--keep", default="", metavar="NAME|CHANGE", help="Whose answer stands, or the answer's change id.")
def settle(which: str, item: str, keep: str) -> None:
    """Settle a conflict: one of the answers stands. Without --keep the answers are shown."""
    from carnet_store import Usage
    from carnet_tui.commands.telling import answer_lines, show_item

    here = session()
    project, look = here.handoff(which)
    asked = find_item(look, item)
    answers = look.handoff.answers.get(asked.id, ())
    if len(answers) < 2:
        raise Usage(f"{asked.id} has no conflict", quoted("carnet", "handoff", "show", look.model.title, asked.id))
    if not keep:
        show_item(here, project, look, asked.id)
        names = [quoted("carnet", "settle", look.model.title, asked.id, "--keep", c.id[:16]) for c in answers]
        raise Usage("which of them stands?", "one of these", names)
    word = keep.strip().casefold()
    found = [c for c in answers if c.id.startswith(word) and len(word) >= 6] or [
        c for c in answers if project.person_name(c.person).casefold().startswith(word)
    ]
    if len(found) != 1:
        lines = [
            f"{project.person_name(c.person)} {c.id[:16]}: {' '.join(answer_lines(project, getattr(c.value, 'answer', {})))[:70]}"
            for c in answers
        ]
        raise Usage(f"{keep!r} means {len(found) or 'none'} of the answers", "name the author or the change", lines)
    here.wrote(here.acts(project).settle(look.handoff.id, asked.id, found[0].id))


@command(
    "finding",
    "carnet finding churn@2 approach.evaluation 'customer_id is among the features' --severity major",
    "carnet finding churn@2 approach.evaluation --close 3fa94c01 'feature removed in r-013'",
    writes=True,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("item", type=ITEM, metavar="ITEM")
@click.argument("text")
@click.option(
    "--severity", default="major", show_default=True, type=click.Choice(["blocker", "major", "minor"]), help="How bad."
)
@click.option("--close", "close", default="", metavar="CHANGE", help="Close this finding; the text says how.")
def finding(which: str, item: str, text: str, severity: str, close: str) -> None:
    """Write down something found wrong with an item, or close such a finding."""
    from carnet_tui.commands.record import find_change

    here = session()
    project, look = here.handoff(which)
    asked = find_item(look, item)
    acts = here.acts(project)
    if close:
        here.wrote(acts.close_finding(look.handoff.id, find_change(project, close), text))
    else:
        here.wrote(acts.raise_finding(look.handoff.id, asked.id, text, severity))
