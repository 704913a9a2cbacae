import { Socket } from 'node:net';
import { markerChannel } from '../../logout-marker.ts';
import { StoreError } from '../../store.ts';
import type { Listen, Sink } from '../subscription.ts';
import type { Address, SqlServer } from './connection.ts';
import { type Problems, toStoreError } from './driver.ts';
import { logIn } from './postgres-connection.ts';

const marker = /^[0-9a-f]{32}$/;

/** Listens for the logout markers of PdoHandler.php on the first host that responds. */
export function postgresListen(server: SqlServer, problems: Problems): Listen {
  let next = 0;
  return async (sink) => {
    for (let attempts = 1; ; attempts++) {
      if (sink.signal.aborted) throw new StoreError('the subscription was ended');
      const index = next;
      // If this host does not respond in time, the next connection starts with the next host.
      next = (index + 1) % server.addresses.length;
      try {
        const ping = await listen(server, server.addresses[index] as Address, problems, sink);
        next = index;
        return ping;
      } catch (error) {
        if (attempts === server.addresses.length) throw toStoreError(error, problems);
      }
    }
  };
}

async function listen(
  server: SqlServer,
  address: Address,
  problems: Problems,
  sink: Sink,
): Promise<() => Promise<unknown>> {
  const socket = new Socket();
  socket.on('error', () => {});
  const end = () => socket.destroy();
  sink.signal.addEventListener('abort', end);
  try {
    const { client } = await logIn(server, socket, address);
    client.on('notification', ({ payload = '' }) => {
      if (marker.test(payload)) sink.changed({ marker: payload });
    });
    await client.query(`LISTEN ${markerChannel}`);
    client.on('error', (error) => sink.failed(toStoreError(error, problems)));
    socket.on('close', () => sink.failed(new StoreError('the database ended the connection')));
    return () =>
      client.query('SELECT 1').catch((error: unknown) => {
        throw toStoreError(error, problems);
      });
  } catch (error) {
    end();
    sink.signal.removeEventListener('abort', end);
    throw error;
  }
}
