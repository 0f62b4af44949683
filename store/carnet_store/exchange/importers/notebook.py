"""Jupyter notebooks as documents, and as runs where papermill executed them: cells, order of execution, notes, parameters, what failed.

Rules: a notebook is known by its bytes, which travel with it unless a parameter or an address in it is a secret; its code is never run, its HTML
and images never shown. Where papermill names the notebook it began with, an edge leads there only if that file is at hand and still holds the
cells that were run.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.files import (
    KEPT,
    MIB,
    Unreadable,
    each,
    guessed,
    head,
    load_json,
    read_bytes,
    redacted,
    short,
    sound,
    time_ms,
)
from carnet_store.exchange.importers.scrub import NOT_TAKEN, hides, tidy
from carnet_store.exchange.importers.things import (
    LONG_TEXT,
    Guess,
    Keep,
    Ref,
    Source,
    Thing,
    Unread,
    number_text,
    plain,
)

PARSED: Final = 64 * MIB
"""Bytes of a notebook whose cells are read; of a larger one only the digest is."""
NOTES: Final = 12_000
"""Bytes of Markdown in the attribute `notes`: so much stands in the record itself, where it is searched."""
MOST_HEADINGS: Final = 50
MOST_NAMED: Final = 50
MOST_OUTPUT: Final = 65_536
"""Characters of one output as text."""
INJECTED: Final = "injected-parameters"
ERROR_NOTE: Final = "papermill-error-cell-tag"
MAY_FAIL: Final = "raises-exception"
_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*")
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OLD_OUTPUTS: Final = {
    "html": "text/html", "png": "image/png", "jpeg": "image/jpeg", "svg": "image/svg+xml", "latex": "text/latex",
    "javascript": "application/javascript", "json": "application/json", "pdf": "application/pdf",
}  # fmt: skip
_TAIL: Final = 16_384


class Failure(NamedTuple):
    """What an execution ended with."""

    ename: str
    evalue: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        index: its place in the notebook, from 1, Markdown counted too.
        kind: `code`, `markdown` or `raw`.
        digest: SHA-256 over kind, line feed, source: equal where two notebooks hold the same cell.
        outputs: each as text, terminal colours taken out; an image is named with its size, never shown.
        count: the kernel's number of the execution, None where it was not run.
        error: what it ended with, where it failed.
        tags: papermill's `parameters` and `injected-parameters` among them.
        out_of_order: run before a cell that stands above it, or at the same number.
    """

    index: int
    kind: str
    source: str
    digest: str
    outputs: tuple[str, ...] = ()
    count: int | None = None
    error: Failure | None = None
    tags: tuple[str, ...] = ()
    out_of_order: bool = False


def guess(path: Path) -> Guess | None:
    """Say in under 50 ms what notebooks `path` holds."""
    found, least = guessed(path, _fits)
    if not found:
        return None
    ran = sum(b'"papermill"' in (end := head(one, _TAIL, end=True)) and b'"input_path"' in end for one in found[:50])
    words = f"{least}{len(found)} notebooks" if len(found) > 1 else f"notebook {sound(found[0].name)}"
    return Guess("notebook", words + (f", {ran} run by papermill" if ran else ""), len(found))


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield each notebook as a document; after one that papermill executed, the run.

    Raises:
        Invalid: no notebook is there, or the one file cannot be read.
    """
    yield from each(source, "notebook (*.ipynb)", _fits, lambda path: _read(source, path))


def cells_of(raw: bytes) -> list[Cell]:
    """Return the cells of a notebook (nbformat 2 to 4), those out of order marked.

    Raises:
        Invalid: not a notebook that can be read.
    """
    try:
        return _cells(_document(raw, "the notebook"), "the notebook")[0]
    except Unreadable as problem:
        raise Invalid(f"{problem.where}: {problem.why}", problem.hint) from None


def order_of(cells: Sequence[Cell]) -> str:
    """Say whether code was run from top to bottom: `in order`, `out of order: cells 3, 5`, `never run`, `no code`."""
    code = [cell for cell in cells if cell.kind == "code" and cell.source.strip()]
    if not code:
        return "no code"
    if all(cell.count is None for cell in code):
        return "never run"
    wrong = [str(cell.index) for cell in code if cell.out_of_order]
    if not wrong:
        return "in order"
    more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    return f"out of order: {'cells' if len(wrong) > 1 else 'cell'} {', '.join(wrong[:MOST_NAMED])}{more}"


def _fits(path: Path) -> bool:
    return path.name.lower().endswith(".ipynb")


# -- cells -------------------------------------------------------------------------------------------------------------


def _document(raw: bytes, where: str) -> dict[str, Any]:
    value = load_json(raw, where)
    if not isinstance(value, dict) or not ("nbformat" in value or "cells" in value or "worksheets" in value):
        raise Unreadable(where, "is not a notebook: it has no `nbformat`", "give a Jupyter notebook (*.ipynb)")
    version = value.get("nbformat", 4 if "cells" in value else 3)
    if version not in (2, 3, 4):
        raise Unreadable(
            where, f"is of nbformat {short(str(version), 20)}; 2, 3 and 4 can be read", "save it as nbformat 4"
        )
    return value


def _cells(document: dict[str, Any], where: str) -> tuple[list[Cell], list[Unread]]:
    """Return the cells, and what of them could not be read."""
    unread: list[Unread] = []
    if isinstance(document.get("cells"), list):
        rows = document["cells"]
    elif isinstance(document.get("worksheets"), list):
        sheets = [sheet for sheet in document["worksheets"] if isinstance(sheet, dict)]
        rows = [row for sheet in sheets if isinstance(sheet.get("cells"), list) for row in sheet["cells"]]
    else:
        raise Unreadable(where, "has no list of cells")
    cells: list[Cell] = []
    highest = 0
    for index, row in enumerate(rows, 1):
        cell = _cell(index, row) if isinstance(row, dict) else None
        if cell is None:
            unread.append(Unread(f"{where}, cell {index}", "is not a cell of code, Markdown or raw text"))
            continue
        if cell.kind == "code" and cell.count is not None:
            wrong = cell.count <= highest
            highest = max(highest, cell.count)
            if wrong:
                cell = Cell(
                    index, cell.kind, cell.source, cell.digest, cell.outputs, cell.count, cell.error, cell.tags, True
                )
        cells.append(cell)
    return cells, unread


def _cell(index: int, row: dict[str, Any]) -> Cell | None:
    kind = row.get("cell_type")
    source = _text(row.get("source", row.get("input")))
    if kind == "heading":  # nbformat 3
        level = row.get("level")
        kind, source = "markdown", f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {source}"
    if kind not in ("code", "markdown", "raw"):
        return None
    digest = hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()
    metadata = row.get("metadata")
    given = metadata.get("tags") if isinstance(metadata, dict) else None
    tags = tuple(sound(tag) for tag in given if isinstance(tag, str)) if isinstance(given, list) else ()
    if kind != "code":
        return Cell(index, kind, source, digest, tags=tags)
    outputs = [one for one in row["outputs"] if isinstance(one, dict)] if isinstance(row.get("outputs"), list) else []
    count = row.get("execution_count", row.get("prompt_number"))
    failed = next((o for o in outputs if o.get("output_type") in ("error", "pyerr")), None)
    return Cell(
        index,
        kind,
        source,
        digest,
        tuple(_output(one) for one in outputs),
        count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None,
        Failure(short(_text(failed.get("ename"))), short(_text(failed.get("evalue")), LONG_TEXT)) if failed else None,
        tags,
    )


def _text(value: Any) -> str:
    """Return a text that a notebook holds whole or as a list of lines."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return sound(value) if isinstance(value, str) else ""


def _output(output: dict[str, Any]) -> str:
    """Return an output as text; what is not text is named."""
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        lines = output.get("traceback")
        trace = "\n".join(_text(line) for line in lines) if isinstance(lines, list) else ""
        return _bounded(trace or f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}")
    if kind == "stream":
        return _bounded(_text(output.get("text")))
    data = output.get("data")
    if not isinstance(data, dict):  # nbformat 3 has the kinds as keys of their own
        data = {mime: output[key] for key, mime in _OLD_OUTPUTS.items() if key in output} | {
            "text/plain": output.get("text")
        }
    parts = []
    if said := _text(data.get("text/plain")):
        parts.append(_bounded(said))
    for mime, value in data.items():
        if mime.startswith("image/") or (not said and mime != "text/plain"):
            parts.append(f"[{short(mime, 80)}, {_size(mime, value):,} bytes]")
    return "\n".join(parts)


def _size(mime: str, value: Any) -> int:
    """Return about how many bytes an output has: images stand there as base64."""
    text = _text(value) if isinstance(value, str | list) else str(value)
    return len(text) * 3 // 4 if mime.startswith("image/") and "svg" not in mime else len(text.encode())


def _bounded(text: str) -> str:
    text = _ANSI.sub("", text)
    return text if len(text) <= MOST_OUTPUT else f"{text[:MOST_OUTPUT]}\n… {len(text) - MOST_OUTPUT:,} characters more"


# -- things ------------------------------------------------------------------------------------------------------------


def _read(source: Source, path: Path) -> Iterator[Thing | Unread]:
    where = str(path)
    try:
        large = path.is_file() and path.stat().st_size > PARSED
    except (OSError, ValueError):
        large = False  # reading it says why
    if large:
        digest, _ = source.sha256(path)
        ref = Ref("document", "notebook", digest)
        yield Thing(ref, sound(path.name), attrs={"type": "notebook"}, digests={"sha256": digest}, where=where)
        yield Unread(where, f"is larger than {PARSED // MIB} MiB: its digest is taken, its cells are not read")
        return
    raw = read_bytes(path, PARSED)
    document = _document(raw, where)
    cells, unread = _cells(document, where)
    notebook = _notebook(path, raw, document, cells)
    yield notebook
    yield from unread
    ran = _part(_part(document, "metadata"), "papermill")
    if ran and (time_ms(ran.get("start_time")) or isinstance(ran.get("output_path"), str)):
        yield from _run(source, path, notebook, cells, ran)


def _notebook(path: Path, raw: bytes, document: dict[str, Any], cells: Sequence[Cell]) -> Thing:
    digest = hashlib.sha256(raw).hexdigest()
    code = [cell for cell in cells if cell.kind == "code" and cell.source.strip()]
    counts = [cell.count for cell in code if cell.count is not None]
    notes = redacted(
        "\n\n".join(c.source.strip() for c in cells if c.kind == "markdown" and ERROR_NOTE not in c.tags).strip()
    )
    shown = notes.encode()[:NOTES].decode("utf-8", "ignore")
    headings = [text for cell in cells if cell.kind == "markdown" for text in _headings(cell.source)]
    metadata = _part(document, "metadata")
    language, kernel = _part(metadata, "language_info"), _part(metadata, "kernelspec")
    attrs: dict[str, Any] = {
        "type": "notebook",
        "cells": len(cells),
        "code_cells": len(code),
        "order": order_of(cells),
        "not_run": [cell.index for cell in code if cell.count is None][:MOST_NAMED] if counts else [],
        # Numbers that no cell bears: a cell was run again, or is gone; what it did may still be in the outputs.
        "lost_executions": max(counts) - len(set(counts)) if counts else 0,
        "failed_cells": [cell.index for cell in code if cell.error][:MOST_NAMED],
        "language": short(_text(language.get("name")) or _text(kernel.get("language")), 40),
        "language_version": short(_text(language.get("version")), 40),
        "kernel": short(_text(kernel.get("display_name")) or _text(kernel.get("name")), 80),
        "title": headings[0] if headings else "",
        "headings": headings[:MOST_HEADINGS],
        "notes": shown,
        "notes_left_out": len(notes) - len(shown),
    }
    made = Thing(
        Ref("document", "notebook", digest),
        sound(path.name),
        attrs=plain({key: value for key, value in attrs.items() if value or key in ("cells", "code_cells")}),
        digests={"sha256": digest},
        where=str(path),
    )
    if _secret(raw, cells, _part(metadata, "papermill")):
        made.attrs["redacted"] = True
    elif len(raw) <= KEPT:
        made.keep.append(Keep("notebook", sound(path.name), raw))
    return made


def _secret(raw: bytes, cells: Sequence[Cell], ran: dict[str, Any]) -> bool:
    """Say whether the file holds a secret: a parameter, a variable, an address with a password."""
    named = (*_part(ran, "parameters").items(), *_part(ran, "environment_variables").items())
    if any(hides(key, value) or (isinstance(value, str) and redacted(value) != value) for key, value in named):
        return True
    whole = raw.decode("utf-8", "replace")  # escapes of JSON hide some; these are found in the cells
    return redacted(whole) != whole or any(redacted(t) != t for cell in cells for t in (cell.source, *cell.outputs))


def _headings(text: str) -> Iterator[str]:
    fence = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith(("```", "~~~")):
            fence = "" if fence == bare[:3] else fence or bare[:3]
        elif not fence and (found := _HEADING.fullmatch(line[:500])):
            yield short(found[1])


def _part(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _run(
    source: Source, path: Path, notebook: Thing, cells: Sequence[Cell], ran: dict[str, Any]
) -> Iterator[Thing | Unread]:  # fmt: skip
    """Yield the notebook that papermill began with, where it is at hand and unchanged, and the run."""
    given, written = _text(ran.get("input_path")), _text(ran.get("output_path")) or path.name
    started, ended = time_ms(ran.get("start_time")), time_ms(ran.get("end_time"))
    failed = next((cell for cell in cells if cell.error and MAY_FAIL not in cell.tags), None)
    attrs: dict[str, Any] = {
        "command": short(shlex.join(["papermill", given or "-", written]), LONG_TEXT),
        "status": "failed" if ran.get("exception") is True or failed else "finished" if ended else "running",
        "started": started,
        "ended": ended,
        "tool": f"papermill {short(_text(ran.get('version')), 40)}".strip(),
    }
    if failed is not None and failed.error is not None:
        attrs["exception"] = {
            "ename": failed.error.ename,
            "evalue": failed.error.evalue,
            "cell": failed.index,
        }
    if given:
        attrs["reference"] = {"papermill": short(given, 500)}
    run = Thing(
        Ref("run", "papermill", notebook.ref.key),
        sound(path.stem),
        params=_parameters(ran.get("parameters")),
        at=ended or started,
        edges=[("made", notebook.ref)],
        where=str(path),
    )
    begun = _input(source, path, given, notebook, cells)
    if isinstance(begun, Thing):
        yield begun
        run.edges.insert(0, ("used", begun.ref))
    elif begun is not None:
        yield begun
        attrs["input_changed"] = True
    run.attrs = plain({key: value for key, value in attrs.items() if value})
    yield run


def _parameters(given: Any) -> dict[str, str]:
    import json

    found: dict[str, str] = {}
    for key, value in given.items() if isinstance(given, dict) else ():
        if hides(key, value):
            text = NOT_TAKEN
        elif isinstance(value, str):
            text = redacted(sound(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            text = number_text(value)
        else:
            text = redacted(sound(json.dumps(tidy(value), ensure_ascii=False)))
        found[sound(key)] = text
    return found


def _input(source: Source, path: Path, given: str, output: Thing, cells: Sequence[Cell]) -> Thing | Unread | None:
    """Return the notebook that was run; that it has changed since; None where it is not at hand."""
    if not given or given == "-":
        return None
    changed: Path | None = None
    places = [source.find(given, path.parent), path.parent / given.replace("\\", "/").rpartition("/")[2]]
    for place in dict.fromkeys(one for one in places if one is not None):
        try:
            raw = read_bytes(place, PARSED)
            document = _document(raw, str(place))
            found, _ = _cells(document, str(place))
        except Unreadable:
            continue  # another file of that name, or none
        begun = _notebook(place, raw, document, found)
        if begun.ref == output.ref:
            return None  # it was run in place: what it began with is gone
        if _own(found) == _own(cells):
            return begun
        changed = changed or place
    if changed is None:
        return None
    return Unread(str(changed), f"differs from the cells that {path.name} ran: no edge leads from the run to it")


def _own(cells: Sequence[Cell]) -> list[str]:
    """Return the digests of the cells that papermill did not put in."""
    return [cell.digest for cell in cells if INJECTED not in cell.tags and ERROR_NOTE not in cell.tags]
