"""What was said before, forwards, backwards and from a position."""

import pytest
from centrifuge import ReplyError, StreamPosition


@pytest.fixture
def room_of_ten(join, channel):
    async def make(prefix=""):
        ana = await join("ana")
        seat = await ana.enter(channel(prefix))
        await seat.say_all(list(range(1, 11)))
        return seat

    return make


async def test_pages_of_the_history(room_of_ten):
    seat = await room_of_ten()
    epoch = seat.welcome.stream_position.epoch

    assert await seat.history() == ([], 10)
    assert await seat.history(limit=4) == ([1, 2, 3, 4], 10)
    assert await seat.history(limit=-1) == (list(range(1, 11)), 10)
    assert await seat.history(limit=3, since=StreamPosition(4, epoch)) == ([5, 6, 7], 10)
    assert await seat.history(limit=3, since=StreamPosition(10, epoch)) == ([], 10)
    assert await seat.history(limit=3, reverse=True) == ([10, 9, 8], 10)
    assert await seat.history(limit=3, since=StreamPosition(4, epoch), reverse=True) == ([3, 2, 1], 10)


async def test_a_position_of_another_history_is_refused(room_of_ten):
    seat = await room_of_ten()
    with pytest.raises(ReplyError) as refusal:
        await seat.history(limit=1, since=StreamPosition(1, "other"))
    assert refusal.value.code == 112


async def test_the_newest_are_kept_and_counting_goes_on(room_of_ten):
    seat = await room_of_ten("short:")
    assert await seat.history(limit=-1) == ([6, 7, 8, 9, 10], 10)
