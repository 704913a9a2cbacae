import { randomUUID } from 'node:crypto';
import type { OrderAnswer } from '../chat/other-servers.ts';

/** Milliseconds that an order waits for the answers of the other servers. */
const answersWithin = 1000;

interface Given {
  /** The answers that have come so far. */
  readonly answer: { count: number; joined: string[] };
  /** The servers that have not answered. */
  readonly missing: Set<string>;
  done(): void;
}

/** The orders that this server has given to the others, until all have answered or the time is over. */
export class GivenOrders {
  readonly #orders = new Map<string, Given>();
  readonly #onLate: (server: string) => void;

  /** @param onLate called with each server that has not answered in time */
  constructor(onLate: (server: string) => void) {
    this.#onLate = onLate;
  }

  /**
   * @param send sends the others the order with that id
   * @returns their answers together
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

  /** An order of this server has come back in the changes, so these servers get it now, too. */
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
