import type { Member } from '../chat/member.ts';
import type { Messages } from '../chat/messages.ts';
import type { Rooms } from '../chat/rooms.ts';
import type { Drain } from '../connections/drain.ts';
import { Intake, type Source } from '../connections/intake.ts';
import type { RateLimit } from '../connections/limits.ts';
import { RequestError, requestErrors } from '../errors.ts';
import { type Answer, type Answers, type RequestName, type RequestPayload, requests } from '../events.ts';
import type { Log, QuietLog } from '../log.ts';
import { RequestOrder } from './order.ts';

export interface Services {
  rooms: Rooms;
  messages: Messages;
  /** Of one user, over all of his connections and whatever he does with them. */
  limits: { requests: RateLimit; sends: RateLimit };
  log: Log;
  quiet: QuietLog;
  drain: Drain;
  onRequest(event: RequestName | 'unknown', code: string): void;
}

/** How one connection's events reach it; kept apart from socket.io. */
export interface Connection {
  member: Member;
  /** Makes the room's events come, or stop coming, from now on. */
  subscribe(room: string): void;
  unsubscribe(room: string): void;
  /** Where its packets come from. */
  source: Source;
  /** Its user is there, and has done something: that keeps the session alive, if the site wants it. */
  active(): void;
}

/**
 * What each request does. `order`: see RequestOrder. `check` throws what holds whatever the limits say: a room
 * that is not there, a room that is not joined.
 */
const handlers: {
  [E in RequestName]: {
    order: 'send' | 'join' | 'read';
    check?(services: Services, connection: Connection, payload: RequestPayload<E>): void;
    run(services: Services, connection: Connection, payload: RequestPayload<E>): Promise<Answers[E]>;
    /** The answer that is due even to who is over the limit, or null. */
    runLimited?(
      services: Services,
      connection: Connection,
      payload: RequestPayload<E>,
    ): Promise<Answers[E] | null>;
  };
} = {
  'room:list': { order: 'read', run: ({ rooms }, { member }) => rooms.list(member) },
  'room:join': {
    order: 'join',
    check: readable,
    run: ({ rooms }, connection, payload) =>
      rooms.join(connection.member, payload, () => connection.subscribe(payload.room)),
  },
  'room:sync': {
    order: 'read',
    check: readable,
    run: ({ rooms }, _connection, payload) => rooms.sync(payload),
  },
  'room:leave': {
    order: 'join',
    check: readable,
    run: async ({ rooms }, connection, payload) =>
      rooms.leave(connection.member, payload, () => connection.unsubscribe(payload.room)),
  },
  'message:send': {
    order: 'send',
    check: ({ messages }, { member }, payload) => messages.check(member, payload),
    async run({ messages, limits }, { member, active }, payload) {
      const retryAfterMs = limits.sends.take(member.user.id);
      const taken = performance.now();
      if (retryAfterMs !== null) {
        const message = await messages.repeatOf(member, payload);
        if (message === null) throw new RequestError('rate_limited', undefined, { retryAfterMs });
        return { message };
      }
      const { message, repeated } = await messages.send(member, payload);
      if (repeated) limits.sends.giveBack(member.user.id, taken);
      // Not what a client sends by itself, again and again.
      else active();
      return { message };
    },
    async runLimited({ messages }, { member }, payload) {
      const message = await messages.repeatOf(member, payload);
      return message === null ? null : { message };
    },
  },
  'message:history': {
    order: 'read',
    check: readable,
    run: ({ messages }, _connection, payload) => messages.history(payload),
  },
};

function readable({ rooms }: Services, _connection: Connection, { room }: { room: string }): void {
  rooms.readable(room);
}

/**
 * The one place through which every event of a connection goes: shape, order, errors. Returns the listener
 * for all events of one connection; it never throws, and answers each request that has an ack exactly once.
 */
export function requestListener(services: Services, connection: Connection) {
  const order = new RequestOrder();
  const intake = new Intake(connection.source);
  return (event: string, ...args: unknown[]): void => {
    const ack = args.pop();
    const name = Object.hasOwn(requests, event) ? (event as RequestName) : 'unknown';
    // Everything counts, also what is no request: it was read all the same.
    const limited = services.limits.requests.take(connection.member.user.id);
    if (limited !== null) intake.slowDown();
    if (typeof ack !== 'function') {
      // Without an ack nobody learns whether it worked: it is not carried out.
      services.onRequest(name, 'no_ack');
      return;
    }
    const answer = (result: Answer<unknown>) => {
      services.onRequest(name, result.ok ? 'ok' : result.error.code);
      ack(result);
    };
    try {
      if (services.drain.started) throw new RequestError('server_draining');
      if (name === 'unknown') throw new RequestError('unknown_event');
      // The table pairs each name with the payload that its schema makes; TypeScript cannot follow that.
      const handler = handlers[name] as (typeof handlers)['room:list'];
      const payload = parse(name, args) as RequestPayload<'room:list'>;
      intake.begin();
      const done = order[handler.order](() => carryOut(services, connection, handler, payload, limited)).then(
        (data) => answer({ ok: true, data }),
        (error: unknown) => answer({ ok: false, error: failure(services, name, error) }),
      );
      services.drain.track(done.finally(() => intake.end()));
    } catch (error) {
      answer({ ok: false, error: failure(services, name, error) });
    }
  };
}

/** Checks, counts and runs, in the order in which the protocol promises its errors. */
async function carryOut(
  services: Services,
  connection: Connection,
  handler: (typeof handlers)['room:list'],
  payload: RequestPayload<'room:list'>,
  retryAfterMs: number | null,
): Promise<unknown> {
  handler.check?.(services, connection, payload);
  if (retryAfterMs === null) return handler.run(services, connection, payload);
  const due = await handler.runLimited?.(services, connection, payload);
  if (due) return due;
  throw new RequestError('rate_limited', undefined, { retryAfterMs });
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

/** Far more than any request of the protocol has. */
const maxDepth = 16;

/** Refuses a key `__proto__` at any depth, and depth itself; without recursion, since the sender chooses it. */
function checkKeys(payload: unknown): void {
  let level: unknown[] = [payload];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw new RequestError('bad_request', 'nested too deeply');
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (Object.hasOwn(value, '__proto__'))
        throw new RequestError('bad_request', 'a key is called __proto__');
      for (const inner of Object.values(value)) next.push(inner);
    }
    level = next;
  }
}

function failure(services: Services, event: string, error: unknown) {
  if (error instanceof RequestError) {
    if (error.code.startsWith('storage_')) {
      services.quiet.warn(error.code, { code: error.code, event, reason: error.message }, 'a request failed');
      return { code: error.code, message: requestErrors[error.code] };
    }
    const { code, message, retryAfterMs } = error;
    return { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  services.log.error({ err: error, event }, 'a request failed in a way that was not foreseen');
  return { code: 'internal' as const, message: requestErrors.internal };
}
