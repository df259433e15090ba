// Writes down all that an SDK object says, and waits for the next of a kind.

import { DEADLINE, within } from './until.js';

export class Heard {
  /** Everything in the order in which it was said: `{ name, context }`. */
  events = [];
  #read = 0;
  #waiting = new Set();

  constructor(emitter, names) {
    for (const name of names) {
      emitter.on(name, (context) => {
        this.events.push({ name, context });
        for (const look of this.#waiting) look();
      });
    }
  }

  /** The next `name` for which `fits` holds, after what `next` returned before. */
  async next(name, fits = () => true, deadline = DEADLINE) {
    const find = () => this.events.findIndex((e, i) => i >= this.#read && e.name === name && fits(e.context));
    await this.#when(() => find() >= 0, `"${name}"`, deadline);
    this.#read = find() + 1;
    return this.events[this.#read - 1].context;
  }

  /** All contexts of `name` as soon as there are `count` of them. */
  async count(name, count, deadline = DEADLINE) {
    await this.#when(() => this.all(name).length >= count, `${count} x "${name}"`, deadline);
    return this.all(name);
  }

  all(name) {
    return this.events.filter((e) => e.name === name).map((e) => e.context);
  }

  async #when(holds, what, deadline) {
    if (holds()) return;
    let look;
    const happened = new Promise((resolve) => {
      look = () => holds() && resolve();
      this.#waiting.add(look);
    });
    try {
      await within(happened, what, deadline);
    } catch (error) {
      const said = this.events.slice(-12).map((e) => `${e.name} ${JSON.stringify(e.context)}`);
      throw new Error(`${error.message}; said before:\n  ${said.join('\n  ') || 'nothing'}`);
    } finally {
      this.#waiting.delete(look);
    }
  }
}
