import { createHash, randomBytes } from 'node:crypto';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface PrestashopSession {
  firstname?: string;
  /** Columns of the customer that differ from the defaults. */
  customer?: Record<string, string | number>;
  /** Values of the cookie that differ from the defaults. Null omits a value. */
  content?: Record<string, string | null>;
  key?: Buffer;
  iv?: string;
  /** The name of the cookie. */
  name?: string;
}

export const cookieOf = (shop: string) =>
  `PrestaShop-${createHash('md5').update(`8.1.7${shop}shop.example.org`).digest('hex')}`;

/** PrestaShop's setting `cookie_iv`. */
export const salt = "K%0a'bcdefghijklmnopqrstuvwxyz01";

/** Creates the tables and the folder of a PrestaShop, with sessions as PrestaShop writes them. */
export async function prestashopSite(db: TestDatabase, key = randomBytes(32)) {
  const prefix = `ps${randomBytes(3).toString('hex')}_`;
  const { folder, write } = siteFiles('prestashop');
  const head = Buffer.concat([Buffer.from('def00000', 'hex'), key]);
  const saved = Buffer.concat([head, createHash('sha256').update(head).digest()]).toString('hex');
  const values = {
    ...{ database_host: '127.0.0.1', database_port: String(db.port), database_name: db.name },
    ...{ database_user: db.user, database_password: db.password, database_prefix: prefix },
    ...{ cookie_key: 'other', cookie_iv: salt.replaceAll('%', '%%'), new_cookie_key: saved },
  };
  const lines = Object.entries(values).map(([name, value]) => `    '${name}' => ${quoted(value)},`);
  write('classes/Cookie.php', '');
  write('app/config/parameters.php', `return ['parameters' => [\n${lines.join('\n')}\n]];\n`);
  const { run, drop } = await siteTables(db, prefix, {
    customer_session:
      'id_customer_session INT AUTO_INCREMENT PRIMARY KEY, id_customer INT, token VARCHAR(40), date_add DATETIME, date_upd DATETIME',
    customer:
      'id_customer INT PRIMARY KEY, firstname VARCHAR(255) NOT NULL, lastname VARCHAR(255) NOT NULL, email VARCHAR(255) NOT NULL, passwd VARCHAR(255) NOT NULL, active TINYINT NOT NULL, deleted TINYINT NOT NULL, is_guest TINYINT NOT NULL',
    customer_group: 'id_customer INT, id_group INT, PRIMARY KEY (id_customer, id_group)',
    shop_url:
      'id_shop_url INT PRIMARY KEY, domain VARCHAR(150), domain_ssl VARCHAR(150), physical_uri VARCHAR(64), main TINYINT, active TINYINT',
    configuration: 'id_configuration INT PRIMARY KEY, name VARCHAR(254), value TEXT',
    group_lang: 'id_group INT, id_lang INT, name VARCHAR(32), PRIMARY KEY (id_group, id_lang)',
  });
  await run("INSERT INTO #__group_lang VALUES (3, 1, 'Customer'), (4, 1, 'Staff'), (4, 2, 'Équipe')");
  const inTurn = oneAtATime();

  async function logIn(user: string, session: PrestashopSession) {
    const { firstname = 'Ann', customer, content } = session;
    const fields = {
      ...{ id_customer: Number(user), firstname, lastname: 'Lee', email: `user${user}@example.org` },
      ...{ passwd: '$2y$10$hash', active: 1, deleted: 0, is_guest: 0 },
      ...customer,
    };
    await run(
      `REPLACE INTO #__customer (${Object.keys(fields).join(', ')}) VALUES (${Object.keys(fields).map(() => '?')})`,
      Object.values(fields),
    );
    await run('REPLACE INTO #__customer_group VALUES (?, 3)', [Number(user)]);
    const token = createHash('sha1').update(randomBytes(8)).digest('hex');
    await run(
      'INSERT INTO #__customer_session (id_customer, token, date_add, date_upd) VALUES (?, ?, NOW(), NOW())',
      [Number(user), token],
    );
    const [{ last } = {}] = await run('SELECT MAX(id_customer_session) AS last FROM #__customer_session');
    const all: Record<string, string | null> = {
      ...{ date_add: '2026-01-01 00:00:00', id_lang: '1', id_customer: user, customer_lastname: 'Lee' },
      ...{ customer_firstname: firstname, logged: '1', is_guest: '', passwd: '$2y$10$hash' },
      ...{ email: 'ann@example.org', id_cart: '5', session_id: String(last), session_token: token },
      ...content,
    };
    const value: string = await phpAnswer('prestashop-cookie.php', {
      key: (session.key ?? key).toString('hex'),
      iv: session.iv ?? salt,
      content: Object.fromEntries(Object.entries(all).filter(([, text]) => text !== null)),
    });
    const parts = [
      value.slice(0, 8),
      value.slice(8, 72),
      value.slice(72, 104),
      value.slice(104, -64),
      value.slice(-64),
    ];
    return {
      cookies: `${session.name ?? cookieOf('ps-s1')}=${value}`,
      /** Version, salt, initialization vector, ciphertext, and the authentication code of these. */
      secrets: parts,
      id: String(last),
      token,
      rename: async (other: string) => {
        await run('UPDATE #__customer SET firstname = ? WHERE id_customer = ?', [other, Number(user)]);
      },
      logOut: async () =>
        void (await run('DELETE FROM #__customer_session WHERE id_customer_session = ?', [Number(last)])),
    };
  }
  return {
    folder,
    run,
    logIn: (user: string, session: PrestashopSession = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
