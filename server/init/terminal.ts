import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { withDocs } from '../command/how-to-run.ts';
import { forScreen, lineForScreen } from '../wire/blank.ts';

/** A conversation with the owner. */
export interface Terminal {
  say(line?: string): void;
  problem(line: string): void;
  /** A line in bold, below an empty one. */
  heading(text: string): void;
  /** @returns the answer; null if there is nobody to answer */
  ask(question: string): Promise<string | null>;
  /** The same without showing what is typed. */
  askHidden(question: string): Promise<string | null>;
  close(): void;
}

/** Characters of one answer. A `Cookie` header has at most some thousands. */
const longest = 64 * 1024;

/** Standard input and output: those of a person, or of a script, which writes one answer a line. */
export function openTerminal(): Terminal {
  const isPerson = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const lines: string[] = [];
  let waiting: ((line: string | null) => void) | undefined;
  let ended = false;
  let hidden = false;
  let reader: Interface | undefined;

  /** Input is read only when there is a question: without one the process need not wait for its end. */
  function listen(): void {
    if (reader !== undefined) return;
    // It shows what is typed, and is silent while that is hidden.
    const echo = new Writable({
      write(chunk, _, done) {
        if (!hidden) process.stdout.write(chunk);
        done();
      },
    });
    reader = createInterface({
      input: process.stdin,
      ...(isPerson ? { output: echo, terminal: true, historySize: 0 } : {}),
    });
    reader.on('line', (text) => {
      const line = text.slice(0, longest).trim();
      if (waiting === undefined) lines.push(line);
      else {
        waiting(line);
        waiting = undefined;
      }
    });
    reader.on('close', () => {
      ended = true;
      waiting?.(null);
      waiting = undefined;
    });
    // As every program ends at Ctrl-C.
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
            waiting = resolve;
          }));
    hidden = false;
    if (!isPerson || isHidden || answer === null) process.stdout.write('\n');
    return answer;
  }

  return {
    // A site has its say in what is printed: file names, versions, messages of its database.
    say: (line = '') => void process.stdout.write(`${withDocs(forScreen(line))}\n`),
    problem: (line) => void process.stderr.write(`${withDocs(forScreen(line))}\n`),
    heading: (text) =>
      void process.stdout.write(`\n${styleText('bold', lineForScreen(text), { stream: process.stdout })}\n`),
    ask: (question) => ask(question, false),
    askHidden: (question) => ask(question, true),
    close: () => reader?.close(),
  };
}
