import { doctor } from '../../server/doctor/report.ts';

/** Runs the doctor in this process. */
export async function doctorRun(
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number; output: string }> {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  const code = await doctor(['--settings=', ...args], env, { finding: say, problem: say });
  return { code, output: lines.join('\n') };
}

/** Runs the doctor in this process. @returns its output */
export const doctorSays = async (env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> =>
  (await doctorRun(env, ...args)).output;
