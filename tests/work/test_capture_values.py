"""Parameters and metrics as command lines, variables and files give them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.errors import Invalid, NotFound
from carnet_store.work import capture_values as values


@pytest.mark.parametrize(
    ("line", "params"),
    [
        ("python train.py --lr 0.1 --depth=3 -n 5", {"lr": "0.1", "depth": "3", "n": "5"}),
        ("python -u train.py --verbose --lr -0.5", {"verbose": "true", "lr": "-0.5"}),
        ("python -m pkg.train lr=0.1 model.size=big +extra=1", {"lr": "0.1", "model.size": "big", "extra": "1"}),
        ("torchrun --nproc_per_node 2 train.py --lr 1e-3", {"lr": "1e-3"}),
        ("./train --layers 64 32 16 out.txt", {"layers": "64 32 16"}),
        ("python t.py --tag a --tag b", {"tag": "a, b"}),
        ("make -j4 train", {"j": "4"}),
        ("python -c pass --lr 0.1", {"lr": "0.1"}),
        ("sh -c true", {}),
        ("python t.py --name= --flag -- --not-mine x", {"name": "", "flag": "true", "not-mine": "x"}),
        ("true", {}),
    ],
)
def test_flags_are_parameters(line: str, params: dict[str, str]) -> None:
    """R036: `--name value`, `--name=value`, `key=value`; what stands before the script is the launcher's."""
    assert values.from_command(line.split(" ")) == params


def test_variables_with_the_prefix_are_parameters() -> None:
    """R036: `CARNET_PARAM_x`; the bare prefix names nothing."""
    assert values.from_variables({"CARNET_PARAM_lr": "0.1", "CARNET_PARAM_": "x", "PATH": "y"}) == {"lr": "0.1"}


def test_parameter_files_give_the_same_in_every_format(tmp_path: Path) -> None:
    """R036: JSON, YAML and TOML, nested names joined by dots, numbers as the shortest text."""
    tree = {"lr": 0.1, "big": 10**20, "on": True, "layers": [64, 32], "opt": {"name": "adam", "eps": 1e-08}}
    wanted = {
        "lr": "0.1",
        "big": "100000000000000000000",
        "on": "true",
        "layers": "[64, 32]",
        "opt.name": "adam",
        "opt.eps": "1e-08",
    }
    (tmp_path / "p.json").write_text(json.dumps({**tree, "none": None}))
    (tmp_path / "p.yaml").write_text(
        "lr: 0.1\nbig: 100000000000000000000\non: true\nlayers: [64, 32]\nopt: {name: adam, eps: 1.0e-8}\nnone:\n".replace(
            "on:", "'on':"
        )
    )
    (tmp_path / "p.toml").write_text(
        'lr = 0.1\nbig = "100000000000000000000"\non = true\nlayers = [64, 32]\n[opt]\nname = "adam"\neps = 1e-8\n'
    )
    assert values.params_file(tmp_path / "p.json") == {**wanted, "none": "null"}
    assert values.params_file(tmp_path / "p.yaml") == {**wanted, "none": "null"}
    assert values.params_file(tmp_path / "p.toml") == wanted


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", '{"a": '), ("p.json", ""), ("p.yaml", "a: [1"), ("p.toml", "a ="), ("p.json", "\xff"),
        ("p.json", '{"a":' * 50 + "1" + "}" * 50), ("p.json", "[" * 100_000),
        ("p.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                   "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"),
    ],
)  # fmt: skip
def test_what_is_no_parameter_file_is_refused_with_its_name(tmp_path: Path, name: str, text: str) -> None:
    """Truncated, empty, not text, nested without end, a small file that means millions of values."""
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(Invalid, match=name):
        values.params_file(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no\.json"):
        values.params_file(tmp_path / "no.json")


def test_names_that_are_not_ascii_become_keys_of_a_ledger() -> None:
    """Keys of a ledger are ASCII; others are percent-encoded, and stay apart."""
    assert values.name_of("größe") == "gr%C3%B6%C3%9Fe"
    assert values.name_of("learning rate") == "learning rate"
    assert values.name_of("学习") != values.name_of("学")


# -- metrics -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name", "split"),
    [
        ("auc", "auc", ""), ("val/auc", "auc", "val"), ("train/loss", "loss", "train"), ("test.f1", "f1", "test"),
        ("auc@holdout", "auc", "holdout"), ("grad/norm", "grad/norm", ""), ("time.epoch", "time.epoch", ""), ("@x", "@x", ""),
        ("val/a@b", "val/a", "b"), ("Validation/acc", "acc", "Validation"),
    ],
)  # fmt: skip
def test_a_split_stands_in_the_name(key: str, name: str, split: str) -> None:
    """R037: `split/name` where the word is a split, `name@split` whatever it is."""
    assert values.split_of(key) == (name, split)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"), (1, "1"), (1.0, "1.0"), (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), ("nan", "NaN"),
        ("-inf", "-Infinity"), ("0.10", "0.1"), ("1e-3", "0.001"), ("12", "12"), (" 7 ", "7"), ("1_000", None), ("x", None), ("", None),
        (True, None), (None, None), ([1], None), ("0x10", None), ("١٢", None), ("1" * 500, None), (10**400, None),
    ],
)  # fmt: skip
def test_numbers_become_the_shortest_text_that_gives_them_back(value: Any, text: str | None) -> None:
    """R037: not-a-number and the infinities by name; what is no number is none."""
    assert values.metric_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_figure_is_rounded(value: float) -> None:
    text = values.metric_text(value)
    assert text is not None
    assert float(text) == value


def test_a_tree_of_metrics() -> None:
    """Nested names, lists of rows; what is no number is named."""
    found = values.metrics_of({"val": {"auc": 0.8, "loss": float("nan")}, "note": "good", "n": 3})
    assert found.rows() == [
        {"name": "auc", "value": "0.8", "split": "val"}, {"name": "loss", "value": "NaN", "split": "val"}, {"name": "n", "value": "3"},
    ]  # fmt: skip
    assert found.strange == ["note"]
    rows = {
        "run": "r",
        "metrics": [{"name": "auc", "value": "0.84", "split": "holdout", "slice": "a=1", "unit": "u", "step": 3}],
    }
    assert values.metrics_of(rows).rows() == [
        {"name": "auc", "value": "0.84", "split": "holdout", "slice": "a=1", "unit": "u", "step": 3}
    ]


def test_a_history_keeps_every_step_and_its_last_values(tmp_path: Path) -> None:
    """R037: CSV and JSON lines; an empty cell takes nothing away; ten thousand rows."""
    rows = "".join(f"{n},{1 / (n + 1)!r},{'' if n else 0.5}\n" for n in range(10_000))
    (tmp_path / "h.csv").write_text(f"epoch,train/loss,auc\n{rows}")
    found = values.metrics_file(tmp_path / "h.csv")
    assert found.rows() == [
        {"name": "loss", "value": "0.0001", "split": "train", "step": 9999}, {"name": "auc", "value": "0.5"},
    ]  # fmt: skip
    lines = found.history_lines().decode().splitlines()
    assert len(lines) == 10_001
    assert json.loads(lines[0]) == {"name": "loss", "value": "1.0", "split": "train", "step": 0}
    (tmp_path / "h.jsonl").write_text('{"step": 1, "loss": 0.5}\n\n{"step": 2, "loss": NaN, "note": "x"}\n')
    found = values.metrics_file(tmp_path / "h.jsonl")
    assert found.rows() == [{"name": "loss", "value": "NaN", "step": 2}]
    assert found.strange == ["note"]
    assert found.history_lines().count(b"\n") == 2


def test_a_table_with_a_name_column_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("name,value,split\nauc,0.8,holdout\nf1,Infinity,\n")
    found = values.metrics_file(tmp_path / "m.csv")
    assert found.rows() == [{"name": "auc", "value": "0.8", "split": "holdout"}, {"name": "f1", "value": "Infinity"}]
    assert found.history_lines() == b""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.csv", "", "line 1 names no columns"), ("m.csv", "1,2\n3,4\n", "line 1 names no columns"), ("m.csv", "a,b\n1\n", "line 2 has 1"),
        ("m.jsonl", '{"a"', "line 1"), ("m.jsonl", "[1]\n", "line 1 is no object"), ("m.json", "{", "m.json"),
    ],
)  # fmt: skip
def test_a_broken_file_of_metrics_says_where(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Invalid, match=said):
        values.metrics_file(tmp_path / name)


def test_yaml_is_of_the_version_that_tools_mean(tmp_path: Path) -> None:
    """YAML 1.2: `on` is a word, `1e-05` a number, no time becomes a number, no date anything else than what was written."""
    (tmp_path / "p.yaml").write_text(
        "on: yes\nlr: 1e-05\nat: 12:30:00\nday: 2026-04-12\noct: 0o17\nzeros: 010\nhex: 0xff\nnot: 1_000\nn: 3.10\nb: True\n"
        "base: &b {x: .inf}\nmore: {<<: *b, y: ~, z: .nan}\n"
    )
    assert values.params_file(tmp_path / "p.yaml") == {
        "on": "yes", "lr": "1e-05", "at": "12:30:00", "day": "2026-04-12", "oct": "15", "zeros": "10", "hex": "255", "not": "1_000",
        "n": "3.1", "b": "true", "base.x": "Infinity", "more.x": "Infinity", "more.y": "null", "more.z": "NaN",
    }  # fmt: skip


def test_a_line_that_is_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    """A killed run leaves half a line: what stands before it counts, and the half is named, never taken for a figure."""
    for name, text, said in (
        ("a.csv", "epoch,auc\n1,0.5\n2", "line 3 has 1 fields, not 2 (it has no end)"),
        ("b.csv", "epoch,auc\n1,0.5\n2,0.", "line 3 has no end: its last figure may be cut off"),
        ("c.jsonl", '{"epoch": 1, "auc": 0.5}\n{"epoch": 2, "au', "line 2"),
        ("d.jsonl", '{"epoch": 1, "auc": 0.5}\n[7]\n', "line 2 is no object"),
    ):
        (tmp_path / name).write_text(text)
        found = values.metrics_file(tmp_path / name)
        assert found.rows() == [{"name": "auc", "value": "0.5", "step": 1}], name
        assert found.unread[0].startswith(said)
    (tmp_path / "e.csv").write_text("epoch,auc\n1,0.5\n2,0.8")
    assert values.metrics_file(tmp_path / "e.csv").rows()[0]["value"] == "0.8"
    assert values.metrics_file(tmp_path / "e.csv", ended=False).rows()[0]["value"] == "0.5"


def test_a_table_that_two_runs_wrote_to(tmp_path: Path) -> None:
    """What stood there is the other run's, a head that comes again is no line."""
    old = "epoch,auc,f1\n1,0.5,0.9\n"
    (tmp_path / "h.csv").write_text(f"{old}epoch,auc,f1\n1,0.7,\n")
    assert [(row["name"], row["value"]) for row in values.metrics_file(tmp_path / "h.csv").rows()] == [
        ("auc", "0.7"),
        ("f1", "0.9"),
    ]
    found = values.metrics_file(tmp_path / "h.csv", old.encode())
    assert (found.rows(), found.added) == ([{"name": "auc", "value": "0.7", "step": 1}], True)
    (tmp_path / "h.jsonl").write_text('{"step": 1, "f1": 1}\n{"step": 2, "auc": 0.7}\n')
    assert values.metrics_file(tmp_path / "h.jsonl", b'{"step": 1, "f1": 1}\n').rows() == [
        {"name": "auc", "value": "0.7", "step": 2}
    ]
    assert not values.metrics_file(tmp_path / "h.csv", b"something else\n").added


def test_steps_as_tools_write_them(tmp_path: Path) -> None:
    """pandas writes `3.0`; a trainer has fractions of epochs beside its steps, which are figures of their own."""
    (tmp_path / "p.csv").write_text("step,auc\n1.0,0.5\n2.0,0.75\n")
    assert values.metrics_file(tmp_path / "p.csv").rows() == [{"name": "auc", "value": "0.75", "step": 2}]
    (tmp_path / "t.jsonl").write_text(
        '{"epoch": 0.5, "step": 500, "loss": 1.5}\n{"epoch": 1.0, "step": 1000, "loss": 1.25}\n'
    )
    assert values.metrics_file(tmp_path / "t.jsonl").rows() == [
        {"name": "epoch", "value": "1.0", "step": 1000}, {"name": "loss", "value": "1.25", "step": 1000},
    ]  # fmt: skip
    (tmp_path / "s.csv").write_text("epoch;auc\n1;0.5\n")
    assert values.metrics_file(tmp_path / "s.csv").rows() == [{"name": "auc", "value": "0.5", "step": 1}]


def test_what_a_command_says_of_itself(tmp_path: Path) -> None:
    """`carnet.json` may hold three things and no other."""
    path = tmp_path / "carnet.json"
    path.write_text('{"params": {"lr": 1}, "metrics": {}, "seeds": {"python": 7}}')
    assert values.own_word(path)["seeds"] == {"python": 7}
    for text in ("[]", '{"param": {}}', "{"):
        path.write_text(text)
        with pytest.raises(Invalid, match=r"carnet\.json"):
            values.own_word(path)
