import { doctor } from '../../server/doctor/report.ts';

/** Runs the doctor in this process. @returns its output */
export async function doctorSays(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  await doctor(['--settings=', ...args], env, { finding: say, problem: say });
  return lines.join('\n');
}
