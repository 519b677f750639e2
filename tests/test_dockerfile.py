"""What the image promises, read off the Dockerfile: small, not root, and no shell between it and signals or checks."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Statement:
    """One instruction and all that follows it, on one line."""

    instruction: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The words of an instruction that needs no shell; ValueError when it needs one."""
        words: list[str] = json.loads(self.rest)
        return words


def read_stages(text: str) -> Iterator[list[Statement]]:
    """The stages of a Dockerfile; what stands before the first one is left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stage: list[Statement] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM" and any(statement.instruction == "FROM" for statement in stage):
            yield stage
            stage = []
        stage.append(Statement(instruction, rest))
    yield stage


STAGES = list(read_stages((CHECKOUT / "Dockerfile").read_text()))
BUILD, FINAL = STAGES[0], STAGES[-1]


def only(instruction: str) -> Statement:
    """The one statement of that kind in the image that is shipped."""
    (found,) = (statement for statement in FINAL if statement.instruction == instruction)
    return found


def copied(place: str) -> str:
    """The one statement that copies to that place in the image that is shipped."""
    (found,) = (each.rest for each in FINAL if each.instruction == "COPY" and each.rest.split()[-1] == place)
    return found


def test_the_image_is_built_in_one_stage_and_shipped_from_another() -> None:
    assert len(STAGES) == 2
    assert only("FROM").rest == "python:${PYTHON}-slim"
    assert copied("/opt/tokenward") == "--from=build /opt/tokenward /opt/tokenward"


def test_the_image_has_what_every_store_and_limit_needs() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = ",".join(name for name in project["optional-dependencies"] if name != "demo")
    runs = (each.exec_form for each in BUILD if each.instruction == "RUN")
    (installs,) = (words for words in runs if words[2:4] == ["pip", "install"])
    assert sorted(installs[-1].removeprefix("tokenward[").removesuffix("]").split(",")) == sorted(extras.split(","))


def test_the_place_of_a_store_belongs_to_the_gateway() -> None:
    assert copied("/var/lib/tokenward").split()[:2] == ["--from=build", f"--chown={only('USER').rest}"]


def test_what_each_request_passes_through_is_compiled() -> None:
    wheel = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["hooks"]["mypyc"]["enable-by-default"] is False
    before = [each.rest for each in BUILD if each.instruction in {"ENV", "RUN"}]
    build = next(each for each in before if '"wheel"' in each)
    assert "HATCH_BUILD_HOOK_ENABLE_MYPYC=true" in before[: before.index(build)]
    assert any('"gcc"' in each for each in before[: before.index(build)])


def test_nothing_runs_in_the_stage_that_is_shipped() -> None:
    assert "RUN" not in {statement.instruction for statement in FINAL}


@pytest.mark.parametrize("statement", [each for each in BUILD if each.instruction == "RUN"], ids=lambda each: each.rest)
def test_the_build_needs_no_shell(statement: Statement) -> None:
    assert statement.exec_form


def test_the_image_does_not_run_as_root() -> None:
    assert only("USER").rest == "65532:65532"


def test_a_container_starts_the_gateway_with_the_configuration_that_is_mounted() -> None:
    assert only("ENTRYPOINT").exec_form == ["tokenward"]
    assert only("CMD").exec_form == ["run", "--config", "/etc/tokenward/config.yaml"]


def test_a_container_is_stopped_by_the_signal_that_drains_the_gateway() -> None:
    assert only("STOPSIGNAL").rest == "SIGTERM"


def test_the_health_check_needs_no_shell() -> None:
    options, _, command = only("HEALTHCHECK").rest.partition(" CMD ")
    assert json.loads(command) == ["tokenward", "healthcheck"]
    assert all(option.startswith("--") for option in options.split())


def test_the_image_says_what_it_is() -> None:
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", only("LABEL").rest))
    assert labels == {"title", "description", "licenses", "version", "revision", "created"}


def test_the_build_is_given_exactly_what_it_copies() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    admitted = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {word for each in BUILD if each.instruction == "COPY" for word in each.rest.split()[:-1]}
    assert "*" in ignored
    assert admitted == copied
    assert all((CHECKOUT / name).exists() for name in admitted)


def test_the_image_has_the_version_of_the_package() -> None:
    declared = re.search(r'^version = "(.+)"$', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert declared
    assert only_argument("VERSION") == declared[1]


def only_argument(name: str) -> str:
    (value,) = (each.rest.partition("=")[2] for each in FINAL if each.rest.startswith(f"{name}="))
    return value
