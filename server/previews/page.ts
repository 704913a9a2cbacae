import { TextDecoder } from '@exodus/bytes/encoding.js';
import { Parser } from 'htmlparser2';
import { encodingOfMeta, encodingOfStart, encodingOfXml, startLength } from './encoding.ts';

/** What a page says about itself. */
export interface PageHead {
  title: string;
  description?: string;
  /** The address of a picture, as the page writes it. */
  image?: string;
}

/** Maximum nesting of elements. The parser takes longer at each level. */
const deepest = 100;
/** Maximum lengths in UTF-16 units. */
const most = { title: 200, description: 400, image: 2048 } as const;

/** The names of `<meta>` elements, in order of preference: Open Graph (https://ogp.me), Twitter cards, HTML. */
const names: Readonly<Record<keyof typeof most, readonly string[]>> = {
  title: ['og:title', 'twitter:title'],
  description: ['og:description', 'twitter:description', 'description'],
  image: ['og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image', 'twitter:image:src'],
};
type Field = keyof typeof names;
const fields: ReadonlyMap<string, Field> = new Map(
  (Object.keys(names) as Field[]).flatMap((field) => names[field].map((name) => [name, field] as const)),
);

/** Elements with titles and `<meta>` elements that are not the page's own. */
const foreign: ReadonlySet<string> = new Set(['svg', 'math', 'template']);

/** Reads the bytes of a page until enough of it is known. */
export class PageReader {
  readonly #header: string;
  readonly #isXml: boolean;
  /** The whole page, because a later declaration of the encoding also concerns the bytes before it. */
  #bytes = Buffer.alloc(startLength);
  #length = 0;
  /** The encoding that the page cannot change. */
  #certain: string | undefined;
  #xml: string | undefined;
  #html: HtmlReader;

  /** @param options.charset the label of the encoding in the header */
  constructor({ charset, isXml }: { charset: string; isXml: boolean }) {
    this.#header = charset;
    this.#isXml = isXml;
    this.#readStart();
    this.#html = new HtmlReader(this.#encoding(), isXml);
  }

  /** Reads a piece of the page. @returns whether more of the page is needed */
  read(piece: Buffer): boolean {
    const isStart = this.#length < startLength;
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], Math.max(length, 2 * this.#bytes.length));
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
    if (isStart) this.#readStart();
    if (!this.#reread()) {
      this.#html.read(piece);
      this.#reread();
    }
    return !this.#html.isOver;
  }

  /** Returns what the page says about itself; undefined for a page without a title. */
  end(): (PageHead & { base?: string }) | undefined {
    this.#html.end();
    if (this.#reread()) this.#html.end();
    const isUnreadable = (this.#certain ?? this.#html.declared ?? this.#xml) === 'replacement';
    return isUnreadable ? undefined : this.#html.found();
  }

  #readStart(): void {
    const start = this.#bytes.subarray(0, Math.min(this.#length, startLength));
    this.#certain = encodingOfStart(start, this.#header);
    this.#xml = encodingOfXml(start);
  }

  #encoding(html?: HtmlReader): string {
    // A `<meta>` after an XML declaration counts, so the page is read until then.
    const xml = this.#xml === 'replacement' ? undefined : this.#xml;
    return this.#certain ?? html?.declared ?? xml ?? (html?.isOther ? 'windows-1252' : 'utf-8');
  }

  /** Reads the page from its start if the encoding is now known to be another one. @returns whether it did */
  #reread(): boolean {
    const encoding = this.#encoding(this.#html);
    if (encoding === this.#html.encoding) return false;
    this.#html = new HtmlReader(encoding, this.#isXml, this.#html.declared);
    this.#html.read(this.#bytes.subarray(0, this.#length));
    return true;
  }
}

/** Reads a page in one encoding. */
class HtmlReader {
  readonly encoding: string;
  /** The encoding that the page declares in the first `<meta>` with one. */
  declared: string | undefined;
  isOver = false;
  readonly #decoder: TextDecoder | undefined;
  readonly #found = new Map<string, string>();
  #title = '';
  #inTitle = false;
  #depth = 0;
  #foreign = 0;
  #base: string | undefined;
  #isHeadOver = false;
  #isBroken = false;
  #isEncoded = false;
  #isEnded = false;
  readonly #parser: Parser;

  constructor(encoding: string, isXml: boolean, declared?: string) {
    this.encoding = encoding;
    this.declared = declared;
    if (encoding === 'replacement') this.isOver = true;
    else this.#decoder = new TextDecoder(encoding);
    this.#parser = new Parser(
      {
        onopentag: (tag, attributes) => this.#opened(tag, attributes),
        ontext: (text) => {
          if (this.#inTitle && this.#title.length < most.title) this.#title += text;
        },
        onclosetag: (tag) => this.#closed(tag),
      },
      { recognizeSelfClosing: isXml },
    );
  }

  read(piece: Buffer): void {
    if (!this.isOver) this.#write(this.#decoder?.decode(piece, { stream: true }));
  }

  end(): void {
    if (!this.isOver) this.#write(this.#decoder?.decode());
    this.#isEnded = true;
    this.#parser.end();
  }

  /** Whether the whole page is not UTF-8: it has bytes above ASCII, but none of them form a character. */
  get isOther(): boolean {
    return this.#isEnded && this.#isBroken && !this.#isEncoded;
  }

  found(): (PageHead & { base?: string }) | undefined {
    const title = this.#value('title') ?? plain(this.#title, most.title);
    if (title === '') return undefined;
    const description = this.#value('description');
    const image = this.#value('image');
    return {
      title,
      description,
      image,
      base: this.#base,
    };
  }

  #write(html = ''): void {
    this.#isBroken ||= html.includes('\ufffd');
    this.#isEncoded ||= /[^\0-\x7f\ufffd]/.test(html);
    this.#parser.write(html);
  }

  #opened(tag: string, attributes: Record<string, string>): void {
    if (++this.#depth > deepest) this.isOver = true;
    if (this.isOver) return;
    if (foreign.has(tag)) this.#foreign++;
    if (this.#foreign > 0) return;
    if (tag === 'body') this.#endHead();
    if (tag === 'title' && this.#title === '') this.#inTitle = true;
    if (tag === 'base') this.#base ??= attributes.href;
    if (tag === 'meta') this.#readMeta(attributes);
  }

  #closed(tag: string): void {
    this.#depth--;
    if (foreign.has(tag)) this.#foreign--;
    if (tag === 'title') this.#inTitle = false;
    if (tag === 'head') this.#endHead();
  }

  /** Some sites put their tags into the body. The rest of a page is read only if its head has none of them. */
  #endHead(): void {
    if (!this.#isHeadOver && this.#value('title') !== undefined) this.isOver = true;
    this.#isHeadOver = true;
  }

  #readMeta(attributes: Record<string, string>): void {
    this.declared ??= encodingOfMeta(attributes);
    const { property = '', name = '', content = '' } = attributes;
    for (const one of `${property} ${name}`.trim().toLowerCase().split(/\s+/)) {
      const field = fields.get(one);
      if (field === undefined || this.#found.has(one)) continue;
      const value = plain(content, most[field]);
      // A shortened address would be another one.
      if (value === '' || (field === 'image' && content.length > most.image)) continue;
      this.#found.set(one, value);
    }
    if (this.#isHeadOver && Object.keys(names).every((field) => this.#value(field as Field) !== undefined)) {
      this.isOver = true;
    }
  }

  #value(field: Field): string | undefined {
    return names[field].map((name) => this.#found.get(name)).find((value) => value !== undefined);
  }
}

/** Returns the text on one line, without control characters, some of which would reverse the text around it. */
function plain(text: string, length: number): string {
  const line = text
    .slice(0, 4 * length)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[\p{Bidi_Control}\p{Cf}]/gu, (one) => (one === '\u200d' || one === '\u200c' ? one : ''))
    .trim();
  if (line.length <= length) return line;
  return `${line
    .slice(0, length - 1)
    .toWellFormed()
    .replace(/\ufffd$/, '')
    .trimEnd()}…`;
}
