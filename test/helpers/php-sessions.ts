import { execFileSync } from 'node:child_process';
import type { FormatName } from '../../server/session/formats/formats.ts';

/** A session that real PHP has written. */
export interface Written {
  name: string;
  bytes: Buffer;
  /** What is in it, by types. */
  holds: unknown;
}

const script = new URL('../fixtures/sessions.php', import.meta.url).pathname;

/** Sessions of many kinds as this machine's PHP writes them now. */
export function phpSessions(format: Exclude<FormatName, 'json'>): Written[] {
  const lines = execFileSync('php', [script, format], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; bytes: string; holds: unknown })
    .map((one) => ({ ...one, bytes: Buffer.from(one.bytes, 'base64') }));
}
