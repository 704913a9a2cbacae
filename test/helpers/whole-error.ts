import { StoreError } from '../../packages/php-session/src/store.ts';

/** Returns the messages of an error and its causes, as a log would show them. */
export function everything(error: unknown): string {
  return error instanceof Error ? `${error.message} ${everything(error.cause)}` : String(error);
}

/** Expects that a query to a store fails with a StoreError. @returns everything that a log could show of the error */
export async function failureOf(question: Promise<unknown>): Promise<string> {
  const error = await question.then(
    () => new Error('the query succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw error;
  return error.cause === undefined ? error.message : `${error.message} (${error.cause})`;
}
