"""What people type to find something: always text, never a language. And where it stands in what was found.

Words must all occur (AND), in any order; `"exact phrase"` stays together; `wort*` begins a word. Everything else that is typed
is text: there are no operators to trip over. Letters count without case and accents; what is written without blanks
(Chinese, Japanese, Thai ...) is compared sign by sign, so a part of it is found too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize

from carnet_store.errors import Usage

MAX_TEXT: Final = 1_000
MAX_TERMS: Final = 32
SNIPPET: Final = 100
"""Characters of a snippet, about."""
GLUE: Final = "\x1f"
"""Stands between signs that are written without blanks, where texts are kept for the index."""

# Han, kana, hangul, and the scripts of South East Asia: no blanks stand between their words.
_SIGN: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_TOKEN: Final = rf"[{_SIGN}]|[^\W_{_SIGN}]+"
_QUOTES: Final = {ord(sign): '"' for sign in "„“”«»‟"}
_WORDS: Final = re.compile(r'"([^"]*)"|([^\s"]+)')
_SPACE: Final = {code: " " for code in (*range(32), 127, 0x85, 0x2028, 0x2029)}


@dataclass(frozen=True, slots=True)
class Term:
    """One word or phrase: as typed, as folded tokens, whether its last token only begins a word, whether it was quoted."""

    text: str
    tokens: tuple[str, ...]
    prefix: bool = False
    exact: bool = False

    @property
    def match(self) -> str:
        """The term in FTS5's grammar: a string, so that nothing in it is an operator."""
        return f'"{split_signs(self.text)}"' + (" *" if self.prefix else "")

    @property
    def like(self) -> str:
        """The term as a pattern of LIKE over `plain` texts, escaped by a backslash."""
        end = "" if self.prefix else " "
        return f"% {_escaped(' '.join(self.tokens))}{end}%"

    def pattern(self, within: bool) -> re.Pattern[str]:
        """Return what finds the term in a folded text; `within` takes parts of words too."""
        if within:
            return re.compile(re.escape(fold(self.text)))
        parts = [re.escape(token) for token in self.tokens]
        signs = [bool(_pattern(f"[{_SIGN}]").fullmatch(token)) for token in self.tokens]
        middle = "".join(
            part if at == 0 else (r"[\W_]*" if signs[at] or signs[at - 1] else r"[\W_]+") + part
            for at, part in enumerate(parts)
        )
        start = "" if signs[0] else rf"(?<![^\W_{_SIGN}])"
        end = "" if signs[-1] or self.prefix else rf"(?![^\W_{_SIGN}])"
        return re.compile(f"{start}{middle}{end}")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `within` says that parts of words count too: the last resort."""

    text: str
    terms: tuple[Term, ...]
    within: bool = False

    @property
    def match(self) -> str:
        """The whole in FTS5's grammar."""
        return " AND ".join(term.match for term in self.terms)

    @property
    def parts(self) -> tuple[str, ...]:
        """The texts that must stand somewhere within, escaped for LIKE."""
        return tuple(f"%{_escaped(term.text)}%" for term in self.terms)

    def wider(self) -> Query | None:
        """Return the same with words that may only begin so, then with parts of words; None where it gets no wider."""
        loose = any(not term.exact for term in self.terms)
        if self.within or not loose:
            return None
        if all(term.prefix or term.exact for term in self.terms):
            return replace(self, within=True)
        return replace(self, terms=tuple(term if term.exact else replace(term, prefix=True) for term in self.terms))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query stands in a text: the field, a snippet, and the ranges of the snippet that match (ends left out)."""

    field: str
    snippet: str
    marks: tuple[tuple[int, int], ...]


def parse(text: str) -> Query:
    """Read what was typed.

    Raises:
        Usage: nothing to look for, or too much.
    """
    plain = text.encode("utf-8", "replace").decode().replace("\x00", " ").replace(GLUE, " ")
    if len(plain) > MAX_TEXT:
        raise Usage(f"that is {len(plain):,} characters to look for", f"give at most {MAX_TEXT:,}")
    terms: list[Term] = []
    for quoted, word in _WORDS.findall(plain.translate(_QUOTES)):
        bare = (quoted or word).strip()
        prefix = not quoted and bare.endswith("*")
        tokens = tokens_of(bare)
        if tokens:
            terms.append(Term(bare.rstrip("*") if prefix else bare, tokens, prefix, bool(quoted)))
    if len(terms) > MAX_TERMS:
        raise Usage(f"those are {len(terms)} words to look for", f'give at most {MAX_TERMS}; "a phrase" counts as one')
    if not terms:  # signs alone, as `>=` or `%`: looked for as they stand
        bare = plain.strip()
        if not bare.strip('"'):
            raise Usage("there is nothing to look for", "carnet find WORD ...")
        return Query(bare, (Term(bare, (bare,)),), within=True)
    return Query(plain.strip(), tuple(terms))


def tokens_of(text: str) -> tuple[str, ...]:
    """Return the folded words of a text; each sign of a script without blanks by itself."""
    return tuple(_pattern(_TOKEN).findall(fold(text)))


def plain(texts: Iterable[str]) -> str:
    """Return texts as folded words between blanks, for LIKE; words of two texts never touch."""
    return "".join(f" {' '.join(tokens_of(text))} \n" for text in texts)


def split_signs(text: str) -> str:
    """Return a text with a separator between signs that are written without blanks."""
    return text if text.isascii() else _pattern(rf"([{_SIGN}])(?=[{_SIGN}])").sub(rf"\1{GLUE}", text)


def fold(text: str) -> str:
    """Return a text without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(_folded(char) for char in text)


_pattern = lru_cache(maxsize=16)(re.compile)
"""Compile when first needed: these classes of signs take 8 ms, and whoever opens a store may never search."""


@lru_cache(maxsize=8192)
def _folded(char: str) -> str:
    if _pattern(f"[{_SIGN}]").match(char):
        return char
    return "".join(part for part in normalize("NFD", char.lower()) if not combining(part))


def place(query: Query, pieces: Sequence[tuple[str, str]], names: int = 0) -> Place:
    """Return where a query stands in (field, text) pieces: in the one with most of its terms, the first of those.

    The first `names` pieces are shown anyway: of pieces that hold as much, but not all, one of the others is told. Where it cannot be told (the index knows a sign that this function does not) it is the first piece, unmarked.
    """
    patterns = [term.pattern(query.within) for term in query.terms]
    best = (0, False, 0)
    for at, (_, text) in enumerate(pieces):
        folded = fold(text)
        found = sum(pattern.search(folded) is not None for pattern in patterns)
        if found == len(patterns):
            best = (found, True, at)
            break
        if found and (found, at >= names) > best[:2]:
            best = (found, at >= names, at)
    if not pieces:
        return Place("", "", ())
    field, text = pieces[best[2]]
    return Place(field, *_snippet(text, patterns))


def _snippet(text: str, patterns: Sequence[re.Pattern[str]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    folded, back = _mapped(text)
    first = min((found.start() for p in patterns if (found := p.search(folded))), default=-1)
    start = 0 if first < 0 else max(0, back[first] - SNIPPET // 3)
    if start:  # begin at a word
        blank = text.find(" ", start, back[first])
        start = blank + 1 if blank >= 0 else start
    end = min(len(text), start + SNIPPET)
    if first >= 0:  # a long match is shown whole, within bounds
        end = min(len(text), max(end, min(back[first] + SNIPPET, start + 2 * SNIPPET)))
    lead, tail = "…" if start else "", "…" if end < len(text) else ""
    spans: list[tuple[int, int]] = []
    for pattern in patterns:
        for found in pattern.finditer(folded):
            a, b = back[found.start()], back[found.end()] if found.end() < len(back) else len(text)
            if a >= end:
                break
            if b > start and a < b:
                spans.append((max(a, start) - start + len(lead), min(b, end) - start + len(lead)))
    return f"{lead}{text[start:end].translate(_SPACE)}{tail}", _merged(spans)


def _mapped(text: str) -> tuple[str, Sequence[int]]:
    """Return a text folded, and for each of its characters the place in the text that it comes from."""
    if text.isascii():
        return text.lower(), range(len(text) + 1)
    parts: list[str] = []
    back: list[int] = []
    for at, char in enumerate(text):
        folded = _folded(char)
        parts.append(folded)
        back += [at] * len(folded)
    back.append(len(text))
    return "".join(parts), back


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
