import type { History, StoredMessage } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { RequestPayload } from '../../wire/events.ts';

/**
 * Milliseconds for which reactions to one message are gathered into one change, since each change is an event for everybody
 * in the room: a popular message must not cause hundreds of them.
 */
const gatherFor = 250;
/** This many are stored without waiting longer, which bounds the size of a change and its event. */
const mostGathered = 500;

interface WaitingReaction {
  user: string;
  emoji: string;
  on: boolean;
  resolve(outcome: { message: StoredMessage; changed: boolean }): void;
  reject(error: unknown): void;
}

interface Gathered {
  room: string;
  seq: number;
  reactions: WaitingReaction[];
  timer: NodeJS.Timeout;
}

/** Gathers reactions to each message. A reaction is answered when it is on disk. */
export class Reactions {
  readonly #history: History;
  readonly #gathered = new Map<string, Gathered>();

  constructor(history: History) {
    this.#history = history;
  }

  /** @returns the message as it is then, and whether the reaction has changed anything */
  react(
    user: string,
    { room, seq, emoji, on }: RequestPayload<'message:react'>,
  ): Promise<{ message: StoredMessage; changed: boolean }> {
    return new Promise((resolve, reject) => {
      const { reactions } = this.#gather(room, seq);
      if (reactions.push({ user, emoji, on, resolve, reject }) === mostGathered) this.flush(room, seq);
    });
  }

  /** Stores the gathered reactions of a message at once, for example before it is changed or deleted. */
  flush(room: string, seq: number): void {
    const gathered = this.#gathered.get(keyOf(room, seq));
    if (gathered === undefined) return;
    this.#gathered.delete(keyOf(room, seq));
    clearTimeout(gathered.timer);
    void this.#store(gathered);
  }

  #gather(room: string, seq: number): Gathered {
    const key = keyOf(room, seq);
    const known = this.#gathered.get(key);
    if (known !== undefined) return known;
    const timer = setTimeout(() => this.flush(room, seq), gatherFor);
    const gathered: Gathered = { room, seq, reactions: [], timer };
    this.#gathered.set(key, gathered);
    return gathered;
  }

  async #store({ room, seq, reactions }: Gathered): Promise<void> {
    const input = { room, seq, reactions: reactions.map(({ user, emoji, on }) => ({ user, emoji, on })) };
    try {
      const { message, results } = await this.#history.write.react(input);
      for (const [n, { resolve, reject }] of reactions.entries()) {
        const result = results[n];
        if (result === 'changed' || result === 'same') resolve({ message, changed: result === 'changed' });
        else reject(new RequestError(result ?? 'internal'));
      }
    } catch (error) {
      for (const { reject } of reactions) reject(error);
    }
  }
}

const keyOf = (room: string, seq: number) => `${seq} ${room}`;
