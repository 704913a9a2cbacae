import type { Context } from '../context.ts';
import { type MenuItem, openMenu } from '../controls/menu.tsx';

/** Opens the menu that creates a room, a direct room or a question. */
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
    chat.can.ask === true && {
      picture: 'question',
      label: strings.text('ask.menu'),
      run: () => {
        const room = chat.list.questionOf(chat.me?.id);
        if (room?.summary.question?.state === 'open') context.open(room.id);
        else dialog({ kind: 'ask' });
      },
    },
  ];
  openMenu(context, opener, {
    label: strings.text('rooms.add'),
    items: items.filter((item) => item !== false),
  });
}
