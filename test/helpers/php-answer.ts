import { execFileSync } from 'node:child_process';

/**
 * What PHP makes of this input by a script of this folder. To load its extensions takes PHP half of such a run, and the
 * scripts need none of them.
 */
export function phpAnswer(script: string, input: object) {
  const { pathname } = new URL(script, import.meta.url);
  const output = execFileSync('php', ['-n', '-d', 'display_errors=stderr', pathname], {
    input: JSON.stringify(input),
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
