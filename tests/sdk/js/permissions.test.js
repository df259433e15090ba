import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('what is not allowed', ({ join, channel }) => {
  /** Tries to subscribe; returns the code of the refusal. */
  async function refused(somebody, room) {
    const seat = somebody.seat(room);
    seat.sdk.subscribe();
    const { code } = await seat.heard.next('unsubscribed');
    return code;
  }

  it('is entering a channel of a namespace that nobody configured', async () => {
    const ana = await join('ana');
    assert.equal(await refused(ana, channel('nowhere:')), 102);
    await assert.rejects(ana.sdk.publish(channel('nowhere:'), ana.pack(1)), { code: 102 });
    await assert.rejects(ana.sdk.history(channel('nowhere:'), { limit: 1 }), { code: 102 });
    await assert.rejects(ana.sdk.presence(channel('nowhere:')), { code: 102 });
  });

  it('is anything in a namespace that allows nothing', async () => {
    const ana = await join('ana');
    assert.equal(await refused(ana, channel('closed:')), 103);
    await assert.rejects(ana.sdk.publish(channel('closed:'), ana.pack(1)), { code: 103 });
  });

  it('is entering a private channel without a token', async () => {
    const ana = await join('ana');
    assert.equal(await refused(ana, channel('$')), 103);
  });

  it('is entering a channel that names other users', async () => {
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const room = `${channel('mine:')}#ana,eve`;
    const seat = await ana.enter(room);
    await seat.say('mine');
    assert.deepEqual(await seat.hears(1), ['mine']);
    assert.equal(await refused(bo, room), 103);
    await assert.rejects(bo.sdk.publish(room, bo.pack(1)), { code: 103 });
  });

  it('is publishing for subscribers only, unless one is', async () => {
    const room = channel('signal:');
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const seat = await ana.enter(room);
    await assert.rejects(bo.sdk.publish(room, bo.pack(1)), { code: 103 });
    await seat.say(2);
    assert.deepEqual(await seat.hears(1), [2]);
  });

  it('is asking who is here where nobody keeps count', async () => {
    const ana = await join('ana');
    const seat = await ana.enter(channel('signal:'));
    await assert.rejects(seat.sdk.presence(), { code: 108 });
    await assert.rejects(seat.sdk.presenceStats(), { code: 108 });
  });

  it('is a channel name that is too long or not printable ASCII', async () => {
    const ana = await join('ana');
    assert.equal(await refused(ana, 'x'.repeat(256)), 107);
    assert.equal(await refused(ana, 'a\nb'), 107);
    assert.equal(await refused(ana, 'caf\u00e9'), 107);
  });

  it('is a method that nobody serves', async () => {
    const ana = await join('ana');
    await assert.rejects(ana.rpc('no such method', {}), ({ code }) => code === 104 || code === 108);
  });

  it('is a message without a reply, which closes the connection for good', async () => {
    const ana = await join('ana');
    await ana.sdk.send(ana.pack({}));
    assert.equal((await ana.heard.next('disconnected')).code, 3508);
  });

  it('is a message larger than the limit, and nobody else is harmed', async () => {
    const room = channel();
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [a, b] = await Promise.all([ana.enter(room), bo.enter(room)]);
    await b.say('x'.repeat(60_000));
    await a.hears(1);
    a.say('x'.repeat(70_000)).catch(() => {});
    const { code, reason } = await ana.heard.next('disconnected');
    assert.deepEqual({ code, reason }, { code: 3, reason: 'message size limit exceeded' });
    await b.say('still here');
    assert.equal((await b.hears(2))[1], 'still here');
  });
});
