import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { storeAt } from '../../../../test/helpers/session-stores.ts';
import { StoreError } from '../../src/store.ts';
import { sqlExpiryContract } from './sql-expiry.ts';

export interface SqlSite {
  /** The store's URL before its options. */
  url: string;
  /** Runs a statement as the administrator. */
  query(sql: string): unknown;
  /** The types for bytes, for an ID as bytes, and for a datetime without a time zone. */
  types: { bytes: string; binaryId: string; datetime: string };
  /** Returns bytes as an SQL literal. */
  literal(bytes: Buffer): string;
  /** Added to the type of an ID: makes the database compare it case-insensitively. */
  caseless: string;
  /** The option of the store URL that a text column needs. */
  charset: '' | '&charset=utf8mb4';
  /** The arguments of PHP's `new PDO`. */
  pdo: string;
  /** Permits the store's user to renew the sessions in this table. */
  letRenew(table: string): unknown;
  /** The part that PHP locks while it works on a session. */
  locks: 'row' | 'file';
}

/** The contract of a table of sessions, for every kind of database. */
export function sqlTableContract(name: string, start: () => Promise<SqlSite>) {
  describe(name, () => {
    let site: SqlSite;
    beforeAll(async () => {
      site = await start();
    });

    /** The timeout is long enough for a busy machine. */
    const store = (options: string, timeout = '3000ms') =>
      storeAt(`${site.url}?${options}&timeout=${timeout}`);

    sqlExpiryContract(() => site, store);

    test('reads all 256 bytes from a bytes column, UTF-8 from a text column, and NULL as empty', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
      await site.query(`CREATE TABLE kinds (id VARCHAR(64), text TEXT, bytes ${site.types.bytes})`);
      await site.query(`INSERT INTO kinds VALUES ('one', 'name|s:15:"Zoë 张伟 €";', ${site.literal(all)})`);
      await site.query(`INSERT INTO kinds VALUES ('empty', '', ${site.literal(Buffer.alloc(0))})`);
      await site.query("INSERT INTO kinds VALUES ('null', NULL, NULL)");
      const bytes = store('table=kinds&id=id&data=bytes');
      const text = store(`table=kinds&id=id&data=text${site.charset}`);
      expect(await bytes.get('one')).toEqual(all);
      expect(String(await text.get('one'))).toBe('name|s:15:"Zoë 张伟 €";');
      for (const id of ['empty', 'null']) {
        expect(await bytes.get(id)).toEqual(Buffer.alloc(0));
        expect(await text.get(id)).toEqual(Buffer.alloc(0));
      }
    });

    test('reads a value of 1.1 MB up to one byte beyond the limit of a session', async () => {
      await site.query(`CREATE TABLE large (id VARCHAR(64), data ${site.types.bytes})`);
      await site.query(`INSERT INTO large VALUES ('one', ${site.literal(Buffer.alloc(1_100_000, 'x'))})`);
      expect(await store('table=large&id=id&data=data').get('one')).toHaveLength(1024 * 1024 + 1);
    });

    test('finds IDs of a fixed length and IDs as bytes', async () => {
      await site.query(`CREATE TABLE padded (id CHAR(64), data ${site.types.bytes})`);
      await site.query("INSERT INTO padded VALUES ('abc', 'x')");
      expect(String(await store('table=padded&id=id&data=data').get('abc'))).toBe('x');
      await site.query(`CREATE TABLE binary_ids (id ${site.types.binaryId}, data ${site.types.bytes})`);
      await site.query(`INSERT INTO binary_ids VALUES (${site.literal(Buffer.from('abc'))}, 'x')`);
      expect(String(await store('table=binary_ids&id=id&data=data').get('abc'))).toBe('x');
      expect(await store('table=binary_ids&id=id&data=data').get('abcd')).toBeNull();
    });

    test('distinguishes IDs that differ in case, a trailing blank or the prefix', async () => {
      await site.query(`CREATE TABLE caseless (id VARCHAR(64) ${site.caseless}, data ${site.types.bytes})`);
      await site.query("INSERT INTO caseless VALUES ('AbC', 'x'), ('blank ', 'x'), ('ci_session:abc', 'y')");
      const sessions = store('table=caseless&id=id&data=data');
      const answers = await Promise.all(['AbC', 'abc', 'ABC', 'blank'].map((id) => sessions.get(id)));
      expect(answers.map(String)).toEqual(['x', 'null', 'null', 'null']);
      expect(String(await store('table=caseless&id=id&data=data&prefix=ci_session:').get('abc'))).toBe('y');
      expect(await store('table=caseless&id=id&data=data&prefix=CI_session:').get('abc')).toBeNull();
    });

    test('never treats an ID as SQL', async () => {
      await site.query(`CREATE TABLE hostile (id VARCHAR(64), data ${site.types.bytes})`);
      await site.query("INSERT INTO hostile VALUES ('victim', 'x')");
      const sessions = store('table=hostile&id=id&data=data');
      const attempts = [
        `' OR '1'='1`,
        `") OR 1=1; DROP TABLE hostile; --`,
        '\\',
        `\\' OR 1=1 -- `,
        '?',
        '$1',
        '{}',
      ];
      const answers = await Promise.all([...attempts, 'victim'].map((id) => sessions.get(id)));
      expect(answers.map(String)).toEqual([...attempts.map(() => 'null'), 'x']);
    });

    test('reads a session that Symfony’s handler has locked, but does not renew it', async () => {
      const php = spawn('php', [
        ...['-d', 'session.use_cookies=0', '-r'],
        `require 'Symfony/Component/HttpFoundation/autoload.php';
        $pdo = new PDO(${site.pdo});
        $pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
        $handler = new Symfony\\Component\\HttpFoundation\\Session\\Storage\\Handler\\PdoSessionHandler(
          $pdo, ['db_table' => 'symfony']);
        $handler->createTable();
        session_set_save_handler($handler, false);
        session_id('locked'); session_start(); $_SESSION['user_id'] = 7; session_write_close();
        session_start(); $_SESSION['user_id'] = 8; echo "locked\\n"; fgets(STDIN); session_write_close();`,
      ]);
      await once(php.stdout, 'data');
      await site.letRenew('symfony');
      const sessions = store('table=symfony&id=sess_id&data=sess_data&expires=sess_lifetime', '500ms');
      expect(String(await sessions.get('locked'))).toBe('user_id|i:7;');
      const before = await sessions.ttl('locked');
      // PHP renews it at the end of the request.
      if (site.locks === 'row') await sessions.touch('locked', 9999);
      else await expect(sessions.touch('locked', 9999)).rejects.toThrow(/was locked by a writer for 500 ms/);
      expect(await sessions.ttl('locked')).toBeLessThanOrEqual(Number(before));
      expect(php.exitCode).toBeNull();
      php.stdin.end('\n');
      await once(php, 'close');
      expect(String(await sessions.get('locked'))).toBe('user_id|i:8;');
    });

    test('reports a missing table or column', async () => {
      await site.query('CREATE TABLE lacking (id VARCHAR(64), data VARCHAR(64))');
      const reasons = [
        ['table=gone&id=id&data=data', /the table that table= names does not exist/],
        ['table=lacking&id=gone&data=data', /lacks a column/],
        ['table=lacking&id=id&data=gone', /lacks a column/],
        ['table=lacking&id=id&data=data&expires=gone', /lacks a column/],
      ] as const;
      for (const [options, reason] of reasons) {
        const answer = store(options).get('any');
        await expect(answer).rejects.toThrow(StoreError);
        await expect(answer).rejects.toThrow(reason);
      }
    });
  });
}
