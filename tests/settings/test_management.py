"""The store and what belongs to it: how it is reached and sealed, what it may cost, and whom it tells."""

import base64
import hashlib
from pathlib import Path

import pytest

from gateway.settings import load, parse
from gateway.settings.providers import secret_of
from gateway.settings.show import show
from tests.settings import ROUTE, line, lines

KEY = base64.urlsafe_b64encode(hashlib.sha256(b"the key of these tests").digest()).decode()
"""The same in every run: tests are called by it."""


def told(section: str, options: str) -> str:
    """The line, without what every one begins with."""
    return line(f"{section}: {options}\n{ROUTE}").partition(f": {section}")[2].lstrip(".")


def store(text: str) -> str:
    return f"{{{text}, encryption_keys: [{KEY}]}}"


@pytest.mark.parametrize("url", ["sqlite:///tokenward.db", "postgresql://a:b@host/name", "postgres://host/name"])
def test_a_file_and_a_server_are_stores(url: str) -> None:
    assert lines(f"store: {store(f'url: {url}')}\n{ROUTE}") == []


def test_keys_are_enough_for_a_store_and_its_file_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "tokenward.yaml"
    file.write_text(f"store: {{encryption_keys: [{KEY}]}}\n{ROUTE}")
    found = load(file).store
    assert found is not None
    assert secret_of(found.url) == f"sqlite:///{tmp_path}/tokenward.db"


@pytest.mark.parametrize(
    "url",
    ["mysql://a/b", "sqlite://tokenward.db", "tokenward.db", "'sqlite:///a.db?mode=ro'", "'sqlite:///:memory:'", "''"],
)
def test_what_is_no_store_is_told_without_it(url: str) -> None:
    assert told("store", store(f"url: {url}")) == (
        "url: is no database; write sqlite:///tokenward.db or postgresql://user:password@host/name"
    )


def test_a_folder_is_no_store() -> None:
    assert told("store", store("url: 'sqlite:///'")) == (
        "url: is a folder; write the file as well, as in sqlite:///tokenward.db"
    )


@pytest.mark.case("C298")
@pytest.mark.parametrize("key", ["''", "short", "changeme", "A" * 43, KEY[:-4]])
def test_a_key_that_is_none_is_told_without_it(key: str) -> None:
    assert told("store", f"{{encryption_keys: [{KEY}, {key}]}}") == (
        "encryption_keys.1: is no key of 32 random octets in base64url. `tokenward store key` makes one"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{}", 'encryption_keys: is missing; write encryption_keys: ["${STORE_KEY}"]'),
        (
            "{encryption_keys: []}",
            "encryption_keys: is empty; write at least one key. `tokenward store key` makes one",
        ),
        (f"{{encryption_keys: {KEY}}}", "encryption_keys: must be a list; write it between [ and ]"),
        (store("poll: 0"), "poll: must be greater than 0"),
        (store("reread: -1"), "reread: must be greater than 0"),
        (store("usage: 0"), "usage: must be greater than 0"),
        (store("timeout: 0"), "timeout: must be greater than 0"),
        (store("migrate: perhaps"), "migrate: must be true or false"),
        (store("timout: 1"), "timout: is not known here; did you mean timeout?"),
    ],
)
def test_the_line_about_a_store(options: str, expected: str) -> None:
    assert told("store", options) == expected


def test_neither_the_keys_nor_the_password_of_a_store_are_shown() -> None:
    password = "n0body-knows-this"
    url = f"postgresql://tokenward:{password}@host/name"
    found = parse(f"store: {store(f'url: {url}')}\n{ROUTE}", environment={})
    shown = f"{found!r} {show(found)}"
    assert KEY not in shown
    assert password not in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{bounds: {applications_per_person: 0}}", "bounds.applications_per_person: must be greater than 0"),
        ("{bounds: {longest_reason: many}}", "bounds.longest_reason: must be a whole number"),
        ("{reconcile: {interval: 0}}", "reconcile.interval: must be greater than 0"),
        ("{reconcile: {deleted_there: forget}}", "reconcile.deleted_there: must be one of revoke, register"),
        ("{notices: {mail: {host: smtp.example.com, port: 0}}}", "notices.mail.port: must be greater than 0"),
        (
            "{notices: {mail: {host: smtp.example.com, security: none, username: a, password: b}}}",
            "notices.mail: a password is sent over an encrypted connection only: starttls or tls",
        ),
        (
            "{notices: {webhook: {url: https://hooks.example.com, secret: whsec_c2hvcnQ}}}",
            "notices.webhook: a webhook's secret is 24 to 64 random bytes in base64",
        ),
    ],
)
def test_the_line_about_management(options: str, expected: str) -> None:
    assert told("management", options) == expected


def test_a_webhook_to_another_machine_needs_tls() -> None:
    secret = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
    webhook = f"{{notices: {{webhook: {{url: http://hooks.example.com, secret: {secret}}}}}}}"
    assert told("management", webhook).startswith("notices.webhook.url: is plain http to another machine")
