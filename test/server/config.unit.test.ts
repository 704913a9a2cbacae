import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, listSettings, readConfig, settingNames } from '../../server/settings/config.ts';
import { unknownSettings } from '../../server/settings/names.ts';
import { configOf, sessionsOf } from '../helpers/config.ts';

test('shows an example of a store and of a site if both are missing', () => {
  expect(() => readConfig({})).toThrow(
    /CHAT_SESSION_STORE: not set; it must be the store of PHP’s sessions, such as file:.*set CHAT_SITE instead, such as \//,
  );
});

test('treats an empty variable as not set', () => {
  expect(configOf({ CHAT_PORT: '', CHAT_API_KEY: '' })).toMatchObject({ port: 7070, apiKeys: [] });
});

test('accepts rooms with names in any script and with separate IDs', () => {
  expect(configOf({ CHAT_ROOMS: 'lobby, general:Général, 交流' }).rooms).toEqual([
    { name: 'lobby' },
    { id: 'general', name: 'Général' },
    { name: '交流' },
  ]);
});

test.each(['/avatars/{id}.jpg', 'https://cdn.example/{id}'])('accepts the template %s', (template) => {
  expect(configOf({ CHAT_USER_AVATAR: template }).profile).toEqual({ avatar: template });
});

test('accepts several API keys, so that a key can be replaced', () => {
  const [old, fresh] = ['o'.repeat(20), 'n'.repeat(20)];
  expect(configOf({ CHAT_API_KEY: `${fresh},${old}` }).apiKeys).toEqual([fresh, old]);
});

test('accepts paths with an escaped dot in a key', () => {
  expect(sessionsOf({ CHAT_USER_ID: 'app.user\\.v2.id' }).user.id).toEqual(['app', 'user.v2', 'id']);
});

test('lists all problems together, with the accepted values', () => {
  const wrong = {
    CHAT_PORT: '70000',
    CHAT_ORIGINS: 'https://a.example/path',
    CHAT_SESSION_CHECK: 'often',
    CHAT_DRAIN: 'at once',
    CHAT_NODE: 'the first',
    CHAT_ROOMS: 'lobby,u-mine',
    CHAT_LIMIT_TEXT: '10001',
    CHAT_HISTORY: 'sqlite::memory:',
    CHAT_FILES: './files',
    CHAT_FILE_TYPES: 'pictures',
    CHAT_LIMIT_FILE: '0',
    CHAT_LIMIT_FILES_USER: '500MB',
    CHAT_FILES_ORPHANS: '1w',
  };
  const error = problemsOf(wrong);
  for (const [name, value] of Object.entries(wrong)) {
    // Values that may contain a password are not repeated.
    const repeated = /^CHAT_(HISTORY|FILES)$/.test(name) ? '' : `${JSON.stringify(value)} is `;
    expect(error).toMatch(new RegExp(`^ {2}${name}: ${repeated}not `, 'm'));
  }
});

test('lists problems with files among the others', () => {
  const error = problemsOf({
    CHAT_ROOMS: 'lobby,lobby',
    CHAT_API_KEY_FILE: '/nonexistent',
    CHAT_API_KEY: 'x'.repeat(20),
  });
  expect(error).toMatch(
    /CHAT_ROOMS: [\s\S]*CHAT_API_KEY_FILE: "\/nonexistent" cannot be read \(ENOENT\) [\s\S]*not both/,
  );
});

test.each(['CHAT_API_KEY_FILE', 'CHAT_HISTORY_FILE'])(
  'gives the reason and the account if the file of %s cannot be read',
  (name) => {
    expect(problemsOf({ [name]: tmpdir() })).toContain(
      `${name}: ${JSON.stringify(tmpdir())} cannot be read (EISDIR) by the account ${userInfo().username}; it must be the path of a file `,
    );
  },
);

test('reads settings that contain a password from files, like secrets of Docker', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  const file = (text: string) => {
    const path = join(folder, 'secret');
    writeFileSync(path, text);
    return path;
  };
  const path = file('mysql://chat:geheim@db.example/chat\n');
  const { history } = configOf({ CHAT_HISTORY: 'mysql://chat:geheim@db.example/chat' });
  expect(configOf({ CHAT_HISTORY_FILE: path }).history).toEqual(history);
  expect(problemsOf({ CHAT_HISTORY_FILE: path, CHAT_HISTORY: 'sqlite:x' })).toContain(
    'CHAT_HISTORY and CHAT_HISTORY_FILE: give one of them, not both',
  );
  for (const wrong of ['', 'two\nlines']) {
    const error = problemsOf({ CHAT_HISTORY_FILE: file(wrong) });
    expect(error).toMatch(/CHAT_HISTORY_FILE: .*not the path of a file that holds the setting in one line/);
    expect(error).not.toContain('two');
  }
  expect(problemsOf({ CHAT_MAIL_FILE: join(folder, 'none') })).toContain('CHAT_MAIL_FILE: ');
  expect(problemsOf({ CHAT_HISTORY_FILE: file('ftp://chat:geheim@db') })).not.toContain('geheim');
  rmSync(folder, { recursive: true });
});

test('reads one key per line of a key file, and rejects comments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  const path = join(folder, 'keys');
  const keys = ['first-key-0123456', 'second-key-01234'];
  writeFileSync(path, `${keys.join('\n')}\n`);
  expect(configOf({ CHAT_API_KEY_FILE: path }).apiKeys).toEqual(keys);
  for (const mark of ['#', '; ', ';']) {
    writeFileSync(path, `${mark}${keys.join('\n')}\n`);
    const problem = problemsOf({ CHAT_API_KEY_FILE: path });
    expect(problem).toContain('CHAT_API_KEY_FILE: ');
    expect(problem).not.toContain('key-0123');
  }
  rmSync(folder, { recursive: true });
});

test.each(['CHAT_WEBHOOK_URL', 'CHAT_CARDS_URL'])('rejects %s without a key', (name) => {
  const error = problemsOf({ [name]: 'https://site.example/events' });
  expect(error).toMatch(new RegExp(`${name} and CHAT_WEBHOOK_KEY_FILE: .* set the key file`));
});

test('rejects a CHAT_CARDS_TIMEOUT after which a client would have its answer too late', () => {
  expect(problemsOf({ CHAT_CARDS_TIMEOUT: '6s' })).toMatch(/CHAT_CARDS_TIMEOUT: .*10ms to 5s/);
});

test('rejects settings of a site together with CHAT_SESSION_STORE=none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tickets-'));
  const keys = join(folder, 'keys');
  writeFileSync(keys, Buffer.alloc(32).toString('base64'));
  const tickets = {
    CHAT_SESSION_STORE: 'none',
    CHAT_TICKET_KEY_FILE: keys,
    CHAT_TICKET_AUDIENCE: 'chat.example',
    CHAT_ADMINS: '1, 2',
  };
  expect(configOf({ ...tickets, CHAT_TEAM: '3,role:admin,role:shop_manager' })).toMatchObject({
    tickets: { admins: ['1', '2'], moderators: [], team: ['shop_manager'] },
    team: { users: new Set(['3']), roles: new Set(['admin']), hasRoles: true },
  });
  const error = problemsOf({ ...tickets, CHAT_SITE: '/var/www/html', CHAT_USER_ROLES: 'roles' });
  expect(error).toMatch(/CHAT_SITE and CHAT_SESSION_STORE: .*\n.*CHAT_USER_ROLES and CHAT_SESSION_STORE: /);
  rmSync(folder, { recursive: true });
});

test('reads users, roles of the chat and roles of the site from CHAT_TEAM', () => {
  const CHAT_TEAM = 'ida, role:moderator,role:id:7,role:Shop manager';
  const config = configOf({ CHAT_TEAM, CHAT_USER_ROLES: 'roles' });
  expect(config.team).toEqual({ users: new Set(['ida']), roles: new Set(['moderator']), hasRoles: true });
  expect(config.logins).toMatchObject({ session: { user: { team: ['id:7', 'Shop manager'] } } });
  expect(listSettings({ CHAT_TEAM }).filter(({ name }) => name === 'CHAT_TEAM')).toMatchObject([
    { value: CHAT_TEAM },
  ]);
  expect(problemsOf({ CHAT_TEAM })).toMatch(/CHAT_TEAM: .* CHAT_USER_ROLES/);
  expect(configOf({ CHAT_TEAM: 'ida,role:admin' }).team).toBeDefined();
  for (const wrong of ['role:', '*', `role:${'x'.repeat(101)}`])
    expect(problemsOf({ CHAT_TEAM: wrong })).toMatch(/CHAT_TEAM: /);
});

describe('mail', () => {
  const needed = {
    CHAT_MAIL_FROM: 'Our garden <chat@garden.example>',
    CHAT_URL: 'https://garden.example/chat/',
  };
  const mailOf = (CHAT_MAIL: string) => configOf({ ...needed, CHAT_MAIL }).mail?.server;

  test('allows a mail server without TLS only on this machine', () => {
    const login = { user: 'chat@garden.example', password: 'p/@:?#%' };
    const address = `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@mail.example`;
    expect(mailOf(`smtps://${address}`)).toEqual({ host: 'mail.example', port: 465, tls: 'first', ...login });
    expect(mailOf(`smtp://${address}:25`)).toEqual({
      host: 'mail.example',
      port: 25,
      tls: 'later',
      ...login,
    });
    expect(mailOf('smtp://localhost')).toEqual({ host: 'localhost', port: 25, tls: 'none' });
    expect(mailOf('smtp://[::1]:26')).toEqual({ host: '::1', port: 26, tls: 'none' });
    expect(mailOf('smtp://localhost?tls=on')).toEqual({ host: 'localhost', port: 587, tls: 'later' });
  });

  test('reads the mail password from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mail-'));
    writeFileSync(join(folder, 'password'), 'p/w d\n');
    const file = { ...needed, CHAT_MAIL_PASSWORD_FILE: join(folder, 'password') };
    expect(configOf({ ...file, CHAT_MAIL: 'smtps://chat@mail.example' }).mail?.server.password).toBe('p/w d');
    expect(problemsOf({ ...file, CHAT_MAIL: 'smtps://chat:1@mail.example' })).toContain('not both');
    expect(problemsOf({ ...file, CHAT_MAIL: 'smtps://mail.example' })).toContain('a user and a password');
    rmSync(folder, { recursive: true });
  });

  test('reads the sender and the base URLs of links', () => {
    const { mail, url, pageUrl } = configOf({ ...needed, CHAT_MAIL: 'smtp://localhost' });
    expect(mail?.from).toEqual({ name: 'Our garden', address: 'chat@garden.example' });
    expect([url, pageUrl]).toEqual(['https://garden.example/chat', 'https://garden.example/chat/']);
    const page = { CHAT_PAGE_URL: 'https://garden.example/index.php?page=chat' };
    expect(configOf({ ...needed, ...page }).pageUrl).toBe(page.CHAT_PAGE_URL);
    expect(problemsOf({ CHAT_MAIL: 'smtp://localhost' })).toMatch(/CHAT_MAIL_FROM: [\s\S]*CHAT_URL: /);
    expect(problemsOf({ CHAT_MAIL_REPLIES: 'replies@garden.example' })).toContain('set CHAT_MAIL, or unset');
    const longest = 'x'.repeat(37);
    const repliesOf = (CHAT_MAIL_REPLIES: string) => ({
      ...needed,
      CHAT_MAIL: 'smtp://localhost',
      CHAT_MAIL_REPLIES,
    });
    expect(configOf(repliesOf(`${longest}@garden.example`)).mail?.replies).toEqual({
      local: longest,
      domain: 'garden.example',
    });
    const mailboxOf = (CHAT_MAIL_IN: string) =>
      configOf({ ...repliesOf('replies@garden.example'), CHAT_MAIL_IN }).mail?.mailbox;
    expect(mailboxOf('imaps://replies%40garden.example:p%2Fw@mail.example')).toMatchObject({
      ...{ host: 'mail.example', port: 993, tls: 'first', folder: 'INBOX' },
      ...{ user: 'replies@garden.example', password: 'p/w' },
    });
    expect(mailboxOf('imap://a:b@mail.example/Chat%20answers')).toMatchObject({
      ...{ port: 143, tls: 'later', folder: 'Chat answers' },
    });
    expect(mailboxOf('imap://a:b@localhost')).toMatchObject({ tls: 'none' });
    expect(problemsOf({ CHAT_MAIL_IN: 'imaps://a:b@c.example' })).toContain('set CHAT_MAIL_REPLIES too');
    for (const wrong of [`${longest}x@garden.example`, 'a+b@garden.example', 'Replies <a@b.example>'])
      expect(problemsOf(repliesOf(wrong))).toContain('CHAT_MAIL_REPLIES: ');
  });
});

test('rejects CHAT_PUSH_CONTACT without a key file', () => {
  expect(problemsOf({ CHAT_PUSH_CONTACT: 'mailto:owner@example.org' })).toMatch(
    /CHAT_PUSH_CONTACT and CHAT_PUSH_KEY_FILE: .* set the key file/,
  );
});

test.each(['mailto:owner@example.org', 'mailto:a.b+c@mail.example.co.uk', 'https://www.bücher.de/kontakt'])(
  'accepts CHAT_PUSH_CONTACT=%s',
  (value) => expect(problemsOf({ CHAT_PUSH_CONTACT: value })).not.toContain('CHAT_PUSH_CONTACT: '),
);

test.each([
  ...['owner@example.org', 'mailto:owner', 'https://localhost', 'http://example.org'].map((value) => [
    'CHAT_PUSH_CONTACT',
    value,
  ]),
  ...[
    'site.local',
    'site.invalid',
    'a.test',
    'a.internal',
    'a.localhost',
    'fritz.home.arpa',
    'a.LAN.',
  ].flatMap((host) =>
    [`mailto:owner@${host}`, `https://${host}/contact`].map((value) => ['CHAT_PUSH_CONTACT', value]),
  ),
  ...['127.0.0.1', '0x7f.1', '[::1]', '93.184.216.34', '2130706433'].flatMap((host) =>
    [`mailto:owner@${host}`, `https://${host}/`].map((value) => ['CHAT_PUSH_CONTACT', value]),
  ),
  ...['/avatars/', '//evil.example/{id}', 'javascript:{id}', 'http://cdn.example/{id}', 'avatars/{id}'].map(
    (value) => ['CHAT_USER_URL', value],
  ),
  ...['/chat', 'javascript:1', 'https://a/?b', 'https://a/#b'].map((value) => ['CHAT_URL', value]),
  ...['a', 'a@b c', 'a@b>', 'A <b>', 'a@-b.example', '<a@b', 'A <a@b> c', 'a"@b.example'].map((value) => [
    'CHAT_MAIL_FROM',
    value,
  ]),
  // These would match either nothing or everything.
  ...['https://*.example', 'https://a.*.example.org', 'app://*', 'file:///app', 'null', 'https://*'].map(
    (value) => ['CHAT_ORIGINS', value],
  ),
  ['CHAT_PREVIEW_HOSTS', '*.wiki.example'],
  ['CHAT_LIMIT_FILES_USER', '1MB/soon'],
])('rejects %s=%s', (name = '', value = '') => {
  expect(problemsOf({ [name]: value })).toContain(`${name}: `);
});

test.each([
  ['CHAT_API_KEY', 'kurz geheim'],
  ['CHAT_API_KEY_FILE', 'geheim0123456789'],
  ['CHAT_SESSION_STORE', 'redis://user:ge@geheim@host/0'],
  ['CHAT_SESSION_STORE', 'memcached://user:geheim@host/path?format=json'],
  ['CHAT_SESSION_STORE', 'memcached://host?format=json&geheim=1%'],
  ['CHAT_SESSION_COOKIE', 'signed:geheim'],
  ['CHAT_WEBHOOK_URL', 'ftp://user:geheim@site.example/'],
  ['CHAT_WEBHOOK_KEY_FILE', 'whsec_geheim'],
  ['CHAT_MAIL_PASSWORD_FILE', 'geheim'],
  ['CHAT_URL', 'https://user:geheim@host'],
  ['CHAT_ORIGINS', 'https://user:geheim@host'],
  ['CHAT_LOGIN_URL', 'ftp://user:geheim@host/'],
])('does not repeat a possible secret in the error of %s=%s', (name, value) => {
  const error = problemsOf({ [name]: value });
  expect(error).toContain(name);
  expect(error.replace('geheim= is not an option', '')).not.toContain('geheim');
});

test('trims a value and rejects quotes, line breaks and other bytes than UTF-8', () => {
  const env = { CHAT_USER_ID: ' user_id\r', CHAT_API_KEY: '0123456789abcdef\n' };
  expect([sessionsOf(env).user.id, configOf(env).apiKeys]).toEqual([['user_id'], ['0123456789abcdef']]);
  expect(
    problemsOf({
      CHAT_USER_ID: "'user_id'",
      CHAT_ADMINS: 'J\ufffdrg',
      CHAT_API_KEY: '"0123456789abcdef"',
      CHAT_FILES: 'dir:/a\rb',
    }),
  ).toBe(
    [
      'Settings that cannot be used:',
      '  CHAT_USER_ID: remove the quotes around it; here they are part of the value',
      '  CHAT_ADMINS: the value is not UTF-8 text',
      '  CHAT_API_KEY: remove the quotes around it; here they are part of the value',
      '  CHAT_FILES: the value contains a control character, such as a line break',
    ].join('\n'),
  );
});

/** Typical mistakes, each with this secret. Our PHP library rejects these session stores too. */
const secret = 'sesame';
const malformed = {
  CHAT_SESSION_STORE: readFileSync(
    new URL('../fixtures/malformed-store-urls.txt', import.meta.url),
    'utf8',
  ).split('\n'),
  CHAT_HISTORY: [
    'postgres:/user:sesame@host/chat',
    'postgres:///user:sesame@host/chat',
    'postgres:user:sesame@host/chat',
    'Postgres://user:sesame@host/chat',
    'postgres://user:1@sesame@host/chat',
    'postgres://user:1/sesame@host/chat',
    'postgres://user:1@host/chat?password=sesame',
    'postgres://user:1@host/chat#sesame',
    'postgres://user:sesame@ho st/chat',
    'postgres://user:sesame@host/chat?tls=maybe',
    'mysql://user:sesame@host',
    'sesame',
    'sqlite:user:sesame@host/chat',
  ],
  CHAT_CLUSTER: [
    'redis:/:sesame@host',
    'redis://:sesame@@host',
    'redis://:1/sesame@host',
    'redis://user:12/sesame',
    'redis://host?password=sesame',
    'postgres:sesame',
  ],
  CHAT_MAIL: [
    'smtp:/user:sesame@host',
    'smtps://user:1/sesame@host',
    'smtps://user:1@sesame@host',
    'smtps://user:sesame',
    'smtps://user:1@host?password=sesame',
    'smtps://user:1@host#sesame',
    'sesame',
  ],
  CHAT_MAIL_IN: [
    'imap:/user:sesame@host',
    'imaps://user:1/sesame@host',
    'imaps://user:sesame',
    'smtps://user:sesame@host',
    'imaps://user:1@host/INBOX?password=sesame',
  ],
  CHAT_FILES: [
    's3:/key:sesame@bucket',
    's3://key:1/sesame@bucket',
    's3://key:1@sesame@bucket',
    's3://sesame@bucket',
    's3://key:sesame@bucket?endpoint=x',
    's3://bucket?secret=sesame',
    's3://key:1@bucket?endpoint=https://:sesame@host',
    'dir://key:sesame@bucket',
    'sesame:1@bucket',
  ],
};

test.each(Object.entries(malformed))(
  'rejects malformed addresses in %s without repeating them',
  (name, texts) => {
    const refused = (text: string) => {
      try {
        configOf({ [name]: text });
        return false;
      } catch (error) {
        return error instanceof ConfigError && !error.message.includes(secret);
      }
    };
    expect(texts.filter((text) => text !== '' && !refused(text))).toEqual([]);
  },
);

test('decodes special characters in the password of a history database', () => {
  const address = {
    kind: 'postgres',
    at: { host: 'db.example', port: 5432 },
    user: 'chat',
    password: 'se@same:/?#%',
    database: 'site',
    tls: undefined,
  };
  const login = `chat:${encodeURIComponent(address.password)}`;
  const history = (setting: string) => configOf({ CHAT_HISTORY: setting }).history;
  expect(history(`postgres://${login}@db.example/site`)).toEqual(address);
  expect(history(`postgresql://${login}@[::1]:6000/site?tls=on`)).toEqual({
    ...address,
    at: { host: '::1', port: 6000 },
    tls: {},
  });
  expect(history(`mysql://${login}@db/site`)).toEqual({
    ...address,
    kind: 'mysql',
    at: { host: 'db', port: 3306 },
  });
  expect(history('postgres://chat@/site?socket=/run/postgresql/.s.PGSQL.5433')).toEqual({
    ...address,
    at: { path: '/run/postgresql/.s.PGSQL.5433' },
    password: '',
  });
});

const databases = { postgres: 'postgres://chat:geheim@host/chat', mysql: 'mysql://chat:geheim@host/chat' };
const alone = / and CHAT_HISTORY: .*sqlite:.*unset CHAT_CLUSTER/;
const noBus = /: .*postgres or mysql/;

test.each<[string, string | undefined, RegExp]>([
  ['redis://redis:6379', undefined, alone],
  ['postgres', 'sqlite:./data/chat.db', alone],
  ['mysql', undefined, alone],
  ['postgres', databases.mysql, /.*set CHAT_CLUSTER to mysql, or to a redis:\/\/ address/],
  ['mysql', databases.postgres, /.*set CHAT_CLUSTER to postgres, or to a redis:\/\/ address/],
  ['anything', databases.postgres, noBus],
  ['redis:', databases.postgres, noBus],
  ['redis://:geh/eim@host', databases.postgres, noBus],
  ['redis://user:geheim@host/x', databases.postgres, noBus],
  ['redis://a@b@host', databases.postgres, noBus],
])('rejects CHAT_CLUSTER=%s with the history %s', (bus, history, expected) => {
  const problems = problemsOf({ CHAT_CLUSTER: bus, CHAT_HISTORY: history });
  expect(problems).toMatch(new RegExp(`^ {2}CHAT_CLUSTER${expected.source}`, 'm'));
  expect(problems).not.toMatch(/geh.?eim/);
});

test.each([
  [{}, { over: 0, within: 10_000 }],
  [
    { CHAT_CLUSTER: 'postgres', CHAT_HISTORY: databases.postgres },
    { over: 8000, within: 10_000 },
  ],
  [{ CHAT_DRAIN: '0s' }, { over: 0, within: 2000 }],
  [{ CHAT_DRAIN: '1m' }, { over: 60_000, within: 62_000 }],
] as const)('sets the drain times for %o to %o', (env, times) => {
  expect(configOf(env).drain).toEqual(times);
});

test('accepts a Redis with a login or the history database as the bus', () => {
  const busOf = (bus: string, history: keyof typeof databases) =>
    configOf({ CHAT_CLUSTER: bus, CHAT_HISTORY: databases[history] }).cluster;
  expect(busOf('postgres', 'postgres')).toEqual({ kind: 'postgres' });
  expect(busOf('mysql', 'mysql')).toEqual({ kind: 'mysql' });
  expect(busOf('rediss://chat:p%40ss@redis.example:6380/3', 'mysql')).toEqual({
    kind: 'redis',
    server: {
      host: 'redis.example',
      port: 6380,
      tls: true,
      user: 'chat',
      password: 'p@ss',
      database: 3,
    },
  });
});

test.each([
  ['CHAT_ROOM', 'CHAT_ROOMS'],
  ['CHAT_SESION_CHECK', 'CHAT_SESSION_CHECK'],
  ['CHAT_USER_BANEND', 'CHAT_USER_BANNED'],
  ['CHAT_User_Banned', 'CHAT_USER_BANNED'],
])('rejects the misspelling %s of %s', (name, nearest) => {
  expect(problemsOf({ [name]: 'geheim' })).toMatch(
    new RegExp(`^  ${name}: there is no such setting; the nearest is ${nearest}$`, 'm'),
  );
});

test('lists unknown names together with invalid values', () => {
  const listed = problemsOf({ CHAT_PORT: 'x', CHAT_ROOM: 'a', CHAT_ARCHIVE: '1s' });
  expect(listed.match(/CHAT_\w+(?=:)/g)).toEqual(['CHAT_PORT', 'CHAT_ROOM', 'CHAT_ARCHIVE']);
});

test.each([
  // Docker and Kubernetes set this name for a service called chat.
  ['CHAT_PORT_7070_TCP_ADDR', 'CHAT_PORT'],
  ['CHAT_ARCHIVE', undefined],
  ['CHAT_STORE', 'CHAT_SESSION_STORE'],
])('reports the unknown %s with the nearest setting %s, but does not prevent a start', (name, nearest) => {
  expect(configOf({ [name]: 'x' }).unknown).toEqual([{ name, nearest, misspelt: false }]);
});

test('a version that lacks a setting does not take it for a misspelt one, so it starts after a rollback', () => {
  const misspelt = settingNames.filter((name) => {
    const others = settingNames.filter((other) => other !== name);
    return unknownSettings({ [name]: 'x' }, 'CHAT_', others)[0]?.misspelt;
  });
  // The first version has both.
  expect(misspelt.sort()).toEqual(['CHAT_USER_ROLES', 'CHAT_USER_ROOMS']);
});

test('reads a folder for files, or a bucket with its key from URL or environment', () => {
  const files = (setting: string, env = {}) => configOf({ CHAT_FILES: setting, ...env }).files;
  const credentials = { key: 'k', secret: 's/e+c' };
  const aws = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's/e+c' };
  expect(files('')).toEqual({ kind: 'dir', folder: './data/files' });
  expect(files('off')).toEqual({ kind: 'off' });
  expect(files('s3://k:s%2Fe%2Bc@pictures')).toEqual({
    kind: 's3',
    url: 'https://pictures.s3.us-east-1.amazonaws.com/',
    region: 'us-east-1',
    prefix: '',
    credentials,
  });
  expect(files('s3://pictures?endpoint=http://127.0.0.1:9000&region=eu&prefix=chat/', aws)).toEqual({
    kind: 's3',
    url: 'http://127.0.0.1:9000/pictures/',
    region: 'eu',
    prefix: 'chat/',
    credentials,
  });
  expect(problemsOf({ CHAT_FILES: 's3://pictures' })).toContain('AWS_ACCESS_KEY_ID');
  expect(configOf({ CHAT_LIMIT_FILES_USER: '1MB/1h' }).limitFilesUser).toEqual({
    count: 1048576,
    ms: 3_600_000,
  });
});

test('ignores empty settings and the settings of the PHP application', () => {
  const env = { CHAT_PORT: '1', CHAT_API_URL: 'http://localhost', CHAT_ARCHIVE: '', PATH: '' };
  expect(configOf(env).unknown).toEqual([]);
});

describe('the list of all settings', () => {
  const lineOf = (env: NodeJS.ProcessEnv, name: string) =>
    listSettings(env)
      .filter((one) => one.name === name)
      .map(({ value, from }) => `${value} (${from})`);

  test('contains each setting once, with its value and source', () => {
    const env = { CHAT_SESSION_STORE: 'file:///sessions', CHAT_SITE: 'dokuwiki:', CHAT_USER_NAME: 'x' };
    expect(lineOf(env, 'CHAT_SESSION_STORE')).toEqual(['file:///sessions (environment)']);
    expect(lineOf(env, 'CHAT_SESSION_NAME')).toEqual(['DokuWiki (site)']);
    expect(lineOf(env, 'CHAT_USER_ID')).toEqual(['DW*.auth.user (site)']);
    expect(lineOf(env, 'CHAT_USER_NAME')).toEqual(['x (environment)']);
    expect(lineOf(env, 'CHAT_PORT')).toEqual(['7070 (default)']);
    expect(lineOf(env, 'CHAT_USER_ROOMS')).toEqual([' (default)']);
    const names = listSettings(env).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(35);
  });

  test.each([
    ['CHAT_SESSION_STORE', 'redis://user:geheim@host:1/3?prefix=x', 'redis://user:…@host:1/3?prefix=x'],
    ['CHAT_SESSION_STORE', 'redis://:gehe%40im@host', 'redis://…@host'],
    ['CHAT_SESSION_STORE', 'redis://geheim@host', 'redis://…@host'],
    ['CHAT_SESSION_STORE', 'mysql://a:ge:heim@/db?socket=/s&table=t', 'mysql://a:…@/db?socket=/s&table=t'],
    ['CHAT_WEBHOOK_URL', 'https://host/events?token=geheim', 'https://host/events?…'],
    ['CHAT_WEBHOOK_URL', 'HTTPS://host/events?token=geheim', 'HTTPS://host/events?…'],
    ['CHAT_WEBHOOK_URL', 'https://host/events#token=geheim', 'https://host/events#…'],
    ['CHAT_WEBHOOK_URL', 'https://chat:ge@heim@host/events', 'https://…@host/events'],
    ['CHAT_LOGIN_URL', 'https://chat:geheim@host/', 'https://…@host/'],
    ['CHAT_USER_URL', 'https://chat:geheim@host/{id}', 'https://…@host/{id}'],
    ['CHAT_API_KEY', 'geheim-geheim-geheim', '(not shown)'],
  ])('shows %s=%s as %s', (name, value, text) => {
    expect(lineOf({ [name]: value }, name)).toEqual([`${text} (environment)`]);
  });
});

test.each([
  ['memcached://h?handler=memcached', 'php'],
  ['memcached://h?handler=memcached&format=igbinary&prefix=x.', 'igbinary'],
  ['memcached://h:1?prefix=a/', 'memcached'],
  ['file:///var/lib/php/sessions', 'php'],
  ['memcached://h?handler=memcache&persistent=1&weight=1&timeout=1&retry_interval=15', 'php'],
  ['redis://h?prefix=siam_&lifetime=1440&lock=5&lease=30', 'php'],
])('reads the store %s with the format %s', (url, format) => {
  expect(sessionsOf({ CHAT_SESSION_STORE: url }).source.format).toBe(format);
});

test.each([
  ['memcached://h?format=yaml', /format=yaml/],
  ['memcached://h?format=json&depth=1', /depth= is not an option of memcached:/],
  ['memcached://h?format=json&timeout=2s', /timeout=/],
  ['memcached://?format=json', /host/],
  ['memcached://h:0', /HOST:PORT/],
  ['memcached://a,b:0?format=json', /HOST:PORT/],
  ['foo://h', /must be one of memcached:/],
])('rejects the store URL %s', (url, reason) => {
  expect(problemsOf({ CHAT_SESSION_STORE: url })).toMatch(reason);
});

function problemsOf(env: NodeJS.ProcessEnv): string {
  try {
    configOf(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  throw new Error('accepted');
}
