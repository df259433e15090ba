// A person with the official SDK, in one of its two encodings.

import { Centrifuge as JsonSdk } from 'centrifuge';
import { Centrifuge as ProtobufSdk } from 'centrifuge/build/protobuf';
import WebSocket from 'ws';

import { Heard } from './heard.js';
import { sign } from './tokens.js';

const CLIENT_EVENTS = [
  'connecting', 'connected', 'disconnected', 'error', 'subscribing', 'subscribed', 'unsubscribed', 'publication', 'join', 'leave',
];
const SUBSCRIPTION_EVENTS = ['subscribing', 'subscribed', 'unsubscribed', 'publication', 'join', 'leave', 'error'];

/** How application data travels: as it is in JSON, as bytes in Protobuf. */
export const ENCODINGS = {
  json: { Sdk: JsonSdk, pack: (value) => value, unpack: (data) => data },
  protobuf: {
    Sdk: ProtobufSdk,
    pack: (value) => new TextEncoder().encode(JSON.stringify(value)),
    unpack: (data) => JSON.parse(new TextDecoder().decode(data)),
  },
};

const everybody = new Set();

/** Says good-bye to all people of a test. */
export function everybodyLeaves() {
  for (const person of everybody) person.sdk.disconnect();
  everybody.clear();
}

export class Person {
  /** `options.claims` go into the token, unless `options.token` or `options.getToken` bring one; the rest is the SDK's. */
  constructor(node, encoding, user, { claims = {}, ...options } = {}) {
    const { Sdk, pack, unpack } = ENCODINGS[encoding];
    Object.assign(this, { node, encoding, user, pack, unpack, sockets: [] });
    const sockets = this.sockets;
    class RememberedWebSocket extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    }
    const brings = 'token' in options || 'getToken' in options;
    this.sdk = new Sdk(node.webSocketUrl, {
      websocket: RememberedWebSocket,
      minReconnectDelay: 50,
      maxReconnectDelay: 400,
      ...(brings ? {} : { token: sign({ sub: user, ...claims }) }),
      ...options,
    });
    this.heard = new Heard(this.sdk, CLIENT_EVENTS);
    everybody.add(this);
  }

  /** Connects and waits for it; returns what the server said. */
  async connect() {
    this.sdk.connect();
    return this.heard.next('connected');
  }

  /** A place in a channel, subscribed. */
  async enter(channel, options = {}) {
    const seat = this.seat(channel, options);
    seat.sdk.subscribe();
    seat.welcome = await seat.heard.next('subscribed');
    return seat;
  }

  /** A place in a channel, not yet subscribed. */
  seat(channel, options = {}) {
    return new Seat(this, this.sdk.newSubscription(channel, { minResubscribeDelay: 50, maxResubscribeDelay: 400, ...options }));
  }

  /** The network goes, without a word to either side. The SDK comes back by itself. */
  loseNetwork() {
    this.sockets.at(-1).terminate();
  }

  /** Calls an RPC method; returns what it gave. */
  async rpc(method, value) {
    const { data } = await this.sdk.rpc(method, this.pack(value));
    return data?.length === 0 ? undefined : this.unpack(data);
  }
}

export class Seat {
  constructor(person, sdk) {
    this.person = person;
    this.sdk = sdk;
    this.heard = new Heard(sdk, SUBSCRIPTION_EVENTS);
  }

  /** Publishes; resolves when the server has acknowledged it. */
  async say(value) {
    return this.sdk.publish(this.person.pack(value));
  }

  /** The first `count` things that were said here, in the order of hearing. */
  async hears(count, deadline) {
    await this.heard.count('publication', count, deadline);
    return this.said();
  }

  /** Everything that was said here so far. */
  said() {
    return this.heard.all('publication').map(({ data }) => this.person.unpack(data));
  }

  offsets() {
    return this.heard.all('publication').map(({ offset }) => offset);
  }

  /** A page of the history. */
  async history(options) {
    const page = await this.sdk.history(options);
    return { ...page, said: page.publications.map(({ data }) => this.person.unpack(data)) };
  }
}
