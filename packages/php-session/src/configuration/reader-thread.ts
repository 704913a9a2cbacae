import { parentPort } from 'node:worker_threads';
import { findSessionCalls } from './calls-in-code.ts';
import type { Reading } from './configuration.ts';
import { readPhp } from './php.ts';
import { ConfigurationError } from './value.ts';

/** The worker thread of `readConfiguration` and `readSessionCalls`. */
parentPort?.on('message', (reading: Reading) => parentPort?.postMessage(respond(reading)));

function respond(reading: Reading): unknown {
  try {
    return 'files' in reading ? findSessionCalls(reading.files) : readPhp(reading.file, reading.surroundings);
  } catch (error) {
    if (error instanceof ConfigurationError) return { error: error.message };
    throw error;
  }
}
