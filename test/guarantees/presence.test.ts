import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { dice } from '../helpers/dice.ts';
import { within } from '../helpers/hanging.ts';
import { Tab } from '../helpers/tab.ts';
import { size } from './size.ts';

const rooms = ['hall', 'east', 'west', 'north'];
const users = size(200, 14);
const tabs = 3;
const seconds = size(30, 1);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_261_121));
/** Presence must be correct for all users this many milliseconds after a change. */
const settled = 1500;

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: rooms.join(',') }, chatServerHere);
});
afterAll(() => site.close());

test(`presence of ${users} users × ${tabs} connections that come and go for ${seconds} s, seed ${seed}, is correct at most ${within(settled) / 1000} s later`, async () => {
  const roll = dice(seed);
  const cookies = await Promise.all(Array.from({ length: users }, (_, n) => site.session(`u${n}`)));
  const open: (Tab | 'busy' | undefined)[][] = cookies.map(() => Array(tabs).fill(undefined));
  /** The users who joined a room, which made them members. */
  const members = new Map(rooms.map((room) => [room, new Set<number>()]));
  const changes: Promise<void>[] = [];
  async function toggle(user: number, tab: number): Promise<void> {
    const own = open[user] as (Tab | 'busy' | undefined)[];
    const now = own[tab];
    if (now === 'busy') return;
    own[tab] = 'busy';
    if (now !== undefined) {
      // Closes a tab, or cuts its connection without notice.
      if (roll(2) === 0) now.client.close();
      else now.client.socket.io.engine.close();
      own[tab] = undefined;
      return;
    }
    // All users join the hall first, so that it has more users than one event can name.
    const room = members.get('hall')?.has(user) ? (rooms[roll(rooms.length)] as string) : 'hall';
    members.get(room)?.add(user);
    own[tab] = await Tab.open(site.chat.url, cookies[user] as string, room);
  }
  const ends = performance.now() + seconds * 1000;
  for (let user = 0; user < users; user++) changes.push(toggle(user, 0));
  while (performance.now() < ends) {
    changes.push(toggle(roll(users), roll(tabs)));
    await pause(5);
  }
  await Promise.all(changes);
  const everything = open.flat().filter((tab) => tab instanceof Tab);
  expect(everything.length).toBeGreaterThan(users / 2);
  const truth = (room: string) =>
    [...(members.get(room) ?? [])]
      .filter((user) => open[user]?.some((tab) => tab instanceof Tab))
      .map((user) => `u${user}`)
      .sort();
  const wrong = () =>
    everything.filter(({ room, present, count }) => {
      const there = truth(room);
      return count !== there.length || [...present].sort().join() !== there.join();
    }).length;
  await pause(settled);
  // A busy machine may need longer.
  await expect.poll(wrong, { timeout: within(settled) - settled + 1 }).toBe(0);
  for (const { client } of everything) client.close();
});
