import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildClient, mark } from './client-build.mjs';
import { Problem, runCommand, USAGE } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const dist = join(root, 'dist');
/** The separate package that the chat contains. */
const library = 'php-session';

/**
 * Compiles a package. `npm pack` runs this before it packs the chat or the library, and with `--restore` after the
 * library. Node does not run TypeScript in an installed package.
 */
async function build() {
  const [option, folder = option] = process.argv.slice(2);
  if (folder === undefined) return await buildChat();
  if (folder !== library) throw new Problem(`package.mjs: unknown package ${folder}`, USAGE);
  const place = join(root, 'packages', folder);
  const license = join(place, 'LICENSE');
  if (option === '--restore') {
    const { main, types, typesVersions, ...manifest } = readManifest(folder, toSources);
    writeManifest(place, manifest);
    rmSync(license, { force: true });
    return 0;
  }
  await buildPackage(folder);
  cpSync(join(root, 'LICENSE'), license);
  writeManifest(place, addOldEntries(readManifest(folder, toCompiled)));
  return 0;
}

/** Creates `dist/` with the folders of the checkout, so that relative paths are the same in both. */
async function buildChat() {
  rmSync(dist, { recursive: true, force: true });
  await bundleServer();
  await compile('client/tsconfig.build.json');
  await buildClient();
  cpSync(join(root, 'client/dist'), join(dist, 'client/dist'), {
    recursive: true,
    filter: (path) => path !== mark,
  });
  await packPlugin();
  await buildPackage(library);
  const manifest = readManifest(library, toCompiled);
  // npm does not pack a top-level node_modules.
  const into = join(dist, 'node_modules', manifest.name);
  cpSync(join(root, 'packages', library, 'dist'), join(into, 'dist'), { recursive: true });
  writeManifest(into, manifest);
  // The former path of php-sessions, for old imports.
  for (const ending of ['js', 'd.ts'])
    writeFileSync(join(dist, `session.${ending}`), "export * from 'php-sessions';\n");
  return 0;
}

/** Packs the WordPress plugin, which `init` offers to owners of a WordPress. */
async function packPlugin() {
  const { node, env } = runtime();
  const result = await runQuietly(
    node,
    ['scripts/wordpress-plugin.ts', join(dist, 'php-session-chat.zip')],
    // Zip archives contain local times.
    { cwd: root, env: { ...env, TZ: 'UTC' } },
  );
  if (!result.ok) throw new Problem(`The WordPress plugin could not be packed:\n\n${result.output}`);
}

async function bundleServer() {
  const { node, env } = runtime();
  const result = await runQuietly(node, [join(root, 'scripts/server-bundles.ts'), dist], { cwd: root, env });
  if (!result.ok) throw new Problem(`The server could not be bundled:\n\n${result.output}`);
}

/** Compiles a package for older versions of Node, with types. @param {string} folder */
async function buildPackage(folder) {
  rmSync(join(root, 'packages', folder, 'dist'), { recursive: true, force: true });
  await compile(`packages/${folder}/tsconfig.build.json`);
}

/** @typedef {string | { types: string, default: string }} Export the source in the checkout, or the compiled files */

/** @param {Export} file @returns {Export} */
const toCompiled = (file) => {
  if (typeof file !== 'string') return file;
  const path = file.replace(/^\.\/src\/(.*)\.ts$/, './dist/$1');
  return { types: `${path}.d.ts`, default: `${path}.js` };
};

/** @param {Export} file @returns {Export} */
const toSources = (file) =>
  typeof file === 'string' ? file : file.default.replace(/^\.\/dist\/(.*)\.js$/, './src/$1.ts');

/**
 * Reads the manifest of a package. After an interrupted pack, its `exports` still refer to the compiled files.
 * @param {string} folder
 * @param {(file: Export) => Export} convert
 */
function readManifest(folder, convert) {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  const names = Object.keys(manifest.exports);
  return {
    ...manifest,
    exports: Object.fromEntries(names.map((name) => [name, convert(manifest.exports[name])])),
  };
}

/**
 * Adds the entries for tools that do not read `exports`, such as TypeScript with `moduleResolution: node10`.
 * @param {any} manifest with compiled files
 */
function addOldEntries(manifest) {
  const { '.': main, ...others } = manifest.exports;
  const typesVersions = Object.fromEntries(
    Object.entries(others).map(([name, { types }]) => [name.slice('./'.length), [types]]),
  );
  return { ...manifest, main: main.default, types: main.types, typesVersions: { '*': typesVersions } };
}

/** @param {string} folder @param {object} manifest */
const writeManifest = (folder, manifest) =>
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

/**
 * Compiles without type checks, because `npm run types` does them, and they take three times as long.
 * @param {string} project
 */
async function compile(project) {
  const { node, env } = runtime();
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const result = await runQuietly(node, [compiler, '--noCheck', '--project', project], { cwd: root, env });
  if (!result.ok) throw new Problem(`${project} could not be compiled:\n\n${result.output}`);
}

await runCommand(build);
