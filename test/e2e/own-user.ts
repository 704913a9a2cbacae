import { randomBytes } from 'node:crypto';
import type { BrowserContext } from '@playwright/test';
import { io } from 'socket.io-client';
import type { Answer, Answers } from '../../server/wire/events.ts';
import type { Site } from './fixtures.ts';

export interface OwnUser {
  readonly id: string;
  readonly name: string;
  readonly session: string;
}

/** Logs in a user that no other test uses, with a session like the PHP application's and its cookie. */
export async function ownUser(
  site: Site,
  context: BrowserContext,
  more: Record<string, unknown> = {},
): Promise<OwnUser> {
  const id = `u${randomBytes(6).toString('hex')}`;
  const session = randomBytes(16).toString('hex');
  const name = `Visitor ${id.slice(1, 5)}`;
  await site.memcached.set(`sessions/${session}`, JSON.stringify({ user_id: id, firstname: name, ...more }));
  await context.addCookies([{ name: 'PHPSESSID', value: session, domain: '127.0.0.1', path: '/' }]);
  return { id, name, session };
}

/** Joins a public room as a user and marks everything as read. */
export async function join(site: Site, user: OwnUser, room: string): Promise<void> {
  const extraHeaders = { cookie: `PHPSESSID=${user.session}` };
  const socket = io(site.chat.url, { transports: ['websocket'], extraHeaders });
  await new Promise((resolve, reject) => socket.on('session:ready', resolve).on('connect_error', reject));
  const joined: Answer<Answers['room:join']> = await socket.emitWithAck('room:join', { room });
  if (!joined.ok) throw new Error(joined.error.code);
  await socket.emitWithAck('read:mark', { room, seq: joined.data.room.lastSeq });
  socket.disconnect();
}
