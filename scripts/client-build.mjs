import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const client = join(root, 'client');
/** The file with the hash of the sources. It is deleted together with the build, because it is in the same folder. */
export const mark = join(client, 'dist', '.built-from');

/** Builds the client unless the existing build has the same sources. */
export async function buildClient() {
  const hash = sourceHash();
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return;
  console.log('building the client');
  const { node, env } = runtime();
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  // Tests set NODE_ENV to `test`, with which Vite would create a different build.
  const production = { ...env, NODE_ENV: 'production' };
  const result = await runQuietly(node, [vite, 'build', 'client'], { cwd: root, env: production });
  if (!result.ok) throw new Problem(`The client could not be built:\n\n${result.output}`);
  writeFileSync(mark, hash);
}

/** The folders of the server whose files the client imports. */
export const sharedFolders = ['server/wire', 'server/text'];

/** Hashes contents, because copies and checkouts change file times. */
function sourceHash() {
  const hash = createHash('sha256');
  const files = readdirSync(client, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !path.startsWith(join(client, 'dist')));
  // The guide contains a page of docs/. The lock file represents Vite and the libraries.
  files.push(
    ...sharedFolders.flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
    ),
    join(root, 'docs', 'element.md'),
  );
  files.push(join(root, 'package-lock.json'));
  for (const path of files.sort()) {
    hash
      .update(`${path.slice(root.length)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}
