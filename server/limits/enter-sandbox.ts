import { dlopen, getRawPointer } from 'node:ffi';
import { openSync, readFileSync, statSync } from 'node:fs';

/**
 * Starts the code of a separate process under restrictions of the Linux kernel. Unlike Node's permissions, these also
 * hold after code has taken over the process. The arguments are those of the next Node: its permissions name the files
 * that it may read, and whether it uses the network. A restriction that the kernel does not know is omitted.
 */
const options = process.argv.slice(2);
const usesNetwork = options.includes('--allow-net');
const { syscall, prctl, dup } = dlopen(null, {
  syscall: { arguments: ['i64', 'pointer', 'pointer', 'pointer', 'pointer'], return: 'i64' },
  prctl: { arguments: ['i32', 'i64', 'pointer', 'i64', 'i64'], return: 'i32' },
  dup: { arguments: ['i32'], return: 'i32' },
}).functions;

// PR_SET_NO_NEW_PRIVS, which the others need.
prctl(38, 1n, 0n, 0n, 0n);
restrictFiles();
restrictSockets();
const { SEPARATE_CHANNEL: channel, ...env } = process.env;
// Node closes all others that it was given.
const NODE_CHANNEL_FD = String(dup(Number(channel)));
process.execve?.(process.execPath, [process.execPath, ...options], { ...env, NODE_CHANNEL_FD });

/** By Landlock, which also keeps the process from signalling and reading the memory of others. */
function restrictFiles(): void {
  const [createRuleset, addRule, restrictSelf] = [444n, 445n, 446n];
  const version = Number(syscall(createRuleset, 0n, 0n, 1n, 0n));
  if (version < 1) return;
  const rights = 13 + (version >= 2 ? 1 : 0) + (version >= 3 ? 1 : 0) + (version >= 5 ? 1 : 0);
  // All rights to files, none to ports, and the scopes of abstract sockets and of signals.
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
  // It stays open, since a rule holds only while the kernel keeps this folder in memory.
  dup(openSync('/proc/self', 'r'));
  syscall(restrictSelf, ruleset, 0n, 0n, 0n);
}

/** The program's files, and what Node needs at its start and to count its memory. */
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

/** By seccomp: no sockets, or for a process that uses the network no sockets within this machine. */
function restrictSockets(): void {
  // The architecture, and the number of `socket` there.
  const numbers: Partial<Record<string, [number, number]>> = {
    x64: [0xc000003e, 41],
    arm64: [0xc00000b7, 198],
  };
  const known = numbers[process.arch];
  if (known === undefined) return;
  const [architecture, socket] = known;
  const [load, isEqual, isAtLeast, answer] = [0x20, 0x15, 0x35, 0x06];
  // Each instruction: code, instructions to skip if true, if false, value.
  const filter = new Uint32Array(
    [
      [load, 0, 0, 4],
      [isEqual, 0, 7, architecture],
      [load, 0, 0, 0],
      // The same calls by other numbers, and io_uring_setup, which makes sockets, too.
      [isAtLeast, 5, 0, 0x40000000],
      [isEqual, 4, 0, 425],
      [isEqual, 0, 2, socket],
      [load, 0, 0, 16],
      // AF_UNIX
      usesNetwork ? [isEqual, 1, 0, 1] : [isAtLeast, 1, 0, 0],
      // Allowed, and EACCES.
      [answer, 0, 0, 0x7fff0000],
      [answer, 0, 0, 0x5000d],
    ].flatMap(([code = 0, ifTrue = 0, ifFalse = 0, value = 0]) => [
      code | (ifTrue << 16) | (ifFalse << 24),
      value,
    ]),
  );
  const program = new BigUint64Array([BigInt(filter.length / 2), getRawPointer(filter)]);
  // PR_SET_SECCOMP, SECCOMP_MODE_FILTER
  prctl(22, 2n, program, 0n, 0n);
}
