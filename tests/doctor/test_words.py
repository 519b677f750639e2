"""A report as text and as JSON."""

import json

from gateway.doctor import Report, as_json, as_text
from gateway.doctor.findings import about, failure, ok, skipped, warning

URL = (
    "https://login.example.com/a/rather/long/path-with-dashes/that/must/not/be/broken/.well-known/openid-configuration"
)
REPORT = Report(
    (
        *about("provider okta", [ok("reachable", "It is."), failure("issuer", "It differs.", "Write another one.")]),
        *about(
            "route orders", [warning("contract", "Nobody has one.", "Write one."), skipped("address", "In use.", "?")]
        ),
    )
)


def test_a_report_is_grouped_by_subject_and_ends_with_a_count() -> None:
    assert as_text(REPORT) == (
        "provider okta\n"
        "  ok  reachable       It is.\n"
        "  XX  issuer          It differs.\n"
        "                    > Write another one.\n"
        "\n"
        "route orders\n"
        "  !!  contract        Nobody has one.\n"
        "                    > Write one.\n"
        "  --  address         In use.\n"
        "                    > ?\n"
        "\n"
        "4 checks: 1 ok, 1 warning, 1 failure, 1 skipped"
    )


def test_lines_are_narrow_but_for_what_is_to_be_copied() -> None:
    text = as_text(Report((failure("metadata", f"{URL} answered {'and answered ' * 20}", f"Write metadata: {URL}"),)))
    wide = [line for line in text.splitlines() if len(line) > 96]
    assert [line.split() for line in wide] == [["XX", "metadata", URL], [URL]] or all(URL in line for line in wide)
    assert text.count(URL) == 2


def test_a_report_for_machines() -> None:
    assert json.loads(as_json(Report(REPORT.findings[:2]))) == {
        "healthy": False,
        "findings": [
            {"subject": "provider okta", "check": "reachable", "result": "ok", "seen": "It is.", "advice": ""},
            {
                "subject": "provider okta",
                "check": "issuer",
                "result": "failure",
                "seen": "It differs.",
                "advice": "Write another one.",
            },
        ],
    }


def test_only_a_failure_makes_a_configuration_unhealthy() -> None:
    assert not REPORT.healthy
    assert Report(tuple(finding for finding in REPORT.findings if finding.result != "failure")).healthy
