import { expect, test } from 'vitest';
import { bestLanguage, ours } from '../../client/src/strings/languages.ts';
import { merged } from '../../client/src/strings/owners-texts.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import { controlKey } from '../../client/src/views/controls/modifier-keys.ts';
import { languages, textsIn } from '../../client/strings-plugin.ts';
import type { RoomSummary } from '../../server/wire/events.ts';

const stringsIn = (lang: string, browser?: readonly string[]) =>
  new Strings({ lang, by: textsIn(lang) }, browser);

test('chooses a language exactly, by its base, or else English', () => {
  expect(
    ['fr-CH', 'zh-TW', 'zh', 'en-GB', 'pt', 'cs', '', 'not a tag'].map((tag) => bestLanguage(tag)),
  ).toEqual(['fr', 'zh-Hans', 'zh-Hans', 'en', 'pt-BR', 'en', 'en', 'en']);
});

test('cuts a long name in the other direction, whose beginning the browser would cut', () => {
  const [english, arabic] = ['Committee of the gardeners', 'لجنة البستانيين'];
  expect([english, arabic, 'Bob'].map((name) => stringsIn('en').cutMixed(name, 12))).toEqual([
    english,
    'لجنة البستان…',
    'Bob',
  ]);
  expect(stringsIn('ar').cutMixed(english, 13)).toBe('Committee of…');
});

test('names keys as the keyboards of the language do', () => {
  const names = (lang: string) => {
    const strings = stringsIn(lang);
    return [
      controlKey(strings),
      ...(['shift', 'enter', 'delete'] as const).map((key) => strings.text(`keys.${key}`)),
    ];
  };
  expect(['en', 'de', 'fr', 'es', 'it'].map(names)).toEqual([
    ['Ctrl', 'Shift', 'Enter', 'Del'],
    ['Strg', 'Umschalt', 'Enter', 'Entf'],
    ['Ctrl', 'Maj', 'Entrée', 'Suppr'],
    ['Ctrl', 'Mayús', 'Intro', 'Supr'],
    ['Ctrl', 'Maiusc', 'Invio', 'Canc'],
  ]);
});

test('treats a language of the owner like the built-in ones, exact match first', () => {
  const owners = { 'msg.sent': { cs: 'Odesláno', 'fr-CA': 'Envoyé !' } };
  expect(['cs-CZ', 'fr-CA', 'fr', 'zh', 'sk'].map((tag) => bestLanguage(tag, owners))).toEqual([
    'cs',
    'fr-CA',
    'fr',
    'zh-Hans',
    'en',
  ]);
});

test('prefers the owner’s texts, with their own plural forms', () => {
  const ours = { lang: 'en', by: textsIn('en') };
  const owners = {
    'msg.sent': { en: 'Delivered', pl: 'Wysłano' },
    'conn.outbox.other': { pl: '{n} wiadomości' },
    'file.files.one': { pl: '{n} nowa' },
    'file.files.few': { pl: '{n} nowe' },
    'file.files.other': { pl: '{n} nowych' },
    'replies.count.other': { en: '{n} answers' },
  };
  const en = new Strings(merged('en', ours, owners));
  expect([en.text('msg.sent'), en.text('msg.read'), en.count('replies.count', 1)]).toEqual([
    'Delivered',
    'Seen',
    '1 reply',
  ]);
  const pl = new Strings(merged('pl', ours, owners));
  expect([pl.text('msg.sent'), pl.text('msg.read')]).toEqual(['Wysłano', 'Seen']);
  expect([1, 3, 5].map((n) => pl.count('file.files', n))).toEqual(['1 nowa', '3 nowe', '5 nowych']);
  expect(pl.count('conn.outbox', 1)).toBe('1 wiadomości');
});

test('loads the texts of late code once, with the owner’s texts among them', async () => {
  let loads = 0;
  const all = async () => {
    loads++;
    return { 'msg.sent': 'Sent', 'poll.votes.one': '{n} vote', 'poll.votes.other': '{n} votes' };
  };
  const owners = { 'msg.sent': { pl: 'Wysłano' }, 'poll.votes.other': { pl: '{n} głosów' } };
  const strings = new Strings(merged('pl', { lang: 'en', by: { 'msg.sent': 'Sent' }, all }, owners));
  const { texts } = strings;
  expect(loads).toBe(0);
  await strings.complete();
  await strings.complete();
  expect(loads).toBe(1);
  expect([strings.text('msg.sent'), strings.count('poll.votes', 1)]).toEqual(['Wysłano', '1 głosów']);
  // The same object, so that messages need not be rendered again.
  expect(strings.texts).toBe(texts);
});

test('loads the texts of late code again after a failure', async () => {
  let fails = true;
  const all = async () => {
    if (fails) throw new Error('offline');
    return { 'msg.sent': 'Sent' };
  };
  const strings = new Strings({ lang: 'en', by: {}, all });
  await expect(strings.complete()).rejects.toThrow('offline');
  fails = false;
  await strings.complete();
  expect(strings.text('msg.sent')).toBe('Sent');
});

test('keeps complete texts that replace others while those are loading', async () => {
  const loading = Promise.withResolvers<Record<string, string>>();
  const strings = new Strings({ lang: 'en', by: {}, all: () => loading.promise });
  const completed = strings.complete();
  strings.use({ lang: 'fr', by: { 'msg.sent': 'Envoyé' } });
  loading.resolve({ 'msg.sent': 'Sent' });
  await completed;
  expect(strings.text('msg.sent')).toBe('Envoyé');
});

test('uses English rules for a language that browsers do not know', () => {
  const strings = new Strings({ lang: 'our own!', by: { 'msg.sent': 'x' } });
  expect([strings.lang, strings.locale, strings.text('msg.sent')]).toEqual(['our own!', 'en', 'x']);
});

test('returns other texts from the same object after a change of language', () => {
  const strings = stringsIn('en', ['fr-CH']);
  strings.use({ lang: 'fr', by: textsIn('fr') });
  expect([strings.text('msg.sent'), strings.lang, strings.locale]).toEqual(['Envoyé', 'fr', 'fr-CH']);
});

test('formats times by the reader’s region if it has the same language', () => {
  expect(stringsIn('en', ['de-CH', 'en-GB']).locale).toBe('en-GB');
  expect(stringsIn('fr', ['en-GB']).locale).toBe('fr');
});

test('chooses plural forms', () => {
  const [en, fr, zh] = [stringsIn('en'), stringsIn('fr'), stringsIn('zh-Hans')];
  expect([0, 1, 2].map((n) => en.count('replies.count', n))).toEqual(['0 replies', '1 reply', '2 replies']);
  expect([0, 1, 2].map((n) => fr.count('replies.count', n))).toEqual([
    '0 réponse',
    '1 réponse',
    '2 réponses',
  ]);
  expect(zh.count('replies.count', 1)).toBe('1 条回复');
  expect(en.count('ended.kept', 1, { name: 'Alice' })).toBe('1 unsent message is saved for you, Alice.');
});

test('formats numbers with the digits and separators of the reader’s region', () => {
  const inEgypt = new Strings({ lang: 'ar', by: { 'replies.count.other': '{n}' } }, ['ar-EG']);
  expect(inEgypt.count('replies.count', 1234)).toBe('١٬٢٣٤');
  expect(stringsIn('fr').count('replies.count', 1234)).toBe('1\u202f234 réponses');
});

test("returns the direction of right-to-left languages, even of the owner's", () => {
  const directions = ['ar', 'he-IL', 'fa', 'ks', 'ks-Deva', 'en', 'our own!'].map(
    (lang) => new Strings({ lang, by: {} }).direction,
  );
  expect(directions).toEqual(['rtl', 'rtl', 'rtl', 'rtl', undefined, undefined, undefined]);
});

test('does not interpret braces or dollar signs in a value', () => {
  expect(stringsIn('en').text('say.message', { name: '{text}', text: '$& {name}' })).toBe(
    '{text}: $& {name}',
  );
});

test('names days', () => {
  const en = stringsIn('en', ['en-GB']);
  const now = new Date(2026, 2, 29, 0, 30).getTime(); // The clocks change on this day in Europe.
  expect(en.day(now, now)).toBe('Today');
  expect(en.day(new Date(2026, 2, 28, 23).getTime(), now)).toBe('Yesterday');
  expect(en.day(new Date(2026, 0, 2).getTime(), now)).toBe('Friday 2 January');
  expect(en.day(new Date(2025, 0, 2).getTime(), now)).toMatch(/2 January 2025/);
});

test.each(['ar', 'he'])(
  '%s has no text whose first letter is Latin, which would reverse its order',
  (lang) => {
    // Some elements take their direction from the first letter. Values are isolated, so they do not count.
    const isReversed = (text: string) =>
      /^[^\u0590-\u08ff\u200f]*[a-z]/i.test(text.replaceAll(/\{\w+\}/g, '')) && /[\u0590-\u08ff]/.test(text);
    expect(Object.entries(textsIn(lang)).filter(([, text]) => isReversed(text))).toEqual([]);
  },
);

test('the client contains a file for each supported language', () => {
  expect(languages.length).toBeGreaterThan(2);
  expect(ours).toEqual(languages);
});

test('recognises an erased user by ID, not by name, and names it in the reader’s language', () => {
  const french = stringsIn('fr');
  expect(french.name({ id: '0', name: 'Deleted user' })).toBe('Utilisateur supprimé');
  expect(french.name({ id: '7', name: 'Deleted user' })).toBe('Deleted user');
  const room = { id: '0', name: 'Deleted user' } as RoomSummary;
  expect(french.roomName(room)).toBe('Deleted user');
  expect(french.roomName({ ...room, with: { id: '0', name: 'Deleted user' } })).toBe('Utilisateur supprimé');
});
