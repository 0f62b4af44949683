"""Comparing two lineages: pairs by name and role, values that differ, only the frontier of change listed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store.domain import lineage_diff
from carnet_store.domain.lineage import CriteriaRow, Metric, Node
from carnet_store.domain.lineage_diff import Difference, LineageDiff, Thing, packages_of, values


def node(entity: str, **more: Any) -> Node:
    """A node with what matters here."""
    kind, _, name = entity.partition(":")
    given = {
        "name": name.split("_")[0],
        "version": "",
        "attrs": {},
        "digests": {},
        "params": {},
        "metrics": (),
        "criteria": (),
        **more,
    }
    return Node(id=entity, kind=kind, source=None, person="", t=0, birth="", edges=(), state="", **given)  # fmt: skip


def diff(left: list[Node], right: list[Node], links: list[tuple[str, str, str]], same: int = 0) -> LineageDiff:
    """Compare two lineages; the first of each side is its root."""
    things = [[Thing(one.id, one.kind, one.name, one.version) for one in side] for side in (left, right)]
    pairing = lineage_diff.pair(left[0].id, right[0].id, things[0], things[1], links)
    return lineage_diff.compare(pairing, {one.id: one for one in (*left, *right)}, same)


def test_two_versions_of_a_model_tell_what_changed_where() -> None:
    """The sketch of a review: data changed, a parameter changed, one input new, one gone; what follows of it is counted, not listed."""
    left = [
        node("model:churn_6", version="6"), node("run:train_6", params={"seed": "1", "lr": "3e-4"}, metrics=(Metric(name="auc", value="0.81"),)),
        node("feature:rolling_6"), node("run:build_6"), node("dataset:events_6", version="2026-08", digests={"sha256": "9b"}),
        node("feature:region_6"), node("run:regions_6"),
    ]  # fmt: skip
    right = [
        node("model:churn_7", version="7"), node("run:train_7", params={"seed": "7", "lr": "3e-4"}, metrics=(Metric(name="auc", value="0.84"),)),
        node("feature:rolling_7"), node("run:build_7"), node("dataset:events_7", version="2026-09", digests={"sha256": "e0"}),
        node("feature:tenure_7"), node("run:tenures_7"), node("dataset:crm_7"),
    ]  # fmt: skip
    links = [
        ("run:train_6", "made", "model:churn_6"), ("feature:rolling_6", "used", "run:train_6"), ("run:build_6", "made", "feature:rolling_6"),
        ("dataset:events_6", "used", "run:build_6"), ("feature:region_6", "used", "run:train_6"), ("run:regions_6", "made", "feature:region_6"),
        ("run:train_7", "made", "model:churn_7"), ("feature:rolling_7", "used", "run:train_7"), ("run:build_7", "made", "feature:rolling_7"),
        ("dataset:events_7", "used", "run:build_7"), ("feature:tenure_7", "used", "run:train_7"), ("run:tenures_7", "made", "feature:tenure_7"),
        ("dataset:crm_7", "used", "run:tenures_7"),
    ]  # fmt: skip
    found = diff(left, right, links, same=33)
    assert (found.same, found.changed, found.left_only, found.right_only) == (33, 4, 2, 3)
    assert [(one.left.name, one.pulls) for one in found.frontier] == [("train", 0), ("events", 2)]
    train, events = found.frontier
    assert train.differences == (
        Difference("param", "seed", "1", "7", "+6"),
        Difference("metric", "auc", "0.81", "0.84", "+0.03"),
    )
    assert [(one.group, one.left, one.right) for one in events.differences] == [
        ("version", "2026-08", "2026-09"),
        ("digest", "9b", "e0"),
    ]
    assert events.role == "input of build" and train.role == "made churn@6"
    assert [(one.thing.name, one.role, one.pulls) for one in found.gone] == [("region", "input of train", 1)]
    assert [(one.thing.name, one.role, one.pulls) for one in found.added] == [("tenure", "input of train", 2)]
    assert not found.alike


def test_two_runs_are_compared_by_what_went_into_them() -> None:
    """Parameters, metrics, environment packages and code of two runs, whatever the runs are called."""
    left = [
        node("run:r-007", params={"depth": "8"}, metrics=(Metric(name="auc", value="0.9056", split="holdout"),)),
        node("environment:env_a", attrs={"packages": ["numpy==1.26", "torch==2.2"]}),
        node("code:repo_a", attrs={"commit": "aaa"}),
    ]  # fmt: skip
    right = [
        node("run:r-012", params={"depth": "2"}, metrics=(Metric(name="auc", value="0.8405", split="holdout"),)),
        node("environment:env_b", attrs={"packages": {"numpy": "2.0", "pandas": "2.2", "torch": "2.2"}}),
        node("code:other_b", attrs={"commit": "bbb"}),
    ]  # fmt: skip
    links = [(one.id, "used", side[0].id) for side in (left, right) for one in side[1:]]
    found = diff(left, right, links)
    assert [(one.name, one.change) for one in found.root.differences] == [
        ("depth", "-6"),
        ("auc (holdout)", "-0.0651"),
    ]
    env, code = sorted(found.frontier, key=lambda one: one.left.kind, reverse=True)
    assert [(one.group, one.name, one.left, one.right) for one in env.differences] == [
        ("package", "numpy", "1.26", "2.0"),
        ("package", "pandas", "", "2.2"),
    ]
    assert [(one.name, one.left, one.right) for one in code.differences] == [("commit", "aaa", "bbb")]
    assert (found.left_only, found.right_only) == (0, 0)


def test_what_only_tells_the_time_is_no_change_of_its_own() -> None:
    """A run that started later and lies elsewhere follows the data it read; it is counted, not listed."""
    left = [
        node("model:m_1"),
        node("run:t_1", attrs={"started": 1, "uri": "a"}),
        node("dataset:d_1", digests={"sha256": "a"}),
    ]
    right = [
        node("model:m_2"),
        node("run:t_2", attrs={"started": 2, "uri": "b"}),
        node("dataset:d_2", digests={"sha256": "b"}),
    ]
    links = [
        (f"run:t_{at}", "made", f"model:m_{at}") for at in (1, 2)
    ] + [(f"dataset:d_{at}", "used", f"run:t_{at}") for at in (1, 2)]  # fmt: skip
    found = diff(left, right, links)
    assert [(one.left.name, one.pulls) for one in found.frontier] == [("d", 1)]


def test_values_of_every_group_are_compared_each_by_its_kind() -> None:
    """Numbers are equal as numbers; a later step wins; what cannot be subtracted is not."""
    left = node("run:a", version="1", params={"x": "0.10", "s": "a", "big": "1e300"}, digests={"sha256": "1"}, attrs={"k": [1, {"b": True}], "same": "1"},
                metrics=(Metric(name="auc", value="0.50"), Metric(name="loss", value="NaN"), Metric(name="f", value="1", step=1), Metric(name="f", value="9", step=0)),
                criteria=(CriteriaRow(id="p", metric="AUC", name="auc", op=">=", value="0.8"),))  # fmt: skip
    right = node("run:b", version="2", params={"x": "0.1", "s": "b", "big": "2e300"}, digests={"sha256": "2"}, attrs={"k": [1, {"b": False}], "same": "1", "new": None},
                 metrics=(Metric(name="auc", value="0.5"), Metric(name="loss", value="1"), Metric(name="f", value="2", step=1)),
                 criteria=(CriteriaRow(id="p", metric="AUC", name="auc", op=">=", value="0.9"),))  # fmt: skip
    found = {(one.group, one.name): (one.left, one.right, one.change) for one in values(left, right)}
    assert found == {
        ("version", "version"): ("1", "2", ""),
        ("digest", "sha256"): ("1", "2", ""),
        ("param", "x"): ("0.10", "0.1", "+0"),
        ("param", "s"): ("a", "b", ""),
        ("param", "big"): ("1e300", "2e300", ""),
        ("metric", "loss"): ("NaN", "1", ""),
        ("metric", "f"): ("1", "2", "+1"),
        ("criterion", "p"): ("auc >= 0.8", "auc >= 0.9", ""),
        ("attr", "k"): ("1, b true", "1, b false", ""),
    }


@pytest.mark.parametrize(
    ("value", "packages"),
    [
        (["a==1", "b"], {"a": "1", "b": ""}),
        ([["a", "1"]], {"a": "1"}),
        ([{"name": "a", "version": "1"}, {"name": "b"}], {"a": "1", "b": ""}),
        ({"a": "1", "b": None}, {"a": "1", "b": ""}),
        ("a==1", None),
        ([1], None),
        (None, None),
    ],
)
def test_packages_are_read_in_the_forms_that_importers_write(value: Any, packages: dict[str, str] | None) -> None:
    """A list that is none is compared as any other attribute, never half read."""
    assert packages_of(value) == packages


KINDS = st.sampled_from(["dataset", "run", "model"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(KINDS, st.sampled_from("abc"), st.integers(0, 9)), max_size=8),
    st.lists(st.tuples(KINDS, st.sampled_from("abc"), st.integers(0, 9)), max_size=8),
)
def test_every_node_is_in_one_place(lefts: list[tuple[str, str, int]], rights: list[tuple[str, str, int]]) -> None:
    """Whatever hangs together how: each node is paired once or stands alone, pairs are of one kind, counts add up; the same input, the same answer."""
    sides = [
        [node(f"model:root_{at}"), *(node(f"{kind}:{name}_{at}{spot}") for spot, (kind, name, _) in enumerate(rows))]
        for at, rows in enumerate((lefts, rights))
    ]
    links = [
        (side[spot + 1].id, "used", side[into % (spot + 1)].id)
        for side, rows in zip(sides, (lefts, rights), strict=True)
        for spot, (_, _, into) in enumerate(rows)
    ]
    found = diff(sides[0], sides[1], links)
    assert found == diff(sides[0], sides[1], list(reversed(links)))
    assert found.changed + 1 + found.left_only == len(sides[0])
    assert found.changed + 1 + found.right_only == len(sides[1])
    for one in found.frontier:
        assert one.left.kind == one.right.kind
        assert one.pulls <= found.changed
    for lone, count in ((found.gone, found.left_only), (found.added, found.right_only)):
        assert len(lone) <= count and bool(lone) == bool(count)
        assert all(one.pulls < count for one in lone)
