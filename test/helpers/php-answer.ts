import { execFileSync } from 'node:child_process';

/**
 * The output of a script of this folder, run by PHP with this input. To load its extensions takes PHP half of such a run, and few
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
