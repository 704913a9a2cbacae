import type { Metrics } from '../http/metrics.ts';
import type { Log, QuietLog } from '../log.ts';

/** The log and the metrics of the server. */
export interface Telemetry {
  log: Log;
  /** For what may happen often. */
  quiet: QuietLog;
  metrics: Metrics;
}
