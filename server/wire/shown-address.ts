/**
 * Latin letters with visible marks, or characters of East Asia without letters of ASCII, between which some of them look
 * like a `/`. Excludes `ı` and other letters that look like a letter of ASCII.
 */
const DISTINCT = /^([a-z\dß-öø-ÿā-İĲ-ķĹ-ĿŁ-ňŊ-ž-]+|[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー가-힣\d-]+)$/u;
const CYRILLIC = /^[\p{sc=Cyrl}\d-]+$/u;
/** Letters that make a Cyrillic word look unlike one in Latin letters. */
const UNLIKE_LATIN = /[бджийлфцчшщъыэюя]/u;

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

/** In a host that is Cyrillic up to its end, users expect Cyrillic letters. */
function isClear(host: string, ascii: string): boolean {
  const labels = host.split('.');
  const isCyrillic = labels.every((label) => CYRILLIC.test(label));
  return (
    host === ascii ||
    (ascii.includes('xn--') &&
      labels.every(
        (label) => isCyrillic || DISTINCT.test(label) || (CYRILLIC.test(label) && UNLIKE_LATIN.test(label)),
      ))
  );
}
