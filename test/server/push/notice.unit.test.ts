import { expect, test } from 'vitest';
import { NotificationTexts } from '../../../server/notify/texts.ts';
import type { UnreadRoom } from '../../../server/notify/unread.ts';
import { dataForApp, type Notice, namelessNotice, noticeOf } from '../../../server/push/notice.ts';

const texts = new NotificationTexts('en', 'UTC');
const room = { room: 'den', kind: 'private', name: 'Den', unread: 2, newest: 7 } as UnreadRoom;
const site = { name: 'Garden', icon: 'https://garden.example/chat/assets/logo-x.png' };
const page = 'https://garden.example/talk';

function pushOf(over: Partial<Notice>) {
  const message = { user: { id: '1', name: 'Ann' }, text: 'Bring a rake' };
  const notice = noticeOf({
    ...{ site, room, message, shows: 'text', texts, unread: [room], total: 2, at: 0, page, silent: false },
    ...over,
  });
  return (notice as { notification: object }).notification;
}

test('a push has the logo of the site as its icon', () => {
  expect(pushOf({})).toMatchObject({ title: 'Ann · Den', body: 'Bring a rake\n2 new', icon: site.icon });
});

test('a push shows a word for a card, not its reference', () => {
  const message = { user: { id: '1', name: 'Ann' }, text: 'order:4711', card: 'order:4711' };
  expect(pushOf({ message })).toMatchObject({ body: 'Card\n2 new' });
  expect(pushOf({ message: { ...message, text: 'This?' } })).toMatchObject({ body: 'This?\n2 new' });
});

test('a push shows the look-alike host of a link in ASCII', () => {
  const message = { user: { id: '1', name: 'Ann' }, text: 'see https://аpple.example/x' };
  expect(pushOf({ message })).toMatchObject({ body: 'see https://xn--pple-43d.example/x\n2 new' });
});

test('a push without texts does not have the name of a question, which is text of its asker', () => {
  const question = { ...room, name: 'Do you have roses?', isQuestion: true } as UnreadRoom;
  expect(pushOf({ room: question })).toMatchObject({ title: 'Ann · Do you have roses?' });
  expect(pushOf({ room: question, shows: 'name' })).toMatchObject({
    title: 'Ann · Questions',
    body: '2 new',
  });
});

test('a push without names has the name of the site as its title', () => {
  expect(pushOf({ shows: 'nothing' })).toMatchObject({ title: 'Garden', body: '2 new' });
  const one = { ...room, unread: 1 };
  expect(pushOf({ shows: 'nothing', room: one })).toMatchObject({ title: 'Garden', body: 'New message' });
  expect(namelessNotice(site, texts, page)).toMatchObject({
    notification: { title: 'Garden', body: 'New message', icon: site.icon, navigate: page },
  });
});

test('a push to an app with an expired login names only the message', () => {
  const joined = { ...room, member: {} } as UnreadRoom;
  expect(dataForApp(joined, 2)).toEqual({ room: 'den', seq: '7', unread: '2' });
  expect(dataForApp(joined, 'expired')).toEqual({ room: 'den', seq: '7', expired: 'true' });
});
