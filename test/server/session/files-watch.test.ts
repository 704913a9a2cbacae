import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type PhpSettings, phpRequest } from '../../helpers/php-request.ts';
import { watched, watchingProgram } from '../../helpers/watched.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => {
  for (const one of [folder, `${folder}-away`]) rmSync(one, { recursive: true, force: true });
});

const url = (options = '') => `file://${folder}${options}`;
const watch = (options?: string) => watched(parseStoreUrl(url(options)).open());
const request = (code: string, id?: string, settings: PhpSettings = {}) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder, ...settings }, code, id);
const lost = (reason: StoreError | null) => ({ kind: 'lost', reason });

test('what PHP does to a session is told: written, renewed, destroyed, collected', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const store = watch();
  await store.works;
  for (const code of ['$_SESSION["user_id"] = 8', '', 'session_destroy()']) {
    const changed = store.until({ kind: 'changed', id });
    request(code, id);
    await changed;
  }
  const collected = request('');
  await store.until({ kind: 'changed', id: collected }, 0);
  const since = store.told.length;
  unlinkSync(join(folder, `sess_${collected}`));
  await store.until({ kind: 'changed', id: collected }, since);
  expect(store.told.filter(({ kind }) => kind !== 'changed')).toEqual([lost(null)]);
});

test('other files and other prefixes are nobody’s sessions', async () => {
  const store = watch('?prefix=ci_session');
  await store.works;
  writeFileSync(join(folder, 'sess_one'), '');
  writeFileSync(join(folder, 'ci_sessiontwo'), '');
  await store.until({ kind: 'changed', id: 'two' }, 0);
  expect(new Set(store.told)).toEqual(
    new Set([lost(null), ...store.told.filter((one) => 'id' in one && one.id === 'two')]),
  );
});

test('folders by the first characters of the id, and one that is made later', async () => {
  for (const inner of ['a/b', 'a/c', 'b/a']) mkdirSync(join(folder, inner), { recursive: true });
  mkdirSync(join(folder, 'lost+found'));
  const store = watch('?depth=2');
  await store.works;
  const settings = { 'session.save_path': `2;${folder}`, 'session.use_strict_mode': '0' };
  for (const id of ['ab', 'ac', 'ba'].map((start) => start.padEnd(26, '0'))) {
    request('$_SESSION["user_id"] = 7', id, settings);
    await store.until({ kind: 'changed', id }, 0);
    const changed = store.until({ kind: 'changed', id });
    request('session_destroy()', id, settings);
    await changed;
  }
  mkdirSync(join(folder, 'c/c'), { recursive: true });
  await store.until(lost(null), store.told.length);
  const id = 'cc'.padEnd(26, '0');
  request('$_SESSION["user_id"] = 7', id, settings);
  await store.until({ kind: 'changed', id }, 0);
});

test('a folder that is moved away and back: told once each, and told again what happens in it', async () => {
  const store = watch();
  await store.works;
  renameSync(folder, `${folder}-away`);
  await expect.poll(() => store.told.length).toBe(2);
  expect(store.told[1]).toMatchObject({ kind: 'lost', reason: expect.any(StoreError) });
  const works = store.until(lost(null));
  renameSync(`${folder}-away`, folder);
  await works;
  const id = request('$_SESSION["user_id"] = 7');
  await store.until({ kind: 'changed', id }, 0);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toHaveLength(3);
});

test('a folder in whose place there is another one: told, and then what happens in that', async () => {
  const store = watch();
  await store.works;
  renameSync(folder, `${folder}-away`);
  mkdirSync(folder);
  const { reason } = (await store.until({ kind: 'lost' })) as { reason: StoreError };
  expect(reason.message).toMatch(/has been replaced by another one$/);
  await store.until(lost(null));
  writeFileSync(join(folder, 'sess_new'), '');
  await store.until({ kind: 'changed', id: 'new' }, 0);
});

test('a session that is called as its folder is no event of the folder', async () => {
  const store = watch(`?prefix=${basename(folder).slice(0, -1)}`);
  await store.works;
  writeFileSync(join(folder, basename(folder)), '');
  await store.until({ kind: 'changed', id: basename(folder).slice(-1) }, 0);
  writeFileSync(join(folder, `${basename(folder)}new`), '');
  await store.until({ kind: 'changed', id: `${basename(folder).slice(-1)}new` }, 0);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null)]);
});

test('a folder that is not there, or that has too many folders: told, not thrown', async () => {
  const none = watched(parseStoreUrl(`${url()}/none`).open());
  await none.until({ kind: 'lost' }, 0);
  expect(none.told).toEqual([
    lost(
      new StoreError(`the session folder ${folder}/none cannot be read (ENOENT): there is no such folder`),
    ),
  ]);
  const characters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,-'];
  for (const a of characters) for (const b of characters) mkdirSync(join(folder, a, b), { recursive: true });
  const many = watch('?depth=2');
  await many.until({ kind: 'lost' }, 0);
  expect(many.told[0]).toMatchObject({
    reason: { message: expect.stringMatching(/has more than 4096 folders, too many to watch/) },
  });
});

test('an ended watch tells nothing', async () => {
  const store = watch();
  await store.works;
  store.end();
  const other = watch();
  await other.works;
  const id = request('$_SESSION["user_id"] = 7');
  await other.until({ kind: 'changed', id }, 0);
  expect(store.told).toEqual([lost(null)]);
  const unbegun = watch();
  unbegun.end();
  await watch().works;
  expect(unbegun.told).toEqual([]);
});

test.each([
  ['that works', '', 'works'],
  ['that does not', '/none', 'lost'],
])('a process that ends its watch, one %s, comes to its own end', (_, path, told) => {
  const program = watchingProgram(url() + path);
  const options = { encoding: 'utf8', timeout: 10_000 } as const;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(
    `${told}\ntold 0\n`,
  );
});

test.runIf(process.getuid?.() === 0)(
  'Debian’s folder, which lets nobody list it: told, with what is the matter',
  () => {
    execFileSync('chmod', ['1733', folder]);
    const program = watchingProgram(url()).replace("'lost'", 'reason.message');
    const options = { encoding: 'utf8', timeout: 10_000, uid: 65_534 } as const;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toMatch(
      /cannot be watched \(EACCES\): this server must be allowed to list it/,
    );
  },
);
