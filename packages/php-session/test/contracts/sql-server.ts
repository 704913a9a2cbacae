import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../../../../test/helpers/certificate.ts';
import { ownPort } from '../../../../test/helpers/child.ts';
import { startGate } from '../../../../test/helpers/gate.ts';
import { holdUp } from '../../../../test/helpers/hold-up.ts';
import { storeAt, text } from '../../../../test/helpers/session-stores.ts';
import { failureOf } from '../../../../test/helpers/whole-error.ts';
import type { SessionStore } from '../../src/store.ts';

export interface SqlServerSite {
  protocol: string;
  port: number;
  /** The folder with its certificate: see `makeCertificate`. */
  folder: string;
  /** The path of its unix socket. */
  socket: string;
  /** `USER:PASSWORD`, as in a URL. */
  login: string;
  query(sql: string): unknown;
  /** The number of the store's SELECTs that it has run. */
  selects(): Promise<number>;
  /** The number of connections of the store's user. */
  connections(): Promise<number>;
  /** Ends these connections. */
  disconnect(): Promise<unknown>;
  /** Locks the table for all connections until the returned function is called. */
  lock(table: string): Promise<() => Promise<unknown>>;
  /** An expression that takes a minute. */
  slow: string;
  /** Makes it use the current certificate in the folder. */
  reloadCertificate(): Promise<unknown>;
}

/** The contract of every database server, and the behaviour of the store when it fails. */
export function sqlServerContract(name: string, start: () => Promise<SqlServerSite>) {
  describe(name, () => {
    let site: SqlServerSite;
    beforeAll(async () => {
      site = await start();
      await site.query('CREATE TABLE served (id VARCHAR(64) PRIMARY KEY, data VARCHAR(64))');
      await site.query("INSERT INTO served VALUES ('one', 'first'), ('two', 'second')");
    });

    const store = (
      given: Partial<Record<'login' | 'at' | 'database' | 'table' | 'options', string>> = {},
    ) => {
      const { login = site.login, at = `127.0.0.1:${site.port}`, database = 'site' } = given;
      const { table = 'served', options = '' } = given;
      // Long enough for a busy machine, unless the test is about time.
      const timeout = options.includes('timeout=') ? '' : '&timeout=3000ms';
      const columns = `table=${table}&id=id&data=data`;
      return storeAt(`${site.protocol}://${login}@${at}/${database}?${columns}${timeout}${options}`);
    };
    /** The error names neither the password nor the user. */
    const failure = async (sessions: SessionStore): Promise<string> => {
      const message = await failureOf(sessions.get('one'));
      expect(message).not.toMatch(/same|wrong|site@/);
      return message;
    };

    test('reads a thousand IDs with fewer than 20 statements', async () => {
      const sessions = store();
      const ids = Array.from({ length: 1000 }, (_, n) => (n === 600 ? 'two' : `id${n}`));
      const all = () => Promise.all(ids.map((id) => sessions.get(id)));
      await all();
      const before = await site.selects();
      expect((await all()).map(String)).toEqual(ids.map((id) => (id === 'two' ? 'second' : 'null')));
      // The machine decides how many IDs arrive at the same moment.
      await expect.poll(() => site.selects()).toBeGreaterThanOrEqual(before + 2);
      expect(await site.selects()).toBeLessThan(before + 20);
    });

    test('reports a wrong or missing password, or a missing database, without the password', async () => {
      expect(await failure(store({ login: 'site:wrong' }))).toMatch(/refuses the user or the password/);
      expect(await failure(store({ login: 'site' }))).toMatch(/refuses the user or the password/);
      expect(await failure(store({ login: 'stranger:wrong' }))).toMatch(/refuses the user or the password/);
      expect(await failure(store({ database: 'gone' }))).toMatch(
        /database that the store URL names does not exist/,
      );
    });

    test('reports a port without a listener', async () => {
      const nobody = `127.0.0.1:${await ownPort()}`;
      expect(await failure(store({ at: nobody }))).toMatch(/cannot be reached \(ECONNREFUSED\)/);
    });

    test('uses the first of several hosts that answers', async () => {
      const nobody = `127.0.0.1:${await ownPort()}`;
      const sessions = store({ at: `${nobody},127.0.0.1:${site.port}` });
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('queries the next host in the second attempt if the first host does not respond', async () => {
      const gate = await startGate(site.port);
      onTestFinished(() => gate.close());
      gate.silence.begin();
      const at = `127.0.0.1:${gate.port},127.0.0.1:${site.port}`;
      const sessions = store({ at, options: '&timeout=1000ms' });
      expect(await failure(sessions)).toMatch(/did not answer within 1000 ms/);
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('connects over its unix socket', async () => {
      expect(String(await store({ at: '', options: `&socket=${site.socket}` }).get('one'))).toBe('first');
      expect(await failure(store({ at: '', options: `&socket=/gone${site.socket}` }))).toMatch(/ENOENT/);
    });

    test('connects over TLS only with a trusted certificate for this host', async () => {
      const ca = join(site.folder, 'certificate.pem');
      const at = `localhost:${site.port}`;
      expect(String(await store({ at, options: `&tls=on&ca=${ca}` }).get('one'))).toBe('first');
      expect(await failure(store({ at, options: '&tls=on' }))).toMatch(
        /certificate of the database is not trusted/,
      );
      rmSync(ca);
      makeCertificate(site.folder, 'db.example');
      await site.reloadCertificate();
      const trusting = store({ at, options: `&tls=on&ca=${ca}` });
      await expect.poll(() => failure(trusting)).toMatch(/must contain the host/);
    });

    test('answers the next query after the server closed all connections', async () => {
      const sessions = store();
      await sessions.get('one');
      await site.disconnect();
      await expect.poll(() => site.connections()).toBe(0);
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('fails a query that takes too long, and the server stops it', async () => {
      await site.query(`CREATE VIEW slow AS SELECT id, data FROM served WHERE ${site.slow} IS NOT NULL`);
      const sessions = store({ table: 'slow', options: '&timeout=300ms' });
      const late = /did not answer within 300 ms|took too long/;
      expect(await failure(sessions)).toMatch(late);
      const answer = failure(sessions);
      // While this process is blocked, the server's own timeout may come first.
      await pause(150);
      holdUp(400);
      expect(await answer).toMatch(late);
      await expect.poll(() => site.connections()).toBe(0);
    });

    test('never gives the late answer of a locked table to the next query', async () => {
      const sessions = store({ options: '&timeout=150ms' });
      /** The first answer that comes in time. */
      const answer = async (id: string): Promise<string | null> =>
        text(sessions.get(id)).catch(() => answer(id));
      await answer('one');
      const unlock = await site.lock('served');
      try {
        for (let n = 0; n < 4; n++) {
          const answers = await Promise.allSettled([sessions.get('one'), sessions.get('two')]);
          expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
        }
        await expect.poll(() => site.connections()).toBe(0);
        const late = sessions.get('one').catch(() => 'too late');
        await unlock();
        await late;
      } finally {
        await unlock();
      }
      expect(await answer('two')).toBe('second');
      expect(await answer('one')).toBe('first');
    });
  });
}
