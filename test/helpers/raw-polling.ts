import { connect, type Socket } from 'node:net';

/** A long-polling client that has joined a room, and from then on polls only on request. */
export interface PollingClient {
  /** Polls on a connection that it does not read. */
  askWithoutReading(): void;
  /** Says that it is there, as by the answer to a ping. */
  alive(): void;
  /** That connection, once it has polled. */
  readonly socket: Socket | undefined;
  close(): void;
}

const separator = '\x1e';

export async function connectPolling(port: number, cookie: string, room: string): Promise<PollingClient> {
  const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
  const headers = { cookie };
  const opened = await (await fetch(url, { headers })).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const poll = async () => (await (await fetch(`${url}&sid=${sid}`, { headers })).text()).split(separator);
  const post = (body: string) => fetch(`${url}&sid=${sid}`, { method: 'POST', headers, body });
  const until = async (start: string) => {
    while (!(await poll()).some((packet) => packet.startsWith(start)));
  };
  await post('40');
  await until('42["session:ready"');
  await post(`420${JSON.stringify(['room:join', { room }])}`);
  await until('430[');
  let socket: Socket | undefined;
  return {
    get socket() {
      return socket;
    },
    askWithoutReading() {
      if (socket === undefined) {
        socket = connect({ port, host: '127.0.0.1', noDelay: true });
        socket.on('error', () => {});
        // Without a listener for data it does not start to read.
      }
      socket.write(
        `GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\n\r\n`,
      );
    },
    // A connection that the server has closed is no fault of this.
    alive: () => void post('3').catch(() => {}),
    close: () => void socket?.destroy(),
  };
}
