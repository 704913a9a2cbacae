import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildClient, mark } from './client-build.mjs';
import { Problem, runCommand, USAGE } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const dist = join(root, 'dist');
/** The packages that the chat contains. */
const packages = ['php-session', 'session-server'];

/**
 * Makes what `npm pack` packs: without arguments the chat, with the name of a folder in `packages/` that package. Node
 * runs no TypeScript in a package.
 */
async function build() {
  const [option, folder = option] = process.argv.slice(2);
  if (folder === undefined) return await buildChat();
  if (!packages.includes(folder)) throw new Problem(`package.mjs: there is no package ${folder}`, USAGE);
  if (option !== '--restore') {
    await buildPackage(folder);
    cpSync(join(root, 'LICENSE'), join(root, 'packages', folder, 'LICENSE'));
  }
  writeManifest(join(root, 'packages', folder), manifestOf(folder, option !== '--restore'));
  return 0;
}

/** `dist/` has the folders of the checkout, so that files find each other in both by the same paths. */
async function buildChat() {
  rmSync(dist, { recursive: true, force: true });
  await compile('tsconfig.build.json');
  await compile('client/tsconfig.build.json');
  await buildClient();
  cpSync(join(root, 'client/dist'), join(dist, 'client/dist'), {
    recursive: true,
    filter: (path) => path !== mark,
  });
  cpSync(join(root, 'package.json'), join(dist, 'package.json'));
  // Migrations and the texts of mails.
  cpSync(join(root, 'server'), join(dist, 'server'), {
    recursive: true,
    filter: (path) => !/\.(ts|md)$/.test(path),
  });
  for (const folder of packages) {
    await buildPackage(folder);
    const manifest = manifestOf(folder, true);
    // npm would not pack a folder of this name at the top.
    const into = join(dist, 'node_modules', manifest.name);
    cpSync(join(root, 'packages', folder, 'dist'), join(into, 'dist'), { recursive: true });
    writeManifest(into, manifest);
  }
  // The former place of php-sessions.
  for (const ending of ['js', 'd.ts'])
    writeFileSync(join(dist, `session.${ending}`), "export * from 'php-sessions';\n");
  return 0;
}

/** Compiles a package for older versions of Node, with types. @param {string} folder */
async function buildPackage(folder) {
  rmSync(join(root, 'packages', folder, 'dist'), { recursive: true, force: true });
  await compile(`packages/${folder}/tsconfig.build.json`);
}

/**
 * The manifest of a package. In the checkout its `exports` name the sources, which Node runs as they are; `npm pack`
 * needs those that `publishConfig` holds.
 * @param {string} folder
 * @param {boolean} packed
 */
function manifestOf(folder, packed) {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  const { publishConfig } = manifest;
  const isPacked = typeof manifest.exports['.'] === 'object';
  if (isPacked === packed) return manifest;
  return { ...manifest, exports: publishConfig.exports, publishConfig: { exports: manifest.exports } };
}

/** @param {string} folder @param {object} manifest */
const writeManifest = (folder, manifest) =>
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

/** `npm run types` checks the types, which takes three times as long. @param {string} project */
async function compile(project) {
  const { node, env } = runtime();
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const result = await runQuietly(node, [compiler, '--noCheck', '--project', project], { cwd: root, env });
  if (!result.ok) throw new Problem(`${project} could not be compiled:\n\n${result.output}`);
}

await runCommand(build);
