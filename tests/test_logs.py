"""Log lines are JSON, and no credential gets out through them."""

import base64
import io
import json
import logging
import string
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs
from gateway.logs import LONGEST, JsonLines, redact
from tests.fakes import NOON

URL_SAFE = string.ascii_letters + string.digits + "-_"
B64TOKEN = URL_SAFE + ".~+/"

tokens = st.builds(
    lambda body, end: body + end, st.text(B64TOKEN, min_size=12, max_size=200), st.sampled_from(["", "="])
)
segments = st.text(URL_SAFE, min_size=8, max_size=60)
surroundings = st.text(max_size=30)


def a_record(message: object, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("gateway.fetch", logging.WARNING, __file__, 1, message, arguments, exc_info)
    record.created = NOON
    return record


def line(message: object, *arguments: object, error: BaseException | None = None) -> dict[str, str]:
    formatted = JsonLines().format(a_record(message, *arguments, error=error))
    assert "\n" not in formatted
    assert formatted.isascii()
    read = json.loads(formatted)
    assert isinstance(read, dict)
    return read


def raised(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_line_says_when_how_bad_where_and_what() -> None:
    assert line("%s did not answer", "okta") == {
        "ts": "2026-11-23T12:00:00.000Z",
        "level": "warning",
        "logger": "gateway.fetch",
        "msg": "okta did not answer",
    }


def test_an_exception_is_one_string() -> None:
    said = line("failed", error=raised("the cause"))["exception"]
    assert said.startswith("Traceback")
    assert said.endswith("ValueError: the cause")


def test_a_message_cannot_make_a_line_of_its_own_or_speak_to_a_terminal() -> None:
    formatted = JsonLines().format(a_record('a\n{"level": "error"}\r\x1b[31m\u202e\u2028'))
    assert set(formatted) <= set(string.printable) - set("\r\n\x0b\x0c\t")


def test_a_message_whose_arguments_do_not_fit_is_logged_without_them() -> None:
    assert line("%d tokens of %s", "many")["msg"] == "%d tokens of %s"


def test_a_message_is_cut_where_it_is_longer_than_anybody_reads() -> None:
    said = line("x " * LONGEST)["msg"]
    assert len(said) < LONGEST + 100


@pytest.mark.parametrize(
    "text",
    [
        "Bearer SECRETsecret1",
        "bearer\tSECRETsecret1",
        "BEARER   SECRETsecret1",
        "Bearer%20SECRETsecret1",
        "Bearer: SECRETsecret1",
        "('Bearer', 'SECRETsecret1')",
        "Authorization: SSWS SECRETsecret1",
        "{'Authorization': 'Custom SECRETsecret1', 'Host': 'a'}",
        "[(b'authorization', b'Custom SECRETsecret1')]",
        "Cookie: session=SECRETsecret1; theme=SECRETsecret1",
        "X-Api-Key: SECRETsecret1",
        "grant_type=x&client_secret=SECRETsecret1&scope=y",
        "token=SECRETsecret1&token_type_hint=access_token",
        '{"access_token": "SECRETsecret1", "expires_in": 5}',
        "{'client_secret': 'SECRETsecret1'}",
        "client_secret='SECRETsecret1'",
        "https://gateway:SECRETsecret1@idp.example/introspect",
        "https://gateway:a@SECRETsecret1@idp.example/introspect",
        "got bearer token SECRETsecret1 from the caller",
        "Invalid header value: b'Bearer SECRETsecret1\\x01'",
    ],
)
def test_a_credential_is_removed_however_it_is_written(text: str) -> None:
    assert "SECRET" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "okta did not answer within 5.0 s",
        "the token of client mobile has expired",
        "config.yaml:7:5: providers.okta.issuer: is missing; write issuer: https://idp.example",
        "GET https://idp.example/keys: 503",
        'File "/app/policies/token_enforcement/introspection.py", line 17, in open',
        "framework_settings.newline_handling",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text


@given(before=surroundings, scheme=st.sampled_from(["Bearer", "bearer", "BEARER", "Basic", "basic"]), token=tokens,
       after=surroundings)  # fmt: skip
def test_no_message_holds_what_follows_a_scheme(before: str, scheme: str, token: str, after: str) -> None:
    said = line("%s", f"{before} {scheme} {token} {after}")["msg"]
    assert f"{scheme} {token}" not in said
    assert token[:12] not in said.replace(before, "").replace(after, "") or token[:12] in f"{before} {after}"


@given(payload=st.dictionaries(st.text(max_size=8), st.text(max_size=20), min_size=1), signature=segments,
       before=surroundings, after=surroundings)  # fmt: skip
def test_no_message_and_no_traceback_holds_a_jwt(
    payload: dict[str, str], signature: str, before: str, after: str
) -> None:
    parts = [{"alg": "RS256", "typ": "at+jwt"}, payload]
    claims = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    jwt = ".".join((*claims, signature))
    said = line(f"{before} {jwt} {after}".replace("%", ""), error=raised(f"not valid: {jwt}"))
    for text in said.values():
        assert claims[1] not in text
        assert signature not in text.replace(after, "").replace(before, "") or signature in before + after


@pytest.fixture
def undisturbed() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    kept = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], root.level, logging.raiseExceptions = kept
    sys.excepthook = hook
    logging.captureWarnings(False)


def test_what_is_configured_is_the_only_way_out(undisturbed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("warning")
    logs.configure("info")
    logging.getLogger("aiohttp.server").error("Bearer SECRETsecret1")
    logging.getLogger("gateway").info("here")
    logging.getLogger("gateway").debug("not here")
    assert [json.loads(each)["msg"] for each in written.getvalue().splitlines()] == ["Bearer [removed]", "here"]


def test_a_program_that_dies_of_an_exception_tells_no_credential() -> None:
    program = "from gateway.logs import configure; configure('info'); raise ValueError('Bearer SECRETsecret1')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "SECRET" not in ended.stderr
    assert json.loads(ended.stderr)["level"] == "critical"


def test_a_log_call_that_fails_does_not_print_its_arguments() -> None:
    program = (
        "import logging, sys\n"
        "from gateway.logs import configure\n"
        "class Closed:\n"
        "    def write(self, text): raise ValueError('closed')\n"
        "    def flush(self): pass\n"
        "real = sys.stderr; sys.stderr = Closed(); configure('info'); sys.stderr = real\n"
        "logging.getLogger('x').error('%s', 'Bearer SECRETsecret1')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
