/**
 * The number of typical sessions that one core decodes per second, compared with other packages.
 * Run: npm run bench session-formats
 */
import { execFileSync } from 'node:child_process';
import phpSerialize from 'php-serialize';
import { type FormatName, formats } from 'php-sessions';

/** A session of about 500 bytes, as in a shop or forum: a user, a token, flash messages, a small cart. */
const typical = `["user_id" => 4711, "firstname" => "Zoë", "csrf" => str_repeat("a1b2c3d4", 8), "started" => 1795160000,
  "locale" => "fr_FR", "flash" => [], "cart" => [["id" => 17, "n" => 2, "price" => 9.95], ["id" => 8, "n" => 1, "price" => 120.0]],
  "recent" => [101, 102, 103, 104], "admin" => false, "last" => null, "agent" => "Mozilla/5.0 (X11; Linux x86_64)"]`;

function written(format: FormatName): Buffer {
  const encode = format === 'json' ? 'json_encode($_SESSION)' : 'session_encode()';
  const handler = format === 'json' ? 'php' : format;
  const code = `ini_set("session.serialize_handler", "${handler}"); session_start(); $_SESSION = ${typical}; echo ${encode};`;
  return execFileSync('php', ['-d', 'session.use_cookies=0', '-r', code]);
}

function perSecond(decode: () => unknown): number {
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    let count = 0;
    while (performance.now() - began < 300) for (let n = 0; n < 500; n++, count++) decode();
    best = Math.max(best, count / ((performance.now() - began) / 1000));
  }
  return Math.round(best);
}

const php = written('php_serialize').toString();
const json = written('json').toString();
const rows: [string, number, () => unknown][] = [
  ...(Object.keys(formats) as FormatName[]).map((format): (typeof rows)[number] => {
    const bytes = written(format);
    return [format, bytes.length, () => formats[format](bytes)];
  }),
  ['php-serialize', php.length, () => phpSerialize.unserialize(php)],
  // JSON.parse does not distinguish floats from integers, and rounds large numbers.
  ['JSON.parse', json.length, () => JSON.parse(json)],
];
const results = rows.map(([name, length, decode]) => ({ name, length, rate: perSecond(decode) }));
const common = results.find(({ name }) => name === 'php-serialize')?.rate ?? Number.NaN;
console.log('format          bytes   a second  vs. php-serialize');
for (const { name, length, rate } of results) {
  const ratio = (rate / common).toPrecision(2);
  console.log(`${name.padEnd(14)} ${String(length).padStart(6)} ${String(rate).padStart(10)}  ${ratio}`);
}
