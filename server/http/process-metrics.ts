import Counter from 'prom-client/lib/counter.js';
import eventLoopLag from 'prom-client/lib/metrics/eventLoopLag.js';
import gc from 'prom-client/lib/metrics/gc.js';
import heapSizeAndUsed from 'prom-client/lib/metrics/heapSizeAndUsed.js';
import heapSpacesSizeAndUsed from 'prom-client/lib/metrics/heapSpacesSizeAndUsed.js';
import osMemoryHeap from 'prom-client/lib/metrics/osMemoryHeap.js';
import processHandles from 'prom-client/lib/metrics/processHandles.js';
import processMaxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import processOpenFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import processRequests from 'prom-client/lib/metrics/processRequests.js';
import processResources from 'prom-client/lib/metrics/processResources.js';
import processStartTime from 'prom-client/lib/metrics/processStartTime.js';
import version from 'prom-client/lib/metrics/version.js';
import type Registry from 'prom-client/lib/registry.js';

/**
 * What `collectDefaultMetrics` of prom-client adds, such as `process_resident_memory_bytes`. Of that file the one that
 * counts the CPU loads the whole of OpenTelemetry, for traces that nobody has: a fifteenth of the CPU of a start.
 */
export function addProcessMetrics(registry: Registry): void {
  countCpu(registry);
  processStartTime(registry);
  osMemoryHeap(registry);
  processOpenFileDescriptors(registry);
  processMaxFileDescriptors(registry);
  // With the 10 ms that are its default, looking at the event loop would take nearly all of the CPU of a server in
  // which nothing happens.
  eventLoopLag(registry, { eventLoopMonitoringPrecision: 50 });
  processResources(registry);
  processHandles(registry);
  processRequests(registry);
  heapSizeAndUsed(registry);
  heapSpacesSizeAndUsed(registry);
  version(registry);
  gc(registry);
}

/** The CPU of the process since this is counted, in seconds. */
function countCpu(registry: Registry): void {
  const registers = [registry];
  let before = process.cpuUsage();
  new Counter({
    name: 'process_cpu_user_seconds_total',
    help: 'Total user CPU time spent in seconds.',
    registers,
    // The registry asks this one first: it counts for all three.
    collect() {
      const now = process.cpuUsage();
      const [user, system] = [now.user - before.user, now.system - before.system];
      before = now;
      this.inc(user / 1e6);
      ofSystem.inc(system / 1e6);
      ofBoth.inc((user + system) / 1e6);
    },
  });
  const ofSystem = new Counter({
    name: 'process_cpu_system_seconds_total',
    help: 'Total system CPU time spent in seconds.',
    registers,
  });
  const ofBoth = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
  });
}
