import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Logins } from 'php-sessions';
import { ok, problem } from 'php-sessions/doctor';
import manifest from '../../package.json' with { type: 'json' };
import { type KnownBus, openBus } from '../cluster/bus.ts';
import { Servers } from '../cluster/servers.ts';
import { describeFault } from '../doctor/history-fault.ts';
import { Failures } from '../health/failures.ts';
import type { Health } from '../health/health.ts';
import { describeSpace, freeBytes } from '../health/space.ts';
import { placeOf } from '../history/engine/address.ts';
import type { Shared } from '../history/engine/followed.ts';
import { minFreeBytes } from '../history/engine/sqlite/disk.ts';
import { type History, methods } from '../history/history.ts';
import { findHistoryFault, openHistory } from '../history/open.ts';
import type { Config } from '../settings/config.ts';
import { noTraces, type Traces, tracedHistory } from '../traces/traces.ts';
import { RequestError } from '../wire/errors.ts';
import type { Telemetry } from './telemetry.ts';

/** The history, and the other servers that share it. */
export interface SharedHistory {
  history: History;
  /** Undefined for a single server. */
  servers: Servers | undefined;
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
/** After a failed write, this time passes until the next one is tried for `/readyz`. */
const writeAgainMs = 5000;
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
  const { logins, traces, onFailure, log, quiet, metrics, health } = options;
  let servers: Servers | undefined;
  const cluster = await openCluster(config, { ...options, onSaid: (what) => servers?.heard(what) });
  const opened = await openHistory(config.history, {
    shared: cluster,
    onFailure,
    onDelay: ({ message: reason }) =>
      quiet.warn('background', { reason }, 'could not purge deleted rooms and old messages, retrying'),
    onMigration: (is) => {
      if (is === 'waiting') log.info('waiting for another server to migrate the history');
      else log.info(is, 'migrating the history, this may take minutes');
    },
    onRenewal: (is) => {
      if (is === 'begins') {
        health.renewing.add('search index');
        log.info('renewing the search index, searches take longer until then');
      } else {
        health.renewing.delete('search index');
        log.info('renewed the search index');
      }
    },
    maxWaitMs: config.drain.within + killedServerGraceMs,
    onWaiting: () => log.info('history in use by another chat server, waiting for it to stop'),
    onBatch: ({ messages, commitMs }) => {
      metrics.messages.inc(messages);
      metrics.commits.observe(commitMs / 1000);
    },
  });
  const writes = { failing: new Failures(), full: new Failures() };
  const watched = watchWrites(opened, writes);
  const history = traces === noTraces ? watched : tracedHistory(watched, traces);
  if (cluster !== undefined) servers = openServers(cluster.self, history, logins, options);
  addChecks(health, { config, history, writes, bus: cluster?.bus, servers });
  return {
    history,
    servers,
    async close() {
      await history.close();
      cluster?.bus?.close();
    },
  };
}

/** The failed writes: for lack of space, or for another reason. */
interface WriteFailures {
  failing: Failures;
  full: Failures;
}

/** Records the failures of writes. A write that the rules of the chat reject has worked. */
function watchWrites(history: History, { failing, full }: WriteFailures): History {
  return {
    ...history,
    write: methods((op, input, asker) =>
      (history.write[op as 'send'](input, asker) as Promise<unknown>).then(
        (answer) => {
          failing.worked();
          if (op === 'send') full.worked();
          return answer;
        },
        (error: unknown) => {
          if (error instanceof RequestError && error.code === 'storage_full') full.failed(error.message);
          else if (error instanceof RequestError && error.code === 'storage_unavailable')
            failing.failed(error.message);
          else failing.worked();
          throw error;
        },
      ),
    ),
  };
}

/** Adds the checks of the history, the bus and the other servers. */
function addChecks(
  health: Health,
  {
    config,
    history,
    writes: { failing, full },
    bus,
    servers,
  }: {
    config: Config;
    history: History;
    writes: WriteFailures;
    bus: KnownBus | undefined;
    servers: Servers | undefined;
  },
): void {
  const place = config.history;
  const name = place.kind === 'sqlite' ? resolve(place.path) : placeOf(place);
  const reads = answerTest(history);
  /** Deletes no file, but the database must commit. */
  const tryWrite = sharedCall(() =>
    history.write.forgetFiles({ ids: ['none'] }).then(
      () => true,
      () => false,
    ),
  );
  /** Writes a row and rolls it back, because a full disk accepts writes that need no space. */
  const trySpace = sharedCall(async () => (await findHistoryFault(place)) === undefined);
  const isOver = async (failures: Failures, tryAgain: () => Promise<boolean>) =>
    failures.isOver || (failures.ageMs > writeAgainMs && (await tryAgain()));
  health.add({
    part: 'history',
    works: async () => (place.kind === 'sqlite' || (await reads())) && (await isOver(failing, tryWrite)),
    async describe(works) {
      if (works) return ok(`The server uses the history ${name}.`);
      const fault = failing.isOver ? await findHistoryFault(place) : undefined;
      return fault !== undefined
        ? describeFault(fault)
        : problem(
            `The history ${name} fails, so no messages can be sent${failing.isOver ? ': it does not answer in time' : `: ${failing}`}.`,
            'Repair the database or the disk. The server continues without a restart. See docs/operate/trouble.md.',
          );
    },
  });
  const folder = place.kind === 'sqlite' ? dirname(name) : undefined;
  const free = async () => (folder === undefined ? undefined : freeBytes(folder));
  health.add({
    part: 'disk space',
    async works() {
      const bytes = await free();
      if (bytes === undefined ? !(await isOver(full, trySpace)) : bytes < minFreeBytes) return false;
      full.worked();
      return true;
    },
    describe: async (works) =>
      describeSpace(
        'history',
        folder ?? name,
        await free(),
        works || full.isOver ? undefined : `no messages can be sent: ${full}`,
      ),
  });
  if (bus !== undefined)
    health.add({
      part: 'bus',
      works: () => bus.downSince === null || performance.now() - bus.downSince <= busGraceMs,
      describe: (works) =>
        works
          ? ok('The server uses the bus of CHAT_CLUSTER.')
          : problem(
              'The bus of CHAT_CLUSTER is down, so messages from other servers arrive late.',
              'Repair the bus. The log has the reason.',
            ),
    });
  if (servers !== undefined)
    health.add({
      part: 'site configuration',
      works: () => servers.hasSameSite !== false,
      describe: (works) =>
        works
          ? undefined
          : problem(
              'The site configuration of this server differs from most servers.',
              'Compare the files of the site on this server with those on the others. See docs/operate/several-servers.md.',
            ),
    });
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

/** How often the whole catalogue of the database is checked at most, in ms. Every client can cause checks. */
const catalogueCheckMs = 10_000;

/** Returns a function that tests whether the history answers, and still has the tables of this version. */
function answerTest({ read }: History): () => Promise<boolean> {
  let isWhole = true;
  let checkedAt = Number.NEGATIVE_INFINITY;
  return sharedCall(async () => {
    try {
      if (!(await read.hasKnownTables(null))) return false;
      const now = performance.now();
      if (now - checkedAt >= catalogueCheckMs) {
        isWhole = await read.hasWholeTables(null);
        checkedAt = now;
      }
      return isWhole;
    } catch {
      return false;
    }
  });
}

/**
 * Returns a function that calls `work`, and returns false if it takes too long. Concurrent calls share the result,
 * because every client can cause calls.
 */
function sharedCall(work: () => Promise<boolean>): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  return () => {
    answer ??= work().finally(() => {
      answer = undefined;
    });
    const late = new Promise<false>((resolve) => setTimeout(resolve, answerTimeoutMs, false).unref());
    return Promise.race([answer, late]);
  };
}
