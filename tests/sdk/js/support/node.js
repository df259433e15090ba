// A real node in a process and a folder of its own: started, killed, stopped, started again on the same port and data.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { until } from './until.js';

const TESTS = path.resolve(import.meta.dirname, '../../..');
const BINARY = process.env.BINARY_UNDER_TEST ?? path.join(TESTS, '../target/debug/fanfare');
export const SECRET = 'the secret of these tests, 32 bytes or more';
export const API_KEY = 'the API key of these tests, 32 bytes or more';

// Below the range from which outgoing connections draw theirs, so that nobody takes a port while its node is down.
const PORTS = { from: 20_000, to: 32_000 };

const running = new Set();
for (const end of ['exit', 'SIGINT', 'SIGTERM']) {
  process.on(end, () => {
    for (const child of running) child.kill('SIGKILL');
    if (end !== 'exit') process.exit(1);
  });
}

export class Node {
  #child = null;
  #env;

  /** With `people`, its database is filled with so many of them first. */
  static async start(env = {}, { people = 0 } = {}) {
    const node = new Node();
    node.dir = await mkdtemp(path.join(tmpdir(), 'fanfare-js-'));
    node.port = await freePort();
    node.operatorPort = await freePort();
    node.#env = env;
    if (people) await node.#seed(people);
    await node.start();
    return node;
  }

  /** The settings of its processes. */
  #settings() {
    return {
      PATH: process.env.PATH,
      RUST_LOG: process.env.RUST_LOG ?? 'info',
      FANFARE_CONFIG: path.join(TESTS, 'node.toml'),
      FANFARE_DATA_DIR: path.join(this.dir, 'data'),
      FANFARE_HTTP_SERVER__PORT: String(this.port),
      FANFARE_OPERATOR__PORT: String(this.operatorPort),
      FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY: SECRET,
      FANFARE_HTTP_API__KEY: API_KEY,
      ...this.#env,
    };
  }

  async #seed(people) {
    const options = { cwd: this.dir, env: this.#settings() };
    await promisify(execFile)(BINARY, ['seed', '--people', String(people)], options);
  }

  get webSocketUrl() {
    return `ws://127.0.0.1:${this.port}/connection/websocket`;
  }

  /** Starts the process and waits until it says that it is ready. */
  async start() {
    this.log = '';
    const child = spawn(BINARY, ['serve'], {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#settings(),
    });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.log += text));
    }
    const failed = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the node ended with ${code ?? signal} before it was ready:\n${this.log}`);
    });
    const ready = until(() => this.ready(), 'the node is ready', 20_000).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    failed.catch(() => {});
    await Promise.race([ready, failed]);
  }

  /** What `/ready` answers; false while nobody listens. */
  async ready() {
    try {
      return (await fetch(`http://127.0.0.1:${this.operatorPort}/ready`)).ok;
    } catch {
      return false;
    }
  }

  /** SIGKILL: as if the power went. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: asks it to drain. Returns its exit code. */
  async terminate() {
    return this.#end('SIGTERM');
  }

  async #end(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = await exited;
    return code;
  }

  /** Ends the process if it still runs, and removes its folder. */
  async remove() {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Calls a method of the server API; returns its result, or throws an error with `code`. */
  async api(method, body = {}) {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/${method}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-API-Key': API_KEY },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`/api/${method} answered ${answer.status}: ${await answer.text()}`);
    const { error, result, replies } = await answer.json();
    if (error) throw Object.assign(new Error(`/api/${method}: ${error.message}`), { code: error.code });
    return result ?? replies;
  }
}

async function freePort() {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const server = createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
