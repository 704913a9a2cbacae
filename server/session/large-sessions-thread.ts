import { parentPort, workerData } from 'node:worker_threads';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { identify, type UserPaths } from './identity.ts';
import type { DecodeReply, DecodeRequest, ThreadSettings } from './large-sessions.ts';
import { parsePath } from './path.ts';

/** The thread of `LargeSessions`. */
const { format, paths } = workerData as ThreadSettings;
if (parentPort === null) throw new Error('this runs as a worker thread');
const port = parentPort;

const user: UserPaths = {
  id: parsePath(paths.id),
  name: parsePath(paths.name),
  require: optional(paths.require),
  rooms: optional(paths.rooms),
  roles: optional(paths.roles),
  banned: optional(paths.banned),
  ...(paths.nobody === undefined ? {} : { nobody: paths.nobody }),
  others: paths.others?.map(parsePath),
  proof: paths.proof?.map(parsePath),
};

port.on('message', ({ id, bytes }: DecodeRequest) => {
  port.postMessage(answer(id, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
});

function answer(id: number, bytes: Buffer): DecodeReply {
  try {
    return { id, found: identify(decodeStored(format, bytes), user) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { id, wrong: error.message };
  }
}

function optional(path: string | undefined) {
  return path === undefined ? undefined : parsePath(path);
}
