import { Client } from 'pg';
import type { DatabaseAddress } from '../history/sql/address.ts';
import { clientConfig, destroySocket } from '../history/sql/postgres.ts';
import { BusError, type BusKind } from './kind.ts';

/**
 * NOTIFY in the history's own database. The hint is a number alone: PostgreSQL takes no payload of 8,000 bytes, and one
 * lock for all commits with a NOTIFY. So it is a statement of its own, and what comes while one is under way shares the
 * next one.
 */
export function postgresBus(address: DatabaseAddress): BusKind {
  return {
    most: 0,
    async connect(channel, { text, failed }) {
      const client = new Client(clientConfig(address));
      const end = () => destroySocket(client);
      const failure = (error: unknown) =>
        new BusError(`PostgreSQL: the connection failed (${(error as { code?: string }).code ?? 'closed'})`);
      client.on('error', (error) => failed(failure(error)));
      client.on('end', () => failed(failure({})));
      client.on('notification', ({ payload = '' }) => text(payload));
      try {
        await client.connect();
        await client.query(`LISTEN "${channel}"`);
      } catch (error) {
        end();
        throw failure(error);
      }
      let next: string | undefined;
      let sending: Promise<void> | undefined;
      const sendAll = async () => {
        while (next !== undefined) {
          const message = next;
          // The highest number says it all.
          next = undefined;
          await client.query('SELECT pg_notify($1, $2)', [channel, message]);
        }
      };
      return {
        send(message) {
          next = message;
          sending ??= sendAll().finally(() => {
            sending = undefined;
          });
          return sending;
        },
        ping: () => client.query('SELECT 1').catch((error) => Promise.reject(failure(error))),
        end,
      };
    },
  };
}
