import { isUtf8 } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { answerInTime } from '../limits/answer-in-time.ts';
import { apiContent } from '../wire/content.ts';
import { RequestError, requestErrors } from '../wire/errors.ts';
import {
  aboutQuestion,
  auditScopes,
  banReason,
  loginId,
  longestSeconds,
  ownUserId,
  roomId,
  roomName,
  siteRoomId,
  topic,
  userName,
} from '../wire/events.ts';
import { guestId, isGuest } from '../wire/guest.ts';
import { clientId, oneVisible } from '../wire/values.ts';
import { answerError, answerJson } from './answer.ts';
import { askForBody } from './held-body.ts';
import { answerZip, type ZipFile } from './zip.ts';

/** What happens to the messages of an erased user. They lose their author, or are deleted. */
const erasedMessages = ['anonymise', 'delete'] as const;
type ErasedMessages = (typeof erasedMessages)[number];

/** PHP sites store IDs as integers or as strings. */
const anyUserId = z.union([ownUserId, z.int().min(1).transform(String)], {
  error: ({ input }) =>
    typeof input === 'number'
      ? 'an integer must be positive and at most 2^53 - 1: send a larger ID as a string'
      : 'the ID of a user is an integer, or a string of 1 to 64 characters that is not 0 or *',
});
/** The ID of a user of the site. */
const siteUserId = anyUserId
  .refine((id) => !isGuest(id), { message: 'IDs of guests are reserved' })
  .meta({ not: { type: 'string', pattern: guestId.source } });

const namedUser = z.object({ id: siteUserId, name: userName });

/** Maximum users in a call. */
const maxUsers = 1000;

/** The forms of the placeholders in `routes`. */
export const names = { room: roomId, siteRoom: siteRoomId, user: ownUserId, sid: loginId } as const;

/** The text of a message. The site posts no files, so it must not be blank. `checkText` checks it. */
const text = apiContent.text
  .describe(
    'At most CHAT_LIMIT_TEXT characters, with a visible one, without control characters but tab and LF.',
  )
  .meta({ pattern: String.raw`^${oneVisible}[^\u0000-\u0008\u000b-\u001f]*$` });

/**
 * The request bodies of the PHP application, by their name in `routes`. Unknown fields are rejected, because a ban with a
 * misspelt `seconds` would be permanent.
 */
export const bodies = {
  message: z.strictObject({
    user: namedUser.transform(({ id, name }) => ({ id, name: name || id })),
    clientId,
    ...apiContent,
    text,
  }),
  question: z.strictObject({
    user: namedUser.transform(({ id, name }) => ({ id, name: name || id })),
    text,
    clientId,
    about: aboutQuestion.optional(),
  }),
  push: z.strictObject({ name: z.string().regex(/^[\x21-\x7e]{1,64}$/), data: z.unknown().optional() }),
  room: z.strictObject({ name: roomName, topic: topic.optional(), kind: z.enum(['public', 'private']) }),
  members: z.strictObject({
    add: z
      .array(
        z.union([
          siteUserId.transform((id) => ({ id })),
          namedUser.transform(({ id, name }) => ({ id, name: name || undefined })),
        ]),
      )
      .max(maxUsers)
      .default([]),
    remove: z.array(anyUserId).max(maxUsers).default([]),
  }),
  users: z.strictObject({
    users: z
      .array(namedUser.transform(({ id, name }) => ({ id, name: name || id })))
      .min(1)
      .max(maxUsers),
  }),
  ban: z.strictObject({
    seconds: z.int().min(1).max(longestSeconds).optional(),
    reason: banReason.optional(),
  }),
  nothing: z.unknown(),
} as const;

type Bodies = { [Name in keyof typeof bodies]: z.output<(typeof bodies)[Name]> };

/** The query options of the calls that have any. */
const erasureQuery = { messages: z.enum(erasedMessages).default('anonymise') };
const messageQuery = {
  seq: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'must be the number of a message')
    .transform(Number),
};
const questionQuery = {
  which: z.enum(['unassigned', 'all', 'closed']).default('all'),
  cursor: z
    .string()
    .regex(/^[\w-]{1,1000}$/, '`next` of the previous page, unchanged')
    .optional()
    .describe('`next` of the previous page. Any other value is an error.'),
};
export type QuestionQuery = z.output<z.ZodObject<typeof questionQuery>>;

const auditQuery = {
  cursor: z
    .string()
    .regex(/^[\w-]{0,64}$/, '`next` of the previous page, unchanged')
    .optional()
    .describe('`next` of the previous page. Any other value is an error.'),
  by: ownUserId.optional(),
  scope: z.enum(auditScopes).optional(),
};

export type AuditQuery = z.output<z.ZodObject<typeof auditQuery>>;

/** The calls that the PHP application may make with its key. Each may throw a RequestError. */
export interface Api {
  postMessage(room: string, body: Bodies['message']): Promise<{ message: object; repeated: boolean }>;
  /** Returns a message in its current state, such as a poll with its votes. */
  readMessage(room: string, seq: number): Promise<{ message: object }>;
  /** Posts a question of a user to the team. */
  openQuestion(body: Bodies['question']): Promise<{ room: object; message: object; repeated: boolean }>;
  /** Returns a page of the questions. */
  listQuestions(query: QuestionQuery): Promise<object>;
  closeQuestion(room: string): Promise<{ question: object }>;
  push(user: string, body: Bodies['push']): Promise<number>;
  putRoom(room: string, body: Bodies['room']): Promise<{ room: object; created: boolean }>;
  deleteRoom(room: string): Promise<void>;
  changeMembers(room: string, body: Bodies['members']): Promise<number>;
  /** Adds users, even if they have never opened the chat. */
  putUsers(body: Bodies['users']): Promise<void>;
  kick(user: string): Promise<number>;
  /** Ends a login by ticket, on all servers. */
  endLogin(sid: string): Promise<void>;
  ban(user: string, body: Bodies['ban']): Promise<number>;
  unban(user: string): Promise<void>;
  lookUp(user: string): Promise<object | null>;
  /** Returns all stored data of a user as the files of an archive, or null if the user is unknown. */
  exportUser(user: string): Promise<AsyncIterable<ZipFile> | null>;
  /** Returns a page of the audit entries. */
  listActs(query: AuditQuery): Promise<object>;
  /** Returns the number of queued events for the site, and the newest events that have no attempts left. */
  listEvents(): Promise<object>;
  /**
   * Retries the events without attempts left.
   * @returns the number of events
   */
  retryEvents(): Promise<number>;
  /** Starts to erase a user. */
  eraseUser(user: string, messages: ErasedMessages): Promise<void>;
}

type Result = { status: number; body: object } | { archive: string; parts: AsyncIterable<ZipFile> };

interface Route<Body extends keyof Bodies = keyof Bodies> {
  method: string;
  /** May contain a placeholder, such as `{room}`. */
  template: string;
  /** What the call does, for docs/openapi.json. */
  summary: string;
  path: RegExp;
  /** The form of the placeholder. */
  names: keyof typeof names | undefined;
  body: Body;
  /** The allowed options of the query. */
  query?: Readonly<Record<string, z.ZodType>>;
  /** Statuses of successful responses. */
  statuses: readonly number[];
  /** Maximum bytes of the body. */
  size: number;
  run(api: Api, name: string, body: Bodies[Body], query: object): Promise<Result>;
}

const usualSize = 64 * 1024;
const membersSize = 1024 * 1024;
const ok = (body: object): Result => ({ status: 200, body });
const route = <Body extends keyof Bodies>(
  method: string,
  template: string,
  summary: string,
  body: Body,
  statuses: readonly number[],
  run: Route<Body>['run'],
  size = usualSize,
): Route => ({
  method,
  template,
  summary,
  path: new RegExp(`^${template.replace(/\{\w+\}/, '([^/]+)')}$`),
  names: /\{(\w+)\}/.exec(template)?.[1] as Route['names'],
  body,
  statuses,
  size,
  run: run as Route['run'],
});

/** All calls of the API. docs/openapi.json is generated from them. */
export const routes: readonly Route[] = [
  route(
    'POST',
    '/api/rooms/{room}/messages',
    'Post a message to a room',
    'message',
    [200, 201],
    async (api, id, body) => {
      const { message, repeated } = await api.postMessage(id, body);
      return { status: repeated ? 200 : 201, body: { message } };
    },
  ),
  {
    ...route(
      'GET',
      '/api/rooms/{room}/messages',
      'Read a message of a room',
      'nothing',
      [200],
      async (api, id, _body, query) => ok(await api.readMessage(id, (query as { seq: number }).seq)),
    ),
    query: messageQuery,
  },
  route(
    'POST',
    '/api/questions',
    'Ask the team in the name of a user',
    'question',
    [200, 201],
    async (api, _id, body) => {
      const { room, message, repeated } = await api.openQuestion(body);
      return { status: repeated ? 200 : 201, body: { room, message } };
    },
  ),
  {
    ...route(
      'GET',
      '/api/questions',
      'List the questions to the team',
      'nothing',
      [200],
      async (api, _id, _body, query) => ok(await api.listQuestions(query as QuestionQuery)),
    ),
    query: questionQuery,
  },
  route('POST', '/api/questions/{room}/close', 'Close a question', 'nothing', [200], async (api, id) =>
    ok(await api.closeQuestion(id)),
  ),
  {
    ...route(
      'PUT',
      '/api/rooms/{room}',
      'Create or change a room',
      'room',
      [200, 201],
      async (api, id, body) => {
        const { room: made, created } = await api.putRoom(id, body);
        return { status: created ? 201 : 200, body: { room: made } };
      },
    ),
    names: 'siteRoom',
  },
  route('DELETE', '/api/rooms/{room}', 'Delete a room', 'nothing', [200], async (api, id) => {
    await api.deleteRoom(id);
    return ok({});
  }),
  route(
    'PATCH',
    '/api/rooms/{room}/members',
    'Add and remove members of a room',
    'members',
    [200],
    async (api, id, body) => ok({ count: await api.changeMembers(id, body) }),
    membersSize,
  ),
  route(
    'PUT',
    '/api/users',
    'Register users before they open the chat',
    'users',
    [200],
    async (api, _id, body) => {
      await api.putUsers(body);
      return ok({ count: body.users.length });
    },
    membersSize,
  ),
  route(
    'POST',
    '/api/users/{user}/push',
    'Send an event to the open pages of a user',
    'push',
    [202],
    async (api, id, body) => ({
      status: 202,
      body: { delivered: await api.push(id, body) },
    }),
  ),
  route(
    'DELETE',
    '/api/users/{user}/connections',
    'Close the connections of a user',
    'nothing',
    [200],
    async (api, id) => ok({ closed: await api.kick(id) }),
  ),
  route('DELETE', '/api/sessions/{sid}', 'End a login by ticket', 'nothing', [200], async (api, sid) => {
    await api.endLogin(sid);
    return ok({});
  }),
  route('PUT', '/api/users/{user}/ban', 'Ban a user', 'ban', [200], async (api, id, body) =>
    ok({ closed: await api.ban(id, body) }),
  ),
  route('DELETE', '/api/users/{user}/ban', 'Lift the ban of a user', 'nothing', [200], async (api, id) => {
    await api.unban(id);
    return ok({ closed: 0 });
  }),
  route('GET', '/api/users/{user}', 'Read the data of a user', 'nothing', [200], async (api, id) => {
    const user = await api.lookUp(id);
    return user === null ? { status: 404, body: errorBody('unknown_user') } : ok(user);
  }),
  route(
    'GET',
    '/api/users/{user}/export',
    'Export all data of a user as a zip archive',
    'nothing',
    [200],
    async (api, id) => {
      const parts = await api.exportUser(id);
      if (parts === null) throw new RequestError('unknown_user');
      return { archive: 'chat-export.zip', parts };
    },
  ),
  {
    ...route(
      'DELETE',
      '/api/users/{user}',
      'Erase a user',
      'nothing',
      [202],
      async (api, id, _body, query) => {
        await api.eraseUser(id, (query as { messages: ErasedMessages }).messages);
        return { status: 202, body: {} };
      },
    ),
    query: erasureQuery,
  },
  {
    ...route(
      'GET',
      '/api/audit',
      'List the audit entries',
      'nothing',
      [200],
      async (api, _id, _body, query) => ok(await api.listActs(query as AuditQuery)),
    ),
    query: auditQuery,
  },
  route('GET', '/api/webhooks', 'List the unsent events for the site', 'nothing', [200], async (api) =>
    ok(await api.listEvents()),
  ),
  route('POST', '/api/webhooks/retry', 'Retry failed events', 'nothing', [202], async (api) => ({
    status: 202,
    body: { events: await api.retryEvents() },
  })),
];

/** Creates the handler of requests under `/api/`. Without a configured key, the API is disabled. */
export function createApi(
  api: Api,
  keys: readonly string[],
): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<void> {
  return async (req, res, path) => {
    if (keys.length === 0) return answerError(res, 'not_found');
    if (!hasKey(req, keys)) return answerUnauthorized(res);
    const there = routes.filter((one) => one.path.test(path));
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    const found = there.find(({ method }) => method === (isRead ? 'GET' : req.method));
    if (there.length === 0) return answerError(res, 'not_found');
    if (found === undefined) {
      return answerError(res, 'method_not_allowed', undefined, {
        Allow: there.flatMap(({ method }) => (method === 'GET' ? [method, 'HEAD'] : method)).join(', '),
      });
    }
    const name = decoded(found.path.exec(path)?.[1] ?? '');
    if (name === null) return answerError(res, 'bad_request');
    const { error: wrong } = found.names === undefined ? {} : names[found.names].safeParse(name);
    if (wrong !== undefined) return answerJson(res, 400, errorBody('bad_request', issueOf(wrong, 'address')));
    const options = new URL(req.url ?? '', 'http://localhost').searchParams;
    const query = parseQuery(found.query, options);
    if ('wrong' in query) return answerJson(res, 400, errorBody('bad_request', query.wrong));
    const bytes = found.body === 'nothing' ? Buffer.of() : await readBody(req, found.size);
    if (bytes === null) return answerError(res, 'too_large', undefined, { Connection: 'close' });
    const body = parse(found.body, bytes);
    if ('wrong' in body) return answerJson(res, 400, errorBody('bad_request', body.wrong));
    if (!isUnconditional(req, isRead)) return answerError(res, 'precondition_failed');
    const result = await answerInTime(found.run(api, name, body.value, query.value));
    if ('archive' in result) await answerZip(req, res, result.archive, result.parts);
    else answerJson(res, result.status, result.body);
  };
}

export function answerRequestError(res: ServerResponse, error: RequestError): void {
  const { code, shown, retryAfterMs } = error;
  answerJson(res, statusOf[code] ?? 400, errorBody(code, shown), retryAfterMs);
}

/** The HTTP status of each error code. Codes that are not listed have the status 400. */
export const statusOf: Partial<Record<RequestError['code'], number>> = {
  forbidden: 403,
  muted: 403,
  unknown_room: 404,
  unknown_message: 404,
  unknown_user: 404,
  rate_limited: 429,
  conflict: 409,
  storage_unavailable: 503,
  server_draining: 503,
  storage_full: 507,
};

function errorBody(code: RequestError['code'], message: string = requestErrors[code]) {
  return { error: { code, message } };
}

function parseQuery(
  known: Route['query'] = {},
  options: URLSearchParams,
): { value: object } | { wrong: string } {
  const given = [...options.keys()];
  if (given.some((name) => !Object.hasOwn(known, name))) {
    // A proxy may have decoded a slash in an ID. Erasing the user `ben/ban` would then lift the ban of `ben`.
    return {
      wrong: 'query: unknown option. For an ID with a slash, call an address where no proxy decodes it',
    };
  }
  if (new Set(given).size < given.length) return { wrong: 'query: an option appears twice' };
  const parsed = z.object(known).safeParse(Object.fromEntries(options));
  return parsed.success ? { value: parsed.data } : { wrong: issueOf(parsed.error, 'query') };
}

/** Returns the body, or null if it is larger than `most` bytes. */
export async function readBody(req: IncomingMessage, most: number): Promise<Buffer | null> {
  if (Number(req.headers['content-length'] ?? 0) > most) return null;
  askForBody(req);
  const pieces: Buffer[] = [];
  let size = 0;
  // Keeps the request open, because `end` reads the rest of a rejected body.
  for await (const piece of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > most) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function parse<Body extends keyof Bodies>(
  name: Body,
  bytes: Buffer,
): { value: Bodies[Body] } | { wrong: string } {
  if (name === 'nothing') return { value: undefined as Bodies[Body] };
  // A ban whose body got lost would be permanent.
  if (bytes.length === 0) return { wrong: 'the body is missing: send a JSON object, {} without options' };
  // With replacement characters, the IDs of several users could become one.
  if (!isUtf8(bytes)) return { wrong: 'the body is not UTF-8' };
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    return { wrong: 'the body is not valid JSON' };
  }
  const parsed = bodies[name].safeParse(json);
  if (parsed.success) return { value: parsed.data as Bodies[Body] };
  return { wrong: issueOf(parsed.error, 'body') };
}

function issueOf({ issues: [issue] }: z.ZodError, whole: 'body' | 'query' | 'address'): string {
  // Of a union, the error of the form that matched furthest.
  const [inner] =
    issue?.code === 'invalid_union' && issue.message === 'Invalid input'
      ? issue.errors.flat().sort((a, b) => b.path.length - a.path.length)
      : [];
  const path = [...(issue?.path ?? []), ...(inner?.path ?? [])];
  return `${path.join('.') || whole}: ${(inner ?? issue)?.message}`;
}

export function answerUnauthorized(res: ServerResponse): void {
  answerError(res, 'unauthorized', undefined, { 'WWW-Authenticate': 'Bearer' });
}

/** Whether the request carries one of the keys, as `Authorization: Bearer KEY`. */
export function hasKey(req: IncomingMessage, keys: readonly string[]): boolean {
  const given = /^Bearer +(.+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (given === undefined) return false;
  // Digests have equal lengths, so the time of the comparison reveals nothing about the key.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const wanted = digest(given);
  let known = false;
  for (const key of keys) if (timingSafeEqual(wanted, digest(key))) known = true;
  return known;
}

/** Whether a call may be made whatever is stored. The API has no ETags, so no other condition can be met. */
function isUnconditional({ headers }: IncomingMessage, isRead: boolean): boolean {
  const { 'if-match': wanted, 'if-none-match': known } = headers;
  return (wanted === undefined || (isRead && wanted === '*')) && (isRead || known !== '*');
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
