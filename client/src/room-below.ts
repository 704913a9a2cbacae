/**
 * How high an element may be at most so that its end is in the window with the page as it begins. One that begins too
 * far down for that is reached by scrolling, and may then be as high as the window.
 *
 * @param top - where the element begins in the document
 * @param least - how high the element is at least
 */
export function highest(top: number, windowHeight: number, least: number): string {
  const begin = Math.ceil(top);
  return begin > 0 && windowHeight - begin >= least ? `calc(100dvh - ${begin}px)` : '100dvh';
}
