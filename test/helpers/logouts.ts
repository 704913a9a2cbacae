import { type ChatClient, connectChat } from './chat-client.ts';
import type { RunningChat } from './chat-server.ts';
import type { PhpApp } from './php-app.ts';

const names = ['alice', 'bob', 'carol'];

/** Sessions of a PHP site, each with its connections to the chat, which have joined the room `lobby`. */
export interface Visitors {
  cookies: string[];
  tabs: ChatClient[][];
}

export async function manyVisitors(
  php: PhpApp,
  chat: RunningChat,
  sessions: number,
  tabs: number,
): Promise<Visitors> {
  const cookies: string[] = [];
  for (let n = 0; n < sessions; n++) cookies.push(await php.login(names[n % names.length] as string));
  const open = async (cookie: string) => {
    const client = await connectChat(chat.url, cookie);
    await client.request('room:join', { room: 'lobby' });
    return client;
  };
  return {
    cookies,
    tabs: await Promise.all(
      cookies.map((cookie) => Promise.all(Array.from({ length: tabs }, () => open(cookie)))),
    ),
  };
}

/**
 * Logs all of them out, one after another.
 * @returns for each connection the milliseconds from PHP's response to `session:ended`, or 0 if it came first, and its
 * reason
 */
export async function logOutAll(
  php: PhpApp,
  { cookies, tabs }: Visitors,
): Promise<{ took: number; reason: string }[]> {
  const ended: Promise<{ took: number; reason: string }>[] = [];
  for (const [n, cookie] of cookies.entries()) {
    await php.logout(cookie);
    const answered = performance.now();
    for (const tab of tabs[n] as ChatClient[]) {
      ended.push(tab.ended.then(({ at, reason }) => ({ took: Math.max(0, at - answered), reason })));
    }
  }
  return Promise.all(ended);
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
