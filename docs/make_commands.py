"""Write `docs/reference/commands.md` from the command line itself: `python docs/make_commands.py [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from carnet_tui.cli import SECTIONS, carnet
from carnet_tui.commands import WRITTEN_SHAPE, Command, shared_options

TARGET = Path(__file__).parent / "reference" / "commands.md"

HEAD = """\
# Commands

Made from the program by `python docs/make_commands.py`; a test compares the two.

stdout is data, stderr is talk. A writing command ends with one line on stderr: what was written, what it set in motion,
the command that comes next. `HANDOFF` is a model version (`churn@2`), a model version and gate
(`churn@2/engineering-to-operations`), or an id; `NODE` is a name, `NAME@VERSION`, a code (`D-3`, `Q-2`), an id or its start;
`ITEM` is an item's id or its last part.

| exit code | meaning |
|---|---|
| 0 | done, or the gate is passed |
| 1 | a bug in Carnet; one line says where its details lie |
| 2 | a wrong call: an unknown word, a name that means nothing or several |
| 3 | the gate is not passed, a check failed, or the rules refuse it; the reasons are printed |
| 4 | input that cannot be read; nothing was written |
| 5 | a signature, a chain or a digest does not hold; nothing was written |
| 6 | written by a newer Carnet |
| 7 | another process holds the store |
| 130 | stopped by you |

`CARNET_STORE`, `CARNET_ME` and `CARNET_CONFIG` (the folder of keys) stand for options; `CARNET_PASSPHRASE_FILE` names a file whose
first line is the passphrase of your key, where nobody can be asked.
"""


def text() -> str:
    """Return the page."""
    parts = [HEAD, "## Options of every command\n"]
    parts.append(_options(shared_options(hidden=False)))
    parts.append(f"`--json` on a writing command gives `{WRITTEN_SHAPE}`.\n")
    for title, places in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in places:
            found = carnet.get_command(click.Context(carnet), name)
            if found is not None:
                parts.extend(_command(f"carnet {name}", found))
    return "\n".join(parts)


def _command(path: str, found: click.Command) -> Iterator[str]:
    if isinstance(found, click.Group):
        yield f"### {path}\n\n{found.help}\n"
        ctx = click.Context(found)
        for name in found.list_commands(ctx):
            inner = found.get_command(ctx, name)
            if inner is not None:
                yield from _command(f"{path} {name}", inner)
        return
    yield f"### {path}\n"
    usage = " ".join(found.collect_usage_pieces(click.Context(found, info_name=path)))
    yield f"```\n{path} {usage}\n```\n"
    yield f"{_flowing(found.help or '')}\n"
    listed = _options([p for p in found.params if isinstance(p, click.Option) and not p.hidden])
    if listed:
        yield listed
    if isinstance(found, Command):
        yield "```sh\n" + "\n".join(found.examples) + "\n```\n"
        if found.shape and not found.writes:
            yield f"`--json`: `{found.shape}`\n"


def _options(params: list[click.Option] | list[click.Parameter]) -> str:
    rows = []
    for param in params:
        record = param.get_help_record(click.Context(click.Command("carnet")))
        if record is not None:
            name, told = record
            rows.append(f"| `{name.replace('|', chr(92) + '|')}` | {told.replace('|', chr(92) + '|')} |")
    return "\n".join(["| option | |", "|---|---|", *rows]) + "\n" if rows else ""


def _flowing(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    made = text()
    if "--check" in sys.argv:
        return 0 if TARGET.read_text(encoding="utf-8") == made else 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
