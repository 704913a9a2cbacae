import type { Part } from '../http/metrics.ts';
import type { Log } from '../log.ts';

/**
 * Logs when the session store or the history stops answering, and when both answer again. While no client connects,
 * nothing else logs it. The bus and the site configuration have their own log lines.
 * @param missing returns the parts that this server lacks to be ready
 * @returns a function that calls `missing` and logs
 */
export function reportFailures(missing: () => Promise<Part[]>, log: Log): () => Promise<Part[]> {
  let reported = false;
  return async () => {
    const parts = await missing();
    // During the shutdown the history is closed, which is not a failure.
    if (parts.includes('draining')) return parts;
    const failed = parts.filter((part) => part === 'session store' || part === 'history');
    if (failed.length > 0 && !reported)
      log.error({ missing: failed }, 'session store or history not responding, server is not ready');
    if (failed.length === 0 && reported) log.info('session store and history responding again');
    reported = failed.length > 0;
    return parts;
  };
}
