import { expect, onTestFinished, test, vi } from 'vitest';
import { Mailbox } from '../../../../server/mail/replies/mailbox.ts';
import { bytesOf } from '../../../helpers/mail-answers.ts';

const token = 'abcdefghijklmnopqrstuvwxy2';
const other = bytesOf({ body: '\nBuy now!\n' }, 'replies@garden.example');
const answer = bytesOf({ body: '\nhello\n' }, `replies+${token}@garden.example`);

/** The mails of the mailbox, by their UIDs from 1. */
let mails: { bytes: Buffer; seen: boolean }[] = [];
let fetched = 0;
const client = {
  on() {},
  connect: async () => {},
  mailboxOpen: async () => {},
  close() {},
  search: async () => mails.flatMap(({ seen }, n) => (seen ? [] : n + 1)),
  async fetchOne(uid: string, { source }: { source?: object }) {
    fetched++;
    const { bytes } = mails[Number(uid) - 1] as (typeof mails)[number];
    return source === undefined ? { size: bytes.length, headers: bytes } : { source: bytes };
  },
  async messageFlagsAdd(uid: string) {
    (mails[Number(uid) - 1] as (typeof mails)[number]).seen = true;
  },
};
vi.mock('imapflow', () => ({
  ImapFlow: function ImapFlow() {
    return client;
  },
}));

/** Reads the mailbox. `took` resolves when it takes a mail, `looked` when it has read all. */
function read() {
  const [took, looked] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const mailbox = new Mailbox({
    place: { host: 'mail.example', port: 993, tls: 'first', folder: 'INBOX' } as never,
    address: { local: 'replies', domain: 'garden.example' },
    maxBytes: 1_000_000,
    isInCharge: () => true,
    async take() {
      took.resolve();
      return 'posted';
    },
    onWorking() {
      // Each round reads 100 mails. It must not start again.
      if (fetched > mails.length + 200) looked.resolve('starts again');
    },
    onFailure: (reason) => looked.resolve(reason),
  });
  onTestFinished(() => mailbox.stop());
  return Promise.race([took.promise.then(() => 'took it'), looked.promise]);
}

test('finds an answer behind any number of unread mails that are not for the chat', async () => {
  mails = Array.from({ length: 10_200 }, () => ({ bytes: other, seen: false }));
  mails.push({ bytes: answer, seen: false });
  expect(await read()).toBe('took it');
  await expect.poll(() => mails.at(-1)?.seen).toBe(true);
  expect(mails.filter(({ seen }) => seen)).toHaveLength(1);
});
