/** The longest of the movements that `fresh` starts in the style sheet. */
const FRESH_MS = 300;

/** Lets an element move that has just arrived: what was loaded, scrolled to or restored does not. */
export function arrive(element: Element | null): void {
  if (element === null) return;
  element.classList.add('fresh');
  setTimeout(() => element.classList.remove('fresh'), FRESH_MS);
}
