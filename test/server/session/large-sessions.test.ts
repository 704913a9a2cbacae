import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { LargeSessions } from '../../../server/session/large-sessions.ts';
import { phpSessions } from '../../../server/session/logins/php-sessions.ts';
import { parsePath } from '../../../server/session/path.ts';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { size } from '../../guarantees/size.ts';

const folder = mkdtempSync(join(tmpdir(), 'large-sessions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a session file with an old modification time, so that it is read once. */
function write(id: string, bytes: string | Buffer): void {
  const file = join(folder, `sess_${id}`);
  writeFileSync(file, bytes);
  const ago = Date.now() / 1000 - 10;
  utimesSync(file, ago, ago);
}

function open(options = 'format=json&timeout=9999ms') {
  const reader = phpSessions({
    source: parseStoreUrl(`file://${folder}?${options}`),
    cookie: parseCookieForm('plain', 'PHPSESSID'),
    user: {
      id: parsePath('app\\.user!.id'),
      name: parsePath('name*'),
      require: parsePath('in'),
      nobody: ['1'],
      rooms: parsePath('rooms'),
      roles: parsePath('roles'),
      banned: parsePath('banned'),
    },
  });
  onTestFinished(() => reader.close());
  return reader;
}

const session = (id: number, over: object = {}) => ({
  'app.user': `a:1:{s:2:"id";i:${id};}`,
  name_of_user: 'Zoë 张伟',
  in: true,
  rooms: { a: 'Room A' },
  roles: ['admin'],
  ...over,
});
const padded = (value: object) => JSON.stringify({ ...value, more: Array(250_000).fill(1.5) });

test('a session of a megabyte is judged as a small one is', async () => {
  const reader = open();
  const more: [string, object][] = [
    ['7', { in: false }],
    ['1', {}],
    ['-7', {}],
    ['7', { name: 'two names' }],
  ];
  for (const [id, over] of [
    ['7', {}],
    ['7', { banned: 1 }],
    ...size<[string, object][]>(more, []),
  ] as const) {
    const value = session(Number(id), over);
    write('small', JSON.stringify(value));
    write('large', padded(value));
    const [small, large] = [
      await reader.identify({ session: 'small' }),
      await reader.identify({ session: 'large' }),
    ];
    if ('user' in small) expect(large).toMatchObject({ user: small.user });
    else expect(large).toEqual(small);
  }
  write('large', padded(session(7)).slice(0, -1));
  expect(await reader.identify({ session: 'large' })).toMatchObject({
    code: 'session_invalid',
    kind: 'the bytes look like json',
  });
});

test('sessions that take this thread long are decoded in another one, compressed or not', async () => {
  const threads: unknown[] = [];
  const onThread = (thread: unknown) => threads.push(thread);
  process.on('worker', onThread);
  onTestFinished(() => void process.off('worker', onThread));
  const large = padded(session(7));
  for (const [options, bytes] of [
    ['format=json', Buffer.from(large)],
    ['format=json&layers=zlib', deflateSync(large)],
  ] as const) {
    const reader = open(options);
    threads.length = 0;
    write('small', options.endsWith('zlib') ? deflateSync('{}') : '{}');
    await reader.identify({ session: 'small' });
    expect(threads).toEqual([]);
    write('large', bytes);
    expect(await reader.identify({ session: 'large' })).toMatchObject({ user: { id: '7' } });
    expect(threads).toHaveLength(1);
  }
});

test('of very many large sessions at once some must be requested again, and none waits for ever', async () => {
  // The disk of a busy machine may be late, too.
  const reader = open('format=json&timeout=9999ms');
  const bytes = padded(session(7));
  const ids = Array.from({ length: 60 }, (_, n) => `many${n}`);
  for (const id of ids) write(id, bytes);
  const answers = await Promise.all(ids.map((id) => reader.identify({ session: id })));
  const codes = new Set(answers.map((answer) => ('code' in answer ? answer.code : 'ok')));
  expect(codes).toEqual(new Set(['ok', 'session_store_unavailable']));
  const refused = ids.filter((_, n) => 'code' in (answers[n] ?? {}));
  for (const id of refused.slice(0, 5))
    expect(await reader.identify({ session: id })).toMatchObject({ user: { id: '7' } });
});

test('a large session that many connections ask for at once is decoded once', async () => {
  const reader = open();
  write('shared', padded(session(7)));
  // If each of them were decoded, they would exceed the queue.
  const answers = await Promise.all(Array.from({ length: 60 }, () => reader.identify({ session: 'shared' })));
  for (const answer of answers) expect(answer).toMatchObject({ user: { id: '7' } });
});

test('requests while a thread is ending are answered by the next one', async () => {
  const large = new LargeSessions('json', { id: parsePath('id'), name: parsePath('name') });
  onTestFinished(() => large.close());
  // Not bytes: the thread fails on it, as on a bug.
  const deadly = { length: 1 } as Buffer;
  await expect(large.identify(deadly)).rejects.toBeInstanceOf(StoreError);
  expect(await large.identify(Buffer.from('{"id":7,"name":"Zoë"}'))).toMatchObject({ user: { id: '7' } });
});
