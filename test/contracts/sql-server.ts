import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type SessionStore, StoreError } from '../../server/session/store.ts';
import { parseStoreUrl } from '../../server/session/store-url.ts';
import { makeCertificate } from '../helpers/certificate.ts';
import { freePort } from '../helpers/child.ts';
import { startGate } from '../helpers/gate.ts';
import { holdUp } from '../helpers/hold-up.ts';

export interface SqlServerSite {
  protocol: string;
  port: number;
  /** With its certificate in it: see `makeCertificate`. */
  folder: string;
  /** The path of its unix socket. */
  socket: string;
  /** `USER:PASSWORD`, as a URL has it. */
  login: string;
  query(sql: string): unknown;
  /** How many SELECTs of the store it has carried out. */
  selects(): Promise<number>;
  /** How many connections the store's user has. */
  connections(): Promise<number>;
  /** Ends these connections. */
  disconnect(): Promise<unknown>;
  /** Shuts everybody out of the table until that is called which it returns. */
  lock(table: string): Promise<() => Promise<unknown>>;
  /** An expression that takes a minute. */
  slow: string;
  /** It takes up the certificate that lies in the folder now. */
  reloadCertificate(): Promise<unknown>;
}

/** What a database that is a server may do to the store. */
export function sqlServerContract(name: string, start: () => Promise<SqlServerSite>) {
  describe(name, () => {
    let site: SqlServerSite;
    const closing: (() => void)[] = [];
    beforeAll(async () => {
      site = await start();
      await site.query('CREATE TABLE served (id VARCHAR(64) PRIMARY KEY, data VARCHAR(64))');
      await site.query("INSERT INTO served VALUES ('one', 'first'), ('two', 'second')");
    });
    afterEach(() => {
      for (const close of closing.splice(0)) close();
    });

    const store = (
      given: Partial<Record<'login' | 'at' | 'database' | 'table' | 'options', string>> = {},
    ) => {
      const { login = site.login, at = `127.0.0.1:${site.port}`, database = 'site' } = given;
      // Time enough for a machine that is busy, where the test is not about time.
      const { table = 'served', options = '&timeout=3000ms' } = given;
      const url = `${site.protocol}://${login}@${at}/${database}?table=${table}&id=id&data=data${options}`;
      const opened = parseStoreUrl(url).open();
      closing.push(() => opened.close());
      return opened;
    };
    const failureOf = async (sessions: SessionStore): Promise<string> => {
      const error = await sessions.get('one').then(String, (reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      const { message, cause } = error as StoreError;
      expect(cause).toBeUndefined();
      expect(message).not.toMatch(/same|wrong|site@/);
      return message;
    };

    test('a thousand ids in a few statements', async () => {
      const sessions = store();
      const ids = Array.from({ length: 1000 }, (_, n) => (n === 600 ? 'two' : `id${n}`));
      const all = () => Promise.all(ids.map((id) => sessions.get(id)));
      await all();
      const before = await site.selects();
      expect((await all()).map(String)).toEqual(ids.map((id) => (id === 'two' ? 'second' : 'null')));
      // How many ids come together in one moment, the machine decides.
      await expect.poll(() => site.selects()).toBeGreaterThanOrEqual(before + 2);
      expect(await site.selects()).toBeLessThan(before + 20);
    });

    test('a wrong password, none, another database: failures that say so, without the password', async () => {
      expect(await failureOf(store({ login: 'site:wrong' }))).toMatch(/refuses the user or the password/);
      expect(await failureOf(store({ login: 'site' }))).toMatch(/refuses the user or the password/);
      expect(await failureOf(store({ login: 'stranger:wrong' }))).toMatch(/refuses the user or the password/);
      expect(await failureOf(store({ database: 'gone' }))).toMatch(/no such database/);
    });

    test('nobody listens: a failure that says so; of several hosts the next one is asked', async () => {
      const nobody = `127.0.0.1:${await freePort()}`;
      expect(await failureOf(store({ at: nobody }))).toMatch(/cannot be reached \(ECONNREFUSED\)/);
      const sessions = store({ at: `${nobody},127.0.0.1:${site.port}` });
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('a host that is silent: the next one is asked at the second try', async () => {
      const gate = await startGate(site.port);
      closing.push(() => void gate.close());
      gate.silence.begin();
      const at = `127.0.0.1:${gate.port},127.0.0.1:${site.port}`;
      const sessions = store({ at, options: '&timeout=250ms' });
      expect(await failureOf(sessions)).toMatch(/did not answer within 250 ms/);
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('over its unix socket', async () => {
      expect(String(await store({ at: '', options: `&socket=${site.socket}` }).get('one'))).toBe('first');
      expect(await failureOf(store({ at: '', options: `&socket=/gone${site.socket}` }))).toMatch(/ENOENT/);
    });

    test('TLS only with a certificate that is trusted, and that is of this host', async () => {
      const ca = join(site.folder, 'certificate.pem');
      const at = `localhost:${site.port}`;
      expect(String(await store({ at, options: `&tls=on&ca=${ca}` }).get('one'))).toBe('first');
      expect(await failureOf(store({ at, options: '&tls=on' }))).toMatch(
        /certificate of the database is not trusted/,
      );
      rmSync(ca);
      makeCertificate(site.folder, 'db.example');
      await site.reloadCertificate();
      const trusting = store({ at, options: `&tls=on&ca=${ca}` });
      await expect.poll(() => failureOf(trusting)).toMatch(/the host has to be in it/);
    });

    test('its connections ended by the server: the next question gets its answer', async () => {
      const sessions = store();
      await sessions.get('one');
      await site.disconnect();
      await expect.poll(() => site.connections()).toBe(0);
      expect(String(await sessions.get('one'))).toBe('first');
    });

    test('a look-up that takes long: a failure in time, and the server gives it up as well', async () => {
      await site.query(`CREATE VIEW slow AS SELECT id, data FROM served WHERE ${site.slow} IS NOT NULL`);
      const sessions = store({ table: 'slow', options: '&timeout=300ms' });
      const late = /did not answer within 300 ms|needed too long/;
      expect(await failureOf(sessions)).toMatch(late);
      const answer = failureOf(sessions);
      // With this process held up, what the server says when it gives up may be there first.
      await new Promise((resolve) => setTimeout(resolve, 150));
      holdUp(400);
      expect(await answer).toMatch(late);
      await expect.poll(() => site.connections()).toBe(0);
    });

    test('a locked table: failures in time, no crowd of connections, and no late answer to the next question', async () => {
      const sessions = store({ options: '&timeout=150ms' });
      await sessions.get('one');
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
      await expect.poll(() => sessions.get('two').then(String, () => 'none yet')).toBe('second');
      expect(String(await sessions.get('one'))).toBe('first');
    });
  });
}
