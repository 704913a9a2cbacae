import { readFileSync } from 'node:fs';
import { endAll, isEnding } from './processes.mjs';

/** A problem that the user can fix. It is printed without a stack trace, and the process exits with `code`. */
export class Problem extends Error {
  /** @param {string} message @param {number} [code] */
  constructor(message, code = 1) {
    super(message);
    this.code = code;
  }
}

/** Exit codes by the convention of sysexits.h. */
export const USAGE = 64;
export const UNAVAILABLE = 69;
export const CONFIG = 78;

const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/**
 * Runs a command, and ends all programs that it started.
 * @param {() => Promise<number>} work resolves to the exit code
 * @param {{ stoppedByUser?: number }} [options] the exit code after a signal, for commands that run until the user
 * stops them
 */
export async function runCommand(work, { stoppedByUser } = {}) {
  // Under npm, Ctrl-C arrives twice, from the terminal and from npm. The second signal must not interrupt the shutdown.
  for (const [signal, code] of Object.entries(signals)) {
    process.on(signal, () => void leave(stoppedByUser ?? code));
  }
  // The reader of the output closed it, for example a terminal or `npm start | head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void leave(1));
  leaveWithParent();

  try {
    requireNode();
    await leave(await work());
  } catch (error) {
    if (isEnding()) return;
    await endAll();
    console.error(error instanceof Problem ? `\n${error.message}` : error);
    process.exit(error instanceof Problem ? error.code : 1);
  }
}

/** Checks the version of Node by `devEngines`, which npm 10.8 and older ignore. `engines` is for users of the packages. */
function requireNode() {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const oldest = manifest.devEngines.runtime.version;
  const [oldestMajor, oldestMinor] = oldest.match(/\d+/g).map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Problem(
    `Node ${oldest} is required, but this is Node ${process.versions.node}. To install it, see docs/install.md.`,
    UNAVAILABLE,
  );
}

/** @param {number} code */
async function leave(code) {
  if (isEnding()) return;
  await endAll();
  process.exit(code);
}

/** Ends this process if npm was killed, for example by an editor, because npm then sends no signal. */
function leaveWithParent() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) void leave(1);
  }, 1000).unref();
}
