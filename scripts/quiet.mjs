import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './processes.mjs';

/**
 * Runs a program without showing its output. Returns the last lines, for use after a failure.
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 */
export async function runQuietly(program, args, options) {
  const folder = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  const path = join(folder, 'output');
  const file = openSync(path, 'a');
  try {
    const how = await launch(program, args, { ...options, stdio: ['ignore', file, file] }).ended;
    return { ok: how === 'code 0', output: `${lastLines(path, 60)}\n(${program}: ${how})\n` };
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} path @param {number} count */
export const lastLines = (path, count) =>
  readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
