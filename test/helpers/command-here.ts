import { vi } from 'vitest';
import { CommandProblem } from '../../server/program/problem.ts';

type Run = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

/** Runs a command in this process, where its modules are loaded already. */
export async function commandHere(
  run: Run,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; said: string }> {
  const log = vi.spyOn(console, 'log').mockReturnValue();
  // The command changes it.
  const mask = process.umask();
  try {
    const code = await run(args, env);
    return { code, said: log.mock.calls.join('\n') };
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    return { code: error.code, said: error.message };
  } finally {
    process.umask(mask);
    log.mockRestore();
  }
}
