import { Parser } from 'htmlparser2';
import { longest } from './reply-text.ts';

/** Maximum nesting of elements that is followed. The parser slows down with each level. */
const deepest = 200;
/** UTF-16 units that are parsed at once. */
const pieceLength = 8192;

const skipped = new Set(
  'script style head title template svg math noscript object iframe select textarea audio video'.split(' '),
);
const blocks = new Set(
  'address article aside blockquote center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul'.split(
    ' ',
  ),
);
/** Elements at which mail programs put the quoted mail, with all that follows. */
const endsAt =
  /^(?:x_)?(?:appendonsend|divRplyFwdMsg|mail-editor-reference-message-container|ms-outlook-mobile-body-separator-line|OLK_SRC_BODY_SECTION|stopSpelling)$/;
/** Elements that mail programs use for signatures. */
const ofSignature =
  /(?:^|\s)(?:x_)?(?:gmail_signature|gmail_signature_prefix|ms-outlook-mobile-signature|moz-signature|Signature)(?:\s|$)/;

interface Open {
  name: string;
  /** Texts in it are left out. */
  skips: boolean;
  /** The address and the text of a link. The address is appended to the text. */
  link?: { href: string; text: string };
}

/**
 * Returns the text of an HTML part as a plain text part would have it, with quotations behind `>`.
 * @returns also the content IDs of pictures outside of quotations and signatures
 */
export function textOfHtml(html: string): { text: string; pictures: Set<string> } {
  const lines: string[] = [];
  const pictures = new Set<string>();
  // Reading the end of a text that grows would copy it each time.
  let line = '';
  let hasText = false;
  let endsBlank = false;
  let length = 0;
  let quotes = 0;
  let isOver = false;
  const open: Open[] = [];
  const skips = () => isOver || (open.at(-1)?.skips ?? false);
  const isPre = () => open.some(({ name }) => name === 'pre');
  const add = (text: string) => {
    if (text === '') return;
    line += text;
    length += text.length;
    endsBlank = text.endsWith(' ');
    hasText ||= /[^ ]/.test(text);
    if (length > longest.text) isOver = true;
  };
  const setLine = (text: string) => {
    line = '';
    hasText = endsBlank = false;
    add(text);
  };
  const endLine = () => {
    const text = line.trimEnd();
    lines.push(quotes === 0 ? text : `${'>'.repeat(Math.min(quotes, 9))} ${text}`);
    length++;
    setLine('');
  };
  const startBlock = () => {
    // A no-break space makes an empty line.
    if (hasText) endLine();
    setLine('');
  };
  const gap = () => {
    startBlock();
    if (lines.length > 0 && !/^[> ]*$/.test(lines.at(-1) ?? '')) endLine();
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      const { id = '', class: classes = '', href = '', src = '' } = attributes;
      if (endsAt.test(id)) isOver = true;
      const own = skipped.has(name) || ofSignature.test(id) || ofSignature.test(classes);
      if (!skips()) {
        if (name === 'br') endLine();
        else if (name === 'p' && !/\bMso/.test(classes)) gap();
        else if (blocks.has(name)) startBlock();
        if (name === 'li') setLine('- ');
        if (name === 'td' && hasText) add(' ');
        if (name === 'img' && quotes === 0 && src.startsWith('cid:')) pictures.add(src.slice(4));
      }
      if (name === 'blockquote') quotes++;
      if (open.length >= deepest) isOver = true;
      open.push({ name, skips: skips() || own, ...(name === 'a' && { link: { href, text: '' } }) });
    },
    ontext(text) {
      if (skips()) return;
      if (isPre()) {
        const [first = '', ...others] = text.split('\n');
        add(first);
        for (const one of others) {
          endLine();
          add(one);
        }
        return;
      }
      const joined = text.replace(/[\t\n\f\r ]+/g, ' ');
      const added = line === '' || endsBlank ? joined.replace(/^ /, '') : joined;
      add(added);
      const { link } = open.findLast((one) => one.link !== undefined) ?? {};
      if (link !== undefined) link.text += added;
    },
    onclosetag(name) {
      const one = open.pop();
      if (!skips() && one?.skips !== true) {
        const { href = '', text = '' } = one?.link ?? {};
        const shown = text.trim();
        if (/^https?:\/\//i.test(href) && shown !== '' && !isShown(href, shown)) add(` (${href})`);
        if (name === 'p' && !isOver) startBlock();
        else if (blocks.has(name)) startBlock();
      }
      if (name === 'blockquote') quotes = Math.max(0, quotes - 1);
    },
  });
  for (let at = 0; at < html.length && !isOver; at += pieceLength)
    parser.write(html.slice(at, at + pieceLength));
  parser.end();
  startBlock();
  return { text: lines.join('\n'), pictures };
}

const isShown = (href: string, shown: string) =>
  href.replace(/^https?:\/\/|\/$/gi, '').toLowerCase() ===
  shown.replace(/^https?:\/\/|\/$/gi, '').toLowerCase();
