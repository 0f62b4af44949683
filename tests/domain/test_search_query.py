"""What people type to find something is text; and where it stands in what was found."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain.search_query import MAX_TEXT, SNIPPET, fold, parse, place, plain, split_signs, tokens_of
from carnet_store.domain.searchable import said
from carnet_store.errors import Usage


def finds(text: str, *kept: str) -> list[int]:
    """Return which of these texts SQLite finds by a typed text."""
    db = sqlite3.connect(":memory:")
    db.execute('CREATE VIRTUAL TABLE t USING fts5(x, tokenize="unicode61 remove_diacritics 2")')
    db.executemany("INSERT INTO t(rowid, x) VALUES(?, ?)", [(at, split_signs(one)) for at, one in enumerate(kept)])
    rows = db.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rowid", (parse(text).match,)).fetchall()
    db.close()
    return [row[0] for row in rows]


@given(st.text(max_size=60))
def test_whatever_is_typed_is_text_and_never_grammar(text: str) -> None:
    """R006: no typed text is an error of the search's own language; without words in it, it is looked for as it stands."""
    try:
        query = parse(text)
    except Usage:
        assert not text.strip().replace('"', "").replace("\x00", "").strip("„“”«»‟\x1f ")
        return
    if not query.within:
        finds(text, "something", text)
    where = place(query, [("name", text)])
    assert all(0 <= start < end <= len(where.snippet) for start, end in where.marks)


@pytest.mark.parametrize(
    "text", ["AND", "a OR b", "NEAR(a b)", "name:x", "a NOT b", "-a", "^a", "(", "{a}", "a + b", "x'y", '"', '"a']
)
def test_operators_are_words(text: str) -> None:
    """R006: what another program takes for an operator is found as the word that it is."""
    if parse_or_none(text):
        assert finds(text, "nothing of it", text) == ([1] if tokens_of(text) else [])


def parse_or_none(text: str) -> bool:
    try:
        return not parse(text).within
    except Usage:
        return False


def test_all_words_must_occur_a_phrase_stays_together_a_star_begins() -> None:
    """R006: AND by default, `"exact phrase"`, `begin*`."""
    kept = ("the baseline is easier to explain", "explain the baseline", "explaining")
    assert finds("explain baseline", *kept) == [0, 1]
    assert finds('"the baseline is"', *kept) == [0]
    assert finds("„the baseline is“", *kept) == [0]
    assert finds("expl*", *kept) == [0, 1, 2]
    assert finds("explain", *kept) == [0, 1]
    assert finds("max_depth=12", "max_depth=12", "max_depth=1", "depth 12 max") == [0]


def test_accents_and_case_do_not_matter_and_signs_are_found_within() -> None:
    """R006: umlauts folded; a part of a Chinese, Japanese, Korean or Thai text is found."""
    kept = ("Prüfung der GÜTE", "客户流失数据集", "データセットの品質", "고객 이탈을", "ข้อมูลลูกค้า")
    assert finds("prufung gute", *kept) == [0]
    assert finds("PRÜF*", *kept) == [0]
    assert finds("数据", *kept) == [1]
    assert finds("流失", *kept) == [1]
    assert finds("セット", *kept) == [2]
    assert finds("이탈", *kept) == [3]
    assert finds("ลูกค้า", *kept) == [4]
    assert finds("据数", *kept) == []


@pytest.mark.parametrize(
    "text", ["", "   ", '"', '""', "\x00", "x" * (MAX_TEXT + 1), " ".join(f"w{i}" for i in range(40))]
)
def test_nothing_or_too_much_says_what_to_type(text: str) -> None:
    with pytest.raises(Usage) as told:
        parse(text)
    assert told.value.hint


def test_a_query_widens_from_words_to_beginnings_to_parts() -> None:
    query = parse('boost "as it is"')
    wider = query.wider()
    assert wider is not None
    assert [term.prefix for term in wider.terms] == [True, False]
    widest = wider.wider()
    assert widest is not None
    assert widest.within
    assert widest.wider() is None
    assert parse('"exact alone"').wider() is None


def test_the_place_is_the_field_with_most_of_the_words_and_marks_them() -> None:
    where = place(
        parse("trees explain"), [("name", "trees"), ("reason", "agents must explain why, and trees do"), ("note", "x")]
    )
    assert where.field == "reason"
    assert [where.snippet[a:b] for a, b in where.marks] == ["explain", "trees"]


def test_a_snippet_is_bounded_one_line_and_keeps_whole_signs() -> None:
    """A long text is cut around the match; marks fit the snippet also where folding makes letters of another length."""
    text = "Größe ﬁn İstanbul " * 400 + "Zielgröße erreicht\nund\tbestätigt " + "weiter " * 400
    where = place(parse("zielgroße"), [("note", text)])
    assert "Zielgröße" in [where.snippet[a:b] for a, b in where.marks]
    assert len(where.snippet) <= 2 * SNIPPET + 2
    assert "\n" not in where.snippet
    assert where.snippet.startswith("…")
    assert where.snippet.endswith("…")
    joined = place(parse("数据"), [("name", "客户流失数据集")])
    assert [joined.snippet[a:b] for a, b in joined.marks] == ["数据"]
    nfd = place(parse("Prüfung"), [("name", "die Pru\u0308fung hier")])
    assert [nfd.snippet[a:b] for a, b in nfd.marks] == ["Pru\u0308fung"]


def test_a_match_that_cannot_be_located_is_shown_without_marks() -> None:
    assert place(parse("x"), [("name", "abc")]).marks == ()
    assert place(parse("x"), []) == place(parse("y"), [])


def test_plain_texts_keep_words_apart() -> None:
    """Without FTS5 the same words are told apart by blanks, and a phrase does not reach from one text into the next."""
    kept = plain(["Max_Depth=12", "数据 Güte"])
    assert " max depth 12 " in kept
    assert " 数 据 gute " in kept
    assert "12 数" not in kept
    assert fold("ÉCOLE") == "ecole"


def test_every_text_of_any_kind_is_found_and_ids_are_not() -> None:
    """R006: a kind needs no line of its own to be searched; ids and times are no texts."""
    entity, digest = "run:" + "0" * 32, "a" * 64
    value = {
        "summary": "rolled back",
        "steps": [{"text": "switch", "t": 5, "who": entity}],
        "sha256": digest,
        "minutes": 12,
        "ok": True,
    }
    assert said("deploy.finished", "", value).texts == (
        ("summary", "rolled back"),
        ("steps", "switch"),
        ("minutes", "12"),
    )
    assert said("deploy.finished", "", ["no", "object"]).texts == ()
    deep: object = "bottom"
    for _ in range(40):
        deep = {"x": deep}
    assert said("deploy.finished", "", {"deep": deep}).texts == ()


def test_a_declared_run_is_found_by_its_parameters_metrics_and_origin() -> None:
    value = {
        "name": "r-012", "params": {"max_depth": "12"}, "metrics": [{"name": "auc", "value": "0.84", "split": "holdout"}],
        "attrs": {"command": "python train.py", "outcome": "rejected", "started": 1760000000000, "notes": ["first", {"cell": 2, "text": "second"}]},
        "source": ["mlflow", "0" * 32], "digests": {"sha256": "b" * 64},
    }  # fmt: skip
    found = said("entity.declared", "", value)
    assert found.names == (("name", "r-012"),)
    assert dict(found.texts)["parameter"] == "max_depth=12"
    assert dict(found.texts)["metric"] == "auc 0.84 holdout"
    assert dict(found.texts)["source"] == "mlflow " + "0" * 32
    assert [text for label, text in found.texts if label == "notes"] == ["first", "second"]
    assert found.outcome == "rejected"
    assert "started" not in dict(found.texts)
