import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

const COUNT = 12;
const holding = (n) => ({
  title: 'A portfolio that hardly changes from one moment to the next',
  holdings: Array.from({ length: 20 }, (_, i) => ({ coin: `COIN${i}`, amount: '1.25', note: '\u00fcber "quoted"' })),
  price: n,
});
const holdings = Array.from({ length: COUNT }, (_, n) => holding(n));

scenarios('publications that hardly differ', ({ join, channel, node }) => {
  it('arrive once full and then as differences', async () => {
    const room = channel('delta:');
    const ana = await join('ana');
    const seat = await ana.enter(room, { delta: 'fossil' });
    for (const data of holdings) await node().api('publish', { channel: room, data });
    assert.deepEqual(await seat.hears(COUNT), holdings);
    const { numPublications, numFullPayloads, numDeltaPayloads } = seat.sdk.deltaStats();
    assert.deepEqual({ numPublications, numFullPayloads, numDeltaPayloads }, {
      numPublications: COUNT, numFullPayloads: 1, numDeltaPayloads: COUNT - 1,
    });
  });

  it('arrive full at those who did not ask for differences', async () => {
    const room = channel('delta:');
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [a, b] = await Promise.all([ana.enter(room, { delta: 'fossil' }), bo.enter(room)]);
    for (const data of holdings) await a.say(data);
    assert.deepEqual(await a.hears(COUNT), holdings);
    assert.deepEqual(await b.hears(COUNT), holdings);
    assert.equal(b.sdk.deltaStats().numDeltaPayloads, 0);
  });

  it('are whole after the network was gone', async () => {
    const room = channel('delta:');
    const ana = await join('ana');
    const seat = await ana.enter(room, { delta: 'fossil' });
    for (const data of holdings.slice(0, 4)) await node().api('publish', { channel: room, data });
    await seat.hears(4);
    ana.loseNetwork();
    for (const data of holdings.slice(4, 8)) await node().api('publish', { channel: room, data });
    assert.equal((await seat.heard.next('subscribed')).recovered, true);
    for (const data of holdings.slice(8)) await node().api('publish', { channel: room, data });
    assert.deepEqual(await seat.hears(COUNT), holdings);
    assert.ok(seat.sdk.deltaStats().numDeltaPayloads > 0);
  });

  it('are full in the history', async () => {
    const room = channel('delta:');
    const ana = await join('ana');
    const seat = await ana.enter(room, { delta: 'fossil' });
    for (const data of holdings) await seat.say(data);
    await seat.hears(COUNT);
    assert.deepEqual((await seat.history({ limit: -1 })).said, holdings);
  });

  it('are ordinary where the namespace does not offer differences', async () => {
    const ana = await join('ana');
    const seat = await ana.enter(channel(), { delta: 'fossil' });
    for (const data of holdings) await seat.say(data);
    assert.deepEqual(await seat.hears(COUNT), holdings);
    assert.equal(seat.sdk.deltaStats().numDeltaPayloads, 0);
  });
});
