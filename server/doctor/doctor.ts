import { forScreen } from '../session/blank.ts';
import { doctor } from './report.ts';

// A reader such as `head` may close the pipe early.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') throw new Error(`the standard output cannot be written (${code})`);
  process.exit();
});

process.exitCode = await doctor(process.argv.slice(2), process.env, {
  finding: (line) => console.log(forScreen(line)),
  problem: (line) => console.error(forScreen(line)),
});
