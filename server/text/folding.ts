/**
 * The form in which texts are compared: see docs/text.md, Equal texts. The history stores keys and terms of this form.
 * Increase the version with each change of the form, so that the history replaces them.
 */
export const foldingVersion = 1;

/** What a text may contain besides ASCII letters and signs: other characters, control characters, two blanks. */
const beyondAscii = /[^ -~]| {2}/;

/** Returns a text that is equal for texts that a search does not distinguish. */
export function folded(text: string): string {
  const lower = text.toLowerCase();
  if (!beyondAscii.test(lower)) return lower;
  let form = '';
  let done = 0;
  for (let at = 0; at < lower.length; ) {
    const code = lower.charCodeAt(at);
    if (plain[code] === 1 || isPlain(code)) {
      at++;
      continue;
    }
    const start = at > done && isJoining(lower, at) ? at - 1 : at;
    at = unitEnd(lower, start);
    form += lower.slice(done, start) + foldedUnit(lower, start, at);
    done = at;
  }
  form = done === 0 ? lower : form + lower.slice(done);
  // The empty text would be a part of every text.
  return (form.includes('  ') ? form.replace(/ {2,}/g, ' ') : form) || text;
}

/**
 * Finds the first part of a text that a search for `query` finds, in whole letters.
 * @returns its position; undefined if there is none
 */
export function findFolded(text: string, query: string): { start: number; end: number } | undefined {
  const wanted = folded(query);
  let form = '';
  let endsBlank = false;
  /** For each unit, the length of the form before it, and where it starts. */
  const units: { formed: number; start: number }[] = [];
  for (let start = 0; start < text.length; ) {
    const end = unitEnd(text, start);
    const part = foldedUnit(text, start, end);
    units.push({ formed: form.length, start });
    if (part !== '' && !(part === ' ' && endsBlank)) {
      form += part;
      endsBlank = part.endsWith(' ');
    }
    start = end;
  }
  const at = form.indexOf(wanted);
  if (at < 0 || wanted === '') return undefined;
  const first = units.findLast(({ formed }) => formed <= at);
  const next = units.find(({ formed }) => formed >= at + wanted.length);
  return { start: first?.start ?? 0, end: next?.start ?? text.length };
}

/** A text in Unicode's form C and in small letters, to find out whether it contains a query as it was typed. */
export const asTyped = (text: string): string => normalized(text, 'NFC').toLowerCase();

/** Characters after which a unit ends. Normalizing takes quadratic time in the number of consecutive marks. */
const maxMarks = 64;
/** Half-width voice marks become marks. */
const manyMarks = new RegExp(`[\\p{M}\uff9e\uff9f]{${maxMarks}}`, 'gu');

/** Normalizes a text in parts that end after many marks. */
function normalized(text: string, form: 'NFC' | 'NFKD'): string {
  let normal = '';
  let done = 0;
  for (const { 0: marks, index } of text.matchAll(manyMarks)) {
    const end = index + marks.length;
    normal += text.slice(done, end).normalize(form);
    done = end;
  }
  return normal + text.slice(done).normalize(form);
}

/** Returns the work of folding a text, in ASCII characters. */
export const foldingWork = (text: string): number => (notAscii.test(text) ? 8 : 1) * text.length;
const notAscii = /[^\0-\x7f]/;

/** Moves the items whose text contains the query as it was typed to the start, and keeps the order otherwise. */
export function typedFirst<Item>(
  items: readonly Item[],
  query: string,
  textOf: (item: Item) => string,
): Item[] {
  const typed = asTyped(query);
  const [first, others] = [[] as Item[], [] as Item[]];
  for (const item of items) (asTyped(textOf(item)).includes(typed) ? first : others).push(item);
  return [...first, ...others];
}

/** Characters that belong to the one before them: marks, invisible characters, and the letters of a Hangul syllable. */
const joining = /[\p{M}\p{Cf}\p{DI}\u1160-\u11ff\ud7b0-\ud7ff\uff9e-\uffa0\uffc2-\uffdc\u{16d67}]/u;
/** The usual case, folded without a cache, which rare accents would fill. */
const accentedLatin = /^[a-z][\u0300-\u036f]+$/i;
const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;

// Tables by UTF-16 unit, filled on demand: properties of regular expressions are slow.
const plain = new Uint8Array(0x10000);
const joins = new Uint8Array(0x10000);
const foldedByCode: (string | undefined)[] = [];
const foldedByUnit = new Map<string, string>();
/** Limits of `foldedByUnit`: entries, and the length of a unit. */
const maxUnits = 10_000;
const maxUnitLength = 12;

/** Whether the character at this position belongs to the unit before it. */
function isJoining(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code < 0xad) return false;
  if (isSurrogate(code)) return joining.test(String.fromCodePoint(text.codePointAt(at) as number));
  if (joins[code] === 0) joins[code] = joining.test(String.fromCharCode(code)) ? 2 : 1;
  return joins[code] === 2;
}

/** Whether a small letter or a sign is folded to itself, and does not belong to the unit before it. */
function isPlain(code: number): boolean {
  if (plain[code] === 0) {
    const character = String.fromCharCode(code);
    const isSame = !isSurrogate(code) && !joining.test(character) && fold(character) === character;
    plain[code] = isSame ? 1 : 2;
  }
  return plain[code] === 1;
}

/**
 * Returns the end of a character with all that belongs to it, up to `maxMarks`. Units are folded independently of each
 * other.
 */
function unitEnd(text: string, start: number): number {
  let end = start;
  let characters = 0;
  do end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  while (end < text.length && ++characters < maxMarks && isJoining(text, end));
  return end;
}

function foldedUnit(text: string, start: number, end: number): string {
  if (end - start === 1) {
    const code = text.charCodeAt(start);
    const known = foldedByCode[code];
    if (known !== undefined) return known;
    const form = fold(String.fromCharCode(code));
    foldedByCode[code] = form;
    return form;
  }
  const unit = text.slice(start, end);
  if (accentedLatin.test(unit)) return unit.charAt(0).toLowerCase();
  if (unit.length > maxUnitLength) return fold(unit);
  const known = foldedByUnit.get(unit);
  if (known !== undefined) return known;
  if (foldedByUnit.size >= maxUnits) foldedByUnit.clear();
  const form = fold(unit);
  foldedByUnit.set(unit, form);
  return form;
}

const invisible = /[\p{Cf}\p{DI}\u0640]/gu;
const blank = /[\p{White_Space}\u2800]/gu;
/**
 * Marks that do not make another letter: on Latin and Greek letters, Arabic vowel signs (not hamzas), Hebrew points,
 * the dots of `ё`. Marks of all scripts are Inherited.
 */
const accents = /(?![\u0653-\u0655])(?=[\p{scx=Arab}\p{sc=Hebr}])\p{M}|(?<=[Ее])\u0308/gu;
const accented = /([\p{sc=Latn}\p{sc=Grek}])(?:(?=\p{sc=Zinh})\p{M})+/gu;

function fold(unit: string): string {
  // NFKD decomposes `´`, and produces the apostrophe of `ŉ`.
  const decomposed = withPlainSigns(withPlainSigns(unit.normalize('NFC')).normalize('NFKD'));
  const bare = decomposed.replace(invisible, '').replace(accented, '$1').replace(accents, '');
  return withPlainLetters(withoutCase(bare)).replace(blank, ' ').normalize('NFC');
}

/** Several small letters have the same capitals: `ß` and `ss`, `ı` and `i`, `ς` and `σ`. `ẞ` itself is a capital. */
const withoutCase = (text: string): string =>
  text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');

/** Small Latin letters with a stroke, and two letters in one, which NFKD does not decompose. */
const plainLetters = new Map([
  ['æ', 'ae'],
  ['œ', 'oe'],
  ...[...'ⱥaƀbȼcđdɇeǥgħhɨiɉjꝁkłlƚløoᵽpɍrŧtⱦtʉuɏyƶz'.matchAll(/(.)(.)/gu)].map(
    ([, letter = '', plain = '']) => [letter, plain] as const,
  ),
]);
const otherLetters = new RegExp(`[${[...plainLetters.keys()].join('')}]`, 'g');
const withPlainLetters = (text: string): string =>
  text.replace(otherLetters, (letter) => plainLetters.get(letter) as string);

/** `〜` is not a dash here, because systems exchange it with `～`. */
const dash = /(?!〜)\p{Dash}/gu;
const apostrophe = /['‘’‚‛‹›´ʹʻʼʽʾʿ՚׳′‵＇\ua78b\ua78c]/gu;
const quotationMark = /(?!')[\p{Quotation_Mark}״″‶]/gu;
const sign = new RegExp([dash, apostrophe, quotationMark, /〜/].map(({ source }) => source).join('|'), 'u');
/** Replaces each kind of dash, apostrophe and quotation mark. */
const withPlainSigns = (text: string): string =>
  sign.test(text)
    ? text.replace(dash, '-').replace(apostrophe, "'").replace(quotationMark, '"').replaceAll('〜', '~')
    : text;

/** The only mark with a capital, which is a letter: `ᾳ` has the capitals `ΑΙ`. */
const iotaBelow = /\u0345/gu;

/** Folds a text for filters, which also ignore other marks, and decide themselves about blanks and invisible characters. */
export const foldedForFilter = (text: string): string =>
  withPlainLetters(withoutCase(normalized(withPlainSigns(text), 'NFKD').replace(iotaBelow, '')));
