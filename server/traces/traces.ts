import { type History, methods } from '../history/history.ts';

/**
 * Spans for OpenTelemetry. Their names and codes come from fixed sets, so they do not contain sessions, users, rooms or
 * texts.
 */
export interface Traces {
  /**
   * Runs work in the root span of a new trace.
   * @param codeOf returns the error code of a result, or undefined for a success
   */
  begin<T>(name: string, work: () => Promise<T>, codeOf?: (result: T) => string | undefined): Promise<T>;
  /** Runs work in a child of the current span. Without a current span, runs the work without a span. */
  below<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Sends the remaining spans. @param ms the timeout */
  close(ms: number): Promise<void>;
}

/** Runs the work without spans. */
export const noTraces: Traces = {
  begin: (_name, work) => work(),
  below: (_name, work) => work(),
  close: async () => {},
};

/** Adds a span to each read and write of a history. */
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
