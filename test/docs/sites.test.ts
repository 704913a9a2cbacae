import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSessions, type SessionOptions } from '../../packages/php-session/src/index.ts';
import { type Mariadb, startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type Postgres, startPostgres } from '../helpers/postgres.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';

const script = fileURLToPath(new URL('../fixtures/application-stores.php', import.meta.url));

const read = (name: string) => readFileSync(new URL(`../../docs/sites/${name}.md`, import.meta.url), 'utf8');
/** Texts that begin with the name of an application. */
const sections = [
  ...['laravel', 'mediawiki', 'roundcube', 'symfony'].map((name) => read(name).slice('# '.length)),
  ...read('more').split(/^## /m),
];
const rows = sections
  .flatMap((section) =>
    [...section.matchAll(/`((\w+):\/\/[^`]*127\.0\.0\.1[^`]*)`/g)].map(([, url = '', protocol = '']) => ({
      application: /.*/.exec(section)?.[0] ?? '',
      url,
      protocol,
    })),
  )
  // The script writes sessions of Laravel to memcached only.
  .filter(({ application, protocol }) => application !== 'Laravel' || protocol === 'memcached');

const inVars = { userId: 'vars!.user_id', userName: 'vars!.username', userRequire: 'vars!.auth_secret' };
const saml = (start: string) => ({
  site: 'simplesamlphp:',
  cookieName: 'SimpleSAMLSessionID',
  userId: `${start}authData.default-sp.Attributes.uid.0`,
  userName: `${start}authData.default-sp.Attributes.displayName.0`,
});
const codeigniter = { site: 'codeigniter:', userId: 'user_id', userName: 'firstname' };
const mediawiki = { site: 'mediawiki:', cookieName: 'wiki_session' };
/** The other settings for each URL, and the name of the logged-in user. */
const others: Record<string, [Omit<SessionOptions, 'store'>, name: string]> = {
  'Cacti mysql': [{ site: 'cacti:' }, '7'],
  'CodeIgniter mysql': [codeigniter, 'Ann'],
  'CodeIgniter postgres': [codeigniter, 'Ann'],
  'CodeIgniter redis': [codeigniter, 'Ann'],
  'CodeIgniter memcached': [codeigniter, 'Ann'],
  'Laravel memcached': [{ site: 'laravel:' }, '7'],
  'MediaWiki mysql': [mediawiki, 'Ann'],
  'MediaWiki memcached': [mediawiki, 'Ann'],
  'MediaWiki redis': [mediawiki, 'Ann'],
  'Roundcube mysql': [{ site: 'roundcube:' }, 'ann'],
  'Roundcube redis': [{ site: 'roundcube:', ...inVars }, 'ann'],
  'Roundcube memcached': [{ site: 'roundcube:', ...inVars }, 'ann'],
  'SimpleSAMLphp mysql': [saml(''), 'Ann'],
  'SimpleSAMLphp memcached': [saml('data.'), 'Ann'],
  'Symfony redis': [{}, 'Ann'],
  'Symfony memcached': [{}, 'Ann'],
  'Symfony mysql': [{}, 'Ann'],
  'Tiny Tiny RSS postgres': [{ site: 'ttrss:' }, 'Ann'],
};

describe('the store URLs in docs/sites', () => {
  let memcached: Memcached;
  let redis: Redis;
  let mariadb: Mariadb;
  let postgres: Postgres;
  beforeAll(async () => {
    [memcached, redis, mariadb, postgres] = await Promise.all([
      startMemcached(),
      startRedis(),
      startMariadb(),
      startPostgres(),
    ]);
    const places = [
      memcached.port,
      redis.port,
      `${mariadb.folder}/socket`,
      postgres.folder,
      postgres.port,
    ].map(String);
    // The default of newer versions, as on Debian 13.
    execFileSync('php', ['-d', 'memcached.serializer=igbinary', script, ...places]);
    await mariadb.query("CREATE USER chat@'%' IDENTIFIED BY 'secret'");
    await mariadb.query("GRANT SELECT ON *.* TO chat@'%'");
    await postgres.query("CREATE USER chat PASSWORD 'secret'");
    await postgres.query('GRANT SELECT ON ALL TABLES IN SCHEMA public TO chat');
  });
  afterAll(async () => {
    await Promise.all([memcached.stop(), redis.remove(), mariadb.remove(), postgres.remove()]);
  });

  test('each have a session in this test', () => {
    expect(rows.map(({ application, protocol }) => `${application} ${protocol}`).sort()).toEqual(
      Object.keys(others).sort(),
    );
  });

  test.each(rows)('read a session of $application in $protocol', async ({ application, protocol, url }) => {
    const ports: Record<string, number> = {
      memcached: memcached.port,
      redis: redis.port,
      mysql: mariadb.port,
      postgres: postgres.port,
    };
    const store = url
      .replace(/@?127\.0\.0\.1(:\d+)?/, (at) => `${at.replace(/:\d+$/, '')}:${ports[protocol]}`)
      // The script writes these sessions to the database `site`.
      .replace('/ttrss?', '/site?');
    const [options, name] = others[`${application} ${protocol}`] ?? [{}, ''];
    const { readSession, close } = openSessions({ store: `${store}&timeout=5000ms`, ...options });
    try {
      const cookies = [
        'PHPSESSID',
        'Cacti',
        'ci_session',
        'laravel_session',
        'wiki_session',
        'roundcube_sessid',
        'ttrss_sid',
      ];
      const id = `${application.replaceAll(' ', '')}-${protocol}`;
      const header = [...cookies, 'SimpleSAMLSessionID'].map((cookie) => `${cookie}=${id}`).join('; ');
      // On a busy machine a store may respond late.
      await expect.poll(() => readSession(header)).toMatchObject({ user: { name } });
      const nobody = header.replaceAll(id, 'nobody');
      await expect.poll(() => readSession(nobody)).toMatchObject({ code: 'unauthorized' });
    } finally {
      close();
    }
  });
});
