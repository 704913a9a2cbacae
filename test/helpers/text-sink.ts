import { Writable } from 'node:stream';

interface TextSink {
  readonly stream: Writable;
  /** All text written so far. */
  text(): string;
  /** Resolves with the first match at or after offset `from`. */
  until(pattern: RegExp, from?: number): Promise<RegExpExecArray>;
}

/** Returns a stream that keeps the text written to it. */
export function textSink(): TextSink {
  let text = '';
  const checks = new Set<() => void>();
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      for (const check of checks) check();
      done();
    },
  });
  return {
    stream,
    text: () => text,
    until: (pattern, from = 0) =>
      new Promise((resolve) => {
        const check = () => {
          const match = pattern.exec(text.slice(from));
          if (match === null) return;
          checks.delete(check);
          resolve(match);
        };
        checks.add(check);
        check();
      }),
  };
}
