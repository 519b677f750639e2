"""The command line: what each command prints where, and with which code it ends."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own
from typer.testing import CliRunner, Result

from gateway.build import this_build
from gateway.cli import app
from gateway.demo.identity_provider import run_identity_provider
from tests.fakes import NOON
from tests.gateways import SECRET, configuration, free_port, served

NOBODY = "http://127.0.0.1:9"
SCHEMA = Path(__file__).parents[1] / "schema" / "tokenward.schema.json"
CLAIMS = {"client_id": "shop", "scope": "orders.read", "token_type": "Bearer", "exp": NOON + 60}


@pytest.fixture(autouse=True)
def _undisturbed() -> Iterator[None]:
    """Some commands configure the log of the process."""
    root, hook = logging.getLogger(), sys.excepthook
    kept = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], root.level, logging.raiseExceptions = kept
    sys.excepthook = hook
    logging.captureWarnings(False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "tokenward.yaml", configuration(NOBODY, NOBODY))


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def tokenward(*words: str | Path, says: str = "", **environment: str) -> Result:
    """Run a command; what goes wrong in it is raised."""
    result = CliRunner(env=environment).invoke(app, list(map(str, words)), input=says)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def explain(file: Path, *words: str | Path, says: str = "") -> Result:
    return tokenward("explain", "GET", "/orders", "--config", file, *words, says=says)


def outcome(result: Result) -> str:
    return str(json.loads(result.stdout)["outcome"])


# check


def test_a_configuration_that_is_valid_is_said_to_be(file: Path) -> None:
    result = tokenward("check", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{file}: valid, 2 routes, 1 provider\n", "")


def test_every_mistake_is_printed_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("lisen: a\nroutes: []\n")
    result = tokenward("check", tmp_path / "a.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{tmp_path}/a.yaml:1:1: lisen: is not known here; did you mean listen?",
        f"{tmp_path}/a.yaml:2:1: routes: must be a mapping; write name: value",
    ]


def test_a_warning_is_printed_and_fails_nothing(tmp_path: Path) -> None:
    config = configuration(NOBODY, NOBODY, admin={"listen": "0.0.0.0:0"})
    result = tokenward("check", written(tmp_path / "a.yaml", config))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {tmp_path}/a.yaml:1:")
    assert "admin.listen: whoever reaches this address" in result.stderr


def test_mistakes_and_warnings_are_data_for_programs(tmp_path: Path) -> None:
    good = written(tmp_path / "good.yaml", configuration(NOBODY, NOBODY, admin={"listen": "0.0.0.0:0"}))
    result = tokenward("check", good, "--format", "json")
    said = json.loads(result.stdout)
    assert (result.exit_code, said["valid"], said["mistakes"]) == (0, True, [])
    assert [warning["path"] for warning in said["warnings"]] == ["admin.listen"]
    (tmp_path / "bad.yaml").write_text("routes: {}\nlisen: a\n")
    result = tokenward("check", tmp_path / "bad.yaml", "--format", "json")
    said = json.loads(result.stdout)
    assert (result.exit_code, said["valid"], result.stderr) == (1, False, "")
    (mistake,) = said["mistakes"]
    assert mistake["file"] == str(tmp_path / "bad.yaml")
    assert (mistake["line"], mistake["column"], mistake["path"]) == (2, 1, "lisen")
    assert mistake["text"] == "is not known here; did you mean listen?"


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    result = tokenward("check", tmp_path / "none.yaml")
    assert (result.exit_code, result.stderr) == (
        1,
        f"{tmp_path}/none.yaml:1:1: cannot be read: no such file or directory\n",
    )


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    assert tokenward("check", TOKENWARD_CONFIG=str(file)).exit_code == 0
    assert tokenward("explain", "GET", "/public", TOKENWARD_CONFIG=str(file)).exit_code == 0
    assert tokenward("config", "show", TOKENWARD_CONFIG=str(file)).exit_code == 0


# config


@pytest.mark.case("C307")
def test_the_configuration_is_shown_with_its_defaults_and_without_its_secrets(file: Path) -> None:
    result = tokenward("config", "show", file)
    assert result.exit_code == 0
    assert "client_secret: '**********'" in result.stdout
    assert "keep_alive: 75.0" in result.stdout
    assert SECRET not in result.output


@pytest.mark.parametrize("command", [("config", "show"), ("explain", "GET", "/", "--config"), ("doctor",)])
def test_a_command_that_needs_a_configuration_ends_with_1_where_it_has_mistakes(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("routes: 7\n")
    result = tokenward(*command, tmp_path / "a.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path}/a.yaml:1:1: routes: must be a mapping; write name: value\n"


def test_the_schema_is_valid_and_the_one_in_the_repository() -> None:
    result = tokenward("config", "schema")
    assert result.exit_code == 0
    Draft202012Validator.check_schema(json.loads(result.stdout))
    assert result.stdout == SCHEMA.read_text()


# explain


def test_a_request_that_would_be_allowed_ends_it_with_0(file: Path, tmp_path: Path) -> None:
    claims = written(tmp_path / "claims.json", CLAIMS)
    result = explain(file, "--claims", claims, "--at", "2026-11-23T12:00:00Z")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "allow: the request is forwarded"
    assert "supposed to be introspected by provider idp" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "deny"),
        (("--token", "a"), "unavailable"),
        (("--token", "a b"), "deny"),
        (("--header", "Authorization: Basic YTpi"), "deny"),
        (("--host", "a b"), "bad_request"),
    ],
)
def test_a_request_that_would_not_be_forwarded_ends_it_with_1(
    words: tuple[str, ...], expected: str, file: Path
) -> None:
    result = explain(file, *words, "--format", "json")
    assert (result.exit_code, outcome(result), result.stderr) == (1, expected, "")


def test_a_path_that_nothing_is_served_at_ends_it_with_1(file: Path) -> None:
    result = tokenward("explain", "GET", "/nothing", "--config", file)
    assert (result.exit_code, result.stdout) == (
        1,
        "GET /nothing\nno_route: 404 no_route: nothing is served at this host and path\n",
    )


def test_claims_may_stand_beside_headers(file: Path, tmp_path: Path) -> None:
    claims = written(tmp_path / "claims.json", CLAIMS)
    asked = ("--claims", claims, "--at", str(NOON), "--format", "json")
    assert outcome(explain(file, *asked, "--header", "X-Trace: 1")) == "allow"
    assert outcome(explain(file, *asked, "--header", "Authorization: Basic YTpi")) == "deny"


def test_another_time_gives_another_answer(file: Path, tmp_path: Path) -> None:
    claims = written(tmp_path / "claims.json", CLAIMS)
    for at, expected in [
        (str(NOON), "allow"),
        ("2026-11-23T12:00:00", "allow"),
        ("2026-11-23T13:00:30+01:00", "allow"),
        ("2026-11-23T12:02:00Z", "deny"),
    ]:
        assert outcome(explain(file, "--claims", claims, "--at", at, "--format", "json")) == expected


async def test_a_token_is_read_from_standard_input_and_printed_nowhere(tmp_path: Path) -> None:
    async with run_identity_provider() as provider:
        file = written(tmp_path / "a.yaml", configuration(provider.issuer, NOBODY))
        token = provider.issue("shop", "orders.read")
        result = await asyncio.to_thread(explain, file, "--token", "-", says=f"{token}\n")
    assert result.exit_code == 0
    assert "introspected by provider idp" in result.stdout
    assert token not in result.output


def test_a_candidate_is_tried_before_it_is_in_force(tmp_path: Path) -> None:
    candidate = configuration(NOBODY, NOBODY)
    policy: dict[str, Any] = candidate["routes"]["orders"]["policies"][0]
    policy["report_only"] = True
    result = explain(written(tmp_path / "candidate.yaml", candidate))
    assert result.exit_code == 0
    assert "token-enforcement (report only)" in result.stdout
    assert "NO  credential  401 credential_missing" in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--header", "nocolon"), "the header 'nocolon' has no colon; write 'Name: value'"),
        (("--header", ": value"), "has no colon; write 'Name: value'"),
        (("--at", "soon"), "'soon' is no time; write 2026-11-23T12:00:00Z or seconds since the epoch"),
        (("--at", "nan"), "'nan' is no time"),
        (("--claims", "/nowhere/claims.json"), "/nowhere/claims.json can't be read as JSON"),
        (("--claims", __file__), "can't be read as JSON"),
        (("--format", "yaml"), "'yaml' is not one of 'text', 'json'"),
    ],
)
def test_a_word_that_is_wrong_ends_it_with_2_and_says_what_to_write(
    words: tuple[str, str], told: str, file: Path
) -> None:
    result = explain(file, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize("text", ["[1]", "7", '"a"', "null"])
def test_claims_are_an_object(text: str, file: Path, tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text(text)
    result = explain(file, "--claims", tmp_path / "claims.json")
    assert result.exit_code == 2
    assert "holds no JSON object" in result.stderr


# The rest


@pytest.mark.parametrize(
    "words", [("frobnicate",), ("explain",), ("explain", "GET"), ("run", "--nothing"), ("config",)]
)
def test_a_command_that_is_misspelled_ends_with_2(words: tuple[str, ...]) -> None:
    result = tokenward(*words)
    assert result.exit_code == 2
    assert "Usage: tokenward" in result.output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("run", "Serve until SIGTERM. SIGHUP reloads."),
        ("check", "Find every mistake in a configuration, without the network."),
        ("doctor", "Try everything that a configuration needs"),
        ("explain", "Say why a request would be allowed or refused, check by check."),
        ("demo", "Start a gateway, an identity provider and an API on this machine"),
        ("healthcheck", "Exit with 0 if the gateway on this machine is ready, with 1 otherwise."),
        ("version", "Print the version."),
        ("config show", "Print the configuration with every default, secrets hidden."),
        ("config schema", "Print the JSON Schema of the configuration"),
    ],
)
def test_a_command_says_what_it_is_for(command: str, told: str) -> None:
    result = tokenward(*command.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: tokenward {command} ")
    assert told in " ".join(result.stdout.split())
    assert f"\n  {command.split()[0]} " in tokenward("--help").stdout


def test_the_version_is_that_of_the_package() -> None:
    result = tokenward("version")
    assert (result.exit_code, result.stdout) == (0, f"{this_build().version}\n")


async def test_the_health_of_a_gateway_is_its_readiness() -> None:
    async with served(configuration(NOBODY, NOBODY)) as gateway:
        admin = f"127.0.0.1:{gateway.operator.ask.port}"
        result = await asyncio.to_thread(tokenward, "healthcheck", "--admin", admin)
        assert (result.exit_code, result.stdout) == (0, "ready\n")
        result = await asyncio.to_thread(tokenward, "healthcheck", TOKENWARD_ADMIN=admin, HTTP_PROXY=NOBODY)
        assert result.exit_code == 0
        await gateway.serving.drain()
        result = await asyncio.to_thread(tokenward, "healthcheck", "--admin", admin)
        assert (result.exit_code, result.stderr) == (1, f"{admin}: not ready: draining\n")


def test_a_gateway_that_is_not_there_is_not_healthy() -> None:
    admin = f"127.0.0.1:{free_port()}"
    result = tokenward("healthcheck", "--admin", admin)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{admin}: [Errno 111] Connection refused\n"
