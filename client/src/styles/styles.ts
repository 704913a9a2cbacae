import controls from './controls.css?inline';
import element from './element.css?inline';
import layout from './layout.css?inline';
import rooms from './rooms.css?inline';
import timeline from './timeline.css?inline';
import tokens from './tokens.css?inline';

/**
 * All elements of a page share a sheet. It is adopted, so that a strict policy for styles does not stop it. Not
 * shared-sheet.ts, which belongs to the page's script: what is loaded later must not load that again.
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
