import type { Member } from '../chat/member.ts';
import type { Messages } from '../chat/messages.ts';
import type { Rooms } from '../chat/rooms.ts';
import { RequestError, requestErrors } from '../errors.ts';
import { type Answer, type Answers, type RequestName, type RequestPayload, requests } from '../events.ts';
import type { Log, QuietLog } from '../log.ts';
import type { Drain } from './drain.ts';
import { RequestOrder } from './request-order.ts';

export interface Services {
  rooms: Rooms;
  messages: Messages;
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
}

/** What each request does. `order`: see RequestOrder. */
const handlers: {
  [E in RequestName]: {
    order: 'send' | 'join' | 'read';
    run(services: Services, connection: Connection, payload: RequestPayload<E>): Promise<Answers[E]>;
  };
} = {
  'room:list': { order: 'read', run: ({ rooms }, { member }) => rooms.list(member) },
  'room:join': {
    order: 'join',
    run: ({ rooms }, connection, payload) =>
      rooms.join(connection.member, payload, () => connection.subscribe(payload.room)),
  },
  'room:sync': { order: 'read', run: ({ rooms }, _connection, payload) => rooms.sync(payload) },
  'room:leave': {
    order: 'join',
    run: async ({ rooms }, connection, payload) =>
      rooms.leave(connection.member, payload, () => connection.unsubscribe(payload.room)),
  },
  'message:send': {
    order: 'send',
    run: ({ messages }, { member }, payload) => messages.send(member, payload),
  },
  'message:history': {
    order: 'read',
    run: ({ messages }, _connection, payload) => messages.history(payload),
  },
};

/**
 * The one place through which every event of a connection goes: shape, order, errors. Returns the listener
 * for all events of one connection; it never throws, and answers each request that has an ack exactly once.
 */
export function requestListener(services: Services, connection: Connection) {
  const order = new RequestOrder();
  return (event: string, ...args: unknown[]): void => {
    const ack = args.pop();
    const name = Object.hasOwn(requests, event) ? (event as RequestName) : 'unknown';
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
      const { order: kind, run } = handlers[name];
      const payload = parse(name, args);
      // The table pairs each name with the payload that its schema makes; TypeScript cannot follow that.
      const task = () =>
        (run as (s: Services, c: Connection, p: unknown) => Promise<unknown>)(services, connection, payload);
      services.drain.track(
        order[kind](task).then(
          (data) => answer({ ok: true, data }),
          (error: unknown) => answer({ ok: false, error: failure(services, name, error) }),
        ),
      );
    } catch (error) {
      answer({ ok: false, error: failure(services, name, error) });
    }
  };
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
    return { code: error.code, message: error.message };
  }
  services.log.error({ err: error, event }, 'a request failed in a way that was not foreseen');
  return { code: 'internal' as const, message: requestErrors.internal };
}
