import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { siteDatabase } from '../../../test/helpers/application-site.ts';
import { startMemcached } from '../../../test/helpers/memcached.ts';
import { installOldestNode } from '../../../test/helpers/oldest-node.ts';
import { type PhpSettings, phpRequest } from '../../../test/helpers/php-request.ts';
import { startRedis } from '../../../test/helpers/redis.ts';
import { wordPressSite } from '../../../test/helpers/wordpress.ts';
import { connectTo, fetchUser, startReadmeProgram } from './readme-programs.ts';

/** The package as npm installs it in an empty project, on the oldest Node. Needs the registry of npm. */
const root = resolve(import.meta.dirname, '../../..');
const source = join(root, 'packages/php-session');
const folder = mkdtempSync(join(tmpdir(), 'php-sessions-package-'));
const project = join(folder, 'project');
const nodeFolder = installOldestNode(join(folder, 'node'));
const ownPath = `${nodeFolder}${delimiter}${process.env.PATH}`;
const run = (cwd: string, program: string, ...args: string[]) =>
  execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: 'pipe',
    // Rejects packages that do not support this Node.
    env: { ...process.env, PATH: ownPath, npm_config_engine_strict: 'true' },
  });
const node = join(nodeFolder, 'node');
const install = (...packages: string[]) =>
  run(project, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', ...packages);
const readManifest = (path: string) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
/** The packages in node_modules of the project, including dependencies. */
const installedPackages = () =>
  readdirSync(join(project, 'node_modules'))
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(project, 'node_modules', name)).map((inner) => `${name}/${inner}`)
        : name,
    );

let alone: string[];
beforeAll(() => {
  const before = readFileSync(join(source, 'package.json'), 'utf8');
  // As after an interrupted `npm pack`, which leaves the manifest of the tarball behind.
  execFileSync(process.execPath, ['scripts/package.mjs', 'php-session'], { cwd: root });
  expect(readFileSync(join(source, 'package.json'), 'utf8')).not.toBe(before);
  run(source, 'npm', 'pack', '--pack-destination', folder);
  expect(readFileSync(join(source, 'package.json'), 'utf8')).toBe(before);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  install(join(folder, tarball));
  alone = installedPackages();
  install('express', 'fastify', 'socket.io');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('brings its own dependencies and none of the chat’s', () => {
  const { dependencies } = readManifest(source);
  const chat = readManifest(root);
  expect(alone).toEqual(expect.arrayContaining(['php-sessions', ...Object.keys(dependencies)]));
  // The rest is bundled with the chat, or builds and tests it.
  const others = Object.keys({ ...chat.dependencies, ...chat.devDependencies }).filter(
    // mysql2 depends on the types of Node.
    (name) => !(name in dependencies) && !['php-sessions', '@types/node'].includes(name),
  );
  expect(others.length).toBeGreaterThan(10);
  expect(alone.filter((name) => name.startsWith('php-session-') || others.includes(name))).toEqual([]);
});

test('has the same entries for tools that do not read exports', () => {
  const { main, types, typesVersions, exports } = readManifest(join(project, 'node_modules/php-sessions'));
  expect({ types, default: main }).toEqual(exports['.']);
  expect(typesVersions).toEqual({ '*': { doctor: [exports['./doctor'].types] } });
});

test('contains the compiled files and types of both entries, and no sources', () => {
  const { exports } = readManifest(join(project, 'node_modules/php-sessions'));
  const files = Object.values(exports).flatMap((entry) => Object.values(entry as object));
  expect(files).toHaveLength(4);
  for (const file of files)
    expect(readFileSync(join(project, 'node_modules/php-sessions', file), 'utf8')).not.toBe('');
  expect(readdirSync(join(project, 'node_modules/php-sessions')).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
  ]);
});

interface Site {
  /** The options of `openSessions`. */
  options: object;
  cookie: string;
  logOut(): unknown;
}

/** A session of real PHP. */
function phpSession(settings: PhpSettings, store: string): Site {
  const id = phpRequest(settings, '$_SESSION["user_id"] = 42; $_SESSION["firstname"] = "Ann"');
  return {
    options: { store },
    cookie: `PHPSESSID=${id}`,
    logOut: () => phpRequest(settings, 'session_destroy()', id),
  };
}

const db = await siteDatabase('mysql');

const sites: Record<string, () => Promise<Site>> = {
  async files() {
    const path = join(folder, 'sessions');
    mkdirSync(path, { recursive: true });
    return phpSession({ 'session.save_handler': 'files', 'session.save_path': path }, `file://${path}`);
  },
  async memcached() {
    const server = await startMemcached();
    onTestFinished(async () => void (await server.stop()));
    const place = `127.0.0.1:${server.port}`;
    return phpSession(
      { 'session.save_handler': 'memcached', 'session.save_path': place },
      `memcached://${place}?handler=memcached`,
    );
  },
  async Redis() {
    const server = await startRedis();
    onTestFinished(() => server.remove());
    const place = `127.0.0.1:${server.port}`;
    return phpSession(
      { 'session.save_handler': 'redis', 'session.save_path': `tcp://${place}` },
      `redis://${place}`,
    );
  },
  async WordPress() {
    const site = await wordPressSite(db);
    onTestFinished(async () => void (await site.remove()));
    const { cookies, logOut } = await site.logIn('42');
    return { options: { site: site.folder }, cookie: cookies, logOut };
  },
};

test.each(Object.keys(sites))(
  'shows a user from %s in the programs of the README, and notices the logout',
  async (name) => {
    const { options, cookie, logOut } = await (sites[name] as () => Promise<Site>)();
    const start = (title: string) => startReadmeProgram(title, node, project, options);
    const [socketIo, express, fastify] = await Promise.all(['Socket.IO', 'Express', 'Fastify'].map(start));
    const { user, disconnected } = connectTo(socketIo as number, cookie);
    const ann = { id: '42', name: 'Ann' };
    expect(await user).toMatchObject(ann);
    for (const port of [express, fastify] as number[])
      expect(await fetchUser(port, cookie)).toMatchObject({ status: 200, body: ann });
    await logOut();
    expect(await disconnected).toBe('io server disconnect');
    for (const port of [express, fastify] as number[])
      expect(await fetchUser(port, cookie)).toEqual({ status: 401, body: { code: 'unauthorized' } });
  },
);

test('follows a cookie to the user with the doctor program of the README', async () => {
  const { options, cookie } = await (sites.files as () => Promise<Site>)();
  const readme = readFileSync(join(source, 'README.md'), 'utf8');
  const [, code = ''] = /^## Doctor\n.*?```js\n(.*?)^```/ms.exec(readme) ?? [];
  writeFileSync(
    join(project, 'doctor.js'),
    code.replace("{ site: '/var/www/html' }", JSON.stringify(options)),
  );
  const { stdout, stderr } = spawnSync(node, ['doctor.js', cookie], { cwd: project, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^ok .*\bAnn\b/m);
});
