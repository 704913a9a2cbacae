import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { startKilledChat } from '../../helpers/killed-chat.ts';
import { startMailServer } from '../../helpers/mail-server.ts';

const kills = 200;
/** Users who are mailed at about the time of a kill. */
const usersAtOnce = 3;
/** Milliseconds after a message when its reader is mailed, and from when on the server is killed. */
const after = 1000;
/** Longer than a server has a user whom it has claimed. */
const claimed = 150_000;
const hours = new Date().getUTCHours();
const noon = `Etc/GMT${hours > 12 ? '+' : '-'}${Math.abs(12 - hours)}`;

test(`a server is killed ${kills} times while it mails: nobody gets a mail twice, and few get none`, async () => {
  const mails = await startMailServer();
  onTestFinished(() => mails.stop());
  const chat = await startKilledChat({
    CHAT_MAIL: mails.url,
    CHAT_MAIL_FROM: 'Garden <chat@garden.example>',
    CHAT_URL: 'https://garden.example/chat',
    CHAT_USER_MAIL: 'mail',
    CHAT_NOTIFY_AFTER: `${after}ms`,
    CHAT_TIME_ZONE: noon,
  });
  onTestFinished(() => chat.stop());
  const users: string[] = [];
  for (let n = 0; n < kills; n++) {
    for (let m = 0; m < usersAtOnce; m++) {
      const user = `u${users.length}`;
      users.push(user);
      const mail = `${user}@site.example`;
      const cookie = await chat.site.rawSession(JSON.stringify({ user_id: user, firstname: user, mail }));
      (await connectChat(chat.url, cookie)).close();
      await chat.call('PUT', `/rooms/${user}`, { kind: 'private', name: 'Den' });
      await chat.call('PATCH', `/rooms/${user}/members`, { add: [user] });
      await chat.call('POST', `/rooms/${user}/messages`, {
        user: { id: 'shop', name: 'Shop' },
        text: 'hello',
        clientId: user,
      });
    }
    await pause(after + Math.random() * 2000);
    await chat.kill();
  }
  const got = () => mails.mails.flatMap(({ to }) => to).sort();
  // The mails of the last servers come when their claims are over.
  let before = -1;
  await vi.waitFor(
    async () => {
      const now = got().length;
      const isSettled = now === before;
      before = now;
      expect(isSettled).toBe(true);
    },
    { interval: claimed, timeout: 5 * claimed },
  );
  expect(new Set(got()).size).toBe(got().length);
  const lost = users.filter((user) => !got().includes(`${user}@site.example`));
  console.log(`${got().length} mails, ${lost.length} lost at ${kills} kills`);
  // At most those that were under way.
  expect(lost.length).toBeLessThanOrEqual(kills);
}, 3_600_000);
