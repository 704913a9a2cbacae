import { Parser } from 'htmlparser2';

/** What the head of a page says about it. */
export interface PageHead {
  title: string;
  description?: string;
  /** The address of a picture, as the page writes it. */
  image?: string;
}

/** Maximum nesting of elements. The parser takes longer at each level, and the head of a page has only a few. */
const deepest = 100;
/** Maximum lengths in UTF-16 units. */
const most = { title: 200, description: 400, image: 2048 } as const;

/** The names of `<meta>` elements, in order of preference: Open Graph (https://ogp.me), Twitter cards, HTML. */
const names: Readonly<Record<keyof typeof most, readonly string[]>> = {
  title: ['og:title', 'twitter:title'],
  description: ['og:description', 'twitter:description', 'description'],
  image: ['og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image'],
};

/** Reads pieces of HTML until the head of the page ends. */
export class PageReader {
  readonly #found = new Map<string, string>();
  #title = '';
  #inTitle = false;
  #depth = 0;
  #base: string | undefined;
  #isOver = false;
  readonly #parser = new Parser({
    onopentag: (tag, attributes) => this.#opened(tag, attributes),
    ontext: (text) => {
      if (this.#inTitle && this.#title.length < most.title) this.#title += text;
    },
    onclosetag: (tag) => {
      this.#depth--;
      if (tag === 'title') this.#inTitle = false;
      if (tag === 'head') this.#isOver = true;
    },
  });

  /** Reads a piece of the page. @returns whether more of the page is needed */
  read(html: string): boolean {
    if (!this.#isOver) this.#parser.write(html);
    return !this.#isOver;
  }

  /** Returns what the head says about the page; undefined for a page without a title. */
  end(): (PageHead & { base?: string }) | undefined {
    this.#parser.end();
    const title = this.#value('title') ?? plain(this.#title, most.title);
    if (title === '') return undefined;
    const description = this.#value('description');
    const image = this.#value('image');
    return {
      title,
      ...(description === undefined ? {} : { description }),
      ...(image === undefined ? {} : { image }),
      ...(this.#base === undefined ? {} : { base: this.#base }),
    };
  }

  #opened(tag: string, attributes: Record<string, string>): void {
    this.#depth++;
    if (tag === 'body' || this.#depth > deepest) this.#isOver = true;
    if (this.#isOver) return;
    if (tag === 'title' && this.#title === '') this.#inTitle = true;
    if (tag === 'base') this.#base ??= attributes.href;
    if (tag !== 'meta') return;
    const name = (attributes.property ?? attributes.name)?.trim().toLowerCase();
    const { content } = attributes;
    if (name === undefined || content === undefined || this.#found.has(name)) return;
    if (Object.values(names).some((known) => known.includes(name))) this.#found.set(name, content);
  }

  #value(what: keyof typeof most): string | undefined {
    for (const name of names[what]) {
      const value = plain(this.#found.get(name) ?? '', most[what]);
      if (value !== '') return value;
    }
    return undefined;
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
