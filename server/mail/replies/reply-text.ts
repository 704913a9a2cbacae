/**
 * Finds the own text of an answer to a mail of this server. The quoted mail is always one of its own, so its sender's
 * address marks the quotation in any language. Takes linear time, unlike packages for this purpose.
 */

/** Longer texts are cut off. Messages are much shorter, and the own text is at the start or after a quotation. */
export const longest = { text: 256 * 1024, lines: 5000 };
/** Maximum characters of a line that are compared. */
const compared = 400;
/** Maximum lines over which mail programs wrap the line above a quotation, and maximum lines of a signature. */
const most = { wrapped: 3, signature: 10 };

/** A line such as `From: …` or `*Envoyé :* …`. */
const headerLine = /^[*\s]*\p{L}[\p{L} .’'-]{0,24}[*\s]*[:：]\*?\s*(?=\S)/u;
/** A line such as `-----Original Message-----` or `________`. */
const separator = /^(?:[-_=*]{5,}|[-_]{2,}\s?\p{L}[\p{L} .’']{0,40}\s?[-_]{2,}|\p{L}[\p{L} ]{0,30}:\s*)$/u;
const originalMessage = /^[-_]{2,}\s?\p{L}[\p{L} .’']{0,40}\s?[-_]{2,}:?$/u;
/** A year, or a time of day. */
const dated = /\b(?:19|20)\d\d\b|\b\d{1,2}[:.h]\d\d\b|\d年/u;
const quotedLine = /^\s?>/;

/** The last line that mail programs on phones add, in the languages of the interface. */
const ofPhone =
  /^(?:(?:Sent from|Sent with|Get Outlook for|Von meine[mr]|Gesendet (?:von|mit|aus)|Outlook (?:für|for|pour|para|per|voor)|Envoyé (?:de|depuis|à partir)|Télécharger Outlook|Obtenez Outlook|Enviado (?:desde|do|a partir)|Obtener Outlook|Obter o Outlook|Inviato da|Scarica Outlook|Verzonden (?:vanaf|met|via)|Verstuurd vanaf|Wysłan[eo] z|Отправлено (?:с|из)|Надіслано [зі]|أُ?رسلت من|נשלח מ|发自我的).{0,80}|.{0,40}(?:から送信|[dt][ae]n gönderildi))\.?$/iu;

export interface OwnMarks {
  /** Addresses that the head of a quotation contains, in lower case, such as the sender of the server's mails. */
  addresses: readonly string[];
  /** Names of that sender in lower case, because mail programs may show only the name. */
  names: readonly string[];
  /** Texts in lower case that a message must not contain, because they belong to the reader of the mail. */
  secrets: readonly string[];
}

/** Returns the own text of an answer, which may be empty. */
export function replyIn(text: string, marks: OwnMarks): string {
  const lines = text
    .slice(0, longest.text)
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/\u00a0/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: messages must not contain them
    .replace(/[\x00-\x08\x0b-\x1f\u200b\ufeff]/g, '')
    // Newsletters fill lines with this character. Between letters it is part of words, for example in Persian.
    .replace(/(?<!\p{L})\u200c|\u200c(?!\p{L})/gu, '')
    .split('\n', longest.lines)
    .map((line) => line.trimEnd());
  const head = headOfQuote(lines, marks);
  const own = head === undefined ? withoutLooseQuotes(lines, marks) : aroundQuote(lines, head);
  const kept = withoutSignature(own).filter((line) => !hasSecret(line, marks.secrets));
  return kept
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^\n+|\s+$/g, '');
}

const hasAny = (line: string, marks: readonly string[]) => {
  const lower = line.slice(0, compared).toLowerCase();
  return marks.some((mark) => lower.includes(mark));
};

/** Whether a text of any length contains one of the texts, also in another address, as filters rewrite links. */
export const hasSecret = (text: string, secrets: readonly string[]): boolean => {
  const lower = text.toLowerCase();
  return secrets.some((one) => lower.includes(one) || lower.includes(encodeURIComponent(one).toLowerCase()));
};

const endsWithColon = (line = '') => /[:：]$/u.test(line);

/** The lines from `start` up to `end` announce a quotation. */
interface Head {
  start: number;
  end: number;
}

/** Finds the first lines that announce a quotation of the server's mail. */
function headOfQuote(lines: readonly string[], { addresses, names }: OwnMarks): Head | undefined {
  for (const [n, line] of lines.entries()) {
    if (line === '' || quotedLine.test(line)) continue;
    const isOwn = hasAny(line, addresses);
    if (headerLine.test(line) && !quotedLine.test(lines[n + 1] ?? '') && !announces(lines, n)) {
      if (isOwn || (hasAny(line, names) && isHeaderBlock(lines, n)))
        return { start: beforeSeparators(lines, n), end: lines.length };
      continue;
    }
    if (isOwn && (/[<[(]/.test(line) || endsWithColon(line) || endsWithColon(lines[n + 1]))) {
      const end = endsWithColon(line) ? n + 1 : endOfParagraph(lines, n);
      const start = startOfHead(lines, n);
      if (
        endsWithColon(lines[end - 1]) ||
        lines.slice(start, end).some((one) => dated.test(one.slice(0, compared)))
      )
        return { start, end };
    }
    if (announces(lines, n)) return { start: startOfHead(lines, n), end: n + 1 };
    if (originalMessage.test(line) && isHeaderBlock(lines, nextText(lines, n + 1)))
      return { start: beforeSeparators(lines, n), end: lines.length };
  }
  return undefined;
}

/** Whether this line ends a text such as `On DATE, NAME wrote:` above quoted lines. */
function announces(lines: readonly string[], n: number): boolean {
  if (!endsWithColon(lines[n])) return false;
  const next = lines[n + 1] === '' ? lines[n + 2] : lines[n + 1];
  const head = lines.slice(startOfHead(lines, n), n + 1).join(' ');
  return quotedLine.test(next ?? '') && dated.test(head.slice(0, compared * most.wrapped));
}

/** Returns the first of the lines that end with line `n`, up to the one with the date. */
function startOfHead(lines: readonly string[], n: number): number {
  let start = n;
  while (
    n - start < most.wrapped - 1 &&
    !dated.test((lines[start] ?? '').slice(0, compared)) &&
    (lines[start - 1] ?? '') !== '' &&
    !quotedLine.test(lines[start - 1] ?? '')
  )
    start--;
  // Without a date, only the line itself is certain.
  return dated.test((lines[start] ?? '').slice(0, compared)) ? start : n;
}

/** Returns the index after the lines of a head that is wrapped, such as `wrote:` in the next line. */
function endOfParagraph(lines: readonly string[], n: number): number {
  for (let end = n + 1; end < n + most.wrapped; end++) {
    const line = lines[end] ?? '';
    if (line === '' || quotedLine.test(line)) return end;
    if (endsWithColon(line)) return end + 1;
  }
  return n + 1;
}

const nextText = (lines: readonly string[], from: number): number => {
  let n = from;
  while (n < lines.length && lines[n] === '') n++;
  return n;
};

/** Whether three or more lines such as `From: …` start here, one with an address and one with a date. */
function isHeaderBlock(lines: readonly string[], n: number): boolean {
  let end = n;
  while (end < lines.length && end - n < most.signature && headerLine.test(lines[end] ?? '')) end++;
  const block = lines.slice(n, end).map((line) => line.slice(0, compared));
  return (
    block.length >= 3 && block.some((line) => line.includes('@')) && block.some((line) => dated.test(line))
  );
}

const isDatedHeader = (line: string) => headerLine.test(line) && dated.test(line.slice(0, compared));

/** Moves back over the separators above the sender of a quoted mail, and over its date. */
function beforeSeparators(lines: readonly string[], n: number): number {
  let start = n;
  while (start > 0 && n - start < most.signature) {
    const before = lines[start - 1] ?? '';
    const isPart = before === '' || separator.test(before) || isDatedHeader(before);
    if (!isPart) break;
    start--;
  }
  return start;
}

/** Returns the lines above the head, and those between and below the quoted lines after it. */
function aroundQuote(lines: readonly string[], { start, end }: Head): string[] {
  const rest = lines.slice(end);
  const isMarked = quotedLine.test(rest.find((line) => line !== '') ?? '');
  const below = isMarked ? rest.filter((line) => !quotedLine.test(line)) : [];
  return [...lines.slice(0, start), ...below];
}

/** Removes quotations without a head: those of the server's mail, long ones at the start, and those at the end. */
function withoutLooseQuotes(lines: readonly string[], { addresses }: OwnMarks): string[] {
  const kept: string[] = [];
  for (let n = 0; n < lines.length; ) {
    let end = n;
    while (end < lines.length && quotedLine.test(lines[end] ?? '')) end++;
    const block = lines.slice(n, end);
    const isLast = nextText(lines, end) === lines.length || isSignature(lines, nextText(lines, end));
    const isFirst = kept.every((line) => line === '') && block.length > 3;
    if (!isLast && !isFirst && !block.some((line) => hasAny(line, addresses))) kept.push(...block);
    if (end === n) kept.push(lines[end++] ?? '');
    n = end;
  }
  return kept;
}

const isSignature = (lines: readonly string[], n: number) =>
  /^\s?--$/.test(lines[n] ?? '') && lines.length - n <= most.signature;

/** Removes the signature, and the line of a phone. */
function withoutSignature(lines: readonly string[]): string[] {
  const texts = lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  const at = texts.findIndex((_, n) => isSignature(texts, n));
  const own = at < 0 ? texts : texts.slice(0, at);
  const last = own.findLastIndex((line) => line !== '');
  const line = (own[last] ?? '').trim();
  // A sentence can begin in the same way, so without a blank line above, the line must name a device or a program.
  const isApart =
    last < 1 || own[last - 1] === '' || /\b(?:my|mon|iP(?:hone|ad)|Galaxy|Outlook|Mail)\b/iu.test(line);
  return isApart && ofPhone.test(line) ? own.slice(0, last) : own;
}
