import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openReader } from '../../../../test/helpers/session-stores.ts';
import { type Login, toHandle } from '../../src/login.ts';
import { asText } from '../../src/logins/fingerprint.ts';
import { type Device, type LoginSite, loginContract } from '../contracts/login.ts';

/** The sessions of PHP's own files, in a new folder. */
async function filesSite(): Promise<LoginSite & { folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'logins-'));
  const write = (id: string, user: string, name: string) => {
    const file = join(folder, `sess_${id}`);
    writeFileSync(file, `user_id|s:${user.length}:"${user}";firstname|s:${name.length}:"${name}";`);
    // Written a while ago, so that it is read once.
    const ago = Date.now() / 1000 - 10;
    utimesSync(file, ago, ago);
  };
  return {
    folder,
    open: async () => openReader(`file://${folder}?timeout=5000ms`),
    async logIn(user, name = 'Ann'): Promise<Device> {
      const id = randomBytes(16).toString('hex');
      write(id, user, name);
      return {
        cookies: `PHPSESSID=${id}`,
        secrets: [id],
        session: id,
        rename: async (other) => write(id, user, other),
        logOut: async () => rmSync(join(folder, `sess_${id}`)),
        becomes: async (other) => write(id, other, name),
      };
    },
    async silence() {
      renameSync(folder, `${folder}.gone`);
      return async () => renameSync(`${folder}.gone`, folder);
    },
    close: async () => rmSync(folder, { recursive: true }),
  };
}

loginContract('PHP session', filesSite);

test('gives different handles to different parts, users and kinds of login', () => {
  const handles = [
    toHandle('php', '7', ['ab', 'c']),
    toHandle('php', '7', ['a', 'bc']),
    toHandle('php', '7a', ['b', 'c']),
    toHandle('php', '7', ['abc']),
    toHandle('other', '7', ['ab', 'c']),
  ];
  expect(new Set(handles).size).toBe(handles.length);
});

test('checks the connections of the earlier user at once when a session gets another user', async () => {
  const site = await filesSite();
  onTestFinished(site.close);
  const logins = await site.open();
  onTestFinished(() => logins.close());
  const device = await site.logIn('7');
  const first = (await logins.identify(device)) as Login;
  await device.becomes?.('8');
  const second = (await logins.identify(device)) as Login;
  const { promise: active, resolve } = Promise.withResolvers<unknown>();
  const watch = logins.watch(resolve);
  onTestFinished(watch.end);
  expect(await active).toBeNull();
  const counts = { first: 0, second: 0 };
  const watcher = (of: keyof typeof counts) => ({ notified: () => void counts[of]++, opened() {} });
  const ofFirst = watch.add(first as never, watcher('first'));
  expect(counts).toEqual({ first: 0, second: 0 });
  const ofSecond = watch.add(second as never, watcher('second'));
  expect(counts).toEqual({ first: 1, second: 0 });
  await device.rename('Ben');
  await expect.poll(() => [counts.first > 1, counts.second > 0]).toEqual([true, true]);
  ofSecond.end();
  const [before, { second: last }] = [counts.first, { ...counts }];
  await device.logOut();
  await expect.poll(() => counts.first).toBeGreaterThan(before);
  expect(counts.second).toBe(last);
  ofFirst.end();
});

test('computes a fingerprint from all values except the places of databases and stores', () => {
  const values = {
    prefix: 'wp_',
    database: { place: { password: 'one' } },
    key: Buffer.from([0, 255]),
    roles: new Set(['editor', 'author']),
    fixed: new Map([['b', null] as const, ['a', 1] as const]),
    sessions: { is: 'file', url: 'redis://one:6379/2?prefix=s_&timeout=90ms&format=php' },
    store: 'file:///var/one?owner=33&lifetime=9',
    absent: undefined,
  };
  const text = asText(values);
  const elsewhere = {
    store: 'file:///srv/two?lifetime=9',
    sessions: { url: 'redis://a:b@two?format=php&prefix=s_', is: 'file' },
    fixed: new Map([['a', 1] as const, ['b', null] as const]),
    roles: new Set(['author', 'editor']),
    key: Buffer.from([0, 255]),
    database: { place: { password: 'two' } },
    prefix: 'wp_',
  };
  expect(asText(elsewhere)).toBe(text);
  expect(text).not.toMatch(/one|two/);
  const others = [
    { prefix: 'wp2_' },
    { key: Buffer.from([0, 254]) },
    { roles: new Set(['author']) },
    { fixed: new Map([['a', 1]]) },
    { sessions: { is: 'file', url: 'redis://one:6379/2?prefix=t_&format=php' } },
    { store: 'mysql://one/two?lifetime=9' },
    { more: false },
  ];
  for (const other of others) expect(asText({ ...values, ...other })).not.toBe(text);
});
