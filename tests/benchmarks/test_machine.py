"""How a machine and its results are called."""

from pathlib import Path

from benchmarks.machine import describe, folder_name, processor
from benchmarks.run import unused


def test_the_processor_is_named_as_the_kernel_names_it() -> None:
    assert processor("processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: other\n") == "AMD EPYC"
    assert processor("") == ""


def test_results_are_in_a_folder_by_date_and_machine() -> None:
    machine = {"processor": "Intel(R) Xeon(R) CPU @ 2.20GHz", "cores": "4"}
    assert folder_name("2026-11-23", machine) == "2026-11-23-intel-r-xeon-r-cpu-2-20ghz-4-cores"


def test_earlier_results_are_not_overwritten(tmp_path: Path) -> None:
    assert unused(tmp_path / "day").name == "day"
    for name in ("day", "day-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.json").touch()
    assert unused(tmp_path / "day").name == "day-3"


def test_a_machine_is_described_without_its_name() -> None:
    assert list(describe()) == ["processor", "cores", "memory", "virtual", "system", "kernel"]
