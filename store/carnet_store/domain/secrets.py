"""Looks for secrets in what is about to be signed for ever: known shapes of tokens, and random-looking values beside telling names.

Three lists decide. A *shape* is a secret wherever it stands (`ghp_…`, a private key, a password in an address). A *telling name* (`api_key`,
`password`) makes a secret of a value that looks random. What merely looks random is none: digests, commits and ids are all over a record of
machine learning, so a hex text of a digest's length counts only beside a name that says token, secret, password or API key, and a UUID never.
It finds what is careless, not what is hidden on purpose. Both ways in use it: `carnet run`, and what is taken in from other tools.
"""

from __future__ import annotations

import itertools
import math
import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

REDACTED: Final = "<redacted>"


@dataclass(frozen=True, slots=True)
class Secret:
    """One found: the place of its value in the text, and what it seems to be."""

    start: int
    end: int
    what: str


_A_VALUE: Final = "a value of "


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in what would be recorded: where it stands, and what it seems to be. Its value is for looking for it elsewhere, never to be shown."""

    where: str
    what: str
    value: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def seems(self) -> str:
        """What it seems to be, within a sentence: `what looks like a GitHub token`, `a value of api_key that looks secret`."""
        return self.what if self.what.startswith(_A_VALUE) else f"what looks like {self.what}"


FREE_NAMES: Final = frozenset({"packages"})
"""Attributes in which names say nothing of their values: packages are named as they like."""

_SHAPES: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    # what, words of which one must stand in the text, pattern (group 1, where there is one, is the value)
    ("an AWS access key id", ("AKIA", "ASIA", "ABIA", "ACCA"), r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("a Google API key", ("AIza",), r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    ("a Google OAuth token", ("ya29.", "GOCSPX-"), r"\b(?:ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,})"),
    ("a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
     r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})\b"),
    ("a GitLab token", ("glpat-", "gldt-", "glrt-", "glptt-"), r"\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", ("xox", "xapp-"), r"\b(?:xox[abeoprs]-(?:\d+-)?[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})"),
    ("a Slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})"),
    ("a private key", ("PRIVATE KEY",), r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?s:(?:(?!-----).){0,20000}+)-----END (?:[A-Z0-9]+ )*PRIVATE KEY"
     r"(?: BLOCK)?-----|(?:(?:\\[nr]|[\s\"',])*+\+?[A-Za-z0-9+/=]{16,}+)*+)"),
    ("a secret key", ('"seed"',), r"\"seed\"\s*:\s*\"([0-9a-f]{64})\""),
    ("a JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("an OpenAI or Anthropic key", ("sk-",), r"(?<![A-Za-z0-9-])sk-[A-Za-z0-9_-]{20,}"),
    ("a Hugging Face token", ("hf_", "api_org_"), r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}\b"),
    ("a Stripe key", ("k_live_", "k_test_"), r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("a package registry token", ("npm_", "pypi-"), r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,})"),
    ("a SendGrid key", ("SG.",), r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}"),
    ("a Databricks token", ("dapi",), r"\bdapi[0-9a-f]{32}\b"),
    ("a DigitalOcean token", ("do_v1_", "dop_v1_"), r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("an Azure storage key", ("AccountKey=",), r"AccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    ("a signed address", ("sig=", "X-Amz-Signature="), r"[?&](?:sig|X-Amz-Signature)=([A-Za-z0-9%+/=_-]{30,})"),
    ("a password in an address", ("://",), r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@'\"<>]{0,200}:([^\s/@'\"<>]{1,300})@"),
    ("an authorization header", ("earer ", "asic "), r"\b(?:[Bb]earer|[Bb]asic)\s+([A-Za-z0-9._~+/=-]{16,})"),
)  # fmt: skip
_MUST_LOOK_RANDOM: Final = frozenset(("an authorization header", "an OpenAI or Anthropic key"))
_COMPILED: Final[dict[str, re.Pattern[str]]] = {}

_STRONG: Final = r"passw(?:or)?d|passwd|passphrase|pwd|secret|token|credential|api[_.-]?key|apikey|access[_.-]?key|private[_.-]?key|auth[_.-]?key"
_SAID: Final = tuple(
    spelled
    for word in ("passw", "pwd", "passphrase", "secret", "token", "credential", "key")
    for spelled in (word, word.capitalize(), word.upper())
)
_NAME_SIGNS: Final = string.ascii_letters + string.digits + "_.-"
_AFTER: Final = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]{0,60})\\?[\"']?\s{0,4}(?::=|=>|[:=])\s{0,4}"  # a quote may be escaped: code within JSON
    r"(?:[A-Za-z]?\\?[\"'](?P<quoted>[^\"'\n]{6,512}?)\\?[\"']|(?P<bare>[^\s\"'`,;(){}\[\]<>]{8,512}))"
)
_TELLING: Final = re.compile(_STRONG, re.IGNORECASE)
_PASSWORD: Final = re.compile(r"passw|pwd|passphrase|secret", re.IGNORECASE)
_IS_PASSWORD: Final = re.compile(r"(?:passw(?:or)?d|passwd|passphrase|pwd|secret)$", re.IGNORECASE)
_LITERAL: Final = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[^\s/\\(){}\[\]<>]{8,64}")
_KEY: Final = re.compile(r"(?:^|[_.-])key$|[a-z]Key$", re.IGNORECASE)
_NO_NAME: Final = re.compile(
    r"tokeni[sz]|tokens|token_?(?:id|type|count|len|limit|dim|size|class|level|map|cls)|(?:max|min|num|n|pad|eos|bos|unk|sep|cls|mask|special|stop|"
    r"new|per|image|add|vocab)_?token|hash|sha\d|md5|digest|checksum|fingerprint|public|primary|foreign|sort|cache|group|partition|keyword|"
    r"keyboard|keynote|monkey|turkey",
    re.IGNORECASE,
)
"""Names in which the telling word says something else: of a vocabulary, a digest, a table."""

_UUID: Final = re.compile(r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?", re.IGNORECASE)
_HEX: Final = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)
_RUN: Final = re.compile(r"[A-Za-z0-9]{12,}")
_WHOLE: Final = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_TEMPLATE: Final = re.compile(r"(?:[$%{<*]|\.{3}|…).*|(.)\1*", re.DOTALL)
"""What stands for a value to be filled in, or one sign again and again."""
_NO_PASSWORD: Final = re.compile(
    r"[\d.]+|(?:[./~]|[A-Za-z]:\\).*|(?:your|my|some|an?|the|example|sample|test|dummy|fake|change)?[-_ ]?(?:placeholder|me|passw(?:or)?d|passwd|"
    r"pass|secret|token|key|here|none|null|true|false|value|string|str|env|user|username|prompt|required)",
    re.IGNORECASE | re.DOTALL,
)
_FIRST: Final = re.compile(
    "|".join(re.escape(word) for word in (*_SAID, *(word for _, words, _ in _SHAPES for word in words)))
)
_SHORT: Final = 400
"""Letters up to which a text is first asked by `_FIRST` alone: in a longer one, word by word is quicker."""
MIN_TOKEN: Final = 16
MIN_PASSWORD: Final = 6


def search(text: str) -> list[Secret]:
    """Return the secrets in a text (a file, a line, an argument), in order, none within another."""
    if len(text) <= _SHORT and not may_hold(text):
        return []
    found = [*_shapes(text), *_beside(text)]
    found.sort(key=lambda one: (one.start, -one.end))
    kept: list[Secret] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def known_shapes(text: str) -> list[Secret]:
    """Return the secrets in a text that have a known shape, wherever they stand; names are not looked at."""
    if len(text) <= _SHORT and not may_hold(text):
        return []
    return sorted(_shapes(text), key=lambda one: one.start)


def may_hold(text: str) -> bool:
    """Say whether `search` might find something: a first look at a short text, most of which hold nothing."""
    return bool(_FIRST.search(text))


def search_value(name: str, value: str) -> list[Secret]:
    """Return the secrets in a value that is known to belong to a name: an option, a variable, a parameter."""
    found = search(value)
    if not found and tells(name) and looks_secret(name, value, certain=True):
        found = [Secret(0, len(value), _valued(name))]
    return found


def redact(text: str, found: list[Secret]) -> str:
    """Return the text with each secret's value replaced."""
    for one in reversed(found):
        text = text[: one.start] + REDACTED + text[one.end :]
    return text


def without(
    value: Any, where: str, found: list[Found], *, name: str = "", certain: bool = False, join: str = ", "
) -> Any:
    """Return a value of JSON without the secrets in its texts and keys; each is added to `found`.

    `name` is the name that the value belongs to. `certain`: it and the keys below are surely names of their values, as of parameters.
    """
    if isinstance(value, str):
        held = search_value(name, value) if certain else search(value)
        if not held and name and len(value) >= MIN_TOKEN and tells(name) and looks_secret(name, value):
            held = [Secret(0, len(value), _valued(name[:40]))]
        if not held:
            return value
        found += [Found(where, one.what, value[one.start : one.end]) for one in held]
        return redact(value, held)
    if isinstance(value, list):
        return [without(inner, where, found, name=name, certain=certain, join=join) for inner in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, inner in value.items():
        shown, named = str(key), known_shapes(str(key))
        found += [Found(f"a name in {where}", one.what, shown[one.start : one.end]) for one in named]
        shown = redact(shown, named)
        made[shown if named else key] = without(
            inner, f"{where}{join}{shown}", found, name="" if name in FREE_NAMES else shown, certain=certain, join=join
        )
    return made


def tells(name: str) -> bool:
    """Say whether a name speaks of secrets."""
    return bool(_TELLING.search(name) or _KEY.search(name)) and not _NO_NAME.search(name)


def looks_secret(name: str, value: str, *, certain: bool = False) -> bool:
    """Say whether a value beside a telling name looks random; `certain` says that it surely is that name's value, not code around it.

    A password may be any word: where the pair is certain, it need not look random.
    """
    value = value.strip()
    if len(value) < MIN_PASSWORD or _TEMPLATE.fullmatch(value) or _UUID.fullmatch(value):
        return False
    if _PASSWORD.search(name) and certain:
        return not _NO_PASSWORD.fullmatch(value)
    if len(value) < MIN_TOKEN:
        return False
    telling = bool(_TELLING.search(name))
    if _HEX.fullmatch(value):
        return telling and len(value.removeprefix("0x")) >= 32 and len(set(value.lower())) >= 8
    if any(_random(run, 2 if telling else 4) for run in _RUN.findall(value)):
        return True
    return telling and bool(_WHOLE.fullmatch(value)) and _entropy(value) >= 4.3


def _valued(name: str) -> str:
    """Return what is said of a secret that only its name tells."""
    return f"{_A_VALUE}{name} that looks secret"


def _is_literal(name: str, value: str) -> bool:
    """Say whether a text in quotes is a password that somebody wrote into code: `password = 'hunter2hunter'`."""
    return bool(_IS_PASSWORD.search(name) and _LITERAL.fullmatch(value)) and looks_secret(name, value, certain=True)


def _random(run: str, turns_at_least: int) -> bool:
    """Say whether a run of letters and digits is nobody's word: both mixed, many different signs."""
    digits = sum(sign.isdigit() for sign in run)
    letters = sum(sign.isalpha() for sign in run)
    if digits < 2 or letters < 3 or len(run) < 12:
        return False
    turns = sum(a.isdigit() is not b.isdigit() for a, b in itertools.pairwise(run))
    return turns >= turns_at_least and _entropy(run) >= 3.0


def _entropy(text: str) -> float:
    """Return the bits a sign of a text carries, by its own frequencies."""
    count = len(text)
    return -sum(n / count * math.log2(n / count) for n in Counter(text).values())


def _shapes(text: str) -> Iterator[Secret]:
    for what, words, pattern in _SHAPES:
        if not any(word in text for word in words):
            continue
        compiled = _COMPILED.get(what) or _COMPILED.setdefault(what, re.compile(pattern))
        for match in compiled.finditer(text):
            group = 1 if compiled.groups else 0
            value = match[group]
            if group and (_TEMPLATE.fullmatch(value) or _NO_PASSWORD.fullmatch(value)):
                continue
            if what in _MUST_LOOK_RANDOM and not any(_random(run, 2) for run in _RUN.findall(value)):
                continue
            yield Secret(match.start(group), match.end(group), what)


def _beside(text: str) -> Iterator[Secret]:
    """Yield values that look random after a name that tells: `name = value`, `name: value`, `"name": "value"`."""
    seen = set()
    for word in _SAID:
        at = text.find(word)
        while at >= 0:
            match = _AFTER.match(text, at)
            if match is not None:
                before = text[max(0, at - 60) : at]
                name = before[len(before.rstrip(_NAME_SIGNS)) :] + match["name"]
                group = "quoted" if match["quoted"] is not None else "bare"
                place = match.span(group)
                if (
                    place not in seen
                    and tells(name)
                    and (looks_secret(name, match[group]) or (group == "quoted" and _is_literal(name, match[group])))
                ):
                    seen.add(place)
                    yield Secret(*place, _valued(name.strip("-.")[:40]))
            at = text.find(word, at + len(word))
