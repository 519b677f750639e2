"""The commands that developers copy do what they say: a shell runs them here."""

import asyncio
import json
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from pydantic import SecretStr

from gateway.clients.client import Credentials, Metadata
from gateway.portal.pages.copied_command import Command, command

ODD = "p ä:'\"$(touch bad)`%+&/\\"
METADATA = Metadata(client_name="Shop", scopes=("a", "b"))
URLS = ["https://api.example.com/orders?shop=1"]
CURL = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["ASKED"], "a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
print('{"token_type": "Bearer", "access_token": "t-0/k_n.~+=", "expires_in": 60}')
"""
"""In place of curl: notes what it was asked, and answers as a token endpoint does."""


def _command(secret: str | None, *, metadata: Metadata = METADATA, client_id: str = "shop") -> Command:
    credentials = Credentials(client_id=client_id, client_secret=None if secret is None else SecretStr(secret))
    return command(credentials, metadata, token_endpoint="https://idp.example.com/token", urls=URLS)


async def _run(lines: str, folder: Path) -> list[list[str]]:
    curl = folder / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    asked = folder / "asked"
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "ASKED": str(asked)}
    shell = await asyncio.create_subprocess_exec("/bin/sh", "-c", lines, env=environment, cwd=folder)
    assert await shell.wait() == 0
    return [json.loads(line) for line in asked.read_text().splitlines()]


async def test_a_shell_gets_a_token_and_calls_the_api_with_it(tmp_path: Path) -> None:
    token, call = await _run(_command("secret").lines, tmp_path)
    assert "https://idp.example.com/token" in token
    assert "grant_type=client_credentials" in token
    assert "scope=a b" in token
    assert "Authorization: Bearer t-0/k_n.~+=" in call
    assert "https://api.example.com/orders?shop=1" in call


async def test_any_secret_passes_the_shell_unharmed(tmp_path: Path) -> None:
    token, _ = await _run(_command(ODD, client_id=ODD).lines, tmp_path)
    user, _, password = token[token.index("-u") + 1].partition(":")
    assert (unquote_plus(user), unquote_plus(password)) == (ODD, ODD)
    assert not (tmp_path / "bad").exists()


async def test_a_client_that_proves_itself_in_the_form_does_so_in_the_command(tmp_path: Path) -> None:
    metadata = Metadata(client_name="Shop", token_endpoint_auth_method="client_secret_post")
    token, _ = await _run(_command(ODD, metadata=metadata).lines, tmp_path)
    assert f"client_secret={ODD}" in token
    assert "-u" not in token


def test_an_application_of_users_is_told_where_its_tokens_come_from() -> None:
    given = _command("secret", metadata=Metadata(client_name="Shop", grant_types=("authorization_code",)))
    assert given.lines == ""
    assert "sign-in" in given.about


def test_there_is_no_command_without_a_secret_or_an_endpoint() -> None:
    assert _command(None).lines == ""
    nowhere = Credentials(client_id="shop", client_secret=SecretStr("secret"))
    assert command(nowhere, METADATA, token_endpoint=None, urls=URLS).lines == ""


@pytest.mark.case("C296")
def test_the_command_does_not_show_its_secret_in_the_repr() -> None:
    assert "hush" not in repr(_command("hush"))
