import { parentPort, workerData } from 'node:worker_threads';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { identify } from './identity.ts';
import type { DecodeReply, DecodeRequest, ThreadSettings } from './large-sessions.ts';

/** The thread of `LargeSessions`. */
const { format, user } = workerData as ThreadSettings;

parentPort?.on('message', ({ id, bytes }: DecodeRequest) => {
  parentPort?.postMessage(answer(id, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
});

function answer(id: number, bytes: Buffer): DecodeReply {
  try {
    return { id, found: identify(decodeStored(format, bytes), user) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { id, wrong: error.message, explanation: error.explanation };
  }
}
