"""Tokens: refreshed, ended, wrong; of a connection and of a subscription."""

import asyncio

import pytest
from support.tokens import in_seconds, sign


def bringing(*tokens):
    """A `get_token` that brings these one after the other; after the last it never comes."""
    left = list(tokens)

    async def get_token(*_channel):
        return left.pop(0) if left else await asyncio.Event().wait()

    return left, get_token


async def test_a_token_is_refreshed_and_nobody_notices(join, channel):
    left, twice = bringing(sign({"sub": "ana", "exp": in_seconds(2)}), sign({"sub": "ana", "exp": in_seconds(3600)}))
    ana = await join("ana", get_token=twice)
    seat = await ana.enter(channel())

    # The clock cannot refresh, so it is closed. It comes later and has a second more (ends are whole
    # seconds, so one that has as long may end a second earlier): Ana's first token would have ended by then.
    _, once = bringing(sign({"sub": "clock", "exp": in_seconds(3)}))
    clock = await join("clock", get_token=once)
    closed = await clock.heard.next("connecting", lambda context: context.code == 3005)
    assert closed.reason == "connection expired"
    await seat.say("still here")
    assert await seat.hears(1) == ["still here"]
    assert left == []
    assert len(ana.heard.all("connected")) == 1


async def test_a_token_that_has_ended_is_answered_with_109_so_that_the_sdk_fetches_another(join):
    left, get_token = bringing(sign({"sub": "ana", "exp": in_seconds(3600)}))
    await join("ana", token=sign({"sub": "ana", "exp": in_seconds(-300)}), get_token=get_token)
    assert left == []


@pytest.mark.parametrize(
    "token",
    [
        sign({"sub": "ana"}, secret="another secret, also 32 bytes or more"),
        sign({"sub": "ana", "channel": "room"}),
        "not.a.token",
    ],
    ids=["a foreign key", "a token for a channel", "no token at all"],
)
async def test_a_wrong_token_is_refused_for_good(person, token):
    ana = person("ana", token=token)
    await ana.sdk.connect()
    refused = await ana.heard.next("disconnected")
    assert (refused.code, refused.reason) == (3500, "invalid token")


async def test_a_subscription_that_ends_comes_back_with_a_new_token(join, channel):
    room = channel("$")
    claims = {"sub": "ana", "channel": room}
    _, expiring = bringing(sign({**claims, "exp": in_seconds(2)}))
    fresh = []

    async def get_token(channel):
        return fresh[0] if fresh else await expiring(channel)

    ana = await join("ana")
    seat = await ana.enter(room, get_token=get_token)

    def ended(context):
        if context.code == 2501:
            fresh.append(sign({**claims, "exp": in_seconds(3600)}))
        return context.code == 2501

    assert (await seat.heard.next("subscribing", ended)).reason == "subscription expired"
    await seat.heard.next("subscribed")
    assert len(ana.heard.all("connected")) == 1, "the connection stays"


async def test_a_private_channel_needs_a_token_that_names_it(join, channel):
    room = channel("$")
    ana = await join("ana")
    without = ana.seat(room)
    await without.sdk.subscribe()
    assert (await without.heard.next("unsubscribed")).code == 103

    bo = await join("bo")
    seat = await bo.enter(room, token=sign({"sub": "bo", "channel": room}))
    await seat.say("psst")
    assert await seat.hears(1) == ["psst"]


async def test_a_token_for_another_channel_closes_the_connection_for_good(join, channel):
    ana = await join("ana")
    seat = ana.seat(channel("$"), token=sign({"sub": "ana", "channel": "$other"}))
    await seat.sdk.subscribe()
    assert (await ana.heard.next("disconnected")).code == 3500
