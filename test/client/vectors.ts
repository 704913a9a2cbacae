import type { HistoryAnswer, JoinAnswer, SyncAnswer } from '../../client/src/store/timeline.ts';
import type { Message, MessageReacted, Reaction } from '../../server/wire/events.ts';

/** A message of the vectors with the fields that decide order and deduplication. */
export interface ShortMessage {
  seq: number;
  rev: number;
  user: string;
  clientId: string;
  text: string;
  editedAt?: number;
  deletedAt?: number;
  reactions?: Reaction[];
}

type Short<A extends { messages: Message[] }> = Omit<A, 'messages'> & { messages: ShortMessage[] };

/** The steps of a client, described in test/vectors/README.md. */
export type Step =
  | { do: 'join'; since: number | null }
  | { do: 'joined'; since: number | null; answer: Short<JoinAnswer> }
  | { do: 'event'; message: ShortMessage }
  | { do: 'reacted'; event: Omit<MessageReacted, 'room'>; me: string }
  | { do: 'ack'; message: ShortMessage }
  | { do: 'synced'; since: number; answer: Short<SyncAnswer> }
  | { do: 'ask'; id: number }
  | { do: 'older'; before: number; asked: number; answer: Short<HistoryAnswer> }
  | { do: 'newer'; asked: number; answer: Short<HistoryAnswer> }
  | { do: 'window'; asked: number; answer: Short<HistoryAnswer> }
  | { do: 'quoted'; asked: number; message: ShortMessage }
  | { do: 'toEnd' }
  | { do: 'trim'; kept: number }
  | { do: 'expire'; firstSeq: number }
  | { do: 'reset' }
  | {
      do: 'expect';
      list: ShortMessage[];
      head: number | null;
      syncFrom: number | null;
      attached: boolean;
      complete?: boolean;
    };

export interface Vector {
  name: string;
  steps: Step[];
}

export function short(message: Message): ShortMessage {
  const { seq, rev, user, clientId, text, editedAt, deletedAt, reactions } = message;
  return {
    seq,
    rev,
    user: user.id,
    clientId,
    text,
    editedAt,
    deletedAt,
    reactions,
  };
}

export function long({ user, ...message }: ShortMessage): Message {
  const { seq } = message;
  return { id: `m${seq}`, room: 'r', sentAt: seq, user: { id: user, name: `User ${user}` }, ...message };
}
