import controls from './styles/controls.css?inline';
import element from './styles/element.css?inline';
import layout from './styles/layout.css?inline';
import rooms from './styles/rooms.css?inline';
import timeline from './styles/timeline.css?inline';
import tokens from './styles/tokens.css?inline';

let shared: CSSStyleSheet | undefined;

/** One sheet for all elements of a page: adopted, so that a strict policy for styles does not stop it. */
export function sheet(): CSSStyleSheet {
  if (shared === undefined) {
    shared = new CSSStyleSheet();
    shared.replaceSync([tokens, layout, timeline, controls, rooms, element].join('\n'));
  }
  return shared;
}
