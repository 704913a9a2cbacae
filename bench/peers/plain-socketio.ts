/**
 * The code that a site would write without this project: Socket.IO without login, storage and a shared order of
 * messages. Prints its port.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { serveClient: false });
io.on('connection', (socket) => {
  socket.on('room:join', ({ room }: { room: string }, ack: (answer: unknown) => void) => {
    socket.join(room);
    ack({ ok: true });
  });
  socket.on(
    'message:send',
    (message: { room: string; text: string; clientId: string }, ack: (answer: unknown) => void) => {
      const sent = { ...message, user: { id: socket.id, name: 'Alice' }, sentAt: Date.now() };
      io.to(message.room).emit('message:new', sent);
      ack({ ok: true, data: { message: sent } });
    },
  );
});
http.listen(0, '127.0.0.1', () => console.log(`port ${(http.address() as AddressInfo).port}`));
