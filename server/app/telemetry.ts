import manifest from '../../package.json' with { type: 'json' };
import type { Health } from '../health/health.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Log, QuietLog } from '../log.ts';
import { type Config, nodeName } from '../settings/config.ts';
import { noTraces, type Traces } from '../traces/traces.ts';

/** The log, the metrics and the health of the server. */
export interface Telemetry {
  log: Log;
  /** For frequent events. */
  quiet: QuietLog;
  metrics: Metrics;
  health: Health;
}

/** Starts to send traces, if a setting names a collector. Only then are the packages for traces loaded. */
export async function openTraces(config: Config, { quiet }: Telemetry): Promise<Traces> {
  const { tracesTo: to } = config;
  if (to === undefined) return noTraces;
  const openTelemetry = await import('../traces/opentelemetry.ts');
  return openTelemetry.openTraces({
    to,
    node: nodeName(config),
    version: manifest.version,
    onFailure: ({ message: reason }) =>
      quiet.warn('traces', { reason }, 'could not send traces to the collector'),
  });
}
