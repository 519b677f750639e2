"""`${NAME}`, `${NAME:-default}`, `${file:path}`: what they stand for, and that they never tell a secret."""

import os
from pathlib import Path

import pytest

from gateway.settings import SettingsError, load, parse
from gateway.settings.variables import expand
from tests.settings import ROUTE, line, lines, provider, route


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"), ("a-${NAME}-b", "a-value-b"), ("${NAME}${NAME}", "valuevalue"), ("${EMPTY}", ""),
        ("${NAME:-other}", "value"), ("${NONE:-other}", "other"), ("${EMPTY:-other}", "other"), ("${NONE:-}", ""),
        ("${NONE:-a:-b}", "a:-b"), ("$$", "$"), ("$${NAME}", "${NAME}"), ("$", "$"), ("a$b", "a$b"), ("$$$$", "$$"),
    ],
)  # fmt: skip
def test_a_reference_is_replaced(text: str, value: str) -> None:
    assert expand(text, {"NAME": "value", "EMPTY": ""}, "") == value


@pytest.mark.parametrize(
    "text", ["${}", "${", "${NAME", "${1A}", "${A B}", "${A-b}", "${A:-${B}}", "${FILE:x}", "${file:x"]
)
def test_what_only_looks_like_a_reference_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="is no variable; write"):
        expand(text, {}, "")


def test_a_variable_is_not_replaced_twice() -> None:
    assert expand("${A}", {"A": "${B}$$", "B": "no"}, "") == "${B}$$"


def test_a_variable_that_is_not_set_is_told_at_its_place() -> None:
    assert (
        line(f"log_level: ${{LEVEL}}\n{ROUTE}")
        == "1:1: log_level: the environment variable LEVEL is not set; set it, or write ${LEVEL:-default}"
    )


def test_the_type_of_an_unquoted_scalar_is_that_of_its_value() -> None:
    assert parse(f"workers: ${{N}}\n{ROUTE}", environment={"N": "4"}).workers == 4
    assert parse(f"reload:\n  watch: ${{W}}\n{ROUTE}", environment={"W": "false"}).reload.watch is False


def test_braces_inside_braces_are_explained() -> None:
    assert line(f"reload: {{watch: ${{W}}}}\n{ROUTE}", W="false") == (
        "1:18: is not YAML: did not find expected ',' or '}'; put ${…} between quotes where it stands inside { } or [ ]"
    )


def test_a_quoted_scalar_remains_text() -> None:
    assert line(f'workers: "${{N}}"\n{ROUTE}', N="4") == "1:1: workers: must be a whole number"


def test_a_secret_cannot_add_options() -> None:
    secret = 'x"}\nworkers: 9\n#'
    text = f'log_level: info\nproblems: {{base: "${{S}}"}}\n{ROUTE}'
    settings = parse(text, environment={"S": secret})
    assert settings.problems.base == secret
    assert settings.workers == 1


def test_keys_are_not_replaced() -> None:
    assert line(f"${{A}}: 1\n{ROUTE}", A="workers").startswith('1:1: "${A}": is not known here'.replace('"', ""))


def secret_in(folder: Path, content: bytes) -> str:
    (folder / "secret").write_bytes(content)
    (folder / "tokenward.yaml").write_text(f'problems: {{base: "${{file:secret}}"}}\n{ROUTE}')
    return load(folder / "tokenward.yaml", {}).problems.base


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_file_is_read_from_the_folder_of_the_configuration_without_its_last_newline(tmp_path: Path, end: str) -> None:
    assert secret_in(tmp_path, f"a\nb {end}".encode()) == "a\nb "


def test_a_mounted_secret_is_a_link_and_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("abc")
    (tmp_path / "link").symlink_to("real")
    assert expand("${file:link}", {}, str(tmp_path)) == "abc"


def test_an_absolute_path_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("abc")
    assert expand(f"${{file:{tmp_path}/secret}}", {}, "/nowhere") == "abc"


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^cannot read the file none: no such file$"):
        expand("${file:none}", {}, str(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"^cannot read the file pipe: no such file$"):
        expand("${file:pipe}", {}, str(tmp_path))


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    with pytest.raises(ValueError, match=r"^cannot use the file binary: it is not UTF-8$"):
        expand("${file:binary}", {}, str(tmp_path))
    with pytest.raises(ValueError, match=r"^cannot use the file large: it is larger than 65536 bytes$"):
        expand("${file:large}", {}, str(tmp_path))


def test_a_value_with_lone_bytes_from_the_environment_is_told() -> None:
    assert line(f"log_level: ${{B}}\n{ROUTE}", B="\udcff").startswith("1:1: log_level: is not Unicode text")


SECRET = "s3cr3t-value-of-somebody"
SPOTS = [
    "listen: $S", "forwarded: $S", "log_level: $S", "trusted_proxies: [$S]", "version: $S", "tls: $S", "reload: $S",
    "clients: [{provider: $S, client_id: a, apis: [$S]}]",
]  # fmt: skip


@pytest.mark.parametrize("spot", SPOTS)
def test_no_mistake_tells_what_a_variable_says(spot: str) -> None:
    told = "\n".join(lines(spot.replace("$S", '"${S}"') + f"\n{ROUTE}", S=SECRET))
    assert told
    assert "is not YAML" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    "spot",
    [
        "methods: ['$S']",
        "hosts: ['A$S']",
        "strip_prefix: '/$S/'",
        "strip_prefix: '/$S'",
        "add_prefix: '/%41$S'",
        "api: '$S x'",
    ],
)
def test_no_mistake_tells_it_in_another_spelling(spot: str) -> None:
    told = "\n".join(lines(route(spot.replace("$S", "${S}")), S=SECRET))
    assert told
    assert SECRET not in told.lower()


ASSERTION = "{issuer: 'https://a', introspection: {client_id: a, authentication"


@pytest.mark.parametrize(
    "options",
    [
        "{preset: '$S'}", "{issuer: '$S'}", "{metadata: 'http://a:$S@b'}", "{endpoints: {jwks: 'ftp://$S'}}",
        "{issuer: 'http://localhost', introspection: {authentication: '$S'}}", "{transport: {proxy: 'http://a:$S@b'}}",
        f"{ASSERTION}: client_secret_jwt, algorithm: HS512, client_secret: '$S'}}}}",
        f"{ASSERTION}: private_key_jwt, private_key: '$S'}}}}",
        f"{ASSERTION}: authorization_header, authorization: ' $S'}}}}",
        "{issuer: 'https://a', introspection: {client_secret: ['$S']}}", "{transport: {ca_file: '$S'}}",
    ],
)  # fmt: skip
def test_no_mistake_of_a_provider_tells_what_a_variable_says(options: str) -> None:
    told = "\n".join(lines(provider(options.replace("$S", "${S}")), S=SECRET))
    assert told
    assert "is not YAML" not in told
    assert SECRET not in told


def test_an_error_that_somebody_prints_whole_tells_nothing_either() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(provider("{issuer: '${S}'}"), environment={"S": SECRET})
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
