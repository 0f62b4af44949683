"""Model cards: front matter and nothing beyond it, results as metrics, hyperparameters, what the model comes from."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange.capturing import _fact
from carnet_store.exchange.importers import model_card
from carnet_store.exchange.importers.things import Source, Thing, Unread

TRAINER = """---
license: apache-2.0
base_model: distilbert-base-uncased
tags:
- generated_from_trainer
model-index:
- name: ner
  results:
  - task: {name: Token Classification, type: token-classification}
    dataset: {name: conll2003, type: conll2003, config: conll2003, split: validation}
    metrics:
    - {name: F1, type: f1, value: 0.9318637274549098}
---

# ner

### Training hyperparameters

The following hyperparameters were used during training:
- learning_rate: 2e-05
- train_batch_size: 16
- seed: 42
- optimizer: Adam with betas=(0.9,0.999) and epsilon=1e-08
- lr_scheduler_warmup_ratio: 0.1

### Training results

| Training Loss | Epoch |
|:-------------:|:-----:|
- not_a: parameter

### Framework versions

- Transformers 4.10.2
- Pytorch 1.9.0+cu102
"""


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    found = list(model_card.read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:  # each must be able to stand in a ledger
        canonical.encode(dict(_fact(thing, []).value))
    return things, [one for one in found if isinstance(one, Unread)]


def card(tmp_path: Path, text: str | bytes) -> Thing:
    (tmp_path / "README.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(tmp_path / "README.md")[0][-1]


def measured(thing: Thing) -> list[tuple[str, str, str, str]]:
    return [(m["name"], m["value"], m.get("split", ""), m.get("slice", "")) for m in thing.metrics]


def test_a_card_of_the_hub(real_tools: Path) -> None:
    """What huggingface-hub wrote: three results with split, revision and dataset; base model and dataset as what it comes from."""
    things, unread = read(real_tools / "model-cards")
    assert unread == []
    base, data, model = things
    assert measured(model) == [
        ("roc_auc", "0.9456", "test@85f91351", "acme/customers"),
        ("f1", "0.8947", "test", "acme/customers"),
        ("roc_auc", "0.91", "", "acme/customers-2025"),
    ]
    assert model.name == "churn-risk-model" and model.attrs["verified"] == ["roc_auc acme/customers-2025"]
    assert model.attrs["licence"] == "apache-2.0" and model.attrs["language"] == ["en", "de"]
    assert model.attrs["library"] == "scikit-learn" and model.attrs["task"] == "tabular-classification"
    assert (base.ref, data.ref) == (
        ("model", "huggingface", "acme/churn-base"),
        ("dataset", "huggingface", "acme/customers"),
    )
    assert model.edges == [("from", base.ref), ("from", data.ref)]
    raw = (real_tools / "model-cards" / "churn.README.md").read_bytes()
    assert model.ref == ("model", "card", hashlib.sha256(raw).hexdigest())
    assert model.keep[0].data == raw
    assert model.digests == {} and model.params == {}, (
        "a card knows no digest of the weights, and placeholders are no parameters"
    )


def test_a_card_of_a_trainer(tmp_path: Path) -> None:
    """R047: the seed of a trainer's card stands only in the list of its body, and is read as a parameter."""
    thing = card(tmp_path, TRAINER)
    assert thing.params == {
        "learning_rate": "2e-05", "train_batch_size": "16", "seed": "42", "lr_scheduler_warmup_ratio": "0.1",
        "optimizer": "Adam with betas=(0.9,0.999) and epsilon=1e-08",
    }  # fmt: skip
    assert thing.attrs["frameworks"] == {"Transformers": "4.10.2", "Pytorch": "1.9.0+cu102"}
    assert measured(thing) == [("f1", "0.9318637274549098", "conll2003/validation", "conll2003")]
    assert thing.edges == [("from", ("model", "huggingface", "distilbert-base-uncased"))]


def test_hyperparameters_in_other_spellings(tmp_path: Path) -> None:
    """Sentence-transformers writes code marks, templates bold words; examples in code blocks are none."""
    thing = card(
        tmp_path,
        "---\nlicense: mit\n---\n#### Non-Default Hyperparameters\n- `eval_strategy`: steps\n* **Training regime:** fp16\n- `größe`: 1\n- empty:\n"
        "```\n- seed: 1\n```\n#### All Hyperparameters\n<details>\n- `eval_strategy`: epoch\n- `seed`: 7\n</details>\n## Uses\n- other: 1\n",
    )
    assert thing.params == {"eval_strategy": "steps", "Training regime": "fp16", "größe": "1", "seed": "7"}


def test_front_matter_ends_at_the_second_line_of_dashes(tmp_path: Path) -> None:
    """Rules in the body, dashes within values, `no` and numbers as text: as they stand."""
    thing = card(
        tmp_path,
        "---\nlicense: other\nlicense_name: a---b\nlanguage: no\ntags: [1.10, 85e9]\n---\nbody\n---\nlicense: mit\n---\n",
    )
    assert thing.attrs == {"licence": "other", "licence_name": "a---b", "language": "no", "tags": ["1.10", "85e9"]}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff---\nlicense: mit\n---\n",
        "---\r\nlicense: mit\r\n---\r\nx\r\n",
        "\n\n---  \nlicense: mit\n---  \n",
        "---\nlicense: mit\n---",
    ],
)
def test_marks_and_line_ends_of_other_systems(tmp_path: Path, text: str) -> None:
    """BOM, CR LF, blank lines before, no line end after: one and the same card."""
    assert card(tmp_path, text).attrs == {"licence": "mit"}
    assert model_card.guess(tmp_path / "README.md") is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nlicense: mit\nbad: [1\nx: 2\n---\n", r"README.md:\d: is not YAML"),
        ("---\na: b\n c: d\n---\n", "README.md:3: is not YAML"),
        ("\n\n---\na: b\n c: d\n---\n", "README.md:5: is not YAML"),
        ("---\nlicense: mit\n", "does not end"),
        ("---\n- a\n---\n", "no set of keys"),
        ("---\n---\n", "no set of keys"),
        ("# Title\n", "no front matter"),
        ("", "no front matter"),
        ("---\na: \x01\n---\n", "README.md:2: holds a character"),
    ],
)
def test_a_broken_card_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    """One message with file and line; in a folder it is told and the rest is read."""
    (tmp_path / "README.md").write_bytes(text.encode())
    with pytest.raises(Invalid, match=said):
        read(tmp_path / "README.md")
    if text.lstrip().startswith("---"):
        (tmp_path / "ok.README.md").write_text("---\nlicense: mit\n---\n")
        things, unread = read(tmp_path)
        assert len(things) == 1 and len(unread) == 1


def test_readmes_that_are_no_cards_stay_out(real_tools: Path, tmp_path: Path) -> None:
    """A README without front matter is no card of a model, in a folder and as a guess; named itself, it says why."""
    assert model_card.guess(real_tools / "model-cards" / "no-front-matter.README.md") is None
    (tmp_path / "README.md").write_text("# Project\n")
    assert model_card.guess(tmp_path) is None
    with pytest.raises(Invalid, match="no model card"):
        read(tmp_path)


def test_values_that_are_no_plain_number(tmp_path: Path) -> None:
    """A map is one metric a key; text stays text; infinities and NaN are values; nothing is rounded."""
    values = ["0.1", "'81.5'", "{precision: 0.5, recall: 1e-05}", "1245.63 +/- 101.02", ".nan", "-.inf", "1e9999", "12345678901234567890", "null", "[1]", "!!python/name:os.system ''"]  # fmt: skip
    rows = "".join(f"    - {{type: m{i}, value: {value}}}\n" for i, value in enumerate(values))
    (tmp_path / "README.md").write_text(
        f"---\nmodel-index:\n- name: x\n  results:\n  - dataset: {{name: D}}\n    metrics:\n{rows}---\n"
    )
    things, unread = read(tmp_path)
    assert [(name, value) for name, value, _, _ in measured(things[0])] == [
        ("m0", "0.1"), ("m1", "81.5"), ("m2.precision", "0.5"), ("m2.recall", "1e-05"), ("m4", "NaN"), ("m5", "-Infinity"),
        ("m7", "12345678901234567890"),
    ]  # fmt: skip
    assert things[0].attrs["results_as_text"] == [
        {"name": "m3", "value": "1245.63 +/- 101.02", "slice": "D"}, {"name": "m6", "value": "1e9999", "slice": "D"},
    ]  # fmt: skip
    assert len(unread) == 4, "m8, m9, m10 without a value, and the tag"


def test_two_metrics_of_one_type_stay_apart(tmp_path: Path) -> None:
    """Where type, split and dataset are the same, the name tells them apart."""
    rows = "    - {type: f1, name: Macro F1, value: 0.5}\n    - {type: f1, name: Micro F1, value: 0.6}\n"
    thing = card(tmp_path, f"---\nmodel-index:\n- name: x\n  results:\n  - metrics:\n{rows}---\n")
    assert measured(thing) == [("f1", "0.5", "", ""), ("f1 (Micro F1)", "0.6", "", "")]


def test_what_is_shaped_otherwise_is_told(tmp_path: Path) -> None:
    """Never a silent skip: each odd part is named, keys that are not read are listed, what can be read is."""
    (tmp_path / "README.md").write_text(
        "---\nlicense: {a: b}\nlicense: mit\ndatasets: [a/b, {x: y}]\nco2_eq_emissions: 3\nmodel-index:\n- 7\n- name: x\n  results:\n"
        "  - 3\n  - metrics: 4\n  - metrics: [{value: 1}, {type: f1, value: 1}]\n- name: y\n  results: z\n---\n"
    )
    things, unread = read(tmp_path)
    assert [one.where.rpartition("README.md")[2] for one in unread] == [
        ":3", ", model-index", ", datasets", ", model-index 1, result 1", ", model-index 1, result 2", ", model-index 1, result 3", ", model-index 2",
    ]  # fmt: skip
    assert things[-1].attrs["not_taken"] == ["co2_eq_emissions"] and things[-1].attrs["other_names"] == ["y"]
    assert measured(things[-1]) == [("f1", "1", "", "")]


def test_only_names_of_the_hub_become_things(tmp_path: Path) -> None:
    """A folder of the maker's machine, an address, another path are attributes and nothing more."""
    thing = card(tmp_path, "---\nbase_model: [./out, /home/ana/llama, https://host/x, a/b/c, ../x, acme/base]\n---\n")
    assert thing.edges == [("from", ("model", "huggingface", "acme/base"))]
    assert thing.attrs["base_model"][:2] == ["./out", "/home/ana/llama"]


def test_no_secret_enters_the_record(tmp_path: Path) -> None:
    """An address with a password keeps the card from travelling, and that is said."""
    (tmp_path / "README.md").write_text("---\nlicense: mit\nlicense_link: https://ana:hush@host/x\n---\n")
    things, _ = read(tmp_path)
    assert "hush" not in repr(things) and things[0].attrs["redacted"] is True and things[0].keep == []


def test_a_huge_card_stays_small_in_the_record(tmp_path: Path) -> None:
    """Ten thousand results: the first thousands are metrics, the rest is counted."""
    rows = "".join(f"    - {{type: m{i}, value: 0.{i}}}\n" for i in range(10_000))
    thing = card(tmp_path, f"---\nmodel-index:\n- name: x\n  results:\n  - metrics:\n{rows}---\n")
    assert len(thing.metrics) == 2_000 and thing.attrs["metrics_left_out"] == 8_000
    assert len(canonical.encode(thing.metrics)) < 500_000


def test_the_name_of_a_card_without_one_is_its_folder(tmp_path: Path) -> None:
    """People call such a model by where it lies; wide and steering characters stay as they are."""
    (tmp_path / "模型\u202e").mkdir()
    assert card(tmp_path / "模型\u202e", "---\nlicense: mit\n---\n").name == "模型\u202e"


def test_damage_ends_in_a_message_or_in_things(real_tools: Path, tmp_path: Path) -> None:
    """Torn and flipped files are read or refused, never anything else."""
    chance = random.Random(7)
    path = tmp_path / "README.md"
    for turn in range(160):
        data = bytearray(
            (real_tools / "model-cards" / "churn.README.md").read_bytes()[:1_400] if turn % 2 else TRAINER.encode()
        )
        if turn < 40:
            del data[chance.randrange(len(data)) :]
        for _ in range(0 if turn < 40 else chance.choice((1, 1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        model_card.guess(path)
        try:
            things, _ = read(path)
        except Invalid:
            continue
        assert things[-1].ref.key == hashlib.sha256(data).hexdigest()
