import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from './command.mjs';
import { root } from './npm-packages.mjs';
import { launch } from './processes.mjs';
import { lastLines } from './quiet.mjs';

const READY_MS = 30_000;
const logs = join('data', 'log');

/**
 * Starts a program of the demonstration. It logs to a file in data/log.
 * @param {string} name for messages
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {{ uid: number, gid: number }} [account] to run it as
 */
export function startService(name, program, args, env, account) {
  mkdirSync(join(root, logs), { recursive: true });
  const log = join(logs, `${name.toLowerCase().replaceAll(' ', '-')}.log`);
  const file = openSync(join(root, log), 'w');
  const cwd = account === undefined ? root : '/'; // another account may be unable to enter the checkout
  const { ended, pid } = launch(program, args, { cwd, env, stdio: ['ignore', file, file], ...account });
  closeSync(file);
  const tail = () => {
    const lines = lastLines(join(root, log), 20);
    return lines === '' ? 'It has no output.' : `Its last lines (the full log is ${log}):\n\n${lines}`;
  };

  /** Rejects when the program ends. */
  const failed = ended.then((how) => {
    throw new Problem(`The ${name} ended unexpectedly (${how}). ${tail()}`);
  });
  failed.catch(() => {}); // callers that await it report the failure

  return {
    pid,
    ended,
    failed,
    /** @param {() => Promise<boolean>} check */
    async ready(check) {
      const late = delay(READY_MS, undefined, { ref: false }).then(() => {
        throw new Problem(`The ${name} is not ready after ${READY_MS / 1000} s. ${tail()}`);
      });
      await Promise.race([failed, late, repeat(check)]);
    },
  };
}

/** @param {() => Promise<boolean>} check */
async function repeat(check) {
  while (!(await check())) await delay(50);
}

/** @param {number | string} place a port, or the path of a socket @returns {Promise<boolean>} */
export function accepts(place) {
  return new Promise((resolve) => {
    const at = typeof place === 'string' ? { path: place } : { port: place, host: '127.0.0.1' };
    const socket = connect(at, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** @param {string} url @returns whether a GET returns 200 */
export async function answers(url) {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
