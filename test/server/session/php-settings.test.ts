import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type IniStatement, parseIni } from '../../../server/session/configuration/ini.ts';
import { ConfigurationError } from '../../../server/session/configuration/php.ts';
import { openSystem } from '../../../server/session/configuration/system.ts';
import { phpSettingNames, readPhpSettings } from '../../../server/session/php-settings.ts';
import { dice } from '../../helpers/dice.ts';

const folder = mkdtempSync(join(tmpdir(), 'php-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Dice = ReturnType<typeof dice>;

const pick = <T>(random: Dice, from: readonly T[]): T => from[random(from.length)] as T;

/** Whole statements, and pieces of some. */
function iniText(random: Dice): string {
  const starts = ['k = ', 'a=', 'b[] = ', 'b[x]=', '[S]\n', 'name\t=\t"', "c = '", 'd = ${', ' e f = '];
  const values = [
    'files',
    'on',
    'Yes',
    'none',
    'null',
    '0',
    '12',
    '-3',
    '1e',
    '.5',
    '1.2.3',
    '/var/lib',
    'a b',
    'é',
  ];
  const signs = [...' \t="\'[]{}$\\|&^~!();:%@#?-,<>'].concat(
    '${',
    '\\"',
    '\\$',
    `$${'{a}'}`,
    '\n',
    '\r\n',
    '; c\n',
    '"\n',
  );
  const piece = () => pick(random, [starts, values, signs, ['\n']][random(4)] as string[]);
  // PHP looks for the end of a '…' behind the end of the text, too, whatever lies there in memory.
  return `${Array.from({ length: 1 + random(14) }, piece).join('')}\n;'\n`;
}

/** As `parse_ini_string()` with sections gives them. */
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

test('3000 texts at random have the values that PHP reads, or are refused by PHP too', () => {
  const random = dice(20_261_122);
  const texts = Array.from({ length: 3000 }, () => iniText(random));
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
  expect(read).toBeGreaterThan(500);
});

test('any bytes are statements or the error of the configuration, within the bounds', () => {
  const random = dice(5);
  for (let n = 0; n < 2000; n++) {
    const bytes = Buffer.from(iniText(random) + iniText(random));
    for (let m = 0; m <= random(4); m++) bytes[random(bytes.length)] = random(256);
    try {
      expect([...parseIni(bytes.toString('utf8'), 'php.ini')].length).toBeLessThan(100);
    } catch (error) {
      // A name that depends on the environment.
      expect(error).toBeInstanceOf(ConfigurationError);
    }
  }
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

function written(root: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

const sessionNames = phpSettingNames.filter((name) => /^session\.|^sys_/.test(name));

test('the settings are those of PHP with the same php.ini and the same further files', async () => {
  const random = dice(1);
  const value = () =>
    pick(random, [
      '',
      '0',
      '12',
      'a',
      '"q u"',
      "'s'",
      'on',
      'off',
      'none',
      '-1',
      '1e3',
      '/tmp/x',
      'A.B',
      ['$', '{session.name}x'].join(''),
    ]);
  const file = () =>
    Array.from({ length: 12 }, () =>
      random(12) === 0
        ? pick(random, ['[PATH=/x]', '[Session]', '[HOST=h]', 'broken = "', '= x', 'session.name'])
        : `${pick(
            random,
            sessionNames.filter((name) => name !== 'session.save_handler'),
          )} = ${value()}`,
    ).join('\n');
  for (let n = 0; n < 12; n++) {
    const root = join(folder, `ini-${n}`);
    const files = {
      'php.ini': file(),
      'conf.d/10-a.ini': file(),
      'conf.d/9-b.ini': file(),
      'conf.d/c.txt': file(),
    };
    written(join(root, 'etc/php/8.2/cli'), files);
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
