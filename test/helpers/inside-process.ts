import childProcess, { ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const { existsSync, realpathSync } = fs;
const temporary = [tmpdir(), realpathSync(tmpdir())];

/** The folders of .gitignore that programs of this project write. */
const built =
  /^(?!node_modules\/)(.*\/)?(dist|target|release|test-results)(\/|$)|^node_modules\/\.(cache|vite)|^android\/(.*\/)?(build|out)(\/|$)/;

/**
 * Files outside of the project that the server reads on each machine, or that npm packages read to choose their native
 * code.
 */
const system = /^\/(dev|proc)\/|^\/etc\/(passwd|hosts)$|^\/usr\/bin\/ldd$/;

const failures: Error[] = [];

/** Returns what was opened since the last call. An error alone is not enough, because the tested code may catch it. */
export const takeFailures = (): Error[] => failures.splice(0);

function refuse(what: string): never {
  const error = new Error(
    `A unit test must not ${what}. It may use its process, the sources and its own temporary folder only. ` +
      'For more, rename the file from *.unit.test.ts to *.test.ts.',
  );
  failures.push(error);
  throw error;
}

// biome-ignore lint/suspicious/noExplicitAny: these are functions with any arguments.
type Functions = Record<string, any>;

/** Calls `check` with the arguments before each call of the function. */
function before(target: object, name: string, check: (...args: never[]) => void): void {
  const functions = target as Functions;
  const original = functions[name];
  // A function may have properties, such as `exec[util.promisify.custom]`.
  functions[name] = new Proxy(original, {
    apply(called, self, args) {
      check(...(args as never[]));
      return Reflect.apply(called, self, args);
    },
  });
}

function checkPath(path: unknown): void {
  if (typeof path !== 'string' && !(path instanceof URL)) return;
  const file = resolve(path instanceof URL ? fileURLToPath(path) : path);
  const inside = relative(root, file);
  if (inside === '..' || inside.startsWith(`..${sep}`)) {
    const isOwn = temporary.some((folder) => file === folder || file.startsWith(folder + sep));
    if (!isOwn && !system.test(file) && existsSync(file)) refuse(`open ${file}`);
  } else if (built.test(inside) && existsSync(file)) refuse(`open the built file ${inside}`);
}

before(net.Socket.prototype, 'connect', () => refuse('connect to a server'));
before(net.Server.prototype, 'listen', () => refuse('start a server'));
for (const name of ['bind', 'connect', 'send']) before(dgram.Socket.prototype, name, () => refuse('use UDP'));
for (const names of [dns, dns.promises]) before(names, 'lookup', () => refuse('look up a host name'));
before(ChildProcess.prototype, 'spawn', () => refuse('start a child process'));
for (const name of ['spawnSync', 'execSync', 'execFileSync'])
  before(childProcess, name, (program: string) => refuse(`start the child process ${program}`));
for (const name of ['open', 'readFile', 'readdir', 'opendir'])
  for (const [target, each] of [
    [fs, name],
    [fs, `${name}Sync`],
    [fs.promises, name],
  ] as const)
    before(target, each, checkPath);
before(fs, 'createReadStream', checkPath);
syncBuiltinESMExports();
