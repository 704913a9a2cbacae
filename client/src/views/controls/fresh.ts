/** Duration of the longest animation of `.fresh` in the style sheet. */
const FRESH_MS = 300;

/** Animates an element that has just appeared. Loaded, scrolled and restored elements do not animate. */
export function arrive(element: Element | null): void {
  if (element === null) return;
  element.classList.add('fresh');
  setTimeout(() => element.classList.remove('fresh'), FRESH_MS);
}
