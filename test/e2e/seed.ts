import { io } from 'socket.io-client';
import type { Answer, Answers } from '../../server/events.ts';
import type { Site } from './fixtures.ts';

export type Seed = string | { text: string; replyTo?: number; clientId?: string };

/** Messages written by somebody else, over a connection of his own. */
export async function seed(site: Site, user: string, room: string, seeds: readonly Seed[]): Promise<void> {
  const cookie = await site.php.login(user);
  const socket = io(site.chat.url, { transports: ['websocket'], extraHeaders: { cookie } });
  const ask = async <T>(name: string, payload: unknown): Promise<T> => {
    const answer: Answer<T> = await socket.timeout(10_000).emitWithAck(name, payload);
    if (!answer.ok) throw new Error(`${name}: ${answer.error.code}`);
    return answer.data;
  };
  await new Promise((resolve, reject) => socket.on('session:ready', resolve).on('connect_error', reject));
  await ask<Answers['room:join']>('room:join', { room });
  const run = Date.now().toString(36);
  // In packets, so that a thousand messages are not as many round trips.
  for (let start = 0; start < seeds.length; start += 50) {
    const part = seeds.slice(start, start + 50);
    await Promise.all(
      part.map((seed, i) => {
        const more = typeof seed === 'string' ? { text: seed } : seed;
        return ask('message:send', { room, clientId: `seed-${run}-${start + i}`, ...more });
      }),
    );
  }
  socket.disconnect();
}

export const numbered = (count: number, word = 'message') =>
  Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);
