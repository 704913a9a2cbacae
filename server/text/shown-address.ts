/**
 * A label in Latin letters with visible marks, in characters of East Asia, or in Cyrillic letters, of which one looks
 * unlike Latin, digits and `-`. Letters of ASCII do not mix with the others, some of which look like a `/` or like a
 * letter of ASCII.
 */
const CLEAR =
  /^((?!.*[ıĸŀŉ])[a-z\dß-öø-ž-]+|(?![〇一ノー\d-]+$)[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー가-힣\d-]+|(?=.*[джийлфцшщъыэюя])[\p{sc=Cyrl}\d-]+)$/u;
const MAIL_HOST = /(?<=@|%40)[\p{L}\p{M}\p{N}_-]+(?:\.[\p{L}\p{M}\p{N}_-]+)*/gu;
/** Parsing a host takes quadratic time in its length, so this is tested before. */
export const LONG_HOST = /^.{254}/u;
const LONG_LABEL = /[^.]{64}/u;

/** In a host that is Cyrillic up to its end, users expect Cyrillic letters. */
const CYRILLIC = /^[\p{sc=Cyrl}\d.-]+$/u;

/**
 * Returns an address as users see it. Its hosts are in lower case, because a capital `I` looks like an `l`. Unless no
 * other host looks the same, a host is in ASCII, as `xn--…`.
 *
 * @param typed - the address as a user typed it, which may have no scheme
 * @param url - the parsed address: `http:`, `https:` or `mailto:`
 */
export function shownAddress(typed: string, { protocol, hostname }: URL): string {
  // An address for mails may have several recipients, also after `?`.
  if (protocol === 'mailto:') return typed.replace(MAIL_HOST, shownMailHost);
  const [start = '', before = '', host = ''] = /^(https?:[/\\]*)?(\[.*?\]|[^/\\?#:]*)/isu.exec(typed) ?? [];
  return before + shownHost(host, hostname) + typed.slice(start.length);
}

const shownMailHost = (host: string): string => shownHost(host, asciiHost(host) ?? host);

/** Returns a host as programs request it, or undefined if it is invalid or too long. */
export function asciiHost(host: string): string | undefined {
  const address = `http://${host}`;
  if (LONG_HOST.test(host) || !URL.canParse(address)) return undefined;
  const { hostname } = new URL(address);
  return LONG_HOST.test(hostname) || LONG_LABEL.test(hostname) ? undefined : hostname;
}

/** @param ascii - the host as programs request it */
function shownHost(host: string, ascii: string): string {
  const typed = host.toLowerCase();
  return isClear(typed, ascii) ? typed : ascii;
}

const isClear = (host: string, ascii: string): boolean =>
  host === ascii ||
  (ascii.includes('xn--') && (CYRILLIC.test(host) || host.split('.').every((label) => CLEAR.test(label))));
