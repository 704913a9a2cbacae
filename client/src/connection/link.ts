/** A connection to an Engine.IO server (protocol 4) that sends and receives text. */
export interface Link {
  send(text: string): void;
  /** Closes the connection without calling the listener. */
  close(): void;
}

export interface LinkListener {
  /** @param most - the maximum packet size in bytes; the server ends a connection that sends a larger one */
  opened(most: number): void;
  /** A packet of any type arrived from the server. */
  heard(): void;
  said(text: string): void;
  /**
   * Called at most once. `failed`: there was an error before the connection was opened. `unopened`: it closed before it
   * was opened, without an error. `broken`: it closed afterwards.
   */
  closed(how: 'failed' | 'unopened' | 'broken'): void;
}

/** The types of Engine.IO packets, which are their first characters. */
const packets = { open: '0', ping: '2', pong: '3', message: '4' } as const;

/** The path of Socket.IO on a server. If the server's address has a path, a proxy serves the chat below it. */
export const pathAt = (server: string) => `${new URL(server).pathname.replace(/\/$/, '')}/socket.io/`;

/** Connects by WebSocket, or throws if the browser forbids it. The alternative is polling.ts. */
export function byWebSocket(server: string, listener: LinkListener): Link {
  const url = new URL(`${pathAt(server)}?EIO=4&transport=websocket`, server);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  let accepted = false;
  let opened = false;
  let silence = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    removeEventListener('offline', lost);
    socket.onmessage = socket.onerror = socket.onclose = null;
    socket.close();
  };
  const end = (how: 'failed' | 'unopened' | 'broken') => {
    close();
    listener.closed(how);
  };
  const lost = () => end(opened ? 'broken' : 'unopened');
  /** The server sends pings regularly. If they stop, the connection is lost. */
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(lost, silence);
  };
  addEventListener('offline', lost);
  socket.onopen = () => {
    accepted = true;
  };
  // If the page's policy forbids the connection, no `close` event follows.
  socket.onerror = () => end(opened ? 'broken' : 'failed');
  socket.onclose = () => end(opened ? 'broken' : accepted ? 'unopened' : 'failed');
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    listener.heard();
    const [type] = data;
    const text = data.slice(1);
    if (type === packets.message) {
      listener.said(text);
    } else if (type === packets.ping) {
      wait();
      socket.send(packets.pong);
    } else if (type === packets.open) {
      const { pingInterval, pingTimeout, maxPayload } = JSON.parse(text) as Record<
        'pingInterval' | 'pingTimeout' | 'maxPayload',
        number
      >;
      silence = pingInterval + pingTimeout;
      wait();
      opened = true;
      listener.opened(maxPayload);
    }
  };
  return { send: (text) => socket.send(packets.message + text), close };
}
