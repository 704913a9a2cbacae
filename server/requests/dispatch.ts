import { isVisitor, rightsIn } from '../chat/access.ts';
import type { Chat } from '../chat/chat.ts';
import { requireRoom } from '../chat/directory.ts';
import { refusalByMute } from '../chat/members.ts';
import { actorOf, type Connection, type Room } from '../chat/model.ts';
import { answerInTime, endOfReadWait } from '../limits/answer-in-time.ts';
import { type ConcurrencyLimit, type RateLimit, tryAgainAfter } from '../limits/by-key.ts';
import { runFor } from '../limits/requester.ts';
import type { Log, QuietLog } from '../log.ts';
import type { Traces } from '../traces/traces.ts';
import { RequestError, requestErrors } from '../wire/errors.ts';
import {
  type Answer,
  type Answers,
  type RequestName,
  type RequestPayload,
  requests,
} from '../wire/events.ts';
import type { Drain } from './drain.ts';
import { heldRequests } from './held.ts';
import { messageRequests } from './messages.ts';
import { moderationRequests } from './moderation.ts';
import { RequestOrder } from './order.ts';
import { questionRequests } from './questions.ts';
import type { Context, LimitName, RequestHandler } from './request.ts';
import { roomRequests } from './rooms.ts';

/** Limits of a payload, far above what any request of the protocol needs. */
const maxValues = 1000;
const maxDepth = 16;

export interface Services {
  chat: Chat;
  /**
   * Limits of one user across all connections. `requests` counts every request, and `reads` and `searches` limit
   * concurrent requests. The others count some requests.
   */
  limits: { requests: RateLimit; reads: ConcurrencyLimit; searches: ConcurrencyLimit } & Record<
    LimitName,
    RateLimit
  >;
  log: Log;
  quiet: QuietLog;
  drain: Drain;
  traces: Traces;
  onRequest(event: RequestName | 'unknown', code: string): void;
}

/** A connection as the source of requests, independent of Socket.IO. */
export interface Client {
  connection: Connection;
  /** Reads the connection's packets. It pauses while too many requests are in progress, or during a penalty. */
  intake: { begin(): void; end(): void; punish(weight: number): void };
  /** How many extra requests the large packets so far count as. */
  weight: { readonly received: number };
  /** Records user activity, which keeps the session alive if the operator enables that. */
  active(): void;
  /**
   * Replaces the ticket of the connection's login by a later ticket.
   * @throws RequestError if the ticket is not valid, or belongs to another login
   */
  renew(ticket: string): Promise<Answers['session:renew']>;
}

/**
 * A response counts as one extra request per this number of bytes, by the measured cost of reading it. A page of
 * history counts as one or two.
 */
const answeredAsOne = 16_384;

const handlers = {
  ...roomRequests,
  ...messageRequests,
  ...moderationRequests,
  ...heldRequests,
  ...questionRequests,
};

/**
 * Returns the listener for all events of one connection, which checks shape, order, rights and limits. The listener
 * never throws, and responds exactly once to each request that has an ack.
 */
export function requestListener(services: Services, client: Client) {
  const { requests: limit } = services.limits;
  const { connection, intake } = client;
  const { account } = connection;
  const order = new RequestOrder();
  let known = client.weight.received;
  return (event: string, ...args: unknown[]): void => {
    // Socket.IO still delivers queued events after an earlier event closed the connection.
    if (connection.gone) return;
    const ack = args.pop();
    const name = Object.hasOwn(requests, event) ? (event as RequestName) : 'unknown';
    // Events that are not requests also count, because reading them costs as much.
    const weight = 1 + client.weight.received - known;
    known = client.weight.received;
    const count: Count = { weight, taken: performance.now() };
    const limited = limit.take(account, weight, count.taken);
    if (limited !== null) intake.punish(weight);
    if (typeof ack !== 'function') {
      // Without an ack, the client cannot learn the outcome, so the request does not run.
      services.onRequest(name, 'no_ack');
      return;
    }
    const answer = (result: Answer<unknown>) => {
      services.onRequest(name, result.ok ? 'ok' : result.error.code);
      const more = Math.floor(ack(result) / answeredAsOne);
      if (more > 0) limit.add(account, more);
    };
    try {
      if (services.drain.isLeaving(connection)) throw new RequestError('server_draining');
      if (name === 'unknown') throw new RequestError('unknown_event');
      // The table pairs each name with the payload of its schema, which TypeScript cannot follow.
      const handler = handlers[name] as RequestHandler<'message:send'>;
      const payload = parse(name, args) as RequestPayload<'message:send'>;
      intake.begin();
      const work = order[handler.order](() =>
        services.traces.begin(name, () => {
          const waitsUntil = handler.order === 'read' ? endOfReadWait(count.taken) : Number.POSITIVE_INFINITY;
          const request = () =>
            runRequest(services, client, handler, payload, { ...count, waitsUntil }, limited);
          return runFor(account, request, waitsUntil);
        }),
      ).finally(() => intake.end());
      const answered = answerInTime(work).then(
        (data) => answer({ ok: true, data }),
        (error: unknown) => answer({ ok: false, error: failure(services, name, error) }),
      );
      // Tracks the work beyond a timeout response, because late work still completes.
      services.drain.track(connection, Promise.allSettled([work, answered]));
    } catch (error) {
      answer({ ok: false, error: failure(services, name, error) });
    }
  };
}

/** The weight of a request, and the time when it was counted, by the monotonic clock. */
interface Count {
  taken: number;
  weight: number;
}

/** Checks, counts and runs a request. The protocol defines the order of its errors. */
async function runRequest(
  services: Services,
  client: Client,
  handler: RequestHandler<'message:send'>,
  payload: RequestPayload<'message:send'>,
  { taken, weight, waitsUntil }: Count & { waitsUntil: number },
  tooManyRequests: number | null,
): Promise<unknown> {
  const { chat, limits } = services;
  const { connection } = client;
  const { account } = connection;
  handler.check?.({ chat, payload });
  // Most requests name a room. It is found first, because no other response may reveal that a hidden room exists.
  let room: Room | undefined;
  if (payload.room !== undefined) {
    const find = () => chat.directory.find(connection.person, payload.room);
    // The room may be new on another server. A user over the limit does not cause a database query.
    if (find() === undefined && tooManyRequests === null) await chat.history.current();
    room = requireRoom(find());
  }
  let counted: (() => void) | undefined;
  const context: Context<'message:send'> = {
    chat,
    connection,
    payload,
    room: room as Room,
    notCounted: () => counted?.(),
    renew: (ticket) => client.renew(ticket),
    active() {
      client.active();
      chat.notify?.acted(connection.person.user.id);
    },
  };
  const refused = refusalByRights(handler, context);
  if (refused !== null) return (await repeatOf(handler, context, refused)) ?? raise(refused);
  let retryAfterMs = tooManyRequests;
  const at = performance.now();
  const counts = Object.entries(handler.counts?.(payload) ?? {}) as [LimitName, number][];
  for (const [name, count] of counts) {
    if (retryAfterMs !== null || count === 0) continue;
    retryAfterMs = limits[name].take(account, count, at);
    if (retryAfterMs !== null) {
      // A request over one limit does not run, and counts against none of them.
      counted?.();
      break;
    }
    const before = counted;
    counted = () => {
      before?.();
      limits[name].giveBack(account, at, count);
    };
  }
  const runOnce = async () => {
    const work = handler.run(context);
    if (handler.order === 'ordered' || handler.order === 'change') services.drain.changes(connection, work);
    return await work;
  };
  const run = async () => {
    // The connection can end while the request is queued.
    if (connection.ended) throw new RequestError('forbidden', 'the connection is closed');
    try {
      return await runOnce();
    } catch (error) {
      // A rejection also reveals something about the room.
      if (error instanceof RequestError && !error.isOfStorage) await stillThere(context);
      if (room === undefined || !(error instanceof RequestError) || error.code !== 'unknown_room')
        throw error;
      // The user was removed from a public room during the request, but may still read it.
      const refusal = refusalByRights(handler, context);
      if (refusal !== null) throw refusal;
      return runOnce();
    }
  };
  if (retryAfterMs === null && (handler.order === 'ordered' || handler.order === 'site')) return run();
  if (retryAfterMs === null) {
    const searches = counts.some(([name, count]) => name === 'search' && count > 0);
    const read = async () => {
      // Counted again, because the cost of earlier responses was unknown when this request arrived.
      limits.requests.giveBack(account, taken, weight);
      const tooMany = limits.requests.take(account, weight);
      if (tooMany !== null) throw new RequestError('rate_limited', undefined, { retryAfterMs: tooMany });
      if (handler.order !== 'read') return run();
      // It waited for other reads of the user, and its client may already have a response.
      if (performance.now() > waitsUntil)
        throw new RequestError('rate_limited', undefined, { retryAfterMs: tryAgainAfter });
      for (;;) {
        const rights = rightsOf(context);
        const answer = await run();
        // The user may have been removed or banned before the read. No content of the room may follow `room:removed`.
        if (context.room !== undefined) chat.directory.checkStill(connection.person, context.room);
        if (rightsOf(context) === rights) return answer;
        // The rights changed during the read, so the request is rejected or read again.
        const lost = refusalByRights(handler, context);
        if (lost !== null) throw lost;
      }
    };
    const inTurn = () => limits.reads.run(account, read);
    return searches ? limits.searches.run(account, inTurn) : inTurn();
  }
  const due = await repeated(handler, context);
  if (due) return due;
  throw new RequestError('rate_limited', undefined, { retryAfterMs });
}

/** Returns the rejection that follows from joining, rights and mutes, or null. */
function refusalByRights(
  handler: RequestHandler<'message:send'>,
  context: Context<'message:send'>,
): RequestError | null {
  const { connection, room } = context;
  const { roles } = connection.identity;
  if (isVisitor({ roles }) && !roles.some((role) => handler.guests?.includes(role)))
    return new RequestError('forbidden', 'guests cannot do this: log in first');
  if (handler.joined && !connection.joined.has(room)) return new RequestError('not_joined');
  const allowed =
    handler.right === undefined || rightsIn(room.record, actorOf(room, connection)).includes(handler.right);
  if (!allowed || handler.allowed?.(context) === false) return new RequestError('forbidden');
  return handler.right === 'send'
    ? refusalByMute(context.chat, room.record.id, connection.person.user.id)
    : null;
}

/** Returns the rights of the user that a response may depend on. */
function rightsOf({
  connection,
  room,
}: Pick<Context<'message:send'>, 'connection'> & { room?: Room }): string {
  const { roles } = connection.identity;
  return [...roles, ...(room === undefined ? [] : rightsIn(room.record, actorOf(room, connection)))].join();
}

/**
 * Returns the response to a repeat, or null if the request is not a repeat. Works even if the user lost the right,
 * because otherwise a client could not recover a lost response.
 */
async function repeatOf(
  handler: RequestHandler<'message:send'>,
  context: Context<'message:send'>,
  refused: RequestError,
): Promise<unknown> {
  try {
    return await repeated(handler, context);
  } catch (error) {
    // Only two request errors take precedence over the rejection: `conflict` (same clientId, other content) and the
    // loss of the room.
    const comesFirst =
      error instanceof RequestError && (error.code === 'conflict' || error.code === 'unknown_room');
    throw comesFirst || !(error instanceof RequestError) ? error : refused;
  }
}

/**
 * Returns the current response to a repeat, or null if the request is not a repeat.
 * @throws RequestError `unknown_room` if the user lost the room
 */
async function repeated(
  handler: RequestHandler<'message:send'>,
  context: Context<'message:send'>,
): Promise<unknown> {
  if (handler.probe === undefined) return null;
  const [known] = await Promise.allSettled([handler.probe(context)]);
  if (known.status === 'fulfilled' && known.value === null) return null;
  await stillThere(context);
  if (known.status === 'rejected') throw known.reason;
  return known.value;
}

/**
 * Checks that the user may still read the room before a rejection or the response to a repeat is sent. Another server
 * may have removed or banned the user before the history decided on the request.
 * @throws RequestError `unknown_room`
 */
async function stillThere({
  chat,
  connection,
  room,
}: Pick<Context<'message:send'>, 'chat' | 'connection'> & { room?: Room }): Promise<void> {
  if (room === undefined) return;
  await chat.history.current();
  chat.directory.checkStill(connection.person, room);
}

function raise(error: Error): never {
  throw error;
}

function parse(name: RequestName, args: unknown[]): unknown {
  if (args.length !== 1) throw new RequestError('bad_request', 'one payload and an ack are expected');
  const [payload] = args;
  checkKeys(payload);
  const parsed = requests[name].safeParse(payload);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RequestError('bad_request', `${issue?.path.join('.') || 'payload'}: ${issue?.message}`);
}

/**
 * Rejects a key `__proto__` at any depth, too many values and too deep nesting. It does not recurse, because the sender
 * chooses the depth.
 */
function checkKeys(payload: unknown): void {
  let level: unknown[] = [payload];
  let values = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw new RequestError('bad_request', 'nested too deeply');
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (Object.hasOwn(value, '__proto__'))
        throw new RequestError('bad_request', 'a key is named __proto__');
      const inner = Object.values(value);
      values += inner.length;
      if (values > maxValues) throw new RequestError('bad_request', 'too many values');
      next.push(...inner);
    }
    level = next;
  }
}

function failure(services: Services, event: string, error: unknown) {
  if (error instanceof RequestError) {
    const { code, message: reason, shown, retryAfterMs, fields } = error;
    if (error.isOfStorage) services.quiet.warn(code, { code, event, reason }, 'a request failed');
    return { code, message: shown, retryAfterMs, ...fields };
  }
  services.log.error({ err: error, event }, 'unexpected error in a request');
  return { code: 'internal' as const, message: requestErrors.internal };
}
