"""The page of results."""

from benchmarks.record import Tried
from benchmarks.table import markdown, number, page
from tests.benchmarks.records import measured, record, sample
from tests.docs.pages import CODE

RUN = record(
    measured("plain", "nginx", sample(1000), sample(2000)),
    measured("plain", "tokenward", sample(500, foreign=0.05), sample(1200, foreign=0.01, wrong=3)),
    measured("opaque1", "nginx", sample(2000), sample(1000)),
    measured("opaque1", "tokenward", sample(400), sample(800)),
    measured("opaque1", "apache", sample(100), sample(400)),
    tried=[
        Tried(trial="stampede", gateway="tokenward", repetition=number, figures={"calls": 1, "wrong": 0, "last": last})
        for number, last in ((1, 60.0), (2, 80.0))
    ],
)


def row(text: str, scenario: str, gateway: str) -> list[str]:
    """The cells of that gateway in that table."""
    section = text.split(f"## {scenario}: ")[1].split("##")[0]
    (line,) = (line for line in section.splitlines() if line.startswith(f"| {gateway} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_rate_with_its_spread_and_both_ratios() -> None:
    assert row(page(RUN), "plain", "Tokenward")[:4] == ["Tokenward", "850 (500 to 1,200)", "0.55 (0.50 to 0.60)", "-"]
    assert row(page(RUN), "opaque1", "Tokenward")[1:4] == [
        "600 (400 to 800)",
        "0.50 (0.20 to 0.80)",
        "3.00 (2.00 to 4.00)",
    ]


def test_a_row_has_the_worst_disturbance_and_every_wrong_answer() -> None:
    assert row(page(RUN), "plain", "Tokenward")[-2:] == ["5%", "3"]


def test_a_trial_has_its_own_columns_and_a_spread_where_there_is_one() -> None:
    assert "| gateway | introspection calls | wrong answers | last answer after, ms |" in page(RUN)
    assert row(page(RUN), "stampede", "Tokenward") == ["Tokenward", "1", "0", "70 (60 to 80)"]


def test_a_figure_that_could_not_be_had_is_a_dash() -> None:
    run = record(tried=[Tried(trial="stampede", gateway="apache", repetition=1, figures={"calls": 46})])
    assert row(page(run), "stampede", "Apache mod_oauth2")[1:] == ["46", "-", "-"]


def test_the_page_says_how_it_was_measured_and_on_what() -> None:
    assert "python -m benchmarks" in CODE.findall(page(RUN))
    assert all(text in page(RUN) for text in ("cores: 2", "nginx 1.22", "It was quiet."))


def test_scenarios_that_were_not_measured_have_no_table() -> None:
    assert "## cold" not in page(RUN)


def test_numbers_have_as_many_digits_as_mean_something() -> None:
    assert [number(each) for each in (0.0, 3.0, 0.456, 12.34, 1234.5)] == ["0", "3", "0.46", "12.3", "1,234"]


def test_the_first_column_of_a_table_is_text_and_the_others_are_numbers() -> None:
    assert markdown(("a", "b"), [("x", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
