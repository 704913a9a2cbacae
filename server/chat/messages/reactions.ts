import { type History, reactionLimitReason, type StoredMessage, type Writes } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';

/**
 * Reactions to one message, and votes, are batched for this time, in ms, into one change. Each change is an event for
 * all connections in the room, and a popular message must not cause hundreds of events.
 */
const batchMs = 250;
/** Maximum reactions of a batch, which limits the size of the change and its event. A full batch is stored at once. */
const maxBatchSize = 500;
/** A vote counts as this many reactions in a batch, because it can change all options of a poll. */
const reactionsPerVote = 10;

export type Reacting = Writes['react']['in']['reactions'][number];

interface WaitingReaction {
  reaction: Reacting;
  resolve(outcome: { message: StoredMessage; changed: boolean }): void;
  reject(error: unknown): void;
}

interface Batch {
  room: string;
  seq: number;
  reactions: WaitingReaction[];
  /** The size of the batch, compared to `maxBatchSize`. */
  size: number;
  timer: NodeJS.Timeout;
}

/** Batches the reactions to each message. A reaction resolves when it is on disk. */
export class Reactions {
  readonly #history: History;
  readonly #batches = new Map<string, Batch>();

  constructor(history: History) {
    this.#history = history;
  }

  /**
   * Adds a reaction or a vote to the batch of its message.
   * @returns the message after the batch is stored, and whether this reaction changed anything
   */
  react(
    { room, seq }: { room: string; seq: number },
    reaction: Reacting,
  ): Promise<{ message: StoredMessage; changed: boolean }> {
    return new Promise((resolve, reject) => {
      const batch = this.#openBatch(room, seq);
      batch.reactions.push({ reaction, resolve, reject });
      batch.size += 'choice' in reaction ? reactionsPerVote : 1;
      if (batch.size >= maxBatchSize) this.flush(room, seq);
    });
  }

  /** Stores the batched reactions of a message at once, for example before the message is changed or deleted. */
  flush(room: string, seq: number): void {
    const batch = this.#batches.get(keyOf(room, seq));
    if (batch === undefined) return;
    this.#batches.delete(keyOf(room, seq));
    clearTimeout(batch.timer);
    void this.#store(batch);
  }

  #openBatch(room: string, seq: number): Batch {
    const key = keyOf(room, seq);
    const known = this.#batches.get(key);
    if (known !== undefined) return known;
    const timer = setTimeout(() => this.flush(room, seq), batchMs);
    const batch: Batch = { room, seq, reactions: [], size: 0, timer };
    this.#batches.set(key, batch);
    return batch;
  }

  async #store({ room, seq, reactions }: Batch): Promise<void> {
    const input = { room, seq, reactions: reactions.map(({ reaction }) => reaction) };
    try {
      const { message, results } = await this.#history.write.react(input);
      for (const [n, { resolve, reject }] of reactions.entries()) {
        const result = results[n];
        if (result === 'changed' || result === 'same') resolve({ message, changed: result === 'changed' });
        else reject(toReactionError(result));
      }
    } catch (error) {
      for (const { reject } of reactions) reject(error);
    }
  }
}

const keyOf = (room: string, seq: number) => `${seq} ${room}`;

type Refusal = Exclude<Writes['react']['out']['results'][number], 'changed' | 'same'> | 'internal';

/** Returns the error for the result of a rejected reaction or vote. */
export function toReactionError(result: Refusal = 'internal'): RequestError {
  return new RequestError(result, result === 'limit_reached' ? reactionLimitReason : undefined);
}
