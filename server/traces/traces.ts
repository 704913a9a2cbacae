import { type History, methods } from '../history/history.ts';

/**
 * Spans for OpenTelemetry. Their names and codes are from fixed sets: no session, no user, no room and no text is in
 * them.
 */
export interface Traces {
  /**
   * Runs work in a span that begins a trace.
   * @param codeOf the error code in a result that refuses something
   */
  begin<T>(name: string, work: () => Promise<T>, codeOf?: (result: T) => string | undefined): Promise<T>;
  /** Runs work in a span below the one around it. Without one around it, only runs it. */
  below<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Sends what is not sent yet. @param ms the longest time that this takes */
  close(ms: number): Promise<void>;
}

/** As long as nobody wants any. */
export const noTraces: Traces = {
  begin: (_name, work) => work(),
  below: (_name, work) => work(),
  close: async () => {},
};

/** The same history, with a span for each of its reads and writes. */
export function tracedHistory(history: History, traces: Traces): History {
  // The maps pair each operation with its input, which TypeScript cannot follow.
  return {
    ...history,
    write: methods((op, input, asker) =>
      traces.below(`history.write.${op}`, (): Promise<unknown> => history.write[op as 'send'](input, asker)),
    ),
    read: methods((op, input) =>
      traces.below(`history.read.${op}`, (): Promise<unknown> => history.read[op as 'room'](input)),
    ),
  };
}
