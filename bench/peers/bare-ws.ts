/**
 * The minimum for rooms over WebSocket: ws, a set for each room, and each message written to each member. Prints its
 * port.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

type Request =
  | { id: number; name: 'room:join'; payload: { room: string } }
  | { id: number; name: 'message:send'; payload: { room: string; text: string; clientId: string } };

const http = createServer();
const rooms = new Map<string, Set<WebSocket>>();
new WebSocketServer({ server: http }).on('connection', (socket) => {
  socket.on('message', (data) => {
    const { id, name, payload } = JSON.parse(String(data)) as Request;
    const members = rooms.get(payload.room) ?? new Set();
    rooms.set(payload.room, members);
    if (name === 'room:join') members.add(socket);
    else {
      const sent = { ...payload, user: { id: '1', name: 'Alice' }, sentAt: Date.now() };
      const message = JSON.stringify({ event: 'message:new', data: sent });
      for (const member of members) member.send(message);
    }
    socket.send(JSON.stringify({ id, ok: true }));
  });
});
http.listen(0, '127.0.0.1', () => console.log(`port ${(http.address() as AddressInfo).port}`));
