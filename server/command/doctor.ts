import { doctor, usage } from '../doctor/report.ts';
import { openTerminal } from '../init/terminal.ts';
import { withDocs } from '../program/how-to-run.ts';
import { forScreen } from '../text/blank.ts';

export { usage as help };

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  // The reader closed the pipe, so the remaining checks are not needed.
  process.stdout.on('error', () => process.exit());
  return doctor(args, env, {
    finding: (line) => console.log(withDocs(forScreen(line))),
    problem: (line) => console.error(withDocs(forScreen(line))),
    askCookie,
  });
}

async function askCookie(): Promise<string | null> {
  const terminal = openTerminal();
  try {
    return await terminal.askHidden('? The session cookie, or the whole header Cookie (hidden): ');
  } finally {
    terminal.close();
  }
}
