import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';

/**
 * A PHP process that runs scripts of this folder until the tests of this process end. Starting it takes longer than a
 * hundred scripts.
 */
interface Php {
  child: Child;
  /** The calls that wait for the next lines. */
  waiting: { resolve(line: string): void; reject(error: Error): void }[];
}

const running = new Map<boolean, Php>();

const program = fileURLToPath(new URL('php-answers.php', import.meta.url));

function startPhp(withExtensions: boolean): Php {
  // Loading its extensions takes half of PHP's start, and few scripts need one.
  const options = withExtensions ? [] : ['-n', '-d', 'display_errors=0'];
  const child = startChild('php', [...options, program], { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: Php['waiting'] = [];
  if (child.process.stdout)
    createInterface(child.process.stdout).on('line', (line) => waiting.shift()?.resolve(line));
  child.process.on('close', () => {
    running.delete(withExtensions);
    for (const { reject } of waiting.splice(0)) reject(new Error(`PHP has ended: ${child.output()}`));
  });
  return { child, waiting };
}

/** Returns what a script of this folder returns for `$in`. */
export async function phpAnswer(script: string, input: object, withExtensions = false) {
  const php = running.get(withExtensions) ?? startPhp(withExtensions);
  running.set(withExtensions, php);
  const line = new Promise<string>((resolve, reject) => php.waiting.push({ resolve, reject }));
  php.child.process.stdin?.write(`${JSON.stringify([script, input])}\n`);
  return JSON.parse(await line);
}
