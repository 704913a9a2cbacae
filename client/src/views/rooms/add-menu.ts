import type { Context } from '../context.ts';
import { type MenuItem, openMenu } from '../controls/menu.tsx';

/** Opens the menu that creates a room or a direct room. */
export function openAddMenu(context: Context, opener: HTMLElement): void {
  const { chat, strings, dialog } = context;
  const { direct } = chat.can;
  const items: (MenuItem | false)[] = [
    chat.mayCreate && {
      picture: 'hash',
      label: strings.text('rooms.new'),
      run: () => dialog({ kind: 'create' }),
    },
    direct && {
      picture: 'bubble',
      label: strings.text('direct.title'),
      run: () => dialog({ kind: 'direct' }),
    },
  ];
  openMenu(context, opener, {
    label: strings.text('rooms.add'),
    items: items.filter((item) => item !== false),
  });
}
