/**
 * A label in Latin letters with visible marks, in characters of East Asia, or in Cyrillic letters of which one looks
 * unlike Latin. Letters of ASCII do not mix with the others, some of which look like a `/` or like a letter of ASCII.
 */
const CLEAR =
  /^((?!.*[ıĸŀŉ])[a-z\dß-öø-ž-]+|[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー가-힣\d-]+|(?=.*[бджийлфцчшщъыэюя])[\p{sc=Cyrl}\d-]+)$/u;
/** In a host that is Cyrillic up to its end, users expect Cyrillic letters. */
const CYRILLIC = /^[\p{sc=Cyrl}\d.-]+$/u;

/**
 * Returns an address as users see it. Unless no other host looks the same, the host is in ASCII, as `xn--…`.
 *
 * @param typed - the address as a user typed it, which may have no scheme
 * @param url - the parsed address: `http:`, `https:` or `mailto:`
 */
export function shownAddress(typed: string, { protocol, hostname }: URL): string {
  const parts = protocol === 'mailto:' ? /^(.*@)([^?]*)/su : /^(https?:[/\\]*)?(\[.*?\]|[^/\\?#:]*)/isu;
  const [start = '', before = '', host = ''] = parts.exec(typed) ?? [];
  const mailHost = `http://${host}`;
  const ascii = hostname || (URL.canParse(mailHost) ? new URL(mailHost).hostname : host);
  return before + (isClear(host.toLowerCase(), ascii) ? host : ascii) + typed.slice(start.length);
}

const isClear = (host: string, ascii: string): boolean =>
  host === ascii ||
  (ascii.includes('xn--') && (CYRILLIC.test(host) || host.split('.').every((label) => CLEAR.test(label))));
