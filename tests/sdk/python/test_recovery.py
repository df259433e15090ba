"""People who come back hear what they missed, once and in order, or are told that they cannot."""

import asyncio

import pytest
from cent import BatchRequest, HistoryRequest, PublishRequest
from centrifuge import CentrifugeError

RESTARTS_WITHIN = 20.0  # seconds


async def announce(api, room, values):
    """Has the server API say these, in order."""
    await api.batch(BatchRequest(requests=[PublishRequest(channel=room, data=value) for value in values]))


async def test_what_was_missed_while_the_network_was_gone(join, channel, api):
    room = channel()
    ana = await join("ana")
    seat = await ana.enter(room)
    await announce(api, room, range(1, 4))
    await seat.hears(3)
    ana.lose_network()
    await announce(api, room, range(4, 9))
    back = await seat.heard.next("subscribed")
    assert (back.was_recovering, back.recovered) == (True, True)
    await announce(api, room, range(9, 11))
    assert await seat.hears(10) == list(range(1, 11))
    assert seat.offsets() == list(range(1, 11))


@pytest.mark.parametrize(("missed", "whole"), [(300, True), (301, False)])
async def test_the_limit_of_what_can_be_recovered(join, channel, api, missed, whole):
    room = channel()
    ana = await join("ana")
    seat = await ana.enter(room)
    await announce(api, room, [1])
    await seat.hears(1)
    await ana.sdk.disconnect()
    await announce(api, room, range(2, 2 + missed))
    await ana.sdk.connect()
    back = await seat.heard.next("subscribed")
    assert (back.was_recovering, back.recovered) == (True, whole)
    await announce(api, room, [2 + missed])
    expected = list(range(1, 3 + missed)) if whole else [1, 2 + missed]
    assert await seat.hears(len(expected)) == expected


async def test_every_acknowledged_message_is_there_once_and_in_order_after_the_node_was_killed(
    node, join, channel, api
):
    room = channel()
    mouth, ear = await (await join("ana")).enter(room), await (await join("bo")).enter(room)
    acknowledged: set[int] = set()
    following = iter(range(1, 10_000))

    async def talk(last: int) -> None:
        for n in following:
            try:
                await mouth.say(n)
                acknowledged.add(n)
            except CentrifugeError:
                pass  # Under way when the node died: it may or may not have happened.
            if n >= last:
                return

    last = 0
    for _ in range(3):
        # More than what is heard before the kill, less than what can be recovered.
        last += 200
        talking = asyncio.gather(*(talk(last) for _ in range(8)))
        await ear.hears(len(ear.said()) + 40)
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        assert (await ear.heard.next("subscribed", deadline=RESTARTS_WITHIN)).recovered
        await talking
    assert len(acknowledged) >= 120

    history = await api.history(HistoryRequest(channel=room, limit=-1))
    journal = [publication.data for publication in history.publications]
    await ear.hears(history.offset)
    assert ear.offsets() == list(range(1, history.offset + 1)), "each offset once, in order"
    assert ear.said() == journal, "what was heard is what is kept"
    assert acknowledged <= set(journal), "nothing acknowledged is lost"
    assert len(set(journal)) == len(journal), "nothing is there twice"


async def test_a_node_that_is_told_to_stop_sends_its_people_away_to_come_back(node, join, channel, api):
    room = channel()
    ana = await join("ana")
    seat = await ana.enter(room)
    node.tell_to_stop()
    away = await ana.heard.next("connecting", lambda context: context.code > 1)
    assert (away.code, away.reason) == (3001, "shutdown")
    assert await asyncio.to_thread(node.terminate) == 0

    await asyncio.to_thread(node.start)
    await announce(api, room, ["welcome back"])
    assert (await seat.heard.next("subscribed", deadline=RESTARTS_WITHIN)).recovered
    assert await seat.hears(1) == ["welcome back"]
