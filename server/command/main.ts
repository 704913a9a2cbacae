import { trustSystemAuthorities } from '../program/authorities.ts';
import { howToRun, withDocs } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { forScreen } from '../text/blank.ts';

/** A subcommand. */
interface Command {
  /** Usage, options and an example. */
  help: string;
  /**
   * Runs the command.
   * @param args the arguments after the name of the command
   * @returns the exit code; undefined for a server, which keeps running
   * @throws CommandProblem, or an error of `parseArgs`
   */
  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number | undefined>;
}

/** Modules are imported on demand, so that a server does not load the other commands. */
const commands: Record<string, [does: string, load: () => Promise<Command>]> = {
  init: ['reads your site and writes the settings', () => import('./init.ts')],
  run: ['runs the chat server', () => import('./run.ts')],
  doctor: ['finds problems and says how to fix them', () => import('./doctor.ts')],
  'session-server': ['runs the session server', () => import('./session-server.ts')],
  backup: ['writes messages and files into one file', () => import('./backup.ts')],
  restore: ['restores a backup', () => import('./restore.ts')],
  move: ['moves the history to another database', () => import('./move.ts')],
  import: ['imports messages from another chat', () => import('./import.ts')],
  export: ['exports all data of a user', () => import('./export.ts')],
  erase: ['erases a user', () => import('./erase.ts')],
  'receive-mail': ['takes an answer to a mail from the mail server', () => import('./receive-mail.ts')],
  version: ['prints the version', () => import('./version.ts')],
};

const width = Math.max(...Object.keys(commands).map((name) => name.length));
const help = `Usage: ${howToRun('COMMAND')}

${Object.entries(commands)
  .map(([name, [does]]) => `  ${name.padEnd(width)}  ${does}`)
  .join('\n')}

For the options of a command: ${howToRun('COMMAND', '--help')}
Settings come from the environment and a file: docs/settings.md.
Example: ${howToRun('init', '/var/www/html --url https://www.example.org')}`;

const asksForHelp = (word: string) => word === '--help' || word === '-h';

function load(name: string): Promise<Command> {
  const [, load] = Object.entries(commands).find(([known]) => known === name)?.[1] ?? [];
  if (load !== undefined) return load();
  throw new CommandProblem(exit.usage, `there is no command ${JSON.stringify(masked(name))}\n\n${help}`);
}

async function main([name, ...args]: readonly string[]): Promise<number | undefined> {
  if (name === undefined) throw new CommandProblem(exit.usage, `a command is missing\n\n${help}`);
  if (asksForHelp(name)) return print(help);
  if (name === 'help') return print(args[0] === undefined ? help : (await load(args[0])).help);
  if (name === '--version' || name === '-V') return main(['version', ...args]);
  const command = await load(name);
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (options.some(asksForHelp)) return print(command.help);
  trustSystemAuthorities(process.env);
  try {
    return await command.run(args, process.env);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!String(code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw new CommandProblem(exit.usage, `${masked(message)}\n\n${command.help}`);
  }
}

/** Hides the user and password of an address. The password may contain any sign. */
const masked = (text: string): string => text.replace(/\/\/.*@/s, '//…@');

/** Returns a text with a capital, unless it begins with an address. */
const asSentence = (text: string): string =>
  /^\w+:\//.test(text) ? text : `${text[0]?.toUpperCase()}${text.slice(1)}`;

function print(text: string): number {
  console.log(withDocs(text));
  return 0;
}

// A reader such as `head` may close the pipe early. The command must still complete its other output.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') throw new Error(`the standard output cannot be written (${code})`);
});

try {
  const code = await main(process.argv.slice(2));
  if (code !== undefined) process.exitCode = code;
} catch (error) {
  if (!(error instanceof CommandProblem)) throw error;
  process.stderr.write(`${withDocs(forScreen(`✗ ${asSentence(error.message)}`))}\n`);
  process.exitCode = error.code;
}
