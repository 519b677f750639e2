"""However many ask the same question at once, it is asked once."""

import asyncio

import pytest

from gateway.flights import Flights
from gateway.policy import Unavailable
from gateway.tasks import Tasks


class Question:
    """A question whose answer is given by the test."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.asked += 1
        return await asyncio.shield(self.answer)


@pytest.fixture
def flights() -> Flights[str, str]:
    return Flights(Tasks())


async def waiting(
    flights: Flights[str, str], question: Question, *, times: int, key: str = "key"
) -> list[asyncio.Task[str]]:
    callers = [asyncio.ensure_future(flights.join(key, question)) for _ in range(times)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return callers


@pytest.mark.case("C105")
async def test_all_who_wait_receive_the_one_answer(flights: Flights[str, str]) -> None:
    question = Question()
    callers = await waiting(flights, question, times=500)
    assert flights.waiting == 500
    question.answer.set_result("yes")
    assert await asyncio.gather(*callers) == ["yes"] * 500
    assert question.asked == 1
    assert flights.waiting == 0


@pytest.mark.case("C105")
async def test_all_who_wait_receive_the_one_failure_and_the_next_one_asks_again(flights: Flights[str, str]) -> None:
    question = Question()
    callers = await waiting(flights, question, times=3)
    question.answer.set_exception(Unavailable("idp is down"))
    failures = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(failure) for failure in failures] == [Unavailable] * 3

    again = Question()
    again.answer.set_result("yes")
    assert await flights.join("key", again) == "yes"


async def test_an_answer_is_not_kept(flights: Flights[str, str]) -> None:
    question = Question()
    question.answer.set_result("yes")
    await flights.join("key", question)
    await flights.join("key", question)
    assert question.asked == 2


async def test_different_keys_are_different_questions(flights: Flights[str, str]) -> None:
    one, other = Question(), Question()
    first = await waiting(flights, one, times=1, key="one")
    second = await waiting(flights, other, times=1, key="other")
    one.answer.set_result("1")
    other.answer.set_result("2")
    assert await asyncio.gather(*first, *second) == ["1", "2"]


@pytest.mark.case("C139")
async def test_the_first_caller_that_is_cancelled_fails_nobody(flights: Flights[str, str]) -> None:
    question = Question()
    first, second = await waiting(flights, question, times=2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    question.answer.set_result("yes")
    assert await second == "yes"
    assert question.asked == 1


async def test_a_flight_that_all_its_callers_left_still_lands(flights: Flights[str, str]) -> None:
    question = Question()
    (only,) = await waiting(flights, question, times=1)
    flight = flights.lead("key", question)
    only.cancel()
    await asyncio.wait([only])
    question.answer.set_result("yes")
    assert await flight == "yes"
    assert flights.waiting == 0


async def test_a_flight_may_be_led_without_waiting_for_it(flights: Flights[str, str]) -> None:
    question = Question()
    led = flights.lead("key", question)
    (joined,) = await waiting(flights, question, times=1)
    question.answer.set_result("yes")
    assert await led == await joined == "yes"
    assert question.asked == 1


@pytest.mark.case("C106")
async def test_a_question_that_is_asked_while_another_fails_has_its_own_answer(flights: Flights[str, str]) -> None:
    failing, good = Question(), Question()

    async def asks_on_failure() -> str:
        try:
            return await flights.join("one", failing)
        except Unavailable:
            return await flights.join("one", good)

    callers = [asyncio.ensure_future(asks_on_failure()) for _ in range(3)]
    await asyncio.sleep(0)
    failing.answer.set_exception(Unavailable("idp is down"))
    good.answer.set_result("yes")
    assert await asyncio.gather(*callers) == ["yes"] * 3
