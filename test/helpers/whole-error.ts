import { StoreError } from '../../packages/php-session/src/store.ts';

/** An error with its causes, as a log would show it. */
export function everything(error: unknown): string {
  return error instanceof Error ? `${error.message} ${everything(error.cause)}` : String(error);
}

/** Everything that a log could show of the StoreError with which a query to a store fails. */
export async function failureOf(question: Promise<unknown>): Promise<string> {
  const error = await question.then(
    () => new Error('there was an answer'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw error;
  return error.cause === undefined ? error.message : `${error.message} (${error.cause})`;
}
