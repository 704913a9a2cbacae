import { parentPort } from 'node:worker_threads';
import { sessionCallsIn } from './calls-in-code.ts';
import type { Reading } from './configuration.ts';
import { readPhp } from './php.ts';
import { ConfigurationError } from './value.ts';

/** The thread of `readConfiguration` and `readSessionCalls`. */
parentPort?.on('message', (reading: Reading) => parentPort?.postMessage(reply(reading)));

function reply(reading: Reading): unknown {
  try {
    return 'files' in reading ? sessionCallsIn(reading.files) : readPhp(reading.file, reading.surroundings);
  } catch (error) {
    if (error instanceof ConfigurationError) return { wrong: error.message };
    throw error;
  }
}
