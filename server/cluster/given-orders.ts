import { randomUUID } from 'node:crypto';
import type { OrderAnswer } from '../chat/other-servers.ts';

/** How long a node command waits for the responses of other servers, in milliseconds. */
const answersWithin = 1000;

interface Given {
  /** The combined responses. */
  readonly answer: { count: number; joined: string[] };
  /** The servers that have not responded yet. */
  readonly missing: Set<string>;
  done(): void;
}

/** The node commands that this server sent, until all other servers responded or the timeout is over. */
export class GivenOrders {
  readonly #orders = new Map<string, Given>();
  readonly #onLate: (server: string) => void;

  /** @param onLate called with each server that did not respond in time */
  constructor(onLate: (server: string) => void) {
    this.#onLate = onLate;
  }

  /**
   * Sends a node command, and waits for the responses.
   * @param send sends the command with this ID to the other servers
   * @returns the combined responses
   * @throws the error of `send`
   */
  give(send: (id: string) => Promise<void>): Promise<OrderAnswer> {
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const end = () => {
        clearTimeout(timer);
        this.#orders.delete(id);
      };
      const given: Given = {
        answer: { count: 0, joined: [] },
        missing: new Set(),
        done() {
          end();
          resolve(this.answer);
        },
      };
      this.#orders.set(id, given);
      send(id).then(
        () => {
          if (!this.#orders.has(id)) return;
          timer = setTimeout(() => {
            for (const server of given.missing) this.#onLate(server);
            given.done();
          }, answersWithin);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }

  /**
   * Sets the servers that must respond. Called when this server reads its command from the change log, because the
   * other servers read it there too.
   */
  sent(id: string, servers: Iterable<string>): void {
    const given = this.#orders.get(id);
    if (given === undefined) return;
    for (const server of servers) given.missing.add(server);
    if (given.missing.size === 0) given.done();
  }

  answered(id: string, server: string, { count, joined = [] }: OrderAnswer): void {
    const given = this.#orders.get(id);
    if (given?.missing.delete(server) !== true) return;
    given.answer.count += count;
    given.answer.joined.push(...joined);
    if (given.missing.size === 0) given.done();
  }
}
