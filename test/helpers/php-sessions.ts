import { execFileSync } from 'node:child_process';
import type { FormatName } from '../../server/session/formats/formats.ts';

/** A session that real PHP has written. */
export interface Written {
  name: string;
  bytes: Buffer;
}

const readings = `
  error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE);
  eval(stream_get_contents(STDIN));
  $bytes = session_encode();
  $_SESSION = [];
  session_decode($bytes);
  echo json_encode([base64_encode($bytes), eval("return $argv[1];")]);
  session_abort();`;

/** PHP with the extension of a format only: PHP needs most of such a run to load all of them. */
const phpFor = (format: Exclude<FormatName, 'json'>): string[] => [
  '-n',
  ...(format === 'igbinary' || format === 'msgpack' ? ['-d', `extension=${format}`] : []),
];

/** A session that PHP code makes, and the value of an expression after PHP has read that session. */
export function phpReads(
  format: Exclude<FormatName, 'json'>,
  code: string,
  expression: string,
): { bytes: Buffer; read: unknown } {
  const settings = { 'session.serialize_handler': format, 'session.use_cookies': '0' };
  const args = [
    ...phpFor(format),
    ...Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]),
  ];
  const output = execFileSync('php', [...args, '-r', `session_start(); ${readings}`, '--', expression], {
    encoding: 'utf8',
    input: code,
  });
  const [bytes, read] = JSON.parse(output) as [string, unknown];
  return { bytes: Buffer.from(bytes, 'base64'), read };
}

/** Defines `sessions($format)`. */
export const sessionsScript = new URL('../fixtures/sessions.php', import.meta.url).pathname;

const writing = `
  error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE);
  require $argv[1];
  $format = $argv[2];
  ini_set('session.serialize_handler', $format === 'json' ? 'php' : $format);
  ini_set('session.use_cookies', '0');
  ob_start();
  session_start();
  foreach (sessions($format) as $name => $_SESSION) {
    $bytes = $format === 'json' ? json_encode((object) $_SESSION) : session_encode();
    echo json_encode([$name, base64_encode((string) $bytes)]), "\n";
  }
  session_abort();`;

/** Sessions of many kinds, written by this machine's PHP. */
export function phpSessions(format: FormatName): Written[] {
  const lines = execFileSync('php', ['-r', writing, '--', sessionsScript, format], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, string])
    .map(([name, bytes]) => ({ name, bytes: Buffer.from(bytes, 'base64') }));
}
