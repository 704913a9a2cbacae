import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FormatError } from '../../../server/session/formats/value.ts';
import type { SessionStore } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type KeptSessions, keptSessions } from '../../helpers/kept-sessions.ts';
import { type SessionServer, startSessionServer } from '../../helpers/session-server.ts';

let server: SessionServer;
let kept: KeptSessions;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startSessionServer({ SESSION_SERVER_SESSION_SIZE: '8MB' });
  kept = await keptSessions(server.port);
});
afterAll(async () => {
  kept.close();
  await server.stop();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** How soon it answers is not the question in most of these. */
function store(timeout = 5000): SessionStore {
  const opened = parseStoreUrl(`session-server://127.0.0.1:${server.port}?timeout=${timeout}ms`).open();
  closing.push(() => opened.close());
  return opened;
}

const text = (bytes: Promise<Buffer | null>) => bytes.then((found) => found && String(found));
/** What is there, and is no session. */
const damage = (question: Promise<unknown>) =>
  question.catch((error: unknown) => (error instanceof FormatError ? error.message : null));

test('every byte comes back as it was stored, and what looks like an encoding of one is none', async () => {
  const sessions = store();
  const all = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  for (const bytes of [
    all,
    Buffer.from('%41%0a+%zz'),
    Buffer.from('";}s:0:"";'),
    Buffer.from(' x '),
    all.subarray(255),
  ]) {
    await kept.put('bytes', bytes);
    expect(await sessions.get('bytes')).toEqual(bytes);
    // Beside other keys.
    await kept.do('open bytes rw', 'put a b', 'put %FF%00 %FF', 'close');
    expect(await sessions.get('bytes')).toEqual(bytes);
    await kept.destroy('bytes');
  }
});

test('a record in which PHP has nothing is empty, and one that it cannot read is no session', async () => {
  const sessions = store();
  await kept.do('open bare rw', 'close', 'open others rw', 'put a b', 'put 5 c', 'close');
  expect(await sessions.get('bare')).toEqual(Buffer.alloc(0));
  expect(await sessions.get('others')).toEqual(Buffer.alloc(0));
  await kept.put('none', '');
  expect(await sessions.get('none')).toEqual(Buffer.alloc(0));
  await kept.do('open list rw', `put_all ${encodeURIComponent('a:1:{s:0:"";a:0:{}}')}`, 'close');
  expect(await damage(sessions.get('list'))).toMatch(/under the empty key is no string/);
});

test('no ID becomes more than one on its line', async () => {
  const sessions = store();
  await kept.put('one', 'here');
  for (const id of ['', ' ', 'one two', 'one\r\nopen one rw', '../one', 'é', 'x'.repeat(129)]) {
    expect(await sessions.get(id)).toBeNull();
    expect(await sessions.ttl(id)).toBeNull();
    await sessions.touch(id, 60);
  }
  expect(await text(sessions.get('one'))).toBe('here');
});

test('a session that a page has open, with its lock, is read and kept alive all the same', async () => {
  await kept.put('locked', 'here');
  const page = await keptSessions(server.port);
  closing.push(() => page.close());
  await page.do('open locked rw', 'put  changed');
  const sessions = store();
  expect(await text(sessions.get('locked'))).toBe('here');
  await sessions.ttl('locked');
  await sessions.touch('locked', 60);
  // Nor does that leave a lock behind.
  await page.do('close');
  await kept.put('locked', 'last');
  expect(await text(sessions.get('locked'))).toBe('last');
});

test('more than a session may have is thrown away as it comes, and fails nobody else', async () => {
  await kept.put('huge', Buffer.alloc(6_000_000, 'x'));
  await kept.put('honest', 'here');
  const sessions = store();
  const asked = [sessions.get('honest'), sessions.get('huge'), sessions.get('honest')] as const;
  expect(await text(asked[0])).toBe('here');
  expect(await damage(asked[1])).toMatch(/larger than 1048576 bytes/);
  expect(await text(asked[2])).toBe('here');
  await kept.destroy('huge');
});

test('large sessions asked for again and again delay nobody', async () => {
  const large = Array.from({ length: 50 }, (_, n) => `large${n}`);
  for (const id of large) await kept.put(id, Buffer.alloc(900_000, 'x'));
  await kept.put('honest', 'user_id|i:7;');
  const sessions = store(500);
  // Once each, from which it is known that they are.
  for (const id of large) await sessions.get(id);
  let attacking = true;
  const attack = async () => {
    while (attacking) await Promise.allSettled(large.map(sessions.get));
  };
  const attacked = attack();
  try {
    for (let n = 0; n < 50; n++) expect(await text(sessions.get('honest'))).toBe('user_id|i:7;');
  } finally {
    attacking = false;
    await attacked;
  }
});
