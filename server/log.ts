import pino from 'pino';

export type Log = pino.Logger;

/**
 * JSON lines on standard output. What must never be in a log (session ids, cookies, keys, message texts) is
 * not given to it in the first place; the redaction is a second barrier, for objects that are logged as a whole.
 * @param node the server's name, for every line
 */
export function createLog(level: string, node?: string): Log {
  return pino({
    level,
    base: node === undefined ? null : { node },
    redact: {
      paths: [
        'cookie',
        'session',
        'sessionId',
        'text',
        'authorization',
        'headers',
        'req',
        'url',
        '*.cookie',
        '*.session',
        '*.sessionId',
        '*.text',
        '*.authorization',
        '*.headers',
        '*.url',
      ],
      remove: true,
    },
  });
}

const quietFor = 60_000;

/** Logs the same thing at most once a minute, with a count: a flood must not fill the disk. */
export class QuietLog {
  readonly #log: Log;
  readonly #seen = new Map<string, { since: number; suppressed: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param key what counts as the same thing; from a small set, never from a client's input */
  warn(key: string, fields: Record<string, unknown>, message: string): void {
    const now = performance.now();
    const seen = this.#seen.get(key);
    if (seen !== undefined && now - seen.since < quietFor) {
      seen.suppressed++;
      return;
    }
    const count = 1 + (seen?.suppressed ?? 0);
    this.#seen.set(key, { since: now, suppressed: 0 });
    this.#log.warn({ ...fields, count }, message);
  }
}
