import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Login } from '../../../server/session/login.ts';
import type { PhpSession } from '../../../server/session/logins/php-sessions.ts';
import { type Mariadb, startMariadb } from '../../helpers/mariadb.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';
import {
  checked,
  orNull,
  readerAt,
  spoilingProxy,
  storeAt,
  text as textOf,
} from '../../helpers/session-stores.ts';

const databases = [
  {
    name: 'MariaDB',
    protocol: 'mysql',
    start: startMariadb,
    bytes: 'MEDIUMBLOB',
    text: 'MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
    now: 'UNIX_TIMESTAMP()',
    literal: (bytes: Buffer) => `X'${bytes.toString('hex')}'`,
  },
  {
    name: 'PostgreSQL',
    protocol: 'postgres',
    start: startPostgres,
    bytes: 'BYTEA',
    text: 'TEXT COLLATE caseless',
    now: 'extract(epoch from now())',
    literal: (bytes: Buffer) => `'\\x${bytes.toString('hex')}'`,
  },
] as const;

describe.each(databases)('versions in $name', ({ protocol, start, bytes, text, now, literal }) => {
  let db: Mariadb | Postgres;
  beforeAll(async () => {
    db = await start();
    if (protocol === 'postgres') {
      await db.query(
        "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
      );
    }
  });
  afterAll(() => db.remove());

  const url = (table: string, options = '', port = db.port) =>
    `${protocol}://${db.login}@127.0.0.1:${port}/site?table=${table}&id=id&data=data${options}&charset=utf8mb4`;
  const open = (...where: Parameters<typeof url>) => {
    const store = storeAt(url(...where));
    const version = store.version?.bind(store);
    if (version === undefined) throw new Error('the store has no versions');
    return { ...store, version };
  };
  const slow = '&timeout=3000ms';
  /** Two texts of the same MD5: https://github.com/cr-marcstevens/hashclash#create-you-own-text-identical-prefix-collision */
  const [collision, sameMd5] = ['A', 'E'].map(
    (letter) => `TEXTCOLLBYfGiJUETHQ4h${letter}cKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak`,
  ) as [string, string];
  const large = (first: string) => Buffer.from(first.padEnd(700_000, 'x'));

  // The other kind of column on each.
  test.each([protocol === 'mysql' ? (['bytes', bytes] as const) : (['text', text] as const)])(
    'in a column of %s: another one as soon as one byte differs, even if MD5 is the same',
    async (kind, type) => {
      const table = `versions_${kind}`;
      await db.query(`CREATE TABLE ${table} (id VARCHAR(64), data ${type})`);
      const { version } = open(table, slow);
      const written = ['a', 'A', 'a ', 'e', 'é', '', large('a'), large('A'), collision, sameMd5, 'a'];
      const versions: (string | null)[] = [];
      for (const data of written) {
        await db.query(`DELETE FROM ${table}`);
        const value = kind === 'bytes' ? literal(Buffer.from(data)) : `'${data}'`;
        await db.query(`INSERT INTO ${table} VALUES ('one', ${value})`);
        const now = await version('one');
        expect(await version('one')).toBe(now);
        versions.push(now);
      }
      expect(versions).not.toContain(null);
      expect(new Set(versions).size).toBe(written.length - 1);
      expect(versions.at(-1)).toBe(versions[0]);
    },
  );

  test('none for a session that is expired or gone, though its bytes are the same', async () => {
    await db.query(`CREATE TABLE ending (id VARCHAR(64), data ${bytes}, ends BIGINT)`);
    for (const [id, data] of Object.entries({ small: Buffer.from('x'), large: large('x') })) {
      await db.query(`INSERT INTO ending VALUES ('${id}', ${literal(data)}, ${now} + 100)`);
    }
    const store = open('ending', `&expires=ends${slow}`);
    for (const id of ['small', 'large']) {
      expect(await store.version(id)).not.toBeNull();
      await db.query(`UPDATE ending SET ends = ${now} - 1 WHERE id = '${id}'`);
      expect(await store.version(id)).toBeNull();
      expect(await store.get(id)).toBeNull();
      await db.query(`UPDATE ending SET ends = NULL WHERE id = '${id}'`);
      expect(await store.version(id)).not.toBeNull();
      await db.query(`DELETE FROM ending WHERE id = '${id}'`);
      expect(await store.version(id)).toBeNull();
      expect(await store.get(id)).toBeNull();
    }
  });

  // The connections are the same for both.
  if (protocol === 'mysql') {
    test('20 checks of a 700 KB session send less than 100 KB; it is sent after each change, to small ones and back', async () => {
      await db.query(`CREATE TABLE sent (id VARCHAR(64), data ${bytes})`);
      const session = (user: number, pad: number) =>
        Buffer.from(`user_id|i:${user};pad|s:${pad}:"${'x'.repeat(pad)}";`);
      const put = (data: Buffer) => db.query(`UPDATE sent SET data = ${literal(data)}`);
      await db.query(`INSERT INTO sent VALUES ('one', ${literal(session(7, 700_000))})`);
      let sent = 0;
      const proxy = await spoilingProxy(db.port, (piece, client) => {
        sent += piece.length;
        client.write(piece);
      });
      const reader = readerAt(url('sent', slow, proxy.port));

      const first = (await reader.identify({ cookies: 'PHPSESSID=one' })) as Login<PhpSession>;
      // From this check on the version of these bytes is known.
      expect(await checked(reader, first)).toBeNull();
      sent = 0;
      for (let n = 0; n < 20; n++) expect(await checked(reader, first)).toBeNull();
      expect(sent).toBeLessThan(100_000);
      for (const [user, pad] of [
        [8, 700_000],
        [9, 10],
        [10, 700_000],
      ] as const) {
        await put(session(user, pad));
        expect(await checked(reader, first)).toMatchObject({ login: { user: { id: String(user) } } });
      }
      expect(sent).toBeGreaterThan(1_400_000);
    });

    test('large sessions that never come fail, and no small one does', async () => {
      await db.query(`CREATE TABLE stuck (id VARCHAR(64) PRIMARY KEY, data ${bytes})`);
      for (let n = 0; n < 10; n++) {
        await db.query(`INSERT INTO stuck VALUES ('large${n}', ${literal(large('x'))})`);
      }
      await db.query("INSERT INTO stuck VALUES ('small', 'here')");
      const stuck = new Set<number>();
      const proxy = await spoilingProxy(db.port, (piece, client, nth) => {
        if (piece.length > 8000) stuck.add(nth);
        if (!stuck.has(nth)) client.write(piece);
      });
      const store = open('stuck', '&timeout=1000ms', proxy.port);
      await expect.poll(() => orNull(textOf(store.get('small')))).toBe('here');
      let waiting = true;
      const all = Promise.allSettled(Array.from({ length: 10 }, (_, n) => store.get(`large${n}`)));
      void all.then(() => {
        waiting = false;
      });
      while (waiting) {
        expect(await textOf(store.get('small'))).toBe('here');
        await pause(10);
      }
      expect(new Set((await all).map(({ status }) => status))).toEqual(new Set(['rejected']));
    });
  }
});
