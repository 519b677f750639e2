"""What is served is what the OpenAPI document says: tried by a program that knows the document and nothing else."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own

from gateway.clients_api.document import document
from gateway.clients_api.routes import OPERATIONS
from gateway.demo.identity_provider import run_identity_provider
from tests.gateways import served
from tests.managed import API, Clerk, managed

NOBODY = "http://127.0.0.1:9"
TOKEN = "a-token-for-operators-only"
PROGRAM = Path(sys.executable).with_name("schemathesis")
UNTRIED = "positive_data_acceptance"
"""A document cannot say which redirect URIs and tiers there are: what fits it may still be refused."""


def test_its_schemas_are_schemas() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_its_references_lead_somewhere() -> None:
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document())))
    assert referred == set(document()["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_secrets_are_answered_by_three_operations_alone() -> None:
    shown = {each.name for each in OPERATIONS if each.gives and "client_secret" in json.dumps(_reached(each.gives))}
    assert shown == {"registerClient", "revealCredentials", "rotateSecret"}


def _reached(model: type) -> object:
    return model.model_json_schema(mode="serialization")  # type: ignore[attr-defined]  # every view is a model


async def test_the_gateway_answers_as_the_document_says_whatever_it_is_sent(tmp_path: Path) -> None:
    admin = {"listen": "127.0.0.1:0", "token": TOKEN}
    async with run_identity_provider() as idp, served(managed(idp.issuer, NOBODY, tmp_path, admin=admin)) as it:
        clerk = Clerk(it.operator, TOKEN)
        await clerk.registers()
        printed, status = await _tried(f"http://127.0.0.1:{it.operator.ask.port}{API}/openapi.json", tmp_path)
        assert status == 0, printed
        assert f"{len(OPERATIONS)} passed" in printed
        await clerk.says("GET", "/clients")


async def _tried(url: str, folder: Path) -> tuple[str, int | None]:
    words = ["run", url, "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--exclude-checks", UNTRIED]
    bounds = ["--phases", "coverage,fuzzing,stateful", "--max-examples", "3", "--seed", "1", "--warnings", "off"]
    program = await asyncio.create_subprocess_exec(
        PROGRAM, *words, *bounds, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(120):
            printed, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return printed.decode(), program.returncode


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_a_change_is_never_made_by_reading(operation: object) -> None:
    assert operation.method != "GET" or operation.name.startswith(("list", "read"))  # type: ignore[attr-defined]
