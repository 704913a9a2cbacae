import { RequestError } from '../../wire/errors.ts';
import type { Answers, Card, CardReader, CardReference, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import { type Connection, type Room, userOf } from '../model.ts';
import { requireVisiblePending } from '../moderation/held.ts';
import { findVisible } from './messages.ts';

/** Returns the card of a message as the site shows it to this user. */
export async function readCard(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, held, lang }: RequestPayload<'card:get'>,
): Promise<Answers['card:get']> {
  const reference =
    held === undefined
      ? (await findMessage(chat, room, seq ?? 0)).reference
      : await findPendingReference(chat, connection, room, held);
  const card = await siteOf(chat).get(readerOf(connection, lang), reference);
  return shown(chat, connection, room, card);
}

/** Runs a button of the card of a message. A repeat of the same `clientId` runs once. */
export async function pressButton(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, button, clientId, lang }: RequestPayload<'card:press'>,
): Promise<Answers['card:press']> {
  const { id, reference } = await findMessage(chat, room, seq);
  const user = readerOf(connection, lang);
  const key = JSON.stringify([id, user.id, button, clientId]);
  // The event has no content, because each reader may get another card. It precedes the answer. All readers then request
  // their cards, so it is not sent for a repeat or for a missing button.
  const onRun = () =>
    void chat
      .everywhere('', { is: 'card', room: room.record.id, card: reference.about })
      .catch((error) => chat.onAsideFailure('card_changed', error));
  const card = await siteOf(chat).press(user, reference, { button, key, onRun });
  return shown(chat, connection, room, card);
}

/** Returns the cards that the site suggests for the page and the typed words. */
export async function findCards(
  chat: Chat,
  connection: Connection,
  { about, query, lang }: RequestPayload<'card:find'>,
): Promise<Answers['card:find']> {
  const search = { about, query };
  return { cards: await siteOf(chat).find(readerOf(connection, lang), search) };
}

const readerOf = (connection: Connection, lang?: string): CardReader => ({
  ...userOf(connection),
  lang,
});

/** The request is `forbidden` without cards, so this does not fail. */
function siteOf({ cards }: Chat): NonNullable<Chat['cards']> {
  if (cards === undefined) throw new RequestError('forbidden');
  return cards;
}

/** @throws RequestError `unknown_message` if the message is missing, deleted or expired, or has no card */
async function findMessage(
  chat: Chat,
  { record }: Room,
  seq: number,
): Promise<{ id: string; reference: CardReference }> {
  const message = await findVisible(chat, record, seq);
  if (message?.card === undefined) throw new RequestError('unknown_message');
  return { id: message.id, reference: { about: message.card, author: message.user.id } };
}

/** @throws RequestError `unknown_message` unless the user is the author or decides about the message, and it has a card */
async function findPendingReference(
  chat: Chat,
  connection: Connection,
  { record }: Room,
  id: string,
): Promise<CardReference> {
  const { room, user, content } = await requireVisiblePending(chat, connection, id);
  if (room !== record.id || content.card === undefined) throw new RequestError('unknown_message');
  return { about: content.card, author: user };
}

/**
 * Returns the card, unless it has a word of CHAT_HOLD_WORDS. Words are not checked in direct rooms.
 * @throws RequestError `unknown_room` if the user lost the room while the site answered
 */
function shown(
  { directory, hold }: Chat,
  { person }: Connection,
  room: Room,
  card: Card | undefined,
): Answers['card:get'] {
  directory.checkStill(person, room);
  if (card === undefined) return {};
  const { title, text = '', state = '', buttons = [] } = card;
  const words = [title, text, state, ...buttons.map(({ label }) => label)].join('\n');
  return room.record.kind !== 'direct' && hold?.hasWord(words) ? {} : { card };
}
