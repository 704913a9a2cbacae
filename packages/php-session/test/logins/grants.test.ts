import { describe, expect, onTestFinished, test } from 'vitest';
import { size } from '../../../../test/guarantees/size.ts';
import {
  type AccountSite,
  laravelSite,
  mailOfUser,
  mediawikiSite,
  roundcubeSite,
} from '../../../../test/helpers/account-sites.ts';
import { differing, loginsOf, siteDatabases } from '../../../../test/helpers/application-site.ts';
import { drupalSite } from '../../../../test/helpers/drupal.ts';
import { joomlaSite } from '../../../../test/helpers/joomla.ts';
import { magentoSite } from '../../../../test/helpers/magento.ts';
import { moodleSite } from '../../../../test/helpers/moodle.ts';
import { mybbSite } from '../../../../test/helpers/mybb.ts';
import { opencartSite } from '../../../../test/helpers/opencart.ts';
import { phpbbSite } from '../../../../test/helpers/phpbb.ts';
import { prestashopSite } from '../../../../test/helpers/prestashop.ts';
import type { TestDatabase } from '../../../../test/helpers/site-database.ts';
import { smfSite } from '../../../../test/helpers/smf.ts';
import { typo3Site } from '../../../../test/helpers/typo3.ts';
import { wordPressSite } from '../../../../test/helpers/wordpress.ts';
import { describeSite, examineLogins } from '../../src/doctor/index.ts';
import type { Login } from '../../src/login.ts';
import { openSite, applications as registered } from '../../src/logins/applications.ts';
import { grants } from '../../src/logins/grants.ts';
import type { SitePlace } from '../../src/logins/site.ts';
import { readOptions } from '../../src/options.ts';
import { parseDatabaseUrl } from '../../src/store-url.ts';
import type { Device } from '../contracts/login.ts';

/** An application, with its test site and what `init` and the doctor find there. */
interface Application {
  site(db: TestDatabase): Promise<{
    folder: string;
    run(sql: string): Promise<unknown>;
    // The options differ by application.
    logIn(user: string, login?: never): Promise<Device & { id?: string }>;
    remove(): Promise<unknown>;
  }>;
  /** The kinds of databases that it can have. An ordinary run has the first. */
  kinds: readonly TestDatabase['kind'][];
  rows?: string[];
  description: object;
  /** The SQL that locks an account or marks its address as unconfirmed, and the SQL that reverts it. */
  shutOut: readonly (readonly [string, string])[];
  /** A value of a user that the chat does not need, and its place in the site. */
  secret?: { text?: string; rows?: string; login?: object };
}

const cookie = (path: string, domain: string, secure: boolean) => ({ cookie: { path, domain, secure } });
const seed = '{"totp":{"secret":"SEED","active":true}}';

const applications: Record<string, Application> = {
  WordPress: {
    site: wordPressSite,
    kinds: ['mysql'],
    description: { version: '6.9.7' },
    shutOut: [['user_status = 1', 'user_status = 0']],
    secret: { text: '$P$BabcdefghiJKLMNOPqrstuvwxyz0123' },
  },
  Joomla: {
    site: joomlaSite,
    kinds: ['mysql', 'postgres'],
    description: { administrators: 0, ...cookie('/', '', false) },
    shutOut: [['block = 1', 'block = 0']],
    secret: { login: { row: { client_id: 1 } } },
  },
  Drupal: {
    site: (db) => drupalSite(db, { prefix: 'a-drupal_' }),
    kinds: ['mysql', 'postgres'],
    description: { administrators: 0, ...cookie('/', '.', false) },
    shutOut: [['status = 0', 'status = 1']],
  },
  Moodle: {
    site: moodleSite,
    kinds: ['postgres', 'mysql'],
    rows: ["INSERT INTO #__config VALUES (9, 'sitepolicyhandler', 'tool_policy')"],
    description: { address: 'https://learn.example.org', administrators: 2, ...cookie('/', '', true) },
    shutOut: [
      ['suspended = 1', 'suspended = 0'],
      ['confirmed = 0', 'confirmed = 1'],
      ["auth = 'nologin'", "auth = 'manual'"],
    ],
  },
  TYPO3: {
    site: typo3Site,
    kinds: ['mysql', 'postgres'],
    description: { version: '13.4', ...cookie('/', '', false) },
    shutOut: [
      ['disable = 1', 'disable = 0'],
      ['starttime = 4102444800', 'starttime = 1'],
      ['endtime = 1', 'endtime = 4102444800'],
    ],
    secret: { text: 'SEED', rows: `UPDATE fe_users SET mfa = '${seed}'` },
  },
  phpBB: {
    site: phpbbSite,
    kinds: ['postgres', 'mysql'],
    rows: [
      "INSERT INTO #_config (config_name, config_value) VALUES ('server_protocol', 'https://'), ('server_name', 'www.example.org'), ('server_port', '443'), ('script_path', '/forum'), ('cookie_domain', 'example.org'), ('cookie_path', '/forum'), ('cookie_secure', '1')",
      "INSERT INTO #_users (user_id, user_type, username) VALUES (91, 3, 'founder'), (92, 0, 'member')",
    ],
    description: {
      ...{ version: '3.3.16', address: 'https://www.example.org/forum', administrators: 1 },
      ...cookie('/forum', 'example.org', true),
    },
    shutOut: [['user_type = 1', 'user_type = 3']],
  },
  MyBB: {
    site: mybbSite,
    kinds: ['mysql', 'postgres'],
    rows: [
      "INSERT INTO #_settings (name, value) VALUES ('bburl', 'https://www.example.org/forum'), ('cookiepath', '/forum/'), ('cookiedomain', '.example.org'), ('cookiesecureflag', '1')",
    ],
    description: {
      ...{ address: 'https://www.example.org/forum', administrators: 0 },
      ...cookie('/forum/', '.example.org', true),
    },
    shutOut: [
      ['usergroup = 5', 'usergroup = 2'],
      ['usergroup = 7', 'usergroup = 2'],
    ],
  },
  SMF: {
    site: smfSite,
    kinds: ['mysql', 'postgres'],
    rows: ["INSERT INTO #_settings (variable, value) VALUES ('localCookies', '1'), ('secureCookies', '0')"],
    description: {
      ...{ address: 'http://127.0.0.1/smf', administrators: 0 },
      ...cookie('/smf/', '127.0.0.1', false),
    },
    shutOut: [
      ['is_activated = 2', 'is_activated = 1'],
      ['is_activated = 11', 'is_activated = 1'],
    ],
    secret: { text: 'SEED', rows: "UPDATE #_members SET tfa_secret = 'SEED'" },
  },
  OpenCart: {
    site: opencartSite,
    kinds: ['mysql', 'postgres'],
    description: { version: '4.0.4.1', address: 'http://shop.example.org/', ...cookie('/', '', false) },
    shutOut: [['status = 0', 'status = 1']],
    secret: { login: { data: { user_id: 1, user_token: 'a' } } },
  },
  Magento: {
    site: magentoSite,
    kinds: ['mysql'],
    rows: [
      "INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES ('default', 0, 'web/secure/base_url', 'https://example.org/shop/'), ('default', 0, 'web/unsecure/base_url', 'https://example.org/shop/'), ('default', 0, 'web/cookie/cookie_domain', '.example.org'), ('default', 0, 'customer/account_information/confirm', '1'), ('websites', 1, 'customer/account_information/confirm', '0')",
    ],
    description: { address: 'https://example.org/shop/', ...cookie('/shop/', '.example.org', true) },
    shutOut: [
      ['is_active = 0', 'is_active = 1'],
      ["confirmation = 'key'", 'confirmation = NULL'],
    ],
  },
  PrestaShop: {
    site: prestashopSite,
    kinds: ['mysql'],
    rows: [
      "INSERT INTO #__shop_url VALUES (1, 'example.org', 'www.example.org', '/shop/', 1, 1)",
      "INSERT INTO #__configuration VALUES (1, 'PS_SSL_ENABLED', '1'), (2, 'PS_VERSION_DB', '8.1.7')",
    ],
    description: {
      version: '8.1.7',
      address: 'https://www.example.org/shop/',
      ...cookie('/shop/', '', true),
    },
    shutOut: [
      ['active = 0', 'active = 1'],
      ['deleted = 1', 'deleted = 0'],
    ],
  },
};

test('tests each application that has its own tables', () => {
  const titles = registered.flatMap((one) => ('options' in one ? [] : [one.title]));
  expect(Object.keys(applications)).toEqual(expect.arrayContaining(titles));
});

const databases = await siteDatabases(['mysql', 'postgres']);

const urlOf = ({ kind, port, name }: TestDatabase, login: readonly string[]) =>
  `${kind}://${login.map(encodeURIComponent).join(':')}@127.0.0.1:${port}/${encodeURIComponent(name)}?timeout=9999ms`;

const sqlIn = (lines: readonly string[]) =>
  lines.filter((line) => !line.startsWith('-- ')).map((line) => line.replace(/;$/, ''));

/** Makes the user `chat`, with the rights that the doctor prints, until the end of the test. */
async function granted(
  db: TestDatabase,
  place: SitePlace,
  site: { remove(): Promise<unknown> },
  mails = false,
): Promise<void> {
  const lines = await grants({ site: place }, mails);
  if ('problem' in lines) throw new Error(lines.problem);
  const views = lines.flatMap((line) => /^CREATE (?:OR REPLACE )?VIEW (\S+)/.exec(line)?.[1] ?? []);
  const notes = lines.filter((line) => line.startsWith('-- '));
  const sql = sqlIn(lines);
  const user = db.kind === 'mysql' ? "'chat'@'127.0.0.1'" : 'chat';
  expect(sql[0]).toContain(`CREATE ${db.kind === 'mysql' ? 'USER IF NOT EXISTS' : 'ROLE'} ${user} `);
  expect(notes).toEqual(db.kind === 'mysql' ? [expect.stringContaining("'127.0.0.1' is the machine")] : []);
  onTestFinished(async () => {
    for (const view of views) await db.run(`DROP VIEW ${view}`);
    await site.remove();
    await db.run(db.kind === 'mysql' ? `DROP USER ${user}` : 'DROP ROLE chat');
  });
  for (const line of sql) await db.run(line.replace("'PASSWORD'", "'own'"));
}

/**
 * Gives a user of the site an address, in the column that is read.
 * @returns a function that changes the row of the user
 */
async function addressIn(db: TestDatabase, folder: string): Promise<(values: string) => Promise<unknown>> {
  const lines = (await grants({ site: { folder } }, true)) as string[];
  const [, id, column, table] =
    /_mails\S* AS SELECT (\w+) AS id, (?:COALESCE\()?(\w+).* AS mail FROM ([^\s;]+)/.exec(lines.join('\n')) ??
    [];
  // Some helpers create tables without this column.
  await db.run(`ALTER TABLE ${table} ADD ${column} VARCHAR(100)`).catch(() => {});
  const change = (values: string) => db.run(`UPDATE ${table} SET ${values} WHERE ${id} = 7`);
  await change(`${column} = 'zoe@site.example'`);
  return change;
}

function placeOf(options: Record<string, string>): SitePlace {
  const settings = readOptions(options);
  if (!('site' in settings)) throw new Error(JSON.stringify(settings));
  return settings.site;
}

const on = (kind: TestDatabase['kind'], kinds: readonly string[]) =>
  kinds.slice(0, size(2, 1)).includes(kind);

describe.each(databases)('$kind', (db) => {
  test.each(Object.entries(applications).filter(([, { kinds }]) => on(db.kind, kinds)))(
    'prints rights that are just enough for %s',
    async (name, { site: makeSite, rows = [], description, shutOut }) => {
      const site = await makeSite(db);
      const { folder } = site;
      for (const row of rows) await site.run(row);
      expect(await describeSite({ site: { folder } })).toMatchObject(description);
      const device = await site.logIn('7');
      // The site's own user does not need views. This is for a chat that reaches the database at another host.
      const own = parseDatabaseUrl(urlOf(db, [db.user, db.password]));
      const byOwn = await loginsOf(folder, { database: own });
      expect(await byOwn.identify(device)).toMatchObject({ user: { id: '7' } });
      const change = await addressIn(db, folder);
      expect(await byOwn.findMail?.('7')).toBe('zoe@site.example');
      await granted(db, { folder }, site, true);
      const database = parseDatabaseUrl(urlOf(db, ['chat', 'own']));
      // `init` describes the site as this user too.
      expect(await describeSite({ site: { folder, database } })).toMatchObject({
        ...{ isUserKnown: true, databaseUser: 'own' },
        ...(name === 'phpBB' && { footer: expect.anything() }),
      });
      const logins = await loginsOf(folder, { database });
      const login = (await logins.identify(device)) as Login;
      expect(login).toMatchObject({ user: { id: '7' } });
      expect(await logins.findMail?.('7')).toBe('zoe@site.example');
      expect(await logins.findMail?.('999')).toBeNull();
      await logins.renew(login as never, 60);
      await device.rename('Zoë');
      expect(await differing(logins, login as Login)).toMatchObject({ login: { user: { name: 'Zoë' } } });
      for (const { accounts } of [byOwn, logins]) {
        // A database may take some of these for the number 7, and cannot compare others with a number.
        expect(await accounts?.names(['7', '7x', '07', 'x', '99999999999999999999', '999'])).toEqual(
          new Map([['7', 'Zoë']]),
        );
        expect(await accounts?.search('zO', 9)).toContainEqual({ id: '7', name: 'Zoë' });
        expect(await accounts?.search('7', 9)).toContainEqual({ id: '7', name: 'Zoë' });
        for (const other of ['oë', 'z_ë', '%', 'zoë|', "z'"])
          expect(await accounts?.search(other, 9), other).not.toContainEqual({ id: '7', name: 'Zoë' });
      }
      const asChat = database.open();
      onTestFinished(() => asChat.close());
      const lines = (await grants({ site: { folder } })) as string[];
      const users = lines.join('\n').match(/(?:FROM|JOIN) (\S*(?:user|members|customer)\S*)/)?.[1];
      await expect(asChat.rows(`SELECT 'x', NULL, NULL FROM ${users} WHERE 'x'`, ['x'])).rejects.toThrow(
        'GRANT',
      );
      for (const [values, back] of shutOut) {
        await change(values);
        for (const each of [byOwn, logins]) {
          expect(await each.findMail?.('7'), values).toBeNull();
          expect(await each.accounts?.names(['7']), values).toEqual(new Map());
        }
        await change(back);
        expect(await logins.accounts?.names(['7']), back).toEqual(new Map([['7', 'Zoë']]));
        expect(await logins.findMail?.('7'), back).toBe('zoe@site.example');
      }
    },
  );

  test.each(
    Object.entries(applications).flatMap(([name, { site, kinds, secret }]) =>
      secret && on(db.kind, kinds) ? [[name, site, secret] as const] : [],
    ),
  )('prints views of %s without needless secrets', async (_, makeSite, secret) => {
    const { folder, run, logIn, remove } = await makeSite(db);
    onTestFinished(async () => void (await remove()));
    await logIn('7');
    if (secret.rows !== undefined) await run(secret.rows);
    const { session = '' } = secret.login ? await logIn('8', secret.login as never) : {};
    const lines = (await grants({ site: { folder } })) as string[];
    const selects = lines.flatMap(
      (line) => /^CREATE (?:OR REPLACE )?VIEW \S+ AS (.*);$/s.exec(line)?.[1] ?? [],
    );
    const rows = await Promise.all(selects.map((select) => db.run(select)));
    const shown = rows.flatMap((found) => found.flatMap((row) => Object.values(row))).join('\n');
    expect(shown).toContain('Ann');
    expect(shown).not.toContain(secret.text ?? session);
  });

  test.each<readonly [string, (db: TestDatabase) => Promise<AccountSite>]>([
    ...(on(db.kind, ['mysql', 'postgres']) ? ([['Laravel', laravelSite]] as const) : []),
    ...(on(db.kind, ['postgres', 'mysql']) ? ([['Roundcube', roundcubeSite]] as const) : []),
    ...(db.kind === 'mysql' ? ([['MediaWiki', mediawikiSite]] as const) : []),
  ])('prints rights that are enough for %s with its sessions in a table', async (_, makeSite) => {
    const site = await makeSite(db);
    const { folder, cookies } = site;
    const login = (await identified(folder, cookies, urlOf(db, [db.user, db.password]))).login;
    expect(login).toMatchObject({ user: { id: '7' } });
    await granted(db, placeOf({ site: folder }), site, true);
    const { place, logins, ...chat } = await identified(folder, cookies, urlOf(db, ['chat', 'own']));
    expect(await logins.findMail?.('7')).toBe(mailOfUser);
    expect(await logins.findMail?.('8')).toBeNull();
    expect([...((await logins.accounts?.names(['7', '999', 'x'])) ?? [])]).toEqual([
      ['7', expect.any(String)],
    ]);
    const withPath = placeOf({ site: folder, userMail: 'mail' });
    expect((await openSite(withPath)).logins.findMail).toBeUndefined();
    expect(chat.login).toMatchObject({ handle: login.handle, user: login.user });
    await logins.renew(chat.login, 60);
    expect(await logins.ttl(chat.login)).toBeGreaterThan(0);
    expect(await logins.fault()).toBeNull();
    const doctorOutput = async () => {
      const texts: string[] = [];
      const examination = { cookie: cookies, withoutRenewal: '' };
      for await (const { text } of examineLogins({ site: place }, examination)) texts.push(text);
      return texts.join('\n');
    };
    const words = /sessions can be renewed(.|\n)*database of the site answers(.|\n)*user 7 is logged in/i;
    expect(await doctorOutput()).toMatch(words);
    if (db.kind === 'mysql') {
      await db.run('SET GLOBAL read_only = ON');
      onTestFinished(async () => void (await db.run('SET GLOBAL read_only = OFF')));
      expect(await doctorOutput()).toContain('The database of the site is a replica or read-only');
      await db.run('SET GLOBAL read_only = OFF');
    }
    await db.run(site.gone);
    expect(await differing(logins, chat.login)).toMatchObject({ state: 'nobody' });
    const asChat = parseDatabaseUrl(urlOf(db, ['chat', 'own'])).open();
    onTestFinished(() => asChat.close());
    for (const [table, column] of site.hidden) {
      const select = `SELECT 1 FROM ${table} WHERE ${column} IS NULL`;
      await expect(asChat.query(select), `${table}.${column}`).rejects.toThrow('GRANT');
    }
  });

  if (db.kind === 'mysql')
    test('respects a condition that the operator added to the view of Laravel’s users', async () => {
      const site = await laravelSite(db);
      await db.run('ALTER TABLE users ADD banned_at VARCHAR(99)');
      const place = placeOf({ site: site.folder });
      await granted(db, place, site);
      const view = /^CREATE .*VIEW \S*chat_laravel_users.*$/;
      for (const line of sqlIn((await grants({ site: place })) as string[]))
        await db.run(line.replace(view, '$& WHERE u.banned_at IS NULL'));
      const { logins, login } = await identified(site.folder, site.cookies, urlOf(db, ['chat', 'own']));
      expect(login).toMatchObject({ user: { id: '7' } });
      await db.run("UPDATE users SET banned_at = '2026-01-01' WHERE id = 7");
      expect(await differing(logins, login)).toMatchObject({ state: 'nobody' });
    });

  if (db.kind === 'mysql')
    test('prints statements that can run again after the tables of the views have changed', async () => {
      const site = await laravelSite(db);
      const place = placeOf({ site: site.folder });
      await db.run('ALTER TABLE users DROP COLUMN deleted_at');
      await granted(db, place, site);
      await db.run('ALTER TABLE users ADD deleted_at TIMESTAMP NULL');
      for (const line of sqlIn((await grants({ site: place })) as string[])) await db.run(line);
      const { logins, login } = await identified(site.folder, site.cookies, urlOf(db, ['chat', 'own']));
      expect(login).toMatchObject({ user: { id: '7' } });
      await db.run("UPDATE users SET deleted_at = '2026-01-01' WHERE id = 7");
      expect(await differing(logins, login)).toMatchObject({ state: 'nobody' });
    });

  if (db.kind === 'mysql')
    test('prints views of Joomla with the consents even if the site requires consents only later', async () => {
      const site = await joomlaSite(db);
      const device = await site.logIn('7');
      await granted(db, { folder: site.folder }, site);
      const database = parseDatabaseUrl(urlOf(db, ['chat', 'own']));
      const run = (sql: string) => db.run(sql.replaceAll('#__', site.prefix));
      await run("UPDATE #__extensions SET enabled = 1 WHERE element = 'privacyconsent'");
      const logins = await loginsOf(site.folder, { database });
      expect(await logins.identify(device)).toMatchObject({
        reason: expect.stringContaining('privacy policy'),
      });
      await run("INSERT INTO #__privacy_consents VALUES (1, 7, 1, 'PLG_SYSTEM_PRIVACYCONSENT_SUBJECT')");
      expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    });

  // The statements for PostgreSQL do not name the database.
  if (db.kind === 'mysql')
    test('quotes the names of databases and users', async () => {
      onTestFinished(async () => {
        await db.run('USE site');
        await db.run('DROP DATABASE `si``te`');
        await db.run("DROP USER 'o''ne`il'@'%'");
      });
      await db.run('CREATE DATABASE `si``te`');
      await db.run("CREATE USER 'o''ne`il'@'%' IDENTIFIED BY 'it''s`'");
      await db.run("GRANT ALL ON `si``te`.* TO 'o''ne`il'@'%'");
      await db.run('USE `si``te`');
      const odd = { ...db, name: 'si`te', user: "o'ne`il", password: "it's`" };
      const site = await roundcubeSite(odd);
      await db.run('USE site');
      await granted(db, placeOf({ site: site.folder }), site);
      const url = urlOf(odd, ['chat', 'own']);
      expect(await identified(site.folder, site.cookies, url)).toMatchObject({
        login: { user: { id: '7' } },
      });
    });

  async function identified(site: string, cookies: string, siteDatabase: string) {
    const place = placeOf({ site, siteDatabase });
    const { logins } = await openSite(place);
    onTestFinished(() => logins.close());
    const found = await logins.identify({ cookies });
    if ('code' in found) throw new Error(found.reason);
    return { place, logins, login: found };
  }
});
