import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  Registry,
} from 'prom-client';
import { requestErrors, serverFailures } from '../wire/errors.ts';
import { requests } from '../wire/events.ts';

/** What can make a server not ready, as named by `/readyz`. */
export const parts = [
  'session store',
  'history',
  'disk space',
  'bus',
  'site configuration',
  'draining',
] as const;
export type Part = (typeof parts)[number];

/** The server's metrics for Prometheus. Labels come from fixed sets, never from a client's input. */
export class Metrics {
  readonly #registry = new Registry();
  readonly refusals = new Counter({
    name: 'chat_refusals_total',
    help: 'Rejected connections and HTTP requests',
    labelNames: ['code'],
    registers: [this.#registry],
  });
  readonly closed = new Counter({
    name: 'chat_closed_total',
    help: 'Connections closed by force, because of what the client did or a silent session store',
    labelNames: ['reason'],
    registers: [this.#registry],
  });
  readonly requests = new Counter({
    name: 'chat_requests_total',
    help: 'Requests of connected clients, by event and outcome',
    labelNames: ['event', 'code'],
    registers: [this.#registry],
  });
  readonly messages = new Counter({
    name: 'chat_messages_total',
    help: 'Messages stored',
    registers: [this.#registry],
  });
  readonly commits = new Histogram({
    name: 'chat_commit_seconds',
    help: 'Duration of a history transaction, including the sync to disk',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5],
    registers: [this.#registry],
  });
  readonly checks = new Counter({
    name: 'chat_session_checks_total',
    help: 'Checks of the sessions of open connections',
    registers: [this.#registry],
  });
  readonly ended = new Counter({
    name: 'chat_sessions_ended_total',
    help: 'Connections closed because their session ended',
    labelNames: ['reason'],
    registers: [this.#registry],
  });

  readonly skipped = new Counter({
    name: 'chat_changes_skipped_total',
    help: 'Change-log entries that a consumer missed because it fell too far behind',
    labelNames: ['consumer'],
    registers: [this.#registry],
  });

  readonly failed = new Counter({
    name: 'chat_changes_failed_total',
    help: 'Failures of a change-log consumer, each followed by a retry',
    labelNames: ['consumer'],
    registers: [this.#registry],
  });

  readonly pushes = new Counter({
    name: 'chat_pushes_total',
    help: 'Pushes to devices, by response of the push service',
    labelNames: ['outcome'],
    registers: [this.#registry],
  });

  readonly webhooks = new Counter({
    name: 'chat_webhooks_total',
    help: 'Attempts to send an event to the site, by type and outcome',
    labelNames: ['type', 'outcome'],
    registers: [this.#registry],
  });

  readonly mails = new Counter({
    name: 'chat_mails_total',
    help: 'Mails to offline users, by outcome',
    labelNames: ['outcome'],
    registers: [this.#registry],
  });

  readonly mailReplies = new Counter({
    name: 'chat_mail_replies_total',
    help: 'Answers to mails, by outcome',
    labelNames: ['outcome'],
    registers: [this.#registry],
  });

  readonly webhooksDropped = new Counter({
    name: 'chat_webhooks_dropped_total',
    help: 'Events deleted before the site accepted them, because too many were queued',
    registers: [this.#registry],
  });

  readonly uploads = new Counter({
    name: 'chat_uploads_total',
    help: 'Uploads of files, by outcome',
    labelNames: ['code'],
    registers: [this.#registry],
  });

  readonly siteDiffers = new Gauge({
    name: 'chat_site_differs',
    help: '1 while the site configuration differs from most servers, so this server is not ready',
    registers: [this.#registry],
  });

  readonly siteUnreadable = new Gauge({
    name: 'chat_site_unreadable',
    help: '1 while the changed site configuration cannot be used, so the previous one stays in use or all logins are rejected',
    registers: [this.#registry],
  });

  /** @param events the types of events that are sent to the site */
  constructor(events: readonly string[]) {
    // Node's own metrics, such as nodejs_eventloop_lag_seconds. At the default precision of 10 ms, measuring the event
    // loop would take nearly all of the CPU of an idle server.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 50 });
    // A series that starts with its first failure has no increase for Prometheus, and raises no alert.
    for (const code of serverFailures) {
      if (!(code in requestErrors)) continue;
      for (const event of Object.keys(requests)) this.requests.inc({ event, code }, 0);
      if (code !== 'internal') this.uploads.inc({ code }, 0);
    }
    this.closed.inc({ reason: 'session_store' }, 0);
    for (const code of ['session_store_unavailable', 'session_invalid', 'rate_limited', 'origin_not_allowed'])
      this.refusals.inc({ code }, 0);
    for (const type of events) {
      for (const outcome of ['sent', 'failed', 'given up', 'gone']) this.webhooks.inc({ type, outcome }, 0);
    }
    for (const outcome of ['sent', 'failed', 'given up', 'refused', 'lost']) this.mails.inc({ outcome }, 0);
    for (const outcome of ['refused', 'lost']) this.pushes.inc({ outcome }, 0);
  }

  /**
   * Adds the metrics that are computed on each read.
   * @param options.connections returns the number of connected clients
   * @param options.missing returns the parts that the server lacks to be ready
   */
  addGauges({
    connections,
    missing,
  }: {
    connections: () => number;
    missing: () => Promise<readonly Part[]>;
  }): void {
    this.addGauge({
      name: 'chat_connections',
      help: 'Connected clients',
      collect() {
        this.set(connections());
      },
    });
    this.addGauge({
      name: 'chat_missing',
      help: '1 for each missing part that makes this server not ready',
      labelNames: ['part'],
      async collect() {
        const lacking = await missing();
        for (const part of parts) this.set({ part }, lacking.includes(part) ? 1 : 0);
      },
    });
  }

  /** Adds a metric that `collect` computes on each read. */
  addGauge(gauge: Omit<GaugeConfiguration<string>, 'registers'>): void {
    new Gauge({ ...gauge, registers: [this.#registry] });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
