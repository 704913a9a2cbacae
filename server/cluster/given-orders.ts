import { randomUUID } from 'node:crypto';
import type { OrderAnswer } from '../chat/other-servers.ts';

/** How long an order waits for the answers of other servers, in milliseconds. */
const answersWithin = 1000;

interface Given {
  /** The sum of the answers. */
  readonly answer: { count: number; joined: string[] };
  /** The servers whose answer is missing. */
  readonly missing: Set<string>;
  done(): void;
}

/** The orders that this server sent to other servers, each until all servers answered or the timeout. */
export class GivenOrders {
  readonly #orders = new Map<string, Given>();
  readonly #onLate: (server: string) => void;

  /** @param onLate called with each server that did not answer in time */
  constructor(onLate: (server: string) => void) {
    this.#onLate = onLate;
  }

  /**
   * @param send sends the order with this ID to the other servers
   * @returns the sum of their answers
   * @throws what `send` throws
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

  /** Sets the servers that must answer. Called when the order arrives in the change log, where they read it, too. */
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
