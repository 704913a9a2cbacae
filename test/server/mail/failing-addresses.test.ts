import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import { Mails } from '../../../server/mail/mails.ts';
import { type MailPlace, readMailPlace } from '../../../server/mail/place.ts';
import { MailStops } from '../../../server/mail/stops.ts';
import { Due } from '../../../server/notify/due.ts';
import { hanging } from '../../helpers/hanging.ts';
import { startMailServer } from '../../helpers/mail-server.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

const minute = 60_000;
afterEach(() => void vi.useRealTimers());

const at421 = '421 4.3.2 try later';
/** A user whose ID contains an @ has it as mail address. */
const addressOf = (user: string) => (user.includes('@') ? user : `${user}@site.example`);

/** A mail server, and users with unread messages who are queued for a mail. The clock is stopped. */
async function scene(refusals: Record<string, string>) {
  const start = Date.parse('2030-05-06T12:00Z');
  vi.setSystemTime(start);
  const server = await startMailServer();
  for (const [user, refusal] of Object.entries(refusals)) server.refusals.set(addressOf(user), refusal);
  const history = await ownHistory();
  await history.write.arrive({ user: { id: 'ann', name: 'Ann' }, at: start });
  const mails = await Mails.open({
    server: readMailPlace(server.url) as MailPlace,
    from: { name: '', address: 'chat@garden.example' },
    branding: {},
    text: true,
    pageUrl: 'https://garden.example/chat/',
    history,
    stops: new MailStops(history, 'https://garden.example/chat', async () => {}),
    addressOf: async (user) => addressOf(user),
    onFailure() {},
  });
  const outcomes: string[] = [];
  const due = new Due({
    history,
    directory: { banOf: () => null, isVisible: () => true } as unknown as Directory,
    defaults: { after: 0, zone: 'UTC', newMembers: true },
    firstLook: 0,
    mail: mails,
    events: false,
    onPushes() {},
    onEvent() {},
    onMail: (outcome) => void outcomes.push(outcome),
    onQuiet() {},
    onFailure: unexpectedFailure,
  });
  onTestFinished(async () => {
    mails.close();
    await due.stop();
    await server.stop();
  });
  /** Stores a message of Ann in a separate room for each of these users. Their mails are due in this order. */
  async function store(...users: string[]) {
    const now = Date.now();
    const { den, say } = roomsOf(history, now);
    for (const [n, user] of users.entries()) {
      await history.write.arrive({ user: { id: user, name: user }, at: now });
      await history.write.setNotices({ user, set: { quiet: 'off' } });
      const room = `den of ${user}`;
      await den(room, ['ann', user]);
      await say(room, 'ann');
      const queued = now - users.length + n;
      await history.write.noteDue({ room, users: [user], due: queued, pushes: [], pushDue: now });
    }
  }
  async function write(...users: string[]) {
    await store(...users);
    due.wake();
  }
  return {
    server,
    outcomes,
    write,
    /** Like `write`, at this many minutes after the start. */
    async writeAfter(minutes: number, ...users: string[]) {
      // Stored before, so that the clock does not change for a part of them only.
      await store(...users);
      vi.setSystemTime(start + minutes * minute);
      due.wake();
    },
    wake: () => due.wake(),
    /** Sets the clock to this many minutes after the start. */
    after: (minutes: number) => vi.setSystemTime(start + minutes * minute),
    got: (...users: string[]) =>
      expect
        .poll(() => server.mails.flatMap(({ to }) => to).sort(), { timeout: hanging })
        .toEqual(users.map(addressOf).sort()),
    ended: (...expected: string[]) =>
      expect.poll(() => outcomes.toSorted(), { timeout: hanging }).toEqual(expected.sort()),
    attemptsFor: (user: string) => server.attempts.filter((to) => to === addressOf(user)).length,
  };
}

test.each([at421, 'silence'])(
  'mails the others while the server answers one recipient by %s',
  async (refusal) => {
    const { write, got, attemptsFor } = await scene({ bad: refusal });
    await write('bad', 'good1', 'good2', 'good3', 'good4', 'good5');
    await got('good1', 'good2', 'good3', 'good4', 'good5');
    expect(attemptsFor('bad')).toBe(1);
  },
);

test('retries a failing recipient with growing delays, after the users who are due for the first time', async () => {
  const { server, write, writeAfter, after, got, ended, attemptsFor } = await scene({ bad: at421 });
  await write('bad');
  await ended('failed');
  after(4);
  await write('good1');
  await got('good1');
  expect(attemptsFor('bad')).toBe(1);
  await ended('failed', 'sent');
  const good = ['good2', 'good3', 'good4', 'good5', 'good6'];
  await writeAfter(8, ...good);
  await got('good1', ...good);
  await expect.poll(() => attemptsFor('bad'), { timeout: hanging }).toBe(2);
  expect(server.attempts.slice(2, 5)).not.toContain(addressOf('bad'));
  // The second delay is at least ten minutes.
  after(17);
  await write('good7');
  await got('good1', ...good, 'good7');
  expect(attemptsFor('bad')).toBe(2);
});

test('gives hanging retries only one of its connections', async () => {
  const bad = ['bad1', 'bad2', 'bad3', 'bad4', 'bad5'];
  const { server, write, wake, after, got, ended, outcomes } = await scene(
    Object.fromEntries(bad.map((user) => [user, '451 4.3.0 later'])),
  );
  await write(...bad);
  await ended(...bad.map(() => 'failed'));
  for (const user of bad) server.refusals.set(addressOf(user), 'silence');
  server.attempts.length = 0;
  after(8);
  wake();
  await expect.poll(() => server.attempts.length, { timeout: hanging }).toBe(1);
  await write('good1', 'good2', 'good3');
  await got('good1', 'good2', 'good3');
  expect(server.attempts).toHaveLength(4);
  expect(outcomes.filter((one) => one === 'failed')).toHaveLength(bad.length);
});

const usersAt = (domain: (n: number) => string, count = 8) =>
  Array.from({ length: count }, (_, n) => `bad${n}@${domain(n)}`);
const failingWith = (users: readonly string[], refusal: string) =>
  Object.fromEntries(users.map((user) => [user, refusal]));

test.each([
  // Three mails are sent at once, so two more may start before the third one fails.
  ['of one domain', () => 'tarpit.example', 5],
  ['of subdomains of one domain', (n: number) => `d${n}.tarpit.example`, 8],
])('mails the others at once while recipients %s break the connection', async (_, domain, mostAttempts) => {
  const bad = usersAt(domain);
  const { server, write, got } = await scene(failingWith(bad, at421));
  await write(...bad, 'good1', 'good2');
  await got('good1', 'good2');
  expect(server.attempts.filter((to) => bad.includes(to)).length).toBeLessThanOrEqual(mostAttempts);
});

test('pauses all mails for a minute after recipients of three domains in a row broke the connection', async () => {
  const bad = usersAt((n) => `bad${n}.example`, 5);
  const { server, write, wake, after, got, outcomes, attemptsFor } = await scene(failingWith(bad, at421));
  await write(...bad, 'good1', 'good2');
  await expect.poll(() => outcomes.length, { timeout: hanging }).toBeGreaterThanOrEqual(3);
  wake();
  expect(server.mails).toEqual([]);
  expect([attemptsFor('good1'), attemptsFor('good2')]).toEqual([0, 0]);
  after(2);
  wake();
  await got('good1', 'good2');
});
