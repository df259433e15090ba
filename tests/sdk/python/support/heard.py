"""Writes down all that an SDK object says, and waits for the next of a kind."""

import asyncio
from typing import Any, Callable

DEADLINE = 8.0  # seconds that anything may take that has no time of its own


class Heard:
    """A recorder of events, in the order in which they were said: (name, context)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._read = 0
        self._news = asyncio.Event()

    def note(self, name: str, context: Any) -> None:
        self.events.append((name, context))
        self._news.set()

    def all(self, name: str) -> list[Any]:
        return [context for said, context in self.events if said == name]

    async def next(self, name: str, fits: Callable[[Any], bool] = lambda _: True, deadline: float = DEADLINE) -> Any:
        """The next `name` for which `fits` holds, after what `next` returned before."""

        def found() -> Any:
            for at in range(self._read, len(self.events)):
                said, context = self.events[at]
                if said == name and fits(context):
                    self._read = at + 1
                    return (context,)
            return None

        return (await self._when(found, f'"{name}"', deadline))[0]

    async def count(self, name: str, count: int, deadline: float = DEADLINE) -> list[Any]:
        """All contexts of `name` as soon as there are `count` of them."""
        await self._when(lambda: len(self.all(name)) >= count, f'{count} x "{name}"', deadline)
        return self.all(name)

    async def _when(self, holds: Callable[[], Any], what: str, deadline: float) -> Any:
        try:
            async with asyncio.timeout(deadline):
                while not (value := holds()):
                    self._news.clear()
                    await self._news.wait()
                return value
        except TimeoutError:
            said = "\n  ".join(f"{name} {context}" for name, context in self.events[-12:])
            raise AssertionError(f"within {deadline} s there was no {what}; said before:\n  {said}") from None
