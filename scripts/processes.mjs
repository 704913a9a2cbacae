import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { livingFamily } from './process-table.mjs';

/** The timeout for ending the started programs. The whole command must end within ten seconds. */
const GRACE_MS = 8000;

/**
 * @typedef {object} Running
 * @property {number} pid
 * @property {Promise<string>} ended the result: `code 0`, `signal SIGKILL`, or why it did not start
 */

/** @type {Running[]} */
const running = [];
let ending = false;
/** @type {import('node:child_process').ChildProcess | undefined} */
let watchdog;

/** Whether the programs are being ended. Later failures are then a consequence. */
export const isEnding = () => ending;

/**
 * Starts a program in its own process group, because the workers of `php -S` survive a signal to their parent.
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Running}
 */
export function launch(program, args, options) {
  if (ending) return { pid: 0, ended: new Promise(() => {}) };
  const child = spawn(program, args, { ...options, detached: true });
  const { pid } = child;
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
  });
  if (pid === undefined) return { pid: 0, ended };
  const self = { pid, ended };
  running.push(self);
  tellWatchdog();
  void ended.then(() => {
    // The workers of `php -S` outlive it. They are found by its process group.
    if (ending || livingFamily(new Set([pid])).length > 0) return;
    running.splice(running.indexOf(self), 1);
    tellWatchdog();
  });
  return self;
}

/**
 * Runs a program, and waits for its end.
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<boolean>} whether it ended with code 0
 */
export async function run(program, args, options) {
  const how = await launch(program, args, options).ended;
  if (ending) await new Promise(() => {}); // callers must not continue during the shutdown
  return how === 'code 0';
}

/** Ends all started programs and their descendants, in reverse order. */
export async function endAll() {
  ending = true;
  const deadline = Date.now() + GRACE_MS;
  for (const { pid } of running.reverse()) await endFamily(pid, deadline);
  // The watchdog ignores other signals.
  watchdog?.kill('SIGKILL');
}

/** @param {number} root @param {number} deadline */
async function endFamily(root, deadline) {
  const ids = new Set([root]);
  const told = new Set();
  for (;;) {
    const living = livingFamily(ids);
    if (living.length === 0) return;
    const late = Date.now() > deadline;
    if (Date.now() > deadline + 1000) return; // it hangs in the kernel and cannot be ended
    for (const pid of living) {
      if (told.has(pid) && !late) continue;
      send(pid, late ? 'SIGKILL' : 'SIGTERM');
      told.add(pid);
    }
    await delay(30);
  }
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * Sends the list of running groups to a small shell, which outlives this process. If this process is killed, the
 * shell's input ends, and the shell ends the groups of the last list.
 */
function tellWatchdog() {
  watchdog ??= startWatchdog();
  watchdog.stdin?.write(`${running.map(({ pid }) => `-${pid}`).join(' ')}\n`);
}

function startWatchdog() {
  const script = `
    trap '' INT TERM HUP
    while read -r line; do groups=$line; done
    [ -n "$groups" ] || exit 0
    kill -s TERM -- $groups
    sleep 3
    kill -s KILL -- $groups`;
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  child.stdin.unref?.();
  child.stdin.on('error', () => {});
  return child;
}
