import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { hangDisks } from '../../helpers/hung-disks.ts';
import { phpRequest } from '../../helpers/php-request.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const store = (options = '') => parseStoreUrl(`file://${folder}${options}`).open();
const request = (code: string) => phpRequest({ 'session.save_path': folder }, code);
const file = (id: string) => join(folder, `sess_${id}`);
const age = (id: string, seconds: number) =>
  utimesSync(file(id), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
const lives = async (id: string, options = '') =>
  Math.round(((await store(options).ttl(id)) ?? Number.NaN) / 1000);

test('how long a session has to live is told by the age of its file', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  expect(await lives(id)).toBe(1440);
  age(id, 400);
  expect(await lives(id)).toBe(1040);
  expect(await lives(id, '?lifetime=30m')).toBe(1400);
  expect(await lives(id, '?lifetime=0')).toBe(Number.POSITIVE_INFINITY);
  age(id, 1441);
  expect(await store().ttl(id)).toBe(0);
  expect(await store().ttl('nobody')).toBeNull();
});

test('renewed: as old as a page view would make it, and not a byte of it changed', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  age(id, 1000);
  await store().touch(id, 1440);
  expect(await lives(id)).toBe(1440);
  expect(readFileSync(file(id), 'utf8')).toBe('user_id|i:7;');
});

test('what is over stays over, and what is not there is not made', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  age(id, 1441);
  await store().touch(id, 1440);
  expect(await store().get(id)).toBeNull();
  await store().touch('nobody', 1440);
  expect(existsSync(file('nobody'))).toBe(false);
});

test('what is no file of PHP’s has no life, and none is given to what a link leads to', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  age(id, 1000);
  const { mtimeMs } = statSync(file(id));
  symlinkSync(file(id), file('link'));
  expect(await store().ttl('link')).toBeNull();
  await store().touch('link', 1440);
  expect(statSync(file(id)).mtimeMs).toBe(mtimeMs);
});

test('a folder that is away, and a disk that hangs, are failures', async () => {
  const gone = parseStoreUrl(`file://${folder}/gone`).open();
  await expect(gone.ttl('one')).rejects.toThrow(StoreError);
  await expect(gone.touch('one', 1440)).rejects.toThrow(StoreError);
  const answer = hangDisks(folder);
  try {
    const sessions = store('?timeout=100ms');
    await expect(sessions.ttl('one')).rejects.toThrow(/did not answer within 100 ms/);
    await expect(sessions.touch('one', 1440)).rejects.toThrow(/did not answer within 100 ms/);
  } finally {
    await answer();
  }
});

test.runIf(process.getuid?.() === 0)(
  'only PHP’s user can renew: who may read and write says so, and no id',
  () => {
    writeFileSync(file('one'), 'user_id|i:7;');
    chmodSync(folder, 0o755);
    chmodSync(file('one'), 0o666);
    const module = new URL('../../../server/session/store-url.ts', import.meta.url).pathname;
    const program = `import { parseStoreUrl } from '${module}';
    await parseStoreUrl('file://${folder}').open().touch('one', 1440).catch(({ name, message }) => console.log(name, message));`;
    const options = { encoding: 'utf8', uid: 65_534 } as const;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], options);
    expect(said).toBe(
      `StoreError no session can be renewed in the session folder ${folder} (EPERM): only the user of the PHP site may do that\n`,
    );
  },
);
