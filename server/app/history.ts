import { randomUUID } from 'node:crypto';
import type { Logins } from 'php-sessions';
import manifest from '../../package.json' with { type: 'json' };
import { type KnownBus, openBus } from '../cluster/bus.ts';
import { Servers } from '../cluster/servers.ts';
import type { Shared } from '../history/engine/followed.ts';
import type { History } from '../history/history.ts';
import { openHistory } from '../history/open.ts';
import type { Part } from '../http/metrics.ts';
import type { Config } from '../settings/config.ts';
import { noTraces, type Traces, tracedHistory } from '../traces/traces.ts';
import type { Telemetry } from './telemetry.ts';

/** The history, and the other servers that share it. */
export interface SharedHistory {
  history: History;
  /** Undefined for a single server. */
  servers: Servers | undefined;
  /** Returns the parts of the storage that do not work. */
  missing(): Promise<Part[]>;
  /** Closes the history and the bus. `servers` must be closed before. */
  close(): Promise<void>;
}

/**
 * The start waits for another server as long as a drain may take, and this time in addition, because a killed server
 * keeps its claim for a while.
 */
const killedServerGraceMs = 6000;
/** A database that takes longer to answer does not count as ready. */
const answerTimeoutMs = 1000;
/**
 * A shorter interruption of the bus does not make this server unready, so that users are not sent to other servers for
 * it.
 */
const busGraceMs = 5000;
/**
 * The intervals for polling the database. With a bus, polling only finds the changes whose hint was lost. Without a
 * bus, it finds all changes.
 */
const pollIntervalMs = { besideBus: 1000, alone: 100 };

/**
 * Opens the history and, for several servers, the bus.
 * @param options.onFailure called after a bug, or when another server takes over the database
 * @throws Error if the history cannot be opened
 */
export async function openSharedHistory(
  config: Config,
  options: Telemetry & { logins: Logins; traces: Traces; onFailure: (error: Error) => void },
): Promise<SharedHistory> {
  const { logins, traces, onFailure, log, quiet, metrics } = options;
  let servers: Servers | undefined;
  const cluster = await openCluster(config, { ...options, onSaid: (what) => servers?.heard(what) });
  const opened = await openHistory(config.history, {
    ...(cluster === undefined ? {} : { shared: cluster }),
    onFailure,
    onDelay: ({ message: reason }) =>
      quiet.warn('background', { reason }, 'could not purge deleted rooms and old messages, retrying'),
    onMigration: (is) => {
      if (is === 'waiting') log.info('waiting for another server to migrate the history');
      else log.info(is, 'migrating the history, this may take minutes');
    },
    patience: config.drain.within + killedServerGraceMs,
    onWaiting: () => log.info('history in use by another chat server, waiting for it to stop'),
    onBatch: ({ messages, commitMs }) => {
      metrics.messages.inc(messages);
      metrics.commits.observe(commitMs / 1000);
    },
  });
  const history = traces === noTraces ? opened : tracedHistory(opened, traces);
  if (cluster !== undefined) servers = openServers(cluster.self, history, logins, options);
  const answers = answerTest(history);
  return {
    history,
    servers,
    async missing() {
      const missing: Part[] = [];
      if (config.history.kind !== 'sqlite' && !(await answers())) missing.push('history');
      const downSince = cluster?.bus?.downSince ?? null;
      if (downSince !== null && performance.now() - downSince > busGraceMs) missing.push('bus');
      if (servers?.hasSameSite === false) missing.push('site configuration');
      return missing;
    },
    async close() {
      await history.close();
      cluster?.bus?.close();
    },
  };
}

/** Returns the options for several servers, with their bus if there is one. Undefined for a single server. */
async function openCluster(
  { cluster, history }: Config,
  { log, quiet, onSaid }: Telemetry & { onSaid: (what: object) => void },
): Promise<(Shared & { bus?: KnownBus }) | undefined> {
  if (cluster === undefined || history.kind === 'sqlite') return undefined;
  let isUp = false;
  const bus = await openBus(cluster, history, (lost) => {
    if (lost !== null) {
      log.error({ reason: lost.message }, 'bus down, messages of other servers arrive later');
    } else if (!isUp) log.info('bus up');
    isUp = lost === null;
  });
  const onForeign = () => quiet.warn('foreign', {}, 'ignored an invalid text on the bus');
  const shared = { self: randomUUID(), onSaid, onForeign };
  return bus === undefined
    ? { ...shared, look: pollIntervalMs.alone }
    : { ...shared, bus, look: pollIntervalMs.besideBus };
}

function openServers(
  self: string,
  history: History,
  logins: Logins,
  { metrics, log, onFailure }: Telemetry & { onFailure: (error: Error) => void },
): Servers {
  const { digest } = history;
  return new Servers({
    self,
    version: manifest.version,
    history,
    onFailure,
    site: digest &&
      logins.fingerprint && {
        async read() {
          const read = await logins.fingerprint?.(digest);
          return read ? { by: digest(`${manifest.version} ${read.settings}`), is: read.site } : null;
        },
        onDiffers(servers) {
          metrics.siteDiffers.set(servers === null ? 0 : 1);
          if (servers === null) log.info('site configuration same as on most servers');
          else
            log.error(
              { servers, hint: 'compare the files of the site on this server with those on the others' },
              'site configuration differs from most servers, this server is not ready',
            );
        },
      },
    onSilence: (server, silent) => {
      if (silent) log.warn({ server }, 'no sign of a server for 15 s, treating its users as offline');
      else log.info({ server }, 'server is back');
    },
    onSameName: (server) => log.warn({ server }, 'two servers have the same CHAT_NODE'),
  });
}

/**
 * Returns a function that tests whether the history answers. Concurrent calls share a query, because every client can
 * cause calls.
 */
function answerTest(history: History): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  return () => {
    answer ??= history.read
      .membersOf({ room: '', users: [''] })
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        answer = undefined;
      });
    const late = new Promise<false>((resolve) => setTimeout(resolve, answerTimeoutMs, false).unref());
    return Promise.race([answer, late]);
  };
}
