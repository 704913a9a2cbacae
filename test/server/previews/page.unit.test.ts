import fc from 'fast-check';
import { JSDOM } from 'jsdom';
import { expect, test } from 'vitest';
import { PageReader } from '../../../server/previews/page.ts';
import { size } from '../../guarantees/size.ts';

const latin = (text: string) => Buffer.from(text, 'latin1');

/** Returns the title that a page has here, and the one that it has in a browser. */
function titles(parts: string[], charset: string, length: number): [string | undefined, string] {
  const page = latin(parts.join(''));
  const reader = new PageReader({ charset, isXml: false });
  for (let at = 0; at < page.length; at += length) reader.read(page.subarray(at, at + length));
  const { window } = new JSDOM(page, { contentType: `text/html${charset && `; charset="${charset}"`}` });
  return [reader.end()?.title, window.document.title];
}

test('a page has the same title as in a browser, whatever declares its encoding', () => {
  const label = fc.constantFrom(
    ...['utf-8', 'koi8-r', 'windows-1251', 'latin1', 'UTF-16', 'utf-16be', 'x-user-defined', 'big5', 'gbk'],
    ...[' cp1250 ', 'none', '', 'euc_kr', 'iso-2022-jp', 'replacement', 'hz-gb-2312', 'x-x-big5', '866'],
  );
  const quote = fc.constantFrom('"', "'", '');
  const meta = fc.tuple(label, quote, fc.nat(12)).map(([name, q, form]) => {
    const inner = q === '"' ? "'" : '"';
    return [
      `<meta charset=${q}${name}${q}>`,
      `<META CHARSET = ${q}${name}${q} />`,
      `<meta http-equiv=Content-Type content="text/html; charset=${name}">`,
      `<meta content='charset = "${name}"' http-equiv='CONTENT-TYPE'>`,
      `<meta content="a charset charset=${name};b" http-equiv="content-type">`,
      `<meta http-equiv=refresh content="charset=${name}">`,
      `<meta name=a content="charset=${name}">`,
      `<meta charset=${inner}${name}${inner} charset=koi8-u>`,
      `<meta charset=none http-equiv=content-type content="charset=${name}">`,
      `<!-- <meta charset=${name}> -->`,
      `<link title="<meta charset=${name}>">`,
      `</meta charset=${name}>`,
      `<?xml version="1.0" encoding=${q}${name}${q}?>`,
    ][form] as string;
  });
  const page = fc.tuple(
    fc.constantFrom('', '\xef\xbb\xbf'),
    fc.array(meta, { maxLength: 4 }),
    // The defaults differ, so there is always an encoding.
    fc.constant('<meta charset=macintosh>'),
    // Two characters in most encodings, and characters of the extensions of EUC-KR and Big5.
    fc.constantFrom('<title>\xa4\xe9 \xc4\xe3', '<title>\xc3\xa9', '<title>\xa1\x41 \xfa\x40'),
    fc.constant('</title>'),
  );
  fc.assert(
    fc.property(
      page,
      fc.constantFrom('', '', 'koi8-r', 'none', 'utf-8'),
      fc.constantFrom(1, 5, 9999),
      (parts, charset, length) => {
        const [here, browser] = titles(parts.flat(), charset, length);
        expect(here ?? '').toBe(browser);
      },
    ),
    { numRuns: size(1000, 50) },
  );
});

test.each([
  ['<?xml encoding="replacement"?><meta charset=utf-8><title>\xc3\xa9</title>', 'é'],
  ['<?xml encoding="replacement"?><title>\xc3\xa9</title>', undefined],
])('the first <meta> counts after an XML declaration: %s', (page, title) => {
  const reader = new PageReader({ charset: '', isXml: false });
  for (const byte of latin(page)) if (!reader.read(Buffer.from([byte]))) break;
  expect(reader.end()?.title).toBe(title);
});

test.each([
  ['ks_c_5601-1987', '8c63b9e6b0a2c7cf', '똠방각하'],
  ['windows-949', '8141c652', '갂힣'],
  ['big5-hkscs', '9df6abd72e9def', '喺度.嘅'],
  ['big5', '8862a4a4', 'Ê̄中'],
])('a title in %s has the characters that browsers added to the encoding', (charset, bytes, title) => {
  const reader = new PageReader({ charset, isXml: false });
  reader.read(Buffer.concat([latin('<title>'), Buffer.from(bytes, 'hex'), latin('</title>')]));
  expect(reader.end()?.title).toBe(title);
});
