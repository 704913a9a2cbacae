import { Socket as Engine } from 'engine.io-client';
import { type Link, type LinkListener, pathAt } from './link.ts';

/**
 * Connects by HTTP long polling, for networks that block WebSocket.
 *
 * @param upgrade - switches to WebSocket if it works after all
 * @param both - tries WebSocket alone if polling fails
 */
export function byPolling(server: string, upgrade: boolean, both: boolean, listener: LinkListener): Link {
  const engine = new Engine(new URL(server).origin, {
    path: pathAt(server),
    transports: upgrade ? ['polling', 'websocket'] : ['polling'],
    tryAllTransports: both,
    withCredentials: true,
  });
  let opened = false;
  let most = 0;
  let over = false;
  engine.on('handshake', ({ maxPayload }) => {
    most = maxPayload;
  });
  engine.on('open', () => {
    opened = true;
    if (!over) listener.opened(most);
  });
  engine.on('packet', () => over || listener.heard());
  engine.on('data', (text) => over || listener.said(String(text)));
  engine.on('close', (reason) => {
    if (!over) listener.closed(opened ? 'broken' : reason === 'transport error' ? 'failed' : 'unopened');
  });
  return {
    send: (text) => void engine.send(text),
    close() {
      over = true;
      engine.close();
    },
  };
}
