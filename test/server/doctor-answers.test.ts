import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { ConnectRefused, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { doctorSays } from '../helpers/doctor-says.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-answers-'));
const servers = new Map<string, RunningChat>();
afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function serverWith(options: string): Promise<RunningChat> {
  const server = servers.get(options) ?? (await chatServerHere(envOf(options)));
  servers.set(options, server);
  return server;
}
const envOf = (options: string) => ({ CHAT_SESSION_STORE: `file://${folder}?${options}` });

const user = 'user_id|i:42;firstname|s:3:"Ann";';
const large = `${user}more|s:1300000:"${'x'.repeat(1_300_000)}";`;
const deep = `${user}deep|${'a:1:{i:0;'.repeat(5000)}i:1;${'}'.repeat(5000)}`;

/** Title, content, store options, expected reason, and the cookie unless it is `PHPSESSID=ID`. */
const sessions: [string, Buffer | null, string, RegExp, ((id: string) => string)?][] = [
  ['of a user', Buffer.from(user), '', /^user 42$/],
  ['of a user, packed', deflateSync(user), 'layers=zlib', /^user 42$/],
  ['that is too large', Buffer.from(large), '', /^the session is larger than 1048576 bytes, the limit of/],
  ['that unpacks to too much', deflateSync(large), 'layers=zlib', /^the session is larger than 1048576/],
  ['that is not packed', Buffer.from(user), 'layers=zlib', /layers=zlib: .* the bytes look like php$/],
  ['that is cut off', Buffer.from(user.slice(0, -2)), '', /^the session cannot be read as php: expected/],
  ['of another format', Buffer.from('a:1:{s:7:"user_id";i:42;}'), '', /the bytes look like php_serialize$/],
  // The option starts another server, because a server logs each kind of reason once a minute.
  ['that is too deep', Buffer.from(deep), 'timeout=2000ms', /^the session cannot be read as php: /],
  [
    'of a guest',
    Buffer.from('cart|i:1;'),
    '',
    /^the session has no logged-in user: user_id is not in the session$/,
  ],
  [
    'whose user is a list',
    Buffer.from('user_id|a:1:{i:0;i:7;}'),
    '',
    /^user_id is not a user id but an array or an object$/,
  ],
  ['that is empty', Buffer.alloc(0), '', /^the session is empty$/],
  ['that is not there', null, '', /^the store has no such session$/],
  [
    'with a second cookie of another value',
    Buffer.from(user),
    '',
    /^the request has two cookies PHPSESSID with different values, .*PHP uses the first in the header/,
    (id) => `PHPSESSID=${id}; PHPSESSID=${'0'.repeat(26)}`,
  ],
];

test.each(sessions)(
  'gives log, client and doctor the same result for a session %s',
  async (title, bytes, options, says, cookieOf) => {
    const id = title.replace(/\W/g, '').padEnd(26, 'x');
    if (bytes !== null) {
      writeFileSync(join(folder, `sess_${id}`), bytes);
      // A recently changed file is read twice.
      utimesSync(join(folder, `sess_${id}`), Date.now() / 1000 - 10, Date.now() / 1000 - 10);
    }
    const cookie = cookieOf?.(id) ?? `PHPSESSID=${id}`;

    const server = await serverWith(options);
    const from = server.output().length;
    const client = await connectChat(server.url, cookie).catch((error: unknown) => error);
    const said = await doctorSays(envOf(options), '--cookie', `Cookie: ${cookie}`);

    if (!(client instanceof ConnectRefused)) {
      const { ready, close } = client as Awaited<ReturnType<typeof connectChat>>;
      close();
      expect(`user ${ready.user.id}`).toMatch(says);
      expect(said).toContain(`✓ It belongs to the user ${ready.user.id}, called ${ready.user.name}.`);
      return;
    }
    const lineOf = () =>
      /^\{.*"msg":"rejected a connection".*\}$/m.exec(server.output().slice(from))?.[0] ?? '';
    await expect.poll(lineOf).not.toBe('');
    const { reason, hint, code: refused } = JSON.parse(lineOf()) as Record<string, string>;
    expect(reason).toMatch(says);
    expect(client.data?.code).toBe(refused);
    expect(said).toContain(`✗ This login is rejected: ${reason}.`);
    if (hint !== undefined) expect(said).toContain(`→ ${hint}`);
    expect(said).not.toContain('It belongs to the user');
    if (/larger than|two cookies/.test(reason ?? '')) expect(client.data?.message).toContain(`: ${reason}.`);
  },
);
