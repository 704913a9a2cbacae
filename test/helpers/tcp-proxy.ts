import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** The number of accepted connections so far. */
  readonly accepted: number;
  close(): Promise<void>;
}

/**
 * Starts a proxy between a client and a real server. `reply` gets each piece of the server's replies, and forwards it,
 * changes it, or ends the connection.
 * @param onSent is called with each piece from the client
 * @param port the port to listen on, by default a free one
 */
export async function startTcpProxy(
  target: number,
  reply: (piece: Buffer, client: Socket, nth: number) => void,
  onSent: (piece: Buffer) => void = () => {},
  port = 0,
): Promise<TcpProxy> {
  let accepted = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const nth = accepted++;
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (piece: Buffer) => {
      onSent(piece);
      upstream.write(piece);
    });
    upstream.on('data', (piece: Buffer) => {
      if (!client.destroyed) reply(piece, client, nth);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
