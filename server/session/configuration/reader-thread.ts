import { parentPort, workerData } from 'node:worker_threads';
import type { Reading } from './configuration.ts';
import { ConfigurationError, readPhp } from './php.ts';
import { sessionCallsIn } from './session-calls.ts';

/** The thread of `readConfiguration` and `readSessionCalls`: reads, and ends. */
const reading = workerData as Reading;
parentPort?.postMessage(reply());

function reply(): unknown {
  try {
    return 'files' in reading ? sessionCallsIn(reading.files) : readPhp(reading.file, reading.surroundings);
  } catch (error) {
    if (error instanceof ConfigurationError) return { wrong: error.message };
    throw error;
  }
}
