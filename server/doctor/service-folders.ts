import { execFile } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Finding, problem } from 'php-sessions/doctor';
import type { Config } from '../settings/config.ts';
import { findService } from '../settings/file.ts';

const properties = ['LoadState', 'ProtectSystem', 'StateDirectory', 'ReadWritePaths'] as const;

/**
 * Finds folders of the history and the files that are read-only for the installed service. The doctor itself runs
 * outside of the service, and may write to them.
 * @param settings the settings file, if any
 */
export async function* findReadOnlyFolders(
  { history, files }: Pick<Config, 'history' | 'files'>,
  settings: string | undefined,
): AsyncGenerator<Finding> {
  const service = settings === undefined ? undefined : findService(resolve(settings))?.service;
  const shown = service === undefined ? undefined : await show(service);
  if (shown?.LoadState !== 'loaded' || shown.ProtectSystem !== 'strict') return;
  const state = words(shown.StateDirectory).map((name) => `/var/lib/${name}`);
  const writable = [...state, ...words(shown.ReadWritePaths).map((path) => path.replace(/^[-+]+/, ''))];
  const places = [
    ['history', 'CHAT_HISTORY=sqlite:', history.kind === 'sqlite' ? dirname(resolve(history.path)) : ''],
    ['files', 'CHAT_FILES=dir:', files.kind === 'dir' ? resolve(files.folder) : ''],
  ] as const;
  for (const [title, setting, folder] of places) {
    if (folder === '' || writable.some((path) => `${folder}/`.startsWith(`${path}/`))) continue;
    yield problem(
      `The folder of the ${title}, ${folder}, is read-only for the service ${service}.`,
      `Stop the service, move the ${title} to ${state[0] ?? 'its StateDirectory='}, and correct ${setting}…; or add ReadWritePaths=${folder} by: systemctl edit ${service}`,
    );
  }
}

const words = (list = '') => list.split(' ').filter((word) => word !== '');

/** Returns the properties of a service. Undefined without systemd. */
async function show(service: string): Promise<Partial<Record<string, string>> | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'systemctl',
      ['show', service, `--property=${properties.join(',')}`],
      { timeout: 5000 },
    );
    return Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s, 2)));
  } catch {
    return undefined;
  }
}
