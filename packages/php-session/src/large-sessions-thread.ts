import { parentPort, workerData } from 'node:worker_threads';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { findUser } from './identity.ts';
import type { DecodeReply, ThreadSettings } from './large-sessions.ts';
import { useNames } from './names.ts';

const { format, user, charsetOption } = workerData as ThreadSettings;
// The messages of this thread name only this option.
useNames({ option: () => charsetOption });

parentPort?.on('message', (bytes: Uint8Array) => {
  parentPort?.postMessage(reply(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
});

function reply(bytes: Buffer): DecodeReply {
  try {
    return { result: findUser(decodeStored(format, bytes), user) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { wrong: error.message, explanation: error.explanation };
  }
}
