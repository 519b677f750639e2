"""What is kept of a run."""

from pathlib import Path

from benchmarks.record import Tried, read_record, write_record
from tests.benchmarks.records import measured, record, sample

RUN = record(
    measured("plain", "tokenward", sample(500), sample(700)),
    tried=[Tried(trial="stampede", gateway="tokenward", repetition=1, figures={"calls": 1})],
)


def test_a_run_can_be_read_as_it_was_written(tmp_path: Path) -> None:
    write_record(RUN, tmp_path / "data.json")
    assert read_record(tmp_path / "data.json") == RUN


def test_digits_that_nobody_measured_are_dropped(tmp_path: Path) -> None:
    write_record(record(measured("plain", "nginx", sample(31_897.123456))), tmp_path / "data.json")
    (kept,) = read_record(tmp_path / "data.json").measured
    assert kept.sample.rate == 31_897.0


def test_samples_are_found_by_repetition() -> None:
    assert [each.rate for each in RUN.samples("plain", "tokenward").values()] == [500, 700]
    assert RUN.samples("plain", "nginx") == {}


def test_gateways_are_those_that_took_part_in_the_order_that_was_given() -> None:
    assert RUN.gateways(["nginx", "tokenward"]) == ["tokenward"]
