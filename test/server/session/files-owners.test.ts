import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FormatError } from '../../../server/session/formats/value.ts';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { phpRequest } from '../../helpers/php-request.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const store = (options = '?') => parseStoreUrl(`file://${folder}${options}&timeout=5000ms`).open();
const request = (code: string) => phpRequest({ 'session.save_path': folder }, code);

const [nobody, stranger] = [65_534, 65_533];
const asRoot = process.getuid?.() === 0;

/** One request of a site whose PHP runs as that user, which only root can have. */
const requestAs = (user: number, code: string, id?: string) =>
  phpRequest({ 'session.save_path': folder }, code, id, asRoot ? `posix_setuid(${user});` : '');

/** What a process of that user gets. */
const getAs = (user: number, ids: string[]) => {
  const module = resolve(import.meta.dirname, '../../../server/session/store-url.ts');
  const program = `import { parseStoreUrl } from '${module}';
    const sessions = parseStoreUrl('file://${folder}').open();
    const answers = await Promise.all(${JSON.stringify(ids)}.map((id) => sessions.get(id).then(String, ({ name }) => name)));
    console.log(JSON.stringify(answers));`;
  const options = { encoding: 'utf8', ...(asRoot ? { uid: user } : {}) } as const;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], options));
};

test('where everybody may write, what somebody else has put there is no session, as to PHP', async () => {
  chmodSync(folder, 0o1777);
  const id = requestAs(nobody, '$_SESSION["user_id"] = 7');
  if (!asRoot) return expect(getAs(nobody, [id])).toEqual(['user_id|i:7;']);
  const planted = requestAs(stranger, '$_SESSION["user_id"] = 1');
  const ofRoot = request('$_SESSION["user_id"] = 8');
  for (const one of [planted, ofRoot]) chmodSync(join(folder, `sess_${one}`), 0o666);
  expect(() => requestAs(nobody, '', planted)).toThrow(/Failed to read session data/);
  const ids = [id, planted, ofRoot, 'none'];
  expect(getAs(nobody, ids)).toEqual(['user_id|i:7;', 'FormatError', 'user_id|i:8;', 'null']);
  for (const owner of ['nobody', String(nobody)]) {
    const sessions = store(`?owner=${owner}`);
    expect(String(await sessions.get(id))).toBe('user_id|i:7;');
    expect(String(await sessions.get(ofRoot))).toBe('user_id|i:8;');
    await expect(sessions.get(planted)).rejects.toThrow(FormatError);
    await expect(sessions.get(planted)).rejects.toThrow(/name that user in owner=/);
  }
  for (const one of ids) {
    await expect(store().get(one)).rejects.toThrow(StoreError);
    await expect(store().get(one)).rejects.toThrow(/this server runs as root.* name that user in owner=/);
  }
  chmodSync(folder, 0o755);
  expect(String(await store().get(id))).toBe('user_id|i:7;');
  await expect(store('?owner=nobody').get(planted)).rejects.toThrow(FormatError);
});

test('a folder by the first characters that everybody may write to', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const inner = join(folder, id.slice(0, 1));
  mkdirSync(inner);
  writeFileSync(join(inner, `sess_${id}`), 'user_id|i:7;');
  expect(String(await store('?depth=1').get(id))).toBe('user_id|i:7;');
  chmodSync(inner, 0o777);
  if (asRoot) await expect(store('?depth=1').get(id)).rejects.toThrow(/owner=/);
  else expect(String(await store('?depth=1').get(id))).toBe('user_id|i:7;');
});

test('a link, a FIFO, a folder, a socket: none of them is a session, and none is waited for', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  symlinkSync(join(folder, `sess_${id}`), join(folder, 'sess_link'));
  execFileSync('mkfifo', [join(folder, 'sess_fifo')]);
  mkdirSync(join(folder, 'sess_folder'));
  const server = createServer().listen(join(folder, 'sess_socket'));
  await once(server, 'listening');
  const sessions = store();
  for (const one of ['link', 'fifo', 'folder', 'socket'])
    await expect(sessions.get(one)).rejects.toThrow(FormatError);
  server.close();
});

test('an id too long for the name of a file is nobody’s', async () => {
  expect(await store().get('a'.repeat(256))).toBeNull();
});
