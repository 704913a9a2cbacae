import { describe, expect, onTestFinished, test } from 'vitest';
import { lookAt } from '../../../../server/init/found.ts';
import { grants } from '../../../../server/session/doctor/site.ts';
import type { Login } from '../../../../server/session/login.ts';
import { parseDatabaseUrl } from '../../../../server/session/store-url.ts';
import { loginsOf, siteDatabases } from '../../../helpers/application-site.ts';
import { drupalSite } from '../../../helpers/drupal.ts';
import { joomlaSite } from '../../../helpers/joomla.ts';
import { magentoSite } from '../../../helpers/magento.ts';
import { moodleSite } from '../../../helpers/moodle.ts';
import { mybbSite } from '../../../helpers/mybb.ts';
import { opencartSite } from '../../../helpers/opencart.ts';
import { phpbbSite } from '../../../helpers/phpbb.ts';
import { prestashopSite } from '../../../helpers/prestashop.ts';
import { smfSite } from '../../../helpers/smf.ts';
import { typo3Site } from '../../../helpers/typo3.ts';

const kinds = ['mysql', 'postgres'] as const;
/** As `init` shows the sites of the helpers, with these rows. */
const portraits: Record<string, { rows?: string[]; portrait: object }> = {
  Joomla: { portrait: { administrators: 0, cookie: { path: '/', domain: '', secure: false } } },
  Drupal: { portrait: { administrators: 0, cookie: { path: '/', domain: '.', secure: false } } },
  Moodle: {
    portrait: {
      ...{ address: 'https://learn.example.org', administrators: 2 },
      cookie: { path: '/', domain: '', secure: true },
    },
  },
  TYPO3: { portrait: { version: '13.4', cookie: { path: '/', domain: '', secure: false } } },
  phpBB: {
    rows: [
      "INSERT INTO #_config (config_name, config_value) VALUES ('server_protocol', 'https://'), ('server_name', 'www.example.org'), ('server_port', '443'), ('script_path', '/forum'), ('cookie_domain', 'example.org'), ('cookie_path', '/forum'), ('cookie_secure', '1')",
      "INSERT INTO #_users (user_id, user_type, username) VALUES (91, 3, 'founder'), (92, 0, 'member')",
    ],
    portrait: {
      ...{ version: '3.3.16', address: 'https://www.example.org/forum', administrators: 1 },
      cookie: { path: '/forum', domain: 'example.org', secure: true },
    },
  },
  MyBB: {
    rows: [
      "INSERT INTO #_settings (name, value) VALUES ('bburl', 'https://www.example.org/forum'), ('cookiepath', '/forum/'), ('cookiedomain', '.example.org'), ('cookiesecureflag', '1')",
    ],
    portrait: {
      ...{ address: 'https://www.example.org/forum', administrators: 0 },
      cookie: { path: '/forum/', domain: '.example.org', secure: true },
    },
  },
  OpenCart: {
    portrait: {
      ...{ version: '4.0.4.1', address: 'http://shop.example.org/' },
      cookie: { path: '/', domain: '', secure: false },
    },
  },
  Magento: {
    rows: [
      "INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES ('default', 0, 'web/secure/base_url', 'https://example.org/shop/'), ('default', 0, 'web/unsecure/base_url', 'https://example.org/shop/'), ('default', 0, 'web/cookie/cookie_domain', '.example.org')",
    ],
    portrait: {
      address: 'https://example.org/shop/',
      cookie: { path: '/shop/', domain: '.example.org', secure: true },
    },
  },
  PrestaShop: {
    rows: [
      "INSERT INTO #__shop_url VALUES (1, 'example.org', 'www.example.org', '/shop/', 1, 1)",
      "INSERT INTO #__configuration VALUES (1, 'PS_SSL_ENABLED', '1'), (2, 'PS_VERSION_DB', '8.1.7')",
    ],
    portrait: {
      ...{ version: '8.1.7', address: 'https://www.example.org/shop/' },
      cookie: { path: '/shop/', domain: '', secure: true },
    },
  },
  SMF: {
    rows: ["INSERT INTO #_settings (variable, value) VALUES ('localCookies', '1'), ('secureCookies', '0')"],
    portrait: {
      ...{ address: 'http://127.0.0.1/smf', administrators: 0 },
      cookie: { path: '/smf/', domain: '127.0.0.1', secure: false },
    },
  },
};

const databases = await siteDatabases(kinds);

describe.each(databases)('$kind', (db) => {
  test.each([
    // They have one kind of database.
    ...(db.kind === 'mysql'
      ? ([
          ['Magento', magentoSite],
          ['PrestaShop', prestashopSite],
        ] as const)
      : []),
    ['Joomla', joomlaSite],
    ['Drupal', (db: (typeof databases)[number]) => drupalSite(db, { prefix: 'a-drupal_' })],
    ['Moodle', moodleSite],
    ['TYPO3', typo3Site],
    ['phpBB', phpbbSite],
    ['MyBB', mybbSite],
    ['SMF', smfSite],
    ['OpenCart', opencartSite],
  ] as const)('the rights that the doctor prints are enough for %s, and no more', async (name, makeSite) => {
    const site = await makeSite(db);
    const { folder } = site;
    const { rows = [], portrait } = portraits[name] ?? { portrait: {} };
    for (const row of rows) if ('run' in site) await site.run(row);
    expect((await lookAt({ folder }, async () => null)).portrait).toMatchObject(portrait);
    const lines = await grants({ folder });
    if ('problem' in lines) throw new Error(lines.problem);
    const views = lines.flatMap((line) => /^CREATE OR REPLACE VIEW (\S+)/.exec(line)?.[1] ?? []);
    onTestFinished(async () => {
      for (const view of views) await db.run(`DROP VIEW ${view}`);
      await site.remove();
      await db.run(db.kind === 'mysql' ? "DROP USER 'chat'@'%'" : 'DROP ROLE chat');
    });
    for (const line of lines) {
      await db.run(line.replace(/;$/, '').replace("'localhost'", "'%'").replace("'PASSWORD'", "'own'"));
    }
    const database = parseDatabaseUrl(`${db.kind}://chat:own@127.0.0.1:${db.port}/${db.name}?timeout=9999ms`);
    const logins = await loginsOf(folder, { database });
    const device = await site.logIn('7');
    const login = (await logins.identify(device)) as Login;
    expect(login).toMatchObject({ user: { id: '7' } });
    await logins.renew(login as never, 60);
    await device.rename('Zoë');
    expect(await logins.check([login as never])[0]).toMatchObject({ login: { user: { name: 'Zoë' } } });
    const asChat = database.open();
    onTestFinished(() => asChat.close());
    const users = lines.join('\n').match(/(?:FROM|JOIN) (\S*(?:user|members|customer)\S*)/)?.[1];
    await expect(asChat.rows(`SELECT 'x', NULL, NULL FROM ${users} WHERE 'x'`, ['x'])).rejects.toThrow(
      'GRANT',
    );
  });
});
