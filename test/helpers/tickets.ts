import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Signing {
  by?: Buffer;
  header?: object;
  hash?: string;
}

/** Creates keys for tickets, and functions that sign tickets. They use no library, so that a ticket can be invalid. */
export function ticketKeys() {
  const folder = mkdtempSync(join(tmpdir(), 'chat-tickets-'));
  const keys = [randomBytes(32), randomBytes(40)] as const;
  const file = join(folder, 'keys');
  writeFileSync(file, keys.map((key) => `${key.toString('base64')}\n`).join(''));
  const sign = (
    payload: unknown,
    { by = keys[0], header = { alg: 'HS256', typ: 'JWT' }, hash = 'sha256' }: Signing = {},
  ): string => {
    const text = `${encode(header)}.${encode(payload)}`;
    return `${text}.${createHmac(hash, by).update(text).digest('base64url')}`;
  };
  return {
    keys,
    env: { CHAT_TICKET_KEY_FILE: file, CHAT_TICKET_AUDIENCE: 'chat.example' },
    sign,
    /** Returns a ticket for user 7 that expires in 10 minutes. `over` replaces or adds claims. */
    ticket: (over: object = {}, signing?: Signing): string => sign(claimsOf(over), signing),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** The current time in Unix seconds. */
export const now = (): number => Math.floor(Date.now() / 1000);

export const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const claimsOf = (over: object = {}): object => ({
  sub: '7',
  name: 'Zoë',
  sid: 'login-1',
  aud: 'chat.example',
  iat: now(),
  exp: now() + 600,
  ...over,
});
