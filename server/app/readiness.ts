import { serveReport } from '../health/local-socket.ts';
import type { Part } from '../http/metrics.ts';
import type { Log } from '../log.ts';
import type { Config } from '../settings/config.ts';
import type { Telemetry } from './telemetry.ts';

/** Parts whose failure nothing else logs while no client connects. */
const logged: ReadonlySet<Part> = new Set(['session store', 'history', 'disk space']);

/**
 * Logs when the session store or the history fails, and when both work again. The bus and the site configuration have
 * their own log lines.
 * @param missing returns the parts that this server lacks to be ready
 * @returns a function that calls `missing` and logs
 */
export function logFailures(missing: () => Promise<Part[]>, log: Log): () => Promise<Part[]> {
  let reported = false;
  return async () => {
    const parts = await missing();
    // During the shutdown the history is closed, which is not a failure.
    if (parts.includes('draining')) return parts;
    const failed = parts.filter((part) => logged.has(part));
    if (failed.length > 0 && !reported)
      log.error({ missing: failed }, 'session store or history not responding, server is not ready');
    if (failed.length === 0 && reported) log.info('session store and history responding again');
    reported = failed.length > 0;
    return parts;
  };
}

/** Serves the report for the doctor. The server also runs without it. */
export async function openReport(
  config: Config,
  { health, log }: Pick<Telemetry, 'health' | 'log'>,
): Promise<{ close(): Promise<void> }> {
  try {
    return { close: await serveReport(config, health, config.shown) };
  } catch (error) {
    const { message: reason } = error as Error;
    log.warn({ reason }, 'could not create the socket for the doctor');
    return { close: async () => {} };
  }
}
