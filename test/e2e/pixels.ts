import type { Page } from '@playwright/test';

/** Counts visibly different pixels, ignoring antialiasing. The page only decodes the pictures. */
export function differingPixels(page: Page, ...pictures: [Buffer, Buffer]): Promise<number> {
  const urls = pictures.map((picture) => `data:image/png;base64,${picture.toString('base64')}`);
  return page.evaluate(async (sources) => {
    const [a, b] = await Promise.all(
      sources.map(async (source) => {
        const bitmap = await createImageBitmap(await (await fetch(source)).blob());
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        canvas?.drawImage(bitmap, 0, 0);
        return canvas?.getImageData(0, 0, bitmap.width, bitmap.height).data;
      }),
    );
    if (a === undefined || b === undefined || a.length !== b.length) return Number.POSITIVE_INFINITY;
    return a.filter((value, index) => Math.abs(value - (b[index] ?? 0)) > 40).length;
  }, urls);
}

/** The share of visibly different pixels in the common part of both pictures, ignoring antialiasing. */
export function shareOfDifference(page: Page, ...pictures: [Buffer, Buffer]): Promise<number> {
  const urls = pictures.map((picture) => `data:image/png;base64,${picture.toString('base64')}`);
  return page.evaluate(async (sources) => {
    const bitmaps = await Promise.all(
      sources.map(async (source) => createImageBitmap(await (await fetch(source)).blob())),
    );
    const [first, second] = bitmaps;
    if (first === undefined || second === undefined) return 1;
    const width = Math.min(first.width, second.width);
    const height = Math.min(first.height, second.height);
    const [a, b] = bitmaps.map((bitmap) => {
      const canvas = new OffscreenCanvas(width, height).getContext('2d');
      canvas?.drawImage(bitmap, 0, 0);
      return canvas?.getImageData(0, 0, width, height).data;
    });
    if (a === undefined || b === undefined) return 1;
    let different = 0;
    for (let at = 0; at < a.length; at += 4) {
      const most = Math.max(
        ...[0, 1, 2].map((channel) => Math.abs((a[at + channel] ?? 0) - (b[at + channel] ?? 0))),
      );
      if (most > 40) different += 1;
    }
    return different / (width * height);
  }, urls);
}
