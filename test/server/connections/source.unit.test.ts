import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { PacketSource } from '../../../server/connections/source.ts';

const pieceBytes = 1024;

test('reads the input of each account in turn, however many connections it has', async () => {
  const order: string[] = [];
  class Receiver extends Writable {
    readonly #name: string;

    constructor(name: string) {
      super();
      this.#name = name;
    }

    override _write(_: Buffer, __: string, done: () => void): void {
      order.push(this.#name);
      done();
    }
  }
  /** Sends `pieces` KiB over a connection from an address that belongs to an account since. */
  function send(account: string, address: string, pieces: number): Promise<void> {
    const source = new PacketSource(address);
    source.account = account;
    const receiver = new Receiver(account);
    source.readSocket({ _receiver: receiver } as Parameters<PacketSource['readSocket']>[0]);
    return new Promise((resolve) => {
      receiver.write(Buffer.alloc(pieces * pieceBytes), () => resolve());
    });
  }
  const ofAnn = Array.from({ length: 20 }, () => send('ann', 'office', 8));
  await send('ben', 'office', 4);
  expect(order.filter((account) => account === 'ben')).toHaveLength(4);
  expect(order.length).toBeLessThanOrEqual(10);
  await Promise.all(ofAnn);
  expect(order).toHaveLength(164);
});
