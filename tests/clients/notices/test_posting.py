"""Notices on their way: nobody waits for them, and there are never too many."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import stamina

from gateway.clients.notices import Notice, Undeliverable
from gateway.clients.options import Webhook
from gateway.clients.posting import Notices, Postbox, open_notices
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.tasks import Tasks
from tests.clients.notices.test_webhook import SECRET
from tests.fakes import NOON, FakeClock, FakeMetrics
from tests.faulty_server import answer, faulty_server, silent

NOTICE = Notice(id="n-1", verb="contract.requested", at=NOON, application="Shop", api="orders")


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=3, cap=True):
        yield


class Telling:
    """A channel that does what it is told."""

    name = "telling"

    def __init__(self, *outcomes: Exception | None, attempts: int = 3) -> None:
        self.outcomes = list(outcomes)
        self.attempts = attempts
        self.tried: list[Notice] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, notice: Notice) -> None:
        self.tried.append(notice)
        await self.open.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome


def _counted(metrics: FakeMetrics) -> dict[str, float]:
    return {
        outcome: metrics["notices", "channel=telling", f"outcome={outcome}"].value
        for outcome in ("sent", "failed", "dropped")
    }


async def _posted(channel: Telling, *notices: Notice, room: int = 10) -> dict[str, float]:
    metrics, tasks = FakeMetrics(), Tasks()
    postbox = Postbox(channel, metrics, room)
    tasks.start(postbox.run())
    for notice in notices:
        postbox.put(notice)
    async with asyncio.timeout(5):
        await postbox.until_empty()
    await tasks.close()
    return _counted(metrics)


async def test_a_notice_is_tried_a_few_times() -> None:
    channel = Telling(Unavailable("not now"), Unavailable("nor now"))
    assert await _posted(channel, NOTICE) == {"sent": 1, "failed": 0, "dropped": 0}
    assert [each.id for each in channel.tried] == ["n-1"] * 3


async def test_a_notice_is_given_up_in_the_end_and_the_next_one_goes_out() -> None:
    channel = Telling(*(Unavailable("not now") for _ in range(3)))
    assert await _posted(channel, NOTICE, replace(NOTICE, id="n-2")) == {"sent": 1, "failed": 1, "dropped": 0}


async def test_what_is_refused_for_good_is_tried_once() -> None:
    channel = Telling(Undeliverable("never"))
    assert await _posted(channel, NOTICE) == {"sent": 0, "failed": 1, "dropped": 0}
    assert len(channel.tried) == 1


async def test_a_fault_of_ours_keeps_no_other_notice_from_its_way(caplog: pytest.LogCaptureFixture) -> None:
    channel = Telling(KeyError("oops"))
    assert await _posted(channel, NOTICE, NOTICE) == {"sent": 1, "failed": 1, "dropped": 0}
    assert "cannot be written" in caplog.text


async def test_too_many_are_dropped_and_counted() -> None:
    channel = Telling()
    channel.open.clear()
    metrics, tasks = FakeMetrics(), Tasks()
    postbox = Postbox(channel, metrics, room=5)
    tasks.start(postbox.run())
    for _ in range(10_000):
        postbox.put(NOTICE)
    assert _counted(metrics)["dropped"] == 10_000 - 5
    channel.open.set()
    await postbox.until_empty()
    await tasks.close()
    assert _counted(metrics) == {"sent": 5, "failed": 0, "dropped": 10_000 - 5}


async def test_notices_go_out_to_a_real_receiver_that_fails_at_first() -> None:
    metrics = FakeMetrics()
    async with faulty_server(answer(status=503), answer(status=204)) as server:
        options = Webhook(url=server.url, secret=SECRET)
        async with open_notices(None, options, open_fetch, FakeClock(), metrics) as notices:
            notices(NOTICE)
        assert [received.header("webhook-id") for received in server.received] == ["n-1", "n-1"]
    assert metrics["notices", "channel=webhook", "outcome=sent"].value == 1


async def test_the_end_does_not_wait_for_a_receiver_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.clients.posting.LINGER", 0.05)
    metrics = FakeMetrics()
    async with faulty_server(silent()) as server, asyncio.timeout(3):
        options = Webhook(url=server.url, secret=SECRET, timeout=30.0)
        async with open_notices(None, options, open_fetch, FakeClock(), metrics) as notices:
            for _ in range(3):
                notices(NOTICE)
            await server.until_received(1)
    assert metrics["notices", "channel=webhook", "outcome=dropped"].value == 3


@pytest.mark.case("C296")
async def test_no_secret_of_the_options_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with faulty_server(answer(status=400)) as server:
        options = Webhook(url=server.url, secret=SECRET)
        async with open_notices(None, options, open_fetch, FakeClock(), FakeMetrics()) as notices:
            notices(NOTICE)
    assert "was not delivered by webhook" in caplog.text
    assert SECRET.get_secret_value()[6:] not in caplog.text


async def test_where_nobody_is_to_be_told_nothing_is_kept() -> None:
    async with open_notices(None, None, open_fetch, FakeClock(), FakeMetrics()) as notices:
        notices(NOTICE)
        assert isinstance(notices, Notices)
