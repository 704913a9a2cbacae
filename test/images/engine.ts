import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const execute = promisify(execFile);

/** The public images, by the stage of stand-ins.Dockerfile that replaces each. */
const publicImages = {
  node: 'node:26-slim',
  memcached: 'memcached:1.6',
  redis: 'redis:7',
  nginx: 'nginx:1.28',
  postgres: 'postgres:17',
};

/** A podman with separate images, containers, networks and volumes, which `remove` deletes. */
export interface Engine {
  /** For files that are mounted into containers. */
  readonly folder: string;
  /** Returns its output. An error contains the whole output. */
  podman(...args: string[]): Promise<string>;
  /** Builds an image of the project. The base images do not come from a registry. */
  build(tag: string, dockerfile: string, ...more: string[]): Promise<unknown>;
  remove(): void;
}

/** Needs root. */
export function startEngine(): Engine {
  if (process.getuid?.() !== 0) throw new Error('podman needs root here: run this as root');
  const folder = mkdtempSync(join(tmpdir(), 'chat-images-'));
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const env = {
    ...process.env,
    CONTAINERS_STORAGE_CONF: write(
      'storage.conf',
      `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/storage"\nrunroot = "${folder}/run"\n`,
    ),
    // runc, because crun refuses machines with both versions of cgroups. Even a root without CAP_SYS_RESOURCE can set
    // these limits.
    CONTAINERS_CONF: write(
      'containers.conf',
      `[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\nlog_driver = "k8s-file"\n` +
        `[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "${folder}/networks"\n` +
        `[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n`,
    ),
    CONTAINERS_REGISTRIES_CONF: write('registries.conf', 'unqualified-search-registries = ["docker.io"]\n'),
  };
  const podman = async (...args: string[]) => {
    const running = execute('podman', args, { cwd: root, env, maxBuffer: 2 ** 26 });
    const { stdout } = await running.catch((error: Error & { stdout: string }) => {
      throw new Error(`${error.message}${error.stdout}`, { cause: error });
    });
    return stdout.trim();
  };
  const engine: Engine = {
    folder,
    podman,
    build: (tag, dockerfile, ...more) =>
      // The OCI format has no health checks.
      podman(
        'build',
        '--format=docker',
        '--pull-never',
        '--network=host',
        `--tag=${tag}`,
        `--file=${dockerfile}`,
        ...(more.length === 0 ? ['.'] : more),
      ),
    remove() {
      if (!existsSync(folder)) return;
      const run = (...args: string[]) => spawnSync('podman', args, { env, stdio: 'ignore' }).status === 0;
      // A container that is just being restarted by its policy may be missed, so this is repeated.
      for (let tries = 0; tries < 5 && !run('rm', '--all', '--force', '--time=0'); ) tries++;
      run('network', 'prune', '--force');
      run('volume', 'prune', '--force');
      run('rmi', '--all', '--force');
      rmSync(folder, { recursive: true });
    },
  };
  process.once('exit', engine.remove);
  return engine;
}

/** Builds replacements of the public images from Debian's packages and the project's Node. */
export async function makeStandIns({ folder, podman, build }: Engine): Promise<void> {
  const base = join(folder, 'debian');
  await execute('debootstrap', ['--variant=minbase', 'bookworm', base], { maxBuffer: 2 ** 26 });
  rmSync(join(base, 'var/lib/apt/lists'), { recursive: true });
  await execute('sh', ['-c', 'rm "$1"/var/cache/apt/archives/*.deb && tar -C "$1" -cf "$1.tar" .', '', base]);
  await podman('import', `${base}.tar`, 'docker.io/library/debian:12-slim');
  rmSync(`${base}.tar`);
  rmSync(base, { recursive: true });

  const local = join(folder, 'local');
  cpSync(realpathSync(process.execPath), join(local, 'bin/node'));
  const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
  cpSync(dirname(dirname(npm)), join(local, 'lib/node_modules/npm'), { recursive: true });
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(certificates)) cpSync(certificates, join(local, 'certificates.crt'));
  for (const [stage, name] of Object.entries(publicImages)) {
    await build(`docker.io/library/${name}`, 'test/images/stand-ins.Dockerfile', `--target=${stage}`, local);
  }
  rmSync(local, { recursive: true });
}
