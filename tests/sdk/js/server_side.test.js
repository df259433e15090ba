import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';

scenarios('what the server decides', ({ join, person, channel, node }) => {
  /** What somebody heard in a server-side subscription. */
  const said = (somebody, room) =>
    somebody.heard.all('publication').filter((p) => p.channel === room).map(({ data }) => somebody.unpack(data));

  it('is which channels a token brings along', async () => {
    const [news, offers] = [channel(), channel()];
    const ana = person('ana', { claims: { channels: [news, offers] } });
    ana.sdk.connect();
    const first = await ana.heard.next('subscribed');
    const second = await ana.heard.next('subscribed');
    assert.deepEqual([first.channel, second.channel].sort(), [news, offers].sort());
    await node().api('broadcast', { channels: [news, offers], data: 'hello' });
    await ana.heard.count('publication', 2);
    assert.deepEqual([said(ana, news), said(ana, offers)], [['hello'], ['hello']]);
    await assert.doesNotReject(ana.sdk.publish(news, ana.pack('me too')));
    await ana.heard.next('publication', ({ info }) => info?.user === 'ana');
  });

  it('keeps what was missed in such a channel', async () => {
    const news = channel();
    const ana = await join('ana', { claims: { channels: [news] } });
    await node().api('publish', { channel: news, data: 1 });
    await ana.heard.count('publication', 1);
    ana.sdk.disconnect();
    await ana.heard.next('disconnected');
    for (const data of [2, 3]) await node().api('publish', { channel: news, data });
    ana.sdk.connect();
    const { wasRecovering, recovered } = await ana.heard.next('subscribed');
    assert.deepEqual({ wasRecovering, recovered }, { wasRecovering: true, recovered: true });
    await node().api('publish', { channel: news, data: 4 });
    await ana.heard.count('publication', 4);
    assert.deepEqual(said(ana, news), [1, 2, 3, 4]);
  });

  it('is who enters and leaves a channel', async () => {
    const room = channel();
    const user = `ana-${room}`;
    const [phone, laptop] = await Promise.all([join(user), join(user)]);
    await node().api('subscribe', { user, channel: room });
    for (const device of [phone, laptop]) {
      assert.equal((await device.heard.next('subscribed')).channel, room);
    }
    await node().api('publish', { channel: room, data: 'for you' });
    for (const device of [phone, laptop]) {
      await device.heard.count('publication', 1);
      assert.deepEqual(said(device, room), ['for you']);
    }
    const { client } = phone.heard.all('connected')[0];
    await node().api('unsubscribe', { user, channel: room, client });
    assert.equal((await phone.heard.next('unsubscribed')).channel, room);
    await node().api('publish', { channel: room, data: 'for one' });
    await laptop.heard.count('publication', 2);
    assert.deepEqual(said(phone, room), ['for you']);
  });

  it('is that somebody has to leave a channel that he entered himself', async () => {
    const room = channel();
    const user = `bo-${room}`;
    const bo = await join(user);
    const seat = await bo.enter(room);
    await node().api('unsubscribe', { user, channel: room });
    const { code, reason } = await seat.heard.next('unsubscribed');
    assert.deepEqual({ code, reason }, { code: 2000, reason: 'server unsubscribe' });
  });

  it('is that somebody has to go', async () => {
    const user = `eve-${channel()}`;
    const [eve, other] = await Promise.all([join(user), join('other')]);
    await node().api('disconnect', { user });
    const { code, reason } = await eve.heard.next('disconnected');
    assert.deepEqual({ code, reason }, { code: 3503, reason: 'force disconnect' });
    assert.equal(other.heard.all('disconnected').length, 0);
  });

  it('is that somebody has to come back, with a code of the application', async () => {
    const user = `eve-${channel()}`;
    const eve = await join(user);
    await node().api('disconnect', { user, disconnect: { code: 4000, reason: 'moved' } });
    const { code, reason } = await eve.heard.next('connecting', ({ code }) => code !== 0);
    assert.deepEqual({ code, reason }, { code: 4000, reason: 'moved' });
    await eve.heard.next('connected');
  });

  it('refuses to subscribe a client that is already there by its token', async () => {
    const news = channel();
    const ana = await join('ana', { claims: { channels: [news] } });
    const seat = ana.seat(news);
    seat.sdk.subscribe();
    assert.equal((await seat.heard.next('unsubscribed')).code, 105);
  });
});
