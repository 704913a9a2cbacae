import { init } from './command.ts';
import { openTerminal } from './terminal.ts';

const terminal = openTerminal();
// A reader such as `head` may close the pipe early. The settings are written nevertheless.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') throw new Error(`the standard output cannot be written (${code})`);
});
process.exitCode = await init(process.argv.slice(2), process.env, terminal);
terminal.close();
