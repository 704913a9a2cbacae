import type { Message, User } from '../events.ts';

export interface RoomRecord {
  id: string;
  name: string;
  kind: 'public' | 'private' | 'direct';
  head: number;
  lastSeq: number;
}

/** A member has read the room up to `readSeq`. */
export interface Membership {
  room: string;
  readSeq: number;
}

export interface NewMessage {
  room: string;
  clientId: string;
  user: User;
  text: string;
  replyTo?: number;
  sentAt: number;
}

/** `complete`: nothing that was asked for is left beyond `messages`. */
export interface Page {
  messages: Message[];
  complete: boolean;
}

/** No answer exceeds this many bytes of JSON, however many messages were asked for. */
export const maxPageBytes = 256 * 1024;

/**
 * The messages of all rooms, on disk. Every driver passes test/contracts/history.ts.
 *
 * Whatever cannot be done rejects with a RequestError of one of the codes below, or `storage_full` or
 * `storage_unavailable`; nothing of it has then happened.
 */
export interface History {
  rooms(): Promise<RoomRecord[]>;
  /** Makes the public rooms that do not exist yet. */
  createRooms(ids: readonly string[]): Promise<void>;
  /**
   * Stores a message. Resolves when it is durable: after a crash of process or machine it is still there.
   * A `clientId` that this user has used in this room before stores nothing and gives the stored message.
   * Marks the room as read up to it for a sender who is a member.
   * Codes: `conflict` (same clientId, other text or replyTo), `unknown_room`, `unknown_message` (replyTo names
   * none).
   */
  append(message: NewMessage): Promise<{ message: Message; repeated: boolean }>;
  /**
   * What `append` would give if this is a repeat, or null: stores nothing in any case.
   * Codes: `conflict`.
   */
  repeatOf(message: NewMessage): Promise<Message | null>;
  /**
   * Called once for each stored message, when it is durable and before its `append` resolves, in each room
   * in the order of `rev`.
   */
  onCommit(listener: (message: Message) => void): void;
  memberships(userId: string): Promise<Membership[]>;
  /** How far this member has read, or null for who is none. */
  readSeq(room: string, userId: string): Promise<number | null>;
  /** Who becomes a member has read everything so far. Returns how far he has read. */
  addMember(room: string, userId: string): Promise<number>;
  /** The newest messages with `seq` ≤ `upTo`, oldest first. */
  newest(room: string, upTo: number, limit: number): Promise<Page>;
  /** What changed after `since` and up to `upTo`, by `rev`, each message once and in its newest state. */
  changes(room: string, since: number, upTo: number, limit: number): Promise<Page>;
  /** Finishes what was asked for, then closes. */
  close(): Promise<void>;
}
