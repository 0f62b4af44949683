"""Items that fill themselves: what the recorded graph can answer, with its proof (docs/filling.md lists which and why).

A template item names one of these queries under `fills`. A query is a pure function of what lies around the model version; it proposes a
complete answer or none. Rules:
- Nothing is guessed: a proposal repeats what a source or a run recorded and links where it stands. What is missing is left to a person.
- A proposal is no answer. Somebody who holds the answering role takes it, one by one or in bulk; it is *recorded*, and another verifies it.
- It never says more than its source: a hash-less list of packages is no lock, eight hex characters of MLflow are no digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from carnet_store.domain.answer import AnswerValue, Lookups
from carnet_store.domain.decisions import DecisionView
from carnet_store.domain.judging import criterion_of, judge, problems
from carnet_store.domain.lineage import ENDED_BADLY, EVALUATED, Node, ended_well
from carnet_store.domain.template import Item

SEED: Final = re.compile(
    r"(?:^|[._/\- ])(?:seed|random_state|random_seed|rng_seed|hash_seed|seed_\w+|\w+_seed)$", re.IGNORECASE
)
"""Parameter names that hold a seed."""
AT_MOST: Final = 50
"""Rows or links that one proposal holds; with more it is left to a person."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around a model version in the graph.

    Attributes:
        model: the version that is handed over.
        makers: the runs that made it, or what it is a registered version of.
        evaluations: runs that used the model and recorded metrics.
        same: what it is a registered version of: models that it comes from and that its makers made.
        parents: models that it comes `from` and that its makers did not make: a base model.
        inputs: for each run id, the nodes that it used, nearest first.
        made: for each run id, the nodes that it made.
        origins: for each dataset id, the runs that made it.
        steps: the runs that came before the makers, the first one first.
        siblings: other runs of the same experiment or stage, newest first.
        decisions: decisions about the model or its makers that stand, newest first.
        criteria: the criteria of the model line.
    """

    model: Node
    makers: tuple[Node, ...] = ()
    evaluations: tuple[Node, ...] = ()
    same: tuple[Node, ...] = ()
    parents: tuple[Node, ...] = ()
    inputs: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    made: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    origins: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    steps: tuple[Node, ...] = ()
    siblings: tuple[Node, ...] = ()
    decisions: tuple[DecisionView, ...] = ()
    criteria: Node | None = None

    def used(self, runs: Iterable[Node], *kinds: str) -> list[Node]:
        """Return what these runs used, of these kinds, each once."""
        found = {node.id: node for run in runs for node in self.inputs.get(run.id, ()) if node.kind in kinds}
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer that the graph gives to an item: its value, the sentence that says from where, and the nodes that prove it."""

    item: str
    query: str
    value: AnswerValue
    words: str
    proof: tuple[str, ...]


Found = tuple[dict[str, object], str, Sequence[Node]]
Query = Callable[[Surroundings, Item, Lookups], "Found | None"]
QUERIES: Final[dict[str, Query]] = {}
"""Name of a query, as `fills` names it, to the function that answers it."""


def _query(name: str) -> Callable[[Query], Query]:
    def keep(function: Query) -> Query:
        QUERIES[name] = function
        return function

    return keep


def propose(
    item: Item, around: Surroundings, lookups: Lookups, placeholders: frozenset[str] = frozenset()
) -> Proposal | None:
    """Return what the graph answers to an item; None where it does not say, or where what it says would not suffice."""
    query = QUERIES.get(item.fills)
    found = query(around, item, lookups) if query is not None else None
    if found is None:
        return None
    value, words, proof = found
    links = list(dict.fromkeys(node.id for node in proof))[:AT_MOST]
    if item.type != "link":
        value = {**value, "links": links}
    value = {**value, "filled": item.fills}
    if problems(item, value, lookups, placeholders):
        return None
    verdict = judge(item, value, lookups)
    if verdict is not None and verdict.state == "fails":
        return None
    return Proposal(item.id, item.fills, value, words, tuple(links))


def _links(nodes: Sequence[Node], words: str) -> Found | None:
    if not nodes or len(nodes) > AT_MOST:
        return None
    return {"state": "given", "links": [node.id for node in nodes]}, words, nodes


def _text(lines: Sequence[str], words: str, proof: Sequence[Node]) -> Found | None:
    return ({"state": "given", "text": "\n".join(lines)}, words, proof) if lines else None


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _names(nodes: Sequence[Node], most: int = 5) -> str:
    more = f" and {len(nodes) - most} more" if len(nodes) > most else ""
    return ", ".join(node.title for node in nodes[:most]) + more


# -- decisions and figures -----------------------------------------------------------------------------------------------


@_query("criteria")
def _criteria(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the criteria of this model line."""
    if around.criteria is None or around.criteria.conflicts:
        return None
    rows = len(around.criteria.criteria)
    return _links([around.criteria], f"{rows} criteria of {around.criteria.name}") if rows else None


@_query("decision")
def _decision(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the newest decision about the model or the run that made it that has as many options as the item asks."""
    for view in around.decisions:
        if view.decision.outcome == "accepted" and len(view.decision.options) >= max(1, item.min_options):
            return {"state": "given", "links": [view.id]}, f"decided: {view.decision.choice}", ()
    return None


@_query("metric")
def _metric(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the metric that the item's criterion names, of the run that evaluated the model, else of the one that made it."""
    criterion = criterion_of(item.threshold, lookups)
    if criterion is None:
        return None
    for run in (*around.evaluations, *around.makers):
        found = run.metric(criterion.name, criterion.split, criterion.slice)
        if found is not None and run.metric(criterion.name) == found:
            part: dict[str, object] = {"entity": run.id, "name": found.name, "value": found.value}
            value: dict[str, object] = {
                "state": "given",
                "metric": {**part, "unit": found.unit} if found.unit else part,
            }
            return value, f"{found.name} {found.value} of {run.title}", [run]
    return None


@_query("repeats")
def _repeats(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give how many finished runs differ from the one that made the model in nothing but a seed."""
    if len(around.makers) != 1:
        return None
    maker = around.makers[0]
    rest = {name: text for name, text in maker.params.items() if not SEED.search(name)}
    seeds = {tuple(sorted(_seeds(maker).items()))}
    same = [maker]
    for run in around.siblings:
        if not ended_well(run):
            continue
        mine = tuple(sorted(_seeds(run).items()))
        if {n: t for n, t in run.params.items() if not SEED.search(n)} == rest and mine and mine not in seeds:
            seeds.add(mine)
            same.append(run)
    if len(same) < 2 or not _seeds(maker):
        return None
    value: dict[str, object] = {"state": "given", "literal": {"value": str(len(same)), "unit": item.unit or "repeats"}}
    return value, f"{len(same)} runs that differ in nothing but a seed: {_names(same)}", same


@_query("results")
def _results(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the runs that evaluated the model, else those that made it, where they recorded metrics."""
    runs = [run for run in around.evaluations if run.metrics] or [run for run in around.makers if run.metrics]
    count = sum(len(run.metrics) for run in runs)
    return _links(runs, f"{_count(count, 'metric')} of {_names(runs)}")


@_query("results.slices")
def _slices(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the runs that recorded metrics by slice."""
    runs = [r for r in (*around.evaluations, *around.makers) if any(m.slice for m in r.metrics)]
    count = len({m.slice for run in runs for m in run.metrics if m.slice})
    return _links(runs, f"{_count(count, 'slice')} in {_names(runs)}")


@_query("search")
def _search(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the runs of the same experiment, the parameters that vary between them and their range, and which one was taken."""
    runs = [run for run in (*around.makers, *around.siblings) if run.params]
    if len(around.makers) != 1 or len(runs) < 2:
        return None
    maker = around.makers[0]
    names = sorted({name for run in runs for name in run.params if not SEED.search(name)})
    lines = []
    for name in names:
        values = sorted({run.params[name] for run in runs if name in run.params}, key=_order)
        if len(values) > 1:
            shown = ", ".join(values) if len(values) <= 8 else f"{values[0]} to {values[-1]}, {len(values)} values"
            lines.append(f"{name}: {shown} (taken: {maker.params.get(name, 'not set')})")
    if not lines:
        return None
    experiment = maker.attrs.get("experiment")
    stage = maker.attrs.get("stage")
    where = (
        f" of experiment {experiment}"
        if isinstance(experiment, str) and experiment
        else f" of stage {stage}"
        if stage
        else ""
    )
    recorded = len(around.makers) + len(around.siblings)
    count = f"{len(runs)} recorded runs" if len(runs) == recorded else f"{len(runs)} of {recorded} recorded runs"
    first = f"{count}{where}{'' if len(runs) == recorded else ' have parameters'}; taken: {maker.title}."
    return _text([first, *lines[:AT_MOST]], f"{len(runs)} runs{where}", runs[:AT_MOST])


def _order(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


@_query("negative")
def _negative(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give what the record says did not work: rejected options, and runs that failed."""
    lines, proof = [], []
    for view in around.decisions:
        rejected = [o for o in view.decision.options if o.title != view.decision.choice]
        lines += [f"rejected: {o.title}{f', {o.why}' if o.why else ''}" for o in rejected]
    for run in around.siblings:
        if str(run.attrs.get("status", "")).lower() in ENDED_BADLY:
            tags = run.attrs.get("tags")
            said = tags.get("error") if isinstance(tags, Mapping) else None
            why = run.attrs.get("exception") or run.attrs.get("error") or said or ""
            lines.append(
                f"{run.title}: {str(run.attrs['status']).lower()}{f', {why}' if isinstance(why, str) and why else ''}"
            )
            proof.append(run)
    return _text(lines[:AT_MOST], f"{_count(len(lines), 'thing')} that did not work", proof[:AT_MOST])


# -- code and parameters -------------------------------------------------------------------------------------------------


@_query("parameters")
def _parameters(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the runs that made the model, where all of them recorded parameters."""
    if not around.makers or not all(run.params for run in around.makers):
        return None
    count = sum(len(run.params) for run in around.makers)
    return _links(around.makers, f"{_count(count, 'parameter')} of {_names(around.makers)}")


def _seeds(run: Node) -> dict[str, str]:
    """Return a run's seeds: parameters by name, and what capture saw being set."""
    found = {name: text for name, text in run.params.items() if SEED.search(name) and text not in ("", "None", "null")}
    captured = run.attrs.get("seeds")
    for name, one in captured.items() if isinstance(captured, Mapping) else ():
        if isinstance(one, str | int) and str(one):
            found.setdefault(str(name), str(one))
        elif isinstance(one, list) and one and all(isinstance(part, str | int) for part in one):
            found.setdefault(str(name), ", ".join(map(str, one)))
    return found


@_query("seeds")
def _seed_rows(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give each seed that the runs that made the model recorded, and those of the steps before them."""
    if not any(_seeds(run) for run in around.makers):
        return None
    seeded = [*around.makers, *(run for run in around.steps if _seeds(run))]
    rows = [
        {
            "source": name,
            "seed": text,
            "set_where": f"parameter of {run.title}" if name in run.params else f"set in {run.title}",
        }
        for run in seeded
        for name, text in sorted(_seeds(run).items())
    ]
    if len(rows) > AT_MOST:
        return None
    return {"state": "given", "rows": rows}, f"{_count(len(rows), 'seed')} of {_names(seeded)}", seeded


@_query("nondeterminism")
def _nondeterminism(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give thread counts, the hash seed and determinism flags as captured with the run."""
    lines = []
    for run in around.makers:
        controls = run.attrs.get("controls")
        if isinstance(controls, Mapping) and controls:
            lines.append(f"{run.title}: " + ", ".join(f"{key}={value}" for key, value in sorted(controls.items())))
    return _text(lines, f"controls captured with {_names(around.makers)}", around.makers)


# -- data ----------------------------------------------------------------------------------------------------------------


def _contexts(run: Node) -> Mapping[str, object]:
    found = run.attrs.get("data")
    return found if isinstance(found, Mapping) else {}


def _evaluation_data(around: Surroundings) -> list[Node]:
    """Return datasets that a source marks as evaluation, or that a run which evaluated the model used."""
    found = []
    for run in (*around.evaluations, *around.makers):
        for node in around.inputs.get(run.id, ()):
            marked = str(_contexts(run).get(node.title, "")).lower()
            if node.kind == "dataset" and (marked in EVALUATED or (not marked and run in around.evaluations)):
                found.append(node)
    return list({node.id: node for node in found}.values())


def _training_data(around: Surroundings) -> list[Node]:
    """Return what the makers used, without what their source marks as evaluation."""
    found = {}
    for run in around.makers:
        for node in around.inputs.get(run.id, ()):
            if node.kind == "dataset" and str(_contexts(run).get(node.title, "")).lower() not in EVALUATED:
                found[node.id] = node
    return list(found.values())


@_query("data.training")
def _train(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give what the runs that made the model used, without what is marked as evaluation."""
    data = _training_data(around)
    return _links(data, f"{_names(data)}, used by {_names(around.makers)}")


@_query("data.evaluation")
def _evaluate(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give what the evaluating runs used, or what the source marks as evaluation."""
    data = _evaluation_data(around)
    return _links(data, f"{_names(data)}, marked or used for evaluation")


@_query("data.holdout")
def _holdout(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the evaluation data, where each has a digest of its bytes and none of it was trained on."""
    data, trained = _evaluation_data(around), {node.id for node in _training_data(around)}
    if not data or not all(node.digests for node in data) or any(node.id in trained for node in data):
        return None
    return _links(data, f"{_names(data)}, with digest")


@_query("data.steps")
def _prepared(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give what ran between the first input and training, in order, as it was recorded: name, command, parameters."""
    lines = []
    for run in around.steps:
        command = run.attrs.get("command")
        if not isinstance(command, str) or not command:
            return None
        params = ", ".join(f"{name}={text}" for name, text in sorted(run.params.items()))
        lines.append(f"{run.title}: {command}" + (f" ({params})" if params else ""))
    if len(lines) > AT_MOST:
        return None
    return _text(lines, f"{_count(len(lines), 'recorded step')} before {_names(around.makers)}", around.steps)


@_query("data.preparation")
def _preparation(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the runs that made what the model was trained on, where a run made each of it."""
    data = _training_data(around)
    if not data or not all(around.origins.get(node.id) for node in data):
        return None
    runs = list({run.id: run for node in data for run in around.origins[node.id]}.values())
    return _links(runs, f"{_names(runs)} made {_names(data)}")


@_query("data.digests")
def _digests(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give for each input its digest, where it lies and who may read it; only where a source says all of these."""
    rows, data = [], around.used(around.makers, "dataset")
    for node in data:
        algorithm = next((one for one in ("sha256", "md5") if one in node.digests), next(iter(node.digests), ""))
        place = str(node.attrs.get("uri") or node.attrs.get("source") or node.attrs.get("path") or "")
        rule = str(node.attrs.get("access") or node.attrs.get("licence") or node.attrs.get("license") or "")
        if not (algorithm and place and rule):
            return None
        rows.append(
            {
                "dataset": [node.id],
                "digest": f"{algorithm}:{node.digests[algorithm]}",
                "location": place,
                "access_rule": rule,
            }
        )
    if not rows or len(rows) > AT_MOST:
        return None
    return {"state": "given", "rows": rows}, f"{_count(len(rows), 'input')} with digest and place", data


# -- environment and model -----------------------------------------------------------------------------------------------


@_query("environment.lock")
def _lock(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the lock file of the environment that the runs used, where every package in it has a hash."""
    for node in around.used(around.makers, "environment"):
        lock = node.attrs.get("lock")
        hashed, packages = node.attrs.get("hashed"), node.attrs.get("packages")
        if (
            not isinstance(lock, Mapping)
            or not isinstance(packages, Mapping)
            or hashed != len(packages)
            or not packages
        ):
            continue
        file = {key: lock.get(key) for key in ("path", "sha256", "size")}
        return (
            {"state": "given", "files": [file]},
            f"{node.title}: {_count(len(packages), 'package')} with hashes",
            [node],
        )
    return None


@_query("environment.hardware")
def _hardware(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the machine as captured, and how long the run took."""
    lines, proof = [], []
    for run in around.makers:
        for node in (run, *around.used([run], "environment")):
            machine = node.attrs.get("machine")
            if isinstance(machine, Mapping) and machine:
                took = run.attrs.get("seconds")
                parts = [f"{key}: {value}" for key, value in sorted(machine.items())] + (
                    [f"time: {took} s"] if took else []
                )
                lines.append(f"{run.title}: " + "; ".join(parts))
                proof += [run, node]
    return _text(lines, f"captured with {_names(around.makers)}", proof)


@_query("outputs")
def _outputs(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the documents that the runs made (predictions, reports), where each is stored by digest."""
    runs = (*around.makers, *around.evaluations)
    made = [n for run in runs for n in around.made.get(run.id, ()) if n.kind == "document"]
    made = list({node.id: node for node in made}.values())
    if not made or not all(node.digests for node in made):
        return None
    return _links(made, f"{_names(made)}, by digest")


@_query("model.parent")
def _parent(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the base models that this one comes from."""
    return _links(around.parents, f"{around.model.title} comes from {_names(around.parents)}")


@_query("model.owner")
def _owner(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give who made the model version, when, and who owns it, where the record names an owner or a user. A user is not called owner."""
    model = around.model
    roles = (("owner", "owner"), ("author", "author"), ("user", "recorded by"))
    told = [f"{word} {model.attrs[key]}" for key, word in roles if model.attrs.get(key)]
    users = [str(run.attrs["user"]) for run in around.makers if run.attrs.get("user")]
    if not (told or users) or not model.version:
        return None
    lines = [", ".join([model.title, *told])]
    lines += [
        f"made by {run.title}" + (f" of {run.attrs['user']}" if run.attrs.get("user") else "") for run in around.makers
    ]
    return _text(lines, f"{model.title} and {_names(around.makers)}", [model, *around.makers])


@_query("model.type")
def _type(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give kind of model with inputs and outputs, where its source recorded a signature."""
    for node in (around.model, *around.same, *around.parents):
        kind, signature = node.attrs.get("model_type") or node.attrs.get("flavors"), node.attrs.get("signature")
        if kind and isinstance(signature, Mapping) and signature.get("inputs") and signature.get("outputs"):
            words = ", ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
            lines = [f"type: {words}", f"inputs: {signature['inputs']}", f"outputs: {signature['outputs']}"]
            return _text(lines, f"recorded with {node.title}", [node])
    return None


@_query("model.licence")
def _licence(around: Surroundings, item: Item, lookups: Lookups) -> Found | None:
    """Give the licence that the model's card names."""
    licence = around.model.attrs.get("licence") or around.model.attrs.get("license")
    if not isinstance(licence, str) or not licence:
        return None
    return _text(
        [f"{licence}, as recorded with {around.model.title}"], f"named by {around.model.title}", [around.model]
    )
