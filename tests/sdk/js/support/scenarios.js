// The frame of a scenario file: one node for the file, each scenario once in each encoding, channels of its own.

import { after, afterEach, before, describe } from 'node:test';

import { Node } from './node.js';
import { ENCODINGS, everybodyLeaves, Person } from './people.js';

let channels = 0;

/**
 * Runs `define({ encoding, person, join, channel, node })` once an encoding.
 * `env` are settings of the node, `options` what its database begins with; `node()` gives it.
 */
export function scenarios(title, define, env = {}, options = {}) {
  describe(title, () => {
    let node;
    before(async () => {
      node = await Node.start(env, options);
    });
    afterEach(everybodyLeaves);
    after(() => node?.remove());

    for (const encoding of Object.keys(ENCODINGS)) {
      const person = (user, options) => new Person(node, encoding, user, options);
      /** Somebody who is connected. */
      const join = async (user, options) => {
        const somebody = person(user, options);
        await somebody.connect();
        return somebody;
      };
      /** A channel that no other scenario uses; `prefix` may be a namespace or `$`. */
      const channel = (prefix = '') => `${prefix}room-${++channels}`;
      describe(encoding, { timeout: 120_000 }, () => define({ encoding, person, join, channel, node: () => node }));
    }
  });
}
