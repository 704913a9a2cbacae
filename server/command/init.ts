import { init } from '../init/command.ts';
import { usage } from '../init/command-line.ts';
import { openTerminal } from '../init/terminal.ts';

export { usage as help };

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const terminal = openTerminal();
  try {
    return await init(args, env, terminal);
  } finally {
    terminal.close();
  }
}
