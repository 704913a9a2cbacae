import { execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseSettings } from '../../server/settings/file.ts';
import { type Child, startChild } from '../helpers/child.ts';

const execute = promisify(execFile);

/** A minimal Debian 12 in a folder. It has no systemd, so services do not start automatically. */
export interface BareDebian {
  /** Runs shell commands as root and waits for them. @returns their output */
  run(commands: string, options?: { input?: string; env?: Record<string, string> }): Promise<string>;
  /** Starts a program as root. */
  start(...program: string[]): Child;
  /** Starts a service of a package with the settings of its systemd unit. */
  startService(name: string): Promise<Child>;
  /** The path of a file outside the machine. */
  at(path: string): string;
  /** Every file with its type, mode and owner. Files in /etc also have a hash of their content. */
  contents(): Promise<string[]>;
  /** Copies the machine to another folder. */
  copy(folder: string): Promise<BareDebian>;
}

/**
 * Creates the system with debootstrap. Copies this machine's certificates and APT options, such as a proxy. Needs root.
 */
export async function makeBareDebian(folder: string): Promise<BareDebian> {
  if (process.getuid?.() !== 0) throw new Error('debootstrap needs root: run this as root');
  await execute('debootstrap', ['--variant=minbase', 'bookworm', folder], { maxBuffer: 2 ** 26 });
  const format = ['--format', '%f "%v";%n'];
  const { stdout } = await execute('apt-config', ['dump', ...format, 'Acquire']);
  writeFileSync(join(folder, 'etc/apt/apt.conf.d/acquire'), stdout);
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(certificates)) cpSync(certificates, join(folder, 'usr/local/certificates.crt'));
  return bareDebian(folder);
}

function bareDebian(folder: string): BareDebian {
  const at = (path: string) => join(folder, path);
  const basics = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    // Code is cached only if the unit asks for it, not in the shared cache of the tests.
    NODE_COMPILE_CACHE: '',
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name))),
  };
  const asRoot = { ...basics, HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' };
  /**
   * Returns arguments for `unshare` to run the program in the folder, with its own mounts and processes, which end with
   * it.
   */
  const inside = (program: readonly string[], before: readonly string[] = []) => [
    ...['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec'],
    [...before, 'mount -t proc -o hidepid=invisible proc "$0/proc"', 'exec chroot "$0" "$@"'].join('\n'),
    ...[folder, ...program],
  ];
  const self: BareDebian = {
    at,
    async run(commands, { input = '', env = {} } = {}) {
      const running = execute('unshare', inside(['sh', '-ec', commands]), {
        env: { ...asRoot, ...env },
        maxBuffer: 2 ** 26,
      });
      // The program may end without reading its input.
      running.child.stdin?.on('error', () => {}).end(input);
      const { stdout, stderr } = await running;
      return stdout + stderr;
    },
    start: (...program) => startChild('unshare', inside(program), { env: asRoot }),
    async startService(name) {
      const unit = readUnit(folder, name);
      const all = (key: string) => unit.get(key) ?? [];
      const last = (key: string) => all(key).at(-1);
      const user = last('User') ?? 'root';
      const group = last('Group') ?? (await self.run(`id -gn ${user}`)).trim();
      const kept = [
        ...all('StateDirectory').map((name) => ['/var/lib', name, last('StateDirectoryMode')]),
        ...all('CacheDirectory').map((name) => ['/var/cache', name, undefined]),
      ].map(([parent, name, mode = '755']) => ({ path: `${parent}/${name}`, mode }));
      for (const { path, mode } of kept)
        await self.run(`install -d -m ${mode} -o ${user} -g ${group} ${path}`);

      // The sandbox covers files, rights and processes. System call filters and memory limits need systemd.
      const writable = [
        ...kept.map(({ path }) => path),
        ...all('ReadWritePaths').map((path) => path.replace(/^-/, '')),
      ].filter((path) => existsSync(at(path)));
      const before = [
        'mount --bind "$0" "$0"',
        ...writable.map((path) => `mount --bind "$0${path}" "$0${path}"`),
        ...(last('PrivateTmp') === 'yes' ? ['/tmp', '/var/tmp'] : []).map(
          (path) => `mount -t tmpfs tmpfs "$0${path}"`,
        ),
        ...(last('ProtectHome') === 'yes' ? ['/home', '/root'] : []).map(
          (path) => `mount -t tmpfs -o ro,mode=000 tmpfs "$0${path}"`,
        ),
        // A container may not allow this limit, even for root.
        `ulimit -n ${last('LimitNOFILE')} 2> /dev/null || :`,
        ...(last('ProtectSystem') === 'strict' ? ['mount -o remount,bind,ro "$0"'] : []),
      ];
      const rights = [
        ...[`--reuid=${user}`, `--regid=${group}`, '--init-groups'],
        ...(last('NoNewPrivileges') === 'yes' ? ['--no-new-privs'] : []),
        ...(last('CapabilityBoundingSet') === undefined ? [] : ['--bounding-set=-all', '--inh-caps=-all']),
      ];
      const commands = [
        `cd ${last('WorkingDirectory')}`,
        `umask ${last('UMask')}`,
        `exec ${last('ExecStart')}`,
      ];
      const fromFiles = all('EnvironmentFile').flatMap((file) => {
        const text = readFileSync(at(file.replace(/^-/, '')), 'utf8');
        return [...parseSettings(text, file)].map(([name, { value }]) => [name, value]);
      });
      const named = all('Environment').map((line) => line.replace('%C', '/var/cache').split(/=(.*)/s));
      return startChild('unshare', inside(['setpriv', ...rights, 'sh', '-ec', commands.join('\n')], before), {
        env: { ...basics, ...Object.fromEntries([...named, ...fromFiles]) },
      });
    },
    async contents() {
      // Files that the tools write: lists and logs of apt and dpkg, and backups of the account files.
      const others = ['var/lib/apt', 'var/cache/apt', 'var/log', 'run', 'var/lib/dpkg/*-old', 'etc/*-'];
      const pruned = others.flatMap((path) => ['-path', `./${path}`, '-o']).slice(0, -1);
      const { stdout: files } = await execute(
        'find',
        ['.', '-xdev', '(', ...pruned, ')', '-prune', '-o', '-printf', '%p %y %m %u:%g %l\\n'],
        { cwd: folder, maxBuffer: 2 ** 26 },
      );
      const { stdout: hashes } = await execute(
        'find',
        ['./etc', '-type', 'f', '!', '-name', '*-', '-exec', 'sha256sum', '{}', '+'],
        { cwd: folder, maxBuffer: 2 ** 26 },
      );
      return `${files}${hashes}`.trim().split('\n').sort();
    },
    async copy(other) {
      await execute('cp', ['-a', folder, other]);
      return bareDebian(other);
    },
  };
  return self;
}

/** The values of each key in a unit and its drop-ins. An empty value clears the earlier ones. */
function readUnit(folder: string, name: string): Map<string, string[]> {
  const beside = join(folder, `etc/systemd/system/${name}.service.d`);
  const [template, instance = ''] = name.split(/(?<=@)/);
  const files = [
    join(folder, `usr/lib/systemd/system/${template}.service`),
    ...(existsSync(beside) ? readdirSync(beside).map((file) => join(beside, file)) : []),
  ];
  const values = new Map<string, string[]>();
  for (const [, key = '', value = ''] of files
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
    .replaceAll('%i', instance)
    .matchAll(/^(\w+)=(.*)$/gm)) {
    const before = value === '' ? [] : (values.get(key) ?? []);
    values.set(key, value === '' ? [] : [...before, value]);
  }
  return values;
}
