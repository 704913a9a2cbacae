import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { size } from '../../../test/guarantees/size.ts';
import { ownPort, startChild } from '../../../test/helpers/child.ts';
import { dice } from '../../../test/helpers/dice.ts';
import { fastCgi } from '../../../test/helpers/fast-cgi.ts';
import { writeFiles } from '../../../test/helpers/site-database.ts';
import { readSessionCalls } from '../src/configuration/configuration.ts';
import { type IniStatement, parseIni } from '../src/configuration/ini.ts';
import { phpSettingNames, readPhpSettings } from '../src/configuration/php-settings.ts';
import { openSystem } from '../src/configuration/system.ts';
import { ConfigurationError } from '../src/configuration/value.ts';

const folder = mkdtempSync(join(tmpdir(), 'php-settings-'));
// Apache gives up the rights of root.
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

type Dice = ReturnType<typeof dice>;

const pick = <T>(random: Dice, from: readonly T[]): T => from[random(from.length)] as T;

/** Returns random statements and pieces of statements. */
function iniText(random: Dice): string {
  const starts = ['k = ', 'a=', 'b[] = ', 'b[x]=', '[S]\n', 'name\t=\t"', "c = '", 'd = ${', ' e f = '];
  const values = 'files,on,Yes,none,null,0,12,-3,1e,.5,1.2.3,/var/lib,a b,é'.split(',');
  const signs = [
    ...' \t="\'[]{}$\\|&^~!();:%@#?-,<>\n',
    '${',
    '\\"',
    '\\$',
    `$${'{a}'}`,
    '\r\n',
    '; c\n',
    '"\n',
  ];
  const piece = () => pick(random, [starts, values, signs, ['\n']][random(4)] as string[]);
  // PHP searches for the end of a '…' even beyond the end of the text, in whatever memory follows.
  return `${Array.from({ length: 1 + random(14) }, piece).join('')}\n;'\n`;
}

/** Converts statements to the arrays that `parse_ini_string()` returns with sections. */
function asArrays(statements: readonly IniStatement[]): unknown {
  const root: Record<string, unknown> = {};
  let section = root;
  for (const statement of statements) {
    if (statement.kind === 'error') continue;
    const { name } = statement;
    if (statement.kind === 'section') {
      section = {};
      root[name] = section;
    } else if (statement.kind === 'entry') {
      section[name] = statement.value;
    } else {
      if (typeof section[name] !== 'object') section[name] = {};
      const list = section[name] as Record<string, unknown>;
      const numbers = Object.keys(list).filter((key) => /^\d+$/.test(key));
      list[statement.key || Math.max(-1, ...numbers.map(Number)) + 1] = statement.value;
    }
  }
  return root;
}

const random = size(3000, 300);
test(`reads ${random} random texts like PHP, or rejects them if PHP does`, () => {
  const dies = dice(20_261_122);
  // Older versions of PHP ignore a line with only a closing bracket. Newer ones reject it.
  const texts = Array.from({ length: random }, () => iniText(dies).replace(/^[^[\n]*\]/gm, ''));
  const code = `function plain($v) { return is_array($v) ? (object) array_map('plain', $v) : $v; }
    foreach (json_decode(stream_get_contents(STDIN)) as $text) $all[] = plain(@parse_ini_string($text, true));
    echo json_encode($all, JSON_INVALID_UTF8_SUBSTITUTE);`;
  const php = JSON.parse(
    execFileSync('php', ['-n', '-r', code], { input: JSON.stringify(texts), maxBuffer: 2 ** 26 }).toString(),
  ) as unknown[];
  let read = 0;
  for (const [n, text] of texts.entries()) {
    const statements = [...parseIni(text, 'php.ini', { environment: {} })];
    const wrong = statements.at(-1)?.kind === 'error';
    expect(wrong ? false : asArrays(statements), JSON.stringify(text)).toEqual(php[n]);
    if (!wrong) read++;
  }
  expect(read).toBeGreaterThan(random / 6);
});

test('rejects deep, long and doubling values of php.ini', () => {
  for (const text of [`a = ${'('.repeat(5000)}1`, 'x'.repeat(2 ** 20 + 1)])
    expect(() => [...parseIni(text, 'php.ini')]).toThrow(ConfigurationError);
  const values = new Map([['a', 'x'.repeat(1000)]]);
  // `${a}${a}`, which doubles.
  const twice = ['', '{a}', '{a}'].join('$');
  const doubling = () => {
    for (const statement of parseIni(`a = ${twice}\n`.repeat(50), 'php.ini', {
      directive: (name) => values.get(name),
    }))
      if (statement.kind === 'entry') values.set('a', String(statement.value));
  };
  expect(doubling).toThrow(ConfigurationError);
});

const sessionNames = phpSettingNames.filter((name) => /^session\.|^sys_/.test(name));

test('finds the same settings as PHP with the same php.ini and further files', async () => {
  const random = dice(1);
  const values = ['', '0', '12', 'a', '"q u"', "'s'", 'on', 'off', 'none', '-1', '1e3', '/tmp/x', 'A.B'];
  const value = () => pick(random, [...values, ['$', '{session.name}x'].join('')]);
  const file = () =>
    Array.from({ length: 12 }, () =>
      random(12) === 0
        ? pick(random, ['[PATH=/x]', '[Session]', '[HOST=h]', 'broken = "', '= x', 'session.name'])
        : `${pick(
            random,
            sessionNames.filter((name) => name !== 'session.save_handler'),
          )} = ${value()}`,
    ).join('\n');
  for (let n = 0; n < size(12, 5); n++) {
    const root = join(folder, `ini-${n}`);
    const files = {
      'php.ini': file(),
      'conf.d/10-a.ini': file(),
      'conf.d/9-b.ini': file(),
      'conf.d/c.txt': file(),
    };
    writeFiles(join(root, 'etc/php/8.2/cli'), files);
    const ini = join(root, 'etc/php/8.2/cli');
    const code =
      'foreach (array_slice($argv, 1) as $name) $all[$name] = ini_get($name); echo json_encode($all);';
    const php = execFileSync(
      'php',
      ['-c', join(ini, 'php.ini'), '-d', 'display_startup_errors=0', '-r', code, '--', ...sessionNames],
      {
        env: { ...process.env, PHP_INI_SCAN_DIR: join(ini, 'conf.d') },
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const settings = await readPhpSettings('/srv/site', { system: openSystem(root), environment: {} });
    const ours = Object.fromEntries(sessionNames.map((name) => [name, settings.get(name).value]));
    expect(ours, ini).toEqual(JSON.parse(php.toString()));
  }
});

/** The names of the settings that a random statement may set. */
const changed = ['name', 'save_path', 'gc_maxlifetime', 'cookie_path', 'cookie_domain'].map(
  (name) => `session.${name}`,
);
const someValue = (random: Dice) => pick(random, ['a', '12', '0', '/tmp/x', 'b c', 'on', '']);
const some = (random: Dice, most: number, line: (name: string, value: string) => string) =>
  Array.from({ length: random(most + 1) }, () => line(pick(random, changed), someValue(random))).join('\n');
/** A name of the session that PHP refuses is a fatal error in the files of a site. */
const allowed = (line: (name: string, value: string) => string) => (name: string, value: string) =>
  line(name, name === 'session.name' && /^\d*$/.test(value) ? 'id' : value);

/** Values that PHP refuses are not printed on the page. */
const quiet = 'display_errors = 0\ndisplay_startup_errors = 0\n';

/** A page that prints the settings. */
const page = `<?php foreach ([${changed.map((name) => `'${name}'`)}] as $name) $all[$name] = ini_get($name); echo json_encode($all);`;

const valuesIn = async (site: string, root: string): Promise<unknown> => {
  const settings = await readPhpSettings(site, { system: openSystem(root), environment: {} });
  return Object.fromEntries(changed.map((name) => [name, settings.get(name).value]));
};

test('finds the value that PHP-FPM uses for each setting, whichever file sets it', async () => {
  const random = dice(64);
  const program = readdirSync('/usr/sbin').find((name) => name.startsWith('php-fpm')) ?? 'php-fpm';
  for (let n = 0; n < size(8, 3); n++) {
    const root = join(folder, `fpm-${n}`);
    const site = join(root, 'srv/site');
    const ini = (name: string, value: string) => `${name} = "${value}"`;
    const pool = (kind: string) => (name: string, value: string) => `php_${kind}[${name}] = "${value}"`;
    const param = (kind: string) => {
      const text = some(
        random,
        2,
        allowed((name, value) => `${name}=${value.replace(' ', '')}`),
      );
      return { text, line: `fastcgi_param ${kind} "${text}";` };
    };
    const [values, admin] = [param('PHP_VALUE'), param('PHP_ADMIN_VALUE')];
    const etc = join(root, 'etc/php/8.2/fpm');
    const socket = join(root, 'sock');
    writeFiles(root, {
      'etc/php/8.2/fpm/php.ini': `${quiet}${some(random, 4, ini)}\n[PATH=${join(root, 'srv')}]\n${some(random, 1, allowed(ini))}\n[PATH=${site}/sub/]\n${some(random, 1, allowed(ini))}\n`,
      'etc/php/8.2/fpm/php-fpm.conf': `[global]\nerror_log = ${join(root, 'log')}\ninclude = ${etc}/pool.d/*.conf\n`,
      'etc/php/8.2/fpm/pool.d/a.conf': `[a]\nuser = root\nlisten = ${root}/$pool\npm = static\npm.max_children = 1\nphp_value[session.name] = other\n`,
      'etc/php/8.2/fpm/pool.d/sock.conf': `[sock]\nuser = root\nlisten = ${root}/$pool\npm = static\npm.max_children = 1\n${some(random, 4, pool('value'))}\n${some(random, 1, pool('admin_value'))}\n`,
      'etc/nginx/nginx.conf': `events { } http { include ${root}/etc/nginx/sites/*; }`,
      'etc/nginx/sites/one': `server { # a comment; with { signs\n root ${site}; location ~ \\.php$ { ${values.line} ${admin.line} fastcgi_pass unix:${socket}; } }`,
      'srv/.user.ini': 'session.name = outside',
      'srv/site/.user.ini': some(random, 2, allowed(ini)),
      'srv/site/sub/.user.ini': some(random, 1, allowed(ini)),
      'srv/site/index.php': page,
      'srv/site/sub/index.php': page,
    });
    const fpm = startChild(
      join('/usr/sbin', program),
      ['-R', '-F', '-c', join(etc, 'php.ini'), '-y', join(etc, 'php-fpm.conf')],
      {
        env: { ...process.env, PHP_INI_SCAN_DIR: join(etc, 'conf.d') },
      },
    );
    try {
      const variables = {
        DOCUMENT_ROOT: site,
        SERVER_NAME: 'example.org',
        ...(values.text && { PHP_VALUE: values.text }),
        ...(admin.text && { PHP_ADMIN_VALUE: admin.text }),
      };
      // It listens a moment after it creates the socket.
      const page = join(site, 'index.php');
      await vi.waitFor(() => fastCgi(socket, page, variables), { timeout: 10_000, interval: 20 });
      for (const at of [site, join(site, 'sub')]) {
        const php = JSON.parse(await fastCgi(socket, join(at, 'index.php'), variables));
        expect(await valuesIn(at, root), `${root} ${at}`).toEqual(php);
      }
    } finally {
      await fpm.stop('SIGKILL');
    }
  }
});

test('finds the value that PHP uses in Apache for each setting, whichever file sets it', async () => {
  const random = dice(6);
  const modules = '/usr/lib/apache2/modules';
  const php = readdirSync(modules).find((name) => name.startsWith('libphp')) ?? 'libphp.so';
  const version = /\d+\.\d+/.exec(php)?.[0] ?? '';
  for (let n = 0; n < size(6, 3); n++) {
    const root = join(folder, `apache-${n}`);
    const site = join(root, 'srv/site');
    const port = await ownPort();
    const line = (name: string, value: string) =>
      `php_${pick(random, ['value', 'value', 'admin_value'])} ${name} "${value || 'none'}"`;
    const own = (name: string, value: string) => `php_value ${name} "${value || 'none'}"`;
    const override = `AllowOverride ${pick(random, ['All', 'None', 'Options', 'FileInfo'])}`;
    const conf = join(root, 'etc/apache2/apache2.conf');
    const mods = ['mpm_prefork', 'authz_core', 'dir', 'mime'].map(
      (name) => `LoadModule ${name}_module ${modules}/mod_${name}.so\n`,
    );
    writeFiles(root, {
      [`etc/php/${version}/apache2/php.ini`]:
        quiet + some(random, 3, (name, value) => `${name} = "${value}"`),
      'etc/apache2/envvars': `export APACHE_RUN_DIR=${root}\n`,
      'etc/apache2/apache2.conf': `ServerRoot ${root}\nServerName localhost\nListen 127.0.0.1:${port}\n${mods.join('')}LoadModule php_module \\\n ${modules}/${php}\nUser nobody\nGroup nogroup\nTypesConfig /dev/null\nKeepAlive Off\nPidFile $\{APACHE_RUN_DIR}/pid\nErrorLog ${root}/log\nPHPIniDir ${root}/etc/php/${version}/apache2\n<IfModule mod_php.c>\nAddHandler application/x-httpd-php .php\n</IfModule>\n<IfModule mod_none.c>\nphp_value session.name no\n</IfModule>\n${some(random, 2, allowed(line))}\n<Directory />\nAllowOverride None\nRequire all granted\n</Directory>\nInclude sites/*.conf\n`,
      'sites/one.conf': `<Directory "${root}/srv">\n${override}\n${some(random, 1, allowed(line))}\n</Directory>\n<VirtualHost *:${port}>\nDocumentRoot ${site}\n${some(random, 1, allowed(line))}\n<Directory ${site}/sub/>\n${some(random, 1, allowed(line))}\n</Directory>\n</VirtualHost>\n`,
      // Apache answers with an error if .htaccess is not allowed to set values.
      'srv/site/.htaccess': /FileInfo/.test(override) ? '' : some(random, 2, allowed(own)),
      'srv/site/sub/.htaccess': /FileInfo/.test(override) ? '' : some(random, 1, allowed(own)),
      'srv/site/.user.ini': 'session.name = never',
      'srv/site/index.php': page,
      'srv/site/sub/index.php': page,
    });
    const apache = startChild('/usr/sbin/apache2', ['-X', '-f', conf], {
      env: { ...process.env, PHP_INI_SCAN_DIR: join(root, 'none'), APACHE_RUN_DIR: root },
    });
    try {
      const url = `http://127.0.0.1:${port}`;
      await vi.waitFor(() => fetch(url), { timeout: 10_000, interval: 20 });
      for (const at of ['', '/sub']) {
        const answer = await (await fetch(`${url}${at}/index.php`)).text();
        expect(await valuesIn(site + at, root), `${root} ${at} ${answer}`).toEqual(JSON.parse(answer));
      }
    } finally {
      await apache.stop('SIGKILL');
    }
  }
});

const fpmConf = '[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n';

test('finds the pool that runs a folder in the configuration of the web server', async () => {
  const root = join(folder, 'pools');
  const pools = ['a', 'b', 'c'].map((name, n) => {
    const listen = n === 2 ? '9002' : `/run/php/${name}.sock`;
    return `[${name}]\nuser = www-${name}\nlisten = ${listen}\nphp_value[session.name] = ${name}\n`;
  });
  const nginx = `upstream tcp { server 127.0.0.1:9002; }
    server { root ${root}/a/public; location ~ \\.php$ { fastcgi_pass unix:/var/run/php/a.sock; } }
    server { root ${root}/none; location /c/ { alias ${root}/c/; location ~ \\.php { fastcgi_pass tcp; } } }
    server { root ${root}/far; location / { fastcgi_pass 192.0.2.1:9000; } }
    server { root ${root}/$host; location / { fastcgi_pass 192.0.2.1:9000; } }`;
  writeFiles(root, {
    'etc/php/8.2/fpm/php-fpm.conf': fpmConf,
    'etc/php/8.2/fpm/pool.d/all.conf': pools.join(''),
    'etc/nginx/nginx.conf': `http { ${nginx} }`,
    'etc/apache2/apache2.conf': `DocumentRoot ${root}/b\n<FilesMatch "\\.php$">\nSetHandler "proxy:unix:/run/php/b.sock|fcgi://localhost"\n</FilesMatch>\n`,
  });
  const settings = (site: string) => readPhpSettings(join(root, site), { system: openSystem(root) });
  for (const [site, name] of [
    ['a', 'a'],
    ['a/public', 'a'],
    ['b/forum', 'b'],
    ['c', 'c'],
  ] as const) {
    const { title, user, get } = await settings(site);
    expect([title, user, get('session.name').value]).toEqual([
      `PHP-FPM 8.2, pool ${name}`,
      `www-${name}`,
      name,
    ]);
  }
  await expect(settings('far')).rejects.toThrow(
    /passes PHP of .*far to 192\.0\.2\.1:9000, which is not a pool/,
  );
  const { title, get } = await settings('other');
  expect(title).toBe('PHP-FPM 8.2, pool a or PHP-FPM 8.2, pool b or PHP-FPM 8.2, pool c');
  expect(() => get('session.name')).toThrow(/^session\.name is "a" in .* and "b" in .*: set cookieName$/);
  expect(get('session.save_path').value).toBe('/var/lib/php/sessions');
});

test('ignores includes and definitions in .htaccess, which users other than the administrator may write', async () => {
  const root = join(folder, 'htaccess');
  writeFiles(root, {
    'etc/php/8.2/apache2/php.ini': 'session.name = ini\n',
    'etc/apache2/apache2.conf': `ServerRoot ${root}/etc\nDefine HERE server\nLoadModule php_module /usr/lib/libphp8.2.so\nDocumentRoot ${root}/site\n<Directory ${root}/site>\nAllowOverride All\n</Directory>\n`,
    'etc/other.conf': 'php_value session.name other\n',
    'site/.htaccess': `php_value session.name in_$\{HERE}\nDefine HERE own\nphp_value session.save_path /$\{HERE}\nInclude other.conf\n<IfModule core>\nIncludeOptional ${root}/etc/*.conf\n</IfModule>\n`,
  });
  const { get, files } = await readPhpSettings(join(root, 'site'), { system: openSystem(root) });
  expect([get('session.name').value, get('session.save_path').value]).toEqual(['in_server', '/server']);
  expect(files).not.toContain('/etc/other.conf');
});

test('limits the number of included files and the depth of folders', async () => {
  const root = join(folder, 'many');
  const deep = 'a/b/c/d/e/f/g';
  writeFiles(root, {
    'etc/apache2/apache2.conf': `ServerRoot ${root}/etc\n${'Include one.conf\n'.repeat(2000)}`,
    'etc/one.conf': '',
    [`site/${deep}/in.php`]: "<?php session_name('IN');",
    [`site/${deep}/h/out.php`]: "<?php session_name('OUT');",
  });
  await expect(readPhpSettings(join(root, 'site'), { system: openSystem(root) })).rejects.toThrow(
    /etc\/one\.conf: the configuration has more than 2000 files$/,
  );
  const calls = await readSessionCalls(join(root, 'site'));
  expect(calls.map(({ value }) => value)).toEqual(['IN']);
});
