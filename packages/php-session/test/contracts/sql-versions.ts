import { describe, expect, test } from 'vitest';
import { storeAt } from '../../../../test/helpers/session-stores.ts';

/** Two texts of the same MD5: https://github.com/cr-marcstevens/hashclash#create-you-own-text-identical-prefix-collision */
const [collision, sameMd5] = ['A', 'E'].map(
  (letter) => `TEXTCOLLBYfGiJUETHQ4h${letter}cKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak`,
) as [string, string];
const large = (first: string) => Buffer.from(first.padEnd(700_000, 'x'));

export interface VersionsSite {
  /** The store's URL before its options. */
  url: string;
  query(sql: string): unknown;
  /** The type of the column with the sessions, in which each byte counts. */
  type: string;
  /** Returns data as an SQL literal for that column. */
  literal(data: Buffer): string;
  /** The SQL for the current Unix time. */
  now: string;
}

/** The contract of the version of a session, for every database that computes one. */
export function sqlVersionsContract(name: string, { url, query, type, literal, now }: VersionsSite) {
  describe(`the version of a session in ${name}`, () => {
    const open = (table: string, options = '') => {
      const store = storeAt(`${url}?table=${table}&id=id&data=data${options}&charset=utf8mb4&timeout=3000ms`);
      const version = store.version?.bind(store);
      if (version === undefined) throw new Error('the store has no versions');
      return { ...store, version };
    };

    test('changes with any byte, even if MD5 is equal', async () => {
      await query(`CREATE TABLE versions (id VARCHAR(64), data ${type})`);
      const { version } = open('versions');
      const written = ['a', 'A', 'a ', 'e', 'é', '', large('a'), large('A'), collision, sameMd5, 'a'];
      const versions: (string | null)[] = [];
      for (const data of written) {
        await query('DELETE FROM versions');
        await query(`INSERT INTO versions VALUES ('one', ${literal(Buffer.from(data))})`);
        const first = await version('one');
        expect(await version('one')).toBe(first);
        versions.push(first);
      }
      expect(versions).not.toContain(null);
      expect(new Set(versions).size).toBe(written.length - 1);
      expect(versions.at(-1)).toBe(versions[0]);
    });

    test('does not exist for an expired or missing session, even with the same bytes', async () => {
      await query(`CREATE TABLE ending (id VARCHAR(64), data ${type}, ends BIGINT)`);
      for (const [id, data] of Object.entries({ small: Buffer.from('x'), large: large('x') })) {
        await query(`INSERT INTO ending VALUES ('${id}', ${literal(data)}, ${now} + 100)`);
      }
      const store = open('ending', '&expires=ends');
      for (const id of ['small', 'large']) {
        expect(await store.version(id)).not.toBeNull();
        await query(`UPDATE ending SET ends = ${now} - 1 WHERE id = '${id}'`);
        expect(await store.version(id)).toBeNull();
        expect(await store.get(id)).toBeNull();
        await query(`UPDATE ending SET ends = NULL WHERE id = '${id}'`);
        expect(await store.version(id)).not.toBeNull();
        await query(`DELETE FROM ending WHERE id = '${id}'`);
        expect(await store.version(id)).toBeNull();
        expect(await store.get(id)).toBeNull();
      }
    });
  });
}
