import { Socket } from 'node:net';
import { markChannel } from '../../logout-marker.ts';
import { StoreError } from '../../store.ts';
import type { Line, Subscribe } from '../subscription.ts';
import type { Address } from './connections.ts';
import { failure, type Problems } from './failures.ts';
import { logIn } from './postgres-connection.ts';
import type { SqlServer } from './server-url.ts';

const mark = /^[0-9a-f]{32}$/;

/** Hears of each logout that PdoHandler.php tells, over a connection to the first of the hosts that agrees. */
export function postgresListen(server: SqlServer, problems: Problems): Subscribe {
  const { addresses } = server;
  let next = 0;
  return async (line) => {
    for (let tried = 1; ; tried++) {
      if (line.signal.aborted) throw new StoreError('the watch has ended');
      const at = next;
      // Should this one never answer, the next connection begins with the next.
      next = (at + 1) % addresses.length;
      try {
        const check = await listen(server, addresses[at] as Address, problems, line);
        next = at;
        return check;
      } catch (error) {
        if (tried === addresses.length) throw failure(error, problems);
      }
    }
  };
}

async function listen(
  server: SqlServer,
  address: Address,
  problems: Problems,
  line: Line,
): Promise<() => Promise<unknown>> {
  const socket = new Socket();
  socket.on('error', () => {});
  const end = () => socket.destroy();
  line.signal.addEventListener('abort', end);
  try {
    const { client } = await logIn(server, socket, address);
    client.on('notification', ({ payload = '' }) => {
      if (mark.test(payload)) line.changed({ mark: payload });
    });
    await client.query(`LISTEN ${markChannel}`);
    client.on('error', (error) => line.failed(failure(error, problems)));
    socket.on('close', () => line.failed(new StoreError('the database ended the connection')));
    return async () => {
      await client.query('SELECT 1').catch((error: unknown) => {
        throw failure(error, problems);
      });
    };
  } catch (error) {
    end();
    line.signal.removeEventListener('abort', end);
    throw error;
  }
}
