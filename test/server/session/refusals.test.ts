import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { parsePath } from '../../../server/session/path.ts';
import { createSessionReader } from '../../../server/session/read-session.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { phpRequest } from '../../helpers/php-request.ts';

let folder: string;
/** Sessions of the same content as PHP writes them, by format. */
const written = new Map<string, string>();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  for (const format of ['php', 'igbinary']) {
    const settings = { 'session.save_path': folder, 'session.serialize_handler': format };
    written.set(
      format,
      phpRequest(settings, '$_SESSION["app"] = ["user" => ["geheim" => "geheim"], "n" => -7]'),
    );
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Why the session is refused, with the store's options and the path of the user. */
async function refusal(id: string | undefined, options: string, path = 'app.user.id') {
  const sessions = createSessionReader({
    source: parseStoreUrl(`file://${folder}?${options}`),
    cookie: parseCookieForm('plain', 'PHPSESSID'),
    user: { id: parsePath(path), name: parsePath('app.user.name') },
  });
  const answer = await sessions.fromCookie(id === undefined ? undefined : `PHPSESSID=${id}`);
  sessions.close();
  if (!('code' in answer)) throw new Error('accepted');
  expect(JSON.stringify(answer)).not.toContain('geheim');
  if (id !== undefined) expect(JSON.stringify(answer)).not.toContain(id);
  return answer;
}

const session = (bytes: string | Buffer) => {
  const id = `s${written.size}`;
  written.set(id, id);
  writeFileSync(join(folder, `sess_${id}`), bytes);
  return id;
};

test('which part of the path is missing', async () => {
  expect(await refusal(written.get('php'), '')).toMatchObject({
    code: 'unauthorized',
    reason: 'nobody is logged in: app.user is there, app.user.id is not',
    kind: 'nobody is logged in: app.user is there, app.user.id is not',
    hint: expect.stringContaining('elsewhere'),
  });
});

test('a path that leads to no user id', async () => {
  for (const [path, reason] of [
    ['app.user', 'app.user is no user id but an array or an object'],
    ['app.n', 'app.n is no user id but a negative number'],
    ['app!.id', 'app is no string that could be decoded'],
  ] as const) {
    expect(await refusal(written.get('php'), '', path)).toMatchObject({
      code: 'session_invalid',
      reason,
      hint: expect.stringContaining('one user id'),
    });
  }
});

test('another format: what the bytes look like, and what the store URL has to say', async () => {
  for (const [is, configured] of [
    ['php', 'igbinary'],
    ['igbinary', 'php'],
  ] as const) {
    expect(await refusal(written.get(is), `format=${configured}`)).toMatchObject({
      code: 'session_invalid',
      reason: expect.stringMatching(new RegExp(`^expected .*; the bytes look like ${is}$`)),
      kind: `the bytes look like ${is}`,
      hint: `the store URL has to say format=${is}`,
    });
  }
  expect(await refusal(session(deflateSync('user_id|i:7;')), '')).toMatchObject({
    hint: 'the store URL has to say layers=zlib',
  });
  expect(await refusal(session(deflateSync('{"user_id":7}')), 'layers=zlib')).toMatchObject({
    kind: 'the bytes look like json',
    hint: 'the store URL has to say format=json',
  });
});

test('the right format, but damaged; and what is unknown', async () => {
  expect(await refusal(session('app|a:1:{s:6:"geheim";'), '')).toMatchObject({
    code: 'session_invalid',
    hint: expect.stringContaining('damaged'),
  });
  const unknown = await refusal(session('geheim'), '');
  expect(unknown).toMatchObject({ kind: 'the bytes look like no known format' });
  expect(unknown.hint).toBeUndefined();
});

test('no cookie, and a session that is not there', async () => {
  expect(await refusal(undefined, '')).toMatchObject({
    code: 'unauthorized',
    reason: 'no id in the cookie PHPSESSID, or none that PHP would make',
    hint: expect.stringContaining('session.name'),
  });
  expect(await refusal('n'.repeat(26), '')).toMatchObject({
    code: 'unauthorized',
    reason: 'there is no such session',
    hint: expect.stringContaining('another place or prefix'),
  });
});
