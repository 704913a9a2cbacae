import type { Message } from './message.tsx';
import { isStored, type Messages } from './touch-and-keys.ts';

/** Nobody draws a line that is quite straight: a swipe begins so far on, and is at least twice as wide as it is high. */
const BEGIN_PX = 12;
/** From here on, letting go replies; the message goes no further than that. */
const ENOUGH_PX = 56;
const MOST_PX = 72;

/** These parts move by themselves under a finger. */
const OWN = 'pre, input, audio, video, .tools';

/**
 * A finger that draws a message towards the start of the line replies to it, until the signal stops that. Scrolling stays the
 * browser's: it ends a swipe.
 */
export function swipeToReply(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  let drawn: { message: Message; element: HTMLElement; mark?: Element | undefined } | undefined;
  let from = { id: 0, x: 0, y: 0 };
  /** How far, towards the start of the line. */
  let way = 0;
  const end = () => {
    if (drawn?.mark !== undefined) drawn.element.dataset.swipe = 'over';
    drawn?.element.style.removeProperty('--swipe');
    drawn?.mark?.remove();
    drawn = undefined;
    way = 0;
  };
  const down = ({ target, pointerType, pointerId, isPrimary, clientX, clientY }: PointerEvent) => {
    end();
    if (pointerType !== 'touch' || !isPrimary || !(target instanceof Element)) return;
    const message = find(target);
    const element = message?.element;
    if (element == null || message === undefined || target.closest(OWN) !== null) return;
    const { entry, context } = message.props;
    if (!isStored(entry) || context.chat.rooms.get(entry.message?.room ?? '')?.preview) return;
    from = { id: pointerId, x: clientX, y: clientY };
    drawn = { message, element };
  };
  const moved = ({ pointerId, clientX, clientY }: PointerEvent) => {
    if (drawn === undefined || pointerId !== from.id) return;
    const { element } = drawn;
    const rtl = element.matches(':dir(rtl)');
    way = (from.x - clientX) * (rtl ? -1 : 1);
    const height = Math.abs(clientY - from.y);
    if (drawn.mark === undefined) {
      if (height > BEGIN_PX || way < -BEGIN_PX) return end();
      if (way < BEGIN_PX || way < 2 * height) return;
      // The picture of the button that does the same.
      const picture = element.querySelector('.tools button:nth-of-type(2) svg')?.cloneNode(true);
      if (!(picture instanceof Element)) return end();
      picture.classList.add('swiped');
      element.append(picture);
      drawn.mark = picture;
      element.dataset.swipe = '';
    }
    drawn.mark.classList.toggle('enough', way >= ENOUGH_PX);
    const shift = Math.min(Math.max(way, 0), MOST_PX);
    element.style.setProperty('--swipe', `${rtl ? shift : -shift}px`);
  };
  const up = () => {
    const { message, mark } = drawn ?? {};
    const replies = mark !== undefined && way >= ENOUGH_PX;
    end();
    if (replies) message?.props.actions.reply(message.props.entry);
  };
  const pointer = (does: (event: PointerEvent) => void) => (event: Event) =>
    event instanceof PointerEvent && does(event);
  root.addEventListener('pointerdown', pointer(down), { signal });
  root.addEventListener('pointermove', pointer(moved), { signal });
  root.addEventListener('pointerup', up, { signal });
  root.addEventListener('pointercancel', end, { signal });
}
