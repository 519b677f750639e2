"""The README: each of its blocks is run, or read and compared, and a block that nobody proves is found."""

import asyncio
import json
import os
import re
import shlex
import signal
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from gateway.management import offered
from gateway.settings import Settings, parse
from tests.docs.commands import typed
from tests.docs.configurations import load
from tests.docs.pages import CHECKOUT, DOCS, Block, blocks, prose, section
from tests.docs.shell import Step, environment, fits, run, steps

README = CHECKOUT / "README.md"
BLOCKS = list(blocks(README))
MANIFESTS = "apiVersion:"
SECRET = {"OKTA_SECRET": "not-the-one-of-the-example"}
ASKING = "Let developers ask for access"

# How each block is proven: by how it begins.
PROOFS = {
    "flowchart": "a picture",
    "$ pip install": "test_the_extras_of_the_installation_exist",
    "$ tokenward demo": "test_the_demo_prints_what_is_shown",
    "$ curl": "test_the_demo_answers_as_shown",
    "$ tokenward explain": "test_the_demo_answers_as_shown",
    "listen:": "test_the_configuration_is_valid",
    "store:": "test_the_portal_is_valid_beside_the_configuration",
    "$ tokenward check": "test_check_prints_what_is_shown",
    "$ tokenward run": "test_the_configuration_runs_and_ends_well",
    "$ docker": "test_the_container_is_given_what_it_takes",
    MANIFESTS: "test_the_manifest_fits_the_image_and_the_gateway",
    "$ tests/run": "test_the_tests_are_run_by_a_program_that_is_there",
}


def test_every_block_is_proven_by_somebody() -> None:
    unproven = [block.place for block in BLOCKS if not block.text.startswith(tuple(PROOFS))]
    missing = [name for name in PROOFS.values() if name.startswith("test_") and name not in globals()]
    assert (unproven, missing) == ([], [])


def only(beginning: str) -> Block:
    (block,) = (block for block in BLOCKS if block.text.startswith(beginning))
    return block


# Try it


def test_the_extras_of_the_installation_exist() -> None:
    (command,) = typed(only("$ pip install"))
    extras = re.findall(r"\[(.*)\]", command)[0].split(",")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or later" in prose(README)


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo as a process, at ports of its own."""

    printed: str
    ports: dict[str, str]
    """Those that the README names, and those that stand in for them."""
    token: str
    config: str

    def here(self, command: str) -> str:
        """A command of the README for this demo."""
        return self._exchanged(command, self.ports)

    def there(self, printed: str) -> str:
        """What was printed, as it is with the ports of the README."""
        return self._exchanged(printed, {ours: theirs for theirs, ours in self.ports.items()})

    def _exchanged(self, text: str, ports: dict[str, str]) -> str:
        return re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: ports.get(port[0], port[0]), text)


PORTS = ("8080", "8081", "9090", "9000", "9001")
LAST = "# 7."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    program = await asyncio.create_subprocess_exec(
        "tokenward", "demo", "--port", "0", env=environment({}), stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(30):
            printed = await _until_printed(program.stdout)
        found = re.findall(r"^  \S.*http://127\.0\.0\.1:(\d+)", printed, re.MULTILINE)
        token = re.findall(r"Bearer (\S+)\"", printed)[0]
        config = re.findall(r"^  configuration +(\S+)$", printed, re.MULTILINE)[0]
        yield Demo(printed, dict(zip(PORTS, found, strict=True)), token, config)
    finally:
        program.send_signal(signal.SIGINT)
        await program.communicate()


async def _until_printed(output: asyncio.StreamReader) -> str:
    printed = ""
    while LAST not in printed or not printed.rpartition(LAST)[2].count("# HTTP"):
        line = await output.readline()
        assert line, f"the demo ended: {printed}"
        printed += line.decode()
    return printed


@pytest.mark.asyncio(loop_scope="module")
async def test_the_demo_prints_what_is_shown(demo: Demo) -> None:
    (step,) = steps(only("$ tokenward demo"))
    printed = re.sub(r"^Port \d+ is taken.*\n", "", demo.printed, flags=re.MULTILINE)
    assert fits(step.shown, demo.there(printed))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "step",
    [step for block in BLOCKS if block.text.startswith(("$ curl", "$ tokenward explain")) for step in steps(block)],
    ids=lambda step: step.command,
)
async def test_the_demo_answers_as_shown(demo: Demo, step: Step) -> None:
    variables = {
        "TOKEN": demo.token,
        "CONFIG": demo.config,
    }
    quiet = re.sub(r"\bcurl\b", "curl --silent", demo.here(step.command))
    printed = await run(quiet, CHECKOUT, variables)
    assert fits(step.shown, demo.there(printed.replace("\r\n", "\n"))), printed


# Configure it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tokenward.yaml").write_text(only("listen:").text)
    return tmp_path


def settings() -> Settings:
    return parse(only("listen:").text, environment=SECRET)


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    assert load(only("listen:").text, tmp_path).warnings == ()


def test_the_portal_is_valid_beside_the_configuration(tmp_path: Path) -> None:
    registration, contract, limit = re.findall(
        r"`((?:registration|contract:|- rate-limit).*?)`", section(README, ASKING)
    )
    written = yaml.safe_load(only("listen:").text) | yaml.safe_load(only("store:").text)
    written["providers"]["okta"].update(yaml.safe_load(registration))
    policies = written["routes"]["orders"]["policies"]
    policies[0]["token-enforcement"].update(yaml.safe_load(contract))
    policies.extend(yaml.safe_load(limit))
    settings = load(yaml.safe_dump(written), tmp_path)
    assert settings.warnings == ()
    assert offered(settings).apis["orders"].tiers == ("bronze", "gold")


async def test_check_prints_what_is_shown(folder: Path) -> None:
    for step in steps(only("$ tokenward check")):
        printed = await run(step.command, folder, SECRET)
        assert fits(step.shown, printed), printed


async def test_the_configuration_runs_and_ends_well(folder: Path) -> None:
    (step,) = steps(only("$ tokenward run"))
    file = folder / "tokenward.yaml"
    elsewhere = 'listen: 127.0.0.1:0\nadmin: {listen: "127.0.0.1:0"}\ndrain: {delay: 0}\n'
    # The provider of the example must not be asked from here.
    file.write_text(
        elsewhere + file.read_text().partition("\n")[2].replace("https://example.okta.com", "http://[::1]:9")
    )
    async with _started(shlex.split(step.command), folder) as program:
        admin = await _admin_address(program)
        assert await run(f"tokenward healthcheck --admin {admin}", folder) == "ready\n"
        program.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await program.communicate()
        assert program.returncode == 0


async def _admin_address(program: asyncio.subprocess.Process) -> str:
    """What the first line of its log ends with: it says where it listens."""
    assert program.stderr is not None
    async with asyncio.timeout(30):
        while b'"logger": "gateway.run"' not in (line := await program.stderr.readline()):
            assert line, "it ended before it served"
    found: list[str] = re.findall(r"127\.0\.0\.1:\d+", line.decode())
    return found[-1]


@asynccontextmanager
async def _started(words: list[str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=environment(SECRET), stdout=pipe, stderr=pipe
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


# Deploy it


def dockerfile(instruction: str) -> str:
    """What the last such instruction of the Dockerfile says."""
    found: list[str] = re.findall(rf"^{instruction} (.+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    return found[-1]


def words_of(part: str) -> list[str]:
    """The words of the `docker` command that has this part."""
    (command,) = (command for command in typed(only("$ docker")) if command.startswith(f"docker {part} "))
    return shlex.split(command)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_the_container_is_given_what_it_takes() -> None:
    build, start = words_of("build"), words_of("run")
    command = json.loads(dockerfile("CMD"))
    assert option(build, "--tag") == start[-1]
    assert option(start, "--volume").split(":")[1:] == [option(command, "--config"), "ro"]
    assert option(start, "--publish").split(":")[1] in dockerfile("EXPOSE").split()
    assert [str(address) for address in settings().listen] == [f"0.0.0.0:{dockerfile('EXPOSE')}"]
    assert f"${{{option(start, '--env')}}}" in only("listen:").text


def manifests() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(only(MANIFESTS).text)}


def test_the_manifest_fits_the_image_and_the_gateway(tmp_path: Path) -> None:
    configured = _configured(manifests()["ConfigMap"]["data"]["config.yaml"], tmp_path)
    pod = manifests()["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": configured.listen[0].port, "admin": configured.admin.listen.port}
    assert pod["spec"]["terminationGracePeriodSeconds"] > configured.drain.delay + configured.drain.timeout
    assert container["image"] == option(words_of("build"), "--tag")
    assert dockerfile("USER").split(":")[0].isdecimal()  # what runAsNonRoot needs to see


def _configured(text: str, folder: Path) -> Settings:
    """The configuration in the manifest, with the secret where it is mounted."""
    (container,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (name,) = re.findall(rf"\$\{{file:{mounts['secrets']}/(\w+)\}}", text)
    (folder / name).write_text(SECRET["OKTA_SECRET"])
    command = json.loads(dockerfile("CMD"))
    assert Path(option(command, "--config")) == Path(mounts["config"]) / "config.yaml"
    return parse(text.replace(mounts["secrets"], str(folder)), name=str(folder / "config.yaml"))


def test_the_manifest_asks_the_admin_port_and_notices_a_drain_in_time(tmp_path: Path) -> None:
    configured = _configured(manifests()["ConfigMap"]["data"]["config.yaml"], tmp_path)
    (container,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    ready, alive = container["readinessProbe"], container["livenessProbe"]
    assert (ready["httpGet"], alive["httpGet"]) == (
        {"path": "/readyz", "port": "admin"},
        {"path": "/livez", "port": "admin"},
    )
    assert ready["periodSeconds"] * ready["failureThreshold"] <= configured.drain.delay


def test_the_names_in_the_manifest_go_together() -> None:
    deployment, service = manifests()["Deployment"], manifests()["Service"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert labels == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["volumes"][0]["configMap"]["name"] == manifests()["ConfigMap"]["metadata"]["name"]
    assert {port["targetPort"] for port in service["spec"]["ports"]} == {"http"}


# How it fails, and the rest


def test_the_codes_of_the_table_have_pages() -> None:
    codes = re.findall(r"503 `(\w+)`", section(README, "How it fails"))
    assert codes
    assert all((DOCS / "problems" / f"{code.replace('_', '-')}.md").exists() for code in codes)


def test_the_tests_are_run_by_a_program_that_is_there() -> None:
    (command,) = typed(only("$ tests/run"))
    assert os.access(CHECKOUT / command, os.X_OK)


# What compares


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a …\n", "a 1\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a …\n", "a 1\nb\n", False),
        ("a\n", "a\nb\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_an_ellipsis_stands_for_a_part_of_a_line_or_for_lines(shown: str, printed: str, alike: bool) -> None:
    assert fits(shown, printed) is alike
