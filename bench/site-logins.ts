/**
 * The cost of checking the logins of a WordPress once a second, beside sessions in a table of the same MariaDB: CPU of
 * the server and of the database, rows and bytes.
 * Run: npm run bench site-logins [LOGINS]
 */
import { execFile } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Liveness } from '../server/liveness/liveness.ts';
import { openLogins } from '../server/session/applications.ts';
import type { Credentials, Login } from '../server/session/login.ts';
import { readOptions } from '../server/session/options.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { cookieName, phrases, wordPressSite } from '../test/helpers/wordpress.ts';

const warmUp = 3000;
const measured = 15_000;
const ways = ['sessions in a table', 'logins of WordPress'] as const;

const idOf = (n: number) => createHash('md5').update(String(n)).digest('hex');
const expiration = Math.floor(Date.now() / 1000) + 86_400;
const hash = '$P$BabcdefghiJKLMNOPqrstuvwxyz0123';
const tokenOf = (n: number) => idOf(n).repeat(2).slice(0, 43);

/** The cookie of a user, as WordPress makes it. */
function cookieOf(n: number): string {
  const signed = `user ${n}|${expiration}|${tokenOf(n)}`;
  const key = createHmac('md5', phrases.key + phrases.salt)
    .update(`user ${n}|${hash.slice(8, 12)}|${expiration}|${tokenOf(n)}`)
    .digest('hex');
  const hmac = createHmac('sha256', key).update(signed).digest('hex');
  return `${cookieName}=${encodeURIComponent(`${signed}|${hmac}`)}`;
}

interface Figures {
  /** Seconds of CPU per second. */
  cpu: number;
  /** Per second. */
  checks: number;
}

/** Runs in a process of its own, which says when it is about to be measured. */
async function live(options: Record<string, string>, credentials: readonly Credentials[]): Promise<Figures> {
  const settings = readOptions(options, (name) => name);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, console.error);
  const known: Login[] = [];
  for (const each of credentials) {
    const login = await logins.identify(each);
    if ('code' in login) throw new Error(login.reason);
    known.push(login);
  }
  let checks = 0;
  const liveness = new Liveness(logins, {
    interval: 1000,
    grace: 60_000,
    keepalive: false,
    onCheck: () => checks++,
    onEnd: (reason) => console.error('ended', reason),
    onStore: () => {},
    onUnreadable: () => {},
    onNotifications: () => {},
    onKeepaliveFailure: () => {},
  });
  for (const login of known) liveness.subscribe(login, { ended() {}, unconfirmed() {}, changed() {} });
  await pause(warmUp);
  console.error('begins');
  const [before, cpu, began] = [checks, process.cpuUsage(), performance.now()];
  await pause(measured);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  liveness.stop();
  return { cpu: (user + system) / 1e6 / seconds, checks: (checks - before) / seconds };
}

const [, , way, given] = process.argv;
if (way === 'live') {
  const { options, count, isSite } = JSON.parse(given ?? '') as {
    options: Record<string, string>;
    count: number;
    isSite: boolean;
  };
  const all = Array.from({ length: count }, (_, n) =>
    isSite ? { cookies: cookieOf(n + 1) } : { session: idOf(n + 1) },
  );
  console.log(JSON.stringify(await live(options, all)));
  process.exit();
}

const count = Number(way ?? 1000);
const db = await startMariadb();
const site = await wordPressSite(db);
try {
  const insert = async (table: string, columns: string, rows: readonly (readonly unknown[])[]) => {
    for (let n = 0; n < rows.length; n += 500)
      await db.query(`INSERT INTO ${table} (${columns}) VALUES ?`, [rows.slice(n, n + 500)]);
  };
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  await insert(
    `${site.prefix}users`,
    'ID, user_login, user_pass, display_name',
    numbers.map((n) => [n, `user ${n}`, hash, `User ${n}`]),
  );
  const session = (n: number) =>
    `a:1:{s:64:"${createHash('sha256').update(tokenOf(n)).digest('hex')}";a:4:{s:10:"expiration";i:${expiration};s:2:"ip";s:3:"::1";s:2:"ua";s:100:"${'x'.repeat(100)}";s:5:"login";i:1;}}`;
  await insert(
    `${site.prefix}usermeta`,
    'user_id, meta_key, meta_value',
    numbers.flatMap((n) => [
      [n, 'nickname', `User ${n}`],
      [n, 'session_tokens', session(n)],
      [n, `${site.prefix}capabilities`, 'a:1:{s:10:"subscriber";b:1;}'],
      // Plugins add more.
      ...Array.from({ length: 37 }, (_, k) => [n, `key_${k}`, 'x'.repeat(20)]),
    ]),
  );
  await db.query(
    'CREATE TABLE sessions (id VARCHAR(128) PRIMARY KEY, data MEDIUMBLOB, expires INT UNSIGNED)',
  );
  const record = (n: number) =>
    `user_id|i:${n};firstname|s:5:"Alice";csrf|s:64:"${'a1b2c3d4'.repeat(8)}";cart|s:380:"${'x'.repeat(380)}";`;
  await insert(
    'sessions',
    'id, data, expires',
    numbers.map((n) => [idOf(n), record(n), expiration]),
  );
  await db.query('ANALYZE TABLE sessions');

  const cpuOfDatabase = () => {
    const fields = readFileSync(`/proc/${db.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  const statusOf = async (name: string) =>
    Number((await db.query('SHOW GLOBAL STATUS LIKE ?', [name]))[0]?.Value ?? 0);
  const store = `mysql://${db.login}@127.0.0.1:${db.port}/site?table=sessions&id=id&data=data&expires=expires&timeout=5000ms`;
  console.log(
    `${count} logins        checks/s   µs each   µs of the database   beside the table   rows/s   KB/s`,
  );
  let first: { own: number; its: number } | undefined;
  for (const [n, name] of ways.entries()) {
    const options = n === 0 ? { store } : { site: site.folder };
    const running = promisify(execFile)(process.execPath, [
      import.meta.filename,
      'live',
      JSON.stringify({ options, count, isSite: n === 1 }),
    ]);
    await new Promise<void>((resolve) =>
      running.child.stderr?.on('data', (text: Buffer) => {
        if (String(text).includes('begins')) resolve();
        else process.stderr.write(text);
      }),
    );
    const [cpu, rows, bytes] = [cpuOfDatabase(), await statusOf('Rows_read'), await statusOf('Bytes_sent')];
    await pause(measured - 500);
    const seconds = (measured - 500) / 1000;
    const its = (1e6 * (cpuOfDatabase() - cpu)) / seconds / count;
    const perSecond = async (status: string, before: number) => ((await statusOf(status)) - before) / seconds;
    const [rowsRead, sent] = [await perSecond('Rows_read', rows), await perSecond('Bytes_sent', bytes)];
    const { cpu: used, checks } = JSON.parse((await running).stdout) as Figures;
    const own = (1e6 * used) / count;
    first ??= { own, its };
    const cells = [
      checks.toFixed(0).padStart(8),
      own.toFixed(1).padStart(9),
      its.toFixed(1).padStart(20),
      `${(own / first.own).toFixed(2)}, ${(its / first.its).toFixed(2)}`.padStart(18),
      rowsRead.toFixed(0).padStart(8),
      (sent / 1000).toFixed(0).padStart(6),
    ];
    console.log(name.padEnd(19), cells.join(' '));
  }
} finally {
  await site.remove();
  await db.remove();
}
