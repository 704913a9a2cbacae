import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleSite, type Person, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, textOf, until } from './open-page.ts';

const HOUR = 3_600_000;
let site: PeopleSite;
let alice: Person;
beforeAll(async () => {
  site = await startPeopleSite();
  alice = await site.person({ firstname: 'Alice' });
});
afterAll(() => site.close());

/** Opens a new room of Alice on a computer whose clock is ahead by so many milliseconds. */
async function room(name: string, ahead: number): Promise<{ id: string; page: ChatPage }> {
  const { id } = await site.den(alice, [], { name });
  await alice.request('room:join', { room: id });
  const before = await openPage(site.chat.url, alice.cookie);
  before.setWrongly(Date.now() + ahead);
  const page = await before.reload();
  await page.open(name);
  return { id, page };
}

const clocks = [
  ['three hours ahead', 3 * HOUR],
  ['a day behind', -24 * HOUR],
] as const;

/** As the page shows it in the user's zone and language. */
const shown = (at: number) => new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' }).format(at);

test.each(clocks)('ends a poll after an hour with a clock that is %s', async (words, ahead) => {
  const { id, page } = await room(`poll ${words}`, ahead);
  await page.click('button', 'Attach');
  await page.click('menuitem', 'New poll');
  const dialog = await page.get('dialog', 'New poll');
  await page.fill('textbox', 'Question', 'When?', dialog);
  await page.fill('textbox', 'Option 1', 'now', dialog);
  await page.fill('textbox', 'Option 2', 'later', dialog);
  const ends = (await page.get('combobox', 'Ends', dialog)) as HTMLSelectElement;
  ends.value = 'hour';
  ends.dispatchEvent(new page.window.Event('change', { bubbles: true }));
  const asked = Date.now();
  await page.click('button', 'Send', dialog);
  await page.gone('dialog');
  const { messages } = await alice.request('message:history', { room: id });
  const { until: end = 0 } = messages[0]?.poll ?? {};
  expect(end - asked - HOUR).toBeGreaterThan(-5000);
  expect(end - Date.now() - HOUR).toBeLessThan(5000);
  // It is open here, and is over when the server says so.
  const vote = await page.get('button', /^now/, page.timeline);
  expect(vote.getAttribute('aria-disabled')).toBeNull();
});

test.each(clocks)('shows a message that waits under the right day and time: %s', async (words, ahead) => {
  const { page } = await room(`day ${words}`, ahead);
  page.wire.held.add('message:send');
  const sent = Date.now();
  await page.write('on its way');
  const message = await page.message('on its way');
  const time = await until(() => message.closest('[role="log"]')?.querySelector('time') as HTMLTimeElement);
  expect(Date.parse(time.dateTime) - sent).toBeLessThan(5000);
  expect(Date.parse(time.dateTime) - sent).toBeGreaterThan(-5000);
  expect([shown(sent), shown(Date.now())]).toContain(textOf(time));
  expect(page.all('separator', undefined, page.timeline).map(textOf)).toEqual(['Today']);
});

test.each(clocks)('shows until when a room is quiet: %s', async (words, ahead) => {
  const { id, page } = await room(`quiet ${words}`, ahead);
  const before = Date.now();
  await alice.request('room:notify', { room: id, notify: 'all', quietForMs: HOUR });
  await page.click('button', new RegExp(`^quiet ${words}`), await page.get('region', `quiet ${words}`));
  await page.click('tab', 'Settings');
  const ends = [shown(before + HOUR), shown(Date.now() + HOUR)];
  await page.sees(new RegExp(ends.join('|')), await page.get('complementary', 'Details'));
});

test('goes on with the right time if the clock is corrected while the page is open', async () => {
  const { page } = await room('corrected', -24 * HOUR);
  page.setWrongly(Date.now());
  page.window.document.dispatchEvent(new page.window.Event('visibilitychange'));
  await until(() => expect(page.wire.sent.at(-1)).toEqual(['room:list', { limit: 1 }]));
  await page.write('after the correction');
  await until(async () => expect(textOf(await page.message('after the correction'))).toMatch(/Sent|Seen/));
  expect(page.all('separator', undefined, page.timeline).map(textOf)).toEqual(['Today']);
});
