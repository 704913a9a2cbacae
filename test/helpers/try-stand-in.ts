import { once } from 'node:events';
import { dlopen, getRawPointer } from 'node:ffi';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { optionsOf, startSeparate, whenSandboxForbidden } from '../../server/limits/separate-process.ts';
import type { Attempts } from './stand-in.ts';

/**
 * Starts the stand-in as the server starts the real process, with files and sockets of the same account in its reach.
 * Prints the attempts that succeeded, and how the process is confined. `taken over` is like code that escaped Node's
 * permissions. `filtered` is under a filter of systemd that kills a process at its first call of Landlock.
 */
const [kind = '', mode] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'chat-confined-'));
const socket = join(folder, 'socket');
const files = ['key', 'upload', 'history'].map((name) => join(folder, name));
for (const path of files) writeFileSync(path, '{}', { mode: 0o600 });
const [server, local] = [createServer((_, res) => res.end()), createServer()];
server.listen(0, '127.0.0.1');
local.listen(socket);
await Promise.all([once(server, 'listening'), once(local, 'listening')]);
chmodSync(folder, 0o755);
chmodSync(socket, 0o777);

const { syscall, prctl } = dlopen(null, {
  syscall: { arguments: ['i64', 'pointer', 'i64', 'i64'], return: 'i64' },
  prctl: { arguments: ['i32', 'i64', 'pointer', 'i64', 'i64'], return: 'i32' },
}).functions;
// The version of Landlock. Negative if the kernel has none.
const landlock = Number(syscall(444n, 0n, 0n, 1n));
if (mode === 'filtered') {
  // A seccomp filter: kills the process at landlock_create_ruleset (444), allows all other system calls.
  const filter = new Uint32Array([0x20, 0, 0x01000015, 444, 6, 0x80000000, 6, 0x7fff0000]);
  const program = new BigUint64Array([4n, getRawPointer(filter)]);
  prctl(38, 1n, 0n, 0n, 0n);
  prctl(22, 2n, program, 0n, 0n);
}
const priority = getPriority();
let isForbidden = false;
whenSandboxForbidden(() => {
  isForbidden = true;
});

const module = new URL('./stand-in.ts', import.meta.url);
const options = optionsOf(module, kind as 'types');
const permissions = options.filter((option) => option.startsWith('--allow-'));
const child = await startSeparate(
  module,
  kind as 'types',
  mode === 'taken over' ? ['--permission-audit', ...permissions] : options,
);
child.ref();
child.channel?.ref();
const { port } = server.address() as AddressInfo;
child.send({ files, folder, port, socket } satisfies Attempts);
const [results] = (await once(child, 'message')) as [Record<string, string>];
const statusOf = (pid: number | string | undefined) => readFileSync(`/proc/${pid}/status`, 'utf8');
const status = statusOf(child.pid);
const limits = readFileSync(`/proc/${child.pid}/limits`, 'utf8');
const lineOf = (text: string, name: string) => new RegExp(`^${name}:?\\s+(\\S+)`, 'm').exec(text)?.[1];
const named = Object.keys(results);
console.log(
  JSON.stringify({
    attempts: named.length,
    done: named.filter((what) => results[what] === 'done'),
    unchanged: files.every((path) => readFileSync(path, 'utf8') === '{}') && getPriority() === priority,
    isForbidden,
    user: lineOf(status, 'Uid'),
    noNewPrivileges: lineOf(status, 'NoNewPrivs'),
    landlock,
    // The filters that the server added. A container can have more filters.
    filters: Number(lineOf(status, 'Seccomp_filters')) - Number(lineOf(statusOf('self'), 'Seccomp_filters')),
    fileSize: lineOf(limits, 'Max file size'),
    killedFirst: readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8').trim(),
    core: lineOf(limits, 'Max core file size'),
  }),
);
child.kill('SIGKILL');
server.close().closeAllConnections();
local.close().closeAllConnections();
rmSync(folder, { recursive: true });
