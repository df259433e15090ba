"""What is not allowed, and what that does to nobody else."""

import pytest
from centrifuge import CentrifugeError, ReplyError


@pytest.mark.parametrize(("prefix", "code"), [("nowhere:", 102), ("closed:", 103), ("mine:#eve,", 103)])
async def test_a_channel_that_is_not_ours(join, channel, prefix, code):
    ana = await join("ana")
    room = channel(prefix)
    seat = ana.seat(room)
    await seat.sdk.subscribe()
    assert (await seat.heard.next("unsubscribed")).code == code
    with pytest.raises(ReplyError) as refusal:
        await ana.sdk.publish(room, ana.pack(1))
    assert refusal.value.code == code


async def test_a_channel_that_names_us(join, channel):
    ana = await join("ana")
    seat = await ana.enter(channel("mine:") + "#eve,ana")
    await seat.say("mine")
    assert await seat.hears(1) == ["mine"]


async def test_a_method_that_nobody_serves(join):
    ana = await join("ana")
    with pytest.raises(ReplyError) as refusal:
        await ana.rpc("no such method", {})
    assert refusal.value.code in (104, 108)


async def test_a_publish_with_a_key_happens_once(join, channel):
    room = channel()
    ana = await join("ana")
    seat = await ana.enter(room)
    attempt = {"channel": room, "data": {"text": "once"}, "idempotency_key": "key"}
    for _ in range(3):
        await ana.rpc("publish", attempt)
    await seat.say("next")
    assert await seat.hears(2) == [{"text": "once"}, "next"]


async def test_a_message_over_the_limit_ends_its_sender_and_nobody_else(join, channel):
    room = channel()
    ana, bo = await join("ana"), await join("bo")
    a, b = await ana.enter(room), await bo.enter(room)
    with pytest.raises(CentrifugeError):
        await a.say("x" * 70_000)
    # The SDK's own word for the close code 1009. It comes back, unlike the one for JavaScript.
    assert (await ana.heard.next("connecting", lambda context: context.code != 0)).code == 3
    await b.say("still here")
    assert await b.hears(1) == ["still here"]
