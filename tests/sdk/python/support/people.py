"""A person with the official SDK, in one of its two encodings."""

import asyncio
import json
from typing import Any

from centrifuge import Client, ClientEventHandler, SubscribedContext, Subscription, SubscriptionEventHandler

from .heard import Heard
from .node import Node
from .tokens import sign


class Person:
    """`claims` go into the token, unless `token` or `get_token` bring one; the rest of the options is the SDK's."""

    def __init__(self, node: Node, encoding: str, user: str, claims: dict | None = None, **options: Any) -> None:
        self.node = node
        self.encoding = encoding
        self.user = user
        self.heard = Heard()
        if "token" not in options and "get_token" not in options:
            options["token"] = sign({"sub": user, **(claims or {})})
        self.sdk = Client(
            node.web_socket_url,
            events=recorder(ClientEventHandler, self.heard),
            use_protobuf=encoding == "protobuf",
            min_reconnect_delay=0.05,
            max_reconnect_delay=0.4,
            proxy=None,
            **options,
        )

    @property
    def client(self) -> str:
        """The id of the present connection."""
        return self.heard.all("connected")[-1].client

    def pack(self, value: Any) -> Any:
        """Application data as this encoding carries it: as it is in JSON, as bytes in Protobuf."""
        return json.dumps(value).encode() if self.encoding == "protobuf" else value

    def unpack(self, data: Any) -> Any:
        return json.loads(data) if self.encoding == "protobuf" else data

    async def enter(self, channel: str, **options: Any) -> "Seat":
        """A place in a channel, subscribed."""
        seat = self.seat(channel, **options)
        await seat.sdk.subscribe()
        seat.welcome = await seat.heard.next("subscribed")
        return seat

    def seat(self, channel: str, **options: Any) -> "Seat":
        """A place in a channel, not yet subscribed."""
        return Seat(self, channel, options)

    def lose_network(self) -> None:
        """The network goes, without a word to either side. The SDK comes back by itself."""
        self.sdk._conn.transport.abort()

    async def rpc(self, method: str, value: Any) -> Any:
        """Calls an RPC method; returns what it gave."""
        result = await self.sdk.rpc(method, self.pack(value))
        return self.unpack(result.data) if result.data else None


class Seat:
    welcome: SubscribedContext

    def __init__(self, person: Person, channel: str, options: dict) -> None:
        self.person = person
        self.channel = channel
        self.heard = Heard()
        self.sdk: Subscription = person.sdk.new_subscription(
            channel,
            events=recorder(SubscriptionEventHandler, self.heard),
            min_resubscribe_delay=0.05,
            max_resubscribe_delay=0.4,
            **options,
        )

    async def say(self, value: Any) -> None:
        """Publishes; returns when the server has acknowledged it."""
        await self.sdk.publish(self.person.pack(value))

    async def say_all(self, values: list) -> None:
        """Publishes without waiting in between, in this order."""
        await asyncio.gather(*(self.say(value) for value in values))

    async def hears(self, count: int) -> list:
        """The first things that were said here, as soon as there are `count`, in the order of hearing."""
        await self.heard.count("publication", count)
        return self.said()

    def said(self) -> list:
        return [self.person.unpack(context.pub.data) for context in self.heard.all("publication")]

    def offsets(self) -> list[int]:
        return [context.pub.offset for context in self.heard.all("publication")]

    async def history(self, **options: Any) -> tuple[list, int]:
        """A page of the history and the top offset."""
        page = await self.sdk.history(**options)
        return [self.person.unpack(pub.data) for pub in page.publications], page.offset


def recorder(base: type, heard: Heard) -> Any:
    """An event handler of the SDK that writes down each call of its `on_...` methods."""

    def noting(name: str):
        async def note(_self: Any, context: Any) -> None:
            heard.note(name, context)

        return note

    methods = {name: noting(name.removeprefix("on_")) for name in dir(base) if name.startswith("on_")}
    return type(f"Recording{base.__name__}", (base,), methods)()
