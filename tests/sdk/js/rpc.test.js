import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('publishing with a key of one\u2019s own', ({ join, channel, node }) => {
  it('happens once, however often it is tried', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room);
    const attempt = { channel: room, data: { text: 'once' }, idempotency_key: 'first' };
    await Promise.all([ana.rpc('publish', attempt), ana.rpc('publish', attempt)]);
    await ana.rpc('publish', attempt);
    await ana.rpc('publish', { ...attempt, data: 'next', idempotency_key: 'second' });
    assert.deepEqual(await seat.hears(2), [{ text: 'once' }, 'next']);
    assert.equal(seat.heard.all('publication')[0].info.user, 'ana');
    assert.equal((await seat.history({})).offset, 2);
  });

  it('happens once, also when the node dies between the attempts', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room);
    const attempt = { channel: room, data: 'once', idempotency_key: 'key' };
    await ana.rpc('publish', attempt);
    await seat.hears(1);
    await node().kill();
    await node().start();
    await seat.heard.next('subscribed', undefined, 20_000);
    await ana.rpc('publish', attempt);
    assert.equal((await seat.history({})).offset, 1);
    assert.deepEqual(seat.said(), ['once']);
  });

  it('belongs to one publisher: another may use the same key', async () => {
    const room = channel();
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const seat = await ana.enter(room);
    await ana.rpc('publish', { channel: room, data: 'a', idempotency_key: 'key' });
    await bo.rpc('publish', { channel: room, data: 'b', idempotency_key: 'key' });
    assert.deepEqual(await seat.hears(2), ['a', 'b']);
  });

  it('is refused when the key stands for something else', async () => {
    const room = channel();
    const ana = await join('ana');
    await ana.rpc('publish', { channel: room, data: 1, idempotency_key: 'key' });
    await assert.rejects(ana.rpc('publish', { channel: room, data: 2, idempotency_key: 'key' }), { code: 107 });
  });

  it('needs the same permission as publishing without', async () => {
    const ana = await join('ana');
    await assert.rejects(ana.rpc('publish', { channel: channel('closed:'), data: 1 }), { code: 103 });
    await assert.rejects(ana.rpc('publish', { channel: channel('nowhere:'), data: 1 }), { code: 102 });
    await assert.rejects(ana.rpc('publish', { data: 1 }), { code: 107 });
  });
});
