import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hanging } from '../../../test/helpers/hanging.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { endingProgram, lost, subscribed } from '../../../test/helpers/subscribed.ts';
import { StoreError } from '../src/store.ts';
import { parseStoreUrl } from '../src/store-url.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => {
  for (const one of [folder, `${folder}-away`]) rmSync(one, { recursive: true, force: true });
});

const url = (options = '') => `file://${folder}${options}`;
const subscribe = (options?: string) => subscribed(parseStoreUrl(url(options)).open());
const request = (code: string, id?: string) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder }, code, id);
const write = (id: string, inner = '') => writeFileSync(join(folder, inner, `sess_${id}`), 'user_id|i:7;');

test('notifies of each session that PHP writes, renews, destroys or collects', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const store = subscribe();
  await store.active;
  for (const code of ['$_SESSION["user_id"] = 8', '', 'session_destroy()']) {
    const changed = store.until({ kind: 'changed', id });
    request(code, id);
    await changed;
  }
  const collected = request('');
  await store.until({ kind: 'changed', id: collected }, 0);
  const since = store.received.length;
  unlinkSync(join(folder, `sess_${collected}`));
  await store.until({ kind: 'changed', id: collected }, since);
  expect(store.received.filter(({ kind }) => kind !== 'changed')).toEqual([lost(null)]);
});

test('ignores files with other prefixes', async () => {
  const store = subscribe('?prefix=ci_session');
  await store.active;
  writeFileSync(join(folder, 'sess_one'), '');
  writeFileSync(join(folder, 'ci_sessiontwo'), '');
  await store.until({ kind: 'changed', id: 'two' }, 0);
  expect(new Set(store.received)).toEqual(
    new Set([lost(null), ...store.received.filter((one) => 'id' in one && one.id === 'two')]),
  );
});

test('watches folders for the first characters of the ID, also if they are created later', async () => {
  for (const inner of ['a/b', 'a/c', 'b/a']) mkdirSync(join(folder, inner), { recursive: true });
  mkdirSync(join(folder, 'lost+found'));
  const store = subscribe('?depth=2');
  await store.active;
  for (const [id, inner] of [
    ['ab0', 'a/b'],
    ['ac0', 'a/c'],
    ['ba0', 'b/a'],
  ] as const) {
    write(id, inner);
    await store.until({ kind: 'changed', id }, 0);
    const changed = store.until({ kind: 'changed', id });
    unlinkSync(join(folder, inner, `sess_${id}`));
    await changed;
  }
  mkdirSync(join(folder, 'c/c'), { recursive: true });
  await store.until(lost(null), store.received.length);
  write('cc0', 'c/c');
  await store.until({ kind: 'changed', id: 'cc0' }, 0);
});

test('reports `lost` while the folder is moved away', async () => {
  const store = subscribe();
  await store.active;
  renameSync(folder, `${folder}-away`);
  await expect.poll(() => store.received.length).toBe(2);
  expect(store.received[1]).toMatchObject(lost(expect.any(StoreError)));
  const active = store.until(lost(null));
  renameSync(`${folder}-away`, folder);
  await active;
  write('back');
  await store.until({ kind: 'changed', id: 'back' }, 0);
  expect(store.received.filter(({ kind }) => kind === 'lost')).toHaveLength(3);
});

test('reports `lost` for a replaced folder, then watches the new folder', async () => {
  const store = subscribe();
  await store.active;
  renameSync(folder, `${folder}-away`);
  mkdirSync(folder);
  const { reason } = (await store.until({ kind: 'lost' })) as { reason: StoreError };
  expect(reason.message).toMatch(/was replaced$/);
  await store.until(lost(null));
  writeFileSync(join(folder, 'sess_new'), '');
  await store.until({ kind: 'changed', id: 'new' }, 0);
});

test('does not take a session with the name of its folder for an event of the folder', async () => {
  const store = subscribe(`?prefix=${basename(folder).slice(0, -1)}`);
  await store.active;
  writeFileSync(join(folder, basename(folder)), '');
  await store.until({ kind: 'changed', id: basename(folder).slice(-1) }, 0);
  writeFileSync(join(folder, `${basename(folder)}new`), '');
  await store.until({ kind: 'changed', id: `${basename(folder).slice(-1)}new` }, 0);
  expect(store.received.filter(({ kind }) => kind === 'lost')).toEqual([lost(null)]);
});

test('reports `lost` with the reason for a missing folder', async () => {
  const none = subscribe('/none');
  await none.until({ kind: 'lost' }, 0);
  expect(none.received).toEqual([
    lost(
      new StoreError(`the session folder ${folder}/none cannot be read (ENOENT): there is no such folder`),
    ),
  ]);
});

test('reports `lost` for a folder with 4160 folders, which are too many', async () => {
  const names = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,-'];
  for (const one of names) {
    mkdirSync(join(folder, one));
    for (const other of names) mkdirSync(join(folder, one, other));
  }
  const many = subscribe('?depth=2');
  await many.until({ kind: 'lost' }, 0);
  expect(many.received[0]).toMatchObject({
    reason: { message: expect.stringMatching(/has more than 4096 folders, too many to watch/) },
  });
});

test('gives no notifications after the end of a subscription, and stops watching', async () => {
  const watches = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
  const before = watches();
  const store = subscribe();
  await store.active;
  expect(watches()).toBe(before + 1);
  store.end();
  await expect.poll(watches).toBe(before);
  const other = subscribe();
  await other.active;
  write('later');
  await other.until({ kind: 'changed', id: 'later' }, 0);
  expect(store.received).toEqual([lost(null)]);
  const notBegun = subscribe();
  notBegun.end();
  await subscribe().active;
  expect(notBegun.received).toEqual([]);
});

if (process.getuid?.() === 0) {
  test('reports `lost` with the fix for Debian’s folder, which only root can list', () => {
    execFileSync('chmod', ['1733', folder]);
    const program = endingProgram(url()).replace("'lost'", 'reason.message');
    const options = { encoding: 'utf8', timeout: hanging, uid: 65_534 } as const;
    // The process ends by itself.
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toMatch(
      /cannot be watched \(EACCES\): this server must be allowed to list it.*\nreceived 0\n$/,
    );
  });
}
