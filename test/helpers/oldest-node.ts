import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Installs the oldest Node that the packages support. Needs the registry of npm. @returns the folder of the program */
export function installOldestNode(folder: string): string {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const name = `node-linux-${process.arch}`;
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{}');
  execFileSync('npm', ['install', `${name}@${engines.node.replace('>=', '~')}`], {
    cwd: folder,
    stdio: 'pipe',
  });
  return join(folder, 'node_modules', name, 'bin');
}
