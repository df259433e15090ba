"""What the server decides: channels of the token, and what the server API does to people."""

import pytest
from cent import (
    BroadcastRequest,
    Disconnect,
    DisconnectRequest,
    PublishRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)


def said(somebody, room):
    """What somebody heard in a server-side subscription."""
    return [somebody.unpack(c.pub.data) for c in somebody.heard.all("publication") if c.channel == room]


async def test_the_channels_of_a_token_are_there_at_once_and_miss_nothing(person, channel, api):
    news, offers = channel(), channel()
    ana = person("ana", claims={"channels": [news, offers]})
    await ana.sdk.connect()
    assert {(await ana.heard.next("subscribed")).channel for _ in range(2)} == {news, offers}
    await api.broadcast(BroadcastRequest(channels=[news, offers], data=1))
    await ana.heard.count("publication", 2)

    ana.lose_network()
    await api.publish(PublishRequest(channel=news, data=2))
    back = [await ana.heard.next("subscribed") for _ in range(2)]
    assert all(context.recovered for context in back)
    await api.publish(PublishRequest(channel=news, data=3))
    await ana.heard.count("publication", 4)
    assert (said(ana, news), said(ana, offers)) == ([1, 2, 3], [1])


async def test_the_server_api_takes_people_into_a_channel_and_out_again(join, channel, api):
    room = channel()
    user = f"ana-{room}"
    ana = await join(user)
    await api.subscribe(SubscribeRequest(user=user, channel=room))
    assert (await ana.heard.next("subscribed")).channel == room
    await api.publish(PublishRequest(channel=room, data="for you"))
    await ana.heard.count("publication", 1)
    assert said(ana, room) == ["for you"]
    await api.unsubscribe(UnsubscribeRequest(user=user, channel=room))
    assert (await ana.heard.next("unsubscribed")).channel == room


async def test_the_server_api_sends_people_away(join, channel, api):
    user = f"eve-{channel()}"
    eve = await join(user)
    await api.disconnect(DisconnectRequest(user=user, disconnect=Disconnect(code=4000, reason="moved")))
    away = await eve.heard.next("connecting", lambda context: context.code > 1)
    assert (away.code, away.reason) == (4000, "moved")
    await eve.heard.next("connected")
    await api.disconnect(DisconnectRequest(user=user))
    away = await eve.heard.next("disconnected")
    assert (away.code, away.reason) == (3503, "force disconnect")
