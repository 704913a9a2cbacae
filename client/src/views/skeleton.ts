import { h } from './h.ts';

const widths = [
  [30, 70],
  [20, 85],
  [25, 55],
] as const;

/** Where messages will be. */
export function skeleton(): HTMLElement[] {
  return widths.map(([line, block]) =>
    h(
      'div',
      { class: 'group', 'aria-hidden': 'true' },
      h('span', { class: 'bone avatar' }),
      h(
        'div',
        { class: 'stack' },
        h('div', { class: `bone line w${line}` }),
        h('div', { class: `bone block w${block}` }),
      ),
    ),
  );
}
