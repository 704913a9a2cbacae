/** A package holds JavaScript. */
const isPackage = import.meta.url.endsWith('.js');

/**
 * A package, and the image, have a command of the system. A checkout is started by npm, from whichever folder it is
 * called.
 */
const isInstalled = isPackage || process.env.PHP_SESSION_CHAT_COMMAND !== undefined;

/** The commands that a checkout has as scripts of the same name, and those with another one. */
const scripts: Record<string, string> = {
  init: 'init',
  run: 'server',
  doctor: 'doctor',
  'session-server': 'session-server',
};

/**
 * A command as its reader types it.
 * @param options words behind the command
 * @param output whether nothing but the command's own output may be printed, because it is passed on
 */
export function howToRun(command: string, options = '', output = false): string {
  const behind = options === '' ? '' : ` ${options}`;
  if (isInstalled) return `php-session-chat ${command}${behind}`;
  const npm = `npm run${output ? ' -s' : ''}`;
  const script = scripts[command];
  if (script === undefined) return `${npm} command -- ${command}${behind}`;
  return `${npm} ${script}${options === '' ? '' : ` -- ${options}`}`;
}

/** The folder in which its reader has typed the command: npm changes it. */
export const callersFolder = (env: NodeJS.ProcessEnv): string =>
  (isInstalled ? undefined : env.INIT_CWD) ?? process.cwd();

/** The pages of the package, or of the image, which has the sources in place of `dist/`. */
const docs = new URL(isPackage ? '../../../docs/' : '../../docs/', import.meta.url).pathname;

/** Names pages of the documentation, such as docs/install.md, by their path. In a checkout that is right already. */
export const withDocs = (text: string): string =>
  isInstalled ? text.replace(/(?<![\w./-])docs\/(?=[\w-]+\.md\b)/g, docs) : text;
