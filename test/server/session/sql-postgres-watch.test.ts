import { execFileSync } from 'node:child_process';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { logoutMarker } from '../../../server/session/logout-marker.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { freePort } from '../../helpers/child.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { startPostgres } from '../../helpers/postgres.ts';
import { makeSessionTable } from '../../helpers/session-table.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched, watchingProgram } from '../../helpers/watched.ts';

const db = await startPostgres();
afterAll(() => db.remove());

const url = (at = `127.0.0.1:${db.port}`, login = db.login) =>
  `postgres://${login}@${at}/site?table=sessions&id=id&data=data&expires=expires`;
const open = (...how: Parameters<typeof url>) => parseStoreUrl(url(...how)).open();
const lost = (reason: unknown) => expect.objectContaining({ kind: 'lost', reason });
const listeners = "FROM pg_stat_activity WHERE usename = 'site' AND query LIKE 'LISTEN%'";
const notify = (payload: string) => db.query('SELECT pg_notify($1, $2)', ['chat_ended', payload]);
const marker = 'abcdef0123456789'.repeat(2);

test('our handler: a logout is told by its mark, and nothing else is', async () => {
  const socket = `postgres://postgres@/site?socket=${db.folder}/.s.PGSQL.${db.port}`;
  makeSessionTable(socket);
  const autoload = new URL('../../../php/autoload.php', import.meta.url).pathname;
  const request = (code: string, id?: string) =>
    phpRequest(
      { 'session.use_strict_mode': '1' },
      code,
      id,
      `require '${autoload}'; session_set_save_handler(
        new PhpSessionChat\\Session\\Handler\\PdoHandler(new PDO(${db.pdo}, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION])), false);`,
    );
  const store = watched(open());
  await store.works;
  const id = request('$_SESSION["user_id"] = 7');
  for (const payload of ['', 'x', marker.toUpperCase(), `${marker}0`]) await notify(payload);
  await db.query('SELECT pg_notify($1, $2)', ['another', marker]);
  const ended = store.until({ kind: 'changed', marker: logoutMarker(id) });
  request('session_destroy()', id);
  await ended;
  expect(store.told.slice(1)).toEqual([{ kind: 'changed', marker: logoutMarker(id) }]);
});

test('its connection ended by the server: told once, with the reason, and well again by itself', async () => {
  const store = watched(open());
  await store.works;
  const back = store.until({ kind: 'lost', reason: null });
  await db.query(`SELECT pg_terminate_backend(pid) ${listeners}`);
  await back;
  const ended = store.until({ kind: 'changed', marker });
  await notify(marker);
  await ended;
  expect(store.told.slice(0, 3)).toEqual([
    lost(null),
    lost(expect.objectContaining({ name: 'StoreError', message: expect.stringMatching(/57P01/) })),
    lost(null),
  ]);
});

test('a wrong password: told once, and not the password; of several hosts the next one is listened to', async () => {
  const refused = watched(open(undefined, 'site:wrong'));
  await refused.until({ kind: 'lost' }, 0);
  const [told] = refused.told;
  expect(told).toEqual(
    lost(expect.objectContaining({ message: expect.stringMatching(/refuses the user or the password/) })),
  );
  expect(JSON.stringify(told)).not.toContain('wrong');
  const store = watched(open(`127.0.0.1:${await freePort()},127.0.0.1:${db.port}`));
  await store.works;
  expect(store.told).toEqual([lost(null)]);
});

test('a server that says something else in between: lost, and well again by itself', async () => {
  let said = false;
  const proxy = await startTcpProxy(db.port, (piece, client) => {
    client.write(piece);
    if (said || !piece.includes('LISTEN')) return;
    said = true;
    client.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    setTimeout(() => client.end(), 50);
  });
  onTestFinished(() => proxy.close());
  const store = watched(open(`127.0.0.1:${proxy.port}`));
  await expect.poll(() => store.told).toContainEqual(lost(expect.objectContaining({ name: 'StoreError' })));
  await store.until({ kind: 'lost', reason: null }, 1);
  expect(said).toBe(true);
});

test('ended: nothing is told any more, and no connection is left', async () => {
  const store = watched(open());
  await store.works;
  store.end();
  await notify(marker);
  await expect.poll(() => db.query(`SELECT pid ${listeners}`)).toEqual([]);
  expect(store.told).toEqual([lost(null)]);
});

test.each([
  ['works', () => db.port, 'works\ntold 0\n'],
  ['cannot be reached', () => 1, 'lost\ntold 0\n'],
])('ended when it %s: nothing is left that would keep the process', (_, port, said) => {
  const program = watchingProgram(url(`127.0.0.1:${port()}`));
  const options = { encoding: 'utf8', timeout: 20_000 } as const;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(said);
});

test('only PostgreSQL tells anything by itself', () => {
  for (const other of ['mysql://site@127.0.0.1/site', 'sqlite:site.db']) {
    const store = parseStoreUrl(`${other}?table=s&id=id&data=data`).open();
    expect('subscribe' in store).toBe(false);
    store.close();
  }
});
