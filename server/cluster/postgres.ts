import { Client } from 'pg';
import type { DatabaseAddress } from '../history/engine/address.ts';
import { clientConfig, destroySocket } from '../history/engine/postgres.ts';
import { BusError, type BusKind } from './kind.ts';

/** The maximum payload of NOTIFY in PostgreSQL. */
const mostBytes = 7999;

/**
 * Creates a bus by NOTIFY in the history's own database. Hints omit the changes, because payloads are small. PostgreSQL
 * takes a global lock for each commit with a NOTIFY, so NOTIFY is never part of a write. Texts that arrive during a
 * NOTIFY share the next statement.
 */
export function postgresBus(address: DatabaseAddress): BusKind {
  return {
    takesChanges: false,
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
      let hint: string | undefined;
      let said: string[] = [];
      let sending: Promise<void> | undefined;
      const sendAll = async () => {
        while (hint !== undefined || said.length > 0) {
          const texts = hint === undefined ? said : [...said, hint];
          hint = undefined;
          said = [];
          await client.query('SELECT pg_notify($1, text) FROM unnest($2::text[]) AS text', [channel, texts]);
        }
      };
      return {
        send(text, is) {
          // A later hint replaces earlier hints, because its number covers lower numbers.
          if (is === 'hint') hint = text;
          else if (Buffer.byteLength(text) <= mostBytes) said.push(text);
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
