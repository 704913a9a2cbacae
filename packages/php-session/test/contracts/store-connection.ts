import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  inSingleBytes,
  orNull,
  spoilingProxy,
  storeAt,
  text,
} from '../../../../test/helpers/session-stores.ts';
import type { TcpProxy } from '../../../../test/helpers/tcp-proxy.ts';
import { FormatError } from '../../src/formats/value.ts';
import { type SessionStore, StoreError } from '../../src/store.ts';

/** A server with sessions, which a store reads over a connection in the server's protocol. */
export interface StoreServer {
  port: number;
  /** The store's URL of a server at that port, with that timeout in milliseconds. */
  url(port: number, timeout: number): string;
  put(id: string, value: string): Promise<unknown>;
  /** Returns the position of the reply with a session in a chunk from the server. -1 if the chunk has none. */
  answerIn(piece: Buffer): number;
  /** An unrequested reply, with the session `user_id|i:1;`. */
  unasked: Buffer;
}

export interface ConnectionTraits {
  /** Invalid replies, each with the error that it leads to. */
  nonsense: readonly [name: string, bytes: string | Buffer, reason: RegExp][];
  /** Whether a request soon after a failure gets the same failure and no new connection. */
  waitsToReconnect: boolean;
}

/**
 * The behaviour of a store with replies that are late, changed, cut off or unrequested: a failure, and never the
 * session of another visitor.
 * @param started returns the server, once the tests run
 */
export function storeConnectionContract(
  { nonsense, waitsToReconnect }: ConnectionTraits,
  started: () => StoreServer,
) {
  describe('a faulty reply', () => {
    let server: StoreServer;
    beforeAll(async () => {
      server = started();
      await server.put('one', 'user_id|i:1;');
      await server.put('two', 'user_id|i:2;');
    });

    const spoiled = async (
      reply: (piece: Buffer, client: Socket, nth: number) => void,
      timeout = 5000,
    ): Promise<[SessionStore, TcpProxy]> => {
      const proxy = await spoilingProxy(server.port, reply);
      return [storeAt(server.url(proxy.port, timeout)), proxy];
    };
    /** Waits until a store that has failed answers again. */
    const answersAgain = (sessions: SessionStore) =>
      expect.poll(() => orNull(text(sessions.get('two')))).toBe('user_id|i:2;');
    /** Returns the message of the expected StoreError or FormatError. */
    const reasonOf = async (sessions: SessionStore): Promise<string> => {
      const error = await sessions.get('one').then(
        () => new Error('there was an answer'),
        (reason: unknown) => reason,
      );
      if (!(error instanceof StoreError || error instanceof FormatError)) throw error;
      return error.message;
    };

    test('does not answer a later request if it is late', async () => {
      const late: (() => void)[] = [];
      const [sessions] = await spoiled((piece, client, nth) => {
        if (nth > 0 || server.answerIn(piece) === -1) client.write(piece);
        else late.push(() => client.write(piece));
      }, 250);
      expect(await reasonOf(sessions)).toMatch(/250 ms/);
      expect(late).toHaveLength(1);
      for (const answer of late) answer();
      const answers: string[] = [];
      while (answers.length === 0) {
        await sessions.get('two').then(
          (bytes) => answers.push(String(bytes)),
          () => pause(10),
        );
      }
      expect(answers).toEqual(['user_id|i:2;']);
    });

    test('is a failure after the timeout if it is missing under steady traffic', async () => {
      const [sessions] = await spoiled(() => {}, 250);
      const first = reasonOf(sessions);
      const traffic = setInterval(() => sessions.get('two').catch(() => {}), 20);
      onTestFinished(() => clearInterval(traffic));
      expect(await first).toMatch(/250 ms/);
    });

    test.each(nonsense)(
      '%s is a failure, and the next request gets its own answer',
      async (_, bytes, reason) => {
        let isReplaced = false;
        const [sessions] = await spoiled(
          (piece, client) => {
            const at = isReplaced ? -1 : server.answerIn(piece);
            client.write(
              at === -1
                ? piece
                : Buffer.concat([
                    piece.subarray(0, at),
                    typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
                  ]),
            );
            isReplaced ||= at !== -1;
          },
          reason.source.includes('250') ? 250 : undefined,
        );
        expect(await reasonOf(sessions)).toMatch(reason);
        await answersAgain(sessions);
      },
    );

    test('does not answer a later request if it is unrequested', async () => {
      const [sessions] = await spoiled((piece, client, nth) => {
        client.write(
          nth === 0 && server.answerIn(piece) !== -1 ? Buffer.concat([piece, server.unasked]) : piece,
        );
      });
      await sessions.get('two');
      for (let n = 0; n < 10; n++) {
        expect(await text(sessions.get('two')).catch(() => 'failed')).toMatch(/^(failed|user_id\|i:2;)$/);
        await pause(5);
      }
    });

    test('is a failure if it is cut off, and the rest never reaches the next request', async () => {
      const [sessions, proxy] = await spoiled((piece, client, nth) => {
        if (nth > 0 || server.answerIn(piece) === -1) return client.write(piece);
        client.write(piece.subarray(0, piece.length - 5));
        client.end();
      });
      await reasonOf(sessions);
      await answersAgain(sessions);
      expect(proxy.accepted).toBe(2);
    });

    test('fails all twenty requests if the connection is cut', async () => {
      const [sessions] = await spoiled((_, client) => client.destroy());
      const answers = Array.from({ length: 20 }, () => reasonOf(sessions));
      for (const reason of await Promise.all(answers)) {
        expect(reason).toMatch(/closed the connection|ECONNRESET|EPIPE/);
      }
    });

    if (waitsToReconnect) {
      test('fails 300 requests over fewer than 50 connections if the server cuts each connection', async () => {
        const [sessions, proxy] = await spoiled((_, client) => client.destroy());
        const asking = Array.from({ length: 300 }, (_, n) => pause(n).then(() => reasonOf(sessions)));
        for (const reason of await Promise.all(asking)) {
          expect(reason).toMatch(/closed the connection|ECONNRESET|EPIPE/);
        }
        expect(proxy.accepted).toBeLessThan(50);
        await proxy.close();
        await expect.poll(() => reasonOf(sessions)).toMatch(/cannot be reached \(ECONNREFUSED\)/);
      });
    }

    test('is read even if it arrives in single bytes', async () => {
      const [sessions] = await spoiled(inSingleBytes);
      expect(await text(sessions.get('one'))).toBe('user_id|i:1;');
    });
  });
}
