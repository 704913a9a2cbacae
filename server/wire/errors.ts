/**
 * All error codes of requests, with their default messages. Clients decide by the code alone. The message is for a log
 * or console.
 */
export const requestErrors = {
  bad_request: 'The request breaks a rule of the protocol.',
  too_long: 'The text is longer than this server allows.',
  unknown_event: 'This server does not know the event.',
  unknown_room: 'There is no such room.',
  unknown_message: 'There is no such message in this room.',
  unknown_user: 'There is no such user here.',
  unknown_file:
    'There is no such file of this user in this room, it is already in use, or it is not for this use.',
  unknown_invite: 'This invite link is no longer valid, or is not valid for this user.',
  forbidden: 'This user may not do that here.',
  not_joined: 'Join the room on this connection first.',
  conflict: 'It changed after you read it, or its name or clientId is in use. Read it again.',
  muted: 'This user is temporarily muted here.',
  limit_reached: 'The limit of this server is reached.',
  rate_limited: 'This user has reached a rate limit. Try again after retryAfterMs.',
  storage_unavailable: 'The history does not answer at the moment. Try again.',
  storage_full: 'There is no space left to store messages. Try again later.',
  site_unavailable: 'The site does not answer, or its answer cannot be used. Try again later.',
  server_draining: 'This server is shutting down. Connect again.',
  internal: 'The server failed. The operator finds the cause in its log.',
} as const;

/** Messages for these codes in responses about files. */
export const fileErrors: Partial<Record<RequestErrorCode, string>> = {
  storage_unavailable: 'Files cannot be stored or read at the moment. Try again.',
  storage_full: 'There is no space left to store files. Try again later.',
};

/** `retryable`: a later attempt with the same session may succeed. */
export const connectErrors = {
  unauthorized: { retryable: false, message: 'This session has no logged-in user.' },
  session_invalid: {
    retryable: false,
    message: 'The session cannot be read with the settings of this server.',
  },
  forbidden: { retryable: false, message: 'The site has banned this user from the chat.' },
  rate_limited: {
    retryable: true,
    message: 'This user has too many connections open. Close one, or try again later.',
  },
  session_store_unavailable: { retryable: true, message: 'The session store does not answer. Try again.' },
  server_draining: { retryable: true, message: 'This server is shutting down. Connect again.' },
  internal: { retryable: true, message: 'The server failed. The operator finds the cause in its log.' },
} as const;

/** The codes for failures of the server, not of the client. */
export const serverFailures: ReadonlySet<string> = new Set([
  'internal',
  'session_store_unavailable',
  'storage_full',
  'storage_unavailable',
]);

/** Maximum headers of an HTTP request, and their maximum size. Clients and proxies send up to 50. */
export const maxHeaders = 100;
export const maxHeaderBytes = 16 * 1024;
/** The cause of `header_too_large`. */
export const tooManyHeaders = `more than ${maxHeaderBytes / 1024} KB of headers, or more than ${maxHeaders} headers`;

export const httpErrors = {
  bad_request: { status: 400, message: 'The request is malformed.' },
  unsupported_protocol: {
    status: 400,
    message: 'This server speaks version 4 of the Engine.IO protocol. Update the client to Socket.IO 4.',
  },
  unauthorized: {
    status: 401,
    message: 'This request needs a valid API key, or the session of a logged-in user.',
  },
  origin_not_allowed: {
    status: 403,
    message: 'This page may not use the chat: CHAT_ORIGINS does not list its origin.',
  },
  session_changed: {
    status: 403,
    message: 'The session of this request differs from the session of the connection. Connect again.',
  },
  not_found: { status: 404, message: 'There is nothing at this address.' },
  method_not_allowed: { status: 405, message: 'This address does not support that method.' },
  length_required: { status: 411, message: 'The request needs a Content-Length.' },
  precondition_failed: {
    status: 412,
    message:
      'The condition of If-Match or If-None-Match is not met. Calls of the API have no versions: send them without it.',
  },
  file_type: { status: 415, message: 'Files of this type are not accepted here.' },
  file_limit: { status: 415, message: 'The picture is above a limit.' },
  file_damaged: { status: 415, message: 'The file cannot be decoded as its type.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  rate_limited: {
    status: 429,
    message: 'Too many requests or connections from this address. Try again later.',
  },
  too_large: { status: 413, message: 'The body of the request is too large.' },
  header_too_large: {
    status: 431,
    message: `The request has ${tooManyHeaders}. Delete old cookies of this site.`,
  },
  not_implemented: {
    status: 501,
    message: 'This server supports neither CONNECT nor a Transfer-Encoding other than chunked.',
  },
  session_store_unavailable: {
    status: 503,
    message: 'The session store does not answer. Try again.',
  },
  client_not_built: {
    status: 503,
    message: 'The browser client is not built. Run npm run build and start the server again.',
  },
  server_draining: { status: 503, message: 'This server is shutting down. Connect again.' },
} as const;

export type RequestErrorCode = keyof typeof requestErrors;
export type ConnectErrorCode = keyof typeof connectErrors;
export type HttpErrorCode = keyof typeof httpErrors;

/** An error for the client, which receives the code and the message but never the cause. */
export class RequestError extends Error {
  readonly code: RequestErrorCode;
  /** With `rate_limited` and `muted`, the milliseconds until the same request is allowed again. */
  readonly retryAfterMs: number | undefined;
  /** With `conflict`, what the history has stored. Clients do not get it. */
  readonly current: object | undefined;
  /** Further fields of the response: see `RequestFailure`. */
  readonly fields: object | undefined;

  constructor(
    code: RequestErrorCode,
    detail?: string,
    options?: ErrorOptions & { retryAfterMs?: number; current?: object; fields?: object },
  ) {
    super(detail ?? requestErrors[code], options);
    this.name = 'RequestError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
    this.current = options?.current;
    this.fields = options?.fields;
  }

  /** Whether the storage failed. */
  get isOfStorage(): boolean {
    return this.code.startsWith('storage_');
  }

  /** The message for the client. Details of a storage error are only logged, because they name files and databases. */
  get shown(): string {
    return this.isOfStorage ? requestErrors[this.code] : this.message;
  }
}
