import { execFileSync } from 'node:child_process';

/**
 * What PHP makes of this input by a script of this folder. To load its extensions takes PHP half of such a run, and few
 * scripts need one.
 */
export function phpAnswer(script: string, input: object, withExtensions = false) {
  const { pathname } = new URL(script, import.meta.url);
  const options = withExtensions ? [] : ['-n', '-d', 'display_errors=0'];
  const output = execFileSync('php', [...options, pathname], {
    input: JSON.stringify(input),
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
