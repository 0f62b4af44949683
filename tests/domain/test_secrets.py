"""What looks like a secret, and what only looks random."""

from __future__ import annotations

import base64
import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain import secrets

# Put together here, so that no scanner of this repository takes them for real ones.
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
AWS_ID = "AKIA" + "IOSFODNN7EXAMPLE"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPx" + "RfiCYEXAMPLEKEY"
TOKEN = "q8Zt5Lw2Xc9Vb4Nm7Kj1"
HEX40 = "0123456789abcdef0123456789abcdef01234567"
SHA256 = hashlib.sha256(b"data").hexdigest()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"id {AWS_ID} here", AWS_ID),
        (f"aws_secret_access_key = {AWS_SECRET}", AWS_SECRET),
        (f"export GH={GITHUB};", GITHUB),
        ("AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe", "AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
        ("xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKl", "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKl"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "-----BEGIN RSA " + "PRIVATE KEY-----"),
        ("-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN " + "PRIVATE KEY-----"),
        ("hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH", "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"),
        ("sk-" + "proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34", "sk-" + "proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34"),
        ("glpat-" + "ABCdefGHIjklMNOpqrST", "glpat-" + "ABCdefGHIjklMNOpqrST"),
        ("postgres://app:s3cr3tpw@db.local/x", "s3cr3tpw"),
        ("url: https://user:tok3nvalue@example.org/a.git", "tok3nvalue"),
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        (f'"seed": "{SHA256}"', SHA256),
        (f"API_KEY='{TOKEN}'", TOKEN),
        (f'"client_secret": "{TOKEN}"', TOKEN),
        (f"+    db_token = f'{TOKEN}'", TOKEN),
        (f"wandb_api_key: {HEX40}", HEX40),
        (f"größe=1 my_api_key={TOKEN}", TOKEN),
    ],
)
def test_a_secret_is_found_where_it_stands(text: str, value: str) -> None:
    """Known shapes of tokens, passwords in addresses, random values beside telling names."""
    found = secrets.search(text)
    assert [text[one.start : one.end] for one in found] == [value]
    assert value not in secrets.redact(text, found)
    assert secrets.REDACTED in secrets.redact(text, found)


def test_a_web_token_is_found() -> None:
    """Three parts of base64 that begin as JSON does."""
    token = ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "SflKxwRJSMeKKF2QT4fw"))
    assert [one.what for one in secrets.search(f"cookie={token}")] == ["a JSON web token"]


@pytest.mark.parametrize(
    "text",
    [
        f"sha256={SHA256}", f"key: {SHA256}", f"cache_key={HEX40}", f"commit {HEX40}", f"password_sha256={SHA256}",
        "id: 123e4567-e89b-12d3-a456-426614174000", "run_token: 123e4567-e89b-12d3-a456-426614174000",
        "--max_tokens 1024", "pad_token_id=50256", "eos_token: </s>", "tokenizer=Llama-2-7b-chat-hf",
        "token = tokenizer.encode(text)", "password=os.environ['PASSWORD']", "api_key = settings.api_key", "api_key=",
        "key=ResNet50FeatureExtractorV2", "model_key=churn-2024-06-01-v12-final", "primary_key=customer_id_2024_v2",
        "token: <your-token-here>", "password: ${DB_PASSWORD}", "secret = '{{ vault.secret_value_123 }}'",
        "http://localhost:8080/path@x", f"ghcr.io/org/img@sha256:{SHA256}", "postgres://user:password@localhost/x",
        "sk-learn-compatible-estimators", "secret_name = projects/acme-prod/secrets/db-password/versions/3",
        "bearer of bad news everywhere", "num_tokens_per_batch=12345678901234567890", "", "key", "token=",
    ],
)  # fmt: skip
def test_what_only_looks_random_is_no_secret(text: str) -> None:
    """Digests, commits, ids, names of models, code and placeholders are all over a record of machine learning."""
    assert secrets.search(text) == []


@given(st.binary(min_size=8, max_size=64), st.sampled_from(["sha256", "commit", "digest", "id", "etag", "key"]))
def test_no_digest_and_no_id_is_ever_a_secret(seed: bytes, name: str) -> None:
    """Whatever the bytes: hex digests and UUIDs beside the names that they have in records."""
    digest = hashlib.sha256(seed).hexdigest()
    for value in (digest, digest[:40], digest[:32], str(uuid.UUID(digest[:32]))):
        assert secrets.search(f'"{name}": "{value}"') == []


@given(st.binary(min_size=30, max_size=60))
def test_a_random_token_beside_a_strong_name_is_found(seed: bytes) -> None:
    """Base64 of random bytes: of those that look random, nothing is left after redaction."""
    value = base64.b64encode(hashlib.sha512(seed).digest())[:40].decode().replace("=", "A")
    text = f"api_token={value}"
    assert value not in secrets.redact(text, secrets.search(text))


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("password", "hunter2", True), ("db_password", "correct horse battery", True), ("password", "password", False),
        ("passwd_file", "./secrets.txt", False), ("password", "${PW}", False), ("token", "abc", False), ("api_key", TOKEN, True),
        ("WANDB_API_KEY", HEX40, True), ("seed", "123456", False), ("lr", "0.001", False), ("key", SHA256, False),
        ("max_tokens", "1024", False), ("PASSWORD", "", False),
    ],
)  # fmt: skip
def test_a_value_that_surely_belongs_to_a_name(name: str, value: str, secret: bool) -> None:
    """Of an option or a variable one knows whose value it is: a password need not look random there."""
    assert bool(secrets.search_value(name, value)) is secret


def test_a_long_text_is_searched_in_a_moment() -> None:
    """A megabyte of data with `token` in its head, and one secret at its end: one is found."""
    text = (
        "id,token,score\n" + "".join(f"{n},x{n},0.{n * 7919 % 10000}\n" for n in range(40_000)) + f"api_key={TOKEN}\n"
    )
    assert len(secrets.search(text)) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("password = 'hunter2hunter'", "hunter2hunter"),
        (r'"source": ["password = \"hunter2hunter\"\n"]', "hunter2hunter"),
        ('{"db.password": "hunter2hunter"}', "hunter2hunter"),
        ("password = 'Your new password 1'", ""),
        ("secret_name = 'my-secret-12345'", ""),
        ("password = 'changeme'", ""),
    ],
)
def test_a_password_that_is_written_into_code(text: str, value: str) -> None:
    """In quotes, beside a name that says password and no more: it need not look random; within JSON its quotes are escaped."""
    assert [text[one.start : one.end] for one in secrets.search(text)] == ([value] if value else [])
    assert not value or secrets.may_hold(text)


@pytest.mark.parametrize(
    "text",
    [
        "{0}BEGIN RSA PRIVATE KEY{0}\nMIIEpAIBAAKCAQEA7bq\nabcdefghijklmnop+/=\n{0}END RSA PRIVATE KEY{0}\nx = 1",
        "+{0}BEGIN PRIVATE KEY{0}\n+MIIEpAIBAAKCAQEA7bq\n+abcdefghijklmnop+/=\n+x = 1",
        r'"{0}BEGIN PRIVATE KEY{0}\nMIIEpAIBAAKCAQEA7bq\nabcdefghijklmnop+/=\n" x = 1',
    ],
)
def test_a_private_key_is_taken_out_whole(text: str) -> None:
    """Its first line is no secret, what follows is."""
    text = text.format("-----")
    left = secrets.redact(text, secrets.search(text))
    assert "MIIE" not in left and "mnop" not in left
    assert left.endswith("x = 1")
