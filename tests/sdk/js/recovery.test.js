import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

scenarios('people who come back', ({ join, channel, node }) => {
  /** Has the server API say `from` to `to`, in order. */
  async function announce(room, from, to) {
    const commands = numbers(from, to).map((data) => ({ publish: { channel: room, data } }));
    for (const reply of await node().api('batch', { commands })) assert.ok(reply.publish, JSON.stringify(reply));
  }

  it('hear what they missed, once and in order, when the network was gone', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room);
    await announce(room, 1, 3);
    await seat.hears(3);

    ana.loseNetwork();
    await announce(room, 4, 8);
    const { wasRecovering, recovered } = await seat.heard.next('subscribed');
    assert.deepEqual({ wasRecovering, recovered }, { wasRecovering: true, recovered: true });
    await announce(room, 9, 10);
    assert.deepEqual(await seat.hears(10), numbers(1, 10));
    assert.deepEqual(seat.offsets(), numbers(1, 10));
  });

  it('hear everything from the beginning when they ask for it', async () => {
    const room = channel();
    await announce(room, 1, 5);
    const ana = await join('ana');
    const seat = await ana.enter(room, { since: { offset: 0, epoch: '' } });
    assert.equal(seat.welcome.recovered, true);
    assert.deepEqual(await seat.hears(5), numbers(1, 5));
  });

  for (const [missed, whole] of [[1, true], [300, true], [301, false]]) {
    it(`${whole ? 'recover' : 'are told that they cannot recover'} ${missed} missed messages`, async () => {
      const room = channel();
      const ana = await join('ana');
      const seat = await ana.enter(room);
      await announce(room, 1, 1);
      await seat.hears(1);
      ana.sdk.disconnect();
      await ana.heard.next('disconnected');
      await announce(room, 2, 1 + missed);

      ana.sdk.connect();
      const back = await seat.heard.next('subscribed');
      assert.equal(back.wasRecovering, true);
      assert.equal(back.recovered, whole);
      await announce(room, 2 + missed, 2 + missed);
      const expected = whole ? numbers(1, 2 + missed) : [1, 2 + missed];
      assert.deepEqual(await seat.hears(expected.length), expected);
      if (!whole) assert.equal(back.streamPosition.offset, 1 + missed);
    });
  }

  it('are told when what they missed is no longer kept', async () => {
    const room = channel('short:');
    const ana = await join('ana');
    const seat = await ana.enter(room);
    ana.sdk.disconnect();
    await announce(room, 1, 6);
    // What the namespace no longer keeps may still be in the memory of the room.
    await node().kill();
    await node().start();
    ana.sdk.connect();
    const { recovered, wasRecovering } = await seat.heard.next('subscribed');
    assert.deepEqual({ recovered, wasRecovering }, { recovered: false, wasRecovering: true });
  });

  it('are told, and do not hear it, when what they missed was removed', async () => {
    const room = channel();
    const ana = await join('ana');
    const seat = await ana.enter(room);
    ana.sdk.disconnect();
    await announce(room, 1, 3);
    await node().api('history_remove', { channel: room });
    ana.sdk.connect();
    const { recovered, streamPosition } = await seat.heard.next('subscribed');
    assert.equal(recovered, false);
    assert.equal(streamPosition.offset, 3);
    await announce(room, 4, 4);
    assert.deepEqual(await seat.hears(1), [4]);
  });

  it('are told when their position belongs to another history', async () => {
    const room = channel();
    await announce(room, 1, 2);
    const ana = await join('ana');
    const seat = await ana.enter(room, { since: { offset: 1, epoch: 'other' } });
    assert.equal(seat.welcome.recovered, false);
    assert.equal(seat.welcome.streamPosition.offset, 2);
  });

  it('get their state anew when the application can bring it', async () => {
    const room = channel();
    await announce(room, 1, 2);
    const { epoch } = await node().api('history', { channel: room, limit: 0 });
    const asked = [];
    const ana = await join('ana');
    const positions = [{ offset: 1, epoch: 'other' }, { offset: 1, epoch }];
    const seat = await ana.enter(room, {
      getState: async () => {
        asked.push(1);
        return positions[asked.length - 1];
      },
    });
    assert.equal(asked.length, 2, 'the first position was refused with 112');
    assert.equal(seat.welcome.recovered, true);
    assert.deepEqual(await seat.hears(1), [2]);
  });

  it('get the latest message where the namespace keeps only that in mind', async () => {
    const room = channel('latest:');
    await announce(room, 1, 5);
    const ana = await join('ana');
    const seat = await ana.enter(room);
    assert.deepEqual(await seat.hears(1), [5]);
    ana.sdk.disconnect();
    await announce(room, 6, 9);
    ana.sdk.connect();
    await announce(room, 10, 10);
    assert.equal((await seat.heard.next('publication', ({ offset }) => offset === 10)).offset, 10);
    assert.ok(!seat.said().includes(7));
  });

  it('find every acknowledged message after the node was killed, once and in order', async () => {
    const room = channel();
    const [ana, bo] = await Promise.all([join('ana'), join('bo')]);
    const [mouth, ear] = [await ana.enter(room), await bo.enter(room)];
    const acknowledged = new Set();
    let next = 1;
    const talkUpTo = async (last) => {
      while (next <= last) {
        const n = next++;
        // What was under way when the node died may or may not have happened: it is not counted.
        await mouth.say(n).then(() => acknowledged.add(n), () => {});
      }
    };

    for (let kill = 1; kill <= 3; kill++) {
      // More than what is heard before the kill, less than what can be recovered.
      const last = next + 200;
      const talking = Promise.all(Array.from({ length: 8 }, () => talkUpTo(last)));
      await ear.hears(ear.said().length + 40);
      await node().kill();
      await node().start();
      const { recovered } = await ear.heard.next('subscribed', undefined, 20_000);
      assert.equal(recovered, true);
      await talking;
    }
    assert.ok(acknowledged.size >= 120, `only ${acknowledged.size} were acknowledged`);

    const { publications, offset } = await node().api('history', { channel: room, limit: -1 });
    await ear.hears(offset);
    assert.deepEqual(ear.offsets(), numbers(1, offset), 'each offset once, in order');
    const journal = publications.map(({ data }) => data);
    assert.deepEqual(ear.said(), journal, 'what was heard is what is kept');
    assert.deepEqual([...acknowledged].filter((n) => !journal.includes(n)), [], 'nothing acknowledged is lost');
    assert.equal(new Set(journal).size, journal.length, 'nothing is there twice');
  });

  it('start again where only this run of the node remembered', async () => {
    const room = channel('live:');
    const ana = await join('ana');
    const seat = await ana.enter(room);
    await announce(room, 1, 2);
    await seat.hears(2);
    await node().kill();
    await node().start();
    const { recovered, wasRecovering, streamPosition } = await seat.heard.next('subscribed', undefined, 20_000);
    assert.deepEqual({ recovered, wasRecovering }, { recovered: false, wasRecovering: true });
    assert.notEqual(streamPosition.epoch, seat.welcome.streamPosition.epoch);
    await announce(room, 3, 3);
    assert.deepEqual(await seat.hears(3), [1, 2, 3]);
  });
});
