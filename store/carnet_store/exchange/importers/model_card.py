"""Hugging Face model cards (README.md) as models: front matter, results, hyperparameters, and what the model comes from.

Rules: front matter is what stands between the first line and the second line `---`, nothing later; each scalar is taken as the text that stands
there, so that a revision `85e91351` stays one; the card travels with the model. A card describes a model and is known by its own bytes: of the
weights it knows no digest, and none is made up.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from carnet_store.exchange.importers.files import (
    MIB,
    Unreadable,
    decode,
    each,
    guessed,
    head,
    load_yaml,
    read_bytes,
    redacted,
    short,
    sound,
)
from carnet_store.exchange.importers.things import Guess, Keep, Ref, Source, Thing, Unread, metric, number_text, plain

MOST: Final = 8 * MIB
MOST_METRICS: Final = 2_000
MOST_LISTED: Final = 100
MOST_PARAMS: Final = 300
_CARD: Final = re.compile(r"(?:.*[._-])?(?:readme|model_?card)\.md")
_OPENED: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n")
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?|[+-]?\.inf|\.nan", re.IGNORECASE
)
_ITEM: Final = re.compile(
    r"\s{0,3}[-*+]\s+(?:\*\*|`)?(?P<key>[A-Za-z_][\w .()/-]{0,80}?)(?::\*\*|\*\*:|`:|:)\s*(?P<value>\S.*)?"
)
_VERSION: Final = re.compile(
    r"\s{0,3}[-*+]\s+(?P<name>[A-Za-z][\w .-]{0,40}?):?\s+(?P<version>v?[0-9][\w.+-]{0,40})\s*"
)
_TAKEN: Final = {
    "license": "licence", "license_name": "licence_name", "license_link": "licence_link", "base_model": "base_model",
    "base_model_relation": "base_model_relation", "datasets": "datasets", "language": "language", "tags": "tags",
    "library_name": "library", "pipeline_tag": "task", "metrics": "named_metrics", "new_version": "new_version",
    "inference": "", "widget": "", "thumbnail": "", "model-index": "",
}  # fmt: skip
"""Front matter to attribute; those with none are read elsewhere, or say nothing about the model."""


def guess(path: Path) -> Guess | None:
    """Say in under 50 ms whether `path` is, or holds, model cards."""
    found, least = guessed(path, _fits)
    if not found:
        return None
    words = f"model card {sound(found[0].name)}" if len(found) == 1 else f"{least}{len(found)} model cards"
    return Guess("model-card", words, len(found))


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield each card as a model, before it the models and datasets of the hub that it comes from.

    Raises:
        Invalid: no card is there, or the one file cannot be read.
    """
    yield from each(source, "model card (README.md that begins with a line ---)", _fits, _read)


def _fits(path: Path) -> bool:
    return _CARD.fullmatch(path.name.lower()) is not None and _OPENED.match(head(path, 256)) is not None


def _read(path: Path) -> Iterator[Thing | Unread]:
    where = str(path)
    raw = read_bytes(path, MOST)
    front, body, before = _parts(decode(raw, where), where)
    value, unread = load_yaml(front, where, before)
    if not isinstance(value, dict):
        raise Unreadable(f"{where}:{before + 1}", "has front matter that is no set of keys")
    card = _Card(path, raw, value)
    card.body(body)
    card.finish(raw)
    yield from card.sources()
    yield card.thing
    yield from unread
    yield from card.unread


def _parts(text: str, where: str) -> tuple[str, str, int]:
    """Return front matter, body, and how many lines stand before the front matter."""
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].strip() != "---":
        raise Unreadable(
            where,
            "has no front matter: its first line is not ---",
            "a model card begins with YAML between two lines ---",
        )
    last = next((number for number in range(first + 1, len(lines)) if lines[number].rstrip() == "---"), None)
    if last is None:
        raise Unreadable(f"{where}:{first + 1}", "has front matter that does not end: a second line --- is missing")
    return "\n".join(lines[first + 1 : last]), "\n".join(lines[last + 1 :]), first + 1


class _Card:
    """A card on its way to a thing."""

    def __init__(self, path: Path, raw: bytes, front: Mapping[str, Any]) -> None:
        self.where = str(path)
        self.unread: list[Unread] = []
        self._seen: set[tuple[str, str, str]] = set()
        index = front.get("model-index")
        self._models = [one for one in index if isinstance(one, dict)] if isinstance(index, list) else []
        if index is not None and (not isinstance(index, list) or len(self._models) < len(index)):
            self._note("model-index", "is not a list of models")
        names = [_word(one.get("name")) for one in self._models]
        attrs: dict[str, Any] = {}
        for key, name in _TAKEN.items():
            if name and front.get(key) is not None:
                attrs[name] = self._simple(key, front[key])
        attrs["other_names"] = [name for name in names[1:] if name]
        attrs["not_taken"] = sorted(short(key, 80) for key in front if key not in _TAKEN)[:MOST_LISTED]
        self._bases = [name for name in _list(front.get("base_model")) if _HUB_ID.fullmatch(name)]
        self._datasets = [name for name in _list(front.get("datasets")) if _HUB_ID.fullmatch(name)]
        self.thing = Thing(
            Ref("model", "card", hashlib.sha256(raw).hexdigest()),
            next((name for name in names if name), "") or sound(path.parent.resolve().name) or sound(path.stem),
            attrs=attrs,
            where=self.where,
            keep=[Keep("card", sound(path.name), raw)],
        )
        self.thing.edges = [("from", Ref("model", "huggingface", name)) for name in dict.fromkeys(self._bases)]
        self.thing.edges += [("from", Ref("dataset", "huggingface", name)) for name in dict.fromkeys(self._datasets)]
        for number, model in enumerate(self._models, 1):
            self._results(model.get("results"), f"model-index {number}")

    def finish(self, raw: bytes) -> None:
        """Take out what is empty; a card with a secret in an address does not travel."""
        attrs = {key: value for key, value in self.thing.attrs.items() if value}
        text = raw.decode("utf-8", "replace")
        if redacted(text) != text:
            self.thing.keep.clear()
            attrs["redacted"] = True
        self.thing.attrs = plain(attrs)

    def _note(self, place: str, why: str) -> None:
        if len(self.unread) < MOST_LISTED:
            self.unread.append(Unread(f"{self.where}, {place}", why))

    def _simple(self, key: str, value: Any) -> str | list[str]:
        """Return a text or a list of texts; anything deeper is counted."""
        if isinstance(value, str):
            return _word(value)
        given = value if isinstance(value, list) else [value]
        words = [_word(one) for one in given if isinstance(one, str)]
        if len(words) < len(given):
            self._note(key, "is neither text nor a list of texts")
        return words[:MOST_LISTED]

    def sources(self) -> Iterator[Thing]:
        """Yield the models and datasets of the hub that the card names, as references."""
        for name in dict.fromkeys(self._bases):
            yield _reference("model", name, f"https://huggingface.co/{name}", self.where)
        for name in dict.fromkeys(self._datasets):
            yield _reference("dataset", name, f"https://huggingface.co/datasets/{name}", self.where)

    # -- results -------------------------------------------------------------------------------------------------------

    def _results(self, results: Any, place: str) -> None:
        if results is None:
            return
        if not isinstance(results, list):
            self._note(place, "has results that are no list")
            return
        for number, result in enumerate(results, 1):
            at = f"{place}, result {number}"
            metrics = result.get("metrics") if isinstance(result, dict) else None
            if not isinstance(metrics, list):
                self._note(at, "has no list of metrics")
                continue
            dataset = result.get("dataset") if isinstance(result.get("dataset"), dict) else {}
            split, slice_ = _split(dataset), _word(dataset.get("type")) or _word(dataset.get("name"))
            for one in metrics:
                if isinstance(one, dict) and (name := _word(one.get("type")) or _word(one.get("name"))):
                    if (name, split, slice_) in self._seen and (called := _word(one.get("name"))):
                        name = f"{name} ({called})"
                    self._seen.add((name, split, slice_))
                    self._measured(name, one.get("value"), split, slice_, at)
                    if one.get("verified") == "true":
                        self._list("verified").append(" ".join(word for word in (name, slice_, split) if word))
                else:
                    self._note(at, "has a metric without a type")

    def _measured(self, name: str, value: Any, split: str, slice_: str, at: str) -> None:
        """Take a value up: a number as a metric, a map as one metric a key, other text as it stands."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self._measured(f"{name}.{short(key, 80)}", inner, split, slice_, at)
        elif not isinstance(value, str):
            self._note(at, f"has no value for {name!a:.80}")
        elif len(self.thing.metrics) + len(self.thing.attrs.get("results_as_text", ())) >= MOST_METRICS:
            self.thing.attrs["metrics_left_out"] = self.thing.attrs.get("metrics_left_out", 0) + 1
        elif (number := _number(value)) is not None:
            self.thing.metrics.append(metric(name, number, split=split, slice_=slice_))
        else:
            said = {"name": name, "value": _word(value), "split": split, "slice": slice_}
            self._list("results_as_text").append({key: text for key, text in said.items() if text})

    def _list(self, name: str) -> list[Any]:
        found: list[Any] = self.thing.attrs.setdefault(name, [])
        return found

    # -- the body ------------------------------------------------------------------------------------------------------

    def body(self, text: str) -> None:
        """Take up the lists of hyperparameters (as parameters) and of framework versions that trainers write."""
        section, fence = "", False
        versions: dict[str, str] = {}
        for line in text.splitlines():
            line = redacted(line)[:2_000]
            bare = line.strip().lower()
            if bare.startswith(("```", "~~~")):
                fence = not fence
            elif fence:
                continue
            elif bare.startswith("#"):
                section = "hyper" if "hyperparameters" in bare else "versions" if "framework versions" in bare else ""
            elif "following hyperparameters" in bare:
                section = "hyper"
            elif section == "hyper" and (item := _ITEM.fullmatch(line)):
                value = (item["value"] or "").strip()
                if value and not value.startswith("[More Information Needed]") and len(self.thing.params) < MOST_PARAMS:
                    self.thing.params.setdefault(item["key"].strip(), sound(value))
            elif section == "versions" and (item := _VERSION.fullmatch(line)):
                versions.setdefault(item["name"].strip(), item["version"])
        if versions:
            self.thing.attrs["frameworks"] = dict(list(versions.items())[:MOST_LISTED])


def _reference(kind: str, name: str, uri: str, where: str) -> Thing:
    return Thing(
        Ref(kind, "huggingface", name), name, attrs={"uri": uri, "reference": {"huggingface": name}}, where=where
    )


def _split(dataset: Mapping[str, Any]) -> str:
    """Return what of a dataset was used: `test`, with a configuration `en/test`, with a revision `test@85f91351`."""
    config, split, revision = (_word(dataset.get(key)) for key in ("config", "split", "revision"))
    name = "/".join(word for word in (config, split) if word)
    return f"{name}@{revision}" if revision else name


def _number(text: str) -> str | None:
    """Return a number as a metric's value, None where the text is none."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return str(int(text))
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if math.isinf(value) and "inf" not in text.lower():
        return None  # beyond what a number holds: it stays as text
    return number_text(value)


def _word(value: Any) -> str:
    return short(value.strip(), 300) if isinstance(value, str) else ""


def _list(value: Any) -> list[str]:
    given = value if isinstance(value, list) else [value]
    return [one.strip() for one in given if isinstance(one, str)][:MOST_LISTED]
