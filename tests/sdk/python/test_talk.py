"""People who talk: publish, hear, presence, join and leave."""

import asyncio

import pytest
from centrifuge import ReplyError


async def test_the_publisher_hears_its_own_message_and_who_it_is_from(join, channel):
    ana = await join("ana", claims={"info": {"name": "Ana"}})
    seat = await ana.enter(channel())
    await seat.say({"text": "hello, \u2603\n"})
    assert await seat.hears(1) == [{"text": "hello, \u2603\n"}]
    pub = seat.heard.all("publication")[0].pub
    assert pub.offset == 1
    assert (pub.info.user, pub.info.client) == ("ana", ana.client)
    assert ana.unpack(pub.info.conn_info) == {"name": "Ana"}


async def test_two_people_hear_everything_in_the_same_order(join, channel):
    room = channel()
    ana, bo = await join("ana"), await join("bo")
    a, b = await ana.enter(room), await bo.enter(room)
    await asyncio.gather(a.say_all(list(range(25))), b.say_all(list(range(25, 50))))
    assert await a.hears(50) == await b.hears(50)
    assert sorted(a.said()) == list(range(50))
    assert a.offsets() == list(range(1, 51))
    assert [n for n in a.said() if n < 25] == list(range(25)), "the order of one publisher is kept"


async def test_who_is_here(join, channel):
    room = channel()
    people = [await join("ana"), await join("ana"), await join("bo")]
    seats = [await somebody.enter(room) for somebody in people]
    clients = (await seats[0].sdk.presence()).clients
    assert {name: info.user for name, info in clients.items()} == {p.client: p.user for p in people}
    stats = await seats[0].sdk.presence_stats()
    assert (stats.num_clients, stats.num_users) == (3, 2)


async def test_joins_and_leaves_are_announced_to_those_who_asked(join, channel):
    room = channel()
    ana, bo = await join("ana"), await join("bo")
    seat = await ana.enter(room, join_leave=True)
    other = await bo.enter(room)
    await seat.heard.next("join", lambda context: context.info.user == "bo")
    await other.sdk.unsubscribe()
    await seat.heard.next("leave", lambda context: context.info.user == "bo")
    await other.sdk.subscribe()
    await seat.heard.next("join", lambda context: context.info.user == "bo")
    bo.lose_network()
    await seat.heard.next("leave", lambda context: context.info.user == "bo")
    assert other.heard.all("join") == []


async def test_who_unsubscribes_is_left_alone_and_may_come_back(join, channel):
    room = channel()
    ana, bo = await join("ana"), await join("bo")
    a, b = await ana.enter(room), await bo.enter(room)
    await b.sdk.unsubscribe()
    await b.heard.next("unsubscribed", lambda context: context.code == 0)
    await a.say(1)
    await a.hears(1)
    await b.sdk.subscribe()
    assert (await b.heard.next("subscribed")).recovered
    assert await b.hears(1) == [1]


async def test_signals_have_neither_offset_nor_history(join, channel):
    room = channel("signal:")
    ana, bo = await join("ana"), await join("bo")
    a, b = await ana.enter(room), await bo.enter(room)
    await a.say("typing")
    assert await b.hears(1) == ["typing"]
    assert b.offsets() == [0]
    with pytest.raises(ReplyError) as refusal:
        await b.sdk.history(limit=1)
    assert refusal.value.code == 108
