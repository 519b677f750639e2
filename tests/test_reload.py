"""The configuration file is noticed to have changed, whichever way it was replaced."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway import reload
from gateway.reload import digest, watch
from gateway.tasks import Tasks

DEADLINE = 15.0


class Changes:
    """Counts what was noticed, and notes what the file said then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noticed: asyncio.Queue[str] = asyncio.Queue()
        self.fails = False

    async def note(self) -> None:
        self._noticed.put_nowait(self._path.read_text())
        if self.fails:
            raise ValueError("the configuration is not valid")

    async def next(self) -> str:
        async with asyncio.timeout(DEADLINE):
            return await self._noticed.get()

    @property
    def more(self) -> bool:
        return not self._noticed.empty()


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Changes]:
    changes, tasks = Changes(path), Tasks()
    tasks.start(watch(path, changes.note))
    await asyncio.sleep(0)  # it has read the file, and begins to watch
    try:
        yield changes
    finally:
        await tasks.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("one")
    return path


def replace(path: Path, text: str) -> None:
    """As an editor does: a new file under a passing name, then a rename."""
    (path.parent / "new").write_text(text)
    (path.parent / "new").rename(path)


async def test_a_change_that_came_between_reading_and_watching_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_ANYWAY", 50)
    changes, tasks, read = Changes(path), Tasks(), digest(path)
    replace(path, "two")
    tasks.start(watch(path, changes.note, read))
    assert await changes.next() == "two"
    await tasks.close()


async def test_a_file_that_is_written_over_is_noticed(path: Path) -> None:
    async with watching(path) as changes:
        path.write_text("two")
        assert await changes.next() in {"two", ""}  # truncated first: nobody promises that both are one step


async def test_a_file_that_is_replaced_is_noticed_each_time(path: Path) -> None:
    async with watching(path) as changes:
        for text in ("two", "three", "four"):
            replace(path, text)
            assert await changes.next() == text


async def test_a_config_map_that_kubernetes_swaps_is_noticed_each_time(tmp_path: Path) -> None:
    mounted = tmp_path / "config.yaml"
    config_map(tmp_path, "..2026_01", "one")
    mounted.symlink_to("..data/config.yaml")
    async with watching(mounted) as changes:
        for number, text in enumerate(("two", "three")):
            config_map(tmp_path, f"..2026_02_{number}", text)
            assert await changes.next() == text


def config_map(folder: Path, version: str, text: str) -> None:
    """As the kubelet does: a new directory, a new link, a rename of the link, and the old directory goes."""
    old = (folder / "..data").resolve()
    (folder / version).mkdir()
    (folder / version / "config.yaml").write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
    with contextlib.suppress(OSError):
        (old / "config.yaml").unlink()
        old.rmdir()


async def test_a_file_behind_a_link_to_another_directory_is_noticed(tmp_path: Path) -> None:
    elsewhere, linked = tmp_path / "elsewhere", tmp_path / "etc"
    elsewhere.mkdir()
    linked.mkdir()
    replace(elsewhere / "real.yaml", "one")
    (linked / "config.yaml").symlink_to(elsewhere / "real.yaml")
    async with watching(linked / "config.yaml") as changes:
        replace(elsewhere / "real.yaml", "two")
        assert await changes.next() == "two"


async def test_a_file_that_was_deleted_and_is_back_is_noticed_for_what_it_says(path: Path) -> None:
    async with watching(path) as changes:
        path.unlink()
        replace(path, "two")
        assert await changes.next() == "two"
        assert not changes.more


async def test_the_whole_directory_may_be_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "config.yaml").write_text("one")
    async with watching(folder / "config.yaml") as changes:
        folder.rename(tmp_path / "old")
        (tmp_path / "next").mkdir()
        (tmp_path / "next" / "config.yaml").write_text("two")
        (tmp_path / "next").rename(folder)
        assert await changes.next() == "two"


async def test_what_leaves_the_content_alone_is_no_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "LOOK_ANYWAY", 50)
    async with watching(path) as changes:
        os.utime(path)
        replace(path, "one")
        (path.parent / "other").write_text("beside it")
        replace(path, "two")
        assert await changes.next() == "two"
        assert not changes.more


async def test_a_change_that_fails_does_not_end_the_watch(path: Path) -> None:
    async with watching(path) as changes:
        changes.fails = True
        replace(path, "two")
        assert await changes.next() == "two"
        changes.fails = False
        replace(path, "three")
        assert await changes.next() == "three"
