/**
 * A Socket.IO server that sends messages for its parent process, with Socket.IO's broadcast or with the chat's fan-out.
 * Prints its port, and responds to each order with the CPU time in µs.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Server } from 'socket.io';
import { FanOut } from '../../server/connections/fan-out.ts';

export interface Order {
  way: 'broadcast' | 'fan-out';
  /** The rooms that receive each message. All clients are in all of them. */
  rooms: string[];
  /** Messages per event-loop tick, and the number of ticks. */
  together: number;
  times: number;
}

const all = ['hall', 'yard', 'shed'];
const http = createServer();
const io = new Server(http, { serveClient: false });
const fanOut = new FanOut();
io.on('connection', (socket) => {
  fanOut.add(socket.id, socket.conn);
  for (const room of all) {
    void socket.join(room);
    fanOut.join(socket.id, room);
  }
});

const message = {
  id: 'a7c1d9f2-5b0e-4c5e-9a53-0f7d1c1b2a3d',
  room: 'hall',
  seq: 123_456,
  rev: 123_789,
  clientId: 'a7c1d9f25b0e4c5e',
  user: { id: '1234', name: 'Alice' },
  text: 'x'.repeat(80),
  sentAt: 1_700_000_000_000,
};

function send({ way, rooms, together }: Order): void {
  for (let n = 0; n < together; n++) {
    for (const room of rooms) {
      if (way === 'broadcast') io.to(room).emit('message:new', message);
      else fanOut.toRoom(room, 'message:new', message);
    }
  }
}

process.on('message', async (order: Order) => {
  const before = process.cpuUsage();
  for (let n = 0; n < order.times; n++) {
    send(order);
    // Waits until the clients have read the messages, so that the server's send buffers stay empty.
    await pause(20 + 2 * order.together * order.rooms.length);
  }
  const { user, system } = process.cpuUsage(before);
  process.send?.(user + system);
});
http.listen(0, '127.0.0.1', () => console.log(`port ${(http.address() as AddressInfo).port}`));
