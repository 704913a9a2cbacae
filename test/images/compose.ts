import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { ownPort } from '../helpers/child.ts';
import type { Engine } from './engine.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface ComposeFile {
  services: Record<string, Service>;
  networks?: Record<string, { ipam: { config: { subnet: string }[] } }>;
  volumes?: Record<string, null>;
  configs?: Record<string, { content: string }>;
}

interface Service {
  image?: string;
  build?: { context: string; target: string };
  read_only?: boolean;
  tmpfs?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  command?: string[];
  depends_on?: Record<string, { condition: string; restart?: boolean }>;
  environment?: Record<string, string>;
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  restart?: string;
  mem_limit?: string;
  stop_grace_period?: string;
  networks?: string[];
  ports?: string[];
  volumes?: string[];
  configs?: { source: string; target: string }[];
}

export interface Composed {
  /** The services that have a health check. */
  readonly checked: readonly string[];
  /** The URL of a published port. It is another port than in the file, which may be in use. */
  url(port: number): string;
  /** Runs podman with the container's name in place of `{}`. */
  podman(service: string, ...args: string[]): Promise<string>;
  /** Waits until its health check succeeds. */
  healthy(service: string): Promise<void>;
  /** Restarts a service and the services that depend on it. @returns the exit code of its stop */
  restart(service: string): Promise<number>;
  down(): Promise<void>;
}

/** Builds and starts all services of a compose file, each when its dependencies are healthy. */
export async function composeUp(
  engine: Engine,
  file: string,
  env: Record<string, string>,
): Promise<Composed> {
  const { podman } = engine;
  const { services, networks = {}, configs = {}, volumes = {} } = read(file, env);
  const project = file.replaceAll('.', '-');
  const named = (name: string) => `${project}_${name}`;
  const ports = new Map<number, number>();
  for (const { ports: published = [] } of Object.values(services)) {
    for (const port of published) ports.set(Number(port.split(':')[1]), await ownPort());
  }

  for (const [name, { ipam }] of Object.entries(networks)) {
    const subnets = ipam.config.map(({ subnet }) => `--subnet=${subnet}`);
    await podman('network', 'create', ...subnets, named(name));
  }
  await podman('network', 'create', named('default'));
  for (const name of Object.keys(volumes)) await podman('volume', 'create', named(name));
  for (const [name, { content }] of Object.entries(configs)) {
    writeFileSync(join(engine.folder, named(name)), content, { mode: 0o444 });
  }

  /** Returns podman's options for each key of a service. */
  const options: { [Key in keyof Required<Service>]: (value: Required<Service>[Key]) => string[] } = {
    image: () => [],
    build: () => [],
    read_only: (is) => [`--read-only=${is}`, '--read-only-tmpfs=false'],
    tmpfs: (list) => list.map((folder) => `--tmpfs=${folder}`),
    cap_drop: (list) => list.map((right) => `--cap-drop=${right}`),
    security_opt: (list) => list.map((option) => `--security-opt=${option}`),
    command: () => [],
    depends_on: () => [],
    networks: () => [],
    environment: (values) => Object.entries(values).map(([name, value]) => `--env=${name}=${value}`),
    // podman adds the first word, `CMD`, itself.
    healthcheck: ({ test: [, ...command] }) => [`--health-cmd=${JSON.stringify(command)}`],
    restart: (policy) => [`--restart=${policy}`],
    mem_limit: (limit) => [`--memory=${limit}`],
    stop_grace_period: (time) => [`--stop-timeout=${/^(\d+)s$/.exec(time)?.[1]}`],
    ports: (list) =>
      list.map((port) => {
        const [address, outside, inside] = port.split(':');
        return `--publish=${address}:${ports.get(Number(outside))}:${inside}`;
      }),
    volumes: (list) => list.map((volume) => `--volume=${volume.startsWith('/') ? volume : named(volume)}`),
    configs: (list) =>
      list.map(({ source, target }) => `--volume=${join(engine.folder, named(source))}:${target}:ro`),
  };

  const healthy = async (service: string) => {
    const check = () => podman('healthcheck', 'run', named(service));
    for (let tries = 1; ; tries++) {
      try {
        return void (await check());
      } catch (error) {
        if (tries === 60)
          throw new Error(await podman('logs', '--tail=20', named(service)), { cause: error });
      }
      await delay(250);
    }
  };
  const imageOf = ({ image, build }: Service) => image ?? `${build?.target}-image`;
  const built = new Map(
    Object.values(services).flatMap((service) =>
      service.build === undefined ? [] : [[imageOf(service), service.build.target]],
    ),
  );
  for (const [image, target] of built) await engine.build(image, 'Dockerfile', `--target=${target}`, '.');

  const starting = new Map<string, Promise<void>>();
  const start = (name: string): Promise<void> => {
    const begun = starting.get(name) ?? run(name, services[name] as Service);
    starting.set(name, begun);
    return begun;
  };
  const run = async (name: string, service: Service) => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      await start(other);
      if (condition === 'service_healthy') await healthy(other);
    }
    const given = Object.entries(service).flatMap(([key, value]) => {
      if (!(key in options)) throw new Error(`${file}: ${name}: ${key} is not supported`);
      return (options[key as keyof Service] as (value: unknown) => string[])(value);
    });
    const reached = (service.networks ?? ['default']).map((network) => `--network=${named(network)}`);
    const own = [`--name=${named(name)}`, `--network-alias=${name}`, '--health-interval=disable'];
    const command = [imageOf(service), ...(service.command ?? [])];
    await podman('run', '--detach', '--pull=never', ...own, ...reached, ...given, ...command);
  };
  await Promise.all(Object.keys(services).map(start));

  return {
    checked: Object.keys(services).filter(
      (name) => services[name]?.healthcheck !== undefined || services[name]?.build !== undefined,
    ),
    url: (port) => `http://127.0.0.1:${ports.get(port)}`,
    podman: (service, ...args) => podman(...args.map((arg) => (arg === '{}' ? named(service) : arg))),
    healthy,
    async restart(service) {
      await podman('stop', named(service));
      const code = await podman('inspect', '--format={{.State.ExitCode}}', named(service));
      await podman('start', named(service));
      await healthy(service);
      for (const [name, { depends_on }] of Object.entries(services)) {
        if (depends_on?.[service]?.restart === true) await podman('restart', named(name));
      }
      return Number(code);
    },
    async down() {
      await podman('rm', '--force', '--volumes', '--time=0', ...Object.keys(services).map(named));
      await podman('network', 'rm', ...Object.keys({ default: null, ...networks }).map(named));
      await podman('volume', 'rm', ...Object.keys(volumes).map(named));
    },
  };
}

/** Resolves anchors and merges of YAML 1.1, and variables like Compose. */
function read(file: string, env: Record<string, string>): ComposeFile {
  const json = JSON.stringify(parse(readFileSync(join(root, file), 'utf8'), { merge: true }));
  return JSON.parse(json, (_, value) =>
    typeof value !== 'string'
      ? value
      : value.replace(
          /\$(?:\$|\{(\w+):([-+])([^}]*)\})/g,
          (_whole, name?: string, sign?: string, other = '') => {
            if (name === undefined) return '$';
            return sign === '-' ? env[name] || other : env[name] ? other : '';
          },
        ),
  );
}
