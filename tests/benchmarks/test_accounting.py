"""What is read from /proc."""

import os

from benchmarks.accounting import TICKS, Cpu, Snapshot, busy_seconds, fields_of, memory_of


def process(parent: int, user: int, kernel: int) -> list[str]:
    return fields_of(f"1 (a) S {parent} 0 0 0 0 0 0 0 0 0 {user} {kernel} 0 0")


def test_a_core_that_idles_or_waits_for_a_disk_is_not_busy() -> None:
    assert busy_seconds("cpu 100 20 30 4000 500 6 7 8 0 0") == (100 + 20 + 30 + 6 + 7 + 8) / TICKS


def test_a_name_with_blanks_and_parentheses_is_skipped() -> None:
    assert fields_of("7 (a) b) c) S 1 2")[:2] == ["S", "1"]


def test_a_server_has_used_what_its_children_have_used() -> None:
    processes = {1: process(0, 9999, 0), 5: process(1, 100, 50), 6: process(5, 10, 5), 7: process(6, 1, 1)}
    snapshot = Snapshot(0, 0, {**processes, 8: process(1, 777, 7)})
    assert sorted(snapshot.below(5)) == [5, 6, 7]
    assert snapshot.cpu(5) == Cpu(150 / TICKS, 50 / TICKS) + Cpu(15 / TICKS, 5 / TICKS) + Cpu(2 / TICKS, 1 / TICKS)


def test_a_process_that_has_ended_has_used_nothing() -> None:
    assert Snapshot(0, 0, {}).cpu(5) == Cpu()


def test_cpu_is_counted_between_two_moments() -> None:
    assert Cpu(3.0, 2.0) - Cpu(1.0, 0.5) == Cpu(2.0, 1.5)


def test_this_process_is_found_with_its_memory() -> None:
    assert os.getpid() in Snapshot.take().processes
    assert memory_of(os.getpid()) > 1
