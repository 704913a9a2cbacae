/** An error with its causes, as a log would show it. */
export function everything(error: unknown): string {
  return error instanceof Error ? `${error.message} ${everything(error.cause)}` : String(error);
}
