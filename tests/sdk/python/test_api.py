"""The server API through the official client `cent`."""

import pytest
from cent import (
    BatchRequest,
    BroadcastRequest,
    CentApiResponseError,
    CentUnauthorizedError,
    ChannelsRequest,
    Client,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    StreamPosition,
)


@pytest.fixture(params=["json"])
def encoding(request):
    """The server API has one encoding; people who listen use JSON."""
    return request.param


async def test_a_publish_names_its_place_and_a_key_makes_it_happen_once(api, channel):
    room = channel()
    first = await api.publish(PublishRequest(channel=room, data={"n": 1}, idempotency_key="key"))
    again = await api.publish(PublishRequest(channel=room, data={"n": 1}, idempotency_key="key"))
    assert (first.offset, first.epoch) == (again.offset, again.epoch)
    assert first.offset == 1
    assert (await api.publish(PublishRequest(channel=room, data={"n": 2}))).offset == 2
    with pytest.raises(CentApiResponseError) as refusal:
        await api.publish(PublishRequest(channel=room, data={"n": 3}, idempotency_key="key"))
    assert refusal.value.code == 107


async def test_a_broadcast_answers_for_each_channel_in_order(api, channel):
    rooms = [channel(), "nowhere:room", channel()]
    responses = (await api.broadcast(BroadcastRequest(channels=rooms, data="all", idempotency_key="key"))).responses
    assert [r.result and r.result.offset for r in responses] == [1, None, 1]
    assert responses[1].error.code == 102
    again = (await api.broadcast(BroadcastRequest(channels=rooms, data="all", idempotency_key="key"))).responses
    assert [r.result and r.result.offset for r in again] == [1, None, 1]


async def test_a_history_in_pages(api, channel):
    room = channel()
    for n in range(1, 6):
        await api.publish(PublishRequest(channel=room, data=n, tags={"n": str(n)}))

    async def page(**options):
        return await api.history(HistoryRequest(channel=room, **options))

    whole = await page(limit=-1)
    assert [p.data for p in whole.publications] == [1, 2, 3, 4, 5]
    assert whole.publications[0].tags == {"n": "1"}
    assert whole.offset == 5
    since = StreamPosition(offset=3, epoch=whole.epoch)
    assert [p.data for p in (await page(limit=10, since=since)).publications] == [4, 5]
    assert [p.data for p in (await page(limit=2, reverse=True)).publications] == [5, 4]
    assert (await page(limit=0)).publications == []

    await api.history_remove(HistoryRemoveRequest(channel=room))
    emptied = await page(limit=-1)
    assert (emptied.publications, emptied.offset, emptied.epoch) == ([], 5, whole.epoch)
    assert (await api.publish(PublishRequest(channel=room, data=6))).offset == 6


async def test_who_is_where(api, channel, join):
    room = channel()
    ana = await join("ana", claims={"info": {"name": "Ana"}})
    await ana.enter(room)
    presence = (await api.presence(PresenceRequest(channel=room))).presence
    assert list(presence) == [ana.client]
    assert (presence[ana.client].user, presence[ana.client].conn_info) == ("ana", {"name": "Ana"})
    stats = await api.presence_stats(PresenceStatsRequest(channel=room))
    assert (stats.num_clients, stats.num_users) == (1, 1)
    channels = (await api.channels(ChannelsRequest(pattern=room))).channels
    assert {name: info.num_clients for name, info in channels.items()} == {room: 1}

    node = (await api.info(InfoRequest())).nodes[0]
    assert node.uid and node.version
    assert node.num_clients >= 1
    assert node.num_channels >= 1


async def test_many_commands_in_one_call(api, channel):
    room = channel()
    replies = (
        await api.batch(
            BatchRequest(
                requests=[
                    PublishRequest(channel=room, data=1),
                    PublishRequest(channel=room, data=2),
                    HistoryRequest(channel=room, limit=10),
                    PresenceStatsRequest(channel=room),
                ]
            )
        )
    ).replies
    assert [replies[0].offset, replies[1].offset] == [1, 2]
    assert [p.data for p in replies[2].publications] == [1, 2]
    assert replies[3].num_clients == 0


async def test_a_refresh_that_says_expired_ends_the_connection(api, channel, join):
    user = f"ana-{channel()}"
    ana = await join(user)
    await api.refresh(RefreshRequest(user=user, expired=True))
    away = await ana.heard.next("connecting", lambda context: context.code > 1)
    assert away.code == 3005


@pytest.mark.parametrize(
    ("code", "request_"),
    [
        (102, PublishRequest(channel="nowhere:room", data=1)),
        (107, PublishRequest(channel="", data=1)),
        (108, PresenceRequest(channel="signal:room")),
        (108, HistoryRequest(channel="signal:room", limit=1)),
    ],
    ids=["unknown namespace", "no channel", "no presence here", "no history here"],
)
async def test_what_is_refused(api, code, request_):
    with pytest.raises(CentApiResponseError) as refusal:
        await api._send(request_)
    assert refusal.value.code == code


def test_a_wrong_key_opens_nothing(node):
    with pytest.raises(CentUnauthorizedError):
        Client(node.api_url, "wrong").info(InfoRequest())
