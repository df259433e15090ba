import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('a node that is told to stop', ({ join, channel, node }) => {
  it('sends its people away with a code that says "come back", and they come back to what they missed', async () => {
    const room = channel();
    const people = await Promise.all(['ana', 'bo', 'eve'].map((user) => join(user)));
    const seats = await Promise.all(people.map((somebody) => somebody.enter(room)));
    await seats[0].say(1);
    await Promise.all(seats.map((seat) => seat.hears(1)));

    const ended = node().terminate();
    for (const somebody of people) {
      const { code, reason } = await somebody.heard.next('connecting', ({ code }) => code !== 0);
      assert.deepEqual({ code, reason }, { code: 3001, reason: 'shutdown' });
    }
    assert.equal(await ended, 0);

    await node().start();
    await node().api('publish', { channel: room, data: 2 });
    for (const seat of seats) {
      const { recovered } = await seat.heard.next('subscribed', undefined, 20_000);
      assert.equal(recovered, true);
      assert.deepEqual(await seat.hears(2), [1, 2]);
    }
  });
});
