import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('what was said before', ({ join, channel }) => {
  /** A seat in a room in which 1 to `count` were said. */
  async function after(count, prefix = '') {
    const ana = await join('ana');
    const seat = await ana.enter(channel(prefix));
    await Promise.all(Array.from({ length: count }, (_, n) => seat.say(n + 1)));
    return seat;
  }

  it('names the position alone when nothing is asked for', async () => {
    const seat = await after(3);
    const page = await seat.history({});
    assert.deepEqual(page.said, []);
    assert.equal(page.offset, 3);
    assert.equal(page.epoch, seat.welcome.streamPosition.epoch);
  });

  it('reads forwards from the beginning, up to the limit', async () => {
    const seat = await after(10);
    const { said, offset } = await seat.history({ limit: 4 });
    assert.deepEqual(said, [1, 2, 3, 4]);
    assert.equal(offset, 10);
  });

  it('reads on from a position', async () => {
    const seat = await after(10);
    const { epoch } = seat.welcome.streamPosition;
    assert.deepEqual((await seat.history({ limit: 3, since: { offset: 4, epoch } })).said, [5, 6, 7]);
    assert.deepEqual((await seat.history({ limit: 3, since: { offset: 9, epoch } })).said, [10]);
    assert.deepEqual((await seat.history({ limit: 3, since: { offset: 10, epoch } })).said, []);
  });

  it('reads backwards from the end, and from a position', async () => {
    const seat = await after(10);
    const { epoch } = seat.welcome.streamPosition;
    assert.deepEqual((await seat.history({ limit: 3, reverse: true })).said, [10, 9, 8]);
    assert.deepEqual((await seat.history({ limit: 3, reverse: true, since: { offset: 4, epoch } })).said, [3, 2, 1]);
  });

  it('reads everything with -1', async () => {
    const seat = await after(10);
    const { said, publications } = await seat.history({ limit: -1 });
    assert.deepEqual(said, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(publications[0].info.user, 'ana');
  });

  it('refuses a position of another history', async () => {
    const seat = await after(1);
    await assert.rejects(seat.history({ limit: 1, since: { offset: 1, epoch: 'other' } }), { code: 112 });
  });

  it('keeps the newest messages and goes on counting', async () => {
    const seat = await after(12, 'short:');
    const { said, offset } = await seat.history({ limit: -1 });
    assert.deepEqual(said, [8, 9, 10, 11, 12]);
    assert.equal(offset, 12);
  });

  it('has a position before anything was said', async () => {
    const ana = await join('ana');
    const seat = await ana.enter(channel());
    const { offset, epoch, said } = await seat.history({ limit: 10 });
    assert.deepEqual(said, []);
    assert.equal(offset, 0);
    assert.equal(epoch, seat.welcome.streamPosition.epoch);
    assert.notEqual(epoch, '');
  });
});
