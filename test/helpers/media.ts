const be32 = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeUInt32BE(value, 4 * n);
  return bytes;
};
const text = (value: string) => Buffer.from(value, 'latin1');

/** Returns a tone of this many seconds, with 8,000 samples of 8 bits each. */
export function wav(seconds: number): Buffer {
  const samples = Buffer.from(Array.from({ length: seconds * 8000 }, (_, n) => 128 + 90 * Math.sin(n / 3)));
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(8000, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

/** Returns silent frames of 128 kbit/s. */
export function mp3(seconds: number): Buffer {
  const frame = Buffer.concat([Buffer.from('fffb9000', 'hex'), Buffer.alloc(413)]);
  const frames = Math.ceil((seconds * 44_100) / 1152);
  return Buffer.concat([text('ID3\x04\0\0\0\0\0\x0a'), Buffer.alloc(10), ...Array(frames).fill(frame)]);
}

/** Returns the first and the last page of an Ogg file with Opus. */
export function ogg(seconds: number): Buffer {
  const page = (samples: number, packet: Buffer) => {
    const head = Buffer.alloc(28);
    head.write('OggS');
    head.writeBigInt64LE(BigInt(samples), 6);
    head[26] = 1;
    head[27] = packet.length;
    return Buffer.concat([head, packet]);
  };
  return Buffer.concat([
    page(0, text('OpusHead\x01\x01').subarray()),
    page(seconds * 48_000, Buffer.alloc(9)),
  ]);
}

interface Made {
  /** Seconds. */
  duration: number;
  picture?: { width: number; height: number };
  /** As a browser records it, without a stated duration and, in WebM, without lengths. */
  live?: boolean;
}

export function webm({ duration, picture, live = false }: Made): Buffer {
  const part = (id: string, content: Buffer, open = false) =>
    Buffer.concat([
      Buffer.from(id, 'hex'),
      open
        ? Buffer.from('01ffffffffffffff', 'hex')
        : Buffer.concat([Buffer.from([0x10]), be32(content.length).subarray(1)]),
      content,
    ]);
  const stated = Buffer.alloc(8);
  stated.writeDoubleBE(duration * 1000);
  const info = [part('2ad7b1', be32(1_000_000)), ...(live ? [] : [part('4489', stated)])];
  const video =
    picture && part('e0', Buffer.concat([part('b0', be32(picture.width)), part('ba', be32(picture.height))]));
  const tracks = [
    part('ae', part('83', Buffer.from([2]))),
    ...(video === undefined ? [] : [part('ae', Buffer.concat([part('83', Buffer.from([1])), video]))]),
  ];
  const clusters = [0, duration - 1].map((second) => {
    const block = (at: number) => part('a3', Buffer.from([0x81, at >> 8, at & 255, 0x80, 1, 2, 3]));
    return part(
      '1f43b675',
      Buffer.concat([part('e7', be32((second * 1000) % 2 ** 32)), block(0), block(1000)]),
      live,
    );
  });
  return Buffer.concat([
    part('1a45dfa3', part('4282', text('webm'))),
    part(
      '18538067',
      Buffer.concat([
        part('1549a966', Buffer.concat(info)),
        part('1654ae6b', Buffer.concat(tracks)),
        ...clusters,
      ]),
      live,
    ),
  ]);
}

/**
 * Returns an MP4.
 * @param turned the picture was taken with the camera upright
 * @param codecs the codecs of its tracks, the sound first
 */
export function mp4({
  duration,
  picture,
  live = false,
  turned = false,
  codecs = [],
}: Made & { turned?: boolean; codecs?: readonly string[] }): Buffer {
  const box = (name: string, ...content: Buffer[]): Buffer => {
    const all = Buffer.concat(content);
    return Buffer.concat([be32(all.length + 8), text(name), all]);
  };
  const scale = 1000;
  const stated = live ? 0 : duration * scale;
  const matrix = turned
    ? [0, 0x10000, 0, 0xffff0000, 0, 0, 0, 0, 0x40000000]
    : [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];
  const track = (id: number, kind: string, width = 0, height = 0) =>
    box(
      'trak',
      box('tkhd', be32(3, 0, 0, id, 0, stated, 0, 0, 0, 0, ...matrix, width * 65_536, height * 65_536)),
      box(
        'mdia',
        box('mdhd', be32(0, 0, 0, scale, stated, 0)),
        box('hdlr', be32(0, 0), text(kind), be32(0, 0, 0)),
        ...codecs
          .slice(id - 1, id)
          .map((codec) => box('minf', box('stbl', box('stsd', be32(0, 1), box(codec, be32(0)))))),
      ),
    );
  const fragment = box('moof', box('traf', box('tfhd', be32(8, 1, 500)), box('trun', be32(0x200, 2, 9, 9))));
  return Buffer.concat([
    box('ftyp', text(picture === undefined ? 'M4A ' : 'isom'), be32(0)),
    box(
      'moov',
      box('mvhd', be32(0, 0, 0, scale, stated, ...Array(20).fill(0))),
      track(1, 'soun'),
      ...(picture === undefined ? [] : [track(2, 'vide', picture.width, picture.height)]),
    ),
    ...(live ? Array(duration).fill(fragment) : []),
    box('mdat', Buffer.alloc(9)),
  ]);
}
