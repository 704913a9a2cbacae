import { describe, type ExpectStatic, type TestContext, test } from 'vitest';
import { type ChatClient, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startRedis } from '../helpers/redis.ts';
import { metrics } from '../helpers/server-figures.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { size } from './size.ts';

type Context = Pick<TestContext, 'onTestFinished'> & { expect: ExpectStatic };

const id = 'session';
const loggedIn = 'user_id|i:7;firstname|s:3:"Ann";';
const loggedOut = 'language|s:2:"de";';

/** A busy machine may need longer for the first answer of the store than a new connection waits for it. */
async function connectOnceAnswered(url: string): Promise<ChatClient> {
  for (;;) {
    try {
      return await connectChat(url, `PHPSESSID=${id}`);
    } catch (error) {
      if ((error as Error).message !== 'session_store_unavailable') throw error;
    }
  }
}

/**
 * Logs out a user who is connected to a chat that the store notifies, and expects that the next check ends the session. A
 * check whose answer comes late would be followed by another one, so the stores may take longer than usual.
 */
async function expectNextCheckToEnd(
  store: string,
  logOut: () => Promise<unknown>,
  { expect, onTestFinished }: Context,
): Promise<void> {
  const chat = await chatServerHere({ CHAT_SESSION_STORE: store });
  onTestFinished(async () => void (await chat.stop()));
  await chat.until(/store notifications are active/);
  const client = await connectOnceAnswered(chat.url);
  onTestFinished(() => client.close());
  const checks = async () => (await metrics(chat.url)).get('chat_session_checks_total') ?? Number.NaN;
  await logOut();
  const before = await checks();
  expect((await client.ended).reason).toBe('logout');
  expect((await checks()) - before).toBeLessThanOrEqual(1);
}

describe.concurrent('memcached: the next check ends a session', () => {
  test('when the notification is lost on the way', async (context) => {
    const memcached = await startMemcached();
    const lost = Promise.withResolvers<void>();
    let losing = false;
    const proxy = await startTcpProxy(memcached.port, (piece, client) => {
      if (losing && piece.includes(' type=item_')) lost.resolve();
      else client.write(piece);
    });
    context.onTestFinished(async () => {
      await proxy.close();
      await memcached.stop();
    });
    await memcached.set(id, loggedIn);
    const logOut = async () => {
      losing = true;
      await memcached.set(id, loggedOut);
    };
    await expectNextCheckToEnd(
      `memcached://127.0.0.1:${proxy.port}?prefix=&format=php&timeout=5000ms`,
      logOut,
      context,
    );
    await lost.promise;
  });
});

describe.concurrent('Redis: the next check ends a session', () => {
  const faults = [
    ['when the connection of the notifications is cut', ['CLIENT', 'KILL', 'TYPE', 'pubsub']],
    ['when its notifications are switched off', ['CONFIG', 'SET', 'notify-keyspace-events', '']],
  ] as const;
  test.for(faults.slice(0, size(2, 1)))('%s', async ([, fault], context) => {
    const redis = await startRedis(['--notify-keyspace-events', 'Egx']);
    context.onTestFinished(() => redis.remove());
    const key = `PHPREDIS_SESSION:${id}`;
    await redis.ask('SET', key, loggedIn);
    const logOut = async () => {
      await redis.ask(...fault);
      await redis.ask('DEL', key);
    };
    await expectNextCheckToEnd(`redis://127.0.0.1:${redis.port}?timeout=5000ms`, logOut, context);
  });
});
