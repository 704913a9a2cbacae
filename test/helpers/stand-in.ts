import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns/promises';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { writeHeapSnapshot } from 'node:v8';
import threads from 'node:worker_threads';

/**
 * The attempts of a stand-in for a separate process. It tries everything that the processes for files and pages must
 * not be able to do.
 */

export interface Attempts {
  /** The server's files, such as its key, an unfinished upload and its history. */
  files: readonly string[];
  folder: string;
  /** A port and a socket on which a server listens. */
  port: number;
  socket: string;
}

const inThread = async (code: string, make: (code: string) => threads.Worker) => {
  const worker = make(code);
  const [answer] = await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
  if (typeof answer !== 'string') throw new Error('the thread ended');
};
const reading = (path: string) =>
  `require('node:worker_threads').parentPort.postMessage(require('node:fs').readFileSync(${JSON.stringify(path)}, 'latin1'))`;
const native = () => import('node:ffi');
const connected = async (to: net.NetConnectOpts) => {
  const socket = net.connect(to);
  await once(socket, 'connect');
};

/** Each function returns or resolves if the attempt succeeds. */
function attemptsOn({ files, folder, port, socket }: Attempts): Record<string, () => unknown> {
  const [key = '', , history = ''] = files;
  const own = `${folder}/own`;
  const raw = process as unknown as Record<string, (...args: unknown[]) => unknown>;
  return {
    'read the environment of the server': () => fs.readFileSync(`/proc/${process.ppid}/environ`),
    'read the memory of the server': () => fs.openSync(`/proc/${process.ppid}/mem`, 'r'),
    'open a file that the server has open': () => fs.readdirSync(`/proc/${process.ppid}/fd`),
    ...Object.fromEntries(files.map((path) => [`read ${path}`, () => fs.readFileSync(path)])),
    'read a file by an import': () => import(key),
    'read a file as settings': () => process.loadEnvFile(key),
    'list the folder': () => fs.readdirSync(folder),
    'open the history as a database': async () => {
      const { DatabaseSync } = await import('node:sqlite');
      new DatabaseSync(history).prepare('select * from sqlite_master').all();
    },
    'write a file': () => fs.writeFileSync(own, 'x'),
    'write a report': () => {
      if (!fs.existsSync(process.report.writeReport(own))) throw new Error('none');
    },
    'write a snapshot': () => writeHeapSnapshot(own),
    'delete the history': () => fs.rmSync(history),
    'link to the history': () => fs.symlinkSync(history, own),
    'let others read the history': () => fs.chmodSync(history, 0o644),
    'slow down the server': () => os.setPriority(process.ppid, 19),
    'take open files from the server': async () => {
      const { prlimit } = (await native()).dlopen(null, {
        prlimit: { arguments: ['i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
      }).functions;
      // RLIMIT_NOFILE
      if (prlimit?.(process.ppid, 7, new BigUint64Array([64n, 64n]), 0n) !== 0) throw new Error('refused');
    },
    'make sockets that send to any other': async () => {
      const { socketpair } = (await native()).dlopen(null, {
        socketpair: { arguments: ['i32', 'i32', 'i32', 'pointer'], return: 'i32' },
      }).functions;
      // AF_UNIX, SOCK_DGRAM
      if (socketpair?.(1, 2, 0, new Int32Array(2)) !== 0) throw new Error('refused');
    },
    'start a program': () => execFileSync('/bin/true'),
    'become another program': () =>
      raw.execve?.('/bin/true', ['true'], {}) ?? Promise.reject(new Error('none')),
    'load native code': () => process.dlopen({ exports: {} }, key),
    'call native code': async () => (await native()).dlopen('libc.so.6', {}),
    'use the bindings of Node': () => {
      const bindings = raw.binding?.('fs') as { open(): void };
      bindings.open();
    },
    'run a text as code': () => Reflect.construct((() => {}).constructor, ['return 1']),
    'read in a thread': () => inThread(reading(key), (code) => new threads.Worker(code, { eval: true })),
    'read in a thread of other permissions': () =>
      inThread(
        reading(key),
        (code) => new threads.Worker(code, { eval: true, execArgv: ['--no-permission'] }),
      ),
    'read in a thread by the constructor in the prototype': () =>
      inThread(reading(key), (code) => {
        const Original = threads.Worker.prototype.constructor as typeof threads.Worker;
        return new Original(code, { eval: true, execArgv: [] });
      }),
    'signal the server': () => process.kill(process.ppid, 0),
    'signal the server without the checks of Node': () => {
      if (raw._kill?.(process.ppid, 0) !== 0) throw new Error('refused');
    },
    'debug the server': () => raw._debugProcess?.(process.ppid) ?? Promise.reject(new Error('none')),
    'become root': () => {
      process.setuid?.(0);
      if (process.getuid?.() !== 0) throw new Error('it is not root');
    },
    'connect to a port': () => connected({ port, host: '127.0.0.1' }),
    'connect to a socket': () => connected({ path: socket }),
    'send a datagram': async () => {
      const sender = dgram.createSocket('udp4');
      await new Promise<void>((sent, failed) =>
        sender
          .once('error', failed)
          .send('x', port, '127.0.0.1', (error) => (error ? failed(error) : sent())),
      );
    },
    'ask for a name': () => dns.lookup('localhost'),
    'fetch an address': () => fetch(`http://127.0.0.1:${port}/`),
    listen: async () => once(net.createServer().listen(0, '127.0.0.1'), 'listening'),
  };
}

/** Node throws some of its errors outside of any call. */
let refuse: ((error: Error) => void) | undefined;
process.on('uncaughtException', (error) => refuse?.(error));
process.on('message', async (attempts: Attempts) => {
  const results: Record<string, string> = {};
  for (const [what, attempt] of Object.entries(attemptsOn(attempts))) {
    try {
      const thrown = new Promise((_, reject) => {
        refuse = reject;
      });
      await Promise.race([thrown, attempt()]);
      results[what] = 'done';
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      results[what] = code ?? name;
    }
  }
  process.send?.(results);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
