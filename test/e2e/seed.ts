import { asUser } from './as-user.ts';
import type { Site } from './fixtures.ts';

export type Seed = string | { text: string; replyTo?: number; clientId?: string; files?: { id: string }[] };

/** Writes messages as another user, over a separate connection. */
export async function seed(site: Site, user: string, room: string, seeds: readonly Seed[]): Promise<void> {
  await asUser(site, user, async (ask) => {
    await ask('room:join', { room });
    const run = Date.now().toString(36);
    // Batches avoid a round trip per message.
    for (let start = 0; start < seeds.length; start += 50) {
      const part = seeds.slice(start, start + 50);
      await Promise.all(
        part.map((seed, i) => {
          const more = typeof seed === 'string' ? { text: seed } : seed;
          return ask('message:send', { room, clientId: `seed-${run}-${start + i}`, ...more });
        }),
      );
    }
  });
}

export const numbered = (count: number, word = 'message') =>
  Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);
