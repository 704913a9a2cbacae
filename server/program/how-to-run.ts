/** The packages and the image contain JavaScript, and install a command. In a checkout, npm scripts run it. */
const isInstalled = import.meta.url.endsWith('.js');

/** The npm scripts of commands that have one. */
const scripts: Record<string, string> = {
  init: 'init',
  run: 'server',
  doctor: 'doctor',
  'session-server': 'session-server',
};

/**
 * Returns the command line that a user types here.
 * @param isPiped the output goes to another program, so npm must not print its own lines
 */
export function howToRun(command: string, options = '', isPiped = false): string {
  const suffix = options === '' ? '' : ` ${options}`;
  if (isInstalled) return `php-session-chat ${command}${suffix}`;
  const npm = `npm run${isPiped ? ' -s' : ''}`;
  const script = scripts[command];
  if (script === undefined) return `${npm} command -- ${command}${suffix}`;
  return `${npm} ${script}${options === '' ? '' : ` -- ${options}`}`;
}

/** Returns the folder in which the user typed the command. npm changes the working directory. */
export const callersFolder = (env: NodeJS.ProcessEnv): string =>
  (isInstalled ? undefined : env.INIT_CWD) ?? process.cwd();

/** The documentation, seen from `dist/server/program/`. */
const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));

/** Replaces names of pages, such as docs/install.md, by their absolute paths if the program is installed. */
export const withDocs = (text: string): string =>
  isInstalled ? text.replace(/(?<![\w./-])docs\/(?=[\w/-]+\.md\b)/g, docs) : text;

import { fileURLToPath } from 'node:url';
