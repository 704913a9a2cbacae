import pino from 'pino';

export type Log = pino.Logger;

/**
 * Creates a log of JSON lines on standard output. Callers never log session IDs, cookies, keys or message texts. The
 * redaction is a second barrier for objects that are logged whole.
 * @param node the name of the server, added to every line
 * @param to replaces standard output
 */
export function createLog(level: string, node?: string, to?: pino.DestinationStream): Log {
  const options: pino.LoggerOptions = {
    level,
    base: node === undefined ? null : { node },
    // Readable, because the recipe in docs/operate/log.md omits the times of the journal.
    timestamp: pino.stdTimeFunctions.isoTime,
    // pino would append the causes to the message, which already names them if that helps. The stack has all causes.
    serializers: {
      err: (error: unknown) =>
        error instanceof Error ? { ...pino.stdSerializers.err(error), message: error.message } : error,
    },
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
  };
  return to === undefined ? pino(options) : pino(options, to);
}

const quietFor = 60_000;

/** Logs the same event at most once a minute, with a count, so that a flood does not fill the disk. */
export class QuietLog {
  readonly #log: Log;
  readonly #seen = new Map<string, { since: number; suppressed: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Logs a warning, unless the same event was logged within the last minute.
   * @param key identifies the event; from a small set, never from a client's input
   */
  warn(key: string, fields: Record<string, unknown>, message: string): void {
    this.#write('warn', key, fields, message);
  }

  /** Like `warn`, for an event that is not a problem. */
  info(key: string, fields: Record<string, unknown>, message: string): void {
    this.#write('info', key, fields, message);
  }

  #write(level: 'warn' | 'info', key: string, fields: Record<string, unknown>, message: string): void {
    const now = performance.now();
    const seen = this.#seen.get(key);
    if (seen !== undefined && now - seen.since < quietFor) {
      seen.suppressed++;
      return;
    }
    const count = 1 + (seen?.suppressed ?? 0);
    this.#seen.set(key, { since: now, suppressed: 0 });
    this.#log[level]({ ...fields, count }, message);
  }
}
