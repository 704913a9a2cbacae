import { dlopen, getRawPointer } from 'node:ffi';
import { openSync, readFileSync, statSync } from 'node:fs';

/**
 * Starts the code of a separate process under restrictions of the Linux kernel. Unlike Node's permissions, these also
 * hold if hostile code takes over the process. The arguments are for the Node process that is started next. Its
 * permission flags also define the readable files and the network access here. A restriction that the kernel does not
 * support is omitted.
 */
const options = process.argv.slice(2);
const usesNetwork = options.includes('--allow-net');
const { syscall, prctl, dup } = dlopen(null, {
  syscall: { arguments: ['i64', 'pointer', 'pointer', 'pointer', 'pointer'], return: 'i64' },
  prctl: { arguments: ['i32', 'i64', 'pointer', 'i64', 'i64'], return: 'i32' },
  dup: { arguments: ['i32'], return: 'i32' },
}).functions;

interface Calls {
  architecture: number;
  socket: number;
  prlimit64: number;
  setpriority: number;
  refused: readonly number[];
}

/** The numbers of system calls, by architecture. */
const numbers: Partial<Record<string, Calls>> = {
  x64: {
    architecture: 0xc000003e,
    socket: 41,
    prlimit64: 302,
    setpriority: 141,
    refused: [
      // socketpair, because its datagrams reach any AF_UNIX socket.
      53,
      // chmod, fchmod, chown, fchown, lchown, fchownat, and fchmodat.
      ...[90, 91, 92, 93, 94, 260, 268],
      // truncate, which Landlock restricts only since version 3.
      76,
      // utime, utimes, futimesat, and utimensat.
      ...[132, 235, 261, 280],
      // setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, and fremovexattr.
      ...[188, 189, 190, 197, 198, 199],
      // sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr, and ioprio_set.
      ...[142, 144, 203, 314, 251],
      // shmget, semget, and msgget, because their memory outlives the process.
      ...[29, 64, 68],
    ],
  },
  arm64: {
    architecture: 0xc00000b7,
    socket: 198,
    prlimit64: 261,
    setpriority: 140,
    // In the same order, without calls that ARM64 does not have.
    refused: [
      199,
      ...[52, 55, 54, 53],
      45,
      88,
      ...[5, 6, 7, 14, 15, 16],
      ...[118, 119, 122, 274, 30],
      ...[194, 190, 186],
    ],
  },
};
/**
 * System calls with the same number on all architectures: io_uring_setup (which also creates sockets), fchmodat2,
 * setxattrat, removexattrat, and file_setattr.
 */
const newCalls = [425, 452, 463, 466, 469];

// PR_SET_NO_NEW_PRIVS, which Landlock and seccomp require.
prctl(38, 1n, 0n, 0n, 0n);
restrictFiles();
restrictCalls();
const { SEPARATE_CHANNEL: channel, ...env } = process.env;
// A copy of the channel, because Node closes all descriptors that it inherited.
const NODE_CHANNEL_FD = String(dup(Number(channel)));
process.execve?.(process.execPath, [process.execPath, ...options], { ...env, NODE_CHANNEL_FD });

/** Restricts files with Landlock, which also prevents signals to other processes and access to their memory. */
function restrictFiles(): void {
  const [createRuleset, addRule, restrictSelf] = [444n, 445n, 446n];
  const version = Number(syscall(createRuleset, 0n, 0n, 1n, 0n));
  if (version < 1) return;
  const rights = 13 + (version >= 2 ? 1 : 0) + (version >= 3 ? 1 : 0) + (version >= 5 ? 1 : 0);
  // Denies access to files without a rule, abstract sockets, and signals to other processes. Does not restrict ports.
  const handled = new BigUint64Array([(1n << BigInt(rights)) - 1n, 0n, 3n]);
  const ruleset = syscall(createRuleset, handled, version >= 6 ? 24n : 8n, 0n, 0n);
  for (const path of readablePaths()) {
    let file: number;
    try {
      // O_PATH
      file = openSync(path, 0o10000000);
    } catch {
      continue;
    }
    // EXECUTE, READ_FILE, and READ_DIR.
    const rule = new DataView(new ArrayBuffer(12));
    rule.setBigUint64(0, statSync(path).isDirectory() ? 13n : 5n, true);
    rule.setInt32(8, file, true);
    syscall(addRule, ruleset, 1n, rule, 0n);
  }
  // Keeps /proc/self open in the Node process, because its rule applies only while the kernel has the folder in memory.
  dup(openSync('/proc/self', 'r'));
  syscall(restrictSelf, ruleset, 0n, 0n, 0n);
}

/** Returns the program's files, and the files that Node needs to start and to measure its memory. */
function readablePaths(): Set<string> {
  const flag = '--allow-fs-read=';
  const program = options.filter((one) => one.startsWith(flag)).map((one) => one.slice(flag.length));
  const libraries = readFileSync('/proc/self/maps', 'utf8').matchAll(/\s(\/.*)\/[^/]*\.so\b.*$/gm);
  const system = [
    '/etc/ld.so.cache',
    '/etc/ssl/openssl.cnf',
    '/proc/self',
    '/proc/meminfo',
    '/sys/fs/cgroup',
  ];
  const names = ['hosts', 'resolv.conf', 'nsswitch.conf', 'host.conf', 'gai.conf', 'services'];
  return new Set([
    ...program,
    process.execPath,
    ...[...libraries].map(([, folder = '']) => folder),
    ...system,
    ...(usesNetwork ? names.map((name) => `/etc/${name}`) : []),
  ]);
}

/** Restricts with seccomp what Landlock leaves open: sockets, file attributes, and the limits of other processes. */
function restrictCalls(): void {
  const calls = numbers[process.arch];
  if (calls === undefined) return;
  const [load, isEqual, isAtLeast, answer] = [0x20, 0x15, 0x35, 0x06];
  // An instruction consists of a code, how many instructions to skip if true and if false, and a value.
  const allowed = [answer, 0, 0, 0x7fff0000];
  // EACCES
  const refused = [answer, 0, 0, 0x5000d];
  const when = (call: number, ...then: number[][]) => [[isEqual, 0, then.length, call], ...then];
  const argument = (at: number) => [load, 0, 0, 16 + 8 * at];
  const isZero = (at: number) => [argument(at), [isEqual, 1, 0, 0], refused];
  // AF_UNIX
  const isElsewhere = [argument(0), [isEqual, 0, 1, 1], refused, allowed];
  const filter = new Uint32Array(
    [
      [load, 0, 0, 4],
      [isEqual, 1, 0, calls.architecture],
      refused,
      [load, 0, 0, 0],
      // The x32 calls, which are the same calls with other numbers.
      [isAtLeast, 0, 1, 0x40000000],
      refused,
      ...when(calls.socket, ...(usesNetwork ? isElsewhere : [refused])),
      // Allowed for this process only.
      ...when(calls.prlimit64, ...isZero(0), allowed),
      ...when(calls.setpriority, ...isZero(0), ...isZero(1), allowed),
      ...calls.refused.flatMap((call) => when(call, refused)),
      ...newCalls.flatMap((call) => when(call, refused)),
      allowed,
    ].flatMap(([code = 0, ifTrue = 0, ifFalse = 0, value = 0]) => [
      code | (ifTrue << 16) | (ifFalse << 24),
      value,
    ]),
  );
  const program = new BigUint64Array([BigInt(filter.length / 2), getRawPointer(filter)]);
  // PR_SET_SECCOMP, SECCOMP_MODE_FILTER
  prctl(22, 2n, program, 0n, 0n);
}
