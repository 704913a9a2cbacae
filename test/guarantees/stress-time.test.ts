import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { fakeClock, fastClock } from '../helpers/fake-clock.ts';
import { within } from '../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { connections } from '../helpers/server-figures.ts';
import { size } from './size.ts';

const room = 'lobby';
const hour = 3600;
/** CHAT_LIMIT_SEND: this many per this many milliseconds. */
const allowed = 10;
const window = 5000;

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 10; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const send = async (client: ChatClient) => {
  const answer = await client.raw('message:send', { room, text: 'text', clientId: newClientId() });
  if (answer.ok) return { ok: true, ...(answer.data as { message: { sentAt: number } }) } as const;
  return answer;
};

/**
 * Sends messages of a user continuously within the limit. @returns a function that stops it and returns the outcomes
 */
function startTalking(client: ChatClient): () => Promise<string[]> {
  let going = true;
  const talking = (async () => {
    const outcomes: string[] = [];
    while (going) {
      const answer = await send(client);
      outcomes.push(answer.ok ? 'ok' : answer.error.code);
      await pause((1.5 * window) / allowed);
    }
    return outcomes;
  })();
  return () => {
    going = false;
    return talking;
  };
}

// Each test has its own server and mostly waits.
describe.concurrent('time', () => {
  test('keeps order, limits, sessions and timers when the clock jumps an hour back or forward', async ({
    expect,
    onTestFinished,
  }) => {
    const clock = fakeClock();
    const server = await startChatServer({
      ...clock.env,
      CHAT_SESSION_STORE: memcached.url,
      CHAT_LIMIT_SEND: `${allowed}/${window}ms`,
    });
    onTestFinished(async () => {
      await server.stop();
      clock.remove();
    });
    const enter = async (user: string) => {
      const client = await connectChat(server.url, `PHPSESSID=${user}`);
      await client.request('room:join', { room });
      return client;
    };
    const [talker, reader] = [await enter('u1'), await enter('u2')];
    const stopTalking = startTalking(talker);
    await expect.poll(() => reader.messages().length).toBeGreaterThan(2);

    for (const [direction, offset, users] of [
      ['back', -hour, ['u3', 'u4']],
      ['forward', 0, ['u5', 'u6']],
    ] as const) {
      const [greedy, leaver] = (await Promise.all(users.map(enter))) as [ChatClient, ChatClient];
      /** Returns the error code of a message, and the time to wait. */
      const refusal = async () => {
        const answer = await send(greedy);
        return {
          code: answer.ok ? 'ok' : answer.error.code,
          told: answer.ok ? 0 : (answer.error.retryAfterMs as number),
        };
      };
      for (let n = 0; n < allowed; n++) expect(await send(greedy)).toMatchObject({ ok: true });
      const before = await refusal();
      expect(before.code).toBe('rate_limited');
      expect(before.told).toBeGreaterThan(0);
      expect(before.told).toBeLessThanOrEqual(window);

      clock.jump(offset);
      const after = await refusal();
      // The jump has taken effect when displayed times follow the new clock.
      const offBy = () => (reader.messages().at(-1)?.sentAt ?? 0) - Date.now();
      await expect.poll(() => Math.abs(offBy() - offset * 1000), { interval: 20 }).toBeLessThan(10_000);
      console.log(
        `clock ${direction}: sentAt off by ${Math.round(offBy() / 1000)} s; in a window of ${window} ms: ` +
          `told to wait ${before.told} ms, then ${after.code}, ${after.told} ms`,
      );
      expect.soft(after.code).toBe('rate_limited');
      // Neither an hour more nor an hour less.
      expect.soft(after.told).toBeGreaterThan(0);
      expect.soft(after.told).toBeLessThanOrEqual(before.told);
      await pause(after.told + 20);
      expect.soft(await send(greedy)).toMatchObject({ ok: true });

      // Sessions are checked at their interval, and new connections are accepted.
      const loggedOut = performance.now();
      await memcached.delete(`sessions/u${leaver.ready.user.id}`);
      expect((await leaver.ended).reason).toBe('logout');
      expect(performance.now() - loggedOut).toBeLessThan(within(2000));
      (await connectChat(server.url, 'PHPSESSID=u9')).close();
      expect(greedy.socket.connected).toBe(true);
      greedy.close();
    }

    const outcomes = await stopTalking();
    expect.soft(new Set(outcomes)).toEqual(new Set(['ok']));
    const { messages } = await reader.request('room:sync', { room, since: 0, limit: 500 });
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n + 1));
    expect(messages.map(({ rev }) => rev)).toEqual(messages.map((_, n) => n + 1));
    await expect.poll(() => reader.messages()).toEqual(messages);
    for (const client of [talker, reader]) {
      expect(client.socket.connected).toBe(true);
      client.close();
    }
  });

  // The full run uses the real clock. Otherwise the server's clock and all its timers run faster.
  const speed = size(1, 5);
  test(`drops a client under SIGSTOP within ${within(50)} s${speed > 1 ? ` of a clock ${speed} times as fast` : ''}`, async ({
    expect,
    onTestFinished,
  }) => {
    const server = await startChatServer({
      ...(speed > 1 ? fastClock(speed) : {}),
      // With the fast clock, the default timeout would end after 50 ms.
      CHAT_SESSION_STORE: `${memcached.url}&timeout=5000ms`,
    });
    const program = fileURLToPath(new URL('../helpers/stopped-client.ts', import.meta.url));
    const client = startChild(process.execPath, [program, String(server.port), 'PHPSESSID=u10']);
    onTestFinished(async () => {
      await client.stop('SIGKILL');
      await server.stop();
    });
    await client.until(/joined/);
    const began = performance.now();
    client.signal('SIGSTOP');
    expect(await connections(server.url)).toBe(1);
    await expect.poll(() => connections(server.url), { interval: 200 }).toBe(0);
    const seconds = ((performance.now() - began) / 1000) * speed;
    console.log(`half-open: gone after ${seconds.toFixed(1)} s${speed > 1 ? ' of the fast clock' : ''}`);
    expect(seconds).toBeLessThan(within(50));
    // Only a missing pong can be the reason, and a pong may take 20 s.
    expect(seconds).toBeGreaterThan(20);
  });
});
