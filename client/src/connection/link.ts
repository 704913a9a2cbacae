/** A connection to an Engine.IO server (protocol 4), over which text goes both ways. */
export interface Link {
  send(text: string): void;
  /** The listener hears nothing more. */
  close(): void;
}

export interface LinkListener {
  /** @param most - the bytes of the largest packet: the server ends a connection that sends a larger one */
  opened(most: number): void;
  /** Anything at all has come from the server. */
  heard(): void;
  said(text: string): void;
  /** Called once. `failed`: with an error, before it was opened; `unopened`: without one. */
  closed(how: 'failed' | 'unopened' | 'broken'): void;
}

/** The first characters of Engine.IO's packets. */
const packets = { open: '0', ping: '2', pong: '3', message: '4' } as const;

/** The path of Socket.IO at that server: a path of the server's own is where a proxy has put it. */
export const pathAt = (server: string) => `${new URL(server).pathname.replace(/\/$/, '')}/socket.io/`;

/** By WebSocket; throws where that is forbidden. polling.ts is the other way. */
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
  /** The server asks in turns whether this is still here; it is gone when it no longer does. */
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(lost, silence);
  };
  addEventListener('offline', lost);
  socket.onopen = () => {
    accepted = true;
  };
  // Where the page's own policy forbids it, nothing more follows.
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
