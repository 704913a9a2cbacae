import { parentPort, workerData } from 'node:worker_threads';
import type { Reading } from './configuration.ts';
import { ConfigurationError, type PhpConfiguration, readPhp } from './php.ts';

/** The thread of `readConfiguration`: reads one file, and ends. */
const { file, surroundings } = workerData as Reading;
parentPort?.postMessage(reply());

function reply(): PhpConfiguration | { wrong: string } {
  try {
    return readPhp(file, surroundings);
  } catch (error) {
    if (error instanceof ConfigurationError) return { wrong: error.message };
    throw error;
  }
}
