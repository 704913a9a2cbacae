import type { Entry } from '../store/entries.ts';
import type { Context } from './context.ts';
import { button, h } from './h.ts';
import { type IconName, icon } from './icon.ts';

export interface MenuItem {
  readonly picture: IconName;
  readonly label: string;
  /** The key that does the same on a message. */
  readonly key: string;
  run(): void;
}

/** What can be done with a message: beside it, or as a sheet from below on a touch screen. */
export function openMessageMenu(
  entry: Entry,
  items: readonly MenuItem[],
  opener: HTMLElement,
  context: Context,
): void {
  const { strings } = context;
  const sheet = context.touch();
  const menu = h('div', {
    class: sheet ? 'menu sheet' : 'menu',
    role: 'menu',
    'aria-label': strings.text('msg.actions'),
  });
  if (sheet) {
    const own = entry.user.id === context.chat.me?.id;
    const who = own ? strings.text('msg.you') : entry.user.name;
    const about = h('div', { class: 'about', role: 'presentation' }, h('span', {}, entry.text));
    about.append(h('bdi', {}, who), `, ${strings.time(entry.sentAt)}`);
    menu.append(about);
  }
  const veil = h('div', { class: sheet ? 'veil' : 'veil clear' });
  // The message itself may be the opener, by a key: an article does not expand.
  const expanded = (value: boolean) =>
    opener.hasAttribute('aria-haspopup') && opener.setAttribute('aria-expanded', String(value));
  const close = () => {
    context.layer();
    expanded(false);
    if (opener.isConnected) opener.focus();
  };
  for (const { picture, label, key, run } of items) {
    const press = () => {
      close();
      run();
    };
    const shortcut = sheet ? [] : [h('kbd', { 'aria-hidden': 'true' }, key)];
    menu.append(button({ role: 'menuitem', tabindex: -1 }, press, icon(picture), label, ...shortcut));
  }
  veil.addEventListener('click', close);
  menu.addEventListener('keydown', (event) => {
    const all = [...menu.querySelectorAll<HTMLElement>('[role=menuitem]')];
    const at = all.indexOf(event.target as HTMLElement);
    const to: Record<string, number> = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    };
    const next = to[event.key];
    if (next !== undefined) all[next]?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  expanded(true);
  context.layer(veil, menu);
  if (!sheet) place(menu, opener.querySelector('.bubble') ?? opener);
  menu.querySelector<HTMLElement>('[role=menuitem]')?.focus();
}

/** Below the opener where there is room, else above; never beyond the element's edges. */
function place(menu: HTMLElement, opener: Element): void {
  const around = (menu.offsetParent ?? document.documentElement).getBoundingClientRect();
  const from = opener.getBoundingClientRect();
  const below = from.bottom + 4 + menu.offsetHeight <= around.bottom;
  const top = below ? from.bottom + 4 : Math.max(around.top + 4, from.top - 4 - menu.offsetHeight);
  const left = Math.min(
    Math.max(around.left + 6, from.right - menu.offsetWidth),
    around.right - menu.offsetWidth - 6,
  );
  menu.style.insetBlockStart = `${top - around.top}px`;
  menu.style.left = `${left - around.left}px`;
}
