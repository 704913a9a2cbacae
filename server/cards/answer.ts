import { z } from 'zod';
import { asLine, directionMarks, isBlank } from '../text/blank.ts';
import { type Card, cardButtonId, cardRef, mostButtons, mostCards } from '../wire/events.ts';

const cut = (text: string, most: number) => [...text].slice(0, most).join('');

/** A line of the card, as plain text. Longer lines are cut. */
const line = (most: number) =>
  z.string().transform((text) => cut(asLine(text).replace(directionMarks, '').trim(), most));
const visible = (most: number) =>
  line(most).refine((text) => !isBlank(text), { message: 'has no visible character' });
const lines = z
  .string()
  .transform((text) =>
    cut(text.split(/\r?\n/).map(asLine).join('\n').replace(directionMarks, '').trim(), 500),
  );
const orNull = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const siteCard = z.object({
  about: orNull(cardRef),
  title: visible(120),
  text: orNull(lines),
  state: orNull(line(60)),
  image: orNull(z.string()),
  url: orNull(z.string()),
  buttons: orNull(z.array(z.object({ id: cardButtonId, label: visible(40) }))),
});
type SiteCard = z.output<typeof siteCard>;

const oneCard = z.object({
  card: siteCard.extend({ shared: orNull(z.boolean()) }).nullable(),
});
const severalCards = z.object({ cards: z.array(siteCard) });

/** The site's answer cannot be used. The message contains no text of the answer. */
export class UnusableAnswer extends Error {}

/**
 * Returns the card in the site's answer, or no card if the site shows this user none. Drops pictures and links of other
 * sites. `isShared`: the site shows all readers this card.
 * @param onDropped called with the reason for what was dropped
 * @throws UnusableAnswer
 */
export function readCard(
  body: string,
  about: string,
  site: URL,
  onDropped: (reason: string) => void,
): { card?: Card; isShared: boolean } {
  const { card } = parse(oneCard, body);
  if (card === null) return { isShared: false };
  return { card: toCard(card, about, site, onDropped), isShared: card.shared === true };
}

/** Like `readCard`, for a list of suggestions, which name what they are about. */
export function readCards(body: string, site: URL, onDropped: (reason: string) => void): Card[] {
  const { cards } = parse(severalCards, body);
  return cards.slice(0, mostCards).map((card) => {
    if (card.about === undefined) throw new UnusableAnswer('a card of cards has no about');
    return toCard(card, card.about, site, onDropped);
  });
}

function toCard(
  { title, text, state, image, url, buttons }: SiteCard,
  about: string,
  site: URL,
  onDropped: (reason: string) => void,
): Card {
  const pathOf = (name: string, address: string | undefined) => {
    const path = address === undefined ? undefined : sitePath(address, site);
    if (address !== undefined && path === undefined)
      onDropped(`${name} of a card is not a path of the site, such as /orders/4711`);
    return path === undefined ? {} : { [name]: path };
  };
  if (buttons !== undefined && buttons.length > mostButtons)
    onDropped(`a card has ${buttons.length} buttons, the limit is ${mostButtons}`);
  return {
    about,
    title,
    text: text || undefined,
    state: state || undefined,
    ...pathOf('image', image),
    ...pathOf('url', url),
    ...(buttons === undefined || buttons.length === 0 ? {} : { buttons: buttons.slice(0, mostButtons) }),
  };
}

/**
 * Returns the address as a path, so that browsers load nothing from other sites and run no script.
 * @returns undefined for an address of another site
 */
function sitePath(address: string, site: URL): string | undefined {
  const url = address.length > 1000 ? null : URL.parse(address, site);
  if (url?.origin !== site.origin) return undefined;
  const path = `${url.pathname}${url.search}${url.hash}`;
  // A browser would take the first part of `//` for a host. The path of a `blob:` address is a whole address.
  return /^\/(?!\/)/.test(path) ? path : undefined;
}

function parse<T extends z.ZodType>(schema: T, body: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new UnusableAnswer('the answer is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UnusableAnswer(`the answer is wrong: ${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}
