import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { readerAt } from '../../../test/helpers/session-stores.ts';
import { parsePath } from '../src/path.ts';

let folder: string;
/** Sessions with the same content as PHP writes them, by format. */
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

/** The refusal of a session, with the store's options and the path to the user. */
async function refusal(id: string | undefined, options: string, path = 'app.user.id') {
  const sessions = readerAt(`file://${folder}?${options}`, parsePath(path), parsePath('app.user.name'));
  const answer = await sessions.identify({ cookies: id === undefined ? undefined : `PHPSESSID=${id}` });
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

describe('the refusal of a session', () => {
  test('names the missing part of the path', async () => {
    expect(await refusal(written.get('php'), '')).toMatchObject({
      code: 'unauthorized',
      reason: 'the session has no logged-in user: app.user.id is not in the session, though app.user is',
      kind: 'the session has no logged-in user: app.user.id is not in the session, though app.user is',
      hint: expect.stringContaining('at another path'),
    });
  });

  test('describes a value that is not a user ID', async () => {
    for (const [path, reason] of [
      ['app.user', 'app.user is not a user id but an array or an object'],
      ['app.n', 'app.n is not a user id but a negative number'],
      ['app!.id', 'app is not a string, so it cannot be decoded'],
    ] as const) {
      expect(await refusal(written.get('php'), '', path)).toMatchObject({
        code: 'session_invalid',
        reason,
        hint: expect.stringContaining('one user ID'),
      });
    }
  });

  test('says which option the store URL needs', async () => {
    for (const [is, configured] of [
      ['php', 'igbinary'],
      ['igbinary', 'php'],
    ] as const) {
      expect(await refusal(written.get(is), `format=${configured}`)).toMatchObject({
        code: 'session_invalid',
        reason: expect.stringMatching(
          new RegExp(`^the session cannot be read as ${configured}: .*; the bytes look like ${is}$`),
        ),
        kind: `the bytes look like ${is}`,
        hint: `the store URL must have format=${is} (store)`,
      });
    }
    expect(await refusal(session(deflateSync('user_id|i:7;')), '')).toMatchObject({
      hint: 'the store URL must have layers=zlib (store)',
    });
    expect(await refusal(session(deflateSync('{"user_id":7}')), 'layers=zlib')).toMatchObject({
      kind: 'the bytes look like json',
      hint: 'the store URL must have format=json (store)',
    });
  });

  test('says that a session of the right format is damaged', async () => {
    expect(await refusal(session('app|a:1:{s:6:"geheim";'), '')).toMatchObject({
      code: 'session_invalid',
      hint: expect.stringContaining('damaged'),
    });
    const unknown = await refusal(session('geheim'), '');
    expect(unknown).toMatchObject({ kind: 'the bytes look like no known format' });
    expect(unknown.hint).toBeUndefined();
  });

  test('says that a session, or a string in it, is nested deeper than PHP reads', async () => {
    const deep = (levels: number) => `${'a:1:{i:0;'.repeat(levels)}i:1;${'}'.repeat(levels)}`;
    const text = deep(5000);
    const explanation =
      'arrays and objects are nested deeper than the 4096 levels that PHP reads (unserialize_max_depth in php.ini)';
    expect(await refusal(session(`app|${text}`), '')).toMatchObject({
      code: 'session_invalid',
      reason: expect.stringMatching(/: expected at most 4096 levels at byte \d+; /),
      hint: explanation,
    });
    expect(await refusal(session(`app|s:${text.length}:"${text}";`), '', 'app!.id')).toMatchObject({
      code: 'session_invalid',
      reason: `app is a serialized string, but ${explanation}`,
    });
  });

  test('says that the request has no cookie, or the store no session', async () => {
    expect(await refusal(undefined, '')).toMatchObject({
      code: 'unauthorized',
      reason: 'the request has no cookie PHPSESSID',
      hint: expect.stringContaining('session.name'),
    });
    expect(await refusal('n'.repeat(26), '')).toMatchObject({
      code: 'unauthorized',
      reason: 'the store has no such session',
      hint: expect.stringContaining('another place or prefix'),
    });
  });
});
