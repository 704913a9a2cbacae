import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MailReader } from '../../../../server/mail/replies/reader.ts';
import { untilStopped } from '../../../helpers/child.ts';
import { bytesOf } from '../../../helpers/mail-answers.ts';

const signal = (pid: number, ...names: NodeJS.Signals[]) => {
  for (const name of names) process.kill(pid, name);
};

/** Returns the processes that read mails for this process, also for servers of other tests. */
const readers = () =>
  readdirSync('/proc').filter((pid) => {
    try {
      const [, parent] = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return Number(parent) === process.pid && command.includes('read-mail');
    } catch {
      // It has ended, or the name is no process.
      return false;
    }
  });

/** Starts to read a mail in a process that is stopped. */
async function reading() {
  const others = readers();
  const reader = new MailReader();
  const read = () =>
    reader.read({
      bytes: bytesOf({ body: '\nhello\n' }, `replies+${'a'.repeat(26)}@garden.example`),
      replies: { local: 'replies', domain: 'garden.example' },
      from: 'chat@garden.example',
      names: [],
    });
  await read();
  const pid = Number(readers().find((one) => !others.includes(one)));
  signal(pid, 'SIGSTOP');
  untilStopped(pid);
  return { mail: read(), pid, read };
}

test('a mail is read to its end while the service manager ends the service', async () => {
  const { mail, pid } = await reading();
  signal(pid, 'SIGTERM', 'SIGINT', 'SIGCONT');
  expect(await mail).toMatchObject({ text: 'hello' });
});

test('a mail is not taken as unreadable if the machine has no memory for its reader', async () => {
  const { mail, pid, read } = await reading();
  signal(pid, 'SIGKILL');
  await expect(mail).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(await read()).toMatchObject({ text: 'hello' });
});
