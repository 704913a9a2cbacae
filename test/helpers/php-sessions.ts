import { execFileSync } from 'node:child_process';
import type { FormatName } from '../../server/session/formats/formats.ts';

/** A session that real PHP has written. */
export interface Written {
  name: string;
  bytes: Buffer;
  /** Its content, by types. */
  holds: unknown;
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

const script = new URL('../fixtures/sessions.php', import.meta.url).pathname;

/** Sessions of many kinds, written by this machine's PHP. */
export function phpSessions(format: Exclude<FormatName, 'json'>): Written[] {
  const lines = execFileSync('php', [script, format], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; bytes: string; holds: unknown })
    .map((one) => ({ ...one, bytes: Buffer.from(one.bytes, 'base64') }));
}
