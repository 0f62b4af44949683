"""Declare what there is: `carnet add KIND`, with provenance, digests, parameters, metrics and edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from carnet_tui.commands import PAIR, PATH, Group, add_to, session
from carnet_tui.commands.node_words import node_word
from carnet_tui.session import Session, quoted

add = Group("add", help="Declare what there is: a model version, dataset, run, code, feature, deployment, ...")

_EDGES: Final = (
    click.option("--used", multiple=True, metavar="NODE", help="What it used. Repeatable."),
    click.option("--from", "from_", multiple=True, metavar="NODE", help="What it comes from. Repeatable."),
)
_MORE: Final = (
    click.option("--attr", "attrs", type=PAIR, multiple=True, help="A further attribute. Repeatable."),
    click.option("--digest", "digests", type=PAIR, multiple=True, metavar="ALGO=HEX", help="A digest. Repeatable."),
    click.option("--file", "file", type=PATH, help="Take SHA-256 and size from this file; its bytes stay where they are."),
    click.option("--keep", is_flag=True, help="Keep the file's bytes in the store too, so that they travel in bundles."),
    click.option("--source-id", type=PAIR, metavar="SYSTEM=ID", help="Its stable id in another system: declared twice, it is one."),
)  # fmt: skip


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(function: Any) -> Any:
        for one in reversed(options):
            function = one(function)
        return function

    return apply


def _declare(
    here: Session, kind: str, name: str, *, version: str = "", attrs: Mapping[str, Any] | None = None,
    more: Mapping[str, Any], edges: list[tuple[str, str]] | None = None, **rest: Any,
) -> None:  # fmt: skip
    """Declare an entity from a command's options and say so."""
    import hashlib

    from carnet_store import NotFound

    project = here.project()
    known = {key: value for key, value in (attrs or {}).items() if value}
    known |= dict(more["attrs"])
    digests = dict(more["digests"])
    if more["file"] is not None:
        path = here.env.path(more["file"])
        if not path.is_file():
            raise NotFound(f"there is no file {more['file']}")
        if more["keep"]:
            digests["sha256"], size = project.objects.put_file(path)
        else:
            with path.open("rb") as handle:
                digests["sha256"] = hashlib.file_digest(handle, "sha256").hexdigest()
            size = path.stat().st_size
        known.setdefault("size", str(size))
        known.setdefault("path", path.name)
    links = list(edges or [])
    for relation, key in (("used", "used"), ("from", "from_")):
        links += [(relation, project.resolve(text)) for text in more.get(key, ())]
    written = here.acts(project).declare(
        kind, name, version=version, attrs=known, digests=digests, edges=links, source=more["source_id"], **rest
    )
    here.wrote(written, show=written.entity, next_=quoted("carnet", "lineage", node_word(project, written.entity)))


def _versioned(name: str, version: str) -> tuple[str, str]:
    """Return name and version, of which the version may stand in the name as `NAME@VERSION`."""
    bare, sign, tail = name.rpartition("@")
    return (bare, tail) if sign and bare and not version else (name, version)


@add_to(
    add, "model",
    "carnet add model churn@2",
    "carnet add model churn --version 2 --made-by r-012 --file model.json --keep",
    writes=True,
)  # fmt: skip
@click.argument("name")
@click.option("--version", default="", help="Its version (or write NAME@VERSION).")
@click.option("--made-by", "made_by", multiple=True, metavar="RUN", help="The run that made it. Repeatable.")
@click.option("--owner", default="", help="Who answers for it.")
@_options(*_EDGES, *_MORE)
def model(name: str, version: str, made_by: tuple[str, ...], owner: str, **more: Any) -> None:
    """Declare a model version."""
    from carnet_store import Usage

    here = session()
    name, version = _versioned(name, version)
    if not version:
        raise Usage("a model version needs a version", f"carnet add model {name}@1")
    project = here.project()
    runs = [project.resolve(text, "run") for text in made_by]
    if any(row.name == name and row.version == version for row in project.entities("model", text=f"{name}@{version}")):
        raise Usage(f"{name}@{version} is declared already", "another version, or `carnet describe`")
    acts = here.acts(project)
    _declare(here, "model", name, version=version, attrs={"owner": owner}, more=more)
    if runs:
        made = project.resolve(f"{name}@{version}", "model")
        for run in runs:
            acts.link(run, "made", made)


@add_to(
    add, "dataset",
    "carnet add dataset telco --source https://example.org/telco.csv --owner Farid --file telco.csv",
    "carnet add dataset telco-train --from telco --digest sha256=9f86d081…",
    writes=True,
)  # fmt: skip
@click.argument("name")
@click.option("--version", default="", help="Its version (or write NAME@VERSION).")
@click.option("--source", default="", help="Where it comes from.")
@click.option("--owner", default="", help="Who answers for it.")
@click.option("--licence", default="", help="Under which terms.")
@_options(*_EDGES, *_MORE)
def dataset(name: str, version: str, source: str, owner: str, licence: str, **more: Any) -> None:
    """Declare a dataset; source, owner and a digest are what a gate asks of it."""
    name, version = _versioned(name, version)
    attrs = {"source": source, "owner": owner, "licence": licence}
    _declare(session(), "dataset", name, version=version, attrs=attrs, more=more)


@add_to(
    add, "run",
    "carnet add run r-012 --command 'python train.py' --used telco --made churn@2 --param lr=0.6 --metric auc=0.8405:holdout",
    writes=True,
)  # fmt: skip
@click.argument("name")
@click.option("--command", "command_", default="", help="The command line that was run.")
@click.option("--param", "params", type=PAIR, multiple=True, help="A parameter. Repeatable.")
@click.option(
    "--metric", "metrics", type=PAIR, multiple=True, metavar="NAME=VALUE[:SPLIT[:UNIT]]", help="A metric. Repeatable."
)
@click.option("--made", multiple=True, metavar="NODE", help="What it made. Repeatable.")
@_options(*_EDGES, *_MORE)
def run(
    name: str, command_: str, params: tuple[tuple[str, str], ...], metrics: tuple[tuple[str, str], ...],
    made: tuple[str, ...], **more: Any,
) -> None:  # fmt: skip
    """Declare a run: what it used, what it made, with which parameters and metrics."""
    here = session()
    project = here.project()
    _declare(
        here, "run", name, attrs={"command": command_}, more=more, params=dict(params),
        metrics=[_metric(key, text) for key, text in metrics], edges=[("made", project.resolve(text)) for text in made],
    )  # fmt: skip


def _metric(name: str, text: str) -> dict[str, str]:
    from carnet_store import Invalid
    from carnet_store.domain.expression import number

    value, _, rest = text.partition(":")
    split, _, unit = rest.partition(":")
    if number(value) is None:
        raise Invalid(f"the metric {name} has the value {value!r}, which is no number", "--metric auc=0.8405:holdout")
    return {"name": name, "value": value, **({"split": split} if split else {}), **({"unit": unit} if unit else {})}


@add_to(
    add, "code", "carnet add code churn-src --commit 4f2a9c1 --repository https://example.org/churn.git", writes=True
)
@click.argument("name")
@click.option("--version", default="", help="Its version, such as a tag.")
@click.option("--commit", default="", help="The commit.")
@click.option("--repository", default="", help="Where it lies.")
@_options(*_EDGES, *_MORE)
def code(name: str, version: str, commit: str, repository: str, **more: Any) -> None:
    """Declare a snapshot of code."""
    name, version = _versioned(name, version)
    _declare(session(), "code", name, version=version, attrs={"commit": commit, "repository": repository}, more=more)


_PLAIN: Final[Mapping[str, tuple[str, str]]] = {
    "environment": ("Declare an environment: a lock file, an image by digest.", "py311 --file requirements.lock --keep"),
    "feature": ("Declare a feature, or a view of several.", "tenure-view@2 --from telco --attr owner=Farid --attr 'schema=tenure: int'"),
    "deployment": ("Declare where a model version runs.", "eu-rollout --used churn@2 --attr environment=production"),
    "check": ("Declare a check that was run, and on what.", "schema-test --from telco --attr outcome=passed"),
    "review": ("Declare a review.", "model-card-review --from churn@2"),
    "drill": ("Declare a drill.", "rollback-2026-03 --used churn@2 --attr minutes=7"),
    "incident": ("Declare an incident.", "scores-missing --from eu-rollout"),
    "glossary": ("Declare a glossary.", "churn-words --file glossary.md --keep"),
}  # fmt: skip
"""Kinds that are declared with nothing of their own: what each command says, and its example."""


def _plain(kind: str, said: str, example: str) -> None:
    @add_to(add, kind, f"carnet add {kind} {example}", writes=True)
    @click.argument("name")
    @click.option("--version", default="", help="Its version (or write NAME@VERSION).")
    @_options(*_EDGES, *_MORE)
    def declare(name: str, version: str, **more: Any) -> None:
        name, version = _versioned(name, version)
        _declare(session(), kind, name, version=version, more=more)

    add.commands[kind].help = said


for _kind, (_said, _example) in _PLAIN.items():
    _plain(_kind, _said, _example)


@add_to(add, "document", "carnet add document rollout-plan --file plan.md --keep", writes=True)
@click.argument("name")
@click.option("--version", default="", help="Its version.")
@click.option("--title", default="", help="Its title.")
@click.option("--url", default="", help="Where it can be read.")
@_options(*_EDGES, *_MORE)
def document(name: str, version: str, title: str, url: str, **more: Any) -> None:
    """Declare a document."""
    name, version = _versioned(name, version)
    _declare(session(), "document", name, version=version, attrs={"title": title, "url": url}, more=more)


@add_to(
    add, "criteria",
    "carnet add criteria churn --row 'primary: auc >= 0.83 on holdout' --row 'latency: p95_ms <= 50 ms'",
    writes=True,
)  # fmt: skip
@click.argument("model_name", metavar="MODEL")
@click.option("--row", "rows", multiple=True, required=True, metavar="'ID: METRIC OP VALUE [UNIT] [on SPLIT] [slice SLICE]'",
              help="One criterion. Repeatable.")  # fmt: skip
def criteria(model_name: str, rows: tuple[str, ...]) -> None:
    """Set the criteria of a model line, all of them; again, they replace those that stand."""
    from carnet_store.domain.criteria import parse_rows

    read = parse_rows(rows)
    here = session()
    project = here.project()
    written = here.acts(project).set_criteria(model_name, read, project.criteria_called(model_name))
    here.wrote(written, show=written.entity, next_=quoted("carnet", "handoff", "open", f"{model_name}@VERSION"))


def file_of(here: Session, project: Any) -> Callable[[str], Mapping[str, object]]:
    """Return the function that keeps a file in the store and describes it for an answer."""

    def put(text: str) -> Mapping[str, object]:
        path: Path = here.env.path(text)
        digest, size = project.objects.put_file(path)
        return {"path": path.name, "sha256": digest, "size": size}

    return put
