import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { historyThreads, otherPrograms } from '../../scripts/server-bundles.ts';
import { type Child, startChild } from '../helpers/child.ts';
import { installOldestNode } from '../helpers/oldest-node.ts';
import { phpRequest } from '../helpers/php-request.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'php-session-package-'));
/** Another project, with the package installed for reading sessions. */
const project = join(folder, 'project');
const installed = join(project, 'node_modules/php-session-chat');
/** The package installed for the whole machine, with its command. */
const machine = join(folder, 'lib/node_modules/php-session-chat');
const command = join(folder, 'bin/php-session-chat');

beforeAll(() => {
  npm(root, 'pack', '--pack-destination', folder);
  const tarball = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const unpackTo = (place: string) => {
    mkdirSync(place, { recursive: true });
    execFileSync('tar', ['-xzf', join(folder, ...tarball), '-C', place, '--strip-components=1']);
  };
  // The dependencies, including Node, are already in this repository.
  unpackTo(machine);
  mkdirSync(dirname(command), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(machine, 'node_modules'));
  symlinkSync(join(machine, 'bin/php-session-chat'), command);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  const tarballs = tarball.map((name) => join(folder, name));
  npm(project, 'install', '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs);
  // Packing builds the package, which is slow on a busy machine.
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function npm(cwd: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8' });
  // The compiler writes its errors to standard output.
  if (status !== 0) throw new Error(`npm ${args.join(' ')}:\n${stdout}${stderr}`);
}

/** Runs a file of the project in a separate process. */
function node(args: string[], program = process.execPath): string {
  return execFileSync(program, args, { cwd: project, encoding: 'utf8' });
}

/** Runs a line of code with a script of this repository. */
const script = (name: string, line: string) =>
  execFileSync(process.execPath, ['-e', `import('./scripts/${name}').then((its) => ${line})`], {
    cwd: root,
    encoding: 'utf8',
  });

const nodes = {
  'the Node of these tests': () => process.execPath,
  'the oldest Node': () => join(installOldestNode(join(folder, 'node')), 'node'),
};
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

test('contains exactly the bundled server, session types, client and documentation', () => {
  const built = [...historyThreads, ...otherPrograms].map((name) => join('dist', name.replace(/ts$/, 'js')));
  for (const name of filesIn(join(root, 'server')))
    if (!/\.(md|m?ts|mjs)$/.test(name)) built.push(join('dist/server', name));
  for (const file of filesIn(join(root, 'packages/php-session/src')))
    for (const ending of ['js', 'd.ts'])
      built.push(join('dist/node_modules/php-sessions/dist', file.replace(/ts$/, ending)));
  const others =
    /^(dist\/(server\/command\/[\w-]+\.js|client\/dist\/(((php-chat|sw)\.js|licenses\.json)(\.br|\.gz)?|(index|guide|moderate)\.html|assets\/(moderate\/)?[\w.-]+)|types\/client\/src\/[\w/-]+\.d\.ts)|docs\/[\w/-]+\.(md|json)|(php|deploy)\/.+)$/;
  expect(
    filesIn(installed)
      .filter((name) => !others.test(name))
      .sort(),
  ).toEqual(
    [
      ...built,
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'dist/server/licenses.json', 'package.json'],
      ...['bin/php-session-chat', 'dist/php-session-chat.zip', 'dist/session.d.ts', 'dist/session.js'],
      'dist/node_modules/php-sessions/package.json',
    ].sort(),
  );
});

test('includes the licence of every bundled package and lists each in the bill of materials', () => {
  const licensesIn = (folder: string) =>
    JSON.parse(readFileSync(join(installed, 'dist', folder, 'licenses.json'), 'utf8')) as {
      name: string;
      text?: string;
    }[];
  const licenses = ['client/dist', 'server'].flatMap(licensesIn);
  const imported = ['client/src', 'server']
    .flatMap((folder) => filesIn(join(root, folder)).map((name) => join(root, folder, name)))
    .filter((path) => /\.tsx?$/.test(path))
    .flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/^import (?!type).*from '([a-z@][^:']*)'/gm)])
    .map(([, name = '']) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
  const names = licenses.map(({ name }) => name);
  const own = ['php-sessions', 'php-session-server'];
  const others = imported.filter((name) => !own.includes(name));
  expect(names).toEqual(expect.arrayContaining([...new Set(others), 'emojibase-data']));
  const silent = (folder: string) =>
    licensesIn(folder)
      .filter(({ text = '' }) => !/Copyright/i.test(text))
      .map(({ name }) => name);
  expect(silent('server')).toEqual([]);
  // The client’s build adds no text if a package has no licence file.
  for (const name of silent('client/dist'))
    expect(readdirSync(join(root, 'node_modules', name)).filter((file) => /^licen[sc]e/i.test(file))).toEqual(
      [],
    );

  const bill = () => script('bill-of-materials.mjs', 'console.log(JSON.stringify(its.billOfMaterials(1)))');
  const made = bill();
  const { components, metadata } = JSON.parse(made) as {
    components: { name: string }[];
    metadata: { component: { name: string } };
  };
  // Not the name of the checkout's folder.
  expect(metadata.component.name).toBe('php-session-chat');
  const listed = components.map(({ name }) => name);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const wanted = [
    ...[...names, ...own],
    ...Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
  ];
  expect(listed).toEqual(expect.arrayContaining(wanted));
  // engine.io depends on the types of Node.
  const there = [...names, ...own, '@types/node'];
  const tools = Object.keys(manifest.devDependencies).filter((name) => !there.includes(name));
  expect(listed.filter((name) => tools.includes(name))).toEqual([]);
  expect(bill()).toBe(made);
});

test('imports only Node modules and sharp in its bundles', () => {
  const imported = [...historyThreads, ...otherPrograms, 'server/command/*.ts'].flatMap((source) =>
    globSync(join(installed, 'dist', source.replace(/ts$/, 'js'))).flatMap((file) =>
      [
        ...readFileSync(file, 'utf8').matchAll(
          /^(?:import|export)\b[^'"\n]*["']([^."'][^"']*)["']|\bimport\(["']([^."'][^"']*)["']\)/gm,
        ),
      ].map(([, name, dynamic]) => name ?? dynamic),
    ),
  );
  const others = new Set(imported.filter((name) => !isBuiltin(name as string)));
  expect([...others]).toEqual(['sharp']);
});

test('contains every file that its bundles import', () => {
  const missing = globSync(join(installed, 'dist/server/**/*.js')).flatMap((file) =>
    [
      ...readFileSync(file, 'utf8').matchAll(
        /^(?:import|export)\b[^'"\n]*["'](\.[^"']*)["']|\bimport\(["'](\.[^"']*)["']\)/gm,
      ),
    ]
      .map(([, name, dynamic]) => join(dirname(file), name ?? dynamic ?? ''))
      .filter((path) => !existsSync(path)),
  );
  expect(missing).toEqual([]);
});

test('does not replace the project’s Node when installed without optional packages', () => {
  expect(existsSync(join(project, 'node_modules/.bin/node'))).toBe(false);
});

/** Starts the command on a machine without Node. */
const started = (args: string[], env: NodeJS.ProcessEnv = {}, stdio: 'pipe' | 'ignore' = 'ignore') =>
  startChild(command, args, {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', ...env },
    stdio: [stdio, 'pipe', 'pipe'],
  });

async function said(child: Child): Promise<{ code: number; output: string }> {
  const code = await new Promise<number>((end) => child.process.on('close', end));
  return { code, output: child.output() };
}

test('the command runs on the bundled Node and prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(await said(started(['version']))).toEqual({
    code: 0,
    output: `php-session-chat ${version} (Node ${process.versions.node})\n`,
  });
  const help = await said(started(['init', '--help']));
  expect(help.output).toMatch(/^php-session-chat init FOLDER [\s\S]*Example: php-session-chat init \//);
  expect(help.code).toBe(0);
});

test('the command uses the machine’s Node if none is bundled, or names the version that it needs', async () => {
  const alone = join(project, 'node_modules/.bin/php-session-chat');
  const own = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
  expect((await said(startChild(alone, ['version'], { env: own }))).code).toBe(0);
  const none = await said(startChild(alone, ['version'], { env: { PATH: '/usr/bin:/bin' } }));
  expect(none).toEqual({ code: 69, output: expect.stringContaining('needs Node 26') });
});

test('contains the documentation that its help and its manual page mention', async () => {
  const { output } = await said(started(['help']));
  expect(output).toContain(join(machine, 'docs/settings.md'));
  expect(existsSync(join(machine, 'docs/settings.md'))).toBe(true);
  const main = join(machine, 'dist/server/command/main.js');
  const page = script('debian-package.mjs', `process.stdout.write(its.manualPage('${main}'))`);
  const sections = [...page.matchAll(/^\.SH (.*)\n\.nf\n(.*)/gm)].map(
    ([, title, first]) => `${title}: ${first}`,
  );
  const commands = [...output.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name as string);
  expect(commands.length).toBeGreaterThan(8);
  for (const name of commands)
    expect(sections).toContainEqual(
      expect.stringContaining(`${name.toUpperCase()}: php\\-session\\-chat ${name.replace('-', '\\-')}`),
    );
  expect(page).toMatch(/ \/usr\/share\/doc\/php\\-session\\-chat\/docs\/settings\.md\.$/m);
  expect(page).not.toContain(folder.replaceAll('-', '\\-'));
});

test.each(Object.entries(nodes))('reads the user of a PHP session on %s', (_, program) => {
  const settings = { 'session.save_handler': 'files', 'session.save_path': folder };
  const ann = phpRequest(settings, '$_SESSION["user_id"] = 42; $_SESSION["firstname"] = "Ann 张"');
  writeFileSync(
    join(project, 'read.js'),
    `import { openSessions } from 'php-session-chat/session';
    const sessions = openSessions({ store: 'file://${folder}?timeout=9999ms' });
    console.log(JSON.stringify((await sessions.readSession('PHPSESSID=${ann}')).user));
    sessions.close();`,
  );
  expect(JSON.parse(node(['read.js'], program()))).toEqual({ id: '42', name: 'Ann 张' });
});

test('contains every file that the client’s script loads', () => {
  const client = join(installed, 'dist/client/dist');
  const loaded = filesIn(client)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) =>
      [...readFileSync(join(client, name), 'utf8').matchAll(/`\.\/((?:assets\/)?[\w-]+\.js)`/g)].map(
        ([, path = '']) => join(client, dirname(name), path),
      ),
    );
  expect(loaded.length).toBeGreaterThan(4);
  expect(loaded.filter((path) => !existsSync(path))).toEqual([]);
});

test('declares the client’s elements, methods and events in its types', () => {
  writeFileSync(
    join(project, 'page.ts'),
    `import 'php-session-chat/client';
  import type { PhpChat } from 'php-session-chat/client';
  const chat: PhpChat = document.createElement('php-chat');
  chat.openDirect('42');
  chat.strings = { 'conn.connected': { de: 'Verbunden' } };
  document.createElement('php-chat-launcher').open();
  chat.addEventListener('php-chat:unread', ({ detail }) => detail.count + detail.mentions);
  chat.addEventListener('php-chat:ended', ({ detail }) => detail.reason === 'logout');
  // @ts-expect-error: no such reason
  chat.addEventListener('php-chat:ended', ({ detail }) => detail.reason === 'bored');
  // @ts-expect-error: an id is a string
  chat.openRoom(42);`,
  );
  const options =
    '{ "module": "esnext", "moduleResolution": "bundler", "target": "esnext", "lib": ["esnext", "dom", "dom.iterable"], "types": [], "strict": true, "noEmit": true }';
  writeFileSync(join(project, 'tsconfig.json'), `{ "compilerOptions": ${options}, "files": ["page.ts"] }`);
  expect(node([join(root, 'node_modules/typescript/bin/tsc'), '--singleThreaded', '-p', '.'])).toBe('');
});

test('has types that accept correct uses and reject wrong ones', () => {
  writeFileSync(
    join(project, 'read.ts'),
    `import { type FormatName, formats, openSessions, type PhpValue, type RefusalCode, type SessionUser } from 'php-session-chat/session';
  const sessions = openSessions({ store: 'redis://localhost', cookieName: 'sid', site: 'laravel:' });
  const answer = await sessions.readSession('sid=x');
  export const who: SessionUser | RefusalCode = 'code' in answer ? answer.code : answer.user;
  export const value: PhpValue = formats['igbinary' satisfies FormatName](Buffer.from(''));
  const site = openSessions({ site: '/var/www/html', siteEnv: '/etc/site.env' });
  export const byRequest = site.readSession(new Request('http://localhost/'));
  // @ts-expect-error: a store or a site is needed
  openSessions({ cookieName: 'sid' });
  // @ts-expect-error: a header is a string
  sessions.readSession(42);
  // @ts-expect-error: it may be a refusal
  answer.user;
  // @ts-expect-error: not exported
  import('php-session-chat/dist/node_modules/php-sessions/dist/store-url.js');`,
  );
  const options =
    '{ "module": "nodenext", "strict": true, "exactOptionalPropertyTypes": true, "noEmit": true }';
  writeFileSync(join(project, 'tsconfig.json'), `{ "compilerOptions": ${options}, "files": ["read.ts"] }`);
  expect(node([join(root, 'node_modules/typescript/bin/tsc'), '--singleThreaded', '-p', '.'])).toBe('');
});
