"""One node a file; each scenario once in each encoding; channels of its own."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from cent import AsyncClient
from support.node import API_KEY, Node
from support.people import Person


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node()
    try:
        node.start()
        yield node
    finally:
        node.remove()


@pytest.fixture(params=["json", "protobuf"])
def encoding(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest_asyncio.fixture
async def person(node: Node, encoding: str) -> AsyncIterator[Callable[..., Person]]:
    """Makes people, who leave when the scenario is over."""
    people: list[Person] = []

    def make(user: str, **options) -> Person:
        somebody = Person(node, encoding, user, **options)
        people.append(somebody)
        return somebody

    yield make
    for somebody in people:
        await somebody.sdk.disconnect()


@pytest.fixture
def join(person: Callable[..., Person]):
    """Makes people who are connected."""

    async def make(user: str, **options) -> Person:
        somebody = person(user, **options)
        await somebody.sdk.connect()
        await somebody.heard.next("connected")
        return somebody

    return make


@pytest_asyncio.fixture
async def api(node: Node) -> AsyncIterator[AsyncClient]:
    """The server API of the node."""
    client = AsyncClient(node.api_url, API_KEY)
    yield client
    await client.close()


_numbers = itertools.count(1)


@pytest.fixture
def channel() -> Callable[[str], str]:
    """Names channels that no other scenario uses; the prefix may be a namespace or `$`."""
    return lambda prefix="": f"{prefix}room-{next(_numbers)}"
