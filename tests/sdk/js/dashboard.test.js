import assert from 'node:assert/strict';
import { it } from 'node:test';

import { scenarios } from './support/scenarios.js';
import { sign } from './support/tokens.js';
import { until } from './support/until.js';

/** Calls `/v1` as a user. */
async function v1(node, user, method, path, body) {
  const answer = await fetch(`http://127.0.0.1:${node.port}/v1/${path}`, {
    method,
    headers: { Authorization: `Bearer ${sign({ sub: user })}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** What was told of one kind in a dashboard, so far. */
const told = (seat, type) => seat.said().filter((part) => part.type === type);

/** Waits until a part was told for which `fits` holds. */
async function tells(seat, type, fits) {
  let found;
  const look = ({ data }) => {
    const part = seat.person.unpack(data);
    if (part.type === type && fits(part)) found = part;
    return found !== undefined;
  };
  if (!seat.heard.all('publication').some(look)) await seat.heard.next('publication', look);
  return found;
}

let people = 0;
const settings = { FANFARE_PRICES__PROVIDER: 'simulated', FANFARE_PRICES__INTERVAL: '1s' };

scenarios(
  'an open dashboard',
  ({ join, node }) => {
    /** Somebody with two tenths of a token. */
    async function holder() {
      const user = `holder-${++people}`;
      const portfolio = await v1(node(), user, 'POST', 'portfolios', { name: 'Main' });
      const [token] = (await v1(node(), user, 'GET', 'tokens?search=BTC')).items;
      await buys(user, portfolio, token, '0.2');
      return { user, portfolio, token };
    }

    const buys = (user, portfolio, token, quantity) =>
      v1(node(), user, 'POST', `portfolios/${portfolio.id}/transactions`, {
        token_id: token.id, kind: 'buy', quantity, amount: '100', occurred_at: '2026-01-01T00:00:00Z',
      });

    /** A strategy whose target is twice the price, and announced with the next one, whatever that is. */
    async function plans(user, token, name) {
      const [{ price }] = (await v1(node(), user, 'GET', `prices?ids=${token.id}`)).items;
      const strategy = await v1(node(), user, 'POST', 'strategies', {
        name, token_id: token.id, base_quantity: '0.2', reference_price: price, status: 'active',
        steps: [{ target_kind: 'percentage', target_value: '100', sell_percent: '50' }],
      });
      const steps = [{ step_id: strategy.steps[0].id, before_percent: '90', reached: true }];
      await v1(node(), user, 'PUT', `strategies/${strategy.id}/alerts`, { steps });
      return strategy;
    }

    it('shows how things stand to who comes in, and then what they change themselves', async () => {
      const { user, portfolio, token } = await holder();
      const person = await join(user);
      const seat = await person.enter(`dashboard:#${user}`);
      const first = await tells(seat, 'holdings', () => true);
      assert.deepEqual(first.holdings.map(({ quantity }) => quantity), ['0.2']);
      assert.equal(first.portfolios[0].name, 'Main');
      await tells(seat, 'strategy', ({ items }) => items.length === 0);
      await tells(seat, 'forecast', ({ items }) => items.length === 0);

      await buys(user, portfolio, token, '0.3');
      const then = await tells(seat, 'holdings', ({ holdings }) => holdings[0].quantity === '0.5');
      assert.ok(then.generation > first.generation);

      await v1(node(), user, 'POST', 'strategies', {
        name: 'Half', token_id: token.id, base_quantity: '0.5', reference_price: '1000', status: 'active',
        steps: [{ target_kind: 'percentage', target_value: '50', sell_percent: '50' }],
      });
      const strategies = await tells(seat, 'strategy', ({ items }) => items.length === 1);
      assert.equal(strategies.items[0].name, 'Half');
    });

    it('moves with the price, at most once a second', async () => {
      const { user } = await holder();
      const person = await join(user);
      const seat = await person.enter(`dashboard:#${user}`);
      const first = await tells(seat, 'holdings', ({ holdings }) => holdings[0].priced);
      const before = told(seat, 'holdings').length;
      const began = Date.now();
      const then = await tells(seat, 'holdings', ({ holdings }) => holdings[0].price !== first.holdings[0].price);
      assert.ok(then.price_version > first.price_version);
      await tells(seat, 'holdings', ({ price_version }) => price_version > then.price_version);
      const seconds = (Date.now() - began) / 1000;
      const count = told(seat, 'holdings').length - before;
      assert.ok(count <= seconds + 1, `${count} in ${seconds} s`);
    });

    it('is for its own person', async () => {
      const { user } = await holder();
      const other = await join('somebody-else');
      const seat = other.seat(`dashboard:#${user}`);
      seat.sdk.subscribe();
      assert.equal((await seat.heard.next('unsubscribed')).code, 103);
    });

    it('tells of a price that comes near a target, also to who was away', async () => {
      const { user, token } = await holder();
      const person = await join(user);
      const seat = await person.enter(`alerts:#${user}`);
      const soon = await plans(user, token, 'Soon');
      const [first] = await seat.hears(1);
      assert.deepEqual([first.kind, first.strategy_id], ['before_target', soon.id]);
      assert.deepEqual((await v1(node(), user, 'GET', 'alerts')).items, [first], 'the same by HTTP');

      person.sdk.disconnect();
      const later = await plans(user, token, 'Later');
      const fired = async () => (await v1(node(), user, 'GET', 'alerts')).items;
      await until(async () => (await fired()).length === 2, 'both fired');
      person.sdk.connect();
      const all = await seat.hears(2);
      assert.deepEqual([all.length, all[1].strategy_id], [2, later.id]);
    });

    it('has a ticker a token, whose last price is there for who comes later', async () => {
      const { user, token } = await holder();
      const person = await join(user);
      const ticker = await person.enter(`prices:${token.id}`);
      const [first] = await ticker.hears(1);
      assert.equal(first.token_id, token.id);
      assert.match(first.price, /^[0-9.]+$/);
      await ticker.hears(2);

      const late = await (await join('late')).enter(`prices:${token.id}`);
      const [known] = await late.hears(1);
      assert.ok(ticker.said().some(({ price }) => price === known.price));
    });
  },
  settings,
  { people: 1 },
);
