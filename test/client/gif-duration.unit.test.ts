import sharp from 'sharp';
import { expect, test } from 'vitest';
import { gifDuration } from '../../client/src/text/gif-duration.ts';

/** Creates a GIF whose frames have these delays in milliseconds. */
async function gif(...delay: number[]): Promise<Uint8Array> {
  const side = 8;
  const frames = delay.map((_, n) => Buffer.alloc(side * side * 3, 60 + 40 * n));
  const raw = { width: side, height: side * delay.length, channels: 3, pageHeight: side } as const;
  return sharp(Buffer.concat(frames), { raw }).gif({ delay }).toBuffer();
}

test('returns the sum of the frame durations, as browsers play them', async () => {
  expect(gifDuration(await gif(300, 450))).toBe(750);
  expect(gifDuration(await gif(10, 500, 40))).toBe(640);
});

test('returns 0 for a still picture or a file that is not a GIF', async () => {
  expect(gifDuration(await gif(100))).toBe(0);
  expect(gifDuration(new TextEncoder().encode('no picture at all'))).toBe(0);
  expect(gifDuration(new Uint8Array())).toBe(0);
});

test('returns the duration of the intact part of a damaged GIF', async () => {
  const whole = await gif(100, 200, 300);
  for (let length = 0; length < whole.length; length++) {
    const duration = gifDuration(whole.subarray(0, length));
    expect(duration === 0 || (duration >= 300 && duration <= 600), `${length} bytes: ${duration}`).toBe(true);
  }
});
