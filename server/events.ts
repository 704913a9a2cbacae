import { z } from 'zod';
import type { ConnectErrorCode, RequestErrorCode } from './errors.ts';

/** A user as everybody sees him. `id`: 1 to 64 characters; `name`: at most 64, without control characters. */
export interface User {
  id: string;
  name: string;
}

/** A room as one user sees it. `unread` is 0 for who is not a member. */
export interface RoomSummary {
  id: string;
  name: string;
  kind: 'public' | 'private' | 'direct';
  member: boolean;
  head: number;
  lastSeq: number;
  readSeq: number;
  unread: number;
}

/** A stored message. Order comes from `seq` and `rev` alone; `sentAt` (ms since 1970) is for show. */
export interface Message {
  id: string;
  room: string;
  seq: number;
  rev: number;
  clientId: string;
  user: User;
  text: string;
  sentAt: number;
  editedAt?: number;
  deletedAt?: number;
  replyTo?: number;
}

export interface RequestFailure {
  code: RequestErrorCode;
  message: string;
  retryAfterMs?: number;
}

/** What travels as `data` of a `connect_error`. */
export interface ConnectFailure {
  code: ConnectErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
}

export type Answer<T> = { ok: true; data: T } | { ok: false; error: RequestFailure };
export type EndReason = 'logout' | 'expired' | 'user_changed' | 'invalid' | 'kicked';

const room = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const clientId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** A `seq` or `rev`: a whole number that JavaScript holds exactly. */
const counter = z.int().min(0);

/** The payload of every request this server knows. Unknown fields are ignored. */
export const requests = {
  'room:list': z.object({}),
  'room:join': z.object({ room, since: counter.optional() }),
  'room:sync': z.object({ room, since: counter, limit: z.int().min(1).max(500).default(200) }),
  'room:leave': z.object({ room }),
  'message:send': z.object({ room, text: z.string(), clientId, replyTo: z.int().min(1).optional() }),
  'message:history': z.object({
    room,
    before: counter.optional(),
    limit: z.int().min(1).max(100).default(50),
  }),
} as const;

export type RequestName = keyof typeof requests;
export type RequestPayload<E extends RequestName> = z.output<(typeof requests)[E]>;

/** The `data` of each request's answer. */
export interface Answers {
  'room:list': { rooms: RoomSummary[] };
  'room:join': {
    room: RoomSummary;
    messages: Message[];
    complete: boolean;
    reset?: true;
    present: User[];
    presentCount: number;
  };
  'room:sync': { head: number; messages: Message[]; complete: boolean; reset?: true };
  'room:leave': Record<string, never>;
  'message:send': { message: Message };
  'message:history': { messages: Message[]; complete: boolean };
}

/** For socket.io's typed sockets, on either side. */
export type ClientToServer = {
  [E in RequestName]: (
    payload: z.input<(typeof requests)[E]>,
    ack: (answer: Answer<Answers[E]>) => void,
  ) => void;
};

export interface ServerToClient {
  'session:ready': (ready: {
    protocol: 1;
    user: User;
    rooms: RoomSummary[];
    limits: { text: number };
  }) => void;
  'session:ended': (ended: { reason: EndReason }) => void;
  'message:new': (message: Message) => void;
  'message:changed': (message: Message) => void;
  'presence:changed': (change: PresenceChange) => void;
}

export interface PresenceChange {
  room: string;
  joined: User[];
  left: string[];
  count: number;
}
