"""The page about operations: metrics, log fields, commands, exit codes, admin requests and the unit, as they are."""

import json
import re
import shlex
from configparser import ConfigParser
from typing import cast

import pytest
from typer.main import get_command

from gateway import run, serve
from gateway.access_log import Lines, fault
from gateway.admin import Admin
from gateway.build import this_build
from gateway.cli import app
from gateway.exchange import Exchange, Flag
from gateway.metrics_merge import Ledger
from gateway.serve import Serving
from gateway.settings import parse
from tests.docs.checks import find_checks
from tests.docs.codes import find_codes
from tests.docs.commands import commands
from tests.docs.metrics import Metric, find_metrics
from tests.docs.pages import CODE, DOCS, blocks, code, section, sentences, tables
from tests.fakes import NOON

PAGE = DOCS / "operations.md"
CLIENTS = DOCS / "client-management.md"
METRICS, ALERTS = tables(PAGE, "Metrics")
FIELDS, FLAGS = tables(PAGE, "Access log")


def an_exchange(flag: Flag = Flag.NONE) -> Exchange:
    return Exchange(request_id="1", received_at=NOON, flag=flag)


def test_the_page_lists_every_metric_with_its_type_and_labels() -> None:
    listed = {Metric(code(name), kind, frozenset(CODE.findall(labels))) for name, kind, labels, _ in METRICS}
    assert listed == find_metrics()


def test_what_several_workers_add_is_among_them() -> None:
    shown = set(re.findall(r"^(tokenward_\w+) ", Ledger().text(workers=2), re.MULTILINE))
    assert shown <= {code(row[0]) for row in METRICS}


@pytest.mark.parametrize("expression", [code(row[0]) for row in ALERTS])
def test_an_alert_names_metrics_and_label_values_that_there_are(expression: str) -> None:
    names = {code(row[0]) for row in METRICS}
    assert set(re.findall(r"tokenward_\w+", expression)) <= names
    values = re.findall(r'(?:code|outcome)="(\w+)"', expression)
    assert set(values) <= set(find_codes().problems)


def test_the_page_lists_every_field_of_the_access_log() -> None:
    line = json.loads(Lines(b"key").line(an_exchange()))
    assert {name for row in FIELDS for name in CODE.findall(row[0])} == set(line)


def test_the_page_lists_every_flag_and_whose_fault_it_is() -> None:
    listed = {"" if name == "empty" else code(name): at_fault for name, at_fault, _ in FLAGS}
    assert listed == {flag.value: fault(an_exchange(flag)) for flag in Flag}


def test_the_page_lists_every_request_that_the_admin_port_takes() -> None:
    listed = {code(row[0]) for row in tables(PAGE, "The admin port")[0]}
    serving = cast(Serving, None)  # nothing is asked of it
    routes = Admin(serving, this_build()).application().router.routes()
    taken = {f"{route.method} {route.resource.canonical}" for route in routes if route.resource}
    assert listed == {request for request in taken if not request.startswith("HEAD")}


def test_the_page_says_what_needs_a_restart() -> None:
    sentence = section(PAGE, "Reload").partition("These need a restart")[2]
    assert tuple(CODE.findall(sentence)) == serve.RESTART


def test_the_page_says_what_draining_takes() -> None:
    drain = parse("routes: {}").drain
    assert f"`drain.delay` seconds ({drain.delay:g})" in sentences(PAGE)
    assert f"`drain.timeout` seconds ({drain.timeout:g})" in sentences(PAGE)


def test_this_page_and_that_about_clients_list_every_command() -> None:
    listed = [code(row[0]) for page in (PAGE, CLIENTS) for row in tables(page, "Commands")[0]]
    assert sorted(listed) == sorted(commands("tokenward", get_command(app)))


def test_the_page_lists_every_check_of_the_doctor() -> None:
    assert {name for row in tables(PAGE, "Doctor")[0] for name in CODE.findall(row[0])} == find_checks()


def test_the_page_lists_every_exit_code() -> None:
    listed = {int(row[0]) for row in tables(PAGE, "Exit codes")[0]}
    assert listed == {run.OK, run.FAILED, 2, run.BAD_SETTINGS}


def unit() -> ConfigParser:
    (block,) = (block for block in blocks(PAGE) if block.language == "ini")
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the names of a unit are told apart by case
    parser.read_string(block.text)
    return parser


def test_the_unit_does_not_restart_what_cannot_start() -> None:
    assert unit()["Service"]["RestartPreventExitStatus"] == str(run.BAD_SETTINGS)


def test_the_unit_waits_until_the_gateway_has_drained() -> None:
    drain = parse("routes: {}").drain
    assert int(unit()["Service"]["TimeoutStopSec"]) > drain.delay + drain.timeout + run.GRACE


def test_the_unit_starts_a_command_that_there_is() -> None:
    program, *words = shlex.split(unit()["Service"]["ExecStart"])
    assert program.endswith("/tokenward")
    assert f"tokenward {words[0]}" in commands("tokenward", get_command(app))
