/** The files of prom-client that the server loads; the types of the whole describe them. */
declare module 'prom-client/lib/counter.js' {
  export { Counter as default } from 'prom-client';
}
declare module 'prom-client/lib/gauge.js' {
  export { Gauge as default } from 'prom-client';
}
declare module 'prom-client/lib/histogram.js' {
  export { Histogram as default } from 'prom-client';
}
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}
declare module 'prom-client/lib/metrics/*' {
  import type { Registry } from 'prom-client';
  export default function add(registry: Registry, config?: { eventLoopMonitoringPrecision: number }): void;
}
