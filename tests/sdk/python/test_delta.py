"""Publications that hardly differ arrive once full and then as differences."""

from centrifuge import DeltaType

HOLDINGS = [
    {"title": "hardly changes", "coins": [{"coin": f"COIN{i}", "note": '\u00fc "quoted"'} for i in range(20)], "price": n}
    for n in range(12)
]


async def test_one_is_full_and_the_others_are_differences(join, channel):
    room = channel("delta:")
    ana = await join("ana")
    seat = await ana.enter(room, delta=DeltaType.FOSSIL)
    for holding in HOLDINGS:
        await seat.say(holding)
    assert await seat.hears(len(HOLDINGS)) == HOLDINGS
    assert [c.pub.delta for c in seat.heard.all("publication")] == [False] + [True] * (len(HOLDINGS) - 1)


async def test_they_are_whole_after_the_network_was_gone(join, channel):
    room = channel("delta:")
    ana, bo = await join("ana"), await join("bo")
    ear, mouth = await ana.enter(room, delta=DeltaType.FOSSIL), await bo.enter(room)
    for holding in HOLDINGS[:4]:
        await mouth.say(holding)
    await ear.hears(4)
    ana.lose_network()
    for holding in HOLDINGS[4:8]:
        await mouth.say(holding)
    assert (await ear.heard.next("subscribed")).recovered
    for holding in HOLDINGS[8:]:
        await mouth.say(holding)
    assert await ear.hears(len(HOLDINGS)) == HOLDINGS
    assert await mouth.hears(len(HOLDINGS)) == HOLDINGS, "and full for those who did not ask"


async def test_they_are_full_in_the_history(join, channel):
    ana = await join("ana")
    seat = await ana.enter(channel("delta:"), delta=DeltaType.FOSSIL)
    for holding in HOLDINGS:
        await seat.say(holding)
    said, _ = await seat.history(limit=-1)
    assert said == HOLDINGS
