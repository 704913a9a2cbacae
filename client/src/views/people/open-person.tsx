import { ERASED, EVERYBODY } from '../../store/user-ids.ts';
import { confirms } from '../../text/keys.ts';
import { boxIn } from '../box.ts';
import type { Context, SomebodyHere } from '../context.ts';
import type { Messages } from '../messages/touch-and-keys.ts';

/**
 * Loads the card of a user and opens it next to `beside`. The focus returns to the opener, or if that is gone, to the
 * user's row in the list.
 */
export async function openPerson(
  shown: SomebodyHere,
  context: Context,
  opener: HTMLElement,
  beside: Element = opener,
): Promise<void> {
  const { chat, layer, strings, toast } = context;
  const root = opener.getRootNode();
  if (!(root instanceof ShadowRoot)) return;
  // A user who comes or goes while the code loads gets a new element elsewhere in the list.
  const app = root.querySelector<HTMLElement>('.app');
  if (app === null) return;
  const at = boxIn(app, beside);
  const expanded = (value: boolean) =>
    opener.hasAttribute('aria-haspopup') && opener.setAttribute('aria-expanded', String(value));
  try {
    const { PersonCard, sheet } = await import('./person-card.tsx');
    // While the code loaded, the session may have ended, or the room was lost.
    if (!root.host.isConnected || chat.rooms.get(shown.room.id) !== shown.room) return;
    const dress = sheet();
    if (!root.adoptedStyleSheets.includes(dress)) root.adoptedStyleSheets.push(dress);
    expanded(true);
    const close = () => {
      expanded(false);
      const row = `.person[data-key="${CSS.escape(shown.user.id)}"]`;
      (opener.isConnected ? opener : root.querySelector<HTMLElement>(row))?.focus();
      layer();
    };
    layer(() => (
      <PersonCard
        context={context}
        shown={shown}
        beside={beside}
        at={at}
        width={app.clientWidth}
        close={close}
      />
    ));
  } catch {
    toast(strings.text('error.other'), 'bad');
  }
}

/** Opens the user's card on a click on an author's avatar or name, or on a mention. Ends with the signal. */
export function listenToPeople(
  root: ShadowRoot,
  { find }: Messages,
  context: Context,
  signal: AbortSignal,
): void {
  const pressed = (event: Event): void => {
    const { target } = event;
    if (!(target instanceof Element)) return;
    const mention = target.closest<HTMLElement>('.msg [data-person]');
    const author = target.closest('.group > .avatar, .by-name');
    const group = target.closest('.group');
    const at = mention ?? (author && group?.querySelector('.msg'));
    const entry = at ? find(at)?.props.entry : undefined;
    if (entry === undefined) return;
    const { message } = entry;
    const room = context.chat.rooms.get(message?.room ?? '');
    const user =
      mention === null
        ? entry.user
        : message?.mentions?.find((one) => one.user.id === mention.dataset.person)?.user;
    if (room === undefined || user === undefined || user.id === ERASED || user.id === EVERYBODY) return;
    event.preventDefault();
    const opener = mention ?? group?.querySelector<HTMLElement>('.by-name');
    const reported = mention === null ? message : undefined;
    if (opener)
      void openPerson({ room, user, message: reported }, context, opener, mention ?? author ?? opener);
  };
  root.addEventListener('click', pressed, { signal });
  const key = (event: Event) => {
    if (!(event instanceof KeyboardEvent) || (!confirms(event) && event.key !== ' ')) return;
    if (event.target instanceof Element && event.target.matches('[data-person]')) pressed(event);
  };
  root.addEventListener('keydown', key, { signal });
}
