// Tokens as an application's backend would issue them, and as an attacker would.

import { createHmac } from 'node:crypto';

import { SECRET } from './node.js';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token with these claims, signed with HS256. */
export function sign(claims, secret = SECRET) {
  const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`;
}

/** A token that says of itself that it needs no signature. */
export function unsigned(claims) {
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}

/** Seconds since 1970, so many from now. */
export function inSeconds(seconds) {
  return Math.floor(Date.now() / 1000) + seconds;
}
