import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('people who talk', ({ join, channel, node }) => {
  it('tells who connects its client id', async () => {
    const ana = await join('ana');
    const { client, transport } = ana.heard.all('connected')[0];
    assert.match(client, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    assert.equal(transport, 'websocket');
  });

  it('gives the publisher its own message, and says who published it', async () => {
    const ana = await join('ana', { claims: { info: { name: 'Ana' } } });
    const seat = await ana.enter(channel());
    await seat.say({ text: 'hello, \u{1f30d} \n' });
    assert.deepEqual(await seat.hears(1), [{ text: 'hello, \u{1f30d} \n' }]);

    const [{ info, offset }] = seat.heard.all('publication');
    assert.equal(offset, 1);
    assert.equal(info.user, 'ana');
    assert.equal(info.client, ana.heard.all('connected')[0].client);
    assert.deepEqual(ana.unpack(info.connInfo), { name: 'Ana' });
  });

  it('lets two people talk, both hearing everything in the same order', async () => {
    const room = channel();
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [a, b] = await Promise.all([ana.enter(room), bo.enter(room)]);
    await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 ? a : b).say({ n })));

    const [heardByAna, heardByBo] = await Promise.all([a.hears(50), b.hears(50)]);
    assert.deepEqual(heardByAna, heardByBo);
    assert.deepEqual(a.offsets(), Array.from({ length: 50 }, (_, n) => n + 1));
    assert.deepEqual(heardByAna.map(({ n }) => n).sort((x, y) => x - y), Array.from({ length: 50 }, (_, n) => n));
  });

  it('keeps the order of one publisher that does not wait for answers', async () => {
    const ana = await join('ana');
    const seat = await ana.enter(channel());
    await Promise.all(Array.from({ length: 100 }, (_, n) => seat.say(n)));
    assert.deepEqual(await seat.hears(100), Array.from({ length: 100 }, (_, n) => n));
  });

  it('carries signals to those who are here, without offset or history', async () => {
    const room = channel('signal:');
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [a, b] = await Promise.all([ana.enter(room), bo.enter(room)]);
    await a.say('typing');
    assert.deepEqual(await b.hears(1), ['typing']);
    assert.ok(!b.heard.all('publication')[0].offset);
    assert.equal(b.welcome.recoverable, false);
    await assert.rejects(b.sdk.history({ limit: 1 }), { code: 108 });
  });

  it('carries what the server API publishes, with tags and without a publisher', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room);
    const { offset, epoch } = await node().api('publish', { channel: room, data: { from: 'api' }, tags: { kind: 'news' } });
    assert.equal(offset, 1);
    assert.equal(epoch, seat.welcome.streamPosition.epoch);
    assert.deepEqual(await seat.hears(1), [{ from: 'api' }]);
    const [publication] = seat.heard.all('publication');
    assert.deepEqual({ ...publication.tags }, { kind: 'news' });
    assert.equal(publication.info, undefined);
  });

  it('leaves those alone who unsubscribed, and lets them come back to what they missed', async () => {
    const room = channel();
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [a, b] = await Promise.all([ana.enter(room), bo.enter(room)]);
    await a.say(1);
    await b.hears(1);
    b.sdk.unsubscribe();
    await b.heard.next('unsubscribed', ({ code }) => code === 0);
    await a.say(2);
    await bo.rpc('publish', { channel: room, data: 3 });
    assert.deepEqual(b.said(), [1]);

    b.sdk.subscribe();
    const { recovered } = await b.heard.next('subscribed');
    assert.equal(recovered, true);
    assert.deepEqual(await b.hears(3), [1, 2, 3]);
  });

  it('says who is here: each connection once, each user once', async () => {
    const room = channel();
    const [ana, phone, bo] = await Promise.all([join('ana'), join('ana'), join('bo')]);
    const [seat] = await Promise.all([ana, phone, bo].map((somebody) => somebody.enter(room)));

    const { clients } = await seat.sdk.presence();
    const ids = [ana, phone, bo].map((somebody) => somebody.heard.all('connected')[0].client);
    assert.deepEqual(Object.keys(clients).sort(), ids.sort());
    assert.deepEqual(Object.values(clients).map(({ user }) => user).sort(), ['ana', 'ana', 'bo']);
    assert.deepEqual({ ...(await seat.sdk.presenceStats()) }, { numClients: 3, numUsers: 2 });
  });

  it('announces joins and leaves to those who asked', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room, { joinLeave: true });
    const bo = await join('bo', { claims: { info: { name: 'Bo' } } });
    const b = await bo.enter(room);
    const { info } = await seat.heard.next('join', ({ info }) => info.user === 'bo');
    assert.deepEqual(bo.unpack(info.connInfo), { name: 'Bo' });
    b.sdk.unsubscribe();
    await seat.heard.next('leave', ({ info }) => info.user === 'bo');

    b.sdk.subscribe();
    await seat.heard.next('join', ({ info }) => info.user === 'bo');
    bo.sdk.disconnect();
    await seat.heard.next('leave', ({ info }) => info.user === 'bo');
    assert.deepEqual(b.heard.all('join'), [], 'bo did not ask');
  });

  it('announces joins and leaves to everybody where the namespace says so', async () => {
    const room = channel('lobby:');
    const ana = await join('ana');
    const seat = await ana.enter(room);
    const bo = await join('bo');
    await bo.enter(room);
    await seat.heard.next('join', ({ info }) => info.user === 'bo');
    bo.loseNetwork();
    await seat.heard.next('leave', ({ info }) => info.user === 'bo');
    await seat.heard.next('join', ({ info }) => info.user === 'bo');
  });
});
