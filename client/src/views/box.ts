/**
 * Returns the box of an element, or of a rectangle in pixels of the window, in CSS pixels from the top left corner of
 * `frame`. Styles and `scrollTop` are in these pixels. Client rectangles and pointers are in pixels of the window, which
 * differ if the page has a CSS `zoom` or a transform.
 */
export function boxIn(frame: HTMLElement, target: Element | DOMRect): DOMRect {
  const from = frame.getBoundingClientRect();
  const { x, y, width, height } = target instanceof Element ? target.getBoundingClientRect() : target;
  const scale = scaleOf(frame);
  return new DOMRect((x - from.x) / scale, (y - from.y) / scale, width / scale, height / scale);
}

/** Returns the pixels of the window per CSS pixel of the element. */
export function scaleOf(element: HTMLElement): number {
  const { width } = element.getBoundingClientRect();
  // The used width, because `offsetWidth` is rounded. In a long timeline the difference would be several pixels.
  return Math.round(width) === element.offsetWidth
    ? 1
    : width / Number.parseFloat(getComputedStyle(element).width) || 1;
}

/**
 * Returns the first element that ends below the top of `frame`, and its distance from there in CSS pixels. The elements
 * must be in their order. Each read may force a layout, so there are as few as possible.
 */
export function firstBelowTop(frame: HTMLElement, all: ArrayLike<HTMLElement>) {
  const { top } = frame.getBoundingClientRect();
  let [low, high] = [0, all.length];
  let offset = 0;
  while (low < high) {
    const middle = (low + high) >> 1;
    const box = all[middle]?.getBoundingClientRect();
    if (box !== undefined && box.bottom > top) [high, offset] = [middle, box.top - top];
    else low = middle + 1;
  }
  return { element: all[low], offset: offset / scaleOf(frame) };
}
