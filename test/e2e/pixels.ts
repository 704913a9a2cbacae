import type { Page } from '@playwright/test';

/** How many pixels of two pictures differ to the eye; the smoothing of a curve does not. The page is only used to decode. */
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
