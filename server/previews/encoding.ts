import { normalizeEncoding } from '@exodus/bytes/encoding.js';

/**
 * Finds the encoding of a page as browsers do (https://html.spec.whatwg.org/#determining-the-character-encoding). Their
 * search of the first bytes for a `<meta>` is optional, and omitted here: the parser finds the `<meta>`, wherever it is,
 * and the page is read again. The package html-encoding-sniffer only searches bytes. It does not offer the rules that
 * the parser needs, and requires a later Node.
 */

/** Returns the name of the encoding with this label, `replacement` if browsers do not decode it. */
function encodingOf(label: string): string | undefined {
  const encoding = normalizeEncoding(label) ?? undefined;
  // For a `<meta>`, HTML replaces it like this.
  return encoding === 'x-user-defined' ? 'windows-1252' : encoding;
}

/** Bytes of the start of a page that `encodingOfStart` and `encodingOfXml` read. */
export const startLength = 1024;

/**
 * Returns the encoding that the page itself cannot change.
 * @param header the label in `Content-Type`
 */
export function encodingOfStart(start: Buffer, header: string): string | undefined {
  const bytes = start.toString('latin1', 0, 6);
  if (bytes.startsWith('\xef\xbb\xbf')) return 'utf-8';
  if (bytes.startsWith('\xfe\xff')) return 'utf-16be';
  if (bytes.startsWith('\xff\xfe')) return 'utf-16le';
  const given = encodingOf(header);
  if (given !== undefined) return given;
  if (bytes === '<\0?\0x\0') return 'utf-16le';
  return bytes === '\0<\0?\0x' ? 'utf-16be' : undefined;
}

/** Returns the encoding of the XML declaration, which browsers also read in HTML. */
export function encodingOfXml(start: Buffer): string | undefined {
  const declaration = /^<\?xml[^>]*>/.exec(start.toString('latin1'))?.[0] ?? '';
  const [, , label] = /encoding[\0- ]*=[\0- ]*(["'])([^\0- ]*?)\1/.exec(declaration) ?? [];
  return declared(label);
}

/** Returns the encoding that a `<meta>` declares. */
export function encodingOfMeta(attributes: Readonly<Record<string, string>>): string | undefined {
  const encoding = declared(attributes.charset);
  if (encoding !== undefined || attributes['http-equiv']?.toLowerCase() !== 'content-type') return encoding;
  const [, , quoted, plain] =
    /charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:(["'])(.*?)\1|([^"'\t\n\f\r ;][^\t\n\f\r ;]*))/is.exec(
      attributes.content ?? '',
    ) ?? [];
  return declared(quoted ?? plain);
}

/** A declaration that was read byte by byte cannot be in UTF-16, so HTML replaces it. */
function declared(label = ''): string | undefined {
  const encoding = encodingOf(label);
  return encoding?.startsWith('utf-16') ? 'utf-8' : encoding;
}
