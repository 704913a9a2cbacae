import { boxIn } from '../box.ts';

/** Measures boxes in the pixels of the `left` and `top` of a positioned element. */
export function frameAround({ offsetParent }: HTMLElement) {
  const frame = (offsetParent ?? document.documentElement) as HTMLElement;
  const { width, height } = boxIn(frame, frame);
  return { width, height, boxOf: (target: Element | DOMRect) => boxIn(frame, target) };
}
