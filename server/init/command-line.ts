import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { givenSettings, usualFiles } from '../settings/file.ts';
import { lineForScreen } from '../text/blank.ts';
import { parseAddress } from './address.ts';
import { dataFolder } from './data-folder.ts';
import { requireAbsent } from './settings-file.ts';

export const usage = `${howToRun('init', 'FOLDER [--url ADDRESS] [--user ACCOUNT] [--settings FILE] [--yes] [--print] [--force]')}
${howToRun('init', '--steps [--url ADDRESS] [--user ACCOUNT] [--settings FILE]')}

Reads the site in a folder, tests what the chat needs of it, and writes the settings. The site stays unchanged.

  FOLDER           the folder of the site, such as /var/www/html
  --url ADDRESS    the address of the site, such as https://www.example.org, or of the chat
  --user ACCOUNT   the account that the chat server will run as
  --settings FILE  the file to write (default ${usualFiles[0]}, or ./${usualFiles[1]} if you are not root);
                   for an additional site on this machine ${dirname(usualFiles[0])}/NAME.conf
  --yes            asks no questions, for scripts
  --print          shows the settings without writing them
  --force          replaces an existing file, and keeps it as FILE.old
  --steps          shows the next steps again, for the settings that exist, and writes nothing

Settings in the environment, such as CHAT_PORT=7071, are added to the file.
Example: ${howToRun('init', '/var/www/html --url https://www.example.org')}`;

export interface Options {
  /** The value of CHAT_SITE. */
  site: string;
  folder: string;
  url: URL | null;
  user: string | undefined;
  /** The file to write. */
  settings: string;
  /** The folder for messages and files. */
  data: string;
  yes: boolean;
  print: boolean;
  force: boolean;
  /** With `--steps`, the settings in the file, without CHAT_SITE. */
  saved: Record<string, string> | undefined;
}

/** Parses the arguments of `init`. @throws CommandProblem */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { values, positionals } = parse(args);
  const from = callersFolder(env);
  const named = values.settings === undefined ? undefined : resolve(from, values.settings);
  if (values.steps && (values.force || values.print))
    throw new CommandProblem(
      exit.usage,
      `--steps writes no settings: leave out --force and --print\n\n${usage}`,
    );
  const existing = values.steps ? readSaved(named) : undefined;
  const [given = existing?.site, ...others] = positionals;
  if (given === undefined || given === '' || others.length > 0) {
    throw new CommandProblem(
      exit.usage,
      `${given ? `expected one folder, got ${positionals.length}` : 'the folder of the site is missing'}:\n\n${usage}`,
    );
  }
  const [, kind = '', path = given] = /^([a-z][a-z0-9-]*:)(\/.*)$/.exec(given) ?? [];
  const folder = resolve(from, path);
  requireFolder(folder, kind !== '');
  const url = values.url === undefined ? null : parseAddress(values.url);
  const settings = existing?.file ?? named ?? defaultFile();
  if (existing === undefined && !values.print) requireAbsent(settings, values.force);
  if (existing !== undefined && folder !== existing.site.replace(/^[a-z][a-z0-9-]*:/, ''))
    throw new CommandProblem(exit.usage, `${settings} is for ${existing.site}: leave out the folder`);
  return {
    site: existing?.site ?? `${kind}${folder}`,
    folder,
    url,
    user: values.user,
    settings,
    data: dataFolder(settings),
    yes: values.yes || values.steps,
    print: values.print,
    force: values.force,
    saved: existing?.saved,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        url: { type: 'string' },
        user: { type: 'string' },
        settings: { type: 'string' },
        yes: { type: 'boolean', default: false },
        print: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
        steps: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    throw new CommandProblem(exit.usage, `${message}\n\n${usage}`);
  }
}

/**
 * Reads the settings that `init` wrote.
 * @param named the value of `--settings`
 * @throws CommandProblem
 */
function readSaved(named: string | undefined) {
  const { env, file } = givenSettings(named, {});
  const { CHAT_SITE: site, ...saved } = env;
  if (file !== undefined && site) return { file, site, saved: saved as Record<string, string> };
  throw new CommandProblem(
    exit.configuration,
    `${file === undefined ? 'there are no settings' : `${file} does not contain CHAT_SITE`}: run ${howToRun('init', 'FOLDER')} first`,
  );
}

/** Returns the settings file of the machine, or a file in the current folder if this account may not write it. */
function defaultFile(): string {
  const [machineFile, localFile] = usualFiles;
  if (process.geteuid?.() === 0) return machineFile;
  try {
    accessSync(dirname(machineFile), constants.W_OK);
    return machineFile;
  } catch {
    return resolve(localFile);
  }
}

/**
 * Requires the folder of a site.
 * @param mayBeFile whether a configuration file is accepted
 * @throws CommandProblem
 */
function requireFolder(folder: string, mayBeFile: boolean): void {
  try {
    if (statSync(realpathSync(folder)).isDirectory() || mayBeFile) return;
    throw new CommandProblem(
      exit.usage,
      `${lineForScreen(folder)} is a file: give the folder of the site, such as ${dirname(folder)}`,
    );
  } catch (error) {
    if (error instanceof CommandProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reason = {
      ENOENT: 'there is no such folder',
      ENOTDIR: 'there is no such folder: a parent in the path is a file',
      ELOOP: 'its symbolic links form a loop',
      EACCES: 'this account may not read it: run this as root, or as the account of the chat server',
    }[code ?? ''];
    throw new CommandProblem(
      code === 'EACCES' ? exit.configuration : exit.usage,
      `${lineForScreen(folder)}: ${reason ?? `it cannot be read (${code})`}`,
    );
  }
}
