import { expect, test } from 'vitest';
import { readMedia } from '../../../server/files/media.ts';
import { mp3, mp4, ogg, wav, webm } from '../../helpers/media.ts';

const read = (type: string, bytes: Buffer) =>
  readMedia(type, { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) });

test('reads the type of sound without its codec, and the duration', async () => {
  const media = { duration: 2000 };
  expect(await read('audio/wav', wav(2))).toEqual({ type: 'audio/wav', media });
  expect(await read('audio/ogg; codecs=opus', ogg(2))).toEqual({ type: 'audio/ogg', media });
  expect(await read('audio/x-m4a', mp4({ duration: 2 }))).toEqual({ type: 'audio/mp4', media });
  expect(await read('audio/mpeg', mp3(2))).toEqual({ type: 'audio/mpeg', media: { duration: 2007 } });
  // Other types are kept as they are.
  expect(await read('audio/flac', Buffer.from('fLaC'))).toEqual({ type: 'audio/flac' });
});

test('computes a missing duration from blocks or fragments', async () => {
  const media = { duration: 2000 };
  expect(await read('video/webm', webm({ duration: 2, live: true }))).toEqual({ type: 'audio/webm', media });
  expect(await read('video/webm', webm({ duration: 2 }))).toEqual({ type: 'audio/webm', media });
  expect(await read('video/mp4', mp4({ duration: 2, live: true }))).toEqual({ type: 'audio/mp4', media });
});

test('reads the displayed size of a video, including a rotated one', async () => {
  const media = { duration: 2000, shown: { width: 640, height: 360 } };
  const picture = { width: 640, height: 360 };
  expect(await read('video/webm', webm({ duration: 2, picture }))).toEqual({ type: 'video/webm', media });
  expect(await read('video/mp4', mp4({ duration: 2, picture }))).toEqual({ type: 'video/mp4', media });
  expect(await read('video/mp4', mp4({ duration: 2, picture, turned: true }))).toEqual({
    type: 'video/mp4',
    media: { duration: 2000, shown: { width: 360, height: 640 } },
  });
});

test('does not misread a file that is cut or only begins like sound or video', async () => {
  for (const [type, whole] of [
    ['audio/wav', wav(2)],
    ['video/webm', webm({ duration: 2, live: true })],
    ['video/mp4', mp4({ duration: 2, live: true })],
    ['audio/mpeg', mp3(2)],
    ['audio/ogg', ogg(2)],
  ] as const) {
    for (let size = 0; size < Math.min(whole.length, 600); size++) {
      const { media } = (await read(type, whole.subarray(0, size))) ?? {};
      expect(media?.duration ?? 0).toBeLessThanOrEqual(2012);
    }
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const odd = Buffer.concat([whole.subarray(0, 12), Buffer.alloc(4000, byte)]);
      expect((await read(type, odd))?.media?.shown).toBeUndefined();
    }
  }
  expect(await read('video/webm', Buffer.from('1a45dfa38442828477656d3c3f706870', 'hex'))).toBeNull();
  expect(
    await read('video/mp4', Buffer.from('\0\0\0\x10ftypisom\0\0\0\0<script>alert(1)</script>')),
  ).toBeNull();
  expect(
    await read('audio/wav', Buffer.from('RIFF\xff\xff\xff\xffWAVE<script>alert(1)</script>')),
  ).toBeNull();
});

test('reads at most 500,000 parts of a file', async () => {
  const whole = webm({ duration: 2 });
  const first = whole.indexOf(Buffer.from('1549a966', 'hex'));
  /** A WebM with empty elements before its header. */
  const withParts = (count: number) =>
    Buffer.concat([whole.subarray(0, first), Buffer.alloc(2 * count, 'ec80', 'hex'), whole.subarray(first)]);
  expect(await read('video/webm', withParts(1000))).toMatchObject({ type: 'audio/webm' });
  expect(await read('video/webm', withParts(500_000))).toBeNull();
});

test('treats QuickTime as MP4 only if browsers play its codecs', async () => {
  const picture = { width: 640, height: 360 };
  const quickTime = (...codecs: string[]) => read('video/quicktime', mp4({ duration: 2, picture, codecs }));
  expect(await quickTime('mp4a', 'avc1')).toEqual({
    type: 'video/mp4',
    media: { duration: 2000, shown: picture },
  });
  for (const codecs of [
    ['mp4a', 'hvc1'],
    ['lpcm', 'avc1'],
    ['mp4a', 'ap4h'],
  ])
    expect(await quickTime(...codecs)).toEqual({ type: 'video/quicktime' });
  expect(await quickTime()).toBeNull();
});

test('ignores an impossible duration or size', async () => {
  expect(await read('video/webm', webm({ duration: 1e12 }))).toEqual({ type: 'audio/webm', media: {} });
  const picture = { width: 30_000, height: 1 };
  const sound = { type: 'audio/mp4', media: { duration: 1000 } };
  expect(await read('video/mp4', mp4({ duration: 1, picture }))).toEqual(sound);
});
