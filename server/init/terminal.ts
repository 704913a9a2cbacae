import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { withDocs } from '../program/how-to-run.ts';
import { forScreen, lineForScreen } from '../text/blank.ts';

export interface Terminal {
  say(line?: string): void;
  problem(line: string): void;
  /** Prints an empty line, and a line in bold. */
  heading(text: string): void;
  /** Returns null at the end of the input. */
  ask(question: string): Promise<string | null>;
  /** Asks without showing what is typed. */
  askHidden(question: string): Promise<string | null>;
  close(): void;
}

/** A `Cookie` header has at most a few thousand characters. */
const maxAnswerCharacters = 64 * 1024;

/** Opens standard input and output. A script writes one answer per line. */
export function openTerminal(): Terminal {
  const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const lines: string[] = [];
  let resolveLine: ((line: string | null) => void) | undefined;
  let ended = false;
  let hidden = false;
  let reader: Interface | undefined;

  /** Starts reading input at the first question. Otherwise the process would wait for the end of the input. */
  function listen(): void {
    if (reader !== undefined) return;
    // Shows the typed characters, unless the answer is hidden.
    const echo = new Writable({
      write(chunk, _, done) {
        if (!hidden) process.stdout.write(chunk);
        done();
      },
    });
    reader = createInterface({
      input: process.stdin,
      ...(isInteractive ? { output: echo, terminal: true, historySize: 0 } : {}),
    });
    reader.on('line', (text) => {
      const line = text.slice(0, maxAnswerCharacters).trim();
      if (resolveLine === undefined) lines.push(line);
      else resolveLine(line);
      resolveLine = undefined;
    });
    reader.on('close', () => {
      ended = true;
      resolveLine?.(null);
      resolveLine = undefined;
    });
    // The exit code of a program that Ctrl-C ends.
    reader.on('SIGINT', () => process.exit(130));
  }

  async function ask(question: string, isHidden: boolean): Promise<string | null> {
    listen();
    process.stdout.write(lineForScreen(question));
    hidden = isHidden;
    const line = lines.shift();
    const answer =
      line ??
      (ended
        ? null
        : await new Promise<string | null>((resolve) => {
            resolveLine = resolve;
          }));
    hidden = false;
    if (!isInteractive || isHidden || answer === null) process.stdout.write('\n');
    return answer;
  }

  return {
    // File names, versions and database messages of a site may contain control characters.
    say: (line = '') => void process.stdout.write(`${withDocs(forScreen(line))}\n`),
    problem: (line) => void process.stderr.write(`${withDocs(forScreen(line))}\n`),
    heading: (text) =>
      void process.stdout.write(`\n${styleText('bold', lineForScreen(text), { stream: process.stdout })}\n`),
    ask: (question) => ask(question, false),
    askHidden: (question) => ask(question, true),
    close: () => reader?.close(),
  };
}
