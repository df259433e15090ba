import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';
import { inSeconds, sign, unsigned } from './support/tokens.js';

/** A token that `tokens` brings one after the other; after the last it never comes. */
function bringing(...tokens) {
  const asked = [];
  const getToken = () => {
    asked.push(1);
    return tokens.length ? Promise.resolve(tokens.shift()) : new Promise(() => {});
  };
  return { asked, getToken };
}

scenarios('tokens', ({ join, person, channel }) => {
  it('are refreshed before the connection ends, and nobody notices', async () => {
    const source = bringing(sign({ sub: 'ana', exp: inSeconds(2) }), sign({ sub: 'ana', exp: inSeconds(3600) }));
    const ana = await join('ana', { getToken: source.getToken });
    const seat = await ana.enter(channel());

    // The clock cannot refresh, so it is closed. It comes later and has a second more (ends are whole
    // seconds, so one that has as long may end a second earlier): Ana's first token would have ended by then.
    const clock = await join('clock', bringing(sign({ sub: 'clock', exp: inSeconds(3) })));
    await clock.heard.next('connecting', ({ code }) => code === 3005);
    await seat.say('still here');
    assert.deepEqual(await seat.hears(1), ['still here']);
    assert.equal(source.asked.length, 2);
    assert.equal(ana.heard.all('connecting').length, 1);
    assert.equal(ana.heard.all('connected').length, 1);
  });

  it('that end close the connection with 3005, and a new one lets it come back', async () => {
    const source = bringing(sign({ sub: 'ana', exp: inSeconds(2) }));
    let fresh;
    const getToken = () => (fresh ? Promise.resolve(fresh) : source.getToken());
    const ana = await join('ana', { getToken });
    const { reason } = await ana.heard.next('connecting', ({ code }) => code === 3005);
    assert.equal(reason, 'connection expired');
    fresh = sign({ sub: 'ana', exp: inSeconds(3600) });
    await ana.heard.next('connected');
  });

  it('that have ended are answered with 109, so that the SDK fetches another', async () => {
    const source = bringing(sign({ sub: 'ana', exp: inSeconds(3600) }));
    const ana = person('ana', { token: sign({ sub: 'ana', exp: inSeconds(-300) }), getToken: source.getToken });
    await ana.connect();
    assert.equal(source.asked.length, 1);
    assert.ok(ana.heard.all('error').some(({ error }) => error.code === 109));
  });

  it('of a foreign user on refresh close the connection for good', async () => {
    const source = bringing(sign({ sub: 'ana', exp: inSeconds(2) }), sign({ sub: 'bo', exp: inSeconds(3600) }));
    const ana = await join('ana', { getToken: source.getToken });
    await ana.heard.next('disconnected', ({ code }) => code === 3500);
  });

  for (const [what, token] of [
    ['a foreign key', () => sign({ sub: 'ana' }, 'another secret, also 32 bytes or more')],
    ['no signature', () => unsigned({ sub: 'ana' })],
    ['something that is no token', () => 'not.a.token'],
    ['a token for a channel', () => sign({ sub: 'ana', channel: 'room' })],
    ['a token whose claims were changed', () => {
      const [head, , signature] = sign({ sub: 'ana' }).split('.');
      return [head, Buffer.from('{"sub":"root"}').toString('base64url'), signature].join('.');
    }],
  ]) {
    it(`with ${what} are refused for good`, async () => {
      const ana = person('ana', { token: token() });
      ana.sdk.connect();
      const { code, reason } = await ana.heard.next('disconnected');
      assert.deepEqual({ code, reason }, { code: 3500, reason: 'invalid token' });
    });
  }

  it('are needed: without one nobody comes in', async () => {
    const nobody = person('', { token: '' });
    nobody.sdk.connect();
    assert.equal((await nobody.heard.next('disconnected')).code, 3501);
  });

  it('open a private channel to the one they name', async () => {
    const room = channel('$');
    const ana = await join('ana');
    const seat = await ana.enter(room, { token: sign({ sub: 'ana', channel: room, info: { role: 'owner' } }) });
    await seat.say('psst');
    assert.deepEqual(await seat.hears(1), ['psst']);
    assert.deepEqual(ana.unpack(seat.heard.all('publication')[0].info.chanInfo), { role: 'owner' });
  });

  it('for a subscription are refreshed before it ends', async () => {
    const room = channel('$');
    const claims = { sub: 'ana', channel: room };
    const ana = await join('ana');
    const source = bringing(sign({ ...claims, exp: inSeconds(2) }), sign({ ...claims, exp: inSeconds(3600) }));
    const seat = await ana.enter(room, { getToken: source.getToken });

    // Later and with a second more, as above: the first token would have ended by then.
    const slow = channel('$');
    const clock = await ana.enter(slow, bringing(sign({ sub: 'ana', channel: slow, exp: inSeconds(3) })));
    await clock.heard.next('subscribing', ({ code }) => code === 2501);
    await seat.say('still here');
    assert.deepEqual(await seat.hears(1), ['still here']);
    assert.equal(source.asked.length, 2);
    assert.equal(seat.heard.all('subscribed').length, 1);
  });

  it('for a subscription that end take it away, and a new one brings it back', async () => {
    const room = channel('$');
    const claims = { sub: 'ana', channel: room };
    const source = bringing(sign({ ...claims, exp: inSeconds(2) }));
    let fresh;
    const getToken = () => (fresh ? Promise.resolve(fresh) : source.getToken());
    const ana = await join('ana');
    const seat = await ana.enter(room, { getToken });
    const { reason } = await seat.heard.next('subscribing', ({ code }) => {
      fresh = code === 2501 && sign({ ...claims, exp: inSeconds(3600) });
      return fresh;
    });
    assert.equal(reason, 'subscription expired');
    await seat.heard.next('subscribed');
    assert.equal(ana.heard.all('connected').length, 1, 'the connection stays');
  });

  it('for a subscription that bring an ended one on refresh end it with 2501, and the next one brings it back', async () => {
    const room = channel('$');
    const claims = { sub: 'ana', channel: room };
    const source = bringing(
      sign({ ...claims, exp: inSeconds(2) }),
      sign({ ...claims, exp: inSeconds(-300) }),
      sign({ ...claims, exp: inSeconds(3600) }),
    );
    const ana = await join('ana');
    const seat = await ana.enter(room, { getToken: source.getToken });
    await seat.heard.next('subscribing', ({ code }) => code === 2501);
    await seat.heard.next('subscribed');
    await seat.say('still here');
    assert.deepEqual(await seat.hears(1), ['still here']);
    assert.deepEqual(seat.heard.all('unsubscribed'), []);
  });

  it('for a subscription with a foreign key are answered with 103', async () => {
    const room = channel('$');
    const ana = await join('ana');
    const seat = ana.seat(room, { token: sign({ sub: 'ana', channel: room }, 'another secret, also 32 bytes or more') });
    seat.sdk.subscribe();
    assert.equal((await seat.heard.next('unsubscribed')).code, 103);
  });

  for (const [what, claims] of [['another channel', { sub: 'ana', channel: '$other' }], ['another user', { sub: 'bo' }]]) {
    it(`for a subscription of ${what} close the connection for good`, async () => {
      const room = channel('$');
      const ana = await join('ana');
      const seat = ana.seat(room, { token: sign({ channel: room, ...claims }) });
      seat.sdk.subscribe();
      assert.equal((await ana.heard.next('disconnected')).code, 3500);
    });
  }
});
