import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const filesIn = (folder: string, ending: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => ending.test(name) && !/node_modules|client\/dist/.test(name));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

interface Import {
  /** A package name, or the path of a file from the root. */
  from: string;
  typeOnly: boolean;
}

/** Returns the imports of a file: statements, `import()` of modules and types, and worker files. */
function importsOf(file: string): Import[] {
  const text = read(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const place = (from: string) =>
    from.startsWith('.') ? relative(root, resolve(root, dirname(file), from)) : from;
  const statements = [...text.matchAll(/^(?:import|export) (type )?[^;'"]*?from '([^']+)'/gm)].map(
    ([, type, from = '']) => ({ from: place(from), typeOnly: type !== undefined }),
  );
  const others = [
    ...text.matchAll(/^import '([^']+)'/gm),
    ...text.matchAll(/\bimport\('([^']+)'\)/g),
    ...text.matchAll(/new URL\('([^']+\.ts)', import\.meta\.url\)/g),
  ].map(([, from = '']) => ({ from: place(from), typeOnly: false }));
  return [...statements, ...others];
}

/** The files of the project that each folder may import besides its own. Packages are checked below. */
const mayImport: Record<string, readonly string[]> = {
  'server/text/': [],
  'server/wire/': [],
  'server/limits/': ['server/wire/errors.ts'],
  'server/history/': ['server/limits/fair-queue.ts', 'server/limits/requester.ts', 'server/wire/'],
  'server/health/': [
    'server/files/place.ts',
    'server/history/engine/sqlite/disk.ts',
    'server/http/metrics.ts',
    'server/outgoing/addresses.ts',
    'server/program/',
    'server/settings/config.ts',
    'server/wire/',
  ],
  'server/changes/': ['server/history/history.ts', 'server/limits/lanes.ts'],
  'server/chat/': [
    'server/changes/consumer.ts',
    'server/changes/rounds.ts',
    'server/history/history.ts',
    'server/history/records/text-keys.ts',
    'server/limits/by-key.ts',
    'server/wire/',
  ],
  'server/cluster/': [
    'server/chat/other-servers.ts',
    'server/history/history.ts',
    'server/history/engine/address.ts',
    'server/history/engine/followed.ts',
    'server/history/engine/postgres.ts',
    'server/wire/',
  ],
  'server/files/': ['server/history/history.ts', 'server/limits/', 'server/wire/'],
  'server/backup/': [
    'server/program/problem.ts',
    'server/files/',
    'server/history/history.ts',
    'server/history/migrations.ts',
    'server/history/open.ts',
    'server/history/engine/',
    'server/history/engine/sqlite/',
    'server/history/records/columns.ts',
    'server/history/sqlite/sqlite.ts',
  ],
  'server/outgoing/': [],
  'server/program/': [],
  'server/settings/': [
    'server/cluster/address.ts',
    'server/files/place.ts',
    'server/history/history.ts',
    'server/history/open.ts',
    'server/logins/',
    'server/mail/',
    'server/program/',
    'server/push/fcm.ts',
    'server/webhooks/presence.ts',
    'server/wire/',
  ],
  'server/notify/': [
    'server/changes/',
    'server/chat/',
    'server/history/history.ts',
    'server/limits/lanes.ts',
    'server/wire/',
  ],
  'server/mail/': [
    'server/changes/rounds.ts',
    'server/history/history.ts',
    'server/limits/by-key.ts',
    'server/limits/separate-process.ts',
    'server/notify/',
    'server/outgoing/',
    'server/wire/',
  ],
  'server/push/': [
    'server/changes/claims.ts',
    'server/changes/rounds.ts',
    'server/chat/',
    'server/history/history.ts',
    'server/limits/lanes.ts',
    'server/notify/',
    'server/outgoing/',
    'server/wire/',
  ],
  'server/cards/': ['server/limits/', 'server/webhooks/endpoint.ts', 'server/wire/'],
  'server/previews/': [
    'server/files/files.ts',
    'server/history/history.ts',
    'server/limits/',
    'server/outgoing/',
    'server/wire/',
  ],
  'server/liveness/': ['server/wire/events.ts'],
  'server/connections/': [
    'server/chat/',
    'server/http/answer.ts',
    'server/limits/',
    'server/liveness/',
    'server/log.ts',
    'server/outgoing/addresses.ts',
    'server/requests/',
    'server/program/how-to-run.ts',
    'server/traces/traces.ts',
    'server/wire/',
  ],
  'server/requests/': [
    'server/chat/',
    'server/limits/',
    'server/log.ts',
    'server/traces/traces.ts',
    'server/wire/',
  ],
  'server/logins/': ['server/wire/'],
  'server/traces/': ['server/history/history.ts', 'server/wire/'],
  'server/http/': ['server/limits/', 'server/log.ts', 'server/outgoing/addresses.ts', 'server/wire/'],
  'server/webhooks/': [
    'server/changes/',
    'server/history/history.ts',
    'server/outgoing/retry-after.ts',
    'server/wire/events.ts',
  ],
  'server/doctor/': [
    'server/cluster/',
    'server/connections/address.ts',
    'server/files/',
    'server/health/',
    'server/history/engine/address.ts',
    'server/history/open.ts',
    'server/history/unusable.ts',
    'server/http/client-files.ts',
    'server/mail/',
    'server/outgoing/addresses.ts',
    'server/program/',
    'server/settings/',
    'server/wire/',
  ],
  'server/init/': [
    'server/doctor/',
    'server/outgoing/',
    'server/program/',
    'server/settings/',
    'server/wire/',
  ],
  'server/import/': [
    'server/files/files.ts',
    'server/history/history.ts',
    'server/program/problem.ts',
    'server/wire/',
  ],
  'server/app/': [
    'package.json',
    'server/changes/',
    'server/chat/',
    'server/cluster/',
    'server/connections/',
    'server/doctor/history-fault.ts',
    'server/files/',
    'server/health/',
    'server/history/',
    'server/http/',
    'server/limits/',
    'server/liveness/',
    'server/log.ts',
    'server/logins/',
    'server/mail/',
    'server/notify/',
    'server/previews/',
    'server/program/',
    'server/push/',
    'server/requests/',
    'server/settings/',
    'server/traces/',
    'server/webhooks/',
    'server/wire/',
  ],
  'server/command/': [
    'package.json',
    'server/app.ts',
    'server/backup/',
    'server/doctor/',
    'server/files/files.ts',
    'server/history/engine/',
    'server/history/erased-users.ts',
    'server/history/open.ts',
    'server/history/unusable.ts',
    'server/http/client-files.ts',
    'server/import/',
    'server/init/',
    'server/limits/separate-process.ts',
    'server/log.ts',
    'server/outgoing/addresses.ts',
    'server/program/',
    'server/settings/',
    'server/wire/',
  ],
};

test('lists what each folder of the server may import', () => {
  const folders = readdirSync(join(root, 'server'), { withFileTypes: true })
    .filter((one) => one.isDirectory())
    .map(({ name }) => `server/${name}/`);
  expect(Object.keys(mayImport).sort()).toEqual(folders.sort());
});

test('no two folders of the server import each other, not even by way of others', () => {
  const folderOf = (path: string) => /^server\/\w+\//.exec(path)?.[0];
  const imported = (folder: string) =>
    filesIn(folder, /\.ts$/).flatMap((file) => importsOf(file).flatMap(({ from }) => folderOf(from) ?? []));
  const open = new Map(
    Object.keys(mayImport).map((folder) => [
      folder,
      new Set(imported(folder).filter((one) => one !== folder)),
    ]),
  );
  // Removes folders that import none of the rest. In a cycle, each imports another.
  for (;;) {
    const [lowest] = [...open].find(([, others]) => [...others].every((one) => !open.has(one))) ?? [];
    if (lowest === undefined) break;
    open.delete(lowest);
  }
  expect([...open.keys()]).toEqual([]);
});

test.each(Object.entries(mayImport))('%s imports only %j from the project', (part, allowed) => {
  const found = filesIn(part, /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(
        ({ from }) =>
          existsSync(join(root, from)) && ![part, ...allowed, 'server/text/'].some((a) => from.startsWith(a)),
      )
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('only app.ts imports the parts of app/', () => {
  const found = filesIn('server', /\.ts$/)
    .filter((file) => file !== 'server/app.ts' && !file.startsWith('server/app/'))
    .filter((file) => importsOf(file).some(({ from }) => from.startsWith('server/app/')));
  expect(found).toEqual([]);
});

test.each(['php-session', 'session-server'])('packages/%s imports no file of another package', (name) => {
  const own = `packages/${name}/`;
  const found = filesIn(`${own}src`, /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(({ from }) => existsSync(join(root, from)) && !from.startsWith(own))
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('the chat imports the packages by name', () => {
  const found = ['server', 'client/src', 'scripts', 'bench'].flatMap((folder) =>
    filesIn(folder, /\.(ts|tsx|mjs)$/).flatMap((file) =>
      importsOf(file)
        .filter(({ from }) => from.startsWith('packages/'))
        .map(({ from }) => `${file} → ${from}`),
    ),
  );
  expect(found).toEqual([]);
});

test('the run command loads no module of another command', () => {
  const loaded = new Set(['server/command/run.ts']);
  for (const file of loaded)
    for (const { from, typeOnly } of importsOf(file))
      if (!typeOnly && from.startsWith('server/')) loaded.add(from);
  expect(loaded.size).toBeGreaterThan(100);
  expect([...loaded].filter((file) => /^server\/(import|init|backup)\//.test(file))).toEqual([]);
});

test('keeps all server files in folders, except app.ts and log.ts', () => {
  const top = filesIn('server', /^server\/[^/]+\.ts$/).sort();
  expect(top).toEqual(['server/app.ts', 'server/log.ts']);
});

test.each([
  ['server', 'server/README.md'],
  ['client/src', 'client/README.md'],
])('lists exactly the folders of %s in the table of %s', (place, page) => {
  const folders = readdirSync(join(root, place), { withFileTypes: true }).filter((one) => one.isDirectory());
  const listed = [...read(page).matchAll(/^\| `(\w+)\/` \|/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual(folders.map(({ name }) => name).sort());
});

/** Returns the files of an import cycle, with the first one repeated at the end, or undefined. */
function cycleIn(files: readonly string[]): string[] | undefined {
  const checked = new Set<string>();
  const follow = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (checked.has(file)) return undefined;
    for (const { from } of importsOf(file)) {
      const cycle = files.includes(from) ? follow(from, [...path, file]) : undefined;
      if (cycle !== undefined) return cycle;
    }
    checked.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = follow(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

test('has no import cycle within a package, including type and dynamic imports', () => {
  const files = ['server', 'packages/php-session/src', 'packages/session-server/src', 'client/src'].flatMap(
    (folder) => filesIn(folder, /\.tsx?$/),
  );
  expect(cycleIn(files)?.join(' → ')).toBeUndefined();
});

test.each<[string, RegExp]>([
  ['packages/php-session/src', /^(socket\.io|engine\.io|zod|pino)/],
  ['server/chat', /^(socket\.io|engine\.io|node:(?!crypto))/],
  ['server/liveness', /^(socket\.io|engine\.io)/],
  ['packages/session-server/src', /^(socket\.io|engine\.io)/],
])('%s imports no package that matches %s', (folder, forbidden) => {
  const found = filesIn(folder, /\.tsx?$/).flatMap((file) =>
    importsOf(file)
      .filter(({ from }) => forbidden.test(from))
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('the history imports only types from the wire schemas, which each thread would build', () => {
  const found = filesIn('server/history', /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(({ from, typeOnly }) => from === 'server/wire/events.ts' && !typeOnly)
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

/** The files and folders of the history, lowest first. */
const historyOrder = [
  'migrations.ts',
  'unusable.ts',
  // What is stored, and what runs operations on it.
  'records/',
  'engine/',
  'rows/',
  // The subjects.
  'audit.ts',
  'days.ts',
  'ended-logins.ts',
  'users/',
  'invites.ts',
  'threads/',
  'members/',
  'messages/',
  'pins.ts',
  'moderation/',
  'files/',
  'rooms/',
  'arrivals.ts',
  'find-users.ts',
  'imports.ts',
  'later.ts',
  'erasure/',
  'webhooks.ts',
  'webhook-turns.ts',
  'notifications/',
  'questions/',
  'consuming.ts',
  'known-tables.ts',
  // All of them, and the histories that run them.
  'subjects.ts',
  'history.ts',
  'sqlite/',
  'open.ts',
  'erased-users.ts',
];

test('each part of the history imports only parts below it', () => {
  const parts = new Set(filesIn('server/history', /\.ts$/).map((file) => file.split(/(?<=\/)/)[2]));
  expect(historyOrder.toSorted()).toEqual([...parts].sort());
  const placeOf = (file: string) =>
    historyOrder.findIndex((part) =>
      part.endsWith('/') ? file.startsWith(`server/history/${part}`) : file === `server/history/${part}`,
    );
  const found = filesIn('server/history', /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(({ from }) => placeOf(from) > placeOf(file))
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('subjects.ts lists each subject of the history', () => {
  const made = filesIn('server/history', /\.ts$/).flatMap((file) =>
    [...read(file).matchAll(/^export const (\w+) = subject</gm)].map(([, name]) => name),
  );
  expect(made.length).toBeGreaterThan(30);
  const [, list = ''] =
    /^export const list = \[(.*?)\] as const;/ms.exec(read('server/history/subjects.ts')) ?? [];
  expect(
    list
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean)
      .sort(),
  ).toEqual(made.sort());
});

test('the browser client imports only types and a few rules of the server', () => {
  const found = filesIn('client/src', /\.tsx?$/).flatMap((file) =>
    importsOf(file)
      .filter(
        ({ from, typeOnly }) =>
          from.startsWith('server/') &&
          !from.startsWith('server/text/') &&
          ['avatar', 'file-names', 'counted', 'guest', 'polls', 'questions', 'runs'].every(
            (rule) => from !== `server/wire/${rule}.ts`,
          ) &&
          !(typeOnly && ['server/wire/events.ts', 'server/wire/content.ts'].includes(from)),
      )
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test.each([
  ['server/README.md', 'server'],
  ['packages/session-server/README.md', 'packages/session-server/src'],
  ['CONTRIBUTING.md', '.'],
])('%s names only declarations that exist in the files it gives', (page, folder) => {
  const named = [...read(page).matchAll(/`#?(\w+)`\s+in\s+`([\w/.-]+\.tsx?)`/g)];
  expect(named.length).toBeGreaterThan(15);
  const missing = named.filter(([, name, file = '']) => {
    const path = join(folder, file);
    // CONTRIBUTING.md leaves out the folder if the previous file has the same one.
    if (folder === '.' && !file.includes('/')) return false;
    if (!existsSync(join(root, path))) return true;
    const method = `^ +(static |async )*#?${name}(<[^>]*>)?\\((\\{[^}]*\\}|[^;()])*\\)(: [^;]*?)? (\\{|=>)`;
    const declared = `(function\\*?|class|const|interface|type) ${name}\\b|${method}|^ +(readonly #)?${name}\\??(:| =) `;
    return !new RegExp(declared, 'm').test(read(path));
  });
  expect(missing.map(([text]) => text)).toEqual([]);
});

test('each place that starts the server uses the Node options of package.json, a compile cache or both', () => {
  const [, options] = /exec node (.*) server\/command\/main\.ts run/.exec(read('package.json')) ?? [];
  expect(options).toMatch(/^--/);
  const places: [file: string, start: (options: string) => string, cache: string][] = [
    ['Dockerfile', () => 'CMD ["php-session-chat", "run"]', 'ENV NODE_COMPILE_CACHE='],
    ['bin/php-session-chat', (o) => `"$node" ${o} `, ''],
    ['docs/operate/systemd.md', () => '/php-session-chat run\n', '\nEnvironment=NODE_COMPILE_CACHE='],
    ['scripts/site.mjs', (o) => `...[${list(o)}, 'server/command/main.ts'],`, 'NODE_COMPILE_CACHE: '],
    ['test/helpers/chat-server.ts', (o) => `[${list(o)}, 'server/command/main.ts']`, ''],
    ['test/helpers/child.ts', () => '', 'NODE_COMPILE_CACHE: '],
    ['package.json', (o) => `node ${o} server/command/main.ts run"`, '"NODE_COMPILE_CACHE='],
  ];
  const list = (text: string) =>
    text
      .split(' ')
      .map((option) => `'${option}'`)
      .join(', ');
  for (const [file, start, cache] of places) {
    expect(read(file)).toContain(start(options as string));
    expect(read(file)).toContain(cache);
  }
  // Setting flags after the start sometimes makes V8 hang on exit.
  const later = filesIn('server', /\.ts$/).filter((file) => /^(?! \*).*setFlagsFromString/m.test(read(file)));
  expect(later).toEqual([]);
});
