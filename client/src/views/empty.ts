import { h } from './h.ts';
import { type IconName, icon } from './icon.ts';

/** In place of a list that has nothing in it: a picture, a sentence, at most one action. */
export function empty(picture: IconName, title: string, text: string, action?: Element): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    icon(picture),
    h('h3', { tabindex: -1 }, title),
    h('p', {}, text),
    ...(action === undefined ? [] : [action]),
  );
}
