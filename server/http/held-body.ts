import type { IncomingMessage, ServerResponse } from 'node:http';

/** The responses to requests whose clients wait for `100 Continue`, before they send the body. */
const responses = new WeakMap<IncomingMessage, ServerResponse>();

/** Notes that the client of a request waits for `100 Continue`. */
export function holdBody(req: IncomingMessage, res: ServerResponse): void {
  responses.set(req, res);
}

/**
 * Asks the client for the body of a request if it waits for that (RFC 9110, section 10.1.1). Must be called before the
 * body is read, after all checks that need no body.
 */
export function askForBody(req: IncomingMessage): void {
  responses.get(req)?.writeContinue();
  responses.delete(req);
}
