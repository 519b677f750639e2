"""How acceptance cases are counted."""

import re

import pytest

from tests.cases import BLOCKS, read_cases

pytest_plugins = ["pytester"]

TESTS = """
    import pytest

    @pytest.mark.case("C001", "C002")
    @pytest.mark.parametrize("way", [1, 2])
    def test_proves(way): raise AssertionError("nothing is run")

    @pytest.mark.case("C003")
    @pytest.mark.skip(reason="not today")
    def test_is_skipped(): ...

    @pytest.mark.case("C004")
    @pytest.mark.skipif(True, reason="not here")
    def test_is_skipped_here(): ...

    @pytest.mark.case("C005")
    @pytest.mark.skipif(False, reason="elsewhere")
    def test_is_skipped_elsewhere(): ...

    @pytest.mark.case("C107")
    @pytest.mark.xfail(reason="known")
    def test_fails(): ...
"""


@pytest.fixture
def counted(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nmarkers = case(*numbers): the cases\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest('pytest_plugins = ["tests.cases"]')
    return pytester


def test_a_block_tells_how_many_of_its_cases_are_proven_and_which_are_open(counted: pytest.Pytester) -> None:
    counted.makepyfile(TESTS)
    result = counted.runpytest("--cases")
    result.stdout.fnmatch_lines(
        ["A how the token is presented: 3 of 22", "  open: C003 scheme-case, C004 *", "proven: 3 of 236"]
    )
    assert result.ret == 0


def test_a_proof_is_named_once_however_often_it_is_parametrised(counted: pytest.Pytester) -> None:
    counted.makepyfile(test_it=TESTS)
    output = counted.runpytest("--cases=verbose").stdout.str()
    assert output.count("  C001 no-cred: test_it.py::test_proves\n") == 1


@pytest.mark.parametrize("marker", ['"C999"', '"c001"', ""])
def test_a_marker_that_names_no_case_is_an_error(marker: str, counted: pytest.Pytester) -> None:
    counted.makepyfile(f"import pytest\n@pytest.mark.case({marker})\ndef test_it(): ...")
    result = counted.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it: no such acceptance case: *"])


def test_the_list_has_a_number_a_block_and_a_name_for_each_case() -> None:
    cases = read_cases().values()
    assert len(cases) == 236
    assert {case.block for case in cases} == set(BLOCKS)
    assert all(re.fullmatch(r"C\d{3}", case.number) and re.fullmatch(r"[A-Za-z0-9-]+", case.name) for case in cases)
