import controls from './controls.css?inline';
import element from './element.css?inline';
import layout from './layout.css?inline';
import rooms from './rooms.css?inline';
import timeline from './timeline.css?inline';
import tokens from './tokens.css?inline';

/**
 * Returns a function that creates a style sheet once, so that all elements of the page share it. A strict policy for
 * styles allows it, because it is adopted. It does not import shared-sheet.ts from the page's script, because code that
 * is loaded later must not load that script again.
 */
export function sheetOf(css: string): () => CSSStyleSheet {
  let made: CSSStyleSheet | undefined;
  return () => {
    if (made === undefined) {
      made = new CSSStyleSheet();
      made.replaceSync(css);
    }
    return made;
  };
}

export const sheet = sheetOf([tokens, layout, timeline, controls, rooms, element].join('\n'));
