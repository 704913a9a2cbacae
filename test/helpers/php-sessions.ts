import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FormatName } from '../../packages/php-session/src/formats/formats.ts';

/** A session that real PHP wrote. */
export interface Written {
  name: string;
  bytes: Buffer;
}

/** The formats of session.serialize_handler. */
export const phpFormats = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'] as const;
export type PhpFormat = (typeof phpFormats)[number];

const readings = `
  error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE);
  [$expression, $formats] = json_decode($argv[1]);
  ob_start();
  session_start();
  eval(stream_get_contents(STDIN));
  $made = $_SESSION;
  session_abort();
  foreach ($formats as $format) {
    ini_set('session.serialize_handler', $format);
    session_start();
    $_SESSION = $made;
    $bytes = session_encode();
    $_SESSION = [];
    session_decode($bytes);
    $all[] = [$format, base64_encode($bytes), eval("return $expression;")];
    session_abort();
  }
  ob_end_clean();
  echo json_encode($all);`;

/**
 * Creates a session with PHP code in each of the formats. Returns the value of an expression after PHP has read it
 * back.
 */
export function phpReads(
  code: string,
  expression: string,
  formats: readonly PhpFormat[] = phpFormats,
): { format: PhpFormat; bytes: Buffer; read: unknown }[] {
  // PHP with these extensions only, because loading all of them takes most of the time.
  const options = [
    '-n',
    '-d',
    'extension=igbinary',
    '-d',
    'extension=msgpack',
    '-d',
    'session.use_cookies=0',
  ];
  const args = [
    ...options,
    '-d',
    'session.cache_limiter=',
    '-r',
    readings,
    '--',
    JSON.stringify([expression, formats]),
  ];
  const output = execFileSync('php', args, { encoding: 'utf8', input: code, maxBuffer: 2 ** 26 });
  return (JSON.parse(output) as [PhpFormat, string, unknown][]).map(([format, bytes, read]) => ({
    format,
    bytes: Buffer.from(bytes, 'base64'),
    read,
  }));
}

/** Defines `sessions($format)`. */
export const sessionsScript = fileURLToPath(new URL('../fixtures/sessions.php', import.meta.url));

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

/** Returns sessions of many kinds, written by this machine's PHP. */
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
