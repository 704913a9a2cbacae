import { io, type Socket } from 'socket.io-client';
import type { Answer, RequestName } from '../../server/wire/events.ts';
import type { Done } from '../helpers/chat-client.ts';
import type { Site } from './fixtures.ts';

/** Sends requests to the server as a user, over a separate connection. */
export type Ask = <E extends RequestName>(name: E, payload: unknown) => Promise<Done<E>>;

/** Connects as a user while `task` runs. */
export async function asUser<T>(site: Site, user: string, task: (ask: Ask) => Promise<T>): Promise<T> {
  const cookie = `PHPSESSID=${await site.login(user)}`;
  const socket = io(site.chat.url, { transports: ['websocket'], extraHeaders: { cookie } });
  try {
    await ready(socket);
    return await task(async (name, payload) => {
      const answer: Answer<never> = await socket.timeout(10_000).emitWithAck(name, payload);
      if (!answer.ok) throw new Error(`${name}: ${answer.error.code}`);
      return answer.data;
    });
  } finally {
    socket.disconnect();
  }
}

/** Waits for `session:ready`. Throws an error that says how far the connection came. */
async function ready(socket: Socket): Promise<void> {
  const steps: string[] = [];
  socket.io.on('open', () => steps.push('open'));
  socket.on('connect', () => steps.push('connect')).onAny((event) => steps.push(event));
  await new Promise<unknown>((resolve, reject) => {
    const fail = (why: unknown) => reject(new Error(`not connected: ${why}, after: ${steps.join(', ')}`));
    const late = setTimeout(fail, 30_000, 'no answer in 30 s');
    socket
      .on('session:ready', resolve)
      .on('connect_error', fail)
      .on('disconnect', fail)
      .on('session:ready', () => clearTimeout(late));
  });
}

/** Creates a private room with this owner and these members. */
export function privateRoom(site: Site, owner: string, name: string, members: string[]): Promise<string> {
  return asUser(site, owner, async (ask) => {
    const clientId = `room-${name.replaceAll(/\W/g, '-')}`;
    const { room } = await ask('room:create', { name, kind: 'private', members, clientId });
    return room.id;
  });
}
