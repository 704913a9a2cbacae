import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseEnv } from '../../packages/php-session/src/configuration/env.ts';
import { parseIni } from '../../packages/php-session/src/configuration/ini.ts';
import { readPhp } from '../../packages/php-session/src/configuration/php.ts';
import {
  bounds,
  ConfigurationError,
  type ConfigurationValue,
  type PhpConfiguration,
} from '../../packages/php-session/src/configuration/value.ts';
import { dice } from '../helpers/dice.ts';
import { size } from './size.ts';

/** Per kind of file. Without soak, the cases are always the same. FUZZ_SEED repeats a run. */
const cases = size(10_000, 150);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_261_122));

const folder = mkdtempSync(join(tmpdir(), 'configuration-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** This file exists if code of a configuration was executed. A random name would change the cases of a seed. */
const mark = '/tmp/configuration-fuzz-was-run';
rmSync(mark, { force: true });
const run = `file_put_contents('${mark}', 'x'); system('touch ${mark}'); $run = \`touch ${mark}\`; eval("touch('${mark}');");`;

const php: Record<string, string> = {
  'wp-config.php': `<?php
define('DB_NAME', 'wp'); define( "DB_HOST", getenv('HOST') ?: 'localhost:/run/s.sock' );
$table_prefix = 'wp_'; ${run}
if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . "/{$table_prefix}x"); } else { $x = ['a' => [1, 2, 'b' => null]]; }
require_once ABSPATH . 'wp-settings.php';
`,
  'database.php': `<?php
${run}
return ['default' => env('DB', 'mysql'), 'connections' => ['mysql' => ['host' => "h\\x41{$x}", 'port' => 0x1F + 1] + $more,
  'f' => fn() => touch('${mark}'), ...['a' => array_merge(['b'], [true, -1.5e3])]], 'k' => match (true) { default => 1 }];
`,
  'configuration.php': `<?php
class JConfig extends Base { const K = 'k' . self::J; public $host = 'localhost', $list = array('a' => array(1));
  public static $s = <<<'END'
text
END; function __destruct() { ${run} } }
$o = new JConfig(); $o->host .= 'x'; switch ($o->host) { case 'a': $y = 1; break; default: $y = [2]; }
`,
};

const pieces = [
  ...'[ ] { } ( ) \' " ` \\ ${ ?> /* # = ; , define('.split(' '),
  '<<<X\n',
  '<?php ',
  '\0',
  '\xff',
  '\r\n',
];
pieces.push('$x = [$x, $x]; ', '$x .= $x; ', 'include __FILE__; ', run);

/** Damages a file like a full disk, a killed editor or an attacker might. */
function damaged(whole: string, others: readonly string[], roll: (below: number) => number): Buffer {
  let bytes = Buffer.from(whole, 'latin1');
  for (let n = 0; n <= roll(4); n++) {
    const at = roll(bytes.length + 1);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
    const piece = Buffer.from(pieces[roll(pieces.length)] as string, 'latin1');
    const other = Buffer.from(others[roll(others.length)] as string, 'latin1');
    const again = bytes.subarray(roll(at + 1), at);
    const changes = [
      () => [head],
      () => [head, Buffer.of(roll(256)), tail.subarray(1)],
      () => [head, tail.subarray(1 + roll(20))],
      () => [head, piece, tail],
      () => [head, ...Array<Buffer>(1 + roll(500)).fill(piece), tail],
      () => [head, other.subarray(roll(other.length + 1))],
      () => [head, ...Array<Buffer>(1 + roll(30)).fill(again), tail],
    ];
    bytes = Buffer.concat((changes[roll(changes.length)] as () => Buffer[])()).subarray(0, 2 * bounds.bytes);
  }
  return bytes;
}

/** Counts the entries of all arrays and finds the longest text. A shared array counts once. */
function extent({ constants, variables, members, returned = null }: PhpConfiguration) {
  const waiting: ConfigurationValue[] = [constants, variables, members, returned];
  const seen = new Set<unknown>();
  let [parts, longest] = [0, 0];
  for (const value of waiting) {
    if (typeof value === 'string') longest = Math.max(longest, value.length);
    if (!(value instanceof Map) || seen.has(value)) continue;
    seen.add(value);
    parts += value.size;
    waiting.push(...value.values());
  }
  return { parts, longest };
}

const file = join(folder, 'damaged.php');
function readDamaged(text: Buffer): void {
  writeFileSync(file, text);
  const { parts, longest } = extent(readPhp(file, { environment: { HOST: 'db' } }));
  expect(parts).toBeLessThan(bounds.steps);
  expect(longest).toBeLessThanOrEqual(bounds.text);
}
const isBounded = (values: unknown) =>
  expect(JSON.stringify(values).length).toBeLessThanOrEqual(8 * bounds.text);
const env = `A=1\nexport B="two \${A} \\n \\"x\\""\nC='$A' # no\nD=\${B}\${B}\nE="several\nlines"\nRUN=$(touch ${mark})\n`;
const ini = `[PHP]\na = 1 ; no\nb = "x\${a}"\nc = 'y' "z"\nlist[k] = E_ALL & ~E_NOTICE | 4\nd = \${HOME} \`touch ${mark}\`\n[HOST=x]\ne = on\n`;

test.each<[string, string, (bytes: Buffer, n: number) => void]>([
  ...Object.entries(php).map(([name, whole]): [string, string, typeof readDamaged] => [
    name,
    whole,
    readDamaged,
  ]),
  [
    '.env',
    env,
    (bytes, n) =>
      isBounded(parseEnv(bytes.toString(), '.env', (['plain', 'phpdotenv', 'symfony'] as const)[n % 3])),
  ],
  [
    'php.ini',
    ini,
    (bytes) => isBounded([...parseIni(bytes.toString(), 'php.ini', { environment: { HOME: '/' } })]),
  ],
])(
  'reads damaged files like %s within the bounds or rejects them, without running them',
  (_, whole, read) => {
    const roll = dice(seed);
    const others = [whole, ...Object.values(php)];
    const outcomes = { read: 0, refused: 0 };
    for (let n = 0; n < cases; n++) {
      try {
        read(damaged(whole, others, roll), n);
        outcomes.read++;
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigurationError);
        outcomes.refused++;
      }
      if (existsSync(mark)) throw new Error(`seed ${seed}, case ${n}: a part of the file has run`);
    }
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(0);
  },
);
