"""What may be a secret is left out, what merely sounds like one is not: the words of machine learning are full of tokens and keys."""

from __future__ import annotations

import pytest

from carnet_store.exchange.importers import scrub
from carnet_store.exchange.importers.scrub import NOT_TAKEN


@pytest.mark.parametrize(
    "name",
    [
        "password", "DB_PASSWORD", "passwd", "secret", "AWS_SECRET_ACCESS_KEY", "aws_access_key_id_secret", "api_key", "apiKey", "API-KEY",
        "openai_api_key", "token", "hf_token", "HF_TOKEN", "accessToken", "auth_token", "wandb.api_key", "private_key", "credentials",
        "Authorization", "connectionString", "spark.hadoop.fs.s3a.secret.key", "storageAccountKey", "ssh_key",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    """Values under these names are nobody's business."""
    assert scrub.secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens", "tokens_per_second", "tokenizer", "pad_token", "eos_token", "pad_token_id", "key", "primary_key", "foreign_keys",
        "author", "authority", "keyboard", "monkey", "api", "public_key", "api_key_name", "private_key_path", "n_key_value_heads", "seed",
    ],
)  # fmt: skip
def test_names_that_are_none(name: str) -> None:
    """A parameter of a model must not be hidden."""
    assert not scrub.secret(name)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ana:pw@host:8080/x", "https://host:8080/x"),
        ("pg://ana@host/db and s3://k:v@b", "pg://host/db and s3://b"),
        ("https://x:p@ss@host/y", "https://host/y"),
        ("https://host/a@b?x=1", "https://host/a@b?x=1"),
        ("https://h/x?token=abc&page=2#a", "https://h/x?token=***&page=2#a"),
        ("https://b/k?X-Amz-Signature=abc&X-Amz-Date=1", "https://b/k?X-Amz-Signature=***&X-Amz-Date=1"),
        ("jdbc:sqlserver://h;user=sa;password=abc;x=1", "jdbc:sqlserver://h;user=sa;password=***;x=1"),
        ("git@github.com:team/x.git", "git@github.com:team/x.git"),
        ("a = b ? c : d", "a = b ? c : d"),
        ("", ""),
    ],
)
def test_addresses(text: str, left: str) -> None:
    """User info and signed parameters go, everything else stays as it is, and a second time nothing changes."""
    assert scrub.address(text) == left
    assert scrub.address(left) == left


def test_json_without_secrets() -> None:
    """Only text is hidden; numbers, switches and empty text are no secrets; pairs of name and value are seen, at any depth."""
    found = scrub.tidy(
        {"a": [{"name": "API_KEY", "value": "x"}, {"key": "lr", "value": "0.1"}], "token": "x", "api_key": "", "secret": 5, "u": "pg://a:b@h/"}
    )  # fmt: skip
    assert found == {
        "a": [{"name": "API_KEY", "value": NOT_TAKEN}, {"key": "lr", "value": "0.1"}],
        "token": NOT_TAKEN, "api_key": "", "secret": 5, "u": "pg://h/",
    }  # fmt: skip
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    shown, levels = scrub.tidy(deep), 0
    while isinstance(shown, list):
        shown, levels = shown[0], levels + 1
    assert (shown, levels) == ("(nested too deep)", scrub.DEEPEST)


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (["train.py", "--token", "abc", "--lr", "0.1"], ["train.py", "--token", NOT_TAKEN, "--lr", "0.1"]),
        (["--api-key=abc", "API_KEY=abc", "lr=0.1"], [f"--api-key={NOT_TAKEN}", f"API_KEY={NOT_TAKEN}", "lr=0.1"]),
        (["--token", "--lr", "0.1"], ["--token", "--lr", "0.1"]),
        (["https://a:b@h/x"], ["https://h/x"]),
        ([], []),
    ],
)
def test_command_lines(args: list[str], left: list[str]) -> None:
    """The value after a flag, or behind its equals sign."""
    assert scrub.words(args) == left


def test_long_text_takes_no_time() -> None:
    """Text made to be slow is read in one go: 2 MB of signs that begin an address, a parameter, a user."""
    for text in (
        "://" * 700_000,
        "?a=" * 700_000,
        "://" + "a" * 2_000_000,
        "?" + "a" * 2_000_000 + "=",
        "=?" * 1_000_000,
    ):
        assert len(scrub.address(text)) > 0
    assert not scrub.secret("a" * 1_000_000)
